//! What is shipped to vehicles, and what a vehicle does before it believes it.
//!
//! - [`bundle`]: a network with everything that must fit to it, in one file with one spelling.
//! - [`delta`]: from one bundle to a later one in few bytes.
//! - [`replay`]: computes again what was computed at release, before activation.
//! - [`tuf`]: who may say what is to be installed.
//! - [`publish`]: keeps a repository, with signing on a machine without a network.
//! - [`uptane`]: two repositories and a vehicle that believes neither alone.
//! - [`vehicle`]: two slots, trial, confirmation and return.
//! - [`disk`]: the few operations an update is made of, real and with power cuts.
//! - [`http`]: files from a web server, with the feature of that name.
//!
//! No clock and no threads in here: who calls brings the time.

pub mod bundle;
pub mod canonical;
pub mod delta;
pub mod disk;
mod error;
#[cfg(feature = "http")]
pub mod http;
pub mod publish;
pub mod replay;
pub mod tuf;
pub mod uptane;
pub mod vehicle;

pub use error::Error;

#[cfg(test)]
mod testing;
