use std::fmt::Debug;
use std::path::Path;

use ommatidia_geometry::Timestamp;
use ommatidia_scene::*;
use proptest::prelude::*;

use super::*;
use crate::atomic::faults;
use crate::{Error, depth_png, testing};

mod arbitrary;
mod faulty;
mod street;

fn manifest(frames: usize) -> Manifest {
    let clip = ClipIdentity { id: "drive".to_owned(), content_hash: ContentHash([3; 32]) };
    let provenance = Provenance::new(Vec::new(), serde_json::json!({ "window": 10 }));
    let mut manifest = Manifest::new(clip, provenance, "driving".to_owned(), Rig::default());
    manifest.trajectory = Some((PoseSource::Odometry, Scale::Metric));
    manifest.frames = (0..frames).map(|k| Timestamp(k as i64 * 100)).collect();
    manifest.grid = Some(GridSpec::default());
    manifest.surface = Some(SurfaceSpec::default());
    manifest
}

/// Writes entries as parts of `per_part`, joins them, and reads them back.
fn round_trip<R: Row + Clone>(rows: &[R], per_part: usize) -> Vec<R> {
    let directory = tempfile::tempdir().unwrap();
    let writer = LabelsWriter::open(directory.path()).unwrap();
    for (number, part) in rows.chunks(per_part).enumerate() {
        writer.write_part(number as u32, part).unwrap();
    }
    let record = writer.assemble(R::TABLE).unwrap();
    let path = directory.path().join(R::TABLE.file_name());
    assert_eq!(record.blake3, crate::hash::of_file(&path).unwrap());
    assert_eq!(record.bytes, std::fs::metadata(&path).unwrap().len());
    assert!(
        directory.path().join(".parts").exists(),
        "parts stay until the manifest vouches for the table"
    );
    writer.remove_parts(R::TABLE).unwrap();
    assert!(!directory.path().join(".parts").exists());
    let table = TableReader::<R>::open(&path).unwrap();
    let all: Vec<R> = table.rows().collect::<Result<_, _>>().unwrap();
    let mut one_by_one: Vec<R> = Vec::new();
    let mut times: Vec<Timestamp> = rows.iter().map(Row::timestamp).collect();
    times.dedup();
    times.iter().for_each(|&time| one_by_one.extend(table.at(time).unwrap()));
    assert_eq!(one_by_one.len(), all.len());
    assert!(table.at(Timestamp(i64::MIN)).unwrap().is_empty());
    assert!(table.at(Timestamp(i64::MAX)).unwrap().is_empty());
    all
}

fn check<R: Row + Clone + PartialEq + Debug>(rows: &[R], per_part: usize) {
    assert_eq!(round_trip(rows, per_part), rows);
}

/// Entries at times 0, 100, ... from generated values.
fn timed<T, R>(values: Vec<T>, row: impl Fn(Timestamp, T) -> R) -> Vec<R> {
    let at = |(k, value)| row(Timestamp(k as i64 * 100), value);
    values.into_iter().enumerate().map(at).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn voxels_lose_nothing(values in prop::collection::vec(arbitrary::occupancy(), 1..5), per_part in 1_usize..4) {
        check(&timed(values, |timestamp, occupancy| VoxelsRow { timestamp, occupancy }), per_part);
    }

    #[test]
    fn objects_lose_nothing(values in prop::collection::vec(arbitrary::objects(), 1..7), per_part in 1_usize..4) {
        check(&timed(values, |timestamp, objects| ObjectsRow { timestamp, objects }), per_part);
    }

    #[test]
    fn lanes_lose_nothing(values in prop::collection::vec(arbitrary::lanes(), 1..7), per_part in 1_usize..4) {
        check(&timed(values, |timestamp, lanes| LanesRow { timestamp, lanes }), per_part);
    }

    #[test]
    fn semantics_lose_nothing(values in prop::collection::vec(arbitrary::semantics(), 1..7), per_part in 1_usize..4) {
        let row = |timestamp, (semantics, instances)| {
            SemanticsRow { timestamp, camera: "left".to_owned(), semantics, instances }
        };
        check(&timed(values, row), per_part);
    }

    #[test]
    fn normals_lose_nothing(values in prop::collection::vec(arbitrary::normals(), 1..7), per_part in 1_usize..4) {
        let row = |timestamp, normals| NormalsRow { timestamp, camera: "left".to_owned(), normals };
        check(&timed(values, row), per_part);
    }

    #[test]
    fn optical_flow_keeps_a_64th_of_a_pixel(values in prop::collection::vec(arbitrary::optical_flow(), 1..7), per_part in 1_usize..4) {
        let row = |timestamp, flow: Vec<_>| OpticalFlowRow::new(timestamp, "left".to_owned(), &flow);
        let read = round_trip(&timed(values.clone(), row), per_part);
        for (row, given) in read.iter().zip(&values) {
            prop_assert_eq!(row.flow_px().len(), given.len());
            for (read, given) in row.flow_px().iter().zip(given) {
                let stored = given.iter().all(|px| px.abs() < 511.98);
                prop_assert!((0..2).all(|i| stored && (read[i] - given[i]).abs() < 0.01 || !stored && (read[i].is_nan() || given[i].abs() < 512.0)));
            }
        }
    }

    #[test]
    fn trajectories_lose_nothing(values in prop::collection::vec(-1e4_f64..1e4, 1..40), per_part in 1_usize..9) {
        let row = |timestamp, seed| PoseSample { timestamp, world_from_ego: testing::pose(seed) };
        check(&timed(values, row), per_part);
    }

    #[test]
    fn surfaces_keep_millimetres(values in prop::collection::vec(arbitrary::surface(), 1..5), per_part in 1_usize..4) {
        let rows = timed(values, |timestamp, surface| SurfaceRow { timestamp, surface });
        let read = round_trip(&rows, per_part);
        prop_assert_eq!(read.len(), rows.len());
        for (read, row) in read.iter().zip(&rows) {
            let (read, surface) = (&read.surface, &row.surface);
            prop_assert_eq!(
                (&read.spec, &read.drivable, &read.class, &read.confidence),
                (&surface.spec, &surface.drivable, &surface.class, &surface.confidence)
            );
            for (read, height) in read.height_m.iter().zip(&surface.height_m) {
                prop_assert!(read.is_nan() == height.is_nan());
                prop_assert!(height.is_nan() || (read - height).abs() <= 0.000_51 + height.abs() * f32::EPSILON);
            }
        }
    }

    #[test]
    fn exact_depth_keeps_a_4096th_of_a_metre(map in arbitrary::depth()) {
        let row = DepthRow::exact(Timestamp(0), "left".to_owned(), &map).unwrap();
        let back = round_trip(&[row], 1)[0].map().unwrap();
        for (given, read) in map.depth_m.iter().zip(&back.depth_m) {
            let small = *given < 0.004 && *read < 0.008;
            prop_assert!(*given > 255.99 || (given - read).abs() <= 0.000_14 || small);
        }
    }

    #[test]
    fn depth_keeps_a_256th_of_a_metre(map in arbitrary::depth()) {
        let row = |camera: &str| DepthRow::new(Timestamp(0), camera.to_owned(), &map).unwrap();
        let read = round_trip(&[row("left"), row("right")], 2);
        prop_assert_eq!(read.iter().map(|row| row.camera.as_str()).collect::<Vec<_>>(), ["left", "right"]);
        let back = read[0].map().unwrap();
        let expected: Vec<f32> = map.depth_m.iter().map(|&depth| depth_png::quantise_m(depth)).collect();
        prop_assert_eq!(&back.depth_m, &expected);
        prop_assert_eq!(&back.confidence, &map.confidence);
        for (given, read) in map.depth_m.iter().zip(&back.depth_m) {
            prop_assert!(*given > 255.99 || (given - read).abs() <= 0.002 || (*given < 0.004 && *read < 0.004));
        }
    }
}

#[test]
fn a_large_table_is_cut_into_row_groups_between_times() {
    let map = |k: i64| {
        let mut map = DepthMap::empty(640, 480);
        let noise = |i: usize| ((i as i64 * 7919 + k) * 104_729 % 60_000) as f32 / 256.0;
        map.depth_m.iter_mut().enumerate().for_each(|(i, depth)| *depth = noise(i));
        map
    };
    let row = |k: i64| DepthRow::new(Timestamp(k / 2), format!("{}", k % 2), &map(k)).unwrap();
    let rows: Vec<DepthRow> = (0..40).map(row).collect();
    let directory = tempfile::tempdir().unwrap();
    let writer = LabelsWriter::open(directory.path()).unwrap();
    writer.write_part(0, &rows).unwrap();
    let table = writer.read_part::<DepthRow>(0).unwrap();
    assert!(table.row_groups() > 1);
    for k in 0..20 {
        assert_eq!(table.at(Timestamp(k)).unwrap(), rows[2 * k as usize..][..2]);
    }
}

#[test]
fn parts_join_in_the_order_of_their_numbers_with_the_same_bytes() {
    let rows: Vec<PoseSample> = timed((0..10).map(f64::from).collect(), |timestamp, seed| {
        PoseSample { timestamp, world_from_ego: testing::pose(seed) }
    });
    let assemble = |order: &[u32]| {
        let directory = tempfile::tempdir().unwrap();
        let writer = LabelsWriter::open(directory.path()).unwrap();
        for &number in order {
            writer.write_part(number, &rows[5 * number as usize..][..5]).unwrap();
        }
        assert_eq!(writer.parts(Table::Trajectory).unwrap(), [0, 1]);
        let record = writer.assemble(Table::Trajectory).unwrap();
        (record, std::fs::read(directory.path().join("trajectory.parquet")).unwrap())
    };
    assert_eq!(assemble(&[0, 1]), assemble(&[1, 0]));
}

#[test]
fn labels_give_back_a_vector_space() {
    let directory = tempfile::tempdir().unwrap();
    let writer = LabelsWriter::open(directory.path()).unwrap();
    let mut occupancy = Occupancy::unobserved(GridSpec { size: [4, 4, 2], ..Default::default() });
    occupancy.observed.set(3, true);
    let surface = Surface::unobserved(SurfaceSpec { size: [3, 3], ..Default::default() });
    let map = DepthMap { width: 2, height: 1, depth_m: vec![0.0, 2.5], confidence: vec![0, 9] };
    for timestamp in [Timestamp(0), Timestamp(100)] {
        let number = (timestamp.0 / 100) as u32;
        let voxels = VoxelsRow { timestamp, occupancy: occupancy.clone() };
        writer.write_part(number, &[voxels]).unwrap();
        writer.write_part(number, &[SurfaceRow { timestamp, surface: surface.clone() }]).unwrap();
        writer.write_part(number, &[ObjectsRow { timestamp, objects: vec![] }]).unwrap();
        let depth = DepthRow::new(timestamp, "left".to_owned(), &map).unwrap();
        writer.write_part(number, &[depth]).unwrap();
        let world_from_ego = testing::pose(timestamp.0 as f64);
        writer.write_part(number, &[PoseSample { timestamp, world_from_ego }]).unwrap();
    }
    let tables = [Table::Voxels, Table::Surface, Table::Objects, Table::Depth, Table::Trajectory];
    let mut manifest = manifest(3);
    manifest.stages.push(StageRecord {
        name: "all".to_owned(),
        key: ContentHash([1; 32]),
        confidence: 0.5,
        skipped: vec![Skipped { what: "frame".to_owned(), why: "dark".to_owned(), count: 2 }],
        outputs: tables.iter().map(|&table| writer.assemble(table).unwrap()).collect(),
    });
    writer.finish(&manifest).unwrap();
    let labels = Labels::open(directory.path()).unwrap();
    assert_eq!(labels.manifest(), &manifest);
    assert_eq!(labels.trajectory().unwrap().unwrap().samples().len(), 2);
    let space = labels.vector_space(Timestamp(100)).unwrap();
    assert_eq!((space.timestamp, space.occupancy), (Timestamp(100), Some(occupancy)));
    assert_eq!((space.objects, space.lanes), (Some(vec![]), None));
    assert!(space.surface.is_some_and(|surface| surface.height_m.iter().all(|h| h.is_nan())));
    assert_eq!(labels.depth(Timestamp(0), "left").unwrap(), Some(map));
    assert_eq!(labels.depth(Timestamp(0), "right").unwrap(), None);
    assert_eq!(labels.vector_space(Timestamp(200)).unwrap().occupancy, None);
    assert_eq!(labels.cameras(Timestamp(0)).unwrap().len(), 1);
}

#[test]
fn what_cannot_be_stored_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let writer = LabelsWriter::open(directory.path()).unwrap();
    let mut occupancy = Occupancy::unobserved(GridSpec { size: [2, 2, 2], ..Default::default() });
    occupancy.occupied.set(0, true);
    let voxels = VoxelsRow { timestamp: Timestamp(0), occupancy };
    let mut pose = PoseSample { timestamp: Timestamp(5), world_from_ego: testing::pose(1.0) };
    let backwards = [pose, PoseSample { timestamp: Timestamp(4), ..pose }];
    pose.world_from_ego.translation.x = f64::NAN;
    for (result, expected) in [
        (writer.write_part(0, &[voxels]), "not observed"),
        (writer.write_part(0, &backwards), "do not ascend"),
        (writer.write_part(0, &[pose]), "rigid"),
    ] {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let negative = DepthMap { width: 1, height: 1, depth_m: vec![-1.0], confidence: vec![0] };
    assert!(DepthRow::new(Timestamp(0), "left".to_owned(), &negative).is_err());
    for table in Table::ALL {
        assert!(writer.parts(table).unwrap().is_empty());
    }
}
