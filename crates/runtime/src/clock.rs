//! Time as the loop sees it.

use std::time::Duration;

/// A clock that only goes forward, and can be waited on. The program brings the machine's; tests a simulated
/// one.
pub trait Clock: Sync {
    /// Since some moment before the run.
    fn now(&self) -> Duration;

    /// Returns at that time, or at once where it has passed.
    fn wait_until(&self, at: Duration);
}
