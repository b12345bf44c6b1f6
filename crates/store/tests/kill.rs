//! Writers that are killed at random moments leave whole files.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use ommatidia_geometry::{Pose, Timestamp};
use ommatidia_scene::{ContentHash, PoseSample, PoseSource, Provenance, Rig, Scale};
use ommatidia_store::labels::{ClipIdentity, Manifest, Table};
use ommatidia_store::{Labels, LabelsWriter};

const DIRECTORY: &str = "OMMATIDIA_TEST_KILL_DIRECTORY";
const POSES: i64 = 50;

fn poses(part: i64) -> Vec<PoseSample> {
    let pose = |k: i64| PoseSample {
        timestamp: Timestamp(part * POSES + k),
        world_from_ego: Pose::from_wxyz([1.0, 0.0, 0.0, 0.0], [k as f64, part as f64, 0.0])
            .unwrap(),
    };
    (0..POSES).map(pose).collect()
}

/// What a run that may be killed does: makes the parts that are missing, joins them, writes the manifest.
fn write(directory: &Path) {
    let writer = LabelsWriter::open(directory).unwrap();
    if !directory.join("trajectory.parquet").exists() {
        let there = writer.parts(Table::Trajectory).unwrap();
        for part in (0..30).filter(|part| !there.contains(part)) {
            writer.write_part(part, &poses(i64::from(part))).unwrap();
        }
        writer.assemble(Table::Trajectory).unwrap();
    }
    writer.remove_parts(Table::Trajectory).unwrap();
    let clip = ClipIdentity { id: "drive".to_owned(), content_hash: ContentHash([3; 32]) };
    let mut manifest = Manifest::new(
        clip,
        Provenance::new(vec![], serde_json::json!({})),
        "driving".to_owned(),
        Rig::default(),
    );
    manifest.trajectory = Some((PoseSource::Odometry, Scale::Metric));
    writer.finish(&manifest).unwrap();
}

/// Not a test of its own: the process that is killed.
#[test]
fn child() {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        write(Path::new(&directory));
    }
}

/// Names of everything below a directory, and the bytes.
fn contents(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            found.push((path.to_string_lossy().into_owned(), std::fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn a_killed_writer_resumes_to_the_same_bytes() {
    let whole = tempfile::tempdir().unwrap();
    write(whole.path());
    let expected: Vec<Vec<u8>> = contents(whole.path()).into_iter().map(|entry| entry.1).collect();
    assert_eq!(expected.len(), 2);
    let mut struck = 0;
    for round in 0..10_u64 {
        let directory = tempfile::tempdir().unwrap();
        let mut killed = 0;
        for attempt in 0..8 {
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "child"])
                .env(DIRECTORY, directory.path())
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            std::thread::sleep(Duration::from_micros(500 + (round * 7 + attempt * 13) % 40 * 1000));
            killed += u32::from(child.try_wait().unwrap().is_none());
            // It may have ended meanwhile.
            let _ = child.kill();
            child.wait().unwrap();
            for (name, bytes) in contents(directory.path()) {
                let whole = name.contains(".tmp-omma")
                    || bytes.ends_with(b"PAR1")
                    || bytes.ends_with(b"}\n");
                assert!(whole, "{name} is half there");
            }
        }
        write(directory.path());
        let bytes: Vec<Vec<u8>> =
            contents(directory.path()).into_iter().map(|entry| entry.1).collect();
        assert!(bytes == expected, "after {killed} kills");
        struck += killed;
        assert_eq!(
            Labels::open(directory.path()).unwrap().trajectory().unwrap().unwrap().samples().len(),
            1500
        );
    }
    assert!(struck > 0, "no writer was killed at work");
}
