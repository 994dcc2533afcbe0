//! What the configuration means: checked, resolved, immutable. Nothing is checked again later.

use std::fs;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jigsaw_proto::contract::Contract;
use jigsaw_proto::id::NodeId;
use jigsaw_proto::tls::TlsMaterial;

use crate::config::{AuditWords, Config, CsvWords, FormatWord, TlsWords};
use crate::disclose::policy::Policy;

/// A configuration that can be run.
#[derive(Debug)]
pub struct Settings {
    pub(crate) id: NodeId,
    pub(crate) title: String,
    pub(crate) listen: SocketAddr,
    pub(crate) tls: TlsMaterial,
    pub(crate) coordinators: Vec<String>,
    pub(crate) audit: AuditSettings,
    pub(crate) limits: Limits,
    pub(crate) datasets: Vec<DatasetSettings>,
}

/// Where a node keeps its record.
#[derive(Debug, Clone)]
pub struct AuditSettings {
    pub(crate) file: PathBuf,
    pub(crate) key: PathBuf,
    /// bytes after which the log goes on in a new file
    pub(crate) rotate: u64,
}

/// What one node gives to questions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) fragments: usize,
    pub(crate) memory: usize,
    pub(crate) deadline: Duration,
    pub(crate) threads: NonZeroUsize,
}

/// One dataset, before its source is opened.
#[derive(Debug, Clone)]
pub(crate) struct DatasetSettings {
    pub(crate) contract: Contract,
    pub(crate) contract_text: String,
    pub(crate) policy: Policy,
    pub(crate) source: String,
    pub(crate) folder: PathBuf,
    pub(crate) format: FormatWord,
    pub(crate) csv: CsvWords,
    pub(crate) select: Option<String>,
}

/// A configuration that cannot be run: one sentence that says what is wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {problem}")]
pub struct SettingsError {
    file: String,
    problem: String,
}

type Result<T> = std::result::Result<T, SettingsError>;

impl Settings {
    /// Reads and checks a configuration file. Relative paths in it are relative to its folder.
    ///
    /// # Errors
    /// The first thing that is wrong with it, or with a file it names.
    pub fn load(path: &Path) -> Result<Self> {
        let problem = |problem: String| SettingsError { file: path.display().to_string(), problem };
        let config: Config = toml::from_str(&read(path)?).map_err(|error| problem(error.to_string()))?;
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        let Config { node, tls, coordinators, audit, datasets } = config;
        if coordinators.is_empty() {
            return Err(problem("there is no [[coordinator]]: name the one this node serves".to_owned()));
        }
        if node.max_concurrent_fragments == 0 || node.max_memory_mb == 0 || node.deadline_seconds == 0 {
            return Err(problem("[node]: limits must be greater than 0".to_owned()));
        }
        let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let threads = node.threads.map_or(Some(cores), NonZeroUsize::new);
        let threads = threads.ok_or_else(|| problem("[node]: threads must be greater than 0".to_owned()))?;
        let datasets = datasets.into_iter().map(|words| dataset(words, &folder, path));
        let datasets = datasets.collect::<Result<Vec<_>>>()?;
        let mut names: Vec<_> = datasets.iter().map(|dataset| &dataset.contract.name).collect();
        names.sort();
        if let Some(twice) =
            names.windows(2).find(|pair| pair.first() == pair.last()).and_then(|pair| pair.first())
        {
            return Err(problem(format!("dataset {twice} is listed twice: one [[dataset]] each")));
        }
        Ok(Self {
            id: node.id,
            title: node.title,
            listen: node.listen,
            tls: material(&tls, &folder)?,
            coordinators: coordinators.into_iter().map(|coordinator| coordinator.identity).collect(),
            audit: AuditSettings::new(audit, &folder).map_err(problem)?,
            limits: Limits {
                fragments: node.max_concurrent_fragments,
                memory: node.max_memory_mb.saturating_mul(1024 * 1024),
                deadline: Duration::from_secs(node.deadline_seconds),
                threads,
            },
            datasets,
        })
    }

    /// Where it listens.
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }
}

impl AuditSettings {
    /// Reads the `[audit]` of a configuration file, whose other parts need only be well spelt.
    ///
    /// # Errors
    /// A file that is no configuration.
    pub fn load(path: &Path) -> Result<Self> {
        let problem = |problem: String| SettingsError { file: path.display().to_string(), problem };
        let config: Config = toml::from_str(&read(path)?).map_err(|error| problem(error.to_string()))?;
        Self::new(config.audit, &path.parent().map(Path::to_path_buf).unwrap_or_default()).map_err(problem)
    }

    fn new(words: AuditWords, folder: &Path) -> std::result::Result<Self, String> {
        let file = folder.join(words.file);
        if words.rotate_mb == 0 {
            return Err("[audit]: rotate_mb must be greater than 0".to_owned());
        }
        let mut beside = file.clone().into_os_string();
        beside.push(".key");
        let key = words.key.map_or_else(|| beside.into(), |key| folder.join(key));
        Ok(Self { file, key, rotate: words.rotate_mb.saturating_mul(1024 * 1024) })
    }
}

fn dataset(words: crate::config::DatasetWords, folder: &Path, file: &Path) -> Result<DatasetSettings> {
    let crate::config::DatasetWords { contract, source, format, csv, select, policy } = words;
    let path = folder.join(contract);
    let contract_text = read(&path)?;
    let contract = Contract::parse(&contract_text).map_err(|error| {
        let cause =
            std::error::Error::source(&error).map_or_else(String::new, |source| format!(": {source}"));
        SettingsError { file: path.display().to_string(), problem: format!("{error}{cause}") }
    })?;
    let problem = |problem: String| SettingsError {
        file: file.display().to_string(),
        problem: format!("dataset {}: {problem}", contract.name),
    };
    let policy = Policy::new(&policy, contract.floor)
        .map_err(|error| problem(format!("[dataset.policy]: {error}")))?;
    let ending = source.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let format = match (format, ending.as_str()) {
        (Some(format), _) => format,
        (None, "parquet") => FormatWord::Parquet,
        (None, "csv") => FormatWord::Csv,
        (None, _) => {
            return Err(problem(format!(
                "source {source} ends neither in .parquet nor in .csv: write format = …"
            )));
        }
    };
    if format == FormatWord::Parquet && csv.is_some() {
        return Err(problem("[dataset.csv] is for CSV sources: take it out".to_owned()));
    }
    let csv = csv.unwrap_or_else(CsvWords::plain);
    if !csv.delimiter.is_ascii() {
        return Err(problem("[dataset.csv]: delimiter is one ASCII character".to_owned()));
    }
    Ok(DatasetSettings {
        contract,
        contract_text,
        policy,
        source,
        folder: folder.to_path_buf(),
        format,
        csv,
        select,
    })
}

fn material(words: &TlsWords, folder: &Path) -> Result<TlsMaterial> {
    let TlsWords { certificate, key, client_ca } = words;
    Ok(TlsMaterial {
        certificate: read(&folder.join(certificate))?,
        key: read(&folder.join(key))?,
        authority: read(&folder.join(client_ca))?,
    })
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| SettingsError {
        file: path.display().to_string(),
        problem: format!("the file cannot be read: {error}"),
    })
}
