//! Who watches a run, and who stops it.

/// Told how far a run is; asked whether to go on.
pub trait Observer: Sync {
    /// A stage starts to work on this many frames.
    fn begin(&self, stage: &str, frames: usize);
    /// So many of its frames are done.
    fn advance(&self, frames_done: usize);
    /// It is done.
    fn end(&self, stage: &str);
    /// The run should stop after the frame in hand. It resumes there when started again.
    fn interrupted(&self) -> bool {
        false
    }
}

/// Watches nothing and never stops.
pub struct Unobserved;

impl Observer for Unobserved {
    fn begin(&self, _: &str, _: usize) {}
    fn advance(&self, _: usize) {}
    fn end(&self, _: &str) {}
}
