//! Automatic annotation of clips, offline and with hindsight.
//!
//! [`stages`] are pure steps over decoded data: no I/O, no clock, so that a run repeats bit for bit.

mod error;
mod passes;
pub mod pipeline;
pub mod stages;

pub use error::Error;
