//! What temperature and relative humidity say of a room: dew point, water in the air, humidity at a cold surface, and where mould
//! begins to grow. Temperatures in °C, humidities in per cent, pressures in Pa. What is outside the ranges has no value.
//!
//! Saturation pressure is that of EN ISO 13788:2012, annex E (E.7, E.8), and so is its inverse (E.9, E.10). Critical humidity is that
//! of Hukka and Viitanen (1999), *A mathematical model of mould growth on wooden material*, Wood Science and Technology 33,
//! doi:10.1007/s002260050131, eq. 1. fRsi is the surface's temperature factor of EN ISO 13788 (UK criterion for dwellings: 0.75).

/// Degrees that sensors and weather have.
const DEGREES: std::ops::RangeInclusive<f64> = -80.0..=100.0;

/// Pa at 0 °C.
const TRIPLE: f64 = 610.5;

pub(crate) fn plausible(temperature: f64, humidity: f64) -> bool {
    DEGREES.contains(&temperature) && (0.0..=100.0).contains(&humidity)
}

/// Over water, below 0 °C over ice.
fn saturation_pressure(temperature: f64) -> f64 {
    if temperature >= 0.0 {
        TRIPLE * (17.269 * temperature / (237.3 + temperature)).exp()
    } else {
        TRIPLE * (21.875 * temperature / (265.5 + temperature)).exp()
    }
}

fn vapour_pressure(temperature: f64, humidity: f64) -> f64 {
    humidity / 100.0 * saturation_pressure(temperature)
}

/// °C at which water would condense, of air temperature and relative humidity; air without water has none.
pub fn dew_point(arguments: &[f64]) -> Option<f64> {
    let [temperature, humidity] = *arguments else { return None };
    if !plausible(temperature, humidity) || humidity == 0.0 {
        return None;
    }
    let log = (vapour_pressure(temperature, humidity) / TRIPLE).ln();
    let point = if log >= 0.0 { 237.3 * log / (17.269 - log) } else { 265.5 * log / (21.875 - log) };
    point.is_finite().then_some(point)
}

/// g/m³ of water, of air temperature and relative humidity.
pub fn absolute_humidity(arguments: &[f64]) -> Option<f64> {
    let [temperature, humidity] = *arguments else { return None };
    plausible(temperature, humidity)
        .then(|| 2.16679 * vapour_pressure(temperature, humidity) / (temperature + 273.15))
}

/// Relative humidity at the coldest surface, of air temperature, relative humidity, outdoor temperature and fRsi; above 100 %, water
/// condenses there.
pub fn surface_humidity(arguments: &[f64]) -> Option<f64> {
    let [temperature, humidity, outdoors, factor] = *arguments else { return None };
    if !plausible(temperature, humidity) || !DEGREES.contains(&outdoors) || !(0.0..=1.0).contains(&factor) {
        return None;
    }
    let surface = outdoors + factor * (temperature - outdoors);
    Some(100.0 * vapour_pressure(temperature, humidity) / saturation_pressure(surface))
}

/// Relative humidity at a surface of that temperature, above which mould grows, for very sensitive materials; outside 0 to 50 °C none
/// does.
pub fn critical_humidity(arguments: &[f64]) -> Option<f64> {
    let [temperature] = *arguments else { return None };
    if !(0.0..=50.0).contains(&temperature) {
        return None;
    }
    if temperature > 20.0 {
        return Some(80.0);
    }
    Some(-0.002_67 * temperature.powi(3) + 0.160 * temperature.powi(2) - 3.13 * temperature + 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn about(value: Option<f64>, expected: f64, within: f64) {
        let value = value.unwrap();
        assert!((value - expected).abs() <= within, "{value} is not {expected}");
    }

    /// Worked by hand from the formulas.
    #[test]
    fn values_are_those_of_the_standards() {
        about(Some(saturation_pressure(20.0)), 2337.0, 0.5);
        about(Some(vapour_pressure(20.0, 60.0)), 1402.2, 0.1);
        about(dew_point(&[20.0, 60.0]), 12.00, 0.005);
        about(dew_point(&[18.0, 70.0]), 12.45, 0.005);
        about(dew_point(&[16.0, 80.0]), 12.55, 0.005);
        about(absolute_humidity(&[20.0, 60.0]), 10.36, 0.005);
        about(surface_humidity(&[18.0, 70.0, 5.0, 0.75]), 86.1, 0.05);
        about(surface_humidity(&[18.0, 70.0, 5.0, 0.5]), 106.5, 0.05);
        about(critical_humidity(&[5.0]), 88.02, 0.005);
        about(critical_humidity(&[10.0]), 82.03, 0.005);
        about(critical_humidity(&[20.0]), 80.04, 0.005);
        about(critical_humidity(&[35.0]), 80.0, 0.0);
    }

    /// The dew point of saturated air is its temperature, on both sides of freezing.
    #[test]
    fn saturated_air_is_at_its_dew_point() {
        for tenths in (-300..400).step_by(7) {
            let temperature = f64::from(tenths) / 10.0;
            about(dew_point(&[temperature, 100.0]), temperature, 1e-9);
            about(surface_humidity(&[temperature, 55.0, -3.0, 1.0]), 55.0, 1e-9);
        }
    }

    #[test]
    fn what_makes_no_sense_has_no_value() {
        for odd in [f64::NAN, f64::INFINITY, -1e308, 1e308, -300.0] {
            assert_eq!(dew_point(&[odd, 50.0]), None);
            assert_eq!(dew_point(&[20.0, odd]), None);
            assert_eq!(absolute_humidity(&[odd, 50.0]), None);
            assert_eq!(surface_humidity(&[20.0, 50.0, odd, 0.7]), None);
            assert_eq!(surface_humidity(&[20.0, 50.0, 5.0, odd]), None);
            assert_eq!(critical_humidity(&[odd]), None);
        }
        assert_eq!(dew_point(&[20.0, 0.0]), None);
        assert_eq!(dew_point(&[20.0]), None);
        assert_eq!(absolute_humidity(&[20.0, 100.1]), None);
    }
}
