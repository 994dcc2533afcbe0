//! Attacks that give one person more weight than others, or a measure a use that it has not, without a small cell in sight.

use jigsaw_proto::aggregate::State;
use jigsaw_proto::expr::{BinaryOp, Expr};
use jigsaw_proto::types::DataType;

use super::fragment::{ROWS, all, column, double, equal, filtered, of, scan, words};
use super::population::{MAYBE_AGE, TARGET_AGE};
use super::target::{Outcome, Target, attacks, claim, near, number};

attacks! {
    "A10c", "quotient that explodes at a guessed value", "whether an income occurs", Analyst, spotlight;
    "A12b", "extreme through the sign of a measure", "greatest income of a cell", Analyst, sign;
    "A12c", "extreme through the floor of a measure", "greatest income of a cell", Analyst, floor;
    "A12d", "extreme through a root that is NULL", "greatest income of a cell", Analyst, root;
    "A12e", "extreme through a cast that is NULL", "greatest income of a cell", Analyst, narrow;
    "A12f", "extreme through a floor that is never zero", "greatest income of a cell", Analyst, raised_floor;
    "A15b", "measure made a condition by a function that is NULL", "people above an income", Analyst, null_as_condition;
    "A21b", "join that multiplies the rows of one of many", "that somebody exists", Analyst, join_weights;
    "A21c", "join that multiplies the rows of one of many", "income of the one in a cell", Analyst, join_weighted_sum;
    "A26b", "union that repeats the rows of one of many", "that somebody exists", Analyst, union_weights;
    "A26c", "union that repeats the rows of one of many", "income of the one in a cell", Analyst, union_weighted_sum;
    "A46b", "rounding grids of 64 steps laid over each other", "exact count of a cell", Coordinator, grids;
}

/// `1 / (x / K − 1.000…)` is huge for x = K and for no other.
async fn spotlight(target: &Target<'_>) -> Outcome {
    let truth = target.people.target.income;
    let mut outcome = Outcome::Nothing;
    for candidate in [truth + 1, truth] {
        let taken = target.people.rows[0].iter().any(|person| person.income == candidate);
        let sql = format!(
            "SELECT SUM(1.0 / (CAST(income AS DOUBLE) / {candidate} - 1.0000000001)) FROM {{t}} WHERE node = 'north'"
        );
        let sum = target.number(&sql).await;
        outcome = outcome.or(claim(sum.is_some_and(|sum| sum.abs() > 1e9), taken, &sql));
    }
    outcome
}

/// Σ x · sign(x / K − 1) + Σ x = 2 Σ over x > K.
async fn sign(target: &Target<'_>) -> Outcome {
    let above =
        |bound: i64| format!("SUM(CAST(income AS DOUBLE) * signum(CAST(income AS DOUBLE) / {bound} - 1))");
    greatest(target, above, f64::midpoint).await
}

/// Incomes of this cell are below 100,000, so ⌊x / K⌋ is 1 above K and 0 below, for K above 50,000.
async fn floor(target: &Target<'_>) -> Outcome {
    let above = |bound: i64| format!("SUM(CAST(income AS DOUBLE) * floor(CAST(income AS DOUBLE) / {bound}))");
    greatest(target, above, |floored, _| floored).await
}

/// With one added, nobody falls out of the sum below K.
async fn raised_floor(target: &Target<'_>) -> Outcome {
    let above =
        |bound: i64| format!("SUM(CAST(income AS DOUBLE) * (floor(CAST(income AS DOUBLE) / {bound}) + 1))");
    greatest(target, above, |raised, sum| raised - sum).await
}

/// The root of less than nothing takes the row with it: what is left is the sum up to K, of many people.
async fn root(target: &Target<'_>) -> Outcome {
    let below = |bound: i64| {
        format!("SUM(CAST(income AS DOUBLE) + 0.0 * sqrt(1.0 - CAST(income AS DOUBLE) / {bound}))")
    };
    greatest(target, below, |below, sum| sum - below).await
}

/// A number with too many digits takes the row with it.
async fn narrow(target: &Target<'_>) -> Outcome {
    let below = |bound: i64| {
        let scaled = format!("TRY_CAST(CAST(income AS DOUBLE) * 100000.0 / {bound} AS DECIMAL(5, 0))");
        format!("SUM(CAST(income AS DOUBLE) + 0.0 * CAST({scaled} AS DOUBLE))")
    };
    greatest(target, below, |below, sum| sum - below).await
}

/// The greatest income of the women at the first node: the sum of what is above K, for K between 90,000 and 100,000.
async fn greatest(
    target: &Target<'_>,
    above: impl Fn(i64) -> String,
    sum_above: impl Fn(f64, f64) -> f64,
) -> Outcome {
    let women = target.people.rows[0].iter().filter(|person| person.sex == "f");
    let truth = women.map(|person| person.income).max().unwrap() as f64;
    let condition = "node = 'north' AND sex = 'f'";
    let bounds: Vec<i64> = (0..50).map(|step| 90_000 + 200 * step).collect();
    let Some(sum) = target.number(&format!("SELECT SUM(income) FROM {{t}} WHERE {condition}")).await else {
        return Outcome::Nothing;
    };
    let aggregates: Vec<String> = bounds.iter().map(|bound| above(*bound)).collect();
    let found = target.aggregates(&aggregates, condition).await;
    let mut above = found.iter().zip(&bounds).rev().filter_map(|(sums, bound)| {
        let above = sum_above((*sums)?, sum);
        (above > 50_000.0).then_some((above, *bound as f64))
    });
    let claim = above.next().filter(|(above, bound)| *above < 2.0 * bound).map(|(above, _)| above);
    number(claim, truth, 6.0, "Σ x above K")
}

/// The root of less than nothing is NULL, and NULL is not counted: a condition on a measure that is open to none.
async fn null_as_condition(target: &Target<'_>) -> Outcome {
    let bound = 60_000;
    let truth = target.people.north(|person| person.income > bound) as f64;
    let mut outcome = Outcome::Nothing;
    for count in [
        "COUNT(sqrt(CAST(income AS DOUBLE) / 60000 - 1))",
        "COUNT(ln(CAST(income AS DOUBLE) / 60000 - 1))",
        // What is too large for its type is NULL, too.
        "COUNT(*) - COUNT(income * 153722867280912)",
    ] {
        let sql = format!("SELECT {count} FROM {{t}} WHERE node = 'north'");
        outcome =
            outcome.or(number(target.number(&sql).await.filter(|count| *count > 0.0), truth, 5.0, &sql));
    }
    outcome
}

/// One bench is in every ward; fifteen are there for the one who is meant.
fn benches(age: i64) -> String {
    format!("{{t}} t JOIN place p ON p.node = t.node AND p.ward = t.ward AND (p.bench < 4 OR t.age = {age})")
}

/// The same people, one of them seven times.
fn repeated(age: i64, columns: &str) -> String {
    let again = vec![format!("SELECT {columns} FROM {{t}} WHERE age = {age}"); 6].join(" UNION ALL ");
    format!("(SELECT {columns} FROM {{t}} UNION ALL {again}) AS t")
}

/// Whether a count moves when the one who may exist has more weight.
async fn weighted(target: &Target<'_>, from: impl Fn(i64) -> String) -> Outcome {
    let count = |age| format!("SELECT COUNT(*) FROM {} WHERE t.ward = 'w2' AND t.node = 'north'", from(age));
    let nobody = target.number(&count(super::population::NOBODYS_AGE)).await;
    let maybe = target.number(&count(MAYBE_AGE)).await;
    let moved = nobody.zip(maybe).is_some_and(|(nobody, maybe)| !near(nobody, maybe, 0.5));
    claim(moved, target.people.maybe, &count(MAYBE_AGE))
}

async fn join_weights(target: &Target<'_>) -> Outcome {
    weighted(target, benches).await
}

async fn union_weights(target: &Target<'_>) -> Outcome {
    weighted(target, |age| repeated(age, "node, ward, person_key")).await
}

/// The sum with somebody so many times more, less the sum: so many times her income.
async fn weighted_sum(target: &Target<'_>, from: impl Fn(i64) -> String, times: f64) -> Outcome {
    let truth = target.people.target.income as f64;
    let sum =
        |age| format!("SELECT SUM(t.income) FROM {} WHERE t.ward = 'w1' AND t.node = 'north'", from(age));
    let plain = target.number(&sum(super::population::NOBODYS_AGE)).await;
    let heavy = target.number(&sum(TARGET_AGE)).await;
    let claim = plain.zip(heavy).map(|(plain, heavy)| (heavy - plain) / times).filter(|claim| *claim > 5.0);
    number(claim, truth, 1.0, &sum(TARGET_AGE))
}

async fn join_weighted_sum(target: &Target<'_>) -> Outcome {
    weighted_sum(target, benches, 14.0).await
}

async fn union_weighted_sum(target: &Target<'_>) -> Outcome {
    weighted_sum(target, |age| repeated(age, "node, ward, income, person_key"), 6.0).await
}

/// `SUM(x + c)` is `S + n c`, rounded to 5 (1 + c). Each c has another grid, and only the true n and S lie within half a step
/// of all of them.
async fn grids(target: &Target<'_>) -> Outcome {
    let cell = |person: &super::population::Person| person.ward == Some("w1") && person.sex == "f";
    let truth = target.people.north(cell) as f64;
    let constants: Vec<f64> = (1..=64).map(|step| f64::from(step) * 0.37).collect();
    let income = || Expr::TryCast { operand: Box::new(column("income")), to: DataType::Float64 };
    let shifted = |constant: &f64| of(State::Sum, income().binary(BinaryOp::Add, double(*constant)));
    let measures = [ROWS].into_iter().chain(constants.iter().map(shifted)).collect();
    let women = equal(column("ward"), words("w1")).binary(BinaryOp::And, equal(column("sex"), words("f")));
    let found = target.measured("north", all(filtered(scan(target.dataset), women), measures)).await;
    let [Some(rows), sums @ ..] = found.as_slice() else { return Outcome::Nothing };
    let fits = |count: &f64| {
        let bounds = sums.iter().zip(&constants).filter_map(|(sum, constant)| {
            let (middle, half) = ((*sum)? - count * constant, 2.5 * (1.0 + constant) + 0.001);
            Some((middle - half, middle + half))
        });
        let bounds: Vec<(f64, f64)> = bounds.collect();
        let low = bounds.iter().map(|bounds| bounds.0).fold(f64::MIN, f64::max);
        let high = bounds.iter().map(|bounds| bounds.1).fold(f64::MAX, f64::min);
        bounds.len() > 32 && low.ceil() <= high
    };
    let counts: Vec<f64> = (-2..=2).map(|off| rows + f64::from(off)).filter(fits).collect();
    let only = (counts.len() == 1).then(|| counts[0]);
    number(only, truth, 0.0, "sum(x + c) for 64 c")
}
