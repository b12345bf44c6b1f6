//! The network: every camera's picture through one backbone, lifted by table into one bird's-eye space,
//! remembered over time, read out by one head per task.
//!
//! ```text
//! images ─ backbone ─ pyramid ─┬─ heads per camera (semantics, depth, …)
//!                              └─ lift (table of the rig) ─ memory ─ heads of space (occupancy, …)
//! ```

pub mod backbone;
mod config;
mod error;
mod inputs;
pub mod lift;
pub mod losses;
pub mod memory;
pub mod neck;
mod network;
pub mod ops;
mod rays;
mod sample;
mod scores;
mod space;
mod stream;
mod task;
pub mod tasks;

pub use config::{Balance, ImageConfig, NetworkConfig, PRESETS, SpaceConfig};
pub use error::Error;
pub use inputs::{Inputs, MomentInputs};
pub use network::{Losses, Network, Outputs, Targets};
pub use sample::{Moment, Sample};
pub use scores::{Baseline, Scorer, is_error};
pub use stream::{Past, Stream};
pub use task::{
    DepthDistribution, Features, Level, Output, Reads, Shapes, SpaceShape, Task, TaskError, named,
};

#[cfg(test)]
mod tests;
