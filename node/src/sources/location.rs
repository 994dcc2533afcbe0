//! Where a dataset's files are: a path, a glob or a folder of this machine, or a URL of an object store.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat, Utc};
use datafusion::datasource::listing::ListingTableUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use object_store::parse_url_opts;
use url::Url;

use crate::config::FormatWord;
use crate::settings::DatasetSettings;

/// The files of one dataset.
pub(super) struct Files {
    url: ListingTableUrl,
    local: Option<Local>,
    opened: Instant,
}

/// How long a remote folder's list of files is good for.
const RELIST_SECONDS: u64 = 10;

/// A pattern over this machine's files.
struct Local {
    pattern: String,
}

impl Files {
    /// Finds the files; an object store is registered with credentials from the environment.
    pub(super) fn find(settings: &DatasetSettings, runtime: &Arc<RuntimeEnv>) -> Result<Self, String> {
        match Url::parse(&settings.source) {
            Ok(url) if is_remote(settings) => remote(&url, runtime),
            _ => local(settings),
        }
    }

    /// No files at all.
    pub(super) fn none() -> Result<Self, String> {
        let url = ListingTableUrl::parse("file:///").map_err(|error| super::sanitised(&error))?;
        Ok(Self { url, local: None, opened: Instant::now() })
    }

    pub(super) fn url(&self) -> &ListingTableUrl {
        &self.url
    }

    /// Newest change, RFC 3339; empty where the files are not on this machine.
    pub(super) fn newest(&self) -> String {
        let newest = self.stamps().map(|(_, changed, _)| changed).max();
        let time = newest.and_then(|nanos| DateTime::<Utc>::from_timestamp_nanos(nanos).into());
        time.map_or_else(String::new, |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true))
    }

    /// Names, times and sizes of the files. Files that are elsewhere are listed anew after a few seconds.
    pub(super) fn state_key(&self) -> String {
        if self.local.is_none() {
            return (self.opened.elapsed().as_secs() / RELIST_SECONDS).to_string();
        }
        self.stamps()
            .map(|(path, changed, size)| format!("{} {changed} {size}", path.display()))
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Bytes of all files together; `None` where they are not on this machine.
    pub(super) fn bytes(&self) -> Option<u64> {
        self.local.is_some().then(|| self.stamps().map(|(_, _, size)| size).sum())
    }

    fn stamps(&self) -> impl Iterator<Item = (PathBuf, i64, u64)> {
        let paths = self.local.as_ref().map(|local| {
            if local.pattern.contains(['*', '?', '[']) {
                matching(&local.pattern)
            } else {
                // Walking the folders for a file whose name is known takes longer than a short question.
                vec![PathBuf::from(&local.pattern)]
            }
        });
        paths.unwrap_or_default().into_iter().filter_map(|path| {
            let metadata = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
            let changed = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
            Some((path, i64::try_from(changed.as_nanos()).ok()?, metadata.len()))
        })
    }
}

/// The files of a dataset on this machine; none if it is elsewhere.
pub(super) fn local_files(settings: &DatasetSettings) -> Vec<PathBuf> {
    if is_remote(settings) {
        return vec![];
    }
    local_pattern(settings).map(|(_, pattern)| matching(&pattern)).unwrap_or_default()
}

fn is_remote(settings: &DatasetSettings) -> bool {
    Url::parse(&settings.source).is_ok_and(|url| url.scheme().len() > 1 && url.scheme() != "file")
}

/// The absolute path of a local source, and the pattern of its files.
fn local_pattern(settings: &DatasetSettings) -> Result<(PathBuf, String), String> {
    let source = settings.source.strip_prefix("file://").unwrap_or(&settings.source);
    let path = settings.folder.join(source);
    let path = std::path::absolute(&path).map_err(|error| format!("source {source}: {error}"))?;
    let ending = match settings.format {
        FormatWord::Parquet => "parquet",
        FormatWord::Csv => "csv",
    };
    let pattern =
        if path.is_dir() { format!("{}/**/*.{ending}", path.display()) } else { path.display().to_string() };
    Ok((path, pattern))
}

fn local(settings: &DatasetSettings) -> Result<Files, String> {
    let source = &settings.source;
    let (path, pattern) = local_pattern(settings)?;
    let listed = if path.is_dir() { format!("{}/", path.display()) } else { path.display().to_string() };
    if !path.is_dir() && matching(&pattern).is_empty() {
        return Err(format!(
            "source {source}: there is no such file: check the path, which is relative to the configuration file"
        ));
    }
    let url = ListingTableUrl::parse(&listed)
        .map_err(|error| format!("source {source}: {}", super::sanitised(&error)))?;
    Ok(Files { url, local: Some(Local { pattern }), opened: Instant::now() })
}

fn matching(pattern: &str) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = match glob::glob(pattern) {
        Ok(paths) => paths.filter_map(Result::ok).filter(|path| path.is_file()).collect(),
        Err(_) => vec![],
    };
    let exact = Path::new(pattern);
    if paths.is_empty() && exact.is_file() {
        paths.push(exact.to_path_buf());
    }
    paths
}

fn remote(url: &Url, runtime: &Arc<RuntimeEnv>) -> Result<Files, String> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err("source: credentials belong into the environment, not into the URL".to_owned());
    }
    let options = std::env::vars().map(|(key, value)| (key.to_ascii_lowercase(), value));
    let (store, _) = parse_url_opts(url, options).map_err(|error| format!("source {url}: {error}"))?;
    let mut root = url.clone();
    root.set_path("");
    runtime.register_object_store(&root, store.into());
    let url = ListingTableUrl::parse(url.as_str())
        .map_err(|error| format!("source {url}: {}", super::sanitised(&error)))?;
    Ok(Files { url, local: None, opened: Instant::now() })
}
