//! Children: the roll of the borough of the school, the benefits of the borough of the home.

use super::dice::{Dice, full_name, key, nino};
use super::london::London;
use super::table::{Cell, Dataset};
use super::{Result, Scale};

/// 2026-01-15 and 2026-01-01.
const CENSUS: i32 = 20_468;
const EXTRACT: i32 = 20_454;

const BENEFITS: [(&str, f64); 3] =
    [("universal credit", 62.0), ("housing benefit", 23.0), ("council tax support", 15.0)];

/// One pupil in twelve at primary and one in five at secondary schools crosses a border: 13 % in all.
pub(super) fn generate(seed: u64, scale: &Scale, london: &London) -> Result<Vec<Dataset>> {
    let mut dice = Dice::new(seed, 4);
    let mut pupils = Dataset::new("school_census_pupil")?.held_by(0..london.first_charity())?;
    let mut benefits = Dataset::new("benefit_child")?.held_by(0..london.first_charity())?;
    let weights = london.weights(|borough| borough.children);
    for index in 0..scale.pupils {
        let home = dice.weighted(&weights);
        let year = dice.between(1, 11);
        let secondary = year > 6;
        let at_home = london.borough(home)?;
        let leaves = dice.chance(if secondary { 0.20 } else { 0.08 });
        let nearby = if leaves { dice.pick(&at_home.neighbours) } else { home };
        // The City has no secondary school of its own.
        let school = if secondary && london.borough(nearby)?.secondary.is_empty() {
            dice.pick(&at_home.neighbours)
        } else {
            nearby
        };
        let school = if secondary && london.borough(school)?.secondary.is_empty() { 18 } else { school };
        let at_school = london.borough(school)?;
        let urn = dice.pick(if secondary { &at_school.secondary } else { &at_school.primary });
        let entitled = dice.chance(0.26);
        let claims = entitled && dice.chance(if school == home { 0.90 } else { 0.72 });
        let child = key('k', seed, index);
        let name = full_name(index);
        let row = [
            Cell::Text(&child),
            Cell::Int(urn),
            Cell::Text(&at_school.gss),
            Cell::Text(&at_home.gss),
            Cell::Int(year),
            Cell::Bool(claims),
            Cell::Date(CENSUS),
            Cell::Text(&name),
        ];
        pupils.push(school, &row)?;
        if entitled || dice.chance(0.07) {
            push_benefit(&mut dice, &mut benefits, home, (&child, &at_home.gss, entitled), index)?;
        }
    }
    // Entitled children who are on no London roll.
    for index in scale.pupils..scale.pupils + scale.pupils / 100 {
        let home = dice.weighted(&weights);
        let child = key('k', seed, index);
        push_benefit(&mut dice, &mut benefits, home, (&child, &london.borough(home)?.gss, true), index)?;
    }
    Ok(vec![pupils, benefits])
}

fn push_benefit(
    dice: &mut Dice,
    benefits: &mut Dataset,
    home: usize,
    (child, gss, entitled): (&str, &str, bool),
    number: u32,
) -> Result<()> {
    benefits.push(
        home,
        &[
            Cell::Text(child),
            Cell::Text(gss),
            Cell::Text(dice.weighted(&BENEFITS)),
            Cell::Bool(entitled),
            Cell::Date(EXTRACT),
            Cell::Text(&full_name(number)),
            Cell::Text(&nino(number + 300_000)),
        ],
    )
}
