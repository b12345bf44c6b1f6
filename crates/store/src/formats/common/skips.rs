//! The account of what a reader left out.

use std::collections::BTreeMap;

use ommatidia_scene::Skipped;

/// Counts by what and why, in their order.
#[derive(Debug, Default)]
pub(crate) struct Skips(BTreeMap<(String, String), u64>);

impl Skips {
    /// `count` more of `what` were left out; nothing is noted for zero.
    pub(crate) fn add(&mut self, what: impl Into<String>, why: impl Into<String>, count: usize) {
        if count > 0 {
            *self.0.entry((what.into(), why.into())).or_default() += count as u64;
        }
    }

    /// The account.
    pub(crate) fn list(&self) -> Vec<Skipped> {
        let entry = |((what, why), &count): (&(String, String), &u64)| Skipped {
            what: what.clone(),
            why: why.clone(),
            count,
        };
        self.0.iter().map(entry).collect()
    }
}
