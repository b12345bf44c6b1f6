//! What runs in the vehicle: a camera stream into vector space at a fixed rate, watched.
//!
//! ```text
//! source ─ newest frame ─▶ perceiver (pictures, table, memory ─ engine ─ decode) ─▶ VectorSpace
//!                              │ latency, errors, outputs
//!                              └─▶ health ─ watchdog ─▶ confirm, or return to the last good release
//! ```
//!
//! The loop ([`schedule::run`]) has no clock and no thread of its own: time comes through [`clock::Clock`], so
//! that tests run it on a simulated one.

pub mod clock;
pub mod contract;
mod decode;
mod error;
pub mod gate;
pub mod health;
pub mod histogram;
mod memory;
pub mod perceive;
pub mod release;
pub mod schedule;
pub mod settings;
pub mod sketch;
pub mod source;
#[cfg(test)]
mod testing;
pub mod watchdog;

pub use error::Error;
pub use perceive::Perceiver;
pub use release::Release;
pub use settings::Settings;
