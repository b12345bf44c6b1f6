//! What is shipped: a network with everything that must fit to it, in one file with one spelling.

mod create;
mod manifest;
mod read;
mod tar;

#[cfg(test)]
mod tests;

pub use create::{Plan, PlannedFile, write};
pub(crate) use manifest::is_name;
pub use manifest::{
    Entry, Expected, FORMAT, MANIFEST_PATH, MAX_FILES, MAX_MANIFEST_BYTES, Manifest, Metric, Need,
    ReplayCase, Requirements, Role, Version,
};
pub use read::{Bundle, Placed};
