//! Messages as generated from `schema/jigsaw/v1/*.proto`; a test regenerates them and fails on drift.
#![allow(
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    missing_docs,
    rustdoc::all,
    unreachable_pub,
    unused_qualifications
)]

include!("generated/jigsaw.v1.rs");
