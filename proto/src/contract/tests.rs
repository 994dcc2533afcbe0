use super::*;

const CONTACTS: &str = r#"
name = "rough_sleeping_contact"
version = 1
description = "One row per contact."
release = "protected"
threshold = 10
rounding = 5

[[column]]
name = "person_key"
type = "text"
role = "entity"
description = "Keyed hash of the person."

[[column]]
name = "category"
type = "text"
role = "dimension"
description = "Flow, stock or returner."
codes = ["new", "living_on_streets", "intermittent"]
"#;

fn problem(text: &str) -> String {
    let error = Contract::parse(text).unwrap_err();
    match &error {
        ContractError::Invalid { .. } => error.to_string(),
        ContractError::Syntax(source) => source.to_string(),
    }
}

#[test]
fn a_contract_is_read() {
    let contract = Contract::parse(CONTACTS).unwrap();
    assert_eq!(contract.floor, Floor::Protected { threshold: 10, rounding: 5 });
    assert_eq!(contract.entities().count(), 1);
    assert_eq!(contract.column("category").unwrap().codes.len(), 3);
}

#[test]
fn the_hash_ignores_prose_and_nothing_else() {
    let hash = |text: &str| Contract::parse(text).unwrap().hash();
    assert_eq!(hash(CONTACTS), hash(&CONTACTS.replace("One row per contact.", "A contact.")));
    assert_ne!(hash(CONTACTS), hash(&CONTACTS.replace("rounding = 5", "rounding = 10")));
    assert_ne!(hash(CONTACTS), hash(&CONTACTS.replace("\"intermittent\"", "\"returner\"")));
}

#[test]
fn what_a_contract_does_not_say_protects() {
    let contract = Contract::parse(CONTACTS).unwrap();
    assert_eq!((contract.conditions, contract.cells_per_day), (Conditions::Cube, None));
    let said = CONTACTS.replace("rounding = 5", "rounding = 5\nconditions = \"any\"\ncells_per_day = 200");
    let freer = Contract::parse(&said).unwrap();
    assert_eq!((freer.conditions, freer.cells_per_day), (Conditions::Any, Some(200)));
    let spelt = CONTACTS.replace("rounding = 5", "rounding = 5\nconditions = \"cube\"");
    assert_eq!(Contract::parse(&spelt).unwrap().hash(), contract.hash(), "said or not said, it is the same");
    assert_ne!(freer.hash(), contract.hash());
    let none = CONTACTS.replace("rounding = 5", "rounding = 5\ncells_per_day = 0");
    assert!(problem(&none).contains("1 or more"));
}

#[test]
fn each_mistake_is_named() {
    assert!(
        problem(&CONTACTS.replace("role = \"entity\"", "role = \"dimension\""))
            .contains("whom does it protect")
    );
    assert!(problem(&CONTACTS.replace("threshold = 10", "threshold = 1")).contains("2 or more"));
    assert!(problem(&CONTACTS.replace("\"category\"", "\"person_key\"")).contains("listed twice"));
    assert!(problem(&CONTACTS.replace("\"category\"", "\"node\"")).contains("added by Jigsaw"));
    assert!(
        problem(&CONTACTS.replace("type = \"text\"", "type = \"string\"")).contains("is not a column type")
    );
    assert!(problem(&CONTACTS.replace("rounding = 5", "roundign = 5")).contains("roundign"));
    assert!(
        problem(&CONTACTS.replace("role = \"entity\"", "role = \"entity\"\nbounds = [0, 1]"))
            .contains("for measures")
    );
}
