//! What comes out of the tiny sources, where real recordings at hand do not show it.

use ommatidia_geometry::Timestamp;
use ommatidia_scene::{BoundaryKind, ClassId, Skipped, Taxonomy};
use ommatidia_store::FrameData;
use ommatidia_store::formats::{ImportOptions, find};

use crate::fixtures::{self, Fixture};
use crate::format;

fn read(fixture: &Fixture) -> (Vec<FrameData>, Vec<Skipped>) {
    let root = tempfile::tempdir().unwrap();
    fixture.write(root.path());
    let mut drive = format(fixture.format).open(root.path(), &ImportOptions::default()).unwrap();
    let mut frames = Vec::new();
    while let Some(frame) = drive.next_frame().unwrap() {
        frames.push(frame);
    }
    (frames, drive.skipped())
}

fn count(skipped: &[Skipped], what: &str) -> u64 {
    skipped.iter().filter(|entry| entry.what.contains(what)).map(|entry| entry.count).sum()
}

#[test]
fn nuscenes_velocities_are_over_ground_and_sweeps_keep_their_poses() {
    let (frames, skipped) = read(&fixtures::of("nuscenes"));
    for (frame, x) in [(0, 11.6), (1, 9.6)] {
        let [object] = &frames[frame].truth.as_ref().unwrap().objects.as_ref().unwrap()[..] else {
            panic!("one box")
        };
        // The vehicle is at 100 + 8 t m, the car at 120 m, then 2 m on within half a second.
        assert!((object.ego_from_object.translation.x - x).abs() < 1e-9);
        assert!((object.velocity_m_s.unwrap()[0] - 4.0).abs() < 1e-9);
        assert_eq!(object.size_m, [4.5, 1.9, 1.6]);
    }
    let poses: Vec<_> = frames.iter().flat_map(|frame| &frame.poses).collect();
    assert_eq!(poses.len(), 6);
    assert_eq!(poses[3].timestamp, Timestamp(1_250_000_000));
    assert_eq!(count(&skipped, "sensors of kind radar"), 1);
    assert_eq!(count(&skipped, "sweeps"), 1);
}

#[test]
fn kitti_without_poses_or_mounting_says_so() {
    let mut fixture = fixtures::of("kitti_odometry");
    fixture.remove("poses/00.txt");
    fixture.replace("sequences/00/calib.txt", "Tr", "Tx");
    let (frames, skipped) = read(&fixture);
    assert!(frames.iter().all(|frame| frame.poses.is_empty() && frame.clouds.is_empty()));
    assert_eq!((count(&skipped, "poses"), count(&skipped, "lidar scans")), (2, 2));
}

#[test]
fn semantickitti_labels_and_voxels() {
    let (frames, skipped) = read(&fixtures::of("semantickitti"));
    let cloud = &frames[0].clouds[0].as_ref().unwrap().1;
    let class = |name: &str| Taxonomy::driving().id(name).unwrap();
    assert_eq!(cloud.class, [class("road").0, class("car").0, ClassId::UNKNOWN.0]);
    assert_eq!(cloud.instance, [0, 7, 0]);
    assert_eq!(count(&skipped, "classes of returns"), 2);

    let voxels = fixtures::all().into_iter().find(|fixture| fixture.variant == "voxels").unwrap();
    let (frames, _) = read(&voxels);
    let completed = frames[0].truth.as_ref().unwrap().occupancy.as_ref().unwrap();
    // Voxel 1 is invalid; of the first, third and fourth, which are occupied, the classes are known.
    assert_eq!(completed.classes, [class("road"), class("car"), class("car")]);
    // All other voxels were observed; resampling repeats or drops a layer at most.
    let observed = completed.observed.count() as f64 / (256.0 * 256.0 * 32.0);
    assert!((0.95..1.05).contains(&observed), "{observed} of the voxels");
    let single = frames[1].truth.as_ref().unwrap().occupancy.as_ref().unwrap();
    assert_eq!((single.occupied.count(), &single.classes[..]), (1, &[ClassId::UNKNOWN][..]));
}

#[test]
fn dgp_counts_unknown_classes_and_shifts_its_clock() {
    let (frames, skipped) = read(&fixtures::of("dgp"));
    let objects = frames[0].truth.as_ref().unwrap().objects.as_ref().unwrap();
    assert_eq!(objects.len(), 2);
    assert_eq!(objects[1].class, ClassId::UNKNOWN);
    assert_eq!(count(&skipped, "classes of boxes"), 2);
    // 01:04:10.0279 of the first day.
    assert_eq!(frames[0].timestamp, Timestamp(3_850_027_900_000));
    assert!((frames[1].poses[0].world_from_ego.translation.x - 1.0).abs() < 1e-9);
}

#[test]
fn argoverse2_takes_the_closest_image_and_the_lanes_around() {
    let (frames, _) = read(&fixtures::of("argoverse2"));
    let (taken, _) = frames[1].images[0].as_ref().unwrap();
    assert_eq!((*taken - frames[1].timestamp).0, 20_000_000);
    let truth = frames[0].truth.as_ref().unwrap();
    let lanes = truth.lanes.as_ref().unwrap();
    let lane = &lanes.lanes[0];
    assert_eq!((lane.id, lane.left_neighbour, &lane.successors[..]), (1, Some(2), &[3][..]));
    assert_eq!(lane.left.kind, BoundaryKind::Dashed);
    // From 10 m behind to 50 m ahead; the ground is 0.33 m below the axle at z = 50 m.
    for (got, expected) in lane.centreline_m[0].iter().zip([-10.0, 0.0, 0.03]) {
        assert!((got - expected).abs() < 1e-4, "{:?}", lane.centreline_m);
    }
    assert_eq!(lanes.crossings[0].polygon_m.len(), 4);
    let tracks: Vec<_> = frames[1].truth.iter().flat_map(|t| t.objects.iter().flatten()).collect();
    assert_eq!(tracks[0].track, truth.objects.as_ref().unwrap()[0].track);
}

#[test]
fn images_are_paired_in_order_and_opencv_pixels_are_shifted() {
    let fixture = fixtures::of("images");
    let (frames, _) = read(&fixture);
    assert_eq!(frames[1].timestamp, Timestamp(100_000_000));
    assert!(frames[1].images[1].as_ref().unwrap().1.origin.ends_with("back/image_1.png"));
    let root = tempfile::tempdir().unwrap();
    fixture.write(root.path());
    let drive = format("images").open(root.path(), &ImportOptions::default()).unwrap();
    let front = &drive.header().rig.cameras[0];
    assert_eq!(front.intrinsics.principal_point_px(), (4.0, 3.0));
    assert!(front.ego_from_camera.translation.x > 1.6);
}

/// The example of the documentation is a rig, and videos are read where ffmpeg is installed.
#[test]
fn documented_rigs_are_rigs() {
    const DOCUMENT: &str = include_str!("../../../../docs/rig.md");
    let example = DOCUMENT.split("```toml").nth(1).unwrap().split("```").next().unwrap();
    let root = tempfile::tempdir().unwrap();
    let rig = root.path().join("rig.toml");
    std::fs::write(&rig, example).unwrap();
    // It is understood as far as its images, which are not here.
    let error = format("images").open(root.path(), &ImportOptions::default()).err().unwrap();
    assert!(error.to_string().contains("front is missing"), "{error}");
}

#[test]
fn videos_are_read_through_ffmpeg() {
    let root = tempfile::tempdir().unwrap();
    let video = root.path().join("front.mkv");
    let made = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "testsrc=size=64x48:rate=10:duration=0.5"])
        .args(["-c:v", "mpeg4"])
        .arg(&video)
        .status();
    if !made.is_ok_and(|status| status.success()) {
        println!("skipped: no ffmpeg");
        return;
    }
    let rig = root.path().join("r.toml");
    let text = "[[cameras]]\nname = \"front\"\nwidth = 64\nheight = 48\n\
        intrinsics = { model = \"pinhole\", fx = 50.0, fy = 50.0, cx = 32.0, cy = 24.0 }\n\
        ego_from_camera = { wxyz = [0.5, -0.5, 0.5, -0.5], translation_m = [0.0, 0.0, 1.0] }\n";
    std::fs::write(&rig, text).unwrap();
    let read = |rate_hz| {
        let options = ImportOptions { rig: Some(rig.clone()), rate_hz, sequence: None };
        let mut drive = find("auto", &video).unwrap().open(&video, &options).unwrap();
        let mut times = Vec::new();
        while let Some(frame) = drive.next_frame().unwrap() {
            times.push(frame.timestamp.0 / 1_000_000);
        }
        times
    };
    assert_eq!(read(None), [0, 100, 200, 300, 400]);
    assert_eq!(read(Some(5.0)), [0, 200, 400]);

    std::fs::write(&video, b"not a video").unwrap();
    let options = ImportOptions { rig: Some(rig), ..ImportOptions::default() };
    let error = format("images").open(&video, &options).err().unwrap();
    assert!(error.to_string().contains("front.mkv") && !error.is_environment(), "{error}");
}
