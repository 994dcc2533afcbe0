//! Attacks by what is put together of groups that were released: quantiles, distinct values, truth of all, subtotals, regression.

use super::population::{MAYBE_AGE, TARGET_AGE};
use super::target::{Outcome, Target, attacks, claim, number};

attacks! {
    "A12g", "the greatest as a quantile", "that somebody exists", Analyst, greatest;
    "A12h", "a distinct value that one person has", "that somebody exists", Analyst, distinct;
    "A12i", "whether anybody is so", "that somebody exists", Analyst, anybody;
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
