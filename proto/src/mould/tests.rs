use super::*;

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

/// Readings every so many hours, the last one at the end.
fn constant(days: i64, every: i64, temperature: f64, humidity: f64) -> Readings {
    let mut readings = Readings::default();
    for hour in (0..=days * 24).step_by(usize::try_from(every).unwrap()) {
        readings.push(hour * HOUR, temperature, humidity);
    }
    readings
}

#[track_caller]
fn about(found: Option<f64>, expected: f64, within: f64) {
    let found = found.unwrap();
    assert!((found - expected).abs() <= within, "{found} is not {expected}");
}

/// dM/dt a day as the paper has it, for any W and SQ.
fn slope(index: f64, temperature: f64, humidity: f64, wood: f64, surface: f64) -> f64 {
    let critical = if temperature > 20.0 {
        80.0
    } else {
        -0.002_67 * temperature.powf(3.0) + 0.16 * temperature.powf(2.0) - 3.13 * temperature + 100.0
    };
    let weeks =
        |t: f64, rh: f64, w: f64, c: f64| (t * temperature.ln() + rh * humidity.ln() + w * wood + c).exp();
    let (tm, tv) = (weeks(-0.68, -13.9, 0.14, 66.02), weeks(-0.74, -12.72, 0.06, 61.50));
    let x = (critical - humidity) / (critical - 100.0);
    let most = 1.0 + 7.0 * x - 2.0 * x.powf(2.0);
    let k1 = if index < 1.0 { 1.0 } else { 2.0 / (tv / tm - 1.0) };
    let k2 = (1.0 - (2.3 * (index - most)).exp()).max(0.0);
    k1 * k2 / (7.0 * tm * (-0.33 * surface).exp())
}

/// Euler's method with steps of a minute.
fn in_steps(days: f64, temperature: f64, humidity: f64) -> f64 {
    let (mut index, mut time) = (0.0, 0.0);
    while time < days {
        index += slope(index, temperature, humidity, 0.0, 0.0) / 1440.0;
        time += 1.0 / 1440.0;
    }
    index
}

#[test]
fn constant_conditions_give_the_published_figures() {
    about(constant(28, 1, 20.0, 97.0).mould_index(), 4.33, 0.005);
    about(constant(84, 1, 20.0, 85.0).mould_index(), 1.73, 0.005);
    about(constant(84, 1, 20.0, 79.0).mould_index(), 0.0, 0.0);
}

#[test]
fn the_closed_form_is_what_small_steps_come_near() {
    for (temperature, humidity) in
        [(20.0, 97.0), (20.0, 85.0), (5.0, 95.0), (12.0, 90.0), (30.0, 88.0), (49.0, 81.0), (1.0, 100.0)]
    {
        for days in [3, 28, 84] {
            let index = constant(days, 1, temperature, humidity).mould_index();
            about(index, in_steps(f64::from(i32::try_from(days).unwrap()), temperature, humidity), 2e-4);
        }
    }
}

/// A reading that says the same again changes nothing, nor does the order in which readings came.
#[test]
fn neither_repetition_nor_order_decides() {
    let often = constant(28, 1, 18.0, 93.0).mould_index().unwrap();
    about(constant(28, 24, 18.0, 93.0).mould_index(), often, 1e-12);
    let mut forwards = Readings::default();
    let mut backwards = Readings::default();
    let reading = |place: i64| {
        let number = f64::from(i32::try_from(place * 7919 % 1009).unwrap());
        (place / 3 * HOUR, 4.0 + number / 50.0, 70.0 + number / 34.0)
    };
    for place in 0..3000 {
        let (time, temperature, humidity) = reading(place);
        forwards.push(time, temperature, humidity);
        let (time, temperature, humidity) = reading(2999 - place);
        backwards.push(time, temperature, humidity);
    }
    let mut parts = Readings::default();
    parts.extend_from_bytes(&backwards.to_bytes());
    let forwards = forwards.mould_index().unwrap();
    assert!(forwards > 0.1, "{forwards}");
    assert_eq!(Some(forwards.to_bits()), backwards.mould_index().map(f64::to_bits));
    assert_eq!(Some(forwards.to_bits()), parts.mould_index().map(f64::to_bits));
}

/// 0.032 a day for 6 hours, nothing until 24 hours, then 0.016 a day; damp begins the spell anew, and nothing is less than 0.
#[test]
fn dry_spells_take_it_back() {
    let then = |hours: &[(i64, f64)]| {
        let mut readings = constant(28, 1, 20.0, 97.0);
        let mut time = 28 * 24;
        for (spell, humidity) in hours {
            for hour in time..time + spell {
                readings.push(hour * HOUR, 20.0, *humidity);
            }
            time += spell;
        }
        readings.push(time * HOUR, 20.0, 97.0);
        readings.mould_index().unwrap()
    };
    // The last damp reading and the first dry one are of one time: their mean, 73.5 %, is dry.
    let grown = constant(28, 1, 20.0, 97.0).mould_index().unwrap();
    for (hours, lost) in [(3, 0.004), (6, 0.008), (24, 0.008), (48, 0.024), (24 * 11, 0.168)] {
        about(Some(then(&[(hours, 50.0)])), grown - lost, 1e-9);
    }
    about(Some(then(&[(3, 50.0), (3, 40.0)])), grown - 0.008, 1e-9);
    let anew = then(&[(6, 50.0), (1, 97.0), (6, 50.0)]);
    assert!(anew < grown - 0.008 && anew > grown - 0.016, "{anew} of {grown}");
    about(Some(then(&[(24 * 365, 50.0)])), 0.0, 0.0);
}

/// What is too cold, too hot or unknown does not grow; unknown time takes nothing back either.
#[test]
fn gaps_stand_still_and_frost_is_no_growth() {
    let grown = constant(28, 1, 20.0, 97.0).mould_index().unwrap();
    let mut gap = constant(28, 1, 20.0, 97.0);
    gap.push(100 * DAY, 20.0, 97.0);
    about(gap.mould_index(), constant(29, 1, 20.0, 97.0).mould_index().unwrap(), 1e-12);
    for temperature in [0.0, -5.0, 1e-300, 50.1, 99.0] {
        assert_eq!(constant(28, 1, temperature, 100.0).mould_index(), Some(0.0), "{temperature}");
    }
    let mut frost = constant(28, 1, 20.0, 97.0);
    frost.push(28 * DAY + 1, -5.0, 100.0);
    frost.push(28 * DAY + 6 * HOUR + 1, -5.0, 100.0);
    about(frost.mould_index(), grown - 0.008, 1e-6);
}

/// No value makes an error or a figure that is none.
#[test]
fn whatever_a_sensor_says_there_is_an_index() {
    let odd = [f64::NAN, f64::INFINITY, -1e308, 1e308, -0.0, 0.0, 1e-320, 20.0, 100.0, 50.0, 80.0, 97.0];
    let mut all = Readings::default();
    assert_eq!(all.mould_index(), None);
    for (place, temperature) in odd.into_iter().enumerate() {
        for (other, humidity) in odd.into_iter().enumerate() {
            let time = i64::try_from(place * 12 + other).unwrap() * HOUR;
            let mut one = Readings::default();
            for time in [i64::MIN, time, time, i64::MAX] {
                one.push(time, temperature, humidity);
                all.push(time, temperature, humidity);
            }
            let possible = plausible(temperature, humidity);
            assert_eq!(one.mould_index().is_some(), possible, "{temperature} {humidity}");
            assert!(one.mould_index().is_none_or(|index| (0.0..=6.0).contains(&index)));
        }
    }
    assert!((0.0..=6.0).contains(&all.mould_index().unwrap()));
    let mut broken = Readings::default();
    broken.extend_from_bytes(&[1; 47]);
    assert!(broken.allocated() < 1000);
}

/// Times of every unit are cut to the microsecond they are in, before 1970 too; what has a NULL or is out of reach is no reading.
#[test]
fn columns_of_any_unit_are_read_alike() {
    use arrow::array::{Float64Array, Int64Array};
    let column = |times: Vec<Option<i64>>, unit: TimeUnit| {
        cast(&Int64Array::from(times), &DataType::Timestamp(unit, Some("UTC".into()))).unwrap()
    };
    let numbers = |values: Vec<Option<f64>>| std::sync::Arc::new(Float64Array::from(values)) as ArrayRef;
    for (unit, times, expected) in [
        (TimeUnit::Second, [Some(-1), Some(i64::MAX)], vec![-1_000_000]),
        (TimeUnit::Millisecond, [Some(-1), Some(i64::MIN)], vec![-1_000]),
        (TimeUnit::Microsecond, [Some(-1), None], vec![-1]),
        (TimeUnit::Nanosecond, [Some(-1), Some(1_999)], vec![-1, 1]),
    ] {
        let mut readings = Readings::default();
        let rows = [numbers(vec![Some(20.0); 2]), numbers(vec![Some(90.0); 2]), column(times.to_vec(), unit)];
        readings.extend_from_columns(&rows).unwrap();
        let found: Vec<i64> = readings.list.iter().map(|reading| reading.microseconds).collect();
        assert_eq!(found, expected, "{unit:?}");
    }
    let mut readings = Readings::default();
    let rows = [
        numbers(vec![None, Some(20.0)]),
        numbers(vec![Some(90.0), None]),
        column(vec![Some(1); 2], TimeUnit::Second),
    ];
    readings.extend_from_columns(&rows).unwrap();
    assert!(readings.mould_index().is_none());
    assert!(readings.extend_from_columns(&rows[..2]).is_err(), "two columns");
    let [temperatures, humidities, times] = rows;
    assert!(readings.extend_from_columns(&[times, temperatures, humidities]).is_err(), "another order");
}
