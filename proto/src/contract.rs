//! Contracts: what a dataset looks like at every node, and how freely it may be released at most.
//!
//! The regional office publishes a contract as a TOML file; a node maps its own tables to it. Two parties follow the
//! same contract if the hashes of their canonical forms are equal.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::id::{ColumnName, DatasetName};
use crate::release::ReleaseMode;
use crate::types::DataType;

/// The virtual column of every federated table: the id of the node a row is at.
pub const NODE_COLUMN: &str = "node";

/// A dataset's contract.
#[derive(Debug, Clone, PartialEq)]
pub struct Contract {
    /// name in SQL
    pub name: DatasetName,
    /// raised with every change
    pub version: u32,
    /// what one row is
    pub description: String,
    /// the freest release a node's policy may choose
    pub floor: Floor,
    /// the freest conditions a node's policy may let questions set
    pub conditions: Conditions,
    /// the most new aggregates that a node's policy may answer on one day; `None`: the contract does not say
    pub cells_per_day: Option<u64>,
    /// its columns, in order, without the virtual column `node`
    pub columns: Vec<ColumnContract>,
}

/// The freest release a node's policy may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Floor {
    /// a node may release exact aggregates of any group
    Open,
    /// a node must protect, at least this strictly
    Protected {
        /// least number of entities a cell stands for, ≥ 2
        threshold: u32,
        /// base that counts are rounded to, ≥ 1
        rounding: u32,
    },
}

/// Which sets of rows a question may ask about.
///
/// Whoever may choose any set chooses two that differ by one person, and no rule over figures hides that from somebody who knows
/// enough of the others. So a protected dataset is a cube of cells that are there before anybody asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Conditions {
    /// any condition of the language
    Any,
    /// cells of a cube: one test of each dimension, joined by AND
    Cube,
}

impl Conditions {
    /// `any` or `cube`
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Cube => "cube",
        }
    }
}

/// One column of a contract.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnContract {
    /// name in SQL
    pub name: ColumnName,
    /// its type
    pub data_type: DataType,
    /// what may be done with it
    pub role: Role,
    /// what it says of a row
    pub description: String,
    /// unit of measurement, UCUM or plain words
    pub unit: Option<String>,
    /// the values it may have; empty: not listed
    pub codes: Vec<String>,
    /// whether it may be NULL
    pub nullable: bool,
    /// what divides rows among nodes: all rows with one value of this column are at one node, and columns of any dataset
    /// with the same word here have a value at the same node
    pub partition: Option<String>,
}

/// What may be done with a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Role {
    /// may be grouped and filtered
    Dimension,
    /// may be aggregated
    Measure {
        /// least and greatest plausible value
        bounds: Option<(f64, f64)>,
        /// step of the published figure, > 0: sums are rounded to rounding × resolution
        resolution: f64,
        /// may be compared, banded and grouped under a protected policy
        filterable: bool,
    },
    /// whom disclosure control protects: may be counted distinct and joined on within a node, nothing else
    Entity {
        /// whether the same entity is never at two nodes (a dwelling, a case)
        node_scoped: bool,
    },
    /// known to the node, invisible to everyone
    Hidden,
}

impl Role {
    /// `dimension`, `measure`, `entity` or `hidden`
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Dimension => "dimension",
            Self::Measure { .. } => "measure",
            Self::Entity { .. } => "entity",
            Self::Hidden => "hidden",
        }
    }
}

/// A contract file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    /// It is no TOML of the expected form.
    #[error("the contract cannot be read")]
    Syntax(#[source] Box<toml::de::Error>),
    /// It is well-formed and makes no sense.
    #[error("contract {contract}: {problem}")]
    Invalid {
        /// its name
        contract: DatasetName,
        /// what is wrong, where, and what to do
        problem: String,
    },
}

impl Contract {
    /// Reads a contract file.
    ///
    /// # Errors
    /// Text that is no contract, or a contract that makes no sense.
    pub fn parse(text: &str) -> Result<Self, ContractError> {
        let file: ContractFile =
            toml::from_str(text).map_err(|error| ContractError::Syntax(Box::new(error)))?;
        let contract = file.name.clone();
        file.check().map_err(|problem| ContractError::Invalid { contract, problem })
    }

    /// One of its columns.
    pub fn column(&self, name: &str) -> Option<&ColumnContract> {
        self.columns.iter().find(|column| column.name.as_str() == name)
    }

    /// The columns of role entity.
    pub fn entities(&self) -> impl Iterator<Item = &ColumnContract> {
        self.columns.iter().filter(|column| matches!(column.role, Role::Entity { .. }))
    }

    /// Hash of the canonical form: two parties that have the same hash mean the same table.
    ///
    /// Descriptions are left out, so that a typing error in one of them does not split the federation.
    pub fn hash(&self) -> String {
        let mut canonical = format!("{} v{} {:?}\n", self.name, self.version, self.floor);
        // What is not said changes no hash: contracts of before mean what they meant.
        if self.conditions == Conditions::Any && self.floor != Floor::Open {
            canonical.push_str("conditions any\n");
        }
        if let Some(cells) = self.cells_per_day {
            // Infallible: writing to a String.
            _ = writeln!(canonical, "cells_per_day {cells}");
        }
        for column in &self.columns {
            let ColumnContract { name, data_type, role, description: _, unit, codes, nullable, partition } =
                column;
            let partition = partition.as_ref().map_or_else(String::new, |word| format!(" by {word:?}"));
            // Infallible: writing to a String.
            _ = writeln!(canonical, "{name} {data_type} {role:?} {unit:?} {codes:?} {nullable}{partition}");
        }
        Sha256::digest(canonical).iter().fold(String::new(), |mut hex, byte| {
            _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

// ---- the file ----

/// The file's words, which can only be wrong about spelling.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ContractFile {
    name: DatasetName,
    version: u32,
    description: String,
    release: ReleaseMode,
    threshold: Option<u32>,
    rounding: Option<u32>,
    conditions: Option<Conditions>,
    cells_per_day: Option<u64>,
    #[serde(rename = "column")]
    columns: Vec<ColumnFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ColumnFile {
    name: ColumnName,
    r#type: String,
    role: RoleWord,
    description: String,
    unit: Option<String>,
    #[serde(default)]
    codes: Vec<String>,
    #[serde(default = "yes")]
    nullable: bool,
    bounds: Option<(f64, f64)>,
    resolution: Option<f64>,
    filterable: Option<bool>,
    scope: Option<Scope>,
    partition: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RoleWord {
    Dimension,
    Measure,
    Entity,
    Hidden,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Scope {
    Node,
    Federation,
}

fn yes() -> bool {
    true
}

impl ContractFile {
    fn check(self) -> Result<Contract, String> {
        let floor = floor(self.release, self.threshold, self.rounding)?;
        if floor == Floor::Open && (self.conditions.is_some() || self.cells_per_day.is_some()) {
            return Err(
                "conditions and cells_per_day have no meaning with release = \"open\": take them out"
                    .to_owned(),
            );
        }
        if self.cells_per_day == Some(0) {
            return Err("cells_per_day = 0 would answer nothing: it is 1 or more".to_owned());
        }
        let loosest = if floor == Floor::Open { Conditions::Any } else { Conditions::Cube };
        let columns = self.columns.into_iter().map(ColumnFile::check).collect::<Result<Vec<_>, _>>()?;
        let mut names = BTreeSet::new();
        if let Some(twice) = columns.iter().find(|column| !names.insert(column.name.clone())) {
            return Err(format!("column {} is listed twice", twice.name));
        }
        if names.iter().any(|name| name.as_str() == NODE_COLUMN) {
            return Err(format!("column {NODE_COLUMN} is added by Jigsaw: take it off the list"));
        }
        let contract = Contract {
            name: self.name,
            version: self.version,
            description: self.description,
            floor,
            conditions: self.conditions.unwrap_or(loosest),
            cells_per_day: self.cells_per_day,
            columns,
        };
        if matches!(floor, Floor::Protected { .. }) && contract.entities().next().is_none() {
            return Err(
                "a protected dataset needs a column with role = \"entity\": whom does it protect?".to_owned()
            );
        }
        Ok(contract)
    }
}

fn floor(mode: ReleaseMode, threshold: Option<u32>, rounding: Option<u32>) -> Result<Floor, String> {
    match (mode, threshold, rounding) {
        (ReleaseMode::Open, None, None) => Ok(Floor::Open),
        (ReleaseMode::Open, ..) => {
            Err("threshold and rounding have no meaning with release = \"open\": take them out".to_owned())
        }
        (ReleaseMode::Protected, Some(threshold @ 2..), Some(rounding @ 1..)) => {
            Ok(Floor::Protected { threshold, rounding })
        }
        (ReleaseMode::Protected, ..) => {
            Err("release = \"protected\" needs threshold (2 or more) and rounding (1 or more)".to_owned())
        }
    }
}

impl ColumnFile {
    fn check(self) -> Result<ColumnContract, String> {
        let Self {
            name,
            r#type,
            role,
            description,
            unit,
            codes,
            nullable,
            bounds,
            resolution,
            filterable,
            scope,
            partition,
        } = self;
        let data_type: DataType = r#type.parse().map_err(|error| format!("column {name}: {error}"))?;
        let only_measures = bounds.is_some() || resolution.is_some() || filterable.is_some();
        if only_measures && role != RoleWord::Measure {
            return Err(format!("column {name}: bounds, resolution and filterable are for measures"));
        }
        if scope.is_some() && role != RoleWord::Entity {
            return Err(format!("column {name}: scope is for entities"));
        }
        if partition.is_some() && (role != RoleWord::Dimension || nullable) {
            return Err(format!(
                "column {name}: partition is for dimensions with nullable = false: it says at which node a row is"
            ));
        }
        if bounds.is_some_and(|(low, high)| low.is_nan() || high.is_nan() || low > high) {
            return Err(format!("column {name}: bounds are [least, greatest]"));
        }
        if resolution.is_some_and(|step| !(step > 0.0 && step.is_finite())) {
            return Err(format!("column {name}: resolution must be greater than 0"));
        }
        let role = match role {
            RoleWord::Dimension => Role::Dimension,
            RoleWord::Measure => Role::Measure {
                bounds,
                resolution: resolution.unwrap_or_else(|| default_resolution(&data_type)),
                filterable: filterable.unwrap_or(false),
            },
            RoleWord::Entity => Role::Entity { node_scoped: scope == Some(Scope::Node) },
            RoleWord::Hidden => Role::Hidden,
        };
        Ok(ColumnContract { name, data_type, role, description, unit, codes, nullable, partition })
    }
}

fn default_resolution(data_type: &DataType) -> f64 {
    match data_type {
        DataType::Int32 | DataType::Int64 => 1.0,
        _ => 0.01,
    }
}

#[cfg(test)]
mod tests;
