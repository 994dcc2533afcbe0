//! `[dataset.only]`: the only values of dimensions that a node serves.

use std::collections::BTreeMap;

use jigsaw_proto::contract::Contract;
use jigsaw_proto::release::{DeclaredKeys, Key};

/// Declared keys as the configuration spells them, in the order of the columns' names.
pub(super) fn keys(
    words: BTreeMap<String, Vec<toml::Value>>,
    contract: &Contract,
) -> Result<Vec<DeclaredKeys>, String> {
    let declared = words.into_iter().map(|(column, values)| {
        let values = values.into_iter().map(|value| match value {
            toml::Value::String(text) => Ok(Key::Text(text)),
            toml::Value::Integer(integer) => Ok(Key::Integer(integer)),
            other => Err(format!(
                "[dataset.only]: a value of {column} is a TOML {}, and only texts and whole numbers can be listed: correct the list",
                other.type_str()
            )),
        });
        let keys = DeclaredKeys { values: values.collect::<Result<_, _>>()?, column };
        keys.check(contract).map_err(|problem| format!("[dataset.only]: {problem}"))?;
        Ok(keys)
    });
    declared.collect()
}
