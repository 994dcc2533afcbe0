//! The commands over real files, without a row anywhere.

use std::fmt::Write as _;
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

use super::*;
use crate::pipeline::tests::{by_ward, contracts, ticket};

/// Contracts and a configuration whose `stay` is under that policy.
fn configuration(policy: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let mut text = "node = { id = \"camden\", title = \"Camden\", listen = \"127.0.0.1:0\" }\n\
        tls = { certificate = \"a\", key = \"b\", client_ca = \"c\" }\naudit = { file = \"audit.jsonl\" }\n\
        coordinator = [{ identity = \"coordinator.example\" }]\n"
        .to_owned();
    for (name, contract) in contracts() {
        fs::write(dir.path().join(format!("{name}.toml")), contract).unwrap();
        let protected = "release = \"protected\", conditions = \"any\"";
        let words = if name == "site" { "release = \"open\"" } else { protected };
        let place = if name == "stay" {
            "policy = \"stay.policy.toml\"".to_owned()
        } else {
            format!("policy = {{ {words} }}")
        };
        writeln!(text, "[[dataset]]\ncontract = \"{name}.toml\"\nsource = \"nowhere.parquet\"\n{place}")
            .unwrap();
    }
    let dated = contracts()[0]
        .1
        .replace("\"stay\"", "\"seen\"")
        .replace("name = \"beds\"\ntype = \"int64\"", "name = \"night\"\ntype = \"date\"");
    fs::write(dir.path().join("seen.toml"), dated).unwrap();
    let policy_of_seen = "policy = { release = \"protected\", compare_literals = [\"ward\"] }";
    writeln!(text, "[[dataset]]\ncontract = \"seen.toml\"\nsource = \"nowhere.csv\"\n{policy_of_seen}")
        .unwrap();
    let policy = format!("release = \"protected\"\nconditions = \"any\"\n{policy}");
    fs::write(dir.path().join("stay.policy.toml"), policy).unwrap();
    let config = dir.path().join("node.toml");
    fs::write(&config, text).unwrap();
    (dir, config)
}

const STRICT: &str = "threshold = 20\ncompare_literals = []\nbudget = { cells_per_day = 50 }\n\
    [[grant]]\nprincipal = \"ada\"\npurpose = \"a test\"\nagreement = \"DSA-7\"\nuntil = 2999-12-31\n";

async fn explained(config: &Path, who: (&str, &str), sql: &str) -> String {
    let mut out = vec![];
    explain(config, (who.0, &[], who.1), sql, &mut out).await.unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn check_says_what_is_released_and_by_which_rules() {
    let (_dir, config) = configuration(STRICT);
    let mut out = vec![];
    check(&config, Utc::now().date_naive(), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    for words in [
        "stay (policy ",
        "N08: granted to ada for \"a test\" under DSA-7 until the end of 2999-12-31",
        "R07: no group of fewer than 20",
        "R04: tested against constants: none",
        "R24: 50 new aggregates",
        "R04: one test of each column",
        "R24: 1000 new aggregates",
        "granted to everyone whom the coordinator serves",
        "released: exact figures",
    ] {
        assert!(text.contains(words), "{words} is not in:\n{text}");
    }
}

#[test]
fn check_names_file_and_line() {
    let (dir, config) = configuration("threshold = 3");
    let problem = check(&config, Utc::now().date_naive(), &mut vec![]).unwrap_err();
    let place =
        format!("{}:3: policy of dataset stay: threshold = 3", dir.path().join("stay.policy.toml").display());
    assert!(problem.to_string().starts_with(&place), "{problem}");
}

#[tokio::test]
async fn explain_says_which_rule_decides() {
    let (_dir, config) = configuration(STRICT);
    let ada = ("ada", "a test");
    for (who, sql, words) in [
        (
            ada,
            "SELECT ward, COUNT(*) FROM stay GROUP BY ward HAVING COUNT(*) > 5 ORDER BY 2",
            "at least 20 entities, rounded (R13) to 5, under DSA-7, for 1 of the 50 of stay a day (R24)",
        ),
        (("bob", "a test"), "SELECT COUNT(*) FROM stay", "refused by N08"),
        (ada, "SELECT COUNT(*) FROM stay AS s WHERE s.ward = 'tiny'", "refused by R04 stay.ward"),
        (ada, "SELECT SUM(CASE WHEN beds < 3 THEN cost END) FROM stay", "refused by R04 stay.beds"),
        (ada, "SELECT person, COUNT(*) FROM stay GROUP BY person", "refused by R03"),
        (ada, "SELECT MAX(cost) FROM stay", "refused by R06"),
        (ada, "SELECT COUNT(*) FROM stay JOIN meal ON stay.ward = meal.ward", "refused by R22"),
        (
            ada,
            "SELECT m.ward, AVG(m.temp), COUNT(DISTINCT m.person) FROM meal m WHERE m.beds IN (1, 2) AND m.ward LIKE 'b%' GROUP BY m.ward",
            "at least 10 entities",
        ),
        (
            ada,
            "SELECT x.band, COUNT(*) FROM (SELECT CASE WHEN temp < 19 THEN 'cold' ELSE 'warm' END AS band FROM meal) x GROUP BY x.band",
            "at least 10 entities",
        ),
        (
            ada,
            "SELECT COUNT(*) FROM meal JOIN stay ON meal.person = stay.person WHERE meal.beds BETWEEN 1 AND 4",
            "at least 20 entities",
        ),
        (ada, "SELECT ward, MAX(cost) FROM site GROUP BY ward", "answered with exact figures"),
        (ada, "SELECT COUNT(*) FROM seen WHERE ward = 'tiny'", "for 1 of the 1000 of seen a day (R24)"),
        (
            ada,
            "SELECT COUNT(*) FROM seen WHERE ward <> 'tiny'",
            "refused by R04 seen.ward <> 'tiny' asks for all but",
        ),
    ] {
        let text = explained(&config, who, sql).await;
        assert!(text.contains(words), "{sql}\n{text}");
    }
    for sql in [
        "SELECT * FROM stay",
        "SELECT note FROM stay",
        "SELECT COUNT(*) FROM elsewhere",
        "DROP TABLE stay",
        "SELEC",
        "SELECT median(cost) FROM stay",
    ] {
        let problem = explain(&config, (ada.0, &[], ada.1), sql, &mut vec![]).await.unwrap_err();
        assert!(matches!(problem, Failure::Question(_)), "{problem}");
    }
}

/// Months and weekdays are parts of a date, wherever the engine puts its casts; other cuts are tests of it.
#[tokio::test]
async fn a_date_off_the_list_is_grouped_by_its_parts() {
    let (_dir, config) = configuration("");
    for (sql, words) in [
        ("SELECT night, COUNT(*) FROM seen GROUP BY night", "at least 10"),
        (
            "SELECT date_trunc('month', night), COUNT(*) FROM seen WHERE ward = 'big' GROUP BY 1",
            "at least 10",
        ),
        ("SELECT EXTRACT(month FROM night), COUNT(*) FROM seen GROUP BY 1", "at least 10"),
        (
            "SELECT date_bin(INTERVAL '37 days', night), COUNT(*) FROM seen GROUP BY 1",
            "refused by R04 seen.night",
        ),
        (
            "SELECT COUNT(*) FROM seen WHERE date_trunc('month', night) = '2026-01-01'",
            "refused by R04 seen.night",
        ),
        ("SELECT COUNT(*) FROM seen WHERE EXTRACT(year FROM night) = 2026", "refused by R04 seen.night"),
    ] {
        let text = explained(&config, ("", ""), sql).await;
        assert!(text.contains(words), "{sql}\n{text}");
    }
}

#[tokio::test]
async fn replay_tells_what_would_change() {
    let (_old_dir, old) = configuration("");
    let (dir, new) = configuration(STRICT);
    let log = dir.path().join("log.jsonl");
    let of = |sql| {
        let old = old.clone();
        async move { question::fragment(sql, &without_rows(&old).unwrap()).await.unwrap() }
    };
    let lines = [
        ("2026-05-01T10:00:00.000Z", by_ward()),
        ("2026-05-01T10:00:01.000Z", of("SELECT COUNT(*) FROM meal").await),
        ("2026-05-01T10:00:02.000Z", of("SELECT COUNT(*) FROM stay WHERE ward = 'tiny'").await),
        ("2026-05-01T10:00:03.000Z", of("SELECT MAX(cost) FROM stay").await),
    ];
    let line = |(time, fragment): &(&str, Fragment)| {
        let request = STANDARD.encode(ticket(fragment.clone()));
        serde_json::json!({ "time": time, "outcome": "released", "request": request, "other": 1 }).to_string()
    };
    let mut text: Vec<String> = lines.iter().map(line).collect();
    text.push("{\"outcome\":\"torn\"}".to_owned());
    fs::write(&log, text.join("\n")).unwrap();
    let mut out = vec![];
    replay::replay(&old, &new, Some(&log), &mut out).await.unwrap();
    let out = String::from_utf8(out).unwrap();
    assert!(
        out.contains("line 1: SELECT t.ward AS g0") && out.contains("new: answered for groups (R07)"),
        "{out}"
    );
    assert!(out.contains("line 3: ") && out.contains("new: refused by R04"), "{out}");
    assert!(
        !out.contains("line 2: ") && !out.contains("line 4: "),
        "the same answer, and refused by both: {out}"
    );
    assert!(
        out.ends_with("4 questions replayed, 2 would change; 1 lines of the log hold no question\n"),
        "{out}"
    );
}

/// Grids and bounds are told by all three commands.
#[tokio::test]
async fn grids_and_bounds_are_told() {
    let lines = "grid = \"dense\"\nbounds = { cost = [0, 500] }";
    let (dir, config) = configuration(lines);
    let mut out = vec![];
    check(&config, Utc::now().date_naive(), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    for words in ["R12: an answer has every cell", "R13: cost outside 0 to 500"] {
        assert!(text.contains(words), "{words} is not in:\n{text}");
    }
    let summed = "SELECT SUM(cost) FROM stay";
    for (sql, words) in [
        (summed, "with every cell of the grid (R12), cost between 0 and 500 (R13)"),
        ("SELECT COUNT(*) FROM stay", "with every cell of the grid (R12), for 1"),
        ("SELECT ward, COUNT(*) FROM stay GROUP BY ward", "refused by R12 stay.ward has no list of values"),
        ("SELECT SUM(cost) FROM meal", "rounded (R13) to 5, for 1"),
    ] {
        let text = explained(&config, ("", ""), sql).await;
        assert!(text.contains(words), "{sql}\n{text}");
    }
    let (_old_dir, old) = configuration("");
    let fragment = question::fragment(summed, &without_rows(&old).unwrap()).await.unwrap();
    let request = STANDARD.encode(ticket(fragment));
    let line =
        serde_json::json!({ "time": "2026-05-01T10:00:00.000Z", "outcome": "released", "request": request });
    let log = dir.path().join("log.jsonl");
    fs::write(&log, line.to_string()).unwrap();
    let mut out = vec![];
    replay::replay(&old, &config, Some(&log), &mut out).await.unwrap();
    let out = String::from_utf8(out).unwrap();
    assert!(
        out.ends_with("1 questions replayed, 1 would change; 0 lines of the log hold no question\n"),
        "{out}"
    );
}
