//! Cameras whose `ffmpeg` is a script.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use super::{Arrival, CameraOptions, Cameras, Poll, Source};
use crate::clock::Clock;
use crate::testing::{Simulated, rig};

/// A picture of 4 x 3 pixels of one colour, for the shell's `printf`.
const PICTURE: &str = r"P6\n4 3\n255\n000000000000000000000000000000000000";

struct Bench {
    folder: tempfile::TempDir,
    clock: Arc<Simulated>,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), clock: Arc::default() }
    }

    /// A program that does what the script says. Another process writes it: one that is open for writing
    /// anywhere in this one cannot be started.
    fn program(&self, script: &str) -> String {
        let path: PathBuf = self.folder.path().join("camera");
        let words = r#"printf '#!/bin/sh\n%s\n' "$2" > "$1" && chmod 755 "$1""#;
        let mut shell = Command::new("sh");
        let written = shell.args(["-c", words, "sh"]).arg(&path).arg(script).status().unwrap();
        assert!(written.success());
        path.display().to_string()
    }

    fn open(&self, script: &str, inputs: &[&str]) -> Cameras {
        let options = CameraOptions {
            program: self.program(script),
            reopen: Duration::from_millis(1),
            ..CameraOptions::default()
        };
        let inputs: Vec<String> = inputs.iter().map(|&input| input.to_owned()).collect();
        let clock: Arc<dyn Clock + Send + Sync> = Arc::clone(&self.clock) as _;
        Cameras::open(rig(inputs.len()), &inputs, &options, &clock).unwrap()
    }

    /// Asks until there is an answer.
    fn next(&self, cameras: &mut Cameras) -> Option<Arrival> {
        loop {
            match cameras.poll(self.clock.now()).unwrap() {
                Poll::Ready(arrival) => return Some(arrival),
                Poll::End => return None,
                Poll::Wait(_) => std::thread::yield_now(),
            }
        }
    }
}

#[test]
fn every_picture_of_a_file_is_seen_or_counted() {
    let bench = Bench::new();
    let script = format!("for i in 1 2 3 4 5; do printf '{PICTURE}'; done");
    let mut cameras = bench.open(&script, &["drive.mp4"]);
    let (mut seen, mut next) = (0, 0);
    while let Some(arrival) = bench.next(&mut cameras) {
        assert_eq!(arrival.number, next);
        let frame = cameras.read(&arrival).unwrap();
        assert_eq!((frame.moment.images[0].data.len(), frame.dark), (36, 0));
        assert_eq!(frame.moment.images[0].data[0], b'0');
        seen += 1 + arrival.overwritten;
        next += 1 + arrival.overwritten;
    }
    assert_eq!(seen, 5);
}

#[test]
fn a_stream_that_breaks_is_opened_again() {
    let bench = Bench::new();
    let script = format!("echo 'connection lost' >&2; printf '{PICTURE}'");
    let mut cameras = bench.open(&script, &["rtsp://front"]);
    for _ in 0..3 {
        let arrival = bench.next(&mut cameras).expect("a stream does not end");
        cameras.read(&arrival).unwrap();
    }
    assert!(cameras.complaints()[0].ends_with("camera_0: connection lost"));
    assert!(cameras.complaints().len() <= 4);
}

#[test]
fn a_frame_goes_without_a_camera_that_is_late() {
    let bench = Bench::new();
    // The second camera opens and says nothing.
    let script = format!(
        "case \"$*\" in *second*) exec sleep 600;; *) printf '{PICTURE}'; exec sleep 600;; esac"
    );
    let mut cameras = bench.open(&script, &["/dev/first", "/dev/second"]);
    while cameras.feeds_with_pictures() == 0 {
        std::thread::yield_now();
    }
    assert_eq!(cameras.poll(bench.clock.now()).unwrap(), Poll::Wait(None), "it has time");
    bench.clock.advance(Duration::from_millis(60));
    let arrival = bench.next(&mut cameras).unwrap();
    let frame = cameras.read(&arrival).unwrap();
    assert_eq!((frame.dark, frame.moment.images[1].data[0]), (1, 0));
    assert_eq!(arrival.at, Duration::ZERO, "since the first picture came");
}

#[test]
fn a_camera_of_another_size_is_named() {
    let bench = Bench::new();
    let mut cameras = bench.open(r"printf 'P6\n2 2\n255\n000000000000'", &["drive.mp4"]);
    assert_eq!(bench.next(&mut cameras), None);
    let told = cameras.complaints().join("\n");
    assert!(
        told.contains("camera_0") && told.contains("2 x 2") && told.contains("4 x 3"),
        "{told}"
    );
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let options = CameraOptions { program: "/nowhere/ffmpeg".to_owned(), ..Default::default() };
    let clock: Arc<dyn Clock + Send + Sync> = Arc::new(Simulated::default());
    let told = Cameras::open(rig(1), &["a.mp4".to_owned()], &options, &clock).err().unwrap();
    assert!(told.to_string().contains("/nowhere/ffmpeg") && told.is_environment(), "{told}");
}
