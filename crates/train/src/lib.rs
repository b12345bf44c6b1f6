//! Training: the order of the data, the loop, the ranks, checkpoints, and the record of a run.
//!
//! The same data, settings and seed give the same weights, bit for bit, on 1, 2 or 4 ranks, with any number
//! of threads, and however often the training was interrupted.

mod begin;
pub mod checkpoint;
pub mod collective;
pub mod config;
pub mod data;
mod diverged;
mod error;
pub mod flat;
mod learner;
mod network;
mod observer;
pub mod optimiser;
mod predict;
pub mod presets;
mod random;
pub mod ranks;
pub mod run;
pub mod schedule;
pub mod step;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod trainer;
mod validate;
pub mod weights;

pub use begin::last_step;
pub use config::{TrainConfig, WeightsConfig};
pub use error::Error;
pub use learner::{Count, Learner, Loss, Trivial};
pub use observer::{Observer, StepLine};
pub use predict::{Each, full_size, predict, predict_stream};
pub use trainer::{Job, Outcome, Weights, train};
pub use validate::{BaselineScores, Comparison, Validation, compare};
