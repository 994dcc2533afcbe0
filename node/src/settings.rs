//! What the configuration means: checked, resolved, immutable. Nothing is checked again later.

mod identity;
mod only;

use std::fs;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jigsaw_proto::contract::Contract;
use jigsaw_proto::id::NodeId;
use jigsaw_proto::pace;
use jigsaw_proto::release::DeclaredKeys;
use jigsaw_proto::tls::TlsMaterial;

use crate::authorise::IdentitySettings;
use crate::config::{AuditWords, Config, CsvWords, DatasetWords, FormatWord, PolicyPlace, TlsWords};
use crate::disclose::policy::Policy;
use crate::disclose::policy::problem::Problem;

/// A configuration that can be run.
#[derive(Debug)]
pub struct Settings {
    /// where it was read, and its policies are read again
    pub(crate) file: PathBuf,
    pub(crate) id: NodeId,
    pub(crate) title: String,
    pub(crate) listen: SocketAddr,
    pub(crate) tls: TlsMaterial,
    pub(crate) coordinators: Vec<String>,
    pub(crate) audit: AuditSettings,
    pub(crate) disclosure: PathBuf,
    pub(crate) limits: Limits,
    /// how analysts are verified; `None`: the coordinator's word
    pub(crate) identity: Option<IdentitySettings>,
    pub(crate) pace: pace::Limits,
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
    /// rows of other values are not served
    pub(crate) only: Vec<DeclaredKeys>,
}

/// A configuration that cannot be run: one sentence that says what is wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct SettingsError {
    place: String,
    problem: String,
}

impl SettingsError {
    fn whole(file: &Path, problem: String) -> Self {
        Self { place: file.display().to_string(), problem }
    }

    fn at(file: &Path, line: Option<usize>, problem: String) -> Self {
        match line {
            Some(line) => Self { place: format!("{}:{line}", file.display()), problem },
            None => Self::whole(file, problem),
        }
    }
}

type Result<T> = std::result::Result<T, SettingsError>;

/// The configuration file, read.
struct ConfigFile {
    path: PathBuf,
    folder: PathBuf,
    text: String,
    config: Config,
}

impl ConfigFile {
    fn read(path: &Path) -> Result<Self> {
        let text = read(path)?;
        let config = toml::from_str(&text).map_err(|error| {
            let problem = Problem::from(error);
            SettingsError::at(path, problem.line(&text), problem.to_string())
        })?;
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        Ok(Self { path: path.to_path_buf(), folder, text, config })
    }

    /// Its datasets with their contracts and policies.
    fn datasets(&mut self) -> Result<Vec<DatasetSettings>> {
        let listed = std::mem::take(&mut self.config.datasets);
        let datasets = listed.into_iter().map(|words| dataset(words, self)).collect::<Result<Vec<_>>>()?;
        let mut names: Vec<_> = datasets.iter().map(|dataset| &dataset.contract.name).collect();
        names.sort();
        let twice = names.windows(2).find(|pair| pair.first() == pair.last()).and_then(|pair| pair.first());
        match twice {
            Some(twice) => {
                let problem = format!("dataset {twice} is listed twice: one [[dataset]] each");
                Err(SettingsError::whole(&self.path, problem))
            }
            None => Ok(datasets),
        }
    }

    /// A policy, from the file itself or from the one it names.
    fn policy(&self, place: &PolicyPlace, contract: &Contract) -> Result<Policy> {
        let failed = |path: &Path, text: &str, problem: &Problem| {
            let sentence = format!("policy of dataset {}: {problem}", contract.name);
            SettingsError::at(path, problem.line(text), sentence)
        };
        match place {
            PolicyPlace::Here(words) => Policy::new(words, contract, &self.folder)
                .map_err(|problem| failed(&self.path, &self.text, &problem)),
            PolicyPlace::File(file) => {
                let path = self.folder.join(file);
                let text = read(&path)?;
                let folder = path.parent().unwrap_or(&self.folder);
                Policy::read(&text, contract, folder).map_err(|problem| failed(&path, &text, &problem))
            }
        }
    }
}

/// Where the audit log of a configuration file is.
///
/// # Errors
/// A file that is no configuration.
pub(crate) fn audit_log(path: &Path) -> Result<PathBuf> {
    let ConfigFile { folder, config, .. } = ConfigFile::read(path)?;
    Ok(folder.join(config.audit.file))
}

/// The datasets of a configuration file, with their contracts and policies as the files have them now.
///
/// # Errors
/// The first thing that is wrong with it, or with a file it names.
pub(crate) fn datasets(path: &Path) -> Result<Vec<DatasetSettings>> {
    ConfigFile::read(path)?.datasets()
}

impl Settings {
    /// Reads and checks a configuration file. Relative paths in it are relative to its folder.
    ///
    /// # Errors
    /// The first thing that is wrong with it, or with a file it names.
    pub fn load(path: &Path) -> Result<Self> {
        let problem = |problem: String| SettingsError::whole(path, problem);
        let mut file = ConfigFile::read(path)?;
        let datasets = file.datasets()?;
        let ConfigFile {
            folder,
            config: Config { node, tls, coordinators, audit, disclosure, identity, limits, .. },
            ..
        } = file;
        let audit = AuditSettings::new(audit, &folder).map_err(problem)?;
        let disclosure = disclosure.map(|words| folder.join(words.folder));
        if coordinators.is_empty() {
            return Err(problem("there is no [[coordinator]]: name the one this node serves".to_owned()));
        }
        if node.max_concurrent_fragments == 0 || node.max_memory_mb == 0 || node.deadline_seconds == 0 {
            return Err(problem("[node]: limits must be greater than 0".to_owned()));
        }
        let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let threads = node.threads.map_or(Some(cores), NonZeroUsize::new);
        let threads = threads.ok_or_else(|| problem("[node]: threads must be greater than 0".to_owned()))?;
        Ok(Self {
            file: path.to_path_buf(),
            id: node.id,
            title: node.title,
            listen: node.listen,
            tls: material(&tls, &folder)?,
            coordinators: coordinators.into_iter().map(|coordinator| coordinator.identity).collect(),
            disclosure: disclosure.unwrap_or_else(|| audit.file.with_extension("disclosure")),
            audit,
            limits: Limits {
                fragments: node.max_concurrent_fragments,
                memory: node.max_memory_mb.saturating_mul(1024 * 1024),
                deadline: Duration::from_secs(node.deadline_seconds),
                threads,
            },
            identity: identity
                .map(|words| identity::settings(words, &folder))
                .transpose()
                .map_err(problem)?,
            pace: limits.checked().map_err(problem)?,
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
        let ConfigFile { folder, config, .. } = ConfigFile::read(path)?;
        Self::new(config.audit, &folder).map_err(|problem| SettingsError::whole(path, problem))
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

fn dataset(words: DatasetWords, file: &ConfigFile) -> Result<DatasetSettings> {
    let DatasetWords { contract, source, format, csv, select, only, policy } = words;
    let path = file.folder.join(contract);
    let contract_text = read(&path)?;
    let contract = Contract::parse(&contract_text).map_err(|error| {
        let cause =
            std::error::Error::source(&error).map_or_else(String::new, |source| format!(": {source}"));
        SettingsError::whole(&path, format!("{error}{cause}"))
    })?;
    let problem =
        |problem: String| SettingsError::whole(&file.path, format!("dataset {}: {problem}", contract.name));
    let policy = file.policy(&policy, &contract)?;
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
    let only = only::keys(only, &contract).map_err(problem)?;
    Ok(DatasetSettings {
        contract,
        contract_text,
        policy,
        source,
        folder: file.folder.clone(),
        format,
        csv,
        select,
        only,
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
    fs::read_to_string(path)
        .map_err(|error| SettingsError::whole(path, format!("the file cannot be read: {error}")))
}
