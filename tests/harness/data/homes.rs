//! Council dwellings: walls, sensors, readings, reports of damp.

use super::dice::{Dice, key, rounded};
use super::london::London;
use super::table::{Cell, Dataset};
use super::{Result, Scale};

/// Days since 1970-01-01.
const YEAR_2024: i32 = 19_723;
const YEAR_2026: i32 = 20_454;
const HOUR: i64 = 3_600_000_000;

/// Wall, share of dwellings, chance of a report of damp in two years, extra relative humidity.
const WALLS: [(&str, f64, f64, f64); 5] = [
    ("solid brick", 0.36, 0.20, 7.0),
    ("cavity insulated", 0.36, 0.06, 0.0),
    ("cavity uninsulated", 0.14, 0.13, 4.0),
    ("system built", 0.09, 0.24, 9.0),
    ("timber frame", 0.05, 0.07, 1.0),
];
const WARDS: [&str; 6] = ["Central", "Northfield", "Southgate", "Eastbrook", "Westway", "Riverside"];
const BUILT: [(&str, f64); 5] = [
    ("before 1919", 20.0),
    ("1919-1944", 18.0),
    ("1945-1964", 25.0),
    ("1965-1980", 24.0),
    ("after 1980", 13.0),
];
const EPC: [(&str, f64); 8] =
    [("A", 0.5), ("B", 9.0), ("C", 41.0), ("D", 32.0), ("E", 9.0), ("F", 2.0), ("G", 0.5), ("", 6.0)];
const ROOMS: [(&str, f64); 4] =
    [("bedroom", 45.0), ("living room", 30.0), ("bathroom", 15.0), ("kitchen", 10.0)];

pub(super) fn generate(seed: u64, scale: &Scale, london: &London) -> Result<Vec<Dataset>> {
    let mut dice = Dice::new(seed, 5);
    let mut properties = Dataset::new("property")?.held_by(0..london.first_charity())?;
    let mut sensors = Dataset::new("sensor")?;
    let mut readings = Dataset::new("sensor_reading")?;
    let mut cases = Dataset::new("damp_case")?.held_by(0..london.first_charity())?;
    let weights = london.weights(|borough| borough.households);
    let every = (scale.properties / scale.sensors.max(1)).max(1);
    let mut hung = 0;
    for index in 0..scale.properties {
        let node = dice.weighted(&weights);
        let gss = london.borough(node)?.gss.as_str();
        let home = key('u', seed, index);
        let (wall, damp, humidity) = wall(&mut dice);
        property(&mut dice, &mut properties, (node, gss, index), (&home, wall))?;
        if dice.chance(damp) {
            report(&mut dice, &mut cases, (node, gss), (&key('d', seed, index), &home))?;
        }
        // Eighteen boroughs take part in the sensor project.
        let takes_part = node % 2 == 1 || node == 18 || node == 30;
        if takes_part && hung < scale.sensors && index / every * 2 >= hung {
            let sensor = key('s', seed, hung);
            let room = dice.weighted(&ROOMS);
            sensors
                .push(node, &[Cell::Text(&sensor), Cell::Text(&home), Cell::Text(gss), Cell::Text(room)])?;
            climate(&mut dice, &mut readings, (node, gss, &sensor), scale.days, (room, humidity))?;
            hung += 1;
        }
    }
    Ok(vec![properties, sensors, readings, cases])
}

fn wall(dice: &mut Dice) -> (&'static str, f64, f64) {
    let choices = WALLS.map(|(wall, share, damp, humidity)| ((wall, damp, humidity), share));
    dice.weighted(&choices)
}

fn property(
    dice: &mut Dice,
    properties: &mut Dataset,
    (node, gss, index): (usize, &str, u32),
    (home, wall): (&str, &str),
) -> Result<()> {
    let bedrooms = dice.weighted(&[(0, 6.0), (1, 30.0), (2, 36.0), (3, 22.0), (4, 5.0), (5, 1.0)]);
    let cost = i64::from(bedrooms) * 62_000 + 90_000 + i64::from(dice.between(0, 99)) * 500;
    let row = [
        Cell::Text(home),
        Cell::Text(gss),
        Cell::Text(dice.pick(&WARDS)),
        Cell::Text(dice.weighted(&BUILT)),
        Cell::Text(wall),
        Cell::text(dice.weighted(&EPC)),
        Cell::Int(bedrooms),
        if dice.chance(0.97) { Cell::Long(cost) } else { Cell::Null },
        Cell::Text(&format!("{} Sample Street", index % 400 + 1)),
    ];
    properties.push(node, &row)
}

/// Most reports come in winter. The City of London (node 0) does not book repair costs at all.
fn report(
    dice: &mut Dice,
    cases: &mut Dataset,
    (node, gss): (usize, &str),
    (case, home): (&str, &str),
) -> Result<()> {
    let mut reported = dice.between(YEAR_2024, YEAR_2026 - 1);
    let day_of_year = (reported - YEAR_2024) % 365;
    if (100..270).contains(&day_of_year) && dice.chance(0.6) {
        reported = (reported + 160).min(YEAR_2026 - 1);
    }
    let severity = dice.weighted(&[("emergency", 6.0), ("significant", 54.0), ("minor", 40.0)]);
    let wait = if severity == "emergency" { dice.between(0, 3) } else { dice.between(3, 24) };
    let investigated = reported + wait < YEAR_2026 && dice.chance(0.96);
    let confirmed = investigated && dice.chance(0.71);
    let safe = reported + wait + dice.between(2, 60);
    let made_safe = confirmed && safe < YEAR_2026;
    let cost = i128::from(dice.between(4_000, 380_000));
    let row = [
        Cell::Text(case),
        Cell::Text(home),
        Cell::Text(gss),
        Cell::Date(reported),
        if investigated { Cell::Date(reported + wait) } else { Cell::Null },
        if investigated { Cell::Bool(confirmed) } else { Cell::Null },
        if made_safe { Cell::Date(safe) } else { Cell::Null },
        Cell::Text(severity),
        if made_safe && node != 0 { Cell::Pence(cost) } else { Cell::Null },
    ];
    cases.push(node, &row)
}

/// Warm in the evening, humid in the night, both depending on the wall and the room.
fn climate(
    dice: &mut Dice,
    readings: &mut Dataset,
    (node, gss, sensor): (usize, &str, &str),
    days: u32,
    (room, humidity): (&str, f64),
) -> Result<()> {
    let wet = if room == "bathroom" { 5.0 } else { 0.0 };
    let base = dice.normal(18.6, 1.3);
    let damp = dice.normal(56.0 + humidity + wet, 5.0);
    for hour in 0..i64::from(days) * 24 {
        let of_day = hour % 24;
        let warmer = match of_day {
            0..=5 => -1.2,
            6..=8 => 0.6,
            9..=15 => 0.0,
            16..=22 => 1.4,
            _ => 0.2,
        };
        let temp = rounded(base + warmer + dice.normal(0.0, 0.4), 1);
        let rh = rounded((damp - 1.8 * warmer + dice.normal(0.0, 2.5)).clamp(20.0, 99.0), 1);
        let works = dice.chance(0.995);
        let row = [
            Cell::Text(sensor),
            Cell::Text(gss),
            Cell::Time(i64::from(YEAR_2026) * 24 * HOUR + hour * HOUR),
            if works { Cell::Float(temp) } else { Cell::Null },
            if works { Cell::Float(rh) } else { Cell::Null },
        ];
        readings.push(node, &row)?;
    }
    Ok(())
}
