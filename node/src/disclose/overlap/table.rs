//! The cells of one release, judged one by one and then together.

use std::collections::BTreeMap;
use std::io;

use arrow::error::ArrowError;
use jigsaw_proto::aggregate::State;

use super::members::Members;
use super::memory::{Cell, Memory, Statistic, Unit, Verdict};
use crate::disclose::cells::{Cells, Figure};
use crate::disclose::class::labels;
use crate::disclose::rounding::nearest;
use crate::execute::Held;

/// Tables with more keys than this have only their grand total watched.
const MAX_MARGIN_KEYS: usize = 3;

/// A known figure stands for one that differs from it by no more than this share of it, or by as many as a few people are.
const TOLERANCE: f64 = 0.1;

/// A cell that is released, and where it is remembered.
struct Shown {
    row: usize,
    members: Members,
    /// `None`: it was known before
    place: Option<usize>,
}

/// What became of the cells of a release.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// what is new in the memory
    pub(super) fresh: Vec<(Statistic, usize)>,
    /// where each cell is in the memory; `None`: one is not, and shows what a like one does, or nothing
    pub(super) all: Option<Vec<(Statistic, usize)>>,
}

/// Judges all cells.
pub(super) fn judge(cells: &mut Cells<'_>, memory: &mut Memory) -> io::Result<Judged> {
    let mut judged = Judged { fresh: vec![], all: Some(vec![]) };
    for measure in 0..cells.measures() {
        for (kind, entity) in cells.approved().entity_kinds().iter().enumerate() {
            let Some(statistic) = statistic(cells, measure, entity) else { continue };
            let all = Some(vec![]);
            let mut table = Table { cells: &mut *cells, memory: &mut *memory, statistic, measure, kind, all };
            let shown = table.each();
            let mut places: Vec<usize> = shown.iter().filter_map(|cell| cell.place).collect();
            if table.statistic.unit.adds_up() {
                places.extend(table.totals(&shown).map_err(io::Error::other)?);
            }
            let Table { statistic, all, .. } = table;
            judged.fresh.extend(places.into_iter().map(|place| (statistic.clone(), place)));
            judged.all = judged.all.zip(all).map(|(mut judged, all)| {
                judged.extend(all.into_iter().map(|place| (statistic.clone(), place)));
                judged
            });
        }
    }
    Ok(judged)
}

fn statistic(cells: &Cells<'_>, measure: usize, entity: &str) -> Option<Statistic> {
    let approved = cells.approved();
    let asked = approved.fragment().measures.get(measure)?;
    let argument = || asked.argument.as_ref().map(ToString::to_string);
    let unit = match cells.state(measure)? {
        State::Rows | State::Count => Unit::Rows,
        State::Entities => Unit::Entities,
        State::Sum => Unit::Sum(argument()?),
        State::Mean => Unit::Mean(argument()?),
        State::M2 => Unit::M2(argument()?),
        State::CoMoment => {
            let (first, second) = asked.pair()?;
            Unit::CoMoment(first.to_string(), second.to_string())
        }
        State::Min | State::Max | State::MouldIndex => return None,
    };
    let sources = match unit {
        Unit::Rows | Unit::Entities => approved.dataset_names(),
        Unit::Sum(_) | Unit::Mean(_) | Unit::M2(_) | Unit::CoMoment(..) => approved.sources(measure),
    };
    let sensitive = approved.chooses_sensitive(measure);
    Some(Statistic { entity: entity.to_owned(), unit, sources, sensitive })
}

/// The cells of one measure and one kind of entity.
struct Table<'a, 'b> {
    cells: &'a mut Cells<'b>,
    memory: &'a mut Memory,
    statistic: Statistic,
    measure: usize,
    kind: usize,
    /// where each cell is in the memory, as long as all are
    all: Option<Vec<usize>>,
}

impl<'b> Table<'_, 'b> {
    fn threshold(&self) -> usize {
        usize::try_from(self.cells.approved().threshold()).unwrap_or(usize::MAX).max(2)
    }

    fn holdings(&self, row: usize) -> Held<'b> {
        self.cells.holdings(self.measure, row).nth(self.kind).unwrap_or_default()
    }

    /// Each cell beside all that were decided before, those of this release included.
    fn each(&mut self) -> Vec<Shown> {
        let mut shown = vec![];
        for row in 0..self.cells.rows() {
            let Some(figure) = self.cells.figure(self.measure, row) else { continue };
            let members = Members::of(self.holdings(row).iter());
            let cell = Cell::new(members.clone(), Some(figure), false);
            let verdict = self.memory.judge(&self.statistic, &cell, self.threshold());
            let mut place = self.memory.place(&self.statistic, &cell);
            match verdict {
                Verdict::New => {
                    place = Some(self.memory.add(self.statistic.clone(), cell));
                    shown.push(Shown { row, members, place });
                }
                Verdict::Known(Some(known)) if self.stands_for(known, figure) => {
                    self.cells.set(self.measure, row, known);
                    shown.push(Shown { row, members, place: None });
                }
                Verdict::Known(_) | Verdict::TooNear => self.cells.withhold(self.measure, row, "R15"),
            }
            self.all = self.all.take().zip(place).map(|(mut all, place)| {
                all.push(place);
                all
            });
        }
        shown
    }

    /// Whether a known figure may be shown in the place of a cell's own. That a few people make a cell so much larger is worth less
    /// than a figure that is wrong: then nothing is shown.
    #[expect(clippy::cast_precision_loss, reason = "a tolerance")]
    fn stands_for(&self, known: Figure, own: Figure) -> bool {
        let few = f64::from(self.cells.approved().threshold() + self.cells.approved().rounding());
        match (known, own) {
            (Figure::Whole(known), Figure::Whole(own)) => {
                let few = if self.statistic.unit.is_count() { few } else { 0.0 };
                (known - own).unsigned_abs() as f64 <= f64::max(few, TOLERANCE * known.unsigned_abs() as f64)
            }
            (Figure::Double(known), Figure::Double(own)) => (known - own).abs() <= TOLERANCE * known.abs(),
            _ => false,
        }
    }

    /// The totals that the cells add up to, over all keys and over each choice of them: where the new ones are remembered.
    fn totals(&mut self, shown: &[Shown]) -> Result<Vec<usize>, ArrowError> {
        let keys = self.cells.keys();
        let margins: Vec<usize> = if keys.len() <= MAX_MARGIN_KEYS {
            (0..(1_usize << keys.len()).saturating_sub(1)).collect()
        } else {
            vec![0]
        };
        let mut totals = vec![];
        for margin in margins {
            let chosen = keys.iter().enumerate().filter(|(key, _)| margin & (1 << key) != 0);
            let chosen: Vec<_> = chosen.map(|(_, column)| std::sync::Arc::clone(column)).collect();
            let labels = labels(&chosen, self.cells.rows())?;
            let mut lines: BTreeMap<&[u8], Vec<usize>> = BTreeMap::new();
            for (place, cell) in shown.iter().enumerate() {
                lines.entry(labels.get(cell.row).map_or(&[], Vec::as_slice)).or_default().push(place);
            }
            for line in lines.into_values().filter(|line| line.len() > 1) {
                totals.extend(self.line(shown, line, margin == 0));
            }
        }
        Ok(totals)
    }

    /// One line of a table and its total, which is remembered like a cell.
    fn line(&mut self, shown: &[Shown], mut line: Vec<usize>, grand: bool) -> Option<usize> {
        let new = |place: &usize| shown.get(*place).is_some_and(|cell| cell.place.is_some());
        // What was all told before tells nothing by being told again.
        if !line.iter().any(new) {
            return None;
        }
        line.retain(|place| {
            shown.get(*place).is_some_and(|cell| self.cells.figure(self.measure, cell.row).is_some())
        });
        let total = loop {
            let members = Members::union(line.iter().filter_map(|place| Some(&shown.get(*place)?.members)));
            let total = Cell::new(members, None, true);
            if !self.memory.is_near(&self.statistic, &total, self.threshold()) {
                break total;
            }
            // Of a total that was told, this line would leave over a few.
            let size = |place: &&usize| shown.get(**place).map_or(0, |cell| cell.members.len());
            let smallest = line.iter().filter(|place| new(place)).min_by_key(size).copied()?;
            self.withhold(shown.get(smallest)?);
            line.retain(|place| *place != smallest);
        };
        let known = self.memory.known(&self.statistic, &total).and_then(|known| known.figure);
        if grand {
            self.add_up(shown, &line, known);
        }
        if known.is_some() || line.len() < 2 {
            return None;
        }
        let figures = line.iter().filter_map(|place| self.cells.figure(self.measure, shown.get(*place)?.row));
        let figure = figures.reduce(|sum, figure| match (sum, figure) {
            (Figure::Whole(sum), Figure::Whole(figure)) => Figure::Whole(sum.saturating_add(figure)),
            (Figure::Double(sum), Figure::Double(figure)) => Figure::Double(sum + figure),
            (sum, _) => sum,
        });
        Some(self.memory.add(self.statistic.clone(), total.showing(figure)))
    }

    fn withhold(&mut self, cell: &Shown) {
        self.cells.withhold(self.measure, cell.row, "R16");
        if let Some(place) = cell.place {
            self.memory.revise(&self.statistic, place, None);
        }
    }

    /// Controlled rounding: each new count to the multiple of the base below or above it, so that all add up to the figure of their
    /// total. Those with the largest remainders go up.
    fn add_up(&mut self, shown: &[Shown], line: &[usize], known: Option<Figure>) {
        let base = i128::from(self.cells.approved().rounding());
        if !matches!(self.statistic.unit, Unit::Rows)
            || self.cells.approved().perturbation().is_some()
            || base < 2
        {
            return;
        }
        let mut exact = 0;
        let mut fixed = 0;
        let mut parts: Vec<(&Shown, i128)> = vec![];
        for cell in line.iter().filter_map(|place| shown.get(*place)) {
            let rows = self.holdings(cell.row).iter().map(|holding| i128::from(holding.rows)).sum::<i128>();
            exact += rows;
            match (cell.place, self.cells.figure(self.measure, cell.row)) {
                (None, Some(Figure::Whole(figure))) => fixed += figure,
                _ => parts.push((cell, rows)),
            }
        }
        let total = match known {
            Some(Figure::Whole(total)) => total,
            Some(Figure::Double(_)) => return,
            None => nearest(exact, base),
        };
        let below: i128 = parts.iter().map(|(_, rows)| rows - rows.rem_euclid(base)).sum();
        let up = (total - fixed - below).div_euclid(base).clamp(0, parts.len() as i128);
        parts.sort_by_cached_key(|(cell, rows)| (-rows.rem_euclid(base), cell.members.sum()));
        for (order, (cell, rows)) in (0..).zip(parts) {
            let figure = Figure::Whole(rows - rows.rem_euclid(base) + if order < up { base } else { 0 });
            self.cells.set(self.measure, cell.row, figure);
            if let Some(place) = cell.place {
                self.memory.revise(&self.statistic, place, Some(figure));
            }
        }
    }
}
