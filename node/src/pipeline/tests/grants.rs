//! `N08`: who is not granted is not served, whatever the question looks like.

use jigsaw_proto::fragment::{Join, JoinKind};

use super::*;

/// The policy of `stay`, and of `meal` if it is given too, under which `grants` alone may ask.
async fn granting(datasets: &[usize], grants: &str) -> Bench {
    Bench::with(|settings| {
        for index in datasets {
            let dataset = &mut settings.datasets[*index];
            let text = format!("{}\n{grants}", freest(&dataset.contract));
            dataset.policy = Policy::parse(&text, &dataset.contract).unwrap();
        }
    })
    .await
}

fn grant(principal: &str, purpose: &str, until: &str) -> String {
    let (agreement, until) = ("agreement = \"DSA-2026-07\"", format!("until = {until}"));
    format!("[[grant]]\nprincipal = \"{principal}\"\npurpose = \"{purpose}\"\n{agreement}\n{until}\n")
}

fn wards_of(input: Relation) -> Fragment {
    fragment(input, vec![of("t", "ward")], vec![ROWS])
}

async fn asked(bench: &Bench, principal: &str, purpose: &str, fragment: Fragment) -> Result<(), Refusal> {
    let mut request = FragmentRequest::decode(&ticket(fragment)).unwrap();
    (request.principal, request.purpose) = (principal.to_owned(), purpose.to_owned());
    answer(&bench.node, "coordinator.example", &request.encode()).await.map(|_| ())
}

#[tokio::test]
async fn only_the_granted_are_served() {
    let bench = granting(&[0], &grant("ada", "a test", "2999-12-31")).await;
    asked(&bench, "ada", "a test", wards_of(scan("stay"))).await.unwrap();
    for (principal, purpose) in [("bob", "a test"), ("ada", "another"), ("*", "a test"), ("", "")] {
        let refusal = asked(&bench, principal, purpose, wards_of(scan("stay"))).await.unwrap_err();
        assert_eq!(refusal.code.as_str(), "N08");
        for secret in ["ada", "a test", "DSA", "2999"] {
            assert!(!refusal.message.contains(secret), "{refusal} tells of a grant");
        }
    }
    asked(&bench, "bob", "", wards_of(scan("meal"))).await.unwrap();
}

/// Every way of mentioning a dataset is asking it.
#[tokio::test]
async fn a_dataset_is_not_reached_beside_another() {
    let bench = granting(&[1], &grant("bob", "a test", "2999-12-31")).await;
    let on = vec![(Column::new("t", "person"), Column::new("u", "person"))];
    let (left, right) = (scan("stay"), aliased("meal", "u"));
    let joined = Relation::Join(Box::new(Join { left, right, kind: JoinKind::Left, on, filter: None }));
    let inputs = vec![aliased("stay", "a"), aliased("meal", "b")];
    let union = Relation::UnionAll { alias: "t".to_owned(), inputs };
    for input in [scan("meal"), filtered(scan("meal"), tiny()), joined, union] {
        let refusal = asked(&bench, "ada", "a test", wards_of(input)).await.unwrap_err();
        assert_eq!(refusal.code.as_str(), "N08", "{refusal}");
    }
    // Whoever is not granted learns nothing of what the policy would say to the question.
    let person = fragment(scan("meal"), vec![t("person")], vec![ROWS]);
    assert_eq!(bench.refusal(person).await, "N08");
}

#[tokio::test]
async fn the_last_grant_that_ends_opens_nothing() {
    let bench = granting(&[0], &grant("*", "a test", "2020-01-01")).await;
    assert_eq!(bench.refusal(wards_of(scan("stay"))).await, "N08");
}
