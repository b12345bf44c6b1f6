//! The page's structure: every section there, nothing fetched from elsewhere, the same bytes each time.

use nalgebra::{Point3, Vector3};
use ommatidia_geometry::camera::Pinhole;
use ommatidia_geometry::{Intrinsics, Pose, Timestamp};
use ommatidia_scene::{
    BitGrid, CameraSensor, CameraView, ClassId, ContentHash, DepthMap, Drivable, GridSpec, Input,
    Object, Occupancy, PoseSample, PoseSource, Provenance, RgbImage, Rig, Scale, Shutter, Skipped,
    Surface, SurfaceSpec, Taxonomy, TrackId, Trajectory, VectorSpace,
};
use ommatidia_view::Error;
use ommatidia_view::report::{
    MetricTable, ReportFrame, ReportInput, StageSummary, choose_frames, render,
};

const FRAMES: usize = 12;

fn rig() -> Rig {
    let camera = CameraSensor {
        name: "front <left>".into(),
        width: 64,
        height: 32,
        intrinsics: Intrinsics::Pinhole(Pinhole { fx: 40.0, fy: 40.0, cx: 32.0, cy: 16.0 }),
        ego_from_camera: Pose::identity(),
        shutter: Shutter::Global,
    };
    Rig { cameras: vec![camera], ..Rig::default() }
}

fn path(sideways_m: f64) -> Vec<PoseSample> {
    let sample = |i: usize| {
        let translation = Vector3::new(i as f64, sideways_m * i as f64, 0.0);
        PoseSample {
            timestamp: Timestamp(i as i64 * 100_000_000),
            world_from_ego: Pose::new(nalgebra::UnitQuaternion::identity(), translation),
        }
    };
    (0..FRAMES).map(sample).collect()
}

/// A wall ahead of drivable ground.
fn space(index: usize, class: ClassId) -> VectorSpace {
    let grid = GridSpec { min_corner_m: [-5.0, -5.0, 0.0], voxel_m: 0.5, size: [40, 20, 6] };
    let mut occupied = BitGrid::new(grid.len());
    let mut observed = BitGrid::new(grid.len());
    for i in 0..grid.len() {
        let p: Point3<f64> = grid.centre(grid.cell(i));
        observed.set(i, p.x <= 12.0);
        occupied.set(i, p.x > 11.0 && p.x <= 12.0);
    }
    let classes = vec![class; occupied.count()];
    let spec = SurfaceSpec { min_corner_m: [-5.0, -5.0], cell_m: 0.5, size: [40, 20] };
    let mut surface = Surface::unobserved(spec);
    surface.height_m[..600].fill(0.0);
    surface.drivable[..600].fill(Drivable::Yes);
    let mut depth = DepthMap::empty(64, 32);
    depth.depth_m[..1024].fill(12.0);
    depth.confidence[..1024].fill(200);
    let object = Object {
        track: Some(TrackId(1)),
        class,
        ego_from_object: Pose::new(
            nalgebra::UnitQuaternion::identity(),
            Vector3::new(6.0, 2.0, 0.8),
        ),
        size_m: [4.0, 1.8, 1.5],
        velocity_m_s: None,
        keypoints: vec![],
        confidence: 1.0,
        lidar_points: None,
    };
    VectorSpace {
        timestamp: path(0.0)[index].timestamp,
        occupancy: Some(Occupancy { grid, observed, occupied, classes, flow: None }),
        surface: Some(surface),
        objects: Some(vec![object]),
        cameras: vec![CameraView {
            camera: "front <left>".into(),
            depth: Some(depth),
            ..CameraView::default()
        }],
        ..VectorSpace::default()
    }
}

fn input() -> ReportInput {
    let taxonomy = Taxonomy::driving();
    let image = RgbImage::new(64, 32, (0..64 * 32 * 3).map(|i| (i % 251) as u8).collect());
    let frame = |index| ReportFrame {
        index,
        space: space(index, taxonomy.id("building").unwrap_or_default()),
        images: vec![Some(image.clone())],
    };
    let inputs = vec![Input { name: "image_0/000000.png".into(), blake3: ContentHash([7; 32]) }];
    ReportInput {
        clip: "drive <&> 7".into(),
        format: "images".into(),
        rig: rig(),
        frame_times: path(0.0).iter().map(|sample| sample.timestamp).collect(),
        trajectory: Trajectory::new(PoseSource::Odometry, Scale::Unknown, path(0.0)).ok(),
        truth: Some(path(0.01)),
        frames: choose_frames(FRAMES, 2).into_iter().map(frame).collect(),
        stages: vec![StageSummary {
            name: "depth".into(),
            confidence: Some(0.7),
            outputs: vec!["depth".into()],
            skipped: vec![Skipped { what: "frame".into(), why: "blurred".into(), count: 1 }],
        }],
        metrics: vec![MetricTable::new("Trajectory", &serde_json::json!({"ate_rmse_m": 0.25}))],
        provenance: vec![(
            "labels".into(),
            Provenance::new(inputs, serde_json::json!({"depth": {"window": 5}})),
        )],
        hashes: vec![("clip".into(), ContentHash([3; 32]).to_string())],
        taxonomy,
    }
}

fn count(page: &str, part: &str) -> usize {
    page.matches(part).count()
}

#[test]
fn every_section_is_there() {
    let page = render(&input()).unwrap();
    for id in ["trajectory", "frames", "metrics", "stages", "rig", "provenance"] {
        assert_eq!(count(&page, &format!("<section id=\"{id}\"")), 1, "{id}");
    }
    assert_eq!(count(&page, "<article"), 2);
    // Per frame: the oblique view and the camera; the view from above is inside an SVG.
    assert_eq!((count(&page, "<img "), count(&page, "<image ")), (4, 2));
    for text in ["ate_rmse_m", "0.2500", "1 × frame: blurred", "window", "building", "0707", "0303"]
    {
        assert!(page.contains(text), "{text}");
    }
    assert!(page.contains("Scale is unknown"));
    assert!(!page.contains("NaN") && !page.contains("inf\""));
}

#[test]
fn nothing_comes_from_elsewhere() {
    let page = render(&input()).unwrap();
    for part in ["http:", "https:", "//cdn", "<script", "<link", "@import", "url(", "file:"] {
        assert_eq!(count(&page, part), 0, "{part}");
    }
    let sources = count(&page, "src=\"") + count(&page, "href=\"");
    assert_eq!(sources, count(&page, "=\"data:image/") + count(&page, "href=\"#"));
}

#[test]
fn names_cannot_break_the_page() {
    let page = render(&input()).unwrap();
    assert!(page.contains("drive &lt;&amp;&gt; 7") && page.contains("front &lt;left&gt;"));
    assert!(!page.contains("drive <&>") && !page.contains("<left>"));
}

#[test]
fn the_same_labels_give_the_same_bytes() {
    assert_eq!(render(&input()).unwrap(), render(&input()).unwrap());
}

#[test]
fn labels_without_anything_are_said_to_be_so() {
    let empty = ReportInput {
        trajectory: None,
        truth: None,
        frames: vec![ReportFrame { index: 0, space: VectorSpace::default(), images: vec![None] }],
        stages: vec![],
        metrics: vec![],
        frame_times: vec![],
        ..input()
    };
    let page = render(&empty).unwrap();
    for text in ["No poses", "Neither occupancy nor surface", "No stage has run"] {
        assert!(page.contains(text), "{text}");
    }
    assert!(!page.contains("id=\"metrics\"") && !page.contains("NaN"));
}

#[test]
fn occupancy_without_classes_is_coloured_by_height() {
    let mut geometry_only = input();
    for frame in &mut geometry_only.frames {
        frame.space = space(frame.index, ClassId::UNKNOWN);
    }
    assert!(render(&geometry_only).unwrap().contains("no class is known"));
    assert!(!render(&input()).unwrap().contains("no class is known"));
}

#[test]
fn depth_that_does_not_fit_its_image_is_an_error() {
    let mut broken = input();
    broken.frames[0].images = vec![Some(RgbImage::new(2, 1, vec![0; 6]))];
    let error = render(&broken).unwrap_err();
    assert!(matches!(error, Error::Frame { .. }) && error.to_string().contains("2x1"), "{error}");
}
