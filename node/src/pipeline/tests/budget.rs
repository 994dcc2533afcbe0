//! `R24`: nobody gets more out of a day than its budget, by no name, number of questions or restart.

use futures::future::join_all;
use jigsaw_proto::refusal::RefusalCode;

use super::*;

const FOUR: &str = "budget = { cells_per_day = 4 }";

fn asking(measures: usize) -> Fragment {
    fragment(scan("stay"), vec![t("ward")], vec![ROWS; measures])
}

async fn asked_by(bench: &Bench, principal: &str, fragment: Fragment) -> Result<(), Refusal> {
    let mut request = FragmentRequest::decode(&ticket(fragment)).unwrap();
    principal.clone_into(&mut request.principal);
    answer(&bench.node, "coordinator.example", &request.encode()).await.map(|_| ())
}

#[tokio::test]
async fn all_names_share_one_budget() {
    let bench = Bench::under(FOUR).await;
    asked_by(&bench, "ada", asking(3)).await.unwrap();
    let refusal = asked_by(&bench, "bob", asking(2)).await.unwrap_err();
    assert_eq!(refusal.code, RefusalCode::BudgetSpent);
    assert!(refusal.message.contains("T00:00:00Z"), "it says when it renews: {refusal}");
    asked_by(&bench, "bob", asking(1)).await.unwrap();
    // Groups alone are an answer, and the same question again is another one.
    assert_eq!(bench.refusal(asking(0)).await, "R24");
    assert_eq!(bench.refusal(asking(1)).await, "R24");
    let other = fragment(scan("meal"), vec![], vec![ROWS; 9]);
    assert!(bench.ask(other).await.is_ok(), "each dataset has its own");
}

/// What is refused by a rule costs nothing; what fails later costs, whatever the rows made of it.
#[tokio::test]
async fn a_price_is_paid_before_the_rows_are_read() {
    let bench = Bench::with(|settings| {
        let stay = &mut settings.datasets[0];
        stay.policy = Policy::parse(&format!("release = \"protected\"\n{FOUR}"), &stay.contract).unwrap();
        settings.limits.deadline = Duration::ZERO;
    })
    .await;
    let max = fragment(scan("stay"), vec![], vec![measure(State::Max, t("cost")); 4]);
    assert_eq!(bench.refusal(max).await, "R06");
    assert_eq!(bench.refusal(asking(4)).await, "N05");
    assert_eq!(bench.refusal(asking(1)).await, "R24");
}

#[tokio::test]
async fn questions_at_once_do_not_outrun_the_budget() {
    let bench = Bench::under(FOUR).await;
    let asked = join_all((0..12).map(|_| bench.ask(asking(1)))).await;
    assert_eq!(asked.iter().filter(|answer| answer.is_ok()).count(), 4);
    let file = bench.dir.path().join("audit.jsonl.budget");
    let page: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(page["spent"]["stay"], 4);
}

/// A union or a join pays for every dataset it reads, or for none.
#[tokio::test]
async fn a_dataset_is_not_read_beside_another_for_nothing() {
    let bench = Bench::under(FOUR).await;
    let inputs = vec![aliased("meal", "a"), aliased("stay", "b")];
    let union = || Relation::UnionAll { alias: "t".to_owned(), inputs: inputs.clone() };
    assert!(bench.ask(fragment(union(), vec![], vec![ROWS; 4])).await.is_ok());
    assert_eq!(bench.refusal(fragment(union(), vec![], vec![ROWS])).await, "R24");
}
