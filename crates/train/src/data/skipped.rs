//! What could not be read, each thing once.

use std::collections::BTreeMap;
use std::sync::Mutex;

use ommatidia_scene::Skipped;

/// Samples that were left out, with how often.
#[derive(Debug, Default)]
pub struct SkipLog(Mutex<BTreeMap<(String, String), u64>>);

impl SkipLog {
    /// Counts one.
    pub fn add(&self, what: &str, why: &str) {
        let mut entries = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        *entries.entry((what.to_owned(), why.to_owned())).or_default() += 1;
    }

    /// All of them, by name.
    pub fn all(&self) -> Vec<Skipped> {
        let entries = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let one = |((what, why), &count): (&(String, String), &u64)| Skipped {
            what: what.clone(),
            why: why.clone(),
            count,
        };
        entries.iter().map(one).collect()
    }
}
