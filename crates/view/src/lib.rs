//! What labels look like: self-contained HTML reports and the pictures in them.
//!
//! Pictures and pages depend on the labels alone: the same labels give the same bytes.

mod error;
pub mod render;
pub mod report;

pub use error::Error;
