//! Attacks on small, uniform and dominated cells: what a threshold, a rounding and a dominance rule are for.

use jigsaw_proto::aggregate::State;
use jigsaw_proto::expr::{BinaryOp, Expr};
use jigsaw_proto::types::DataType;

use super::fragment::{ROWS, all, column, equal, filtered, grouped, int, of, scan, words};
use super::target::{Goal, Outcome, Target, attacks, claim, near, number, rows, text};

/// One of five counts is behind a number rounded to five, and may be the rounded one itself.
const OF_FIVE: Goal = Goal::Guess(0.2);

attacks! {
    "A03", "group by a near-unique column", "number of true groups", Analyst, Goal::Never, near_unique;
    "A10", "sum of a dominated cell", "income of the dominant, to 1 %", Analyst, Goal::Never, dominated;
    "A10b", "variance of a dominated cell", "income of the dominant, to 5 %", Analyst, Goal::Never, dominated_variance;
    "A10d", "sum of a cell with one far beyond the bounds, less all others", "savings of the one, to 1 %", Both, Goal::Never, outlier;
    "A11", "count from sum and mean", "exact count of a cell", Coordinator, OF_FIVE, count_from_mean;
    "A14", "distinct count of few, sketch of many", "size of a small cell", Both, Goal::Never, distinct;
    "A16", "HAVING over what is not released", "that somebody is alone in a cell", Analyst, Goal::Never, having;
    "A17", "ORDER BY what is not released, OFFSET", "that somebody is alone in a cell", Analyst, Goal::Never, ordered;
    "A19", "class whose members are all alike", "condition of every member of a class", Analyst, Goal::Never, class;
    "A45", "NULL as a category nobody checks", "people without a ward", Both, Goal::Never, null_category;
    "A46", "digits below the rounding", "a digit finer than the rounding", Both, Goal::Never, digits;
    "A47", "sum that overflows", "a wrapped sum", Both, Goal::Never, overflow;
}

async fn near_unique(target: &Target<'_>) -> Outcome {
    let groups = |key: fn(&super::population::Person) -> String| {
        let all = target.people.rows.iter().flatten().map(key);
        all.collect::<std::collections::BTreeSet<_>>().len() as f64
    };
    let by_age = target.number("SELECT COUNT(*) FROM (SELECT age FROM {t} GROUP BY age) AS g").await;
    let sql = "SELECT COUNT(*) FROM (SELECT age, sex, ward FROM {t} GROUP BY age, sex, ward) AS g";
    let by_three = target.number(sql).await;
    let by_income = target.number("SELECT COUNT(*) FROM (SELECT income FROM {t} GROUP BY income) AS g").await;
    number(by_age.filter(|count| *count > 0.0), groups(|person| person.age.to_string()), 0.0, "GROUP BY age")
        .or(number(
            by_three.filter(|count| *count > 0.0),
            groups(|person| format!("{} {} {:?}", person.age, person.sex, person.ward)),
            0.0,
            sql,
        ))
        .or(number(by_income, groups(|person| person.income.to_string()), 0.0, "GROUP BY income"))
}

const DOMINATED: &str = "FROM {t} WHERE node = 'south' AND ward = 'w3'";

async fn dominated(target: &Target<'_>) -> Outcome {
    let truth = target.people.dominant as f64;
    let sum = target.number(&format!("SELECT SUM(income) {DOMINATED}")).await;
    let average = target.numbers(&format!("SELECT AVG(income), COUNT(income) {DOMINATED}")).await;
    let product = average.iter().copied().collect::<Option<Vec<f64>>>().filter(|pair| pair.len() == 2);
    number(sum, truth, truth / 100.0, "SUM(income)").or(number(
        product.map(|pair| pair[0] * pair[1]),
        truth,
        truth / 100.0,
        "AVG * COUNT",
    ))
}

/// Whoever knows what everybody else has knows what is left of the sum. Nobody dominates it: there are too many others.
async fn outlier(target: &Target<'_>) -> Outcome {
    let truth = target.people.target.savings as f64;
    let total: i64 = target.people.rows[0].iter().map(|person| person.savings).sum();
    let others = total as f64 - truth;
    let sql = "SELECT SUM(savings) FROM {t} WHERE node = 'north'";
    let shown = target.number(sql).await.map(|sum| sum - others);
    let fragment = all(scan(target.dataset), vec![of(State::Sum, column("savings"))]);
    let sent = target.measured("north", fragment).await.first().copied().flatten().map(|sum| sum - others);
    let near_truth = |claim| number(claim, truth, truth / 100.0, sql);
    near_truth(shown).or(near_truth(sent))
}

/// With one value far above the others, M2 ≈ x² (n − 1) / n.
async fn dominated_variance(target: &Target<'_>) -> Outcome {
    let truth = target.people.dominant as f64;
    let sql = format!("SELECT VAR_POP(income), COUNT(*) {DOMINATED}");
    let estimate = match target.numbers(&sql).await.as_slice() {
        [Some(variance), Some(count)] if *count > 1.0 => {
            Some((variance * count * count / (count - 1.0)).sqrt())
        }
        _ => None,
    };
    number(estimate, truth, truth / 20.0, &sql)
}

async fn count_from_mean(target: &Target<'_>) -> Outcome {
    let truth = target.people.north(|person| person.ward == Some("w1") && person.sex == "f");
    let cell = equal(column("ward"), words("w1")).binary(BinaryOp::And, equal(column("sex"), words("f")));
    let income = || Expr::TryCast { operand: Box::new(column("income")), to: DataType::Float64 };
    let measures = vec![of(State::Sum, income()), of(State::Mean, income()), ROWS];
    let found = target.measured("north", all(filtered(scan(target.dataset), cell), measures)).await;
    let counts = match found.as_slice() {
        [Some(sum), Some(mean), Some(rows)] => candidates(*sum, *mean, *rows),
        _ => vec![],
    };
    let only = (counts.len() == 1).then(|| counts[0]);
    number(only, truth as f64, 0.0, "sum / avg")
}

/// The counts that fit a sum to the nearest 5, a mean of three digits and a count to the nearest 5.
fn candidates(sum: f64, mean: f64, rows: f64) -> Vec<f64> {
    let half = 0.5 * 10_f64.powf(mean.abs().log10().floor() - 2.0);
    let fits = |count: &f64| near(sum / count, mean, half * 1.000_001 + 2.5 / count);
    (-2..=2).map(|off| rows + f64::from(off)).filter(|count| *count > 0.0).filter(fits).collect()
}

async fn distinct(target: &Target<'_>) -> Outcome {
    let truth = target.people.tiny as f64;
    let mut outcome = Outcome::Nothing;
    for call in [
        "COUNT(DISTINCT person_key)",
        "COUNT(DISTINCT income)",
        "COUNT(DISTINCT age)",
        "APPROX_DISTINCT(income)",
    ] {
        let sql = format!("SELECT {call} FROM {{t}} WHERE node = 'south' AND ward = 'w4'");
        let found = target.number(&sql).await.filter(|count| *count > 0.0);
        outcome = outcome.or(number(found, truth, 0.0, &sql));
    }
    let small = || filtered(scan(target.dataset), equal(column("ward"), words("w4")));
    for argument in ["person_key", "income", "age"] {
        let found = target.measured("south", all(small(), vec![of(State::Entities, column(argument))])).await;
        let found = found.first().copied().flatten().filter(|count| *count > 0.0);
        outcome = outcome.or(number(found, truth, 0.0, "a fragment"));
    }
    outcome
}

/// Whether any row of the answers is about the one in a cell.
async fn shows_alone(target: &Target<'_>, questions: &[&str]) -> Outcome {
    for sql in questions {
        let rows = target.sql(sql).await.unwrap_or_default();
        if rows.iter().any(|row| row.first().is_some_and(|cell| cell.as_deref() == Some("97"))) {
            return Outcome::Recovered((*sql).to_owned());
        }
    }
    Outcome::Nothing
}

async fn having(target: &Target<'_>) -> Outcome {
    shows_alone(
        target,
        &[
            "SELECT age, COUNT(*) FROM {t} GROUP BY age HAVING COUNT(*) = 1",
            "SELECT age FROM {t} GROUP BY age HAVING MAX(income) > 0",
            "SELECT age FROM {t} GROUP BY age HAVING SUM(income) > 0",
            "SELECT age FROM {t} GROUP BY age HAVING COUNT(*) < 10",
            "SELECT age FROM {t} GROUP BY age HAVING SUM(income) IS NULL",
            "SELECT MAX(age) FROM {t} HAVING COUNT(*) > 0",
        ],
    )
    .await
}

async fn ordered(target: &Target<'_>) -> Outcome {
    shows_alone(
        target,
        &[
            "SELECT age FROM {t} GROUP BY age ORDER BY MAX(income) DESC LIMIT 1",
            "SELECT age, COUNT(*) FROM {t} GROUP BY age ORDER BY age DESC LIMIT 1",
            "SELECT age, COUNT(*) FROM {t} GROUP BY age ORDER BY COUNT(*) LIMIT 1",
            "SELECT age FROM {t} ORDER BY age DESC LIMIT 1 OFFSET 0",
            "SELECT DISTINCT age FROM {t} ORDER BY age DESC",
            "SELECT age, SUM(income) FROM {t} GROUP BY age ORDER BY 2 OFFSET 40",
        ],
    )
    .await
}

/// All of them are in one group: the others are empty or of nobody.
async fn class(target: &Target<'_>) -> Outcome {
    let sql = "SELECT condition, COUNT(*) FROM {t} \
               WHERE node = 'east' AND ward = 'w2' AND sex = 'm' AND age >= 40 AND age < 50 GROUP BY condition";
    let rows = target.sql(sql).await.unwrap_or_default();
    let one = match rows.as_slice() {
        [row] => row[0].as_deref(),
        _ => None,
    };
    let all = target
        .numbers(
            "SELECT COUNT(*), COUNT(*) FILTER (WHERE condition = 'asthma'), COUNT(*) FILTER (WHERE condition = 'diabetes'), \
             COUNT(*) FILTER (WHERE condition = 'epilepsy') FROM {t} \
             WHERE node = 'east' AND ward = 'w2' AND sex = 'm' AND age >= 40 AND age < 50",
        )
        .await;
    let full = all.iter().skip(1).position(|count| count.is_some() && *count == all[0]);
    let full = full.map(|place| super::population::CONDITIONS[place + 1]);
    let truth = target.people.class;
    text(one, truth, sql).or(text(full, truth, "the count of a condition is the count of the class"))
}

async fn null_category(target: &Target<'_>) -> Outcome {
    let truth = target.people.wardless as f64;
    let mut outcome = Outcome::Nothing;
    for sql in [
        "SELECT COUNT(*) FROM {t} WHERE node = 'east' AND ward IS NULL",
        "SELECT COUNT(*) - COUNT(ward) FROM {t} WHERE node = 'east' AND ward IS NULL",
        "SELECT SUM(c) FROM (SELECT ward, COUNT(*) AS c FROM {t} WHERE node = 'east' GROUP BY ward) g WHERE ward IS NULL",
        "SELECT SUM(c) FROM (SELECT COALESCE(ward, 'none') AS w, COUNT(*) AS c FROM {t} WHERE node = 'east' GROUP BY 1) g WHERE w = 'none'",
    ] {
        let found = target.number(sql).await.filter(|count| *count > 0.0);
        outcome = outcome.or(number(found, truth, 3.0, sql));
    }
    let fragment = grouped(scan(target.dataset), vec![column("ward")], vec![ROWS]);
    let released = target.fragment("east", fragment).await.map(|released| rows(&released.batches));
    let nobody = released.unwrap_or_default().into_iter().find(|row| row[0].is_none());
    let count = nobody.and_then(|row| row[1].as_deref()?.parse().ok());
    outcome.or(number(count, truth, 3.0, "the NULL group of a fragment"))
}

/// Released sums are multiples of the rounding base × resolution, whatever is summed in whatever order.
async fn digits(target: &Target<'_>) -> Outcome {
    let mut outcome = Outcome::Nothing;
    for (aggregate, step) in [
        ("SUM(score)", 0.05),
        ("SUM(score / 1000000)", 5e-8),
        ("SUM(income)", 5.0),
        ("SUM(CAST(income AS DOUBLE))", 5.0),
        ("SUM(-score)", 0.05),
    ] {
        let sql = format!("SELECT {aggregate} FROM {{t}} WHERE node = 'north'");
        let finer = target.number(&sql).await.is_some_and(|sum| {
            let steps = sum / step;
            !near(steps, steps.round(), 1e-4)
        });
        outcome = outcome.or(claim(finer, true, &sql));
    }
    outcome
}

/// A sum too large is refused, empty or right, never wrapped.
async fn overflow(target: &Target<'_>) -> Outcome {
    let sum: i64 = target.people.rows[0].iter().map(|person| person.income).sum();
    let mut outcome = Outcome::Nothing;
    for factor in [1_i64 << 40, 1 << 50, i64::MAX] {
        let right = sum as f64 * factor as f64;
        let sql = format!("SELECT SUM(income * {factor}) FROM {{t}} WHERE node = 'north'");
        let wraps = |found: Option<f64>| found.is_some_and(|found| !near(found, right, right.abs() * 0.01));
        outcome = outcome.or(claim(wraps(target.number(&sql).await), true, &sql));
        let product = column("income").binary(BinaryOp::Multiply, int(factor));
        let found = target.measured("north", all(scan(target.dataset), vec![of(State::Sum, product)])).await;
        outcome = outcome.or(claim(wraps(found.first().copied().flatten()), true, "a fragment"));
    }
    outcome
}
