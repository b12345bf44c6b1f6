//! The loop on a simulated clock.

use std::cell::Cell;

use super::*;
use crate::settings::Limits;
use crate::testing::{Camera, Network, Notes, Simulated};

fn settings() -> Settings {
    let watchdog = Limits {
        window: 5,
        errors_in_row: 3,
        confirm_frames: 10,
        confirm_s: 1.0,
        ..Limits::default()
    };
    Settings { report_s: 1.0, silent_s: 2.0, watchdog, ..Settings::default() }
}

/// Runs to the end.
fn play(
    mut camera: Camera,
    takes_ms: impl Fn(u64) -> Option<u64>,
    settings: &Settings,
    goes_on: bool,
) -> (End, Health, Notes) {
    let clock = Simulated::default();
    let takes_ms = Box::new(takes_ms);
    let mut network = Network { clock: &clock, takes_ms, asked: Cell::new(0) };
    let mut notes = Notes { goes_on, ..Notes::default() };
    let (end, health) = run(Parts {
        source: &mut camera,
        network: &mut network,
        watchdog: Watchdog::new(settings, None),
        heart: &Heart::default(),
        clock: &clock,
        settings,
        observer: &mut notes,
    })
    .unwrap();
    let report = health.report(clock.now());
    let dropped: u64 = report.dropped.values().sum();
    assert_eq!(report.arrived, report.out + dropped, "every frame is accounted for: {report:?}");
    assert_eq!(report.out, notes.answered.len() as u64);
    (end, health, notes)
}

#[test]
fn a_network_that_keeps_up_answers_every_frame() {
    let (end, health, notes) = play(Camera::new(100, 30), |_| Some(40), &settings(), false);
    assert_eq!((end, health.out()), (End::Finished, 30));
    assert_eq!(notes.answered, (0..30).collect::<Vec<_>>());
    let report = health.report(Duration::from_secs(3));
    assert_eq!((report.latency_ms.max, report.late), (40.0, 0));
    assert_eq!((notes.reports, notes.proved), (2, 1));
}

#[test]
fn of_frames_that_came_meanwhile_the_newest_is_taken() {
    let (end, health, notes) = play(Camera::new(20, 10), |_| Some(50), &settings(), false);
    // At 0 the first; at 50 those of 20 and 40 came; at 100 those of 60, 80 and 100; at 150 of 120, 140; ...
    assert_eq!(notes.answered, [0, 2, 5, 7, 9]);
    assert_eq!((end, health.dropped(Dropped::Superseded)), (End::Finished, 5));
    // From its arrival: that of 180 was answered at 250.
    assert_eq!(health.report(Duration::from_secs(1)).latency_ms.max, 70.0);
}

#[test]
fn at_a_rate_frames_are_taken_at_ticks() {
    let ten = Settings { rate_hz: Some(10.0), ..settings() };
    let (_, health, notes) = play(Camera::new(20, 26), |_| Some(10), &ten, false);
    assert_eq!(notes.answered, [0, 5, 10, 15, 20, 25]);
    assert_eq!(health.dropped(Dropped::Superseded), 20);
    // A slow frame costs ticks: of 200 and 300 ms one is made up for at once; the next ones stay where they are.
    let slow = |number| Some(if number == 1 { 230 } else { 10 });
    let (_, health, notes) = play(Camera::new(20, 26), slow, &ten, true);
    assert_eq!(notes.answered, [0, 5, 16, 20, 25]);
    let report = health.report(Duration::from_secs(1));
    assert_eq!((report.missed_ticks, report.late), (1, 1));
    // A slower camera leaves ticks without a frame.
    let (_, health, notes) = play(Camera::new(200, 3), |_| Some(10), &ten, false);
    assert_eq!(notes.answered, [0, 1, 2]);
    assert_eq!(health.report(Duration::from_secs(1)).idle_ticks, 2);
}

#[test]
fn frames_that_wait_are_never_dropped() {
    let camera = Camera { waits: true, ..Camera::new(100, 20) };
    let rate = Settings { rate_hz: Some(1.0), ..settings() };
    let (_, health, notes) = play(camera, |_| Some(90), &rate, false);
    assert_eq!((notes.answered.len(), health.out()), (20, 20));
}

#[test]
fn frames_that_cannot_be_read_are_named_and_the_rest_goes_on() {
    let unreadable = [3, 4, 8].into();
    let camera = Camera { unreadable, ..Camera::new(100, 12) };
    let (end, health, notes) = play(camera, |_| Some(10), &settings(), false);
    assert_eq!((end, notes.answered.len()), (End::Finished, 9));
    assert_eq!(health.dropped(Dropped::Unreadable), 3);
    let skipped = health.report(Duration::ZERO).skipped;
    assert!(skipped[0].what == "frame 3" && skipped[0].why.contains("cut short"), "{skipped:?}");
}

#[test]
fn many_bad_frames_are_counted_in_bounded_memory() {
    let camera = Camera { unreadable: (0..500).collect(), ..Camera::new(10, 500) };
    let (_, health, _) = play(camera, |_| Some(1), &settings(), false);
    let skipped = health.report(Duration::ZERO).skipped;
    assert!(skipped.len() < 50, "{}", skipped.len());
    assert_eq!(skipped.iter().map(|one| one.count).sum::<u64>(), 500);
}

#[test]
fn what_would_come_too_late_is_not_begun() {
    // Ticks are a second apart, and frames older than 100 ms then.
    let rate = Settings { rate_hz: Some(1.0), ..settings() };
    let camera = Camera { pause: Some((1, Duration::from_millis(550))), ..Camera::new(100, 3) };
    let (_, health, notes) = play(camera, |_| Some(10), &rate, false);
    assert_eq!(notes.answered, [0]);
    assert_eq!((health.dropped(Dropped::Superseded), health.dropped(Dropped::Stale)), (1, 1));
}

#[test]
fn a_slow_network_is_a_breach() {
    let slow = |number| Some(if number < 6 { 20 } else { 150 });
    let (end, health, notes) = play(Camera::new(200, 100), slow, &settings(), false);
    let End::Breach(Breach::Latency { p99_ms, most_ms }) = end else { panic!("{end:?}") };
    assert!(p99_ms >= 150.0 && most_ms == 100.0);
    assert_eq!((health.out(), notes.proved), (10, 0));
    // Whoever only watches is told, and goes on.
    let (end, health, notes) = play(Camera::new(200, 100), slow, &settings(), true);
    assert_eq!((end, health.out(), notes.breaches.len()), (End::Finished, 100, 19));
}

#[test]
fn a_network_that_fails_in_a_row_is_a_breach() {
    let falls = |number| (number < 4 || number == 6).then_some(10);
    let (end, health, _) = play(Camera::new(100, 50), falls, &settings(), false);
    assert!(matches!(end, End::Breach(Breach::Errors { count: 3, .. })), "{end:?}");
    // Frames 4 and 5, then 7, 8 and 9.
    assert_eq!(health.dropped(Dropped::Failed), 5);
}

#[test]
fn silent_cameras_end_the_run_without_a_breach() {
    let camera = Camera { pause: Some((5, Duration::from_secs(60))), ..Camera::new(100, 10) };
    let (end, health, notes) = play(camera, |_| Some(10), &settings(), false);
    assert!(matches!(end, End::Silent(s) if s > 2.0 && s < 2.5), "{end:?}");
    assert_eq!((health.out(), notes.breaches.len()), (5, 0));
}
