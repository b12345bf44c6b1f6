//! Road networks.

/// Roads of a site: lanes and how they join, the ground, and what may be driven on.
#[derive(Debug, Clone, Default)]
pub struct Network {}
