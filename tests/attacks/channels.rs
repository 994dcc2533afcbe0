//! Attacks on everything but the values: what is there, what is refused, how long and how large; and a coordinator that
//! keeps to no rule.

use std::sync::Arc;
use std::time::{Duration, Instant};

use harness::federation::Asking;
use jigsaw_proto::aggregate::State;
use jigsaw_proto::expr::{BinaryOp, Column, Expr, UnaryOp};
use jigsaw_proto::fragment::{Fragment, Join, JoinKind, Relation};
use jigsaw_proto::function::Function;

use super::fragment::{
    ROWS, aged, all, call, column, count_if, double, equal, filtered, grouped, int, of, scan, words,
};
use super::population::{MAYBE_AGE, NOBODYS_AGE, TARGET_AGE};
use super::target::{Goal, Outcome, Target, attacks, claim, request};

attacks! {
    "A18", "withheld or never there", "that somebody exists", Both, Goal::Never, presence;
    "A29", "errors that one row decides", "that somebody exists", Both, Goal::Never, risky;
    "A31", "how long an answer takes", "that somebody exists", Coordinator, Goal::Guess(0.5), timing;
    "A32", "EXPLAIN", "income of the one in a cell", Analyst, Goal::Never, explain;
    "A33", "totals, sizes and manifests", "that somebody exists", Both, Goal::Never, sizes;
    "A40", "a coordinator that skips every check", "income of the one in a cell", Coordinator, Goal::Never, hostile;
    "A42", "a ticket used twice or guessed", "an answer", Analyst, Goal::Never, replay;
    "A42b", "a fragment sent twice", "an answer", Coordinator, Goal::Never, fragment_replay;
}

/// Whether a question about the one who may exist is answered otherwise than about an age that nobody has.
async fn differs(target: &Target<'_>, questions: &[&str]) -> Outcome {
    let mut outcome = Outcome::Nothing;
    for sql in questions {
        let mut told = Vec::new();
        for age in [MAYBE_AGE, NOBODYS_AGE] {
            let answer = target.answer(&sql.replace("{a}", &age.to_string())).await;
            told.push(match answer {
                Ok(answer) => format!("{:?} {:?}", super::target::rows(&answer.batches), answer.caveats()),
                Err(problem) => problem.to_string().replace(&age.to_string(), "{a}"),
            });
        }
        outcome = outcome.or(claim(told[0] != told[1], target.people.maybe, sql));
    }
    outcome
}

async fn presence(target: &Target<'_>) -> Outcome {
    let sql = differs(
        target,
        &[
            "SELECT COUNT(*) FROM {t} WHERE age = {a}",
            "SELECT COUNT(*), SUM(income), AVG(income) FROM {t} WHERE age = {a} AND node = 'north'",
            "SELECT ward, COUNT(*) FROM {t} WHERE age = {a} GROUP BY ward",
            "SELECT COUNT(*) FILTER (WHERE age = {a}) FROM {t}",
            "SELECT ward, COUNT(*) FILTER (WHERE age = {a}) FROM {t} GROUP BY ward",
            "SELECT ward, SUM(income) FILTER (WHERE age = {a}) FROM {t} GROUP BY ward",
            "SELECT age, COUNT(*) FROM {t} GROUP BY age HAVING age = {a}",
            "SELECT COUNT(DISTINCT person_key) FROM {t} WHERE age = {a}",
            "SELECT COALESCE(SUM(CASE WHEN age = {a} THEN 1 ELSE 0 END), -1) FROM {t}",
        ],
    )
    .await;
    let mut outcome = sql;
    for shape in 0..4 {
        let fragment = |age| shaped(target, shape, age);
        let (there, not) =
            (told(target, fragment(MAYBE_AGE)).await, told(target, fragment(NOBODYS_AGE)).await);
        outcome = outcome.or(claim(there != not, target.people.maybe, &fragment(MAYBE_AGE).to_string()));
    }
    outcome
}

fn shaped(target: &Target<'_>, shape: usize, age: i64) -> Fragment {
    let sum = || of(State::Sum, column("income"));
    match shape {
        0 => all(aged(target.dataset, age), vec![ROWS, sum()]),
        1 => grouped(aged(target.dataset, age), vec![column("ward")], vec![ROWS, sum()]),
        2 => all(scan(target.dataset), vec![count_if(equal(column("age"), int(age)))]),
        _ => grouped(scan(target.dataset), vec![equal(column("age"), int(age))], vec![ROWS]),
    }
}

/// Everything a coordinator is told: every byte of every message, or the refusal.
async fn told(target: &Target<'_>, fragment: Fragment) -> Vec<Vec<u8>> {
    let mut line = target.federation.line("north").await.unwrap();
    match line.answer(request(fragment, "ada").encode()).await {
        Ok(messages) => messages.iter().map(prost::Message::encode_to_vec).collect(),
        // A refusal quotes the question, whose age is the asker's own.
        Err(status) => {
            let ages = [MAYBE_AGE, NOBODYS_AGE].map(|age| age.to_string());
            let words = ages.iter().fold(status.message().to_owned(), |words, age| words.replace(age, "{a}"));
            vec![words.into_bytes()]
        }
    }
}

async fn risky(target: &Target<'_>) -> Outcome {
    let sql = differs(
        target,
        &[
            "SELECT SUM(income / (age - {a})) FROM {t}",
            "SELECT COUNT(*) FROM {t} WHERE 1 / (age - {a}) > 0 AND node = 'south'",
            "SELECT COUNT(*) FROM {t} WHERE sqrt(CAST({a} - age AS DOUBLE)) < 0 AND age = {a}",
            "SELECT COUNT(*) FROM {t} WHERE age = {a} AND age * 9223372036854775807 > 0",
            "SELECT COUNT(*) FROM {t} WHERE age = {a} AND CAST(condition AS BIGINT) > 0",
            "SELECT SUM(income) FROM {t} WHERE age = {a} AND ln(CAST(age - {a} AS DOUBLE)) > 0",
            "SELECT COUNT(*) FROM {t} WHERE age = {a} AND CAST(CAST(age AS TEXT) || 'x' AS DATE) IS NULL",
        ],
    )
    .await;
    let mut outcome = sql;
    let less = |age| column("age").binary(BinaryOp::Subtract, int(age));
    for op in [BinaryOp::Divide, BinaryOp::Modulo, BinaryOp::Multiply] {
        let fragment = |age| {
            let risk = int(i64::MAX).binary(op, less(age)).unary(UnaryOp::IsNull);
            all(filtered(aged(target.dataset, age), risk), vec![ROWS])
        };
        let (there, not) =
            (told(target, fragment(MAYBE_AGE)).await, told(target, fragment(NOBODYS_AGE)).await);
        outcome = outcome.or(claim(there != not, target.people.maybe, &fragment(MAYBE_AGE).to_string()));
    }
    outcome
}

/// Two ages, one of somebody and one of nobody, in turn: the one that takes longer exists. A claim needs a difference of the medians
/// beyond three standard errors.
async fn timing(target: &Target<'_>) -> Outcome {
    let mut line = target.federation.line("north").await.unwrap();
    let mut times: [Vec<f64>; 2] = [vec![], vec![]];
    for round in 0..24 {
        for (times, age) in times.iter_mut().zip([MAYBE_AGE, NOBODYS_AGE]) {
            let ticket = request(shaped(target, 1, age), "ada").encode();
            let start = Instant::now();
            line.answer(ticket).await.unwrap();
            // The first ones warm up.
            if round >= 4 {
                times.push(start.elapsed().as_secs_f64());
            }
        }
    }
    let [there, not] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        let median = times[times.len() / 2];
        let spread = times[times.len() * 3 / 4] - times[times.len() / 4];
        (median, spread / 1.35 * (1.57 / times.len() as f64).sqrt())
    });
    let error = there.1.hypot(not.1);
    claim(there.0 - not.0 > 3.0 * error, target.people.maybe, "the median of 20 answers")
}

async fn explain(target: &Target<'_>) -> Outcome {
    let plans = target
        .search(&[
            "EXPLAIN SELECT MIN(income), MAX(income), COUNT(*) FROM {t} WHERE age = 97",
            "EXPLAIN SELECT SUM(income) FROM {t} WHERE age = 97",
            "EXPLAIN VERBOSE SELECT SUM(income) FROM {t} WHERE age = 97",
            "EXPLAIN FORMAT TREE SELECT MAX(income) FROM {t}",
        ])
        .await;
    let measured = target
        .answered(&[
            "EXPLAIN ANALYZE SELECT COUNT(*) FROM {t} WHERE age = 97",
            "EXPLAIN ANALYZE VERBOSE SELECT SUM(income) FROM {t}",
        ])
        .await;
    plans.or(measured)
}

async fn sizes(target: &Target<'_>) -> Outcome {
    let mut outcome = Outcome::Nothing;
    for sql in ["SELECT ward, COUNT(*) FROM {t} GROUP BY ward", "SELECT COUNT(*) FROM {t} WHERE age = 96"] {
        let sql = sql.replace("{t}", target.dataset);
        let (info, _) = target.federation.plan(&sql, Asking::default()).await.unwrap();
        let told = info.total_records != -1 || info.total_bytes != -1;
        outcome = outcome.or(claim(told, true, "the totals of FlightInfo"));
    }
    for shape in 0..4 {
        let length = async |age| {
            told(target, shaped(target, shape, age)).await.iter().map(Vec::len).collect::<Vec<_>>()
        };
        let differs = length(MAYBE_AGE).await != length(NOBODYS_AGE).await;
        outcome = outcome.or(claim(differs, target.people.maybe, "the sizes of a release's messages"));
    }
    outcome
}

/// What no honest coordinator would send.
async fn hostile(target: &Target<'_>) -> Outcome {
    let people = || scan(target.dataset);
    let alone = || aged(target.dataset, TARGET_AGE);
    let sum = || of(State::Sum, column("income"));
    let key = |alias: &str| Column::new(alias, "person_key");
    let other =
        |name: &str| Relation::Scan { dataset: name.to_owned().try_into().unwrap(), alias: "u".to_owned() };
    let join = |left, right, on, filter| {
        Relation::Join(Box::new(Join { left, right, kind: JoinKind::Inner, on: vec![on], filter }))
    };
    let by_key = (key("t"), key("u"));
    let by_ward = || (Column::new("t", "ward"), Column::new("u", "ward"));
    let renamed = |expr: Expr| Relation::Project {
        input: Box::new(alone()),
        alias: "t".to_owned(),
        columns: vec![("income".to_owned(), expr), ("person_key".to_owned(), column("ward"))],
    };
    let twelve = Relation::UnionAll { alias: "t".to_owned(), inputs: (0..8).map(|_| alone()).collect() };
    let mut fragments = vec![
        all(alone(), vec![sum()]),
        grouped(alone(), vec![column("income")], vec![ROWS]),
        grouped(people(), vec![column("income")], vec![ROWS]),
        grouped(people(), vec![column("full_name")], vec![ROWS]),
        grouped(people(), vec![call(Function::Concat, vec![column("person_key"), words("x")])], vec![ROWS]),
        all(twelve, vec![sum(), of(State::Mean, column("income"))]),
        all(renamed(column("income")), vec![sum()]),
        all(renamed(column("income").binary(BinaryOp::Add, int(0))), vec![sum(), ROWS]),
        all(join(alone(), other("place"), by_ward(), None), vec![of(State::Mean, column("income"))]),
        all(join(alone(), other(target.dataset), by_key, None), vec![sum()]),
        all(join(alone(), other(target.dataset), by_ward(), None), vec![sum()]),
        all(filtered(people(), equal(column("income"), int(target.people.target.income))), vec![sum()]),
        all(people(), vec![of(State::Max, column("income").binary(BinaryOp::Multiply, double(1.0)))]),
        all(alone(), vec![of(State::Mean, column("income")), of(State::M2, column("income"))]),
    ];
    for state in [State::Rows, State::Count, State::Entities, State::Min] {
        fragments.push(grouped(
            people(),
            vec![column("age"), column("person_key")],
            vec![of(state, column("income"))],
        ));
    }
    target.search_fragments(fragments).await
}

async fn replay(target: &Target<'_>) -> Outcome {
    let sql = format!("SELECT COUNT(*) FROM {}", target.dataset);
    let how = Asking { timeout: Some(Duration::from_secs(20)), ..Asking::default() };
    let (info, schema) = target.federation.plan(&sql, how).await.unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let redeem = |ticket| target.federation.redeem(ticket, Arc::clone(&schema), String::new(), how);
    let mut guessed = ticket.clone();
    let mut bytes = guessed.ticket.to_vec();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    guessed.ticket = bytes.into();
    let guess = redeem(guessed).await.is_ok();
    assert!(redeem(ticket.clone()).await.is_ok(), "a ticket is good once");
    let again = redeem(ticket).await.is_ok();
    claim(guess, true, "a ticket of another's").or(claim(again, true, "a ticket that was used"))
}

async fn fragment_replay(target: &Target<'_>) -> Outcome {
    let mut line = target.federation.line("north").await.unwrap();
    let ticket = request(all(scan(target.dataset), vec![ROWS]), "ada").encode();
    assert!(line.answer(ticket.clone()).await.is_ok(), "a fragment is answered once");
    claim(line.answer(ticket).await.is_ok(), true, "the bytes of a ticket, sent again")
}
