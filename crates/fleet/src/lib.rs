//! Staged rollouts that judge themselves, and a simulated fleet to try them on.
//!
//! - [`cohort`]: which vehicles a stage reaches, from a hash alone.
//! - [`gate`]: whether the new release is worse than the old one, asked after every report.
//! - [`rollout`]: stages that advance, pause and stop by the gate.
//! - [`filter`]: which vehicles a rollout is for.
//! - [`wire`]: what vehicles and servers say to each other, with its bounds.
//! - [`simulate`]: millions of vehicles through a rollout, event by event.
//!
//! Pure: no clock, no network, no database.

pub mod cohort;
pub mod filter;
pub mod gate;
pub mod rollout;
pub mod simulate;
pub mod wire;

use thiserror::Error;

/// Why a rollout or a simulation cannot be run as described, or a message is refused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting contradicts itself or another.
    #[error("{setting}: {problem}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// What is wrong, and what it may be.
        problem: String,
    },
    /// A filter cannot be read.
    #[error("filter, at byte {at}: {problem}")]
    Filter {
        /// Where.
        at: usize,
        /// What is wrong there.
        problem: String,
    },
    /// What was sent is out of bounds.
    #[error("{what}: {problem}")]
    Message {
        /// Which part of it.
        what: &'static str,
        /// What is wrong, and what it may be.
        problem: String,
    },
}
