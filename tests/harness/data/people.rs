//! People without a home: outreach contacts, homelessness cases and their support needs, stays with charities.

use super::dice::{Dice, full_name, key, nino};
use super::london::London;
use super::table::{Cell, Dataset};
use super::{Result, Scale};

/// Days since 1970-01-01.
const YEAR_2024: i32 = 19_723;
const YEAR_2025: i32 = 20_089;

/// A person in one year.
struct Sleeper {
    number: u32,
    borough: usize,
    first_ever: bool,
    contacts: u32,
    age_band: &'static str,
    gender: &'static str,
    nationality: &'static str,
}

pub(super) fn generate(seed: u64, scale: &Scale, london: &London) -> Result<Vec<Dataset>> {
    let contacts = rough_sleeping(seed, scale, london)?;
    let (cases, needs) = homelessness(seed, scale, london)?;
    Ok(vec![contacts, cases, needs, stays(seed, scale, london)?])
}

/// 66 % of a year's people were never seen before, 20 % the year before, 14 % earlier.
fn rough_sleeping(seed: u64, scale: &Scale, london: &London) -> Result<Dataset> {
    let mut dice = Dice::new(seed, 1);
    let mut dataset = Dataset::new("rough_sleeping_contact")?.held_by(0..london.first_charity())?;
    let weights = london.weights(|borough| borough.rough);
    let people = scale.rough_sleepers;
    for (year, start, length) in [(0, YEAR_2024, 366), (1, YEAR_2025, 365)] {
        for index in 0..people {
            let share = dice.unit();
            let again = share >= 0.80;
            let number = if again && year == 1 { dice.below(people) } else { year * people + index };
            let sleeper = sleeper(&mut dice, number, share < 0.66, again, &weights);
            contacts(&mut dice, &mut dataset, seed, london, &sleeper, (start, length))?;
        }
    }
    Ok(dataset)
}

fn sleeper(dice: &mut Dice, number: u32, new: bool, again: bool, weights: &[(usize, f64)]) -> Sleeper {
    let contacts = match (new, again) {
        (true, _) if dice.chance(0.7) => 1,
        (true, _) => 2 + dice.below(3),
        (_, true) if dice.chance(0.12) => 11 + dice.below(20),
        (_, true) => 2 + dice.below(8),
        _ => 1 + dice.below(4),
    };
    Sleeper {
        number,
        borough: dice.weighted(weights),
        first_ever: new,
        contacts,
        age_band: dice.weighted(&[
            ("18-25", 9.0),
            ("26-35", 29.0),
            ("36-45", 29.0),
            ("46-55", 21.0),
            ("56+", 12.0),
        ]),
        gender: dice.weighted(&[("male", 83.0), ("female", 15.5), ("other", 0.5), ("", 1.0)]),
        nationality: dice.weighted(&[
            ("UK", 43.0),
            ("Europe", 25.0),
            ("Rest of world", 28.0),
            ("Not known", 4.0),
        ]),
    }
}

fn contacts(
    dice: &mut Dice,
    dataset: &mut Dataset,
    seed: u64,
    london: &London,
    sleeper: &Sleeper,
    (start, length): (i32, i32),
) -> Result<()> {
    let person = key('p', seed, sleeper.number);
    let (name, number) = (full_name(sleeper.number), nino(sleeper.number));
    let first = dice.between(0, length - 1);
    let home = london.borough(sleeper.borough)?;
    for contact in 0..sleeper.contacts {
        let day = if contact == 0 { first } else { (first + dice.between(1, 200)) % length };
        let away = contact > 0 && dice.chance(0.15);
        let seen_at = if away { dice.pick(&home.neighbours) } else { sleeper.borough };
        let category = match sleeper.contacts {
            _ if sleeper.first_ever && day / 92 == first / 92 => "new",
            6.. => "living_on_streets",
            _ => "intermittent",
        };
        let row = [
            Cell::Text(&person),
            Cell::Text(&london.borough(seen_at)?.gss),
            Cell::Date(start + day),
            Cell::Text(category),
            Cell::Text(sleeper.age_band),
            Cell::text(sleeper.gender),
            Cell::Text(sleeper.nationality),
            Cell::Text(&name),
            Cell::Text(&number),
        ];
        dataset.push(seen_at, &row)?;
    }
    Ok(())
}

fn homelessness(seed: u64, scale: &Scale, london: &London) -> Result<(Dataset, Dataset)> {
    let mut dice = Dice::new(seed, 2);
    let mut cases = Dataset::new("homelessness_case")?.held_by(0..london.first_charity())?;
    let mut needs = Dataset::new("case_support_need")?.held_by(0..london.first_charity())?;
    let weights = london.weights(|borough| borough.population * if borough.inner { 1.4 } else { 1.0 });
    for index in 0..scale.homelessness_cases {
        let node = dice.weighted(&weights);
        let gss = &london.borough(node)?.gss;
        let case = key('c', seed, index);
        // One applicant in twelve is also known to outreach.
        let slept_rough = dice.chance(0.08);
        let number = if slept_rough { dice.below(2 * scale.rough_sleepers) } else { 1_000_000 + index };
        push_case(&mut dice, &mut cases, seed, (node, gss), (&case, number, slept_rough))?;
        for (need, share) in NEEDS {
            if dice.chance(share * if slept_rough { 1.6 } else { 1.0 }) {
                needs.push(node, &[Cell::Text(&case), Cell::Text(gss), Cell::Text(need)])?;
            }
        }
    }
    Ok((cases, needs))
}

const NEEDS: [(&str, f64); 9] = [
    ("History of mental health problems", 0.26),
    ("Physical ill health and disability", 0.19),
    ("Domestic abuse", 0.11),
    ("Drug dependency needs", 0.08),
    ("Alcohol dependency needs", 0.06),
    ("Offending history", 0.09),
    ("History of rough sleeping", 0.08),
    ("Care leaver", 0.03),
    ("Learning disability", 0.05),
];

const REASONS: [(&str, f64); 9] = [
    ("Family or friends no longer willing", 27.0),
    ("End of private tenancy", 24.0),
    ("Domestic abuse", 11.0),
    ("Left asylum accommodation", 12.0),
    ("Left institution", 5.0),
    ("Relationship breakdown", 5.0),
    ("Eviction from supported housing", 4.0),
    ("Other", 10.0),
    ("", 2.0),
];

fn push_case(
    dice: &mut Dice,
    cases: &mut Dataset,
    seed: u64,
    (node, gss): (usize, &str),
    (case, number, slept_rough): (&str, u32, bool),
) -> Result<()> {
    let applied = dice.between(YEAR_2024, YEAR_2025 + 364);
    let duty = dice.weighted(&[("prevention", 26.0), ("relief", 60.0), ("main", 14.0)]);
    let lasts = match duty {
        "prevention" => dice.between(10, 90),
        "relief" => dice.between(20, 120),
        _ => dice.between(120, 700),
    };
    let ended = applied + lasts < YEAR_2025 + 365;
    let reasons = [
        ("Secured accommodation", 44.0),
        ("56 days elapsed", if duty == "relief" { 36.0 } else { 10.0 }),
        ("Contact lost", 9.0),
        ("Withdrew", 6.0),
        ("Other", 5.0),
    ];
    let lived = [
        ("Private rented", 27.0),
        ("Social rented", 9.0),
        ("With family or friends", 33.0),
        ("No fixed abode", 14.0),
        ("Temporary accommodation", 7.0),
        ("Not known", 10.0),
    ];
    let household = [
        ("Single adult", 58.0),
        ("Single parent", 25.0),
        ("Couple with children", 9.0),
        ("Couple without children", 5.0),
        ("Other", 3.0),
    ];
    let ages = [
        ("16-17", 1.0),
        ("18-24", 20.0),
        ("25-34", 31.0),
        ("35-44", 25.0),
        ("45-54", 13.0),
        ("55-64", 7.0),
        ("65+", 3.0),
    ];
    cases.push(
        node,
        &[
            Cell::Text(case),
            Cell::Text(&key('p', seed, number)),
            Cell::Text(gss),
            Cell::Date(applied),
            Cell::Text(duty),
            Cell::text(dice.weighted(&REASONS)),
            Cell::Text(if slept_rough { "Rough sleeping" } else { dice.weighted(&lived) }),
            Cell::Text(dice.weighted(&household)),
            Cell::Text(dice.weighted(&ages)),
            if ended { Cell::Date(applied + lasts) } else { Cell::Null },
            if ended { Cell::Text(dice.weighted(&reasons)) } else { Cell::Null },
            if dice.chance(0.9) { Cell::Float(f64::from(dice.between(0, 30)) * 100.0) } else { Cell::Null },
            Cell::Text(&full_name(number)),
            Cell::Text(&nino(number)),
        ],
    )
}

fn stays(seed: u64, scale: &Scale, london: &London) -> Result<Dataset> {
    let mut dice = Dice::new(seed, 3);
    let mut dataset = Dataset::new("accommodation_stay")?;
    let weights = london.weights(|borough| borough.rough);
    // The last charity has just joined: it holds the dataset and has no rows yet.
    let charities: Vec<usize> = (0..7).map(|charity| london.first_charity() + charity).collect();
    dataset.hold(london.first_charity() + 7)?;
    let kinds =
        [("hostel", 48.0), ("assessment bed", 22.0), ("night shelter", 12.0), ("supported flat", 18.0)];
    let outcomes = [
        ("private rented", 24.0),
        ("social tenancy", 18.0),
        ("reconnection", 8.0),
        ("abandoned", 20.0),
        ("evicted", 12.0),
        ("other hostel", 18.0),
    ];
    for index in 0..scale.stays {
        let number = if dice.chance(0.8) { dice.below(2 * scale.rough_sleepers) } else { 2_000_000 + index };
        let kind = dice.weighted(&kinds);
        let start = dice.between(YEAR_2024, YEAR_2025 + 360);
        let length = if kind == "night shelter" { dice.between(1, 28) } else { dice.between(14, 400) };
        let ended = start + length < YEAR_2025 + 365;
        let charge = i128::from(dice.between(12_000, 42_000));
        let row = [
            Cell::Text(&key('p', seed, number)),
            Cell::Text(&london.borough(dice.weighted(&weights))?.gss),
            Cell::Text(kind),
            Cell::Date(start),
            if ended { Cell::Date(start + length) } else { Cell::Null },
            if ended { Cell::Text(dice.weighted(&outcomes)) } else { Cell::Null },
            if kind == "night shelter" { Cell::Null } else { Cell::Pence(charge) },
            Cell::Text(&full_name(number)),
            Cell::Text(&nino(number)),
        ];
        dataset.push(dice.pick(&charities), &row)?;
    }
    Ok(dataset)
}
