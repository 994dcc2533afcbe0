use std::time::Duration;

use jigsaw_proto::release::{Manifest, ReleaseMode};

use super::*;

fn answered(threshold: u32, withheld_cells: u64, data_as_of: &str) -> NodeOutcome {
    let protected = threshold > 0;
    let manifest = Manifest {
        node: "camden".parse().unwrap(),
        query: "q1".parse().unwrap(),
        policy: String::new(),
        mode: if protected { ReleaseMode::Protected } else { ReleaseMode::Open },
        threshold,
        rounding: if protected { 5 } else { 1 },
        released_cells: 1,
        withheld_cells,
        rules: vec![],
        data_as_of: data_as_of.to_owned(),
    };
    let outcome = Outcome::Answered { batches: vec![], manifest: Box::new(manifest) };
    NodeOutcome { node: "camden".parse().unwrap(), outcome, elapsed: Duration::from_millis(3) }
}

fn notes(outcomes: &[NodeOutcome]) -> serde_json::Value {
    let id = "q1".parse().unwrap();
    let context = QueryContext::new(id, "ada".to_owned(), String::new(), true, Duration::from_secs(1));
    for outcome in outcomes {
        context.answered(outcome);
    }
    serde_json::from_slice(&Notes::of(&context).encode()).unwrap()
}

/// A question with several fragments asks a node several times; what one of them owes the reader is not lost.
#[test]
fn what_protects_one_part_of_an_answer_is_said_of_the_answer() {
    let (open, protected) =
        (|| answered(0, 0, "2026-01-02T00:00:00Z"), || answered(10, 1, "2026-01-01T00:00:00Z"));
    for outcomes in [[open(), protected()], [protected(), open()]] {
        let notes = notes(&outcomes);
        let caveats = notes["caveats"].as_array().unwrap();
        assert_eq!(caveats.len(), 3, "{notes}");
        assert!(caveats[0].as_str().unwrap().contains("fewer than 10"), "{notes}");
        assert_eq!(caveats[2], "1 cell of the nodes' releases was withheld");
        assert_eq!(notes["nodes"][0]["data_as_of"], "2026-01-01T00:00:00Z");
    }
}

#[test]
fn the_worst_that_became_of_a_node_counts() {
    let late = NodeOutcome { outcome: Outcome::Late, ..answered(0, 0, "") };
    for outcomes in [[late.clone(), answered(0, 0, "")], [answered(0, 0, ""), late]] {
        let notes = notes(&outcomes);
        assert_eq!(notes["nodes"][0]["status"], "late", "{notes}");
        let incomplete = "incomplete: 1 of 1 nodes is missing: camden (it did not answer in time)";
        assert_eq!(notes["caveats"][0], incomplete);
    }
}

#[test]
fn open_data_needs_no_caveat() {
    assert_eq!(notes(&[answered(0, 0, "")])["caveats"].as_array().unwrap().len(), 0);
}
