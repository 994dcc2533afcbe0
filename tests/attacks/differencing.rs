//! Attacks by comparing answers: two cells that differ by a few people, margins, trackers, averages.

use jigsaw_proto::aggregate::State;
use jigsaw_proto::expr::{BinaryOp, Expr};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::fragment::{all, column, count_if, equal, filtered, int, of, scan};
use super::population::{CONDITIONS, KNOWN_AGES, MAYBE_AGE, TARGET_AGE};
use super::target::{Goal, Outcome, Target, attacks, claim, near, number, text};

/// One of five counts is behind a number rounded to five.
const OF_FIVE: Goal = Goal::Guess(0.2);
/// As good as never: one of eighty thousand incomes.
const BLIND: Goal = Goal::Guess(0.0);

attacks! {
    "A04", "a sum, and the same without one", "income of the one in a cell", Analyst, Goal::Never, sums;
    "A04b", "a count, and the same with one", "condition of the one in a cell", Analyst, Goal::Never, counts;
    "A05", "tracker: unions with overlapping sets", "size of a small cell", Analyst, Goal::Never, tracker;
    "A06", "known people added up to the rounding boundary", "exact count of a cell", Analyst, OF_FIVE, boundary;
    "A07", "one question over and over", "a second answer", Analyst, Goal::Never, repetition;
    "A08", "64 partitions of a cell, 128 counts", "exact count of a cell", Analyst, OF_FIVE, partitions;
    "A09", "one condition in other words", "a second answer", Analyst, BLIND, other_words;
    "A27", "margin less its parts", "income of the one in a cell", Analyst, Goal::Never, margins;
    "A36", "refusal as an answer", "that somebody exists", Both, Goal::Never, oracle;
    "A38", "London without one borough", "size of a small cell", Analyst, Goal::Never, without_one;
    "A39", "a borough's withheld cell from the total", "size of a small cell", Analyst, Goal::Never, from_total;
    "A41", "two analysts, half a question each", "income of the one in a cell", Coordinator, Goal::Never, collusion;
    "A43", "ranges that slide by one", "income of the one in a cell", Analyst, BLIND, sliding;
    "A44", "two geographies that nearly agree", "income of the one in a cell", Analyst, BLIND, geographies;
}

/// The difference of two cells of one answer.
fn difference(numbers: &[Option<f64>]) -> Option<f64> {
    match numbers {
        [Some(with), Some(without)] => Some(with - without),
        _ => None,
    }
}

/// Each sum is rounded to 5: the difference is off by 5 at most.
async fn income(target: &Target<'_>, with: &str, without: &str) -> Outcome {
    let truth = target.people.target.income as f64;
    let sum = |condition| format!("SELECT SUM(income) FROM {{t}} WHERE {condition}");
    // In two questions; then side by side in one.
    let apart = [target.number(&sum(with)).await, target.number(&sum(without)).await];
    let both =
        format!("SELECT SUM(income) FILTER (WHERE {with}), SUM(income) FILTER (WHERE {without}) FROM {{t}}");
    let together = target.numbers(&both).await;
    let at_least = |claim: Option<f64>| claim.filter(|claim| *claim > 5.0);
    number(at_least(difference(&apart)), truth, 5.0, &sum(without)).or(number(
        at_least(difference(&together)),
        truth,
        5.0,
        &both,
    ))
}

async fn sums(target: &Target<'_>) -> Outcome {
    income(target, "node = 'north' AND ward = 'w1'", "node = 'north' AND ward = 'w1' AND sex <> 'x'").await
}

async fn sliding(target: &Target<'_>) -> Outcome {
    let range = |end| format!("node = 'north' AND ward = 'w1' AND age BETWEEN 40 AND {end}");
    income(target, &range(TARGET_AGE), &range(TARGET_AGE - 1)).await
}

async fn geographies(target: &Target<'_>) -> Outcome {
    income(target, "node = 'north' AND ward = 'w1'", "node = 'north' AND zone = 'z1'").await
}

/// Backgrounds of everybody below some age, each of one sex: somewhere, one more is the one that rounds up.
fn backgrounds(step: usize) -> Vec<String> {
    let ages = (25..75).step_by(step);
    let of = |sex| move |age| format!("sex = '{sex}' AND age < {age}");
    ages.clone().map(of("f")).chain(ages.map(of("m"))).collect()
}

/// Counts of the backgrounds, and of the backgrounds with somebody more.
async fn with_and_without(target: &Target<'_>, node: &str, more: &str, step: usize) -> Vec<(f64, f64)> {
    let count = |condition: &str| format!("COUNT(*) FILTER (WHERE {condition})");
    let backgrounds = backgrounds(step);
    let here = format!("node = '{node}'");
    let less: Vec<String> =
        backgrounds.iter().map(|people| count(&format!("{people} AND NOT ({more})"))).collect();
    let more: Vec<String> =
        backgrounds.iter().map(|people| count(&format!("{people} OR ({more})"))).collect();
    let without = target.aggregates(&less, &here).await;
    let with = target.aggregates(&more, &here).await;
    let shown = |count: &Option<f64>| count.filter(|count| *count > 0.0);
    without.iter().zip(&with).filter_map(|(less, more)| Some((shown(less)?, shown(more)?))).collect()
}

async fn counts(target: &Target<'_>) -> Outcome {
    let mut moved = Vec::new();
    for condition in CONDITIONS {
        let more = format!("age = {TARGET_AGE} AND condition = '{condition}'");
        let pairs = with_and_without(target, "north", &more, 3).await;
        if pairs.iter().any(|(without, with)| !near(*without, *with, 0.5)) {
            moved.push(condition);
        }
    }
    let only = (moved.len() == 1).then(|| moved[0]);
    text(
        only,
        target.people.target.condition,
        "COUNT(*) of backgrounds, with and without one person's description",
    )
}

/// E(round(n + t) − round(n)) = t where n mod 5 is anything.
async fn tracker(target: &Target<'_>) -> Outcome {
    let pairs = with_and_without(target, "south", "ward = 'w4'", 1).await;
    let mean = pairs.iter().map(|(without, with)| with - without).sum::<f64>() / pairs.len() as f64;
    let estimate = mean.round();
    let sure = pairs.len() > 50 && (1.0..=6.0).contains(&estimate);
    number(
        sure.then_some(estimate),
        target.people.tiny as f64,
        0.0,
        "100 backgrounds, with and without the cell",
    )
}

/// The first that is rounded up has 3 over a multiple of 5.
async fn boundary(target: &Target<'_>) -> Outcome {
    let truth = target.people.north(|person| person.ward == Some("w1") && person.sex == "f");
    let count = |known: usize| {
        let ages: Vec<String> = KNOWN_AGES[..known].iter().map(ToString::to_string).collect();
        let more = if known == 0 { String::new() } else { format!(" OR age IN ({})", ages.join(", ")) };
        format!("COUNT(*) FILTER (WHERE ward = 'w1' AND sex = 'f'{more})")
    };
    let aggregates: Vec<String> = (0..=KNOWN_AGES.len()).map(count).collect();
    let counts = target.aggregates(&aggregates, "node = 'north'").await;
    let counts: Option<Vec<f64>> = counts.into_iter().collect();
    let claim = counts.and_then(|counts| {
        let known = (1..counts.len()).find(|known| counts[*known] > counts[known - 1])?;
        Some(counts[known] - 2.0 - known as f64)
    });
    number(claim, truth as f64, 0.0, "counts of the cell and 0 to 9 known people")
}

/// Whether questions that mean the same are answered alike.
async fn second_answer(
    target: &Target<'_>,
    conditions: &[&str],
    form: impl Fn(&str) -> Vec<String>,
) -> Outcome {
    let mut answers = Vec::new();
    for condition in conditions {
        for sql in form(condition) {
            if let [Some(count), ..] = target.numbers(&sql).await.as_slice() {
                answers.push((sql, *count));
            }
        }
    }
    let other = answers.iter().find(|(_, count)| !near(*count, answers[0].1, 0.5));
    claim(other.is_some(), true, other.map_or("", |(sql, _)| sql))
}

async fn repetition(target: &Target<'_>) -> Outcome {
    second_answer(target, &["node = 'north' AND ward = 'w1' AND sex = 'f'"], |condition| {
        let mut forms: Vec<String> =
            (0..12).map(|_| format!("SELECT COUNT(*) FROM {{t}} WHERE {condition}")).collect();
        forms.extend([
            format!("select  count(*)  from {{t}}  where {condition}"),
            format!("SELECT COUNT(*) AS c, SUM(income) FROM {{t}} WHERE {condition}"),
            format!("SELECT COUNT(1) FROM {{t}} AS other WHERE {condition}"),
            format!("SELECT COUNT(*) FILTER (WHERE {condition}) FROM {{t}}"),
        ]);
        forms
    })
    .await
}

async fn other_words(target: &Target<'_>) -> Outcome {
    let conditions = [
        "node = 'north' AND ward = 'w1' AND sex = 'f'",
        "sex = 'f' AND ward = 'w1' AND node = 'north'",
        "node = 'north' AND NOT (ward <> 'w1' OR sex <> 'f')",
        "node = 'north' AND ward IN ('w1') AND sex LIKE 'f'",
        "node = 'north' AND CASE WHEN ward = 'w1' THEN sex = 'f' ELSE FALSE END",
        "node = 'north' AND ward || sex = 'w1f'",
        "node = 'north' AND upper(ward) = 'W1' AND sex < 'm'",
        "node = 'north' AND ward BETWEEN 'w1' AND 'w1' AND sex NOT IN ('m', 'x')",
        "node = 'north' AND ward = 'w1' AND sex = 'f' AND age + 0 = age",
    ];
    let form = |condition: &str| vec![format!("SELECT COUNT(*) FROM {{t}} WHERE {condition}")];
    second_answer(target, &conditions, form).await
}

/// Rounding errors of two halves average out over partitions (Asghar and Kaafar 2019, "Averaging attacks on bounded noise-based
/// disclosure control algorithms").
async fn partitions(target: &Target<'_>) -> Outcome {
    let truth = target.people.north(|person| person.ward == Some("w1"));
    let mut random = ChaCha8Rng::seed_from_u64(target.people.seed);
    let mut aggregates = Vec::new();
    for _ in 0..64 {
        let ages: Vec<String> =
            (18..80).filter(|_| random.random::<bool>()).map(|age: i64| age.to_string()).collect();
        for not in ["", "NOT "] {
            aggregates.push(format!("COUNT(*) FILTER (WHERE age {not}IN ({}))", ages.join(", ")));
        }
    }
    let counts = target.aggregates(&aggregates, "node = 'north' AND ward = 'w1'").await;
    let sums: Vec<f64> = counts.chunks(2).filter_map(|halves| Some(halves[0]? + halves[1]?)).collect();
    let mean = sums.iter().sum::<f64>() / sums.len() as f64;
    number((sums.len() > 16).then(|| mean.round()), truth as f64, 0.0, "mean of 64 partitions")
}

async fn margins(target: &Target<'_>) -> Outcome {
    let truth = target.people.target.income as f64;
    let total = target.number("SELECT SUM(income) FROM {t} WHERE node = 'north' AND ward = 'w1'").await;
    let sql = "SELECT sex, SUM(income) FROM {t} WHERE node = 'north' AND ward = 'w1' GROUP BY sex";
    let parts = target.sql(sql).await.unwrap_or_default();
    let parts: Vec<f64> = parts.iter().filter_map(|row| row[1].as_deref()?.parse().ok()).collect();
    let rest = total.filter(|_| parts.len() == 2).map(|total| total - parts.iter().sum::<f64>());
    let rollup =
        "SELECT sex, SUM(income) FROM {t} WHERE node = 'north' AND ward = 'w1' GROUP BY ROLLUP (sex)";
    let rolled = target.sql(rollup).await.unwrap_or_default();
    let all =
        rolled.iter().find(|row| row[0].is_none()).and_then(|row| row[1].as_deref()?.parse::<f64>().ok());
    let parts =
        rolled.iter().filter(|row| row[0].is_some()).filter_map(|row| row[1].as_deref()?.parse::<f64>().ok());
    let rolled = all.map(|all| all - parts.sum::<f64>());
    number(rest.filter(|rest| *rest > 8.0), truth, 8.0, sql).or(number(rolled, truth, 8.0, rollup))
}

/// With somebody who may not exist: any difference is her.
async fn oracle(target: &Target<'_>) -> Outcome {
    let pairs = with_and_without(target, "north", &format!("age = {MAYBE_AGE}"), 2).await;
    let moved = pairs.iter().any(|(without, with)| !near(*without, *with, 0.5));
    let range = |end: i64| {
        let in_range = Expr::Between {
            operand: Box::new(column("age")),
            low: Box::new(int(30)),
            high: Box::new(int(end)),
            negated: false,
        };
        all(filtered(scan(target.dataset), in_range), vec![of(State::Sum, column("income"))])
    };
    let word = |found: Result<harness::exchange::Released, tonic::Status>| match found {
        Ok(released) => format!("{:?}", super::target::rows(&released.batches)),
        Err(status) => status.message().to_owned(),
    };
    let without = word(target.fragment("north", range(MAYBE_AGE - 1)).await);
    let with = word(target.fragment("north", range(MAYBE_AGE)).await);
    let by = "COUNT(*) of backgrounds, with and without her";
    claim(moved, target.people.maybe, by).or(claim(
        without != with,
        target.people.maybe,
        "SUM(income) by range of age",
    ))
}

async fn without_one(target: &Target<'_>) -> Outcome {
    let numbers = target
        .numbers(
            "SELECT COUNT(*) FILTER (WHERE ward = 'w4'), COUNT(*) FILTER (WHERE ward = 'w4' AND node <> 'south'), \
             COUNT(*) FILTER (WHERE ward = 'w4' AND node IN ('north', 'east')) FROM {t}",
        )
        .await;
    let apart = [
        target.number("SELECT COUNT(*) FROM {t} WHERE ward = 'w4'").await,
        target.number("SELECT COUNT(*) FROM {t} WHERE ward = 'w4' AND node <> 'south'").await,
    ];
    let small = |claim: Option<f64>| claim.filter(|claim| (1.0..=6.0).contains(claim));
    let truth = target.people.tiny as f64;
    number(small(difference(&numbers[..numbers.len().min(2)])), truth, 2.0, "FILTER").or(number(
        small(difference(&apart)),
        truth,
        2.0,
        "WHERE node <> 'south'",
    ))
}

async fn from_total(target: &Target<'_>) -> Outcome {
    let truth = target.people.tiny as f64;
    let total = target.number("SELECT COUNT(*) FROM {t} WHERE ward = 'w4'").await;
    let sql = "SELECT node, COUNT(*) FROM {t} WHERE ward = 'w4' GROUP BY node";
    let parts = target.sql(sql).await.unwrap_or_default();
    let parts: f64 = parts.iter().filter_map(|row| row[1].as_deref()?.parse::<f64>().ok()).sum();
    let rest = total.map(|total| total - parts).filter(|rest| (1.0..=10.0).contains(rest));
    let here = target.number("SELECT COUNT(*) FROM {t} WHERE node = 'south'").await;
    let sql = "SELECT ward, COUNT(*) FROM {t} WHERE node = 'south' GROUP BY ward";
    let wards = target.sql(sql).await.unwrap_or_default();
    let wards: f64 = wards.iter().filter_map(|row| row[1].as_deref()?.parse::<f64>().ok()).sum();
    // Four roundings: right to within one is luck, so only what could not be nobody is claimed.
    let off = here.map(|here| here - wards).filter(|rest| *rest > 10.0);
    number(rest, truth, 2.0, "total over nodes").or(number(off, truth, 1.0, "total over wards"))
}

/// What one may not ask, two ask.
async fn collusion(target: &Target<'_>) -> Outcome {
    let truth = target.people.target.income as f64;
    let ward = || equal(column("ward"), super::fragment::words("w1"));
    let without =
        ward().binary(BinaryOp::And, column("sex").binary(BinaryOp::NotEq, super::fragment::words("x")));
    let sum = |predicate| {
        let measures = vec![of(State::Sum, column("income")), count_if(ward())];
        all(filtered(scan(target.dataset), predicate), measures)
    };
    let first = |found: Result<harness::exchange::Released, tonic::Status>| -> Option<f64> {
        let rows = super::target::rows(&found.ok()?.batches);
        rows.first()?.first()?.as_deref()?.parse().ok()
    };
    let with = first(target.fragment_as("north", sum(ward()), "ada").await);
    let without = first(target.fragment_as("north", sum(without), "bob").await);
    let claim = difference(&[with, without]).filter(|claim| *claim > 5.0);
    number(claim, truth, 5.0, "one sum by ada, one by bob")
}
