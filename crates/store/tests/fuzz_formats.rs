//! Every reader on damaged sources: whatever the bytes, an error or sound frames, never a panic.
//!
//! Deterministic and bounded: a fixed number of cases from fixed seeds. Each case damages one file of a
//! tiny source and reads the drive to its end.

#[path = "fuzz_formats/content.rs"]
mod content;
#[path = "fuzz_formats/damage.rs"]
mod damage;
#[path = "fixtures/mod.rs"]
mod fixtures;
#[path = "fuzz_formats/refusals.rs"]
mod refusals;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use damage::{Damage, Random};
use fixtures::Fixture;
use ommatidia_scene::Trajectory;
use ommatidia_store::Error;
use ommatidia_store::formats::{Drive, FORMATS, Format, ImportOptions, find};

/// Cases per source; slow sources get a fraction.
const CASES: u64 = 500;
const SLOW_CASES: u64 = 12;

fn format(name: &str) -> &'static dyn Format {
    *FORMATS.iter().find(|format| format.name() == name).unwrap()
}

#[test]
fn every_format_has_a_fixture_that_auto_recognises() {
    for format in FORMATS {
        let fixture = fixtures::of(format.name());
        let root = tempfile::tempdir().unwrap();
        fixture.write(root.path());
        assert_eq!(find("auto", root.path()).unwrap().name(), format.name());
    }
}

#[test]
fn undamaged_sources_are_read_whole_and_alike() {
    for fixture in fixtures::all() {
        let root = tempfile::tempdir().unwrap();
        fixture.write(root.path());
        let name = format!("{} ({})", fixture.format, fixture.variant);
        let first = read(&fixture, root.path()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(first.len(), fixture.frames, "{name}");
        assert_eq!(first, read(&fixture, root.path()).unwrap(), "{name}");
    }
}

/// Reads to the end and checks what the writer and the labeller rely on; what came out, for comparison.
fn read(fixture: &Fixture, source: &Path) -> Result<Vec<String>, Error> {
    let mut drive: Box<dyn Drive> =
        format(fixture.format).open(source, &ImportOptions::default())?;
    let header = drive.header().clone();
    header.rig.check().unwrap();
    let mut samples = Vec::new();
    let mut seen = Vec::new();
    while let Some(frame) = drive.next_frame()? {
        assert_eq!(frame.images.len(), header.rig.cameras.len());
        assert_eq!(frame.clouds.len(), header.rig.lidars.len());
        for (_, cloud) in frame.clouds.iter().flatten() {
            assert!(cloud.is_consistent());
            assert!(cloud.xyz_m.iter().flatten().all(|x| x.is_finite()));
        }
        if let Some(truth) = &frame.truth {
            assert_eq!(truth.timestamp, frame.timestamp);
            let occupancy = truth.occupancy.iter();
            occupancy.for_each(|occupancy| occupancy.check().unwrap());
            for object in truth.objects.iter().flatten() {
                assert!(object.ego_from_object.is_finite());
                assert!(object.size_m.iter().all(|side| side.is_finite()));
                assert!(object.velocity_m_s.iter().flatten().all(|v| v.is_finite()));
            }
        }
        samples.extend(frame.poses.iter().copied());
        seen.push(format!("{frame:?}"));
        assert!(seen.len() <= fixture.frames + 2, "more frames than the source can hold");
    }
    assert!(samples.is_empty() || header.trajectory.is_some());
    if let Some((source, scale)) = header.trajectory {
        Trajectory::new(source, scale, samples).unwrap();
    }
    assert!(drive.next_frame()?.is_none(), "there is nothing after the end");
    drive.skipped();
    Ok(seen)
}

/// An error must name a file or directory of the source.
fn check_message(error: &Error, source: &Path) {
    let message = error.to_string();
    let root = source.display().to_string();
    assert!(message.contains(&root), "{message:?} names no file");
    assert!(message.len() > root.len() + 12, "{message:?} says too little");
}

fn fuzz(fixture: &Fixture, panicked: &mut Vec<String>) -> (u64, u64) {
    let root = tempfile::tempdir().unwrap();
    fixture.write(root.path());
    let (mut errors, cases) = (0, if fixture.slow { SLOW_CASES } else { CASES });
    for seed in 0..cases {
        let mut random = Random::new(seed);
        let (name, content) = &fixture.files[random.below(fixture.files.len())];
        let damage = Damage::choose(&mut random);
        let path = root.path().join(name);
        damage.apply(&path, content, &mut random);
        let result = catch_unwind(AssertUnwindSafe(|| {
            let result = read(fixture, root.path());
            format(fixture.format).detect(root.path());
            if let Err(error) = &result {
                check_message(error, root.path());
            }
            result.is_err()
        }));
        match result {
            Ok(failed) => errors += u64::from(failed),
            Err(_) => {
                panicked.push(format!("{}: case {seed}, {damage:?} of {name}", fixture.format))
            }
        }
        if path.is_dir() {
            std::fs::remove_dir(&path).unwrap();
        }
        std::fs::write(&path, content).unwrap();
    }
    (errors, cases)
}

#[test]
fn damaged_sources_give_errors_or_sound_frames() {
    let mut panicked = Vec::new();
    for fixture in fixtures::all() {
        let (errors, cases) = fuzz(&fixture, &mut panicked);
        println!("{} ({}): {errors} errors of {cases}", fixture.format, fixture.variant);
        // Most damage is noticed; a flipped pixel or a moved box is not.
        assert!(errors * 8 > cases, "{} ({})", fixture.format, fixture.variant);
    }
    assert!(panicked.is_empty(), "{panicked:#?}");
}
