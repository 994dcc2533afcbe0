//! `R24`: nobody gets more out of a day than its budget, by no name, number of questions or restart.

use futures::future::join_all;
use jigsaw_proto::refusal::RefusalCode;

use super::*;
use crate::disclose::policy::budget::Budget;

const FOUR: &str = "budget = { cells_per_day = 4 }";

/// So many aggregates that nobody asked for before.
fn asking(measures: usize) -> Fragment {
    static NEW: AtomicU32 = AtomicU32::new(100);
    let new = || Some(equal(t("beds"), int(NEW.fetch_add(1, Ordering::Relaxed).into())));
    let measures = (0..measures).map(|_| Measure { filter: new(), ..ROWS }).collect();
    fragment(scan("stay"), vec![t("ward")], measures)
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
    // Groups alone are an answer.
    assert_eq!(bench.refusal(asking(0)).await, "R24");
    assert_eq!(bench.refusal(asking(1)).await, "R24");
    let other = fragment(scan("meal"), vec![], vec![ROWS; 9]);
    assert!(bench.ask(other).await.is_ok(), "each dataset has its own");
}

/// What was asked before is answered as before: whoever asks, and beside whatever else.
#[tokio::test]
async fn what_was_asked_on_the_day_costs_nothing() {
    let bench = Bench::under(FOUR).await;
    let (three, one) = (asking(3), asking(1));
    for (who, question) in [("ada", &three), ("bob", &three), ("ada", &one), ("bob", &three), ("eve", &one)] {
        asked_by(&bench, who, question.clone()).await.unwrap();
    }
    let both = [three.measures.clone(), one.measures.clone()].concat();
    asked_by(&bench, "eve", Fragment { measures: both, ..three.clone() }).await.unwrap();
    let one_more = Fragment { measures: [three.measures.clone(), vec![ROWS]].concat(), ..three };
    assert_eq!(bench.refusal(one_more).await, "R24");
}

/// A cell is one, however it is spelled: in WHERE or in FILTER, by OR or by IN, under whatever alias.
#[tokio::test]
async fn a_cell_in_other_words_costs_nothing() {
    let bench = Bench::under_conditions("cube", "budget = { cells_per_day = 1 }").await;
    let ward = || equal(t("ward"), text("big"));
    let bed = || equal(t("beds"), int(2));
    bench.ask(counted(ward().binary(BinaryOp::And, bed()))).await.unwrap();
    let listed =
        Expr::InList { operand: Box::new(of("s", "beds")), list: vec![Literal::int64(2)], negated: false };
    let renamed = filtered(aliased("stay", "s"), listed);
    let big = || Some(equal(text("big"), of("s", "ward")));
    for question in [
        counted(bed().binary(BinaryOp::And, ward())),
        fragment(filtered(scan("stay"), bed()), vec![], vec![Measure { filter: Some(ward()), ..ROWS }]),
        fragment(renamed, vec![], vec![Measure { filter: big(), ..ROWS }]),
    ] {
        let words = question.to_string();
        assert!(bench.ask(question).await.is_ok(), "{words}");
    }
    assert_eq!(bench.refusal(counted(ward())).await, "R24");
}

/// Without a line, there is a budget: an endless series ends.
#[tokio::test]
async fn silence_is_a_budget() {
    let contract = |more: &str| {
        Contract::parse(&STAY.replace("rounding = 5", &format!("rounding = 5\n{more}"))).unwrap()
    };
    let cells = |text: &str, contract: &Contract| Policy::parse(text, contract).map(|policy| policy.budget());
    let silent = "release = \"protected\"";
    let number = |budget: Option<Budget>| budget.map(Budget::cells_per_day);
    assert_eq!(number(cells(silent, &contract("")).unwrap()), Some(1000));
    assert_eq!(number(cells(silent, &contract("cells_per_day = 200")).unwrap()), Some(200));
    let more = format!("{silent}\nbudget = {{ cells_per_day = 5000 }}");
    assert_eq!(number(cells(&more, &contract("")).unwrap()), Some(5000));
    let problem = cells(&more, &contract("cells_per_day = 200")).unwrap_err();
    assert!(problem.to_string().contains("looser than the contract's 200"), "{problem}");
    assert_eq!(problem.line(&more), Some(2));
}

/// What is refused by a rule costs nothing; what fails later costs, whatever the rows made of it.
#[tokio::test]
async fn a_price_is_paid_before_the_rows_are_read() {
    let bench = Bench::with(|settings| {
        let stay = &mut settings.datasets[0];
        let text = format!("release = \"protected\"\nconditions = \"any\"\n{FOUR}");
        stay.policy = Policy::parse(&text, &stay.contract).unwrap();
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
    assert!(bench.ask(fragment(union(), vec![], asking(4).measures)).await.is_ok());
    assert_eq!(bench.refusal(fragment(union(), vec![], vec![ROWS])).await, "R24");
}
