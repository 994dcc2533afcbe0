//! What was released: a cell for each set of entities and figure, found again by size, likeness and sum.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use super::members::{Depth, Members};
use super::span::Span;
use crate::disclose::cells::Figure;

/// What a cell shows of its members.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Statistic {
    /// which kind of entity its members are
    pub(super) entity: String,
    /// what is added up
    pub(super) unit: Unit,
    /// columns it is made of; datasets, where rows or entities are counted
    pub(super) sources: BTreeSet<String>,
    /// whether a sensitive column chose its members
    pub(super) sensitive: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Unit {
    /// rows
    Rows,
    /// entities
    Entities,
    /// the sum of an argument
    Sum(String),
    /// its mean
    Mean(String),
    /// its squared deviations
    M2(String),
    /// the products of its deviations with those of another
    CoMoment(String, String),
}

impl Unit {
    pub(super) fn is_count(&self) -> bool {
        matches!(self, Self::Rows | Self::Entities)
    }

    /// Whether the figures of disjoint sets add up to that of all.
    pub(super) fn adds_up(&self) -> bool {
        matches!(self, Self::Rows | Self::Entities | Self::Sum(_))
    }

    /// Whose amounts its members hold.
    fn argument(&self) -> Option<&str> {
        match self {
            Self::Rows | Self::Entities => None,
            Self::Sum(argument) | Self::Mean(argument) | Self::M2(argument) | Self::CoMoment(argument, _) => {
                Some(argument)
            }
        }
    }
}

/// Sums whose combinations may tell one another: of the same columns, however they are spelled, and of columns that were added up
/// with these.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Space {
    entity: String,
    sources: BTreeSet<String>,
}

impl Statistic {
    /// Whether one may tell of the other: they are made of the same.
    fn is_related(&self, other: &Self) -> bool {
        self.entity == other.entity
            && self.unit.is_count() == other.unit.is_count()
            && !self.sources.is_disjoint(&other.sources)
    }

    fn depth(&self, other: &Self) -> Depth {
        if self.unit.argument() == other.unit.argument() { Depth::Amounts } else { Depth::Rows }
    }
}

/// A cell that was decided.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    pub(super) members: Members,
    /// what it shows; `None`: it is withheld for good
    pub(super) figure: Option<Figure>,
    /// whether it is what several cells of one release add up to
    pub(super) union: bool,
    mark: Mark,
}

/// What cells are compared by before their members are.
#[derive(Debug, Clone, Copy)]
struct Mark {
    signature: [u32; 16],
    sum: u64,
}

impl Mark {
    /// How many parts of two signatures differ. All are looked at: without a branch, they are compared side by side.
    #[inline]
    fn unlike(&self, other: &Self) -> usize {
        let mut unlike = 0_u32;
        for (one, other) in self.signature.iter().zip(&other.signature) {
            unlike += u32::from(one != other);
        }
        unlike as usize
    }
}

/// A released cell among those of its size: all that is read of most of them, side by side.
#[derive(Debug, Clone, Copy)]
struct Entry {
    place: usize,
    mark: Mark,
}

impl Cell {
    pub(super) fn new(members: Members, figure: Option<Figure>, union: bool) -> Self {
        let mark = Mark { signature: members.signature(), sum: members.sum() };
        Self { members, figure, union, mark }
    }

    /// Whether it shows something that no others add up to.
    fn is_told(&self) -> bool {
        self.figure.is_some() && !self.union
    }

    pub(super) fn showing(self, figure: Option<Figure>) -> Self {
        Self { figure, ..self }
    }
}

/// Released cells of one statistic, in the order of their release.
#[derive(Debug, Default)]
struct Released {
    cells: Vec<Cell>,
    by_size: BTreeMap<usize, Vec<Entry>>,
    by_sum: HashMap<u64, usize, RandomState>,
}

/// What earlier cells say of a new one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Verdict {
    /// nothing
    New,
    /// it is, or is nearly, one that shows this figure, or nothing
    Known(Option<Figure>),
    /// it is nearly one that shows something else of the same people
    TooNear,
}

/// Everything that was released.
#[derive(Debug, Default)]
pub(super) struct Memory {
    released: BTreeMap<Statistic, Released>,
    /// what the sums that are shown tell together, of those spaces that were asked for since a figure was withdrawn
    spans: BTreeMap<Space, Span>,
}

impl Memory {
    /// Compares a new cell with all earlier ones: `threshold` or more entities must tell it from each.
    pub(super) fn judge(&mut self, statistic: &Statistic, cell: &Cell, threshold: usize) -> Verdict {
        let own = self.released.get(statistic);
        if let Some(same) = own.and_then(|released| released.equal(cell)) {
            return Verdict::Known(same.figure);
        }
        let mut near = None;
        for (other, released) in self.released.iter().filter(|(other, _)| statistic.is_related(other)) {
            let depth = statistic.depth(other);
            let same_unit = other.unit == statistic.unit;
            let chosen = other.sensitive != statistic.sensitive;
            for (place, found) in released.near(cell, depth, threshold) {
                match found {
                    // Of the same people, chosen once by a sensitive column and once not: all were chosen, or nearly all.
                    _ if chosen => return Verdict::TooNear,
                    0 if !same_unit => {}
                    _ if !same_unit => return Verdict::TooNear,
                    _ => near = near.or_else(|| released.cells.get(place).map(|cell| cell.figure)),
                }
            }
        }
        let told = || own.filter(|_| statistic.unit.adds_up()).and_then(|released| released.remainder(cell));
        if let Some(known) = near.or_else(|| told().map(Some)) {
            return Verdict::Known(known);
        }
        let Some(space) = self.space(statistic) else { return Verdict::New };
        if self.span(space).closes(&cell.members, threshold) { Verdict::TooNear } else { Verdict::New }
    }

    /// Where a statistic's sums are audited: with those of all columns that are connected with its own by sums of several.
    /// Counts are not; their rounding hides what they tell together.
    fn space(&self, statistic: &Statistic) -> Option<Space> {
        if statistic.unit.is_count() {
            return None;
        }
        let mut sources = statistic.sources.clone();
        let sums = |other: &&Statistic| !other.unit.is_count() && other.entity == statistic.entity;
        loop {
            let connected =
                self.released.keys().filter(sums).filter(|other| !other.sources.is_disjoint(&sources));
            let more: BTreeSet<String> = connected.flat_map(|other| &other.sources).cloned().collect();
            let before = sources.len();
            sources.extend(more);
            if sources.len() == before {
                return Some(Space { entity: statistic.entity.clone(), sources });
            }
        }
    }

    /// What the shown sums of a space tell together. Totals that were made of shown cells tell nothing more.
    fn span(&mut self, space: Space) -> &mut Span {
        let Self { released, spans } = self;
        // A sum of several columns has joined what was apart.
        spans.retain(|known, _| {
            *known == space || known.entity != space.entity || known.sources.is_disjoint(&space.sources)
        });
        spans.entry(space).or_insert_with_key(|space| {
            let mut span = Span::default();
            let own = released.iter().filter(|(statistic, _)| {
                !statistic.unit.is_count()
                    && statistic.entity == space.entity
                    && statistic.sources.is_subset(&space.sources)
            });
            for cell in own.flat_map(|(_, released)| &released.cells).filter(|cell| cell.is_told()) {
                span.add(&cell.members);
            }
            span
        })
    }

    /// Whether a released cell of the same statistic differs from these by some entities, and by fewer than `threshold`.
    pub(super) fn is_near(&self, statistic: &Statistic, cell: &Cell, threshold: usize) -> bool {
        let Some(released) = self.released.get(statistic) else { return false };
        let near =
            released.near(cell, Depth::Rows, threshold).into_iter().filter(|(_, distance)| *distance > 0);
        near.filter_map(|(place, _)| released.cells.get(place)).any(|known| known.figure.is_some())
    }

    /// The cell of the same members.
    pub(super) fn known(&self, statistic: &Statistic, cell: &Cell) -> Option<&Cell> {
        self.released.get(statistic)?.equal(cell)
    }

    /// Where the cell of the same members is.
    pub(super) fn place(&self, statistic: &Statistic, cell: &Cell) -> Option<usize> {
        let released = self.released.get(statistic)?;
        released.equal(cell)?;
        released.by_sum.get(&cell.mark.sum).copied()
    }

    /// Remembers a cell, and says where.
    pub(super) fn add(&mut self, statistic: Statistic, cell: Cell) -> usize {
        let space = self.space(&statistic).filter(|_| cell.is_told());
        if let Some(span) = space.and_then(|space| self.spans.get_mut(&space)) {
            span.add(&cell.members);
        }
        let released = self.released.entry(statistic).or_default();
        let place = released.cells.len();
        released.by_size.entry(cell.members.len()).or_default().push(Entry { place, mark: cell.mark });
        released.by_sum.entry(cell.mark.sum).or_insert(place);
        released.cells.push(cell);
        place
    }

    /// Gives a remembered cell another figure, or none.
    pub(super) fn revise(&mut self, statistic: &Statistic, place: usize, figure: Option<Figure>) {
        let cells = self.released.get_mut(statistic).map(|released| &mut released.cells);
        if let Some(cell) = cells.and_then(|cells| cells.get_mut(place)) {
            cell.figure = figure;
        }
        if let (None, Some(space)) = (figure, self.space(statistic)) {
            self.spans.remove(&space);
        }
    }

    /// A remembered cell.
    pub(super) fn cell(&self, statistic: &Statistic, place: usize) -> Option<&Cell> {
        self.released.get(statistic)?.cells.get(place)
    }

    pub(super) fn len(&self) -> usize {
        self.released.values().map(|released| released.cells.len()).sum()
    }
}

impl Released {
    /// The cell of the same members.
    fn equal(&self, cell: &Cell) -> Option<&Cell> {
        let place = *self.by_sum.get(&cell.mark.sum)?;
        let known = self.cells.get(place)?;
        let depth = if cell.union || known.union { Depth::Rows } else { Depth::Amounts };
        (cell.members.distance(&known.members, depth, 1) == 0).then_some(known)
    }

    /// Cells that fewer than `threshold` entities tell apart, in the order of their release.
    fn near(&self, cell: &Cell, depth: Depth, threshold: usize) -> Vec<(usize, usize)> {
        let sizes = cell.members.len().saturating_sub(threshold - 1)..=cell.members.len() + threshold - 1;
        let entries = self.by_size.range(sizes).flat_map(|(_, entries)| entries);
        let mut near: Vec<(usize, usize)> = entries
            .filter(|entry| cell.mark.unlike(&entry.mark) < threshold)
            .filter_map(|Entry { place, .. }| {
                let known = self.cells.get(*place)?;
                let depth = if cell.union || known.union { Depth::Rows } else { depth };
                let distance = cell.members.distance(&known.members, depth, threshold);
                (distance < threshold).then_some((*place, distance))
            })
            .collect();
        near.sort_unstable();
        near
    }

    /// What is left of a released cell when another released part of it is taken away, where that is this cell: it was
    /// told already, and telling it in another rounding would tell more.
    fn remainder(&self, cell: &Cell) -> Option<Figure> {
        let mut larger = self.by_size.range(cell.members.len() + 1..).flat_map(|(_, entries)| entries);
        larger.find_map(|entry| {
            let part = self.by_sum.get(&entry.mark.sum.wrapping_sub(cell.mark.sum))?;
            let (whole, part) = (self.cells.get(entry.place)?, self.cells.get(*part)?);
            match (whole.figure?, part.figure?) {
                (Figure::Whole(whole), Figure::Whole(part)) => {
                    Some(Figure::Whole(whole.saturating_sub(part)))
                }
                (Figure::Double(whole), Figure::Double(part)) => Some(Figure::Double(whole - part)),
                _ => None,
            }
        })
    }
}
