//! What is typed, cut up; what completes; what has which colour.

use std::time::Duration;

use super::commands::{Command, parse};
use super::complete::complete;
use super::highlight::highlight;
use super::names::Names;
use super::options::Setting;
use super::script::{Item, cut, is_complete};

fn names() -> Names {
    let columns = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    Names {
        datasets: [
            ("property".to_owned(), columns(&["node", "wall_type", "epc_band"])),
            ("sensor_reading".to_owned(), columns(&["node", "wind", "read_at"])),
            ("system.nodes".to_owned(), columns(&["node", "status"])),
        ]
        .into(),
        functions: columns(&["date_trunc", "upper"]),
    }
}

/// What a text with a cursor, `^`, becomes with each candidate.
fn completed(text: &str) -> Vec<String> {
    let cursor = text.find('^').unwrap();
    let line = text.replace('^', "");
    let (start, found) = complete(&line, cursor, &names());
    let (before, after) = (line.get(..start).unwrap(), line.get(cursor..).unwrap());
    let end = |written: &str| format!("{before}{written}{after}");
    found.iter().map(|candidate| end(&candidate.written)).collect()
}

#[test]
fn statements_end_with_semicolons_and_commands_with_their_line() {
    let text =
        "\\d property\nSELECT 1;\nSELECT\n  ';'\n; \\watch 5\n-- end\n\\explain SELECT 2\nFROM t; SELECT 3";
    let statement = |sql: &str, ended| Item::Statement { sql: sql.to_owned(), ended };
    let command = |line: &str| Item::Command { line: line.to_owned(), ended: true };
    assert_eq!(
        cut(text),
        [
            command("\\d property"),
            statement("SELECT 1", true),
            statement("SELECT\n  ';'", true),
            command("\\watch 5"),
            // A comment belongs to what follows it.
            statement("-- end\n\\explain SELECT 2\nFROM t", true),
            statement("SELECT 3", false),
        ]
    );
    for complete in
        ["", "  ", "SELECT 1;", "\\d", "\\d x", "\\explain", "\\explain SELECT 1;", "-- x", "SELECT 1; \\q"]
    {
        assert!(is_complete(complete), "{complete}");
    }
    for more in ["SELECT 1", "SELECT ';", "\\explain SELECT 1", "\\dryrun SELECT\n1", "SELECT 1; SELECT 2"] {
        assert!(!is_complete(more), "{more}");
    }
}

#[test]
fn commands_say_what_they_need() {
    let set = |name: &str, value: Option<&str>| {
        Command::Set(Setting::Set(name.to_owned(), value.map(str::to_owned)))
    };
    for (line, command) in [
        ("\\d", Command::Datasets),
        ("\\d property;", Command::Describe("property".to_owned())),
        ("\\watch", Command::Watch(Duration::from_secs(10))),
        ("\\watch 2", Command::Watch(Duration::from_secs(2))),
        ("\\explain SELECT 1;", Command::Explain(Some("SELECT 1".to_owned()))),
        ("\\purpose winter planning", set("purpose", Some("winter planning"))),
        ("\\purpose", set("purpose", None)),
        ("\\timing", set("timing", Some("toggle"))),
        ("\\o out.csv", set("output", Some("out.csv"))),
        ("\\set timeout 5", set("timeout", Some("5"))),
        ("\\set", Command::Set(Setting::ShowAll)),
        ("\\q", Command::Quit),
    ] {
        assert_eq!(parse(line).unwrap(), command, "{line}");
    }
    for (line, sentence) in [
        ("\\policy", "\\policy needs DATASET: \\policy DATASET"),
        ("\\nonsense", "there is no command \"\\\\nonsense\": \\help lists those there are"),
        ("\\watch never", "\\watch takes seconds, from 1 to 86400: \\watch 10"),
        ("\\chart pie", "\\chart takes bar, line or map, and perhaps a file: \\chart map london.svg"),
    ] {
        assert_eq!(parse(line).unwrap_err().to_string(), sentence);
    }
}

#[test]
fn help_has_every_command_and_every_command_is_known() {
    for word in super::commands::WORDS.iter().filter(|word| **word != "\\?" && **word != "\\help") {
        assert!(super::commands::HELP.contains(&format!("  {word} ")), "{word} is not in the help");
    }
    for line in super::commands::HELP.lines().filter_map(|line| line.trim().strip_prefix('\\')) {
        let word = format!("\\{}", line.split_whitespace().next().unwrap());
        assert!(super::commands::WORDS.contains(&word.as_str()), "{word} does not complete");
        assert!(super::commands::HELP.lines().all(|line| line.chars().count() <= 110));
    }
}

#[test]
fn names_complete_where_they_can_stand() {
    assert_eq!(completed("SELECT COUNT(*) FROM pro^;"), ["SELECT COUNT(*) FROM property;"]);
    assert_eq!(
        completed("SELECT w^ FROM property"),
        [
            "SELECT wall_type FROM property",
            "SELECT when FROM property",
            "SELECT where FROM property",
            "SELECT window FROM property",
            "SELECT with FROM property",
            "SELECT within FROM property"
        ]
    );
    assert_eq!(completed("SELECT wi^")[0], "SELECT wind");
    assert_eq!(completed("SEL^"), ["SELECT"]);
    assert_eq!(completed("sel^"), ["select"]);
    assert_eq!(completed("SELECT date_t^"), ["SELECT date_trunc("]);
    assert_eq!(completed("SELECT COUN^"), ["SELECT COUNT("]);
    assert_eq!(completed("SELECT p.ep^ FROM property AS p"), ["SELECT p.epc_band FROM property AS p"]);
    assert_eq!(completed("SELECT p.ep^ FROM property p"), ["SELECT p.epc_band FROM property p"]);
    assert_eq!(completed("SELECT property.w^"), ["SELECT property.wall_type"]);
    assert_eq!(completed("SELECT 1 FROM system.^"), ["SELECT 1 FROM system.nodes"]);
    assert_eq!(completed("\\pol^"), ["\\policy"]);
    assert_eq!(completed("\\policy sens^"), ["\\policy sensor_reading"]);
    assert_eq!(completed("\\d sys^"), [""; 0]);
    assert_eq!(completed("\\format nd^"), ["\\format ndjson"]);
    assert_eq!(completed("\\explain SELECT wall^"), ["\\explain SELECT wall_type"]);
    assert_eq!(completed("^"), [""; 0]);
    assert_eq!(completed("SELECT 'é' || upp^"), ["SELECT 'é' || upper("]);
}

#[test]
fn colours_change_nothing_but_colours() {
    for line in
        ["SELECT 'it''s; é', 12.5 -- note", "\\d property", "select \"FROM\" /* x", "'open", "a-b/c", ""]
    {
        let coloured = highlight(line);
        let mut plain = String::new();
        let mut escape = false;
        for c in coloured.chars() {
            match (escape, c) {
                (false, '\u{1b}') => escape = true,
                (true, 'm') => escape = false,
                (true, _) => {}
                (false, c) => plain.push(c),
            }
        }
        assert_eq!(plain, line);
    }
    assert_eq!(highlight("SELECT 'a'"), "\u{1b}[1;34mSELECT\u{1b}[0m \u{1b}[32m'a'\u{1b}[0m");
    assert_eq!(highlight("selected"), "selected");
}
