//! Declared keys: the only values of a dimension that a node serves, so that whoever asks for others need not ask it.

use std::collections::BTreeSet;
use std::fmt;

use crate::contract::{Contract, Role};
use crate::expr::quoted;
use crate::generated as wire;
use crate::types::DataType;

/// Most values that one column is declared to have.
pub const MAX_KEYS: usize = 1_000;

/// A column of a node's dataset, and the only values of it that rows served by this node have. The node keeps every other row
/// back, NULL included, so the declaration holds whatever its files say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredKeys {
    /// a dimension of the contract, of text or whole numbers
    pub column: String,
    /// one to [`MAX_KEYS`] values of the column's type
    pub values: BTreeSet<Key>,
}

/// A value of a declared column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// of an int32 or int64 column
    Integer(i64),
    /// of a text column
    Text(String),
}

impl DeclaredKeys {
    /// Whether it can be declared of a dataset under this contract.
    ///
    /// # Errors
    /// What is wrong and what to do, for an operator.
    pub fn check(&self, contract: &Contract) -> Result<(), String> {
        let Self { column, values } = self;
        let dimension = contract.column(column).filter(|column| column.role == Role::Dimension);
        let Some(dimension) = dimension else {
            return Err(format!("{column} is no dimension of the contract: take it out"));
        };
        let fits = |value: &Key| match (&dimension.data_type, value) {
            (DataType::Text, Key::Text(_)) | (DataType::Int64, Key::Integer(_)) => true,
            (DataType::Int32, Key::Integer(value)) => i32::try_from(*value).is_ok(),
            _ => false,
        };
        if !matches!(dimension.data_type, DataType::Text | DataType::Int32 | DataType::Int64) {
            let data_type = &dimension.data_type;
            return Err(format!(
                "{column} is {data_type}, and only texts and whole numbers can be listed: take it out"
            ));
        }
        if !values.iter().all(fits) {
            let data_type = &dimension.data_type;
            return Err(format!(
                "a value of {column} is no {data_type}, which the column is: correct the list"
            ));
        }
        if values.is_empty() || values.len() > MAX_KEYS {
            let count = values.len();
            return Err(format!("{column} has {count} values: list 1 to {MAX_KEYS}"));
        }
        Ok(())
    }
}

/// `column IN (values)`, as SQL; the text is for people.
impl fmt::Display for DeclaredKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<String> = self.values.iter().map(ToString::to_string).collect();
        write!(f, "{} IN ({})", quoted(&self.column), values.join(", "))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => write!(f, "{value}"),
            Self::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
        }
    }
}

impl From<DeclaredKeys> for wire::DeclaredKeys {
    fn from(DeclaredKeys { column, values }: DeclaredKeys) -> Self {
        let mut message = Self { column, texts: vec![], integers: vec![] };
        for value in values {
            match value {
                Key::Integer(integer) => message.integers.push(integer),
                Key::Text(text) => message.texts.push(text),
            }
        }
        message
    }
}

/// Whatever a message says can be read; whether it means anything is up to [`DeclaredKeys::check`].
impl From<wire::DeclaredKeys> for DeclaredKeys {
    fn from(wire::DeclaredKeys { column, texts, integers }: wire::DeclaredKeys) -> Self {
        let values = texts.into_iter().map(Key::Text).chain(integers.into_iter().map(Key::Integer));
        Self { column, values: values.collect() }
    }
}
