//! Cameras through `ffmpeg`: a process and a thread for each, of which the newest picture is kept.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use ommatidia_geometry::Timestamp;
use ommatidia_model::Moment;
use ommatidia_scene::{RgbImage, Rig, VectorSpace};

use super::ppm;
use super::{Arrival, Frame, Poll, Source};
use crate::Error;
use crate::clock::Clock;

/// How cameras are read.
#[derive(Debug, Clone)]
pub struct CameraOptions {
    /// The program that decodes.
    pub program: String,
    /// A frame goes without a camera that is later than the first by more.
    pub patience: Duration,
    /// A device or stream that ended is opened again after this, and each time after twice as long, up to
    /// eight times.
    pub reopen: Duration,
}

impl Default for CameraOptions {
    /// Half a period of cameras of 10 Hz: a later picture belongs to the next frame.
    fn default() -> Self {
        Self {
            program: "ffmpeg".to_owned(),
            patience: Duration::from_millis(50),
            reopen: Duration::from_secs(1),
        }
    }
}

/// Cameras of a rig as they deliver. Pictures are stamped when they have come: what cameras and decoders take
/// before is not known. It is not known either how the vehicle moves, so that a memory is not used.
pub struct Cameras {
    rig: Rig,
    feeds: Vec<Feed>,
    patience: Duration,
    next: u64,
    /// Of the last frame that came, until it is read.
    taken: Vec<Option<RgbImage>>,
}

struct Feed {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread of a camera and the run share.
#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    newest: Option<(RgbImage, Duration)>,
    overwritten: u64,
    ended: bool,
    child: Option<Child>,
    /// The last things that went wrong.
    complaints: VecDeque<String>,
}

/// Lines of complaint that are kept of each camera, and characters of each.
const MOST_COMPLAINTS: usize = 4;
const MOST_CHARACTERS: usize = 300;

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn complain(&self, what: &str) {
        let mut state = self.state();
        while state.complaints.len() >= MOST_COMPLAINTS {
            state.complaints.pop_front();
        }
        state.complaints.push_back(what.chars().take(MOST_CHARACTERS).collect());
    }
}

impl Cameras {
    /// Opens a device (`/dev/video0`), a stream (`rtsp://…`) or a video file for each camera of the rig, in its
    /// order.
    ///
    /// # Errors
    /// [`Error::Camera`] where the program cannot be started.
    pub fn open(
        rig: Rig,
        inputs: &[String],
        options: &CameraOptions,
        clock: &Arc<dyn Clock + Send + Sync>,
    ) -> Result<Self, Error> {
        assert_eq!(inputs.len(), rig.cameras.len(), "an input for each camera");
        let mut feeds = Vec::with_capacity(inputs.len());
        for (camera, input) in rig.cameras.iter().zip(inputs) {
            let size = [camera.width as usize, camera.height as usize];
            let feed = Feeder {
                input: input.clone(),
                size,
                options: options.clone(),
                clock: Arc::clone(clock),
                shared: Arc::default(),
            };
            feeds.push(
                feed.start().map_err(|what| Error::Camera { camera: camera.name.clone(), what })?,
            );
        }
        let taken = vec![None; inputs.len()];
        Ok(Self { rig, feeds, patience: options.patience, next: 0, taken })
    }

    /// Cameras whose picture nobody has taken.
    #[cfg(test)]
    pub(crate) fn feeds_with_pictures(&self) -> usize {
        self.feeds.iter().filter(|feed| feed.shared.state().newest.is_some()).count()
    }
}

impl Source for Cameras {
    fn rig(&self) -> &Rig {
        &self.rig
    }

    fn waits(&self) -> bool {
        false
    }

    fn poll(&mut self, now: Duration) -> Result<Poll, Error> {
        let mut states: Vec<_> = self.feeds.iter().map(|feed| feed.shared.state()).collect();
        let first = states.iter().filter_map(|state| state.newest.as_ref().map(|new| new.1)).min();
        let Some(first) = first else {
            let ended = states.iter().all(|state| state.ended);
            return Ok(if ended { Poll::End } else { Poll::Wait(None) });
        };
        let missing = states.iter().any(|state| state.newest.is_none() && !state.ended);
        if missing && now < first + self.patience {
            return Ok(Poll::Wait(None));
        }
        let mut overwritten = 0;
        for (state, taken) in states.iter_mut().zip(&mut self.taken) {
            *taken = state.newest.take().map(|(picture, _)| picture);
            overwritten = overwritten.max(std::mem::take(&mut state.overwritten));
        }
        let nanos = i64::try_from(first.as_nanos()).unwrap_or(i64::MAX);
        let arrival =
            Arrival { number: self.next, captured: Timestamp(nanos), at: first, overwritten };
        self.next += 1 + overwritten;
        Ok(Poll::Ready(arrival))
    }

    fn read(&mut self, arrival: &Arrival) -> Result<Frame, String> {
        let dark = self.taken.iter().filter(|picture| picture.is_none()).count();
        let cameras = self.rig.cameras.iter().zip(&mut self.taken);
        let picture = cameras.map(|(camera, picture)| {
            // A camera that delivered nothing is dark, as in a clip.
            let (width, height) = (camera.width as usize, camera.height as usize);
            picture
                .take()
                .unwrap_or_else(|| RgbImage::new(width, height, vec![0; 3 * width * height]))
        });
        let moment = Moment {
            timestamp: arrival.captured,
            images: picture.collect(),
            rig: self.rig.clone(),
            world_from_ego: None,
            truth: VectorSpace::default(),
        };
        Ok(Frame { moment, restarted: false, dark })
    }

    fn complaints(&self) -> Vec<String> {
        let feeds = self.rig.cameras.iter().zip(&self.feeds);
        let lines = feeds.flat_map(|(camera, feed)| {
            let complaints = feed.shared.state().complaints.clone();
            complaints.into_iter().map(|line| format!("camera {}: {line}", camera.name))
        });
        lines.collect()
    }
}

impl Drop for Cameras {
    fn drop(&mut self) {
        for feed in &self.feeds {
            feed.shared.stop.store(true, Ordering::SeqCst);
            if let Some(child) = &mut feed.shared.state().child {
                // Fails if it has already ended, which is as well.
                let _ = child.kill();
            }
        }
        for thread in self.feeds.iter_mut().filter_map(|feed| feed.thread.take()) {
            thread.thread().unpark();
            // Its camera is closed either way.
            let _ = thread.join();
        }
    }
}

/// What the thread of a camera works with.
struct Feeder {
    input: String,
    size: [usize; 2],
    options: CameraOptions,
    clock: Arc<dyn Clock + Send + Sync>,
    shared: Arc<Shared>,
}

impl Feeder {
    fn start(self) -> Result<Feed, String> {
        let shared = Arc::clone(&self.shared);
        let child = self.spawn()?;
        let thread = std::thread::spawn(move || self.feed(child));
        Ok(Feed { shared, thread: Some(thread) })
    }

    fn spawn(&self) -> Result<Child, String> {
        let mut command = Command::new(&self.options.program);
        command.args(["-nostdin", "-v", "error"]);
        command.args(arguments(&self.input, self.size));
        command.args(["-map", "0:v:0", "-f", "image2pipe", "-c:v", "ppm", "-pix_fmt", "rgb24"]);
        command.args(["-fps_mode", "passthrough", "pipe:1"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
            .spawn()
            .map_err(|cause| format!("cannot start {}: {cause}; install it", self.options.program))
    }

    /// Reads the process to its end, and the next one where the input is live.
    fn feed(self, first: Child) {
        let mut child: Result<Child, String> = Ok(first);
        let mut pause = self.options.reopen;
        while !self.shared.stop.load(Ordering::SeqCst) {
            let delivered = match child {
                Ok(child) => self.read(child),
                Err(cause) => {
                    self.shared.complain(&cause);
                    0
                }
            };
            if !is_live(&self.input) {
                break;
            }
            let most = self.options.reopen * 8;
            pause = if delivered > 0 { self.options.reopen } else { (pause * 2).min(most) };
            std::thread::park_timeout(pause);
            if self.shared.stop.load(Ordering::SeqCst) {
                break;
            }
            child = self.spawn();
        }
        self.shared.state().ended = true;
    }

    /// Reads one process to its end; how many pictures it delivered.
    fn read(&self, mut child: Child) -> u64 {
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return 0;
        };
        let shared = Arc::clone(&self.shared);
        let listener = std::thread::spawn(move || {
            // A line without end is cut; the pipe must be emptied all the same.
            let mut lines = BufReader::new(stderr);
            let mut line = Vec::new();
            while lines.by_ref().take(1 << 12).read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                shared.complain(String::from_utf8_lossy(&line).trim());
                line.clear();
            }
        });
        self.shared.state().child = Some(child);
        if self.shared.stop.load(Ordering::SeqCst) {
            self.end();
        }
        let mut pictures = BufReader::with_capacity(1 << 18, stdout);
        let mut delivered = 0;
        loop {
            match ppm::read(&mut pictures, self.size) {
                Ok(Some(picture)) => {
                    delivered += 1;
                    let mut state = self.shared.state();
                    let now = self.clock.now();
                    if state.newest.replace((picture, now)).is_some() {
                        state.overwritten += 1;
                    }
                }
                Ok(None) => break,
                Err(cause) => {
                    self.shared.complain(&cause.to_string());
                    break;
                }
            }
        }
        self.end();
        // It ends with the process; if it panicked, complaints are missing.
        let _ = listener.join();
        delivered
    }

    /// Ends the process, if it runs.
    fn end(&self) {
        let child = self.shared.state().child.take();
        if let Some(mut child) = child {
            // Fails if it has already ended, which is as well.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Devices and streams go on for ever; a file ends.
fn is_live(input: &str) -> bool {
    input.starts_with("/dev/") || is_stream(input)
}

fn is_stream(input: &str) -> bool {
    ["rtsp://", "rtsps://", "http://", "https://", "udp://", "tcp://"]
        .iter()
        .any(|scheme| input.starts_with(scheme))
}

/// What ffmpeg is told of an input.
fn arguments(input: &str, [width, height]: [usize; 2]) -> Vec<String> {
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    if input.starts_with("/dev/") {
        let size = format!("{width}x{height}");
        return words(&["-f", "v4l2", "-video_size", &size, "-i", input]);
    }
    if is_stream(input) {
        let quick = ["-fflags", "nobuffer", "-flags", "low_delay"];
        let transport: &[&str] =
            if input.starts_with("rtsp") { &["-rtsp_transport", "tcp"] } else { &[] };
        return words(&[&quick, transport, &["-i", input]].concat());
    }
    // At the file's own rate; without a protocol, ffmpeg would take a colon in a name for one.
    words(&["-re", "-protocol_whitelist", "file,pipe", "-i", &format!("file:{input}")])
}
