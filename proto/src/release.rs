//! What may come back from a borough, beside the record batches of aggregates.

mod keys;

use std::num::NonZeroU64;

use prost::Message;
use serde::Deserialize;

pub use keys::{DeclaredKeys, Key, MAX_KEYS};

use crate::generated as wire;
use crate::id::{NodeId, QueryId};
use crate::wire::Malformed;

/// How freely a dataset is released. There is no default: a policy spells it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReleaseMode {
    /// public data: exact aggregates of any group
    Open,
    /// disclosure control decides over every cell
    Protected,
}

impl ReleaseMode {
    /// `open` or `protected`
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Protected => "protected",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Open, Self::Protected].into_iter().find(|mode| mode.as_str() == word)
    }
}

/// What a node's disclosure control did to one release. Every field is a constant of the node's policy, or can be read
/// off the release itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// who releases
    pub node: NodeId,
    /// to which question
    pub query: QueryId,
    /// hash of the policies that decided, hexadecimal
    pub policy: String,
    /// the strictest mode of the datasets read
    pub mode: ReleaseMode,
    /// least number of entities a cell stands for; 0 when open
    pub threshold: u32,
    /// base that counts are rounded to; 1: exact
    pub rounding: u32,
    /// cells with a value
    pub released_cells: u64,
    /// cells shown as withheld
    pub withheld_cells: u64,
    /// codes of the rules applied, in order
    pub rules: Vec<String>,
    /// newest change of the data read, RFC 3339; empty: unknown
    pub data_as_of: String,
}

impl Manifest {
    /// The bytes of the last message's `app_metadata`.
    pub fn encode(&self) -> Vec<u8> {
        self.words().encode_to_vec()
    }

    /// The same, filled up with so many zeros and so many empty fields: whoever reads it passes over them.
    pub fn encode_filled(&self, zeros: usize, empty: usize) -> Vec<u8> {
        let zeros = (zeros > 0).then(|| vec![0; zeros]);
        let padding = zeros.into_iter().chain(std::iter::repeat_n(vec![], empty)).collect();
        wire::Manifest { padding, ..self.words() }.encode_to_vec()
    }

    fn words(&self) -> wire::Manifest {
        let Self {
            node,
            query,
            policy,
            mode,
            threshold,
            rounding,
            released_cells,
            withheld_cells,
            rules,
            data_as_of,
        } = self.clone();
        wire::Manifest {
            node: node.to_string(),
            query_id: query.to_string(),
            policy,
            release: mode.as_str().to_owned(),
            threshold,
            rounding,
            released_cells,
            withheld_cells,
            rules,
            data_as_of,
            padding: vec![],
        }
    }

    /// Reads what [`Manifest::encode`] wrote.
    ///
    /// # Errors
    /// Bytes that are no manifest.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let message = wire::Manifest::decode(bytes).map_err(|_| Malformed("it is no manifest"))?;
        let wire::Manifest {
            node,
            query_id,
            policy,
            release,
            threshold,
            rounding,
            released_cells,
            withheld_cells,
            rules,
            data_as_of,
            padding: _,
        } = message;
        Ok(Self {
            node: node.try_into().map_err(|_| Malformed("the manifest's node id is not one"))?,
            query: query_id.try_into().map_err(|_| Malformed("the manifest's query id is not one"))?,
            policy,
            mode: ReleaseMode::from_word(&release)
                .ok_or(Malformed("the manifest's release mode is unknown"))?,
            threshold,
            rounding,
            released_cells,
            withheld_cells,
            rules,
            data_as_of,
        })
    }
}

/// Who a node is and what it holds: the answer to the action [`DESCRIBE`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeDescription {
    /// its id
    pub node: NodeId,
    /// its name for people
    pub title: String,
    /// the protocol version it speaks
    pub protocol: u32,
    /// name and version of its software
    pub software: String,
    /// what it holds
    pub datasets: Vec<DatasetDescription>,
}

/// One dataset of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetDescription {
    /// the contract it follows, as TOML
    pub contract: String,
    /// hash of the contract's canonical form, hexadecimal
    pub contract_hash: String,
    /// hash of the policy, hexadecimal
    pub policy_hash: String,
    /// how freely it is released
    pub mode: ReleaseMode,
    /// least number of entities of a cell; 0 when open
    pub threshold: u32,
    /// base of rounding; 1: exact
    pub rounding: u32,
    /// newest change of the data, RFC 3339; empty: unknown
    pub data_as_of: String,
    /// codes of the rules that its policy applies beside mode, threshold and rounding
    pub rules: Vec<String>,
    /// new aggregates that it answers on one day, UTC; `None`: any number
    pub cells_per_day: Option<NonZeroU64>,
    /// name of the dataset
    pub name: crate::id::DatasetName,
    /// the only values of columns that it serves; none: any
    pub only: Vec<DeclaredKeys>,
}

/// Most rules that a description lists.
const MOST_RULES: usize = 64;

/// The Flight action that answers with a [`NodeDescription`].
pub const DESCRIBE: &str = "describe";

impl NodeDescription {
    /// The bytes of the action's result.
    pub fn encode(&self) -> Vec<u8> {
        let Self { node, title, protocol, software, datasets } = self.clone();
        wire::NodeDescription {
            node: node.to_string(),
            title,
            protocol,
            software,
            datasets: datasets.into_iter().map(Into::into).collect(),
        }
        .encode_to_vec()
    }

    /// Reads what [`NodeDescription::encode`] wrote.
    ///
    /// # Errors
    /// Bytes that are no description.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let message =
            wire::NodeDescription::decode(bytes).map_err(|_| Malformed("it is no node description"))?;
        let wire::NodeDescription { node, title, protocol, software, datasets } = message;
        Ok(Self {
            node: node.try_into().map_err(|_| Malformed("the described node id is not one"))?,
            title,
            protocol,
            software,
            datasets: datasets.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
        })
    }
}

impl From<DatasetDescription> for wire::DatasetDescription {
    fn from(description: DatasetDescription) -> Self {
        let DatasetDescription {
            name,
            contract,
            contract_hash,
            policy_hash,
            mode,
            threshold,
            rounding,
            data_as_of,
            rules,
            cells_per_day,
            only,
        } = description;
        Self {
            name: name.to_string(),
            contract,
            contract_hash,
            policy_hash,
            release: mode.as_str().to_owned(),
            threshold,
            rounding,
            data_as_of,
            rules,
            cells_per_day: cells_per_day.map_or(0, NonZeroU64::get),
            only: only.into_iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<wire::DatasetDescription> for DatasetDescription {
    type Error = Malformed;

    fn try_from(message: wire::DatasetDescription) -> Result<Self, Malformed> {
        let wire::DatasetDescription {
            name,
            contract,
            contract_hash,
            policy_hash,
            release,
            threshold,
            rounding,
            data_as_of,
            rules,
            cells_per_day,
            only,
        } = message;
        if rules.len() > MOST_RULES || !rules.iter().all(|rule| is_code(rule)) {
            return Err(Malformed("a described rule is no code"));
        }
        Ok(Self {
            name: name.try_into().map_err(|_| Malformed("a described dataset name is not one"))?,
            contract,
            contract_hash,
            policy_hash,
            mode: ReleaseMode::from_word(&release).ok_or(Malformed("a described release mode is unknown"))?,
            threshold,
            rounding,
            data_as_of,
            rules,
            cells_per_day: NonZeroU64::new(cells_per_day),
            only: only.into_iter().map(Into::into).collect(),
        })
    }
}

/// Whether a rule of a later version could have this name.
fn is_code(rule: &str) -> bool {
    (1..=8).contains(&rule.len())
        && rule.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}
