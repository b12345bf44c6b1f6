//! A small drive with labels, for the tests of this crate and of `view-rerun`.

use nalgebra::{Point3, Vector3};
use ommatidia_geometry::camera::Pinhole;
use ommatidia_geometry::{Intrinsics, Pose, Timestamp};
use ommatidia_scene::{
    BitGrid, CameraSensor, CameraView, ClassId, DepthMap, Drivable, GridSpec, LidarSensor, Object,
    Occupancy, PointCloud, PoseSample, PoseSource, Provenance, RgbImage, Rig, Scale, Shutter,
    Skipped, Surface, SurfaceSpec, TrackId, VectorSpace,
};
use ommatidia_store::formats::Drive;
use ommatidia_store::import::import;
use ommatidia_store::{ClipHeader, ClipReader, EncodedImage, Error, FrameData, Labels};
use ommatidia_view::render::jpeg;

/// Frames of the drive.
pub(crate) const FRAMES: usize = 12;

/// One camera and one lidar.
pub(crate) fn rig() -> Rig {
    let camera = CameraSensor {
        name: "front <left>".into(),
        width: 64,
        height: 32,
        intrinsics: Intrinsics::Pinhole(Pinhole { fx: 40.0, fy: 40.0, cx: 32.0, cy: 16.0 }),
        ego_from_camera: Pose::identity(),
        shutter: Shutter::Global,
    };
    let lidar = LidarSensor { name: "top".into(), ego_from_lidar: Pose::identity() };
    Rig { cameras: vec![camera], lidars: vec![lidar], imu: None }
}

/// Straight on at 10 m/s, and a little sideways per frame.
pub(crate) fn path(sideways_m: f64) -> Vec<PoseSample> {
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
pub(crate) fn space(index: usize, class: ClassId) -> VectorSpace {
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

/// What the camera sees: a pattern.
pub(crate) fn image() -> RgbImage {
    RgbImage::new(64, 32, (0..64 * 32 * 3).map(|i| (i % 251) as u8).collect())
}

struct TestDrive {
    header: ClipHeader,
    frame: usize,
}

impl Drive for TestDrive {
    fn header(&self) -> &ClipHeader {
        &self.header
    }

    fn next_frame(&mut self) -> Result<Option<FrameData>, Error> {
        if self.frame == FRAMES {
            return Ok(None);
        }
        let pose = path(0.0)[self.frame];
        let bytes = jpeg(&image()).unwrap();
        let encoded = EncodedImage::sniff(bytes.into(), "test.jpg".into())?;
        let cloud = PointCloud { xyz_m: vec![[10.0, 1.0, 0.5]; 20], ..PointCloud::default() };
        let data = FrameData {
            timestamp: pose.timestamp,
            images: vec![Some((pose.timestamp, encoded))],
            clouds: vec![Some((pose.timestamp, cloud))],
            poses: vec![pose],
            truth: Some(space(self.frame, ClassId(9))),
            ..FrameData::default()
        };
        self.frame += 1;
        Ok(Some(data))
    }

    fn skipped(&self) -> Vec<Skipped> {
        Vec::new()
    }
}

/// The drive as a clip and labels in a directory.
pub(crate) fn stored(directory: &std::path::Path) -> (ClipReader, Labels) {
    let header = ClipHeader {
        id: "drive 7".into(),
        format: "test".into(),
        rig: rig(),
        taxonomy: "driving".into(),
        trajectory: Some((PoseSource::Dataset, Scale::Metric)),
        provenance: Provenance::new(vec![], serde_json::Value::Null),
    };
    let clip = directory.join("drive.mcap");
    let imported = import(&mut TestDrive { header, frame: 0 }, &clip, |_| ()).unwrap();
    (ClipReader::open(&clip).unwrap(), Labels::open(&imported.truth.unwrap()).unwrap())
}
