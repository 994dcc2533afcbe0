//! The promises of Jigsaw, each a module.

/// Answers equal those of one database over everybody's rows: scripts.
mod oracle;

/// Answers equal those of one database over everybody's rows: random questions.
mod equivalence;

/// The protocol is what its schema says, stays what it was, and takes no nonsense.
mod wire;
