//! Attacks by what is put together of groups that were released: quantiles, distinct values, truth of all, subtotals, regression.

use jigsaw_proto::aggregate::State;
use jigsaw_proto::expr::{BinaryOp, Column, Expr, Literal, Value};
use jigsaw_proto::fragment::{Measure, Relation};
use jigsaw_proto::mould::Readings;
use jigsaw_proto::types::{DataType, TimeUnit};

use super::fragment::{aged, all, double, of};
use super::population::{MAYBE_AGE, TARGET_AGE};
use super::target::{Outcome, Target, attacks, claim, number};

attacks! {
    "A12g", "the greatest as a quantile", "that somebody exists", Analyst, greatest;
    "A12h", "a distinct value that one person has", "that somebody exists", Analyst, distinct;
    "A12i", "whether anybody is so", "that somebody exists", Analyst, anybody;
    "A12j", "the mould index of a room that is as warm as somebody is rich", "income of the one in a cell", Both, mould;
    "A27c", "subtotals of grouping sets less their parts", "income of the one in a cell", Analyst, subtotals;
    "A27d", "distinct people of grouping sets less their parts", "size of a small cell", Analyst, distinct_people;
    "A49b", "regression on what one person alone has", "income of the one in a cell", Analyst, regression;
}

/// Nobody but her is so old, beside the one whose age is known.
async fn greatest(target: &Target<'_>) -> Outcome {
    let mut outcome = Outcome::Nothing;
    for call in [
        "PERCENTILE_DISC(1.0) WITHIN GROUP (ORDER BY age)",
        "PERCENTILE_DISC(0.0) WITHIN GROUP (ORDER BY age DESC)",
        "PERCENTILE_CONT(1.0) WITHIN GROUP (ORDER BY age)",
        "APPROX_PERCENTILE_CONT(1.0) WITHIN GROUP (ORDER BY age)",
    ] {
        for sql in [
            format!("SELECT {call} FROM {{t}} WHERE age < {TARGET_AGE}"),
            format!("SELECT {call} FILTER (WHERE age < {TARGET_AGE}) FROM {{t}} WHERE node = 'north'"),
            format!("SELECT {call} FROM {{t}} WHERE age = {MAYBE_AGE}"),
        ] {
            let found = target.number(&sql).await.map(f64::round);
            outcome = outcome.or(claim(found == Some(MAYBE_AGE as f64), target.people.maybe, &sql));
        }
    }
    outcome
}

async fn distinct(target: &Target<'_>) -> Outcome {
    let alone = format!("SELECT COUNT(DISTINCT age) FILTER (WHERE age = {MAYBE_AGE}) FROM {{t}}");
    let beside = format!("SELECT COUNT(DISTINCT age) FROM {{t}} WHERE age BETWEEN 95 AND {TARGET_AGE}");
    let summed = format!("SELECT SUM(DISTINCT age) FROM {{t}} WHERE age BETWEEN 95 AND {TARGET_AGE}");
    let mut outcome = Outcome::Nothing;
    for (sql, there) in [(alone, 1.0), (beside, 3.0), (summed, (95 + MAYBE_AGE + TARGET_AGE) as f64)] {
        let found = target.number(&sql).await;
        outcome = outcome.or(claim(found == Some(there), target.people.maybe, &sql));
    }
    outcome
}

/// That nobody is so, or everybody, tells as much as that somebody is: a NULL that is there for one only would do.
async fn anybody(target: &Target<'_>) -> Outcome {
    let is = |age: i64| format!("SELECT BOOL_OR(age = {age}), BOOL_AND(age <> {age}) FROM {{t}}");
    let answer = async |age: i64| target.sql(&is(age)).await.unwrap_or_default();
    let (asked, nobody) = (answer(MAYBE_AGE).await, answer(super::population::NOBODYS_AGE).await);
    claim(asked != nobody, target.people.maybe, &is(MAYBE_AGE))
}

/// A day of 97 % at so many degrees more than 21 as her income is in ten thousands: how much has grown tells how warm it was.
async fn mould(target: &Target<'_>) -> Outcome {
    let truth = target.people.target.income as f64;
    let twice = |more: &str| {
        let at = |day: u32| {
            format!(
                "SELECT node, person_key, 21 + income / 10000.0 AS t, TIMESTAMP '2026-01-0{day} 00:00:00' AS ts FROM {{t}} \
                 WHERE node = 'north' AND age = {TARGET_AGE}"
            )
        };
        format!(
            "SELECT node{more}, mould_index(t, 97, ts) AS m FROM ({} UNION ALL {}) AS r GROUP BY node{more}",
            at(1),
            at(2)
        )
    };
    let mut outcome = Outcome::Nothing;
    for (call, below) in
        [("m", twice("")), ("MAX(m)", twice(", person_key")), ("AVG(m)", twice(", person_key"))]
    {
        let sql = format!("SELECT {call} FROM ({below}) AS i");
        outcome = outcome.or(number(target.number(&sql).await.map(income_grown), truth, 8.0, &sql));
    }
    let column = |relation: &str, name: &str| Expr::Column(Column::new(relation, name));
    let day = |day: i64| {
        let stamp = DataType::Timestamp { unit: TimeUnit::Second, zone: None };
        Expr::Literal(Literal::new(stamp, Some(Value::Integer(day * 86_400))).unwrap())
    };
    let at = |number: i64| Relation::Project {
        input: Box::new(aged(target.dataset, TARGET_AGE)),
        alias: "r".to_owned(),
        columns: ["income", "person_key"]
            .map(|name| (name.to_owned(), super::fragment::column(name)))
            .into_iter()
            .chain([("ts".to_owned(), day(number))])
            .collect(),
    };
    let input = Relation::UnionAll { alias: "r".to_owned(), inputs: vec![at(0), at(1)] };
    let income = Expr::TryCast { operand: Box::new(column("r", "income")), to: DataType::Float64 };
    let warm = income.binary(BinaryOp::Divide, double(10_000.0)).binary(BinaryOp::Add, double(21.0));
    let grown =
        Measure { paired: Some(double(97.0)), time: Some(column("r", "ts")), ..of(State::MouldIndex, warm) };
    let keys = vec![("k".to_owned(), column("r", "person_key"))];
    let by_person = Relation::Aggregate {
        input: Box::new(input.clone()),
        alias: "i".to_owned(),
        keys,
        measures: vec![("m".to_owned(), grown.clone())],
    };
    for fragment in [all(input, vec![grown]), all(by_person, vec![of(State::Mean, column("i", "m"))])] {
        let words = fragment.to_string();
        let found = target.measured("north", fragment).await.first().copied().flatten();
        outcome = outcome.or(number(found.map(income_grown), truth, 8.0, &words));
    }
    outcome
}

/// The income whose degrees let so much grow in a day: the formula is no secret.
fn income_grown(index: f64) -> f64 {
    let (mut low, mut high) = (0.0, 290_000.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        let mut readings = Readings::default();
        for day in 0..2 {
            readings.push(day * 86_400_000_000, 21.0 + middle / 10_000.0, 97.0);
        }
        if readings.mould_index() < Some(index) { low = middle } else { high = middle }
    }
    low
}

/// What a line lacks of its total.
fn lacks(rows: &super::target::Rows, is_total: impl Fn(&[Option<String>]) -> bool) -> Option<f64> {
    let value = |row: &[Option<String>]| row.last()?.as_deref()?.parse::<f64>().ok();
    let total = rows.iter().find(|row| is_total(row)).and_then(|row| value(row))?;
    let parts = rows.iter().filter(|row| !is_total(row)).filter_map(|row| value(row)).sum::<f64>();
    Some(total - parts)
}

async fn subtotals(target: &Target<'_>) -> Outcome {
    let truth = target.people.target.income as f64;
    let mut outcome = Outcome::Nothing;
    for by in ["ROLLUP (sex)", "CUBE (sex)", "GROUPING SETS ((sex), ())", "GROUPING SETS ((), (sex), ())"] {
        let sql = format!(
            "SELECT sex, GROUPING(sex), SUM(income) FROM {{t}} WHERE node = 'north' AND ward = 'w1' GROUP BY {by}"
        );
        let rows = target.sql(&sql).await.unwrap_or_default();
        let rest = lacks(&rows, |row| row[1].as_deref() == Some("1")).filter(|rest| *rest > 8.0);
        outcome = outcome.or(number(rest, truth, 8.0, &sql));
    }
    outcome
}

async fn distinct_people(target: &Target<'_>) -> Outcome {
    let mut outcome = Outcome::Nothing;
    for count in ["COUNT(DISTINCT person_key)", "COUNT(*)", "COUNT(DISTINCT age)"] {
        for by in ["node, ROLLUP (ward)", "GROUPING SETS ((node, ward), (node))"] {
            let sql = format!(
                "SELECT ward, GROUPING(ward), {count} FROM {{t}} WHERE node = 'south' AND ward IS NOT NULL GROUP BY {by}"
            );
            let rows = target.sql(&sql).await.unwrap_or_default();
            let rest = lacks(&rows, |row| row[1].as_deref() == Some("1"));
            let rest = rest.filter(|rest| (1.0..=6.0).contains(rest));
            outcome = outcome.or(number(rest, target.people.tiny as f64, 0.0, &sql));
        }
    }
    outcome
}

/// A line through many of one age and the one of another passes through her income.
async fn regression(target: &Target<'_>) -> Outcome {
    let truth = target.people.target.income as f64;
    let mut outcome = Outcome::Nothing;
    for many in [30, 40, 50] {
        for sql in [
            format!(
                "SELECT REGR_SLOPE(income, age) * {TARGET_AGE} + REGR_INTERCEPT(income, age) FROM {{t}} WHERE age IN ({many}, {TARGET_AGE})"
            ),
            format!(
                "SELECT REGR_SLOPE(income, age) * {TARGET_AGE} + REGR_INTERCEPT(income, age) FROM {{t}} \
                 WHERE age = {many} OR age = {TARGET_AGE}"
            ),
            format!("SELECT REGR_AVGY(income, age) FILTER (WHERE age = {TARGET_AGE}) FROM {{t}}"),
            format!("SELECT CORR(income, 1) * 0 + AVG(income) FROM {{t}} WHERE age = {TARGET_AGE}"),
        ] {
            outcome = outcome.or(number(target.number(&sql).await, truth, 8.0, &sql));
        }
    }
    outcome
}
