//! Whether two peers say the same.

/// The first place where two answers differ: row, column and both values.
pub(crate) fn difference(expected: &[Vec<String>], found: &[Vec<String>], tolerance: f64) -> Option<String> {
    if expected.len() != found.len() {
        return Some(format!("{} rows, not {}", found.len(), expected.len()));
    }
    for (number, (expected, found)) in (1..).zip(expected.iter().zip(found)) {
        if expected.len() != found.len() {
            return Some(format!("{} columns, not {}", found.len(), expected.len()));
        }
        for (column, (expected, found)) in (1..).zip(expected.iter().zip(found)) {
            if !same(expected, found, tolerance) {
                return Some(format!("row {number}, column {column}: {found}, not {expected}"));
            }
        }
    }
    None
}

/// Whole numbers exactly, other figures to a millionth (peers add doubles in other orders, and keep other digits of a mean), texts to
/// the letter, instants in whatever way they are written.
fn same(expected: &str, found: &str, tolerance: f64) -> bool {
    if let (Ok(expected), Ok(found)) = (expected.parse::<i128>(), found.parse::<i128>()) {
        return expected == found;
    }
    match (expected.parse::<f64>(), found.parse::<f64>()) {
        (Ok(expected), Ok(found)) => {
            (expected - found).abs() <= tolerance + 1e-6 * expected.abs().max(found.abs()).max(1e-9)
        }
        _ => instant(expected) == instant(found),
    }
}

fn instant(text: &str) -> String {
    let text = text.replacen('T', " ", 1);
    text.split_once(".000000").map_or_else(|| text.clone(), |(whole, _)| whole.to_owned())
}

#[cfg(test)]
mod tests {
    use super::difference;

    fn rows(cells: &[&str]) -> Vec<Vec<String>> {
        vec![cells.iter().map(|cell| (*cell).to_owned()).collect()]
    }

    #[test]
    fn answers_are_the_same_however_they_are_written() {
        let one = rows(&["A", "2026-01-01T05:00:00", "0.333333333", "1193053.2253"]);
        let other = rows(&["A", "2026-01-01 05:00:00", "0.333333", "1193053.22530000"]);
        assert_eq!(difference(&one, &other, 0.0), None);
        assert_eq!(difference(&rows(&["21.2"]), &rows(&["21.25"]), 0.1), None);
    }

    #[test]
    fn a_wrong_figure_is_found() {
        for (expected, found) in [("6001215", "6001216"), ("0.05", "0.051"), ("A", "B"), ("", "0"), ("1", "")]
        {
            assert!(difference(&rows(&[expected]), &rows(&[found]), 0.0).is_some(), "{expected} {found}");
        }
        assert!(difference(&rows(&["1"]), &[], 0.0).is_some());
    }
}
