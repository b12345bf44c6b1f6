//! Runs that are stopped and started again end with the same bytes, and leave nothing beside them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use ommatidia_label::Error;
use ommatidia_label::pipeline::{LabelConfig, LabelOptions, Observer, StageReport, label};
use ommatidia_scene::{GridSpec, Provenance, Scale, SurfaceSpec, Taxonomy};
use ommatidia_store::labels::{LabelsWriter, Manifest};
use ommatidia_store::{ClipHeader, ClipReader, ClipWriter, FrameData, image};
use ommatidia_world::{StreetDrive as Drive, StreetDriveOptions as DriveOptions};
use tempfile::TempDir;

const FRAMES: usize = 10;

/// Stops a run after so many frames, of whatever stage.
struct StopAfter {
    frames: usize,
    seen: AtomicUsize,
}

impl StopAfter {
    fn new(frames: usize) -> Self {
        Self { frames, seen: AtomicUsize::new(0) }
    }
}

impl Observer for StopAfter {
    fn begin(&self, _: &str, _: usize) {}

    fn advance(&self, _: usize) {
        self.seen.fetch_add(1, Ordering::Relaxed);
    }

    fn end(&self, _: &str) {}

    fn interrupted(&self) -> bool {
        self.seen.load(Ordering::Relaxed) >= self.frames
    }
}

/// A rendered clip, its reader, and the labels of a run that nothing stopped.
struct Fixture {
    folder: TempDir,
    reader: ClipReader,
    expected: BTreeMap<PathBuf, Vec<u8>>,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("street.mcap");
        write_clip(&path);
        let reader = ClipReader::open(&path).unwrap();
        let mut fixture = Self { folder, reader, expected: BTreeMap::new() };
        let whole = fixture.directory("whole");
        assert!(fixture.run(&whole, usize::MAX).unwrap().iter().all(|stage| !stage.cached));
        fixture.expected = contents(&whole);
        fixture
    }

    fn directory(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, directory: &Path, stop_after: usize) -> Result<Vec<StageReport>, Error> {
        self.run_with(directory, stop_after, &[], |_| ())
    }

    /// Runs some stages with other settings.
    fn run_with(
        &self,
        directory: &Path,
        stop_after: usize,
        stages: &[&str],
        change: impl FnOnce(&mut LabelConfig),
    ) -> Result<Vec<StageReport>, Error> {
        let grid = GridSpec {
            min_corner_m: [0.0, -10.0, -2.0],
            size: [100, 100, 20],
            ..Default::default()
        };
        let surface_grid =
            SurfaceSpec { min_corner_m: [0.0, -10.0], size: [100, 100], ..Default::default() };
        let mut config = LabelConfig { use_poses: false, grid, surface_grid, ..Default::default() };
        change(&mut config);
        let stages = stages.iter().map(|&stage| stage.to_owned()).collect();
        let options = LabelOptions { stages, config };
        label(&self.reader, directory, &options, &StopAfter::new(stop_after))
    }

    fn assert_whole(&self, directory: &Path, what: &str) {
        let found = contents(directory);
        assert!(found.keys().eq(self.expected.keys()), "{what}: {:?}", found.keys());
        for (name, bytes) in &self.expected {
            assert!(found[name] == *bytes, "{what}: {} differs", name.display());
        }
    }
}

fn write_clip(path: &Path) {
    let options = DriveOptions { frames: FRAMES, width: 320, height: 112, ..Default::default() };
    let drive = Drive::new(options);
    let header = ClipHeader {
        id: "street".to_owned(),
        format: "world".to_owned(),
        rig: drive.rig.clone(),
        taxonomy: Taxonomy::driving().name,
        trajectory: Some((drive.trajectory().source, Scale::Metric)),
        provenance: Provenance::new(Vec::new(), serde_json::json!({})),
    };
    let mut writer = ClipWriter::create(path, &header).unwrap();
    for index in 0..FRAMES {
        let frame = drive.frame(index);
        let timestamp = frame.timestamp;
        let picture = |picture| Some((timestamp, image::encode(picture, "rendered")));
        let frame = FrameData {
            timestamp,
            images: frame.images.iter().map(picture).collect(),
            clouds: frame.clouds.into_iter().map(|cloud| Some((timestamp, cloud))).collect(),
            ..FrameData::default()
        };
        writer.write(&frame).unwrap();
    }
    writer.finish().unwrap();
}

/// Every file below a directory by its path in it.
fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(directory).unwrap().to_owned();
                found.insert(name, fs::read(path).unwrap());
            }
        }
    }
    found
}

#[test]
fn stopped_anywhere_a_run_ends_with_the_same_bytes() {
    let fixture = Fixture::new();
    let whole = fixture.directory("whole");
    assert!(fixture.run(&whole, usize::MAX).unwrap().iter().all(|stage| stage.cached));
    fixture.assert_whole(&whole, "a second run");
    for stop_after in [1, 4, 7] {
        let directory = fixture.directory(&format!("stopped-{stop_after}"));
        let mut runs = 0;
        while let Err(error) = fixture.run(&directory, stop_after + 2 * runs) {
            assert!(matches!(error, Error::Interrupted), "{error}");
            runs += 1;
        }
        assert!(runs >= 3, "stopped {runs} times");
        fixture.assert_whole(&directory, &format!("stopped after {stop_after}"));
    }
}

#[test]
fn what_a_kill_around_the_manifest_leaves_is_mended() {
    let fixture = Fixture::new();
    // Behind the table, before the manifest: all parts of the depth, and its table.
    let directory = fixture.directory("before");
    assert!(matches!(fixture.run(&directory, 2 * FRAMES), Err(Error::Interrupted)));
    assert!(directory.join(".parts/depth").is_dir());
    fs::write(directory.join("depth.parquet"), &fixture.expected[Path::new("depth.parquet")])
        .unwrap();
    fixture.run(&directory, usize::MAX).unwrap();
    fixture.assert_whole(&directory, "killed before the manifest");
    // Behind the manifest, before the parts are gone.
    let parts = directory.join(".parts/depth");
    fs::create_dir_all(&parts).unwrap();
    fs::write(parts.join("000000.parquet"), b"left").unwrap();
    assert!(fixture.run(&directory, usize::MAX).unwrap().iter().all(|stage| stage.cached));
    fixture.assert_whole(&directory, "killed behind the manifest");
    // A table that was cut short is made again, the trajectory too.
    let trajectory = directory.join("trajectory.parquet");
    fs::write(&trajectory, &fixture.expected[Path::new("trajectory.parquet")][..50]).unwrap();
    fixture.run(&directory, usize::MAX).unwrap();
    fixture.assert_whole(&directory, "a table cut short");
}

#[test]
fn tables_of_other_settings_do_not_stay_beside_new_ones() {
    let fixture = Fixture::new();
    let directory = fixture.directory("other");
    fixture.run(&directory, usize::MAX).unwrap();
    let tables = |directory: &Path| -> Vec<PathBuf> {
        let is_table = |name: &PathBuf| name.extension().is_some_and(|e| e == "parquet");
        contents(directory).into_keys().filter(is_table).collect()
    };
    assert_eq!(tables(&directory).len(), 4);
    // The surface does not depend on the voxels' grid; the occupancy does, and is not asked for.
    fixture.run_with(&directory, usize::MAX, &["surface"], |c| c.grid.voxel_m = 0.4).unwrap();
    assert_eq!(tables(&directory).len(), 4, "nothing had to be made");
    fixture.run_with(&directory, usize::MAX, &["odometry"], |c| c.odometry.window = 9).unwrap();
    assert_eq!(tables(&directory), [PathBuf::from("trajectory.parquet")]);
    let manifest = Manifest::read(&directory).unwrap();
    let left: Vec<&str> = manifest.stages.iter().map(|stage| stage.name.as_str()).collect();
    assert_eq!(left, ["odometry"]);
    fixture.run(&directory, usize::MAX).unwrap();
    fixture.assert_whole(&directory, "made again with the first settings");
}

#[test]
fn a_directory_that_is_taken_or_holds_truth_is_refused() {
    let fixture = Fixture::new();
    let directory = fixture.directory("taken");
    let writer = LabelsWriter::open(&directory).unwrap();
    let error = fixture.run(&directory, usize::MAX).unwrap_err().to_string();
    assert!(error.contains("another process"), "{error}");
    drop(writer);
    // As an import leaves it.
    let whole = Manifest::read(&fixture.directory("whole")).unwrap();
    let mut truth = whole.clone();
    truth.stages.truncate(1);
    truth.stages[0].name = "annotations".to_owned();
    truth.write(&directory).unwrap();
    let before = contents(&directory);
    let error = fixture.run(&directory, usize::MAX).unwrap_err().to_string();
    assert!(error.contains("imported"), "{error}");
    assert!(contents(&directory) == before);
}

#[test]
fn a_stage_that_fails_at_once_leaves_no_claim() {
    let fixture = Fixture::new();
    let path = fixture.directory("damaged.mcap");
    let mut bytes = fs::read(fixture.reader.path()).unwrap();
    // Into the first frame, behind the header: a chunk no longer has its checksum.
    let at = bytes.len() / (4 * FRAMES);
    bytes[at] ^= 0xff;
    fs::write(&path, bytes).unwrap();
    let reader = ClipReader::open(&path).unwrap();
    let directory = fixture.directory("failed");
    let options = LabelOptions { stages: Vec::new(), config: LabelConfig::default() };
    label(&reader, &directory, &options, &StopAfter::new(usize::MAX)).unwrap_err();
    assert!(!directory.join(".parts").exists());
}
