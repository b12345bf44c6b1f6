//! The network: every camera's picture through one backbone, lifted by table into one bird's-eye space,
//! remembered over time, read out by one head per task.
//!
//! ```text
//! images ─ backbone ─ pyramid ─┬─ heads per camera (semantics, depth, …)
//!                              └─ lift (table of the rig) ─ memory ─ heads of space (occupancy, …)
//! ```

pub mod losses;
mod sample;
mod task;
pub mod tasks;

pub use sample::{Moment, Sample};
pub use task::{
    DepthDistribution, Features, Level, Output, Reads, Shapes, SpaceShape, Task, TaskError, named,
};
