//! Identifiers. Each is its own type; `Display` is the form on the wire and in logs.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// The text given for an identifier is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a valid {kind}: {rule}")]
pub struct InvalidId {
    kind: &'static str,
    text: String,
    rule: &'static str,
}

const NODE_RULE: &str = "use 1 to 63 of a-z, 0-9 and '-', starting with a letter or digit";
const NAME_RULE: &str = "use 1 to 63 of a-z, 0-9 and '_', starting with a letter";
const QUERY_RULE: &str = "use 1 to 64 of a-z, 0-9 and '-'";

fn is_node_id(text: &str) -> bool {
    is_made_of(text, 63, '-') && !text.starts_with('-')
}

fn is_name(text: &str) -> bool {
    is_made_of(text, 63, '_') && text.starts_with(|c: char| c.is_ascii_lowercase())
}

fn is_query_id(text: &str) -> bool {
    is_made_of(text, 64, '-')
}

fn is_made_of(text: &str, longest: usize, extra: char) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == extra;
    !text.is_empty() && text.len() <= longest && text.chars().all(allowed)
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $check:ident, $rule:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.to_owned().try_into()
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                if $check(&text) {
                    Ok(Self(text))
                } else {
                    Err(InvalidId { kind: $kind, text: text.chars().take(80).collect(), rule: $rule })
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    };
}

identifier!(
    /// A node of the federation: `camden`, `st-brides-outreach`.
    NodeId, "node id", is_node_id, NODE_RULE
);
identifier!(
    /// A dataset, the same table at many nodes: `rough_sleeping_contact`.
    DatasetName, "dataset name", is_name, NAME_RULE
);
identifier!(
    /// A column of a dataset: `contact_date`.
    ColumnName, "column name", is_name, NAME_RULE
);
identifier!(
    /// One analyst question; the same in the coordinator's answer and in every node's audit log.
    QueryId, "query id", is_query_id, QUERY_RULE
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_keep_to_their_alphabet() {
        assert!("city-of-london".parse::<NodeId>().is_ok());
        for bad in ["", "-x", "Camden", "a b", "a\n", &"x".repeat(64)] {
            assert!(bad.parse::<NodeId>().is_err(), "{bad}");
        }
        assert!("temp_c".parse::<ColumnName>().is_ok());
        assert!("9lives".parse::<ColumnName>().is_err());
    }

    #[test]
    fn the_error_says_what_to_write_instead() {
        let error = "Camden".parse::<NodeId>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "'Camden' is not a valid node id: use 1 to 63 of a-z, 0-9 and '-', starting with a letter or digit"
        );
    }
}
