//! Roles of columns, followed through projections, unions and joins: an alias launders nothing.
//!
//! * `R03` – an entity column may be counted distinct, counted, tested for NULL, and joined with another entity column of this
//!   node. It is never compared, computed with, grouped by or released.
//! * `R04` – a measure of a protected dataset is aggregated. It is compared, banded or grouped by only if the contract says
//!   `filterable`.
//! * `R06` – MIN and MAX are values of single rows, and a mould index follows them one by one: only where every dataset read is open.
//!   What is added up elsewhere is arithmetic over measures ([`super::summand`]).
//! * `R22` – two protected datasets are joined on an entity. What is asked of a protected dataset by EXISTS is asked about
//!   entities that are counted: whoever a row is about, not whether anybody is there.
//! * `R23` – rows of a protected dataset are made one for each group only where an entity is among the keys; the threshold then
//!   holds for whatever is made of those groups.

mod input;
mod nested;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jigsaw_proto::contract::{NODE_COLUMN, Role};
use jigsaw_proto::expr::Column;
use jigsaw_proto::fragment::{Fragment, Join, Relation};
use jigsaw_proto::id::DatasetName;
use jigsaw_proto::refusal::{Refusal, RefusalCode};
use jigsaw_proto::release::ReleaseMode;
use jigsaw_proto::types::DataType;

use super::summand::Summand;
use crate::sources::Dataset;
use input::Input;
pub(crate) use nested::carries_right;

/// The entity columns that are counted for a dataset: none if it is open.
pub(crate) fn counted_entities(dataset: &Dataset) -> impl Iterator<Item = &str> {
    let counted = dataset.policy().mode() == ReleaseMode::Protected;
    dataset.visible().entities().filter(move |_| counted).map(|column| column.name.as_str())
}

/// What the roles allow of a fragment.
pub(super) struct Checked {
    /// the entity columns that protect the input, one for each mention
    pub(super) kinds: Vec<String>,
    /// the step of each measure's published figure
    pub(super) steps: Vec<f64>,
    /// in how many units each measure is added up, for each 1 of it
    pub(super) units: Vec<f64>,
    /// the columns of datasets that each measure's argument is made of
    pub(super) sources: Vec<Sources>,
    /// the same for each group key
    pub(super) keys: Vec<Sources>,
    /// the same for each measure's FILTER and argument
    pub(super) choices: Vec<Sources>,
    /// the same for all conditions of the input
    pub(super) filters: Sources,
}

/// Columns of datasets, as `dataset.column`.
pub(crate) type Sources = BTreeSet<String>;

/// Checks every use of every column.
pub(super) fn check(
    fragment: &Fragment,
    datasets: &BTreeMap<DatasetName, Arc<Dataset>>,
) -> Result<Checked, Refusal> {
    let Rows { columns, kinds, protected, filters } = Checker { datasets }.relation(&fragment.input)?;
    let input = Input::new(&columns);
    for key in &fragment.keys {
        input.condition(key, "GROUP BY")?;
    }
    let steps = fragment.measures.iter().map(|measure| input.measure(measure, protected));
    let (steps, units) = steps.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
    let sources = fragment
        .measures
        .iter()
        .map(|measure| measure.arguments().flat_map(|argument| input.sources(argument)).collect());
    let sources: Vec<Sources> = sources.collect();
    let choices = fragment.measures.iter().zip(&sources).map(|(measure, sources)| {
        let filter = measure.filter.as_ref().map(|filter| input.sources(filter)).unwrap_or_default();
        filter.into_iter().chain(sources.iter().cloned()).collect()
    });
    let choices = choices.collect();
    let keys = fragment.keys.iter().map(|key| input.sources(key)).collect();
    Ok(Checked { kinds, steps, units, sources, keys, choices, filters })
}

/// What may be done with a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// anything
    Free,
    /// aggregated only
    Restricted,
    /// an entity
    Entity,
}

/// A column, and what may be done with it.
struct Known {
    column: Column,
    /// `None`: the expression it stands for has none
    data_type: Option<DataType>,
    permitted: Use,
    /// whether it is an entity that stands behind the cells: one of a protected dataset
    counted: bool,
    /// whether it is NULL only where a column of a dataset is
    present: bool,
    /// `None`: not to be added up under protection
    summand: Option<Summand>,
    /// what it is made of
    sources: Sources,
}

/// The columns of a relation and the protection of its rows.
struct Rows {
    /// in the order of the relation's columns, as the type check has them
    columns: Vec<Known>,
    kinds: Vec<String>,
    protected: bool,
    filters: Sources,
}

impl Rows {
    /// Of nothing that is known: protected.
    fn none() -> Self {
        Self { columns: vec![], kinds: vec![], protected: true, filters: Sources::new() }
    }
}

struct Checker<'a> {
    datasets: &'a BTreeMap<DatasetName, Arc<Dataset>>,
}

impl Checker<'_> {
    fn relation(&self, relation: &Relation) -> Result<Rows, Refusal> {
        match relation {
            Relation::Scan { dataset, alias } => Ok(self.scan(dataset, alias)),
            Relation::Filter { input, predicate } => {
                let mut rows = self.relation(input)?;
                let input = Input::new(&rows.columns);
                input.condition(predicate, "WHERE")?;
                let sources = input.sources(predicate);
                rows.filters.extend(sources);
                Ok(rows)
            }
            Relation::Project { input, alias, columns } => {
                let Rows { columns: known, kinds, protected, filters } = self.relation(input)?;
                let input = Input::new(&known);
                let columns =
                    columns.iter().map(|(name, expr)| input.projected(expr, Column::new(alias, name)));
                Ok(Rows { columns: columns.collect::<Result<_, Refusal>>()?, kinds, protected, filters })
            }
            Relation::Join(join) => self.join(join),
            Relation::UnionAll { alias, inputs } => self.union(alias, inputs),
            Relation::Aggregate { input, alias, keys, measures } => {
                nested::grouped(self.relation(input)?, alias, keys, measures)
            }
        }
    }

    fn scan(&self, name: &DatasetName, alias: &str) -> Rows {
        let Some(dataset) = self.datasets.get(name) else {
            return Rows::none();
        };
        let protected = dataset.policy().mode() == ReleaseMode::Protected;
        let columns = dataset.visible().columns.iter().map(|column| {
            let permitted = match &column.role {
                Role::Dimension => Use::Free,
                Role::Measure { filterable, .. } if *filterable || !protected => Use::Free,
                Role::Measure { .. } | Role::Hidden => Use::Restricted,
                Role::Entity { .. } => Use::Entity,
            };
            Known {
                column: Column::new(alias, column.name.as_str()),
                data_type: Some(column.data_type.clone()),
                permitted,
                counted: protected && permitted == Use::Entity,
                present: true,
                summand: Summand::of(column),
                sources: Sources::from([format!("{name}.{}", column.name)]),
            }
        });
        let node = Known {
            column: Column::new(alias, NODE_COLUMN),
            data_type: Some(DataType::Text),
            permitted: Use::Free,
            counted: false,
            present: true,
            summand: None,
            sources: Sources::new(),
        };
        let kinds = counted_entities(dataset).map(str::to_owned).collect();
        Rows { columns: columns.chain([node]).collect(), kinds, protected, filters: Sources::new() }
    }

    fn join(&self, join: &Join) -> Result<Rows, Refusal> {
        let (left, right) = (self.relation(&join.left)?, self.relation(&join.right)?);
        if !join.kind.shows_right() {
            nested::asked_by_exists(join, &left, &right)?;
        }
        let mut on_entity = false;
        for (left_key, right_key) in &join.on {
            let side = |rows: &Rows, key: &Column| Input::new(&rows.columns).of(key);
            match (side(&left, left_key), side(&right, right_key)) {
                (Use::Entity, Use::Entity) => on_entity = true,
                (Use::Free, Use::Free) => {}
                (Use::Entity, _) | (_, Use::Entity) => {
                    return Err(refused(
                        RefusalCode::EntityColumn,
                        format!(
                            "{left_key} = {right_key} compares an entity with something else: join entity with entity"
                        ),
                    ));
                }
                _ => {
                    return Err(refused(
                        RefusalCode::ColumnRole,
                        format!(
                            "{left_key} = {right_key} joins on a measure: join on an entity or a dimension"
                        ),
                    ));
                }
            }
        }
        if left.protected && right.protected && !on_entity {
            return Err(refused(
                RefusalCode::JoinNotAllowed,
                "two protected datasets are joined on their entity: add the equality of the entity columns to ON".to_owned(),
            ));
        }
        let own = left.columns.len();
        let mut columns: Vec<Known> = left.columns.into_iter().chain(right.columns).collect();
        let mut filters: Sources = left.filters.into_iter().chain(right.filters).collect();
        if let Some(filter) = &join.filter {
            let input = Input::new(&columns);
            input.condition(filter, "ON")?;
            filters.extend(input.sources(filter));
        }
        if !join.kind.shows_right() {
            columns.truncate(own);
        }
        let carried = if carries_right(join) { right.kinds } else { vec![] };
        let kinds = left.kinds.into_iter().chain(carried).collect();
        Ok(Rows { columns, kinds, protected: left.protected || right.protected, filters })
    }

    /// A column of a union may be used as the strictest of its branches allows. Branches line up by place, as their rows do.
    fn union(&self, alias: &str, inputs: &[Relation]) -> Result<Rows, Refusal> {
        let mut branches = inputs.iter().map(|input| self.relation(input));
        let Some(first) = branches.next() else {
            return Ok(Rows::none());
        };
        let mut union = first?;
        for branch in branches {
            let branch = branch?;
            if union.kinds.len() != branch.kinds.len() || union.columns.len() != branch.columns.len() {
                return Err(refused(
                    RefusalCode::NotInLanguage,
                    "the branches of UNION ALL differ in the number of columns or of entity columns: ask each by itself"
                        .to_owned(),
                ));
            }
            union.protected |= branch.protected;
            union.filters.extend(branch.filters);
            for (known, other) in union.columns.iter_mut().zip(branch.columns) {
                known.permitted = strictest(known.permitted, other.permitted);
                known.counted &= other.counted;
                known.present &= other.present;
                known.summand =
                    known.summand.zip(other.summand).map(|(summand, other)| summand.either(other));
                known.sources.extend(other.sources);
            }
        }
        for known in &mut union.columns {
            alias.clone_into(&mut known.column.relation);
        }
        Ok(union)
    }
}

/// An entity beside anything else can be neither: it is only counted with the rows.
fn strictest(one: Use, other: Use) -> Use {
    match (one, other) {
        (Use::Free, Use::Free) => Use::Free,
        (Use::Entity, _) | (_, Use::Entity) => Use::Entity,
        _ => Use::Restricted,
    }
}

fn refused(code: RefusalCode, message: String) -> Refusal {
    Refusal::new(code, message)
}
