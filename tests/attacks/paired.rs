//! Paired databases: rows `D`, and `D` with one person more. Everything that can be seen at the node's border is the same, unless a
//! rule allows the change:
//!
//! * a released cell may change only if its exact value does, by at most one rounding base more than that does;
//! * which rows and cells there are may change only where a group comes to the threshold, which no group here does;
//! * everything else – codes, sentences, caveats, the number, order and size of messages, manifests – may not change at all.
//!
//! The exact values are those of the same two databases under an open policy.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use harness::data::{DatasetFiles, Format, NodeData};
use harness::exchange::exchanges;
use harness::federation::{Federation, Policy};
use tempfile::TempDir;

use super::population::{self, Person, Population};
use super::target::{Rows, near, rows};

const DATASET: &str = "people";

/// What is asked: answers of every shape, refusals, mistakes.
const QUESTIONS: [&str; 46] = [
    "SELECT COUNT(*) FROM people",
    "SELECT COUNT(*), COUNT(DISTINCT person_key), SUM(income), AVG(income) FROM people",
    "SELECT ward, COUNT(*) FROM people GROUP BY ward ORDER BY ward",
    "SELECT ward, SUM(income) FROM people GROUP BY ward ORDER BY ward",
    "SELECT sex, COUNT(*), AVG(score) FROM people GROUP BY sex ORDER BY sex",
    "SELECT age, COUNT(*) FROM people GROUP BY age ORDER BY age",
    "SELECT condition, COUNT(*) FROM people GROUP BY condition ORDER BY condition",
    "SELECT ward, sex, COUNT(*) FROM people GROUP BY ward, sex ORDER BY ward, sex",
    "SELECT ward, VAR_POP(income) FROM people GROUP BY ward ORDER BY ward",
    "SELECT STDDEV(score) FROM people",
    "SELECT COUNT(*) FROM people WHERE age = 33",
    "SELECT COUNT(*) FROM people WHERE age = 33 AND ward = 'w1'",
    "SELECT SUM(income) FROM people WHERE age = 33 AND sex = 'f'",
    "SELECT COUNT(*) FROM people WHERE age = 98",
    "SELECT COUNT(*) FROM people WHERE ward = 'w2'",
    "SELECT SUM(score) FROM people WHERE ward = 'w2' AND sex = 'm'",
    "SELECT ward, COUNT(*) FROM people WHERE age < 20 GROUP BY ward ORDER BY ward",
    "SELECT COUNT(*) FILTER (WHERE age = 33) FROM people",
    "SELECT ward, COUNT(*) FILTER (WHERE age = 33) FROM people GROUP BY ward ORDER BY ward",
    "SELECT ward, SUM(income) FILTER (WHERE condition = 'epilepsy') FROM people GROUP BY ward ORDER BY ward",
    "SELECT SUM(CASE WHEN ward = 'w1' THEN income END) FROM people",
    "SELECT COUNT(*) FROM people WHERE CAST(condition AS BIGINT) > 0",
    "SELECT COUNT(*) FROM people WHERE 1 / (age - 33) > 0 AND age BETWEEN 33 AND 34",
    "SELECT COUNT(*) FROM people WHERE 100 % (age - 33) = 0",
    "SELECT COUNT(*) FROM people WHERE sqrt(CAST(33 - age AS DOUBLE)) >= 0 AND age > 60",
    "SELECT age / 10, COUNT(*) FROM people GROUP BY 1 ORDER BY 1",
    "SELECT COUNT(*) FROM (SELECT age FROM people GROUP BY age) AS g",
    "SELECT ward, COUNT(*) FROM people GROUP BY ward HAVING COUNT(*) > 1000",
    "SELECT ward, COUNT(*) AS c FROM people GROUP BY ward ORDER BY c DESC, ward LIMIT 1",
    "SELECT ward, RANK() OVER (ORDER BY ward) FROM people GROUP BY ward ORDER BY 1",
    "SELECT node, COUNT(*) FROM people GROUP BY node",
    "SELECT ward, COUNT(*) FROM (SELECT ward FROM people UNION ALL SELECT ward FROM people) AS u GROUP BY ward ORDER BY ward",
    "EXPLAIN SELECT COUNT(*), SUM(income) FROM people WHERE age = 33",
    "SELECT MIN(income) FROM people",
    "SELECT MAX(income) FROM people WHERE age = 33",
    "SELECT * FROM people",
    "SELECT income FROM people WHERE age = 33",
    "SELECT SUM(income) FROM people WHERE person_key = 'aaaaaaaaaaaaaaaa'",
    "SELECT COUNT(*) FROM people WHERE income > 43210",
    "SELECT person_key, COUNT(*) FROM people GROUP BY person_key",
    "SELECT SUM(age) FROM people",
    "SELECT MEDIAN(income) FROM people",
    "SELECT COUNT(*) FROM people WHERE random() < 0.5",
    "SELECT nothing FROM people",
    "SELECT COUNT(*) FROM nowhere",
    "SELECT COUNT(* FROM people",
];

/// A node with these people under that policy, or an open one; its files as old as any other's.
pub(super) async fn node(people: &[Person], policy: Option<&str>) -> (TempDir, Federation) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("north/data/people.csv");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, population::csv(people)).unwrap();
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    File::options().write(true).open(&file).unwrap().set_modified(old).unwrap();
    let files = DatasetFiles {
        dataset: DATASET,
        contract: format!("{DATASET}.toml"),
        source: "data/people.csv".to_owned(),
        format: Format::Csv { delimiter: ',', null_values: vec![] },
        select: None,
    };
    let node = NodeData { id: "north".to_owned(), title: "The north".to_owned(), datasets: vec![files] };
    let builder = Federation::builder(dir.path(), vec![node]).tap_all();
    let builder = match policy {
        Some(lines) => builder.policy(Policy::Contract).policy_text(lines),
        None => builder.policy(Policy::Open),
    };
    let federation = builder.contracts(population::contracts(&[DATASET])).start().await.unwrap();
    (dir, federation)
}

/// What an analyst is told: rows and caveats, or the whole refusal.
pub(super) async fn told(federation: &Federation, sql: &str) -> Result<(Rows, Vec<String>), String> {
    let answer = federation.sql(sql).await.map_err(|problem| problem.to_string())?;
    let caveats = answer.caveats().into_iter().map(str::to_owned).collect();
    Ok((rows(&answer.batches), caveats))
}

/// What left the node: for every fragment, the sizes of the messages in their order, and the manifest but for the question's id.
pub(super) async fn left(federation: &Federation) -> BTreeMap<String, Vec<String>> {
    let mut left: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for recording in federation.tap("north").recordings() {
        for exchange in exchanges(&recording) {
            let Some(request) = exchange.request() else { continue };
            let sizes: Vec<usize> = exchange.answered.iter().map(Vec::len).collect();
            let manifest = exchange.released().await.unwrap().map(|released| released.manifest);
            let manifest = manifest.map(|manifest| {
                let words = format!("{manifest:?}");
                words.replace(&format!("{:?}", manifest.query), "")
            });
            left.entry(request.fragment.to_string()).or_default().push(format!("{sizes:?} {manifest:?}"));
        }
    }
    left
}

/// The one more: nobody special.
pub(super) fn one_more(like: &Person) -> Person {
    Person {
        key: "fedcba9876543210".to_owned(),
        ward: Some("w1"),
        zone: "z1",
        sex: "f",
        age: 33,
        condition: "asthma",
        income: 43_211,
        name: like.name.clone(),
        ..like.clone()
    }
}

/// Whether a released cell may go from one value to another where the exact ones are these: as far as the exact one goes, and a
/// rounding base further. A mean or variance is divided by a rounded count: of forty people, a base is an eighth of it.
///
/// A count of rows in a table (`adds_up`) may change where its exact one does not: counts of one table are rounded up or down so that they add up to
/// their total, and the total has changed. Both are then within a base of what is exact, whichever way they were rounded.
fn may_change(
    released: (&Option<String>, &Option<String>),
    exact: (&Option<String>, &Option<String>),
    adds_up: bool,
) -> bool {
    let numbers = |(less, more): (&Option<String>, &Option<String>)| -> Option<(f64, f64)> {
        Some((less.as_deref()?.parse().ok()?, more.as_deref()?.parse().ok()?))
    };
    if released.0 == released.1 {
        return true;
    }
    match (numbers(released), numbers(exact)) {
        (Some((less, more)), Some((was, is))) => {
            let whole = was.fract() == 0.0 && is.fract() == 0.0;
            if adds_up && whole && (less - was).abs() < 5.0 && (more - is).abs() < 5.0 {
                return true;
            }
            let base = if whole { 5.0 } else { f64::max(5.0, more.abs() / 8.0) };
            !near(was, is, 1e-9) && (more - less).abs() <= (is - was).abs() + base
        }
        _ => false,
    }
}

/// The first cell that changed against the rules.
fn against_the_rules(sql: &str, cells: [&Rows; 4]) -> Option<String> {
    let [less, more, exactly_less, exactly_more] = cells;
    let items: Vec<&str> = sql.trim_start_matches("SELECT ").split(", ").collect();
    let keys = items.iter().take_while(|item| !item.contains('(')).count();
    let adds_up = |item: &str| keys > 0 && item.starts_with("COUNT(") && !item.contains("DISTINCT");
    if less.len() != more.len() {
        return Some(format!("{sql}: {} rows, then {}", less.len(), more.len()));
    }
    for (less, more) in less.iter().zip(more) {
        if less.iter().map(Option::is_some).ne(more.iter().map(Option::is_some)) {
            return Some(format!("{sql}: {less:?}, then {more:?}"));
        }
        if less == more {
            continue;
        }
        let exact =
            |rows: &Rows| rows.iter().find(|row| row[..keys] == less[..keys]).cloned().unwrap_or_default();
        let exact = [exact(exactly_less), exact(exactly_more)];
        let cells = less.iter().zip(more).zip(exact[0].iter().zip(&exact[1]));
        assert!(less.len() <= items.len(), "{sql} answers more columns than it names");
        for ((cells, exact), item) in cells.zip(&items) {
            if !may_change(cells, exact, adds_up(item)) {
                return Some(format!("{sql}: {cells:?} where {exact:?} is exact, in {less:?}"));
            }
        }
    }
    None
}

fn databases() -> (Vec<Person>, Vec<Person>) {
    let less = Population::new(11).rows[0].clone();
    let mut more = less.clone();
    more.push(one_more(&less[0]));
    (less, more)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_more_changes_nothing_that_no_rule_allows() {
    one_person_more(super::POLICY, (18, 18)).await;
}

/// Whatever is asked: what the cube refuses is answered here.
#[tokio::test(flavor = "multi_thread")]
async fn one_person_more_changes_nothing_under_any_conditions() {
    one_person_more(super::ANY, (26, 11)).await;
}

/// Compares everything that two nodes tell under a policy; so many questions at least are answered, and refused.
async fn one_person_more(policy: &str, least: (usize, usize)) {
    let (less, more) = databases();
    let protected = [node(&less, Some(policy)).await, node(&more, Some(policy)).await];
    let exact = [node(&less, None).await, node(&more, None).await];
    let mut problems = Vec::new();
    let (mut answered, mut refused) = (0, 0);
    for sql in QUESTIONS {
        match (told(&protected[0].1, sql).await, told(&protected[1].1, sql).await) {
            (Ok((less, caveats)), Ok((more, more_caveats))) => {
                answered += 1;
                let [exactly_less, exactly_more] = [
                    told(&exact[0].1, sql).await.unwrap_or_default().0,
                    told(&exact[1].1, sql).await.unwrap_or_default().0,
                ];
                problems.extend(against_the_rules(sql, [&less, &more, &exactly_less, &exactly_more]));
                if caveats != more_caveats {
                    problems.push(format!("{sql}: {caveats:?}, then {more_caveats:?}"));
                }
            }
            (Err(less), Err(more)) if less == more => refused += 1,
            (less, more) => problems.push(format!("{sql}: {less:?}, then {more:?}")),
        }
    }
    let (before, after) = (left(&protected[0].1).await, left(&protected[1].1).await);
    for (fragment, messages) in &before {
        if after.get(fragment) != Some(messages) {
            problems.push(format!("{fragment}: {messages:?} left, then {:?}", after.get(fragment)));
        }
    }
    assert_eq!(before.len(), after.len(), "another number of fragments was answered");
    assert!(before.len() >= least.0, "only {} fragments were answered", before.len());
    assert!(answered >= least.0 && refused >= least.1, "{answered} answered, {refused} refused");
    assert!(problems.is_empty(), "{} changes that no rule allows\n{}", problems.len(), problems.join("\n"));
}

/// The change that a threshold makes: the tenth person of a group brings a row. A dense grid does not show even that ([`super::grid`]).
#[tokio::test(flavor = "multi_thread")]
async fn the_tenth_person_of_a_group_brings_one_row_and_nothing_else() {
    let (mut less, _) = databases();
    for (place, person) in less.iter_mut().enumerate() {
        if person.ward == Some("w4") {
            (person.ward, person.zone) = (Some("w2"), "z2");
        }
        if place < 9 {
            (person.ward, person.zone) = (Some("w4"), "z4");
        }
    }
    let mut more = less.clone();
    more.push(Person { ward: Some("w4"), zone: "z4", ..one_more(&less[0]) });
    let pair = [node(&less, Some(super::POLICY)).await, node(&more, Some(super::POLICY)).await];
    let sql = "SELECT ward, COUNT(*) FROM people GROUP BY ward ORDER BY ward";
    let (less, _) = told(&pair[0].1, sql).await.unwrap();
    let (more, _) = told(&pair[1].1, sql).await.unwrap();
    let (new, old): (Rows, Rows) = more.into_iter().partition(|row| row[0].as_deref() == Some("w4"));
    assert_eq!(less, old, "other groups changed");
    assert_eq!(new, [[Some("w4".to_owned()), Some("10".to_owned())]]);
}

/// The comparison can find: exact answers differ.
#[tokio::test(flavor = "multi_thread")]
async fn one_person_more_is_seen_where_nothing_protects() {
    let (less, more) = databases();
    let pair = [node(&less, None).await, node(&more, None).await];
    let mut changed = 0;
    for sql in QUESTIONS {
        changed += usize::from(told(&pair[0].1, sql).await != told(&pair[1].1, sql).await);
    }
    assert!(changed > 15, "only {changed} answers changed");
    assert!(Path::new(pair[0].0.path()).exists());
}
