//! The configuration files of every party, as people would write them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use jigsaw_proto::contract::{Contract, Floor};
use sha2::{Digest as _, Sha256};
use toml::Value;

use crate::certificates::{Authority, Party};
use crate::data::{self, DatasetFiles, Format, NodeData, REFERENCES, Result, Synthetic, hex};

/// The coordinator's DNS name.
pub const COORDINATOR: &str = "coordinator.jigsaw.example";

pub(super) const CA: &str = "tls/federation-ca.pem";
pub(super) const TOKEN: &str = "analyst.token";
pub(super) const AUDIT: &str = "audit/audit.jsonl";

/// The column that boroughs declare.
const BOROUGH: &str = "borough_gss";

/// How freely the nodes release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// contracts and nodes protect nothing: for comparison with one database
    Open,
    /// every node does what the contract's floor says
    Contract,
}

/// What the nodes hold and on which terms they release it.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) policy: Policy,
    /// in place of what the floor of a protected dataset says
    pub(super) lines: Option<String>,
    /// whether boroughs declare that they serve rows of their own code alone
    pub(super) declared: bool,
    /// beside the ones everybody knows, by name
    pub(super) contracts: BTreeMap<String, String>,
}

impl Terms {
    fn contracts(&self) -> impl Iterator<Item = (&str, &str)> {
        let known = data::contracts().map(|(name, text): (&str, &str)| (name, text));
        known.chain(self.contracts.iter().map(|(name, text)| (name.as_str(), text.as_str())))
    }
}

/// A node's DNS name.
pub fn identity(node: &str) -> String {
    format!("{node}.jigsaw.example")
}

/// What the regional office publishes: authority, contracts, reference tables.
pub(super) fn shared(
    dir: &Path,
    terms: &Terms,
    authority: &Authority,
    coordinator: &Party,
    nodes: &[NodeData],
) -> Result<()> {
    for folder in ["tls", "contracts", "reference"] {
        fs::create_dir_all(dir.join(folder))?;
    }
    fs::write(dir.join(CA), authority.pem())?;
    coordinator.write(&dir.join("tls"), "coordinator")?;
    let held = |name: &str| nodes.iter().flat_map(|node| &node.datasets).any(|files| files.dataset == name);
    for (name, text) in terms.contracts().filter(|(name, _)| held(name)) {
        let text = if terms.policy == Policy::Open { data::opened(text) } else { text.to_owned() };
        fs::write(dir.join(format!("contracts/{name}.toml")), text)?;
    }
    Synthetic::write_references(&dir.join("reference"))
}

/// A node's certificate and configuration.
pub(super) fn node(
    dir: &Path,
    data: &NodeData,
    terms: &Terms,
    address: SocketAddr,
    party: &Party,
) -> Result<()> {
    let NodeData { id, title, datasets } = data;
    let folder = dir.join(id);
    fs::create_dir_all(folder.join("audit"))?;
    party.write(&dir.join("tls"), id)?;
    let mut text = format!(
        "[node]\nid = {}\ntitle = {}\nlisten = {}\nmax_concurrent_fragments = 64\nthreads = 1\n\n\
         [tls]\ncertificate = {}\nkey = {}\nclient_ca = {}\n\n\
         [[coordinator]]\nidentity = {}\n\n[audit]\nfile = {}\n",
        quoted(id),
        quoted(title),
        quoted(&address.to_string()),
        quoted(&format!("../tls/{id}.pem")),
        quoted(&format!("../tls/{id}.key")),
        quoted(&format!("../{CA}")),
        quoted(COORDINATOR),
        quoted(AUDIT),
    );
    let code = if terms.declared { data::code_of(id) } else { None };
    for files in datasets {
        dataset(&mut text, files, terms, code)?;
    }
    fs::write(folder.join("node.toml"), text)?;
    Ok(())
}

fn dataset(text: &mut String, files: &DatasetFiles, terms: &Terms, code: Option<&str>) -> Result<()> {
    let DatasetFiles { dataset, contract, source, format, select } = files;
    let (contract, source) = (quoted(&format!("../contracts/{contract}")), quoted(source));
    let word = if matches!(format, Format::Parquet) { "parquet" } else { "csv" };
    write!(text, "\n[[dataset]]\ncontract = {contract}\nsource = {source}\nformat = \"{word}\"\n")?;
    if let Some(select) = select {
        writeln!(text, "select = {}", quoted(select))?;
    }
    if let Format::Csv { delimiter, null_values } = format {
        let null_values = Value::Array(null_values.iter().cloned().map(Value::String).collect());
        writeln!(
            text,
            "[dataset.csv]\ndelimiter = {}\nnull_values = {null_values}",
            quoted(&delimiter.to_string())
        )?;
    }
    let contract = Contract::parse(
        terms.contracts().find(|(name, _)| name == dataset).ok_or("a dataset without a contract")?.1,
    )?;
    if let Some(code) = code.filter(|_| contract.column(BOROUGH).is_some()) {
        writeln!(text, "[dataset.only]\n{BOROUGH} = [{}]", quoted(code))?;
    }
    match (contract.floor, &terms.lines) {
        (Floor::Protected { .. }, Some(lines)) if terms.policy == Policy::Contract => {
            writeln!(text, "[dataset.policy]\n{lines}")?;
        }
        (Floor::Protected { threshold, rounding }, None) if terms.policy == Policy::Contract => {
            writeln!(
                text,
                "[dataset.policy]\nrelease = \"protected\"\nthreshold = {threshold}\nrounding = {rounding}"
            )?;
            // Who lives where and learns where may be compared: that is what the census of schools is for.
            if ["home_gss", "school_gss"].iter().all(|column| contract.column(column).is_some()) {
                writeln!(text, "compare_columns = [[\"home_gss\", \"school_gss\"]]")?;
            }
        }
        _ => writeln!(text, "[dataset.policy]\nrelease = \"open\"")?,
    }
    Ok(())
}

/// The coordinator's configuration and the analyst's token, which is returned.
pub(super) fn coordinator(
    dir: &Path,
    address: SocketAddr,
    timeout_seconds: u32,
    roster: &[(String, SocketAddr)],
) -> Result<String> {
    let mut secret = [0; 16];
    getrandom::fill(&mut secret)?;
    let token = hex(&secret);
    fs::write(dir.join(TOKEN), &token)?;
    let analysts =
        format!("[[analyst]]\nname = \"ada\"\ntoken_sha256 = \"{}\"\n", hex(&Sha256::digest(&token)));
    fs::write(dir.join("analysts.toml"), analysts)?;
    let mut text = format!(
        "[coordinator]\nlisten = {}\nquery_timeout_seconds = {timeout_seconds}\ncontracts = \"contracts/\"\n\n\
         [tls]\ncertificate = \"tls/coordinator.pem\"\nkey = \"tls/coordinator.key\"\nnode_ca = {}\n\n\
         [access]\ntokens = \"analysts.toml\"\n",
        quoted(&address.to_string()),
        quoted(CA),
    );
    for (id, address) in roster {
        let (identity, address) = (quoted(&identity(id)), quoted(&format!("https://{address}")));
        write!(text, "\n[[node]]\nid = \"{id}\"\naddress = {address}\nidentity = {identity}\n")?;
    }
    for reference in REFERENCES {
        let (name, description) = (reference.name, quoted(reference.description));
        let source = format!("reference/{name}.csv");
        write!(
            text,
            "\n[[reference]]\nname = \"{name}\"\nsource = \"{source}\"\ndescription = {description}\n"
        )?;
    }
    fs::write(dir.join("coordinator.toml"), text)?;
    Ok(token)
}

/// A TOML string.
fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}
