//! Ctrl-C and termination stop labelling between two frames; what is done is kept. Anything else ends at
//! once, and its writers leave the old files. And the CPU time used.

use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);
static RESUMABLE: AtomicBool = AtomicBool::new(false);

/// While there is one, work is under way that looks at [`asked`] and keeps what is done.
pub(crate) struct Resumable(());

impl Resumable {
    pub(crate) fn begin() -> Self {
        RESUMABLE.store(true, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for Resumable {
    fn drop(&mut self) {
        RESUMABLE.store(false, Ordering::SeqCst);
    }
}

/// From now on a signal ends the process at once; during [`Resumable`] work the first one asks to stop.
pub(crate) fn listen() {
    let handler = || {
        if !RESUMABLE.load(Ordering::SeqCst) || ASKED.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(crate::failure::EXIT_INTERRUPTED));
        }
        eprintln!("stopping after the work in hand; again to stop at once");
    };
    if let Err(cause) = ctrlc::set_handler(handler) {
        tracing::warn!("signals are not caught ({cause}); a kill loses the frame in hand, no more");
    }
}

/// Whether somebody asked to stop.
pub(crate) fn asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}

/// CPU time of this process in seconds, over all threads, where the system tells.
pub(crate) fn cpu_seconds() -> Option<f64> {
    /// `man 5 proc`: clock ticks a second that the kernel shows to programs on every architecture.
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field, a name in brackets, may hold spaces: count from behind it.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS)
}
