#![doc = include_str!("../README.md")]
//!
//! # Map, in reading order
//! * [`id`] – identifiers, each its own type
//! * [`types`], [`expr`], [`function`], [`humidity`] – the closed expression language
//! * [`aggregate`] – which aggregates exist, their partial states, how states merge; [`mould`] – the one that is computed whole
//! * [`contract`] – what a dataset looks like at every node, and the role of each column
//! * [`fragment`] – what may be asked of a borough, and its type check
//! * [`release`] – what may come back
//! * [`refusal`] – why nothing comes back
//! * [`generated`] – the messages as generated; the types above convert to and from them
//! * [`wire`] – requests as bytes, the protocol version
//! * [`identity`] – who asks: tokens and signed statements, and what makes them good
//! * [`pace`] – how much one principal may ask
//! * [`health`] – whether a process takes work
//! * [`tls`] – the one way to open or accept a channel
//! * [`proven`] – what both services share between their calls

pub mod aggregate;
pub mod contract;
pub mod expr;
pub mod fragment;
pub mod function;
pub mod generated;
pub mod health;
pub mod humidity;
pub mod id;
pub mod identity;
pub mod mould;
pub mod pace;
pub mod proven;
pub mod refusal;
pub mod release;
pub mod tls;
pub mod types;
pub mod wire;
