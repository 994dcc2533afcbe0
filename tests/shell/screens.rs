//! What each command of the shell shows, screen by screen.

use std::fs;

use harness::federation::Federation;

use super::{COUNT, expect_screen, federation, start};
use crate::shell::terminal::Terminal;

/// A shell on a screen that is large enough, without pager and colours.
fn open(federation: &Federation, home: &std::path::Path, (rows, columns): (u16, u16)) -> Terminal {
    let mut shell = start(federation, home).set("NO_COLOR", "1").open(rows, columns);
    shell.wait_prompt();
    shell.enter("\\refresh");
    shell.wait_for(" functions\n");
    shell.enter("\\pager off");
    shell.wait_for("pager         off");
    shell
}

/// Types a line on an empty screen, waits for `end`, and compares.
fn expect(shell: &mut Terminal, federation: &Federation, name: &str, line: &str, end: &str) {
    shell.clear();
    shell.enter(line);
    shell.wait_for(end);
    shell.wait_prompt();
    expect_screen(name, shell, federation);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalogue_has_its_screens() {
    let (dir, federation) = federation().await;
    let mut shell = open(&federation, &dir.path().join("home"), (90, 140));
    expect(&mut shell, &federation, "help", "\\help", "\\q                     end");
    expect(&mut shell, &federation, "datasets", "\\d", " rows ·");
    expect(&mut shell, &federation, "columns", "\\d property", " rows ·");
    expect(&mut shell, &federation, "functions", "\\df", "says it of a statement");
    expect(&mut shell, &federation, "policy", "\\policy property", "lambeth    protected");
    shell.clear();
    shell.enter("\\d no_such_table");
    shell.wait_for("there is no dataset \"no_such_table\": \\d lists those there are");
    shell.enter("\\policy no_such_table");
    shell.wait_for("jigsaw: ");
    shell.enter("\\nonsense");
    shell.wait_for("there is no command \"\\\\nonsense\": \\help lists those there are");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_shown_for_the_statement_given_or_the_last_one() {
    let (dir, federation) = federation().await;
    let mut shell = open(&federation, &dir.path().join("home"), (60, 120));
    let before = federation.audit("camden").len();
    shell.clear();
    shell.enter("\\explain");
    shell.wait_for("nothing was asked yet: write the statement behind the command");
    expect(&mut shell, &federation, "explain", &format!("\\explain {COUNT};"), " rows ·");
    assert_eq!(federation.audit("camden").len(), before, "a plan asks nobody");
    let given = fs::read_to_string(super::golden("explain")).unwrap();
    shell.enter(&format!("{COUNT};"));
    shell.wait_for("6 of 6 nodes answered");
    shell.clear();
    shell.enter("\\explain");
    shell.wait_for(" rows ·");
    shell.wait_prompt();
    let last = super::settled(&shell.screen(), &federation);
    let plan = |screen: &str| {
        let lines = screen.lines().filter(|line| line.starts_with(['│', '┌', '╞', '└'])).map(str::to_owned);
        lines.collect::<Vec<_>>()
    };
    assert!(plan(&last).len() > 4, "{last}");
    assert_eq!(plan(&last), plan(&given));
    shell.enter("\\explain SELECT uprn FROM property;");
    shell.wait_for("jigsaw: ");
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_drawn_of_the_last_answer() {
    let (dir, federation) = federation().await;
    let home = dir.path().join("home");
    let mut shell = open(&federation, &home, (40, 100));
    shell.enter(&format!("{COUNT};"));
    shell.wait_for("6 of 6 nodes answered");
    expect(&mut shell, &federation, "line", "\\chart line", "lambeth\n");
    expect(&mut shell, &federation, "bar", "\\chart bar", "lambeth   │");
    for (line, sentence) in [
        ("\\chart pie", "\\chart takes bar, line or map, and perhaps a file: \\chart map london.svg"),
        ("\\chart line x.jpeg", "a chart goes to the screen, or to a file that ends in .svg or .png"),
        ("\\chart", "\\chart needs bar|line|map [FILE]"),
    ] {
        shell.enter(line);
        shell.wait_for(sentence);
    }
    let file = home.join("homes.svg");
    shell.enter(&format!("\\chart line {}", file.display()));
    shell.enter("\\timing");
    shell.wait_for("timing        on");
    let svg = fs::read_to_string(file).unwrap();
    assert!(svg.contains(">barnet</text>") && svg.contains("<polyline"), "{svg:.300}");
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_and_files_have_their_screens() {
    let (dir, federation) = federation().await;
    let home = dir.path().join("home");
    let mut shell = open(&federation, &home, (40, 100));
    let script =
        "-- two statements and a command\nSELECT 1 AS one;\n\\timing off\nSELECT 'two;\nlines' AS text;\n";
    fs::write(home.join("script.sql"), script).unwrap();
    fs::write(home.join("wrong.sql"), "SELECT 1 AS one;\nSELEC 2;\nSELECT 3 AS three;\n").unwrap();
    fs::write(home.join("endless.sql"), "\\i endless.sql\n").unwrap();
    expect(&mut shell, &federation, "script", "\\i script.sql", "│ lines │");
    shell.clear();
    shell.enter("\\i wrong.sql");
    shell.wait_for("jigsaw: ");
    shell.wait_prompt();
    assert!(!shell.screen().contains("three"), "a script stops at the first failure: {}", shell.screen());
    shell.enter("\\i endless.sql");
    shell.wait_for("a file that includes itself never ends");
    shell.enter("\\i no-such-file.sql");
    shell.wait_for("cannot read no-such-file.sql: ");
    shell.enter("\\i");
    shell.wait_for("\\i needs FILE: \\i FILE");

    // The next answer goes to the file, and what is said of it to the screen; the one after it is shown.
    shell.clear();
    shell.enter("\\o answer.txt");
    shell.wait_for("output        answer.txt (the next answer)");
    shell.enter("SELECT 7 AS seven;");
    shell.wait_for("1 row · ");
    shell.enter("\\o");
    shell.wait_for("output        the screen");
    shell.enter("SELECT 8 AS eight;");
    shell.wait_for("│     8 │");
    shell.wait_for("1 row · ");
    shell.wait_prompt();
    expect_screen("output", &shell, &federation);
    let answer = fs::read_to_string(home.join("answer.txt")).unwrap();
    assert!(answer.contains("│     7 │") && !answer.contains("eight"), "{answer}");
    // What fails leaves the file as it was.
    shell.enter("\\o answer.txt");
    shell.enter("SELECT nonsense;");
    shell.wait_for("jigsaw: ");
    assert_eq!(fs::read_to_string(home.join("answer.txt")).unwrap(), answer);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_statement_is_asked_again_until_it_is_interrupted() {
    let (dir, federation) = federation().await;
    let mut shell = open(&federation, &dir.path().join("home"), (40, 100));
    shell.clear();
    shell.enter("\\watch");
    shell.wait_for("nothing was asked yet: write the statement behind the command");
    shell.enter("\\watch 0");
    shell.wait_for("\\watch takes seconds, from 1 to 86400: \\watch 10");
    shell.enter(&format!("{COUNT};"));
    shell.wait_for("6 of 6 nodes answered");
    shell.clear();
    shell.enter("\\watch 3600");
    shell.wait_for("6 rows · ");
    shell.keys("\x03");
    shell.wait_prompt();
    expect_screen("watch", &shell, &federation);
    shell.clear();
    let before = federation.audit("camden").len();
    shell.enter("\\watch 1");
    let answers = |shell: &Terminal| shell.screen().matches("6 rows · ").count();
    let patience = std::time::Instant::now();
    while answers(&shell) < 2 {
        assert!(patience.elapsed().as_secs() < 60, "it is not asked again: {}", shell.screen());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    shell.keys("\x03");
    shell.wait_prompt();
    assert!(federation.audit("camden").len() >= before + 2, "the node heard of it once");
    shell.enter("SELECT 'still here' AS words;");
    shell.wait_for("│ still here │");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purpose_is_shown_set_and_taken_back() {
    let (dir, federation) = federation().await;
    let mut shell = open(&federation, &dir.path().join("home"), (40, 100));
    shell.clear();
    shell.enter("\\purpose");
    shell.wait_for("purpose       none\n");
    shell.enter("\\purpose winter planning");
    shell.wait_for("purpose       winter planning\n");
    shell.enter("\\purpose planen für den Winter");
    shell.wait_for("one line of ASCII text");
    shell.enter("\\purpose");
    shell.enter("\\set");
    shell.wait_for("vertical      off");
    shell.wait_prompt();
    expect_screen("purpose", &shell, &federation);
    shell.enter(&format!("{COUNT};"));
    shell.wait_for("6 of 6 nodes answered");
    let purposes = |purpose: &str| federation.audit("camden").iter().any(|line| line["purpose"] == purpose);
    assert!(purposes("winter planning"), "{:?}", federation.audit("camden"));
    shell.clear();
    shell.enter("\\unset purpose");
    shell.wait_for("purpose       none\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn tab_completes_what_can_stand_there() {
    let (dir, federation) = federation().await;
    let mut shell = open(&federation, &dir.path().join("home"), (40, 100));
    for (typed, completed) in [
        ("\\pol\t prop\t", "jigsaw> \\policy property"),
        ("\\d rough\t", "jigsaw> \\d rough_sleeping_contact"),
        ("\\format ndj\t", "jigsaw> \\format ndjson"),
        ("select wall_t\t fro\t prop\t", "jigsaw> select wall_type from property"),
        ("SELECT character_l\t", "jigsaw> SELECT character_length"),
        ("SELECT stddev_p\t", "jigsaw> SELECT stddev_pop"),
        ("DESCRIBE ref_nei\t", "jigsaw> DESCRIBE ref_neighbour"),
    ] {
        shell.clear();
        shell.keys(typed);
        shell.wait_for(completed);
        shell.interrupt();
    }
    // What is open is listed.
    shell.clear();
    shell.keys("\\d ref_\t\t");
    shell.wait_for("ref_school");
    let screen = shell.screen();
    assert!(["ref_borough", "ref_neighbour"].iter().all(|name| screen.contains(name)), "{screen}");
    shell.interrupt();
}

/// A statement with an aggregate or a window of that name, over open rows.
fn used(name: &str) -> String {
    let grouped = |figure: &str| format!("SELECT measure, {figure} AS x FROM env_reading GROUP BY measure");
    match name {
        "bool_and" | "bool_or" => grouped(&format!("{name}(value > 1)")),
        "corr" | "covar_pop" | "covar_samp" => grouped(&format!("{name}(value, value)")),
        "grouping" => {
            "SELECT measure, GROUPING(measure) AS x FROM env_reading GROUP BY ROLLUP (measure)".to_owned()
        }
        "mould_index" => {
            "SELECT node, mould_index(temp_c, rh_pct, ts) AS x FROM sensor_reading GROUP BY node".to_owned()
        }
        "percentile_cont" | "percentile_disc" => {
            grouped(&format!("{name}(0.5) WITHIN GROUP (ORDER BY value)"))
        }
        "cume_dist" | "dense_rank" | "percent_rank" | "rank" | "row_number" => {
            grouped(&format!("{name}() OVER (ORDER BY COUNT(*))"))
        }
        "ntile" => grouped("ntile(2) OVER (ORDER BY COUNT(*))"),
        "nth_value" => grouped("nth_value(COUNT(*), 1) OVER (ORDER BY measure)"),
        "first_value" | "lag" | "last_value" | "lead" => {
            grouped(&format!("{name}(COUNT(*)) OVER (ORDER BY measure)"))
        }
        name if name.starts_with("regr_") => grouped(&format!("{name}(value, value)")),
        name => grouped(&format!("{name}(value)")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn aggregates_that_are_listed_are_those_that_are_answered() {
    let (dir, federation) = federation().await;
    let mut shell = open(&federation, &dir.path().join("home"), (40, 140));
    shell.clear();
    shell.enter("\\df");
    shell.wait_for("says it of a statement");
    let screen = shell.screen();
    let listed = screen.split("aggregates and windows:").nth(1).unwrap().split("Where each").next().unwrap();
    let listed: Vec<&str> = listed.split_whitespace().collect();
    for name in &listed {
        let sql = format!("EXPLAIN {}", used(name));
        federation.sql(&sql).await.unwrap_or_else(|problem| panic!("{sql}: {problem}"));
    }
    // What the coordinator's handbook says that it answers is listed.
    for name in [
        "avg",
        "bool_or",
        "corr",
        "covar_samp",
        "grouping",
        "median",
        "mould_index",
        "percentile_disc",
        "regr_slope",
        "stddev",
    ] {
        assert!(listed.contains(&name), "{name} is not listed: {listed:?}");
    }
}
