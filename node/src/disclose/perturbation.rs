//! `R13P`: cell-key perturbation of counts.
//!
//! Every entity has a record key in 0..R, made from the node's secret; a cell's key is the sum of its entities' record keys modulo
//! R. A table looks up what is added to a count n for each cell key: row n up to 750, beyond that row (n − 1) mod 250 + 501.
//! The same entities give the same noise in every question, so that asking again in other words tells nothing new.
//!
//! Method: Office for National Statistics, *Cell key perturbation* (2024), after Fraser and Wooton (2005). The table is a CSV file
//! `pcv,ckey,pvalue`, as the `cell-key-perturbation` package reads it. A count is not perturbed below zero.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::cells::{Cells, Figure};
use crate::execute::Held;
use crate::secret::Secret;

/// Rows of the table that repeat for larger counts: 501 to 750.
const REPEATED: u64 = 250;
const LAST_ROW: u64 = 750;

/// What is added to a count, by its size and its cell key.
#[derive(Clone, PartialEq, Eq)]
pub struct PerturbationTable {
    added: HashMap<(u64, u32), i64>,
    modulus: u32,
}

impl fmt::Debug for PerturbationTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PerturbationTable").finish_non_exhaustive()
    }
}

impl PerturbationTable {
    /// Reads the table.
    ///
    /// # Errors
    /// A file that cannot be read, or a line that is not three whole numbers.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("perturbation {}: the file cannot be read: {error}", path.display()))?;
        Self::parse(&text).map_err(|problem| format!("perturbation {}: {problem}", path.display()))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.lines();
        if lines.next().map(|header| header.trim().trim_start_matches('\u{feff}')) != Some("pcv,ckey,pvalue")
        {
            return Err("the first line is not pcv,ckey,pvalue".to_owned());
        }
        let mut added = HashMap::new();
        let mut largest = 0;
        for (number, line) in (2..).zip(lines).filter(|(_, line)| !line.trim().is_empty()) {
            let numbers: Vec<i64> = line.split(',').filter_map(|word| word.trim().parse().ok()).collect();
            let cell = match numbers.as_slice() {
                [row, key, value] => {
                    u64::try_from(*row).ok().zip(u32::try_from(*key).ok()).map(|cell| (cell, *value))
                }
                _ => None,
            };
            let Some((cell, value)) = cell else {
                return Err(format!("line {number} is not three whole numbers"));
            };
            if !(1..=LAST_ROW).contains(&cell.0) {
                return Err(format!("line {number}: pcv is not between 1 and {LAST_ROW}"));
            }
            largest = largest.max(cell.1);
            added.insert(cell, value);
        }
        if added.is_empty() {
            return Err("it has no rows".to_owned());
        }
        Ok(Self { added, modulus: largest.saturating_add(1) })
    }

    /// A hash of what it says.
    pub(super) fn digest(&self) -> String {
        let mut rows: Vec<_> = self.added.iter().collect();
        rows.sort_unstable();
        let digest = Sha256::digest(format!("{} {rows:?}", self.modulus));
        digest.iter().take(8).fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    }

    /// What is added to a count with that cell key; nothing where the table has no row.
    fn added(&self, count: u64, cell_key: u32) -> i64 {
        let row = if count <= LAST_ROW { count } else { (count - 1) % REPEATED + LAST_ROW - REPEATED + 1 };
        self.added.get(&(row, cell_key)).copied().unwrap_or(0)
    }
}

pub(super) fn apply(cells: &mut Cells<'_>, secret: &Secret) {
    let Some(table) = cells.approved().perturbation() else { return };
    for measure in 0..cells.measures() {
        if !cells.state(measure).is_some_and(jigsaw_proto::aggregate::State::is_count) {
            continue;
        }
        for row in 0..cells.rows() {
            let Some(Figure::Whole(count)) = cells.figure(measure, row) else { continue };
            let entities = cells.holdings(measure, row).flat_map(Held::iter);
            let sum: u64 = entities
                .map(|holding| u64::from(secret.record_key(holding.entity, table.modulus)))
                .fold(0, u64::wrapping_add);
            let key = u32::try_from(sum % u64::from(table.modulus)).unwrap_or(0);
            let added = table.added(u64::try_from(count).unwrap_or(0), key);
            cells.set(measure, row, Figure::Whole((count + i128::from(added)).max(0)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_counts_repeat_the_last_rows() {
        let rows = (1..=750).map(|row| format!("{row},0,{row}")).collect::<Vec<_>>().join("\n");
        let table = PerturbationTable::parse(&format!("pcv,ckey,pvalue\n{rows}\n1,255,9\n")).unwrap();
        assert_eq!(table.modulus, 256);
        for (count, row) in [(1, 1), (750, 750), (751, 501), (1000, 750), (1001, 501), (1251, 501)] {
            assert_eq!(table.added(count, 0), row, "count {count}");
        }
        assert_eq!((table.added(1, 255), table.added(2, 255), table.added(0, 0)), (9, 0, 0));
    }

    #[test]
    fn what_is_no_table_is_named() {
        for (text, words) in [
            ("a,b,c\n1,0,0\n", "first line"),
            ("pcv,ckey,pvalue\n", "no rows"),
            ("pcv,ckey,pvalue\n1,0,0\n1,x,0\n", "line 3"),
            ("pcv,ckey,pvalue\n751,0,0\n", "line 2"),
        ] {
            let problem = PerturbationTable::parse(text).unwrap_err();
            assert!(problem.contains(words), "{problem}");
        }
    }
}
