//! From SQL text to a plan that can be split and run, and from its result to what clients can read.

mod explain;
mod formula;
mod lineage;
mod mould;
mod session;
mod statement;
mod wire;

pub(crate) use explain::{Explained, explain, fragments_of};
pub(crate) use lineage::protected_columns;
pub(crate) use session::{rules_before_split, session};
pub(crate) use statement::{Statement, parse};
pub(crate) use wire::{Marking, WireTypes, parameter_type, portable_field, to_wire, wire_schema};
