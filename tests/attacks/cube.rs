//! Attacks in the language that a cube leaves: cells of a table and its margins; and those of somebody who knows nine others.

use super::population::{KNOWN_AGES, MAYBE_AGE};
use super::target::{Attack, Channel, Goal, Outcome, Target, claim, near, number};

/// One of five counts is behind a number rounded to five.
const OF_FIVE: Goal = Goal::Guess(0.2);
/// One to six people are in the small cell, and whoever asks nothing is right once in six.
const OF_SIX: Goal = Goal::Guess(1.0 / 6.0);

macro_rules! attacks {
    ($($id:literal, $name:literal, $secret:literal, $goal:expr, $run:ident;)*) => {
        pub(super) const ATTACKS: &[Attack] = &[$(Attack {
            id: $id,
            name: $name,
            secret: $secret,
            channel: Channel::Analyst,
            goal: $goal,
            run: |target| Box::pin($run(target)),
        }),*];
    };
}

attacks! {
    "A05b", "margins less their parts, over every table there is", "size of a small cell", OF_SIX, margins;
    "A06b", "a base, nine known people more, and one more", "that somebody exists", Goal::Never, nine_by_conditions;
    "A06c", "the same by lists of one column", "that somebody exists", Goal::Never, nine_by_lists;
    "A08b", "a cell as the sum of its parts, over every table there is", "exact count of a cell", OF_FIVE, parts;
    "A27b", "margin less its parts, each asked by itself", "income of the one in a cell", Goal::Never, one_by_one;
    "A36b", "a cell of nine known people and one more", "that somebody exists", Goal::Never, tenth;
    "A43b", "a step of a dimension less the steps in it", "income of the one in a cell", Goal::Never, steps;
}

/// Conditions that divide everybody, as a table does.
fn tables() -> Vec<Vec<String>> {
    let of = |column: &str, values: &[&str]| -> Vec<String> {
        values.iter().map(|value| format!("{column} = '{value}'")).collect()
    };
    let decades = |step: i64| -> Vec<String> {
        (0..100 / step)
            .map(|from| format!("age >= {} AND age < {}", from * step, (from + 1) * step))
            .collect()
    };
    let cross = |one: &[String], other: &[String]| -> Vec<String> {
        one.iter().flat_map(|one| other.iter().map(move |other| format!("{one} AND {other}"))).collect()
    };
    let (sex, condition) = (of("sex", &["f", "m"]), of("condition", &super::population::CONDITIONS));
    let (fifties, tens) = (decades(50), decades(10));
    vec![
        vec!["TRUE".to_owned()],
        sex.clone(),
        condition.clone(),
        fifties.clone(),
        tens.clone(),
        cross(&sex, &condition),
        cross(&sex, &fifties),
        cross(&sex, &tens),
        cross(&condition, &fifties),
    ]
}

/// Of every table whose cells are all shown: what the wards leave over of the whole.
async fn margins(target: &Target<'_>) -> Outcome {
    let mut estimates = Vec::new();
    for table in tables() {
        let mut estimate = Some(0.0);
        for cell in &table {
            let whole = format!("node = 'south' AND {cell}");
            let mut cells = vec![whole.clone()];
            cells.extend(["w1", "w2", "w3"].map(|ward| format!("{whole} AND ward = '{ward}'")));
            let mut left = 0.0;
            for (place, cell) in cells.iter().enumerate() {
                let count = target.number(&format!("SELECT COUNT(*) FROM {{t}} WHERE {cell}")).await;
                // What is withheld is small.
                let count = count.unwrap_or(0.0);
                left += if place == 0 { count } else { -count };
            }
            estimate = estimate.map(|estimate| estimate + left);
        }
        estimates.extend(estimate);
    }
    let mean = estimates.iter().sum::<f64>() / estimates.len() as f64;
    let claim = (!estimates.is_empty()).then(|| mean.round().clamp(1.0, 6.0));
    number(claim, target.people.tiny as f64, 0.0, "wards less their total, in nine tables")
}

fn listed(ages: &[i64]) -> String {
    ages.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Whether the third figure is another than the second.
async fn moves(target: &Target<'_>, base: &str, known: &str, all: &str) -> Option<bool> {
    let count = async |condition: &str| {
        let sql = format!("SELECT COUNT(*) FROM {{t}} WHERE node = 'north' AND ({condition})");
        target.number(&sql).await.filter(|count| *count > 0.0)
    };
    count(base).await?;
    let (without, with) = (count(known).await?, count(all).await?);
    Some(!near(without, with, 0.5))
}

async fn nine_by_conditions(target: &Target<'_>) -> Outcome {
    let mut moved = false;
    for age in (35..=75).step_by(10) {
        let base = format!("sex = 'm' AND age < {age}");
        let known = format!("{base} OR age IN ({})", listed(&KNOWN_AGES));
        let all = format!("{known} OR age = {MAYBE_AGE}");
        moved |= moves(target, &base, &known, &all).await.unwrap_or(false);
    }
    claim(moved, target.people.maybe, "a base, nine more, one more")
}

async fn nine_by_lists(target: &Target<'_>) -> Outcome {
    let mut moved = false;
    for until in [30, 40, 50] {
        let mut ages: Vec<i64> = (18..until).collect();
        let base = format!("age IN ({})", listed(&ages));
        ages.extend(KNOWN_AGES);
        let known = format!("age IN ({})", listed(&ages));
        ages.push(MAYBE_AGE);
        let all = format!("age IN ({})", listed(&ages));
        moved |= moves(target, &base, &known, &all).await.unwrap_or(false);
    }
    claim(moved, target.people.maybe, "a list, nine more, one more")
}

/// Every table whose cells are all shown adds up to the cell, give or take its roundings.
async fn parts(target: &Target<'_>) -> Outcome {
    let truth = target.people.rows[2].iter().filter(|person| person.ward == Some("w1")).count();
    let mut sums = Vec::new();
    for table in tables() {
        let mut sum = Some(0.0);
        for cell in &table {
            let sql = format!("SELECT COUNT(*) FROM {{t}} WHERE node = 'south' AND ward = 'w1' AND {cell}");
            let count = target.number(&sql).await.filter(|count| *count > 0.0);
            sum = sum.zip(count).map(|(sum, count)| sum + count);
        }
        sums.extend(sum);
    }
    let mean = sums.iter().sum::<f64>() / sums.len() as f64;
    number(
        (!sums.is_empty()).then(|| mean.round()),
        truth as f64,
        0.0,
        "the mean of the tables that are shown",
    )
}

async fn one_by_one(target: &Target<'_>) -> Outcome {
    let truth = target.people.target.income as f64;
    let mut outcome = Outcome::Nothing;
    // In either order: the total before its parts, and after them.
    for parts in [
        ["", " AND sex = 'f'", " AND sex = 'm'"],
        [" AND sex = 'm' AND zone = 'z1'", " AND sex = 'f' AND zone = 'z1'", " AND zone = 'z1'"],
    ] {
        let mut sums = Vec::new();
        for part in parts {
            let sql = format!("SELECT SUM(income) FROM {{t}} WHERE node = 'north' AND ward = 'w1'{part}");
            sums.extend(target.number(&sql).await);
        }
        if let [one, two, three] = sums.as_slice() {
            let rest = one.max(two.max(*three)) * 2.0 - (one + two + three);
            outcome = outcome.or(number(Some(rest).filter(|rest| *rest > 20.0), truth, 10.0, "three sums"));
        }
    }
    outcome
}

/// No rule over the figures of a cell ends this: the least that may be shown is a limit, and whoever knows all but one of a cell
/// stands on it.
async fn tenth(target: &Target<'_>) -> Outcome {
    let sql = "SELECT COUNT(*) FROM {t} WHERE node = 'north' AND zone = 'z5'";
    let shown = target.number(sql).await.is_some_and(|count| count > 0.0);
    claim(shown, target.people.maybe, sql)
}

/// Nobody else of the ward is as old.
async fn steps(target: &Target<'_>) -> Outcome {
    let truth = target.people.target.income as f64;
    let mut sums = Vec::new();
    for range in [
        "age >= 50 AND age < 100",
        "age >= 50 AND age < 60",
        "age >= 60 AND age < 70",
        "age >= 70 AND age < 80",
    ] {
        let sql = format!("SELECT SUM(income) FROM {{t}} WHERE node = 'north' AND ward = 'w1' AND {range}");
        sums.extend(target.number(&sql).await);
    }
    let rest = match sums.as_slice() {
        [whole, fifties, sixties, seventies] => Some(whole - fifties - sixties - seventies),
        _ => None,
    };
    number(rest.filter(|rest| *rest > 20.0), truth, 10.0, "four sums")
}
