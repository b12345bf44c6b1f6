//! The server of a fleet: vehicles enrol, ask what to run, and report; people roll releases out.
//!
//! ```text
//!  vehicle ──poll──▶ snapshot in memory: one signed document per group, replaced when its version changes
//!  vehicle ──report─▶ queue ─▶ one writer, many batches in a transaction ─▶ reports, tallies
//!  person  ──change─▶ transaction: the change, its line in the audit log, the documents' version
//!  every second: version changed? read the snapshot anew        every minute: gates judge the tallies
//! ```
//!
//! A poll needs neither a statement nor a row per vehicle: the document says how far each rollout reached,
//! and the vehicle finds out by itself whether its place is within (`ommatidia_fleet::wire`). Servers keep
//! nothing that is not in the database, so that several can stand behind a balancer.
//!
//! The crate is empty without the feature `server`.

#![cfg(feature = "server")]

mod api;
mod audit;
pub mod client;
pub mod console;
mod db;
mod error;
mod ingest;
pub mod listen;
pub mod load;
mod metrics;
pub mod people;
pub mod protocol;
mod rollouts;
mod server;
mod snapshot;
mod vehicles;

pub use api::router;
pub use error::Error;
pub use ingest::Moment;
pub use server::{Clock, Fault, Server, Settings};
