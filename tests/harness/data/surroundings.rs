//! Public data: air, weather, traffic, rivers, floods.

use super::dice::{Dice, key, rounded};
use super::london::London;
use super::table::{Cell, Dataset};
use super::{Result, Scale};

const YEAR_2026: i32 = 20_454;
const HOUR: i64 = 3_600_000_000;

/// Boroughs (by index) with a gauge in a river.
const RIVERS: [usize; 8] = [1, 4, 9, 15, 17, 20, 22, 26];

/// How far from the night's level to the day's peak, hour by hour: the two rush hours of a working day.
const RUSH: [f64; 24] = [
    0.10, 0.05, 0.00, 0.00, 0.05, 0.20, 0.50, 0.85, 1.00, 0.80, 0.60, 0.55, 0.55, 0.55, 0.60, 0.70, 0.85,
    1.00, 1.00, 0.80, 0.55, 0.40, 0.30, 0.20,
];

pub(super) fn generate(seed: u64, scale: &Scale, london: &London) -> Result<Vec<Dataset>> {
    let mut dice = Dice::new(seed, 6);
    let mut sites = Dataset::new("env_site")?;
    let mut readings = Dataset::new("env_reading")?;
    for (node, borough) in london.boroughs.iter().enumerate() {
        for (number, site_type, dirt) in [(1, "Roadside", 1.0), (2, "Urban Background", 0.55)] {
            let site = format!("{}{number}", code(&borough.id));
            let lat = rounded(51.38 + dice.unit() * 0.24, 4);
            let lon = rounded(-0.42 + dice.unit() * 0.6, 4);
            let row = [
                Cell::Text(&site),
                Cell::Text(&borough.gss),
                Cell::Text(site_type),
                Cell::Float(lat),
                Cell::Float(lon),
            ];
            sites.push(node, &row)?;
            let dirt = dirt * if borough.inner { 1.25 } else { 0.95 } * dice.normal(1.0, 0.06);
            let place = Place { node, gss: &borough.gss, site: &site, dirt, gauge: RIVERS.contains(&node) };
            measure(&mut dice, &mut readings, &place, site_type == "Roadside", scale.days)?;
        }
    }
    Ok(vec![sites, readings, floods(seed, scale, london)?])
}

/// Letters that start a site's code, from the borough's name.
fn code(id: &str) -> String {
    id.chars().filter(char::is_ascii_lowercase).take(4).collect::<String>().to_uppercase()
}

struct Place<'a> {
    node: usize,
    gss: &'a str,
    site: &'a str,
    dirt: f64,
    gauge: bool,
}

fn measure(
    dice: &mut Dice,
    readings: &mut Dataset,
    place: &Place<'_>,
    roadside: bool,
    days: u32,
) -> Result<()> {
    for hour in 0..i64::from(days) * 24 {
        let rush =
            usize::try_from(hour % 24).ok().and_then(|hour| RUSH.get(hour)).copied().unwrap_or_default();
        // 2026-01-01 was a Thursday.
        let working_day = !matches!((hour / 24 + 3) % 7, 5 | 6);
        let traffic = rush * if working_day { 1.0 } else { 0.6 };
        let no2 = place.dirt * (14.0 + 34.0 * traffic) + dice.normal(0.0, 3.0);
        let mut values = vec![("NO2", "µg/m3", rounded(no2.max(0.5), 1))];
        if roadside {
            let pm10 = 13.0 + 11.0 * traffic * place.dirt + dice.normal(0.0, 2.5);
            values.push(("PM10", "µg/m3", rounded(pm10.max(0.5), 1)));
            let flow = 120.0 + 1_300.0 * traffic * place.dirt + dice.normal(0.0, 40.0);
            values.push(("traffic_flow", "vehicles/h", flow.max(0.0).round()));
        } else {
            let swing = if (11..=17).contains(&(hour % 24)) { 2.5 } else { -0.5 };
            values.push(("temp_out", "°C", rounded(5.2 + swing + dice.normal(0.0, 1.2), 1)));
            if place.gauge {
                let storm = if hour % 170 > 150 { 1.2 } else { 0.0 };
                values.push((
                    "river_level",
                    "m",
                    rounded((1.3 + storm + dice.normal(0.0, 0.25)).max(0.1), 2),
                ));
            }
        }
        let ts = Cell::Time(i64::from(YEAR_2026) * 24 * HOUR + hour * HOUR);
        for (measure, unit, value) in values {
            let value = if dice.chance(0.99) { Cell::Float(value) } else { Cell::Null };
            let row = [
                Cell::Text(place.site),
                Cell::Text(place.gss),
                Cell::Text(measure),
                Cell::Text(unit),
                ts,
                value,
            ];
            readings.push(place.node, &row)?;
        }
    }
    Ok(())
}

/// The City of London (node 0) holds the dataset and has no reports.
fn floods(seed: u64, scale: &Scale, london: &London) -> Result<Dataset> {
    let mut dice = Dice::new(seed, 7);
    let mut dataset = Dataset::new("flood_report")?.held_by(0..london.first_charity())?;
    let mut weights = london.weights(|borough| borough.households);
    weights.retain(|(node, _)| *node != 0);
    let sources = [("surface water", 52.0), ("sewer", 24.0), ("river", 18.0), ("groundwater", 6.0)];
    for index in 0..scale.floods {
        let node = dice.weighted(&weights);
        let minute = i64::from(dice.below(scale.days * 1_440));
        let row = [
            Cell::Text(&key('f', seed, index)),
            Cell::Text(&london.borough(node)?.gss),
            Cell::Time(i64::from(YEAR_2026) * 24 * HOUR + minute * (HOUR / 60)),
            Cell::Text(dice.weighted(&sources)),
            if dice.chance(0.95) { Cell::Int(dice.between(1, 24)) } else { Cell::Null },
            Cell::Null,
        ];
        dataset.push(node, &row)?;
    }
    Ok(dataset)
}
