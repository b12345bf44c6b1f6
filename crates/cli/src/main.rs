//! The omma command line.
fn main() {}
