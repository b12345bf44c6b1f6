//! Staged rollouts that judge themselves, and a simulated fleet to try them on.
//!
//! - [`cohort`]: which vehicles a stage reaches, from a hash alone.
//! - [`gate`]: whether the new release is worse than the old one, asked after every report.
//! - [`rollout`]: stages that advance, pause and stop by the gate.
//! - [`simulate`]: millions of vehicles through a rollout, event by event.
//!
//! Pure: no clock, no network, no database.

pub mod cohort;
pub mod gate;
pub mod rollout;
pub mod simulate;

use thiserror::Error;

/// Why a rollout or a simulation cannot be run as described.
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
}
