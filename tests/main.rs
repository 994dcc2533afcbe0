//! The promises of Jigsaw, each a module.

/// Answers equal those of one database over everybody's rows: scripts.
mod oracle;

/// Answers equal those of one database over everybody's rows: random questions.
mod equivalence;

/// The thirty questions of analysts are answered, or refused with the nearest one that is.
mod questions;

/// The protocol is what its schema says, stays what it was, and takes no nonsense.
mod wire;

/// Nothing that is in a row leaves a node, whatever is asked and whatever breaks.
mod nothing_leaves;

/// Disclosure control does what the tools of official statistics do.
mod disclosure_oracles;

/// Each released cell says how good it is.
mod cell_status;

/// Subtotals, distinct values and quantiles of protected rows.
mod protected_aggregates;

/// Attacks, and how often each succeeds.
mod attacks;

/// What disclosure control leaves of questions and tables.
mod utility;

/// The house rules, as far as a machine can check them.
mod house;

/// When something breaks, the asker is told which node is missing, in time.
mod failures;

/// Nodes that declare which keys they serve are spared questions about others, and no answer is another for it.
mod declared;

/// A node that is killed at any time has a record of whatever it sent.
mod crash;

/// A node reads its files from an object store.
mod object_store;

/// The command `jigsaw`: formats, exit codes, what goes where.
mod cli;

/// The shell of `jigsaw` on a terminal: completion, history, cancelling, sizes, colours.
mod shell;

/// Sessions keep what their owner set, for their owner; questions can be followed and cancelled by who asked them.
mod sessions;

/// Whether a party takes work can be asked, and says nothing of rows.
mod health;

/// Who asks is proved to the node, and signing in works.
mod identity;

/// Drivers that others wrote work.
mod python;

/// The JDBC driver of BI tools works.
mod jdbc;

/// Drivers for Go work, and metadata is what Arrow's reference says.
mod go;
