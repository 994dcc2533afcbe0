//! Seeded synthetic rows for a London of 33 boroughs and 8 charities, and the split of two real open datasets.
//!
//! The same seed and scale give the same rows and the same file bytes. Shares follow published figures (how many
//! people sleep rough and where, how many pupils cross a border, which walls are damp), so answers look right; no row
//! describes anybody. Some nodes hold their files in shapes of their own (other names, other codes, °F, dd/mm/yyyy,
//! CSV), with the mapping `select` that leads back to the contract.
//!
//! * [`Synthetic`] – the generator; [`Synthetic::write_to`] writes node folders
//! * [`real`] – road collisions and air quality, split by borough
//! * [`canary`] – values that must never leave a node

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use jigsaw_proto::contract::Contract;
use sha2::{Digest, Sha256};

pub mod canary;
mod children;
mod deliver;
mod dice;
mod homes;
mod london;
mod people;
pub mod real;
mod surroundings;
mod table;
pub(crate) mod text;

use canary::Canary;
use london::London;
use table::Dataset;

/// Anything that goes wrong while data are made.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
/// With that error.
pub type Result<T> = std::result::Result<T, Error>;

/// How much to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scale {
    /// people seen sleeping rough in a year
    pub rough_sleepers: u32,
    /// homelessness applications in two years
    pub homelessness_cases: u32,
    /// stays in charities' accommodation
    pub stays: u32,
    /// pupils on a school's roll
    pub pupils: u32,
    /// dwellings let by councils
    pub properties: u32,
    /// sensors in dwellings
    pub sensors: u32,
    /// days of January 2026 with hourly readings, 1 to 31
    pub days: u32,
    /// flood reports
    pub floods: u32,
}

impl Scale {
    /// About half a million rows: rough sleeping as large as London's, the rest smaller than life.
    pub const fn demo() -> Self {
        Self {
            rough_sleepers: 12_000,
            homelessness_cases: 60_000,
            stays: 12_000,
            pupils: 60_000,
            properties: 30_000,
            sensors: 200,
            days: 31,
            floods: 900,
        }
    }

    /// About fifteen thousand rows, for tests.
    pub const fn test() -> Self {
        Self {
            rough_sleepers: 900,
            homelessness_cases: 2_000,
            stays: 400,
            pupils: 2_000,
            properties: 1_500,
            sensors: 40,
            days: 2,
            floods: 120,
        }
    }
}

/// The generator.
#[derive(Debug, Clone, Copy)]
pub struct Synthetic {
    seed: u64,
    scale: Scale,
    canaries: bool,
}

/// One node's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeData {
    /// its id, also the name of its folder
    pub id: String,
    /// its name in words
    pub title: String,
    /// what it holds
    pub datasets: Vec<DatasetFiles>,
}

/// One dataset at one node, as a `[[dataset]]` of its configuration says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetFiles {
    /// name in SQL
    pub dataset: &'static str,
    /// file name of the contract, see [`contracts`]
    pub contract: String,
    /// path or glob below the node's folder
    pub source: String,
    /// what the files are
    pub format: Format,
    /// mapping over the table `source`, where the files are not in the contract's shape
    pub select: Option<String>,
}

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// Apache Parquet
    Parquet,
    /// text with a header line
    Csv {
        /// between fields
        delimiter: char,
        /// texts that mean NULL
        null_values: Vec<String>,
    },
}

/// A public table for the coordinator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference {
    /// name in SQL, also the file's name without `.csv`
    pub name: &'static str,
    /// what it is
    pub description: &'static str,
    /// the CSV itself
    pub text: &'static str,
}

/// The public reference tables.
pub const REFERENCES: [Reference; 3] = [
    Reference {
        name: "ref_borough",
        description: "London boroughs: GSS code, name, inner or outer, residents, children, households (rounded)",
        text: include_str!("../reference/ref_borough.csv"),
    },
    Reference {
        name: "ref_neighbour",
        description: "Pairs of London boroughs with a common border, both ways round",
        text: include_str!("../reference/ref_neighbour.csv"),
    },
    Reference {
        name: "ref_school",
        description: "Invented schools: number, borough, phase, pupils, share of free school meals",
        text: include_str!("../reference/ref_school.csv"),
    },
];

/// Every contract: name and TOML text.
pub fn contracts() -> impl Iterator<Item = (&'static str, &'static str)> {
    table::CONTRACTS.into_iter()
}

/// The contract of that name.
pub fn contract(name: &str) -> Result<Contract> {
    table::contract(name)
}

/// The GSS code of the borough whose node has this id; `None`: it is no borough.
pub fn code_of(node: &str) -> Option<&'static str> {
    let boroughs = REFERENCES[0].text.lines().skip(1).filter_map(|line| line.split_once(','));
    let own = |rest: &str| rest.split(',').next().is_some_and(|name| london::id(name) == node);
    boroughs.into_iter().find(|(_, rest)| own(rest)).map(|(code, _)| code)
}

/// The same contract under an open release: for comparison with an engine that protects nothing.
pub fn opened(contract: &str) -> String {
    let words = ["threshold", "rounding", "conditions", "cells_per_day"];
    let protection = |line: &&str| !words.iter().any(|word| line.starts_with(word));
    let lines = contract.lines().filter(protection).map(|line| match line {
        "release = \"protected\"" => "release = \"open\"",
        line => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

impl Synthetic {
    /// A generator without canaries.
    pub const fn new(seed: u64, scale: Scale) -> Self {
        Self { seed, scale, canaries: false }
    }

    /// Also plants the rows of [`Synthetic::canaries`].
    pub const fn with_canaries(self) -> Self {
        Self { canaries: true, ..self }
    }

    /// What [`Synthetic::with_canaries`] plants.
    pub fn canaries(&self) -> Result<Vec<Canary>> {
        Ok(canary::all(&London::read()?))
    }

    /// Writes a folder for every node into `dir`, and says what is in them.
    pub fn write_to(&self, dir: &Path) -> Result<Vec<NodeData>> {
        let london = London::read()?;
        let mut nodes: Vec<NodeData> = london
            .nodes()
            .map(|(id, title)| NodeData { id: id.to_owned(), title: title.to_owned(), datasets: Vec::new() })
            .collect();
        for dataset in self.generate(&london)? {
            let (name, tables) = dataset.finish()?;
            for (index, batch) in tables {
                let node = nodes.get_mut(index).ok_or("a row is at no node")?;
                let folder = dir.join(&node.id);
                fs::create_dir_all(folder.join("data"))?;
                node.datasets.push(deliver::deliver(&folder, &node.id, name, &batch)?);
            }
        }
        Ok(nodes)
    }

    /// Writes the reference tables into `dir` as CSV files.
    pub fn write_references(dir: &Path) -> Result<()> {
        fs::create_dir_all(dir)?;
        for reference in REFERENCES {
            fs::write(dir.join(format!("{}.csv", reference.name)), reference.text)?;
        }
        Ok(())
    }

    /// SHA-256 over all rows as the contracts define them, whatever shape they are delivered in.
    pub fn fingerprint(&self) -> Result<String> {
        let mut hash = Sha256::new();
        let london = London::read()?;
        for dataset in self.generate(&london)? {
            let (name, tables) = dataset.finish()?;
            for (index, batch) in tables {
                hash.update(format!("{name} {index}\n"));
                hash.update(deliver::csv_bytes(&batch, b',')?);
            }
        }
        Ok(hex(&hash.finalize()))
    }

    /// Number of rows of each dataset.
    pub fn row_counts(&self) -> Result<BTreeMap<&'static str, usize>> {
        let london = London::read()?;
        let mut counts = BTreeMap::new();
        for dataset in self.generate(&london)? {
            let (name, tables) = dataset.finish()?;
            counts.insert(name, tables.iter().map(|(_, batch)| batch.num_rows()).sum());
        }
        Ok(counts)
    }

    fn generate(&self, london: &London) -> Result<Vec<Dataset>> {
        let mut datasets = people::generate(self.seed, &self.scale, london)?;
        datasets.extend(children::generate(self.seed, &self.scale, london)?);
        datasets.extend(homes::generate(self.seed, &self.scale, london)?);
        datasets.extend(surroundings::generate(self.seed, &self.scale, london)?);
        if self.canaries {
            canary::plant(&mut datasets, london)?;
        }
        Ok(datasets)
    }
}

#[cfg(test)]
mod tests;

/// Two hexadecimal digits a byte.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        _ = write!(hex, "{byte:02x}");
        hex
    })
}
