//! A policy is what its text says, or an error that names the line.

use super::*;

/// A contract that protects ten people and rounds to fives, but for what is replaced.
fn contract(release: &str) -> Contract {
    let text = r#"
name = "stay"
version = 1
description = "nights"
RELEASE
[[column]]
name = "person"
type = "text"
role = "entity"
description = "who"
[[column]]
name = "ward"
type = "text"
role = "dimension"
description = "where"
"#;
    Contract::parse(&text.replace("RELEASE", release)).unwrap()
}

fn floor(threshold: u32, rounding: u32) -> Contract {
    contract(&format!("release = \"protected\"\nthreshold = {threshold}\nrounding = {rounding}"))
}

fn policy(text: &str, contract: &Contract) -> Result<Policy, Problem> {
    Policy::parse(text, contract)
}

#[test]
fn a_policy_may_only_be_stricter() {
    let floor = floor(10, 5);
    for (numbers, threshold, rounding) in [
        ("threshold = 10\nrounding = 5", 10, 5),
        ("threshold = 20\nrounding = 10", 20, 10),
        ("threshold = 12", 12, 5),
        ("rounding = 7", 10, 7),
        ("", 10, 5),
    ] {
        let policy = policy(&format!("release = \"protected\"\n{numbers}"), &floor).unwrap();
        assert_eq!((policy.threshold(), policy.rounding()), (threshold, rounding), "{numbers}");
    }
    for (text, line, words) in [
        ("release = \"protected\"\nthreshold = 9\nrounding = 5", 2, "threshold = 9 is looser"),
        ("release = \"protected\"\n\nrounding = 1", 3, "rounding = 1 is looser"),
        ("release = \"protected\"\nthreshold = 1", 2, "threshold = 1 protects nobody"),
        ("release = \"protected\"\nrounding = 0", 2, "rounding = 0 protects nobody"),
        ("\nrelease = \"open\"", 2, "release = \"open\" is looser"),
    ] {
        let problem = policy(text, &floor).unwrap_err();
        assert_eq!(problem.line(text), Some(line), "{problem}");
        assert!(problem.to_string().contains(words), "{problem}");
    }
}

/// Where the policy is silent, the defaults hold, unless the contract asks for more.
#[test]
fn silence_is_never_looser_than_the_floor() {
    let silent = "release = \"protected\"";
    for (contract, threshold, rounding) in
        [(floor(3, 1), 10, 5), (floor(30, 10), 30, 10), (contract("release = \"open\""), 10, 5)]
    {
        let policy = policy(silent, &contract).unwrap();
        assert_eq!((policy.threshold(), policy.rounding()), (threshold, rounding));
    }
}

#[test]
fn an_open_policy_has_no_numbers() {
    let public = contract("release = \"open\"");
    assert!(policy("release = \"open\"", &public).is_ok());
    assert!(policy("release = \"open\"\nthreshold = 10", &public).is_err());
}

/// Whoever can read the public hash cannot guess at grants with it.
#[test]
fn the_public_hash_tells_no_grant() {
    let text = |who: &str| {
        format!(
            "release = \"protected\"\n[[grant]]\nprincipal = \"{who}\"\nagreement = \"A\"\nuntil = 2030-01-01"
        )
    };
    let hash = |text: &str| policy(text, &floor(10, 5)).unwrap().hash();
    assert_eq!(hash(&text("ada")), hash(&text("bob")));
    assert_ne!(hash("release = \"protected\""), hash("release = \"protected\"\nthreshold = 11"));
}

/// A line that says nothing, or opens what the contract does not, is an error in its place.
#[test]
fn filter_lines_are_checked_against_the_contract() {
    let text = "release = \"protected\"\nthreshold = 10\nrounding = 5";
    let measures = "[[column]]\nname = \"age\"\ntype = \"int64\"\nrole = \"measure\"\nfilterable = true\ndescription = \"years\"\n\
        [[column]]\nname = \"cost\"\ntype = \"int64\"\nrole = \"measure\"\ndescription = \"pounds\"\n\
        [[column]]\nname = \"note\"\ntype = \"text\"\nrole = \"hidden\"\ndescription = \"\"\n";
    let contract = contract(&format!("{text}\n{measures}"));
    let good = "compare_literals = [\"age\", \"ward\"]\ncompare_columns = [[\"ward\", \"site.ward\"]]\nmax_in_list = 3\n\
        budget = { cells_per_day = 9 }\nbins = { age = [0, 18, 25.5] }";
    let parsed = policy(&format!("release = \"protected\"\n{good}"), &contract).unwrap();
    assert_eq!(parsed.filters().edges("age"), Some(&[0.0, 18.0, 25.5][..]));
    assert_ne!(parsed.hash(), policy("release = \"protected\"", &contract).unwrap().hash());
    for (line, words) in [
        ("compare_literals = [\"wart\"]", "wart is no column"),
        ("compare_literals = [\"cost\"]", "may only be stricter"),
        ("compare_literals = [\"person\"]", "person is an entity"),
        ("compare_literals = [\"note\"]", "hidden"),
        ("compare_columns = [[\"a.ward\", \"b.ward\"]]", "at least one column of this dataset"),
        ("compare_columns = [[\"ward\", \"cost\"]]", "may only be stricter"),
        ("compare_columns = [[\"ward\"]]", "length 1"),
        ("max_in_list = 0", "no test at all"),
        ("bins = { cost = [0, 1] }", "may only be stricter"),
        ("bins = { ward = [0, 1] }", "only those are binned"),
        ("bins = { age = [] }", "numbers that rise"),
        ("bins = { age = [0, 18, 18] }", "numbers that rise"),
        ("bins = { age = [0, nan] }", "numbers that rise"),
        ("bins = { age = [0, inf] }", "numbers that rise"),
        ("budget = { cells_per_day = 0 }", "answers nothing"),
        ("budget = { cells = 5 }", "unknown field"),
        ("budget = { cells_per_day = -1 }", "invalid value"),
    ] {
        let text = format!("release = \"protected\"\n\n{line}\n");
        let problem = policy(&text, &contract).unwrap_err();
        assert!(problem.to_string().contains(words), "{line}: {problem}");
        assert_eq!(problem.line(&text), Some(3), "{line}: {problem}");
    }
    let public = self::contract("release = \"open\"");
    assert!(policy("release = \"open\"\ncompare_literals = []", &public).is_err());
    assert!(policy("release = \"open\"\nbudget = { cells_per_day = 9 }", &public).is_ok());
}

/// Which rules there are is told, and nothing of what they compare with.
#[test]
fn rules_are_announced_without_their_parameters() {
    let announced = |text: &str| {
        let any = contract("release = \"protected\"\nthreshold = 10\nrounding = 5\nconditions = \"any\"");
        let policy = policy(&format!("release = \"protected\"\n{text}"), &any).unwrap();
        policy.announced().collect::<Vec<_>>().join(" ")
    };
    let default = "R04 R09 R10 R14 R15 R16";
    assert_eq!(announced(""), default);
    assert_eq!(announced("dominance = { p = 20.0, n = 1, k = 70.0 }"), default);
    assert_eq!(announced("conditions = \"any\"\ndominance = \"off\"\noverlap_guard = false"), "");
    assert_eq!(announced("sensitive = [\"ward\"]\ngrid = \"dense\""), "R04 R09 R10 R11 R12 R14 R15 R16");
    let grant = "[[grant]]\nprincipal = \"ada\"\nagreement = \"DSA-1\"\nuntil = 2030-01-01";
    assert_eq!(announced(grant), format!("N08 {default}"));
    let open = policy("release = \"open\"", &contract("release = \"open\"")).unwrap();
    assert_eq!(open.announced().count(), 0);
}
