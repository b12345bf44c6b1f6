//! The presets, at the image sizes that they come with.

use nalgebra::{UnitQuaternion, Vector3};
use ommatidia_geometry::camera::{KannalaBrandt, Pinhole};
use ommatidia_geometry::{Ego, Intrinsics, Pose, frames};
use ommatidia_scene::{CameraSensor, ImuSensor, LidarSensor, Rig, Shutter};

use super::{ego_from_forward_camera, ego_from_turned_camera};

pub(super) const STEREO_PX: [u32; 2] = [1241, 376];
pub(super) const NUSCENES_PX: [u32; 2] = [1600, 900];
pub(super) const SURROUND_PX: [u32; 2] = [1408, 792];
pub(super) const FISHEYE_PX: [u32; 2] = [1280, 960];

/// Focal length over image width of KITTI's rectified cameras (odometry sequence 00: 718.856 / 1241).
const KITTI_FOCAL_PER_WIDTH: f64 = 718.856 / 1241.0;
/// Between KITTI's stereo cameras, metres (Geiger et al. 2013, figure 3).
const KITTI_BASELINE_M: f64 = 0.54;
/// Height of KITTI's cameras and of its lidar, metres (Geiger et al. 2013, figure 3).
const KITTI_CAMERA_HEIGHT_M: f64 = 1.65;
const KITTI_LIDAR_HEIGHT_M: f64 = 1.73;
/// Cameras in front of the rear axle, metres.
const STEREO_FORWARD_M: f64 = 1.7;

/// Two forward pinholes with 82 degrees of horizontal view, 0.54 m apart, and a lidar above them.
pub fn stereo(width: u32, height: u32) -> Rig {
    let focal = KITTI_FOCAL_PER_WIDTH * f64::from(width);
    let camera = |name: &str, y_m: f64| CameraSensor {
        name: name.to_owned(),
        width,
        height,
        intrinsics: centred(focal, [width, height]),
        ego_from_camera: ego_from_forward_camera(Vector3::new(
            STEREO_FORWARD_M,
            y_m,
            KITTI_CAMERA_HEIGHT_M,
        )),
        shutter: Shutter::Global,
    };
    Rig {
        cameras: vec![
            camera("left", 0.5 * KITTI_BASELINE_M),
            camera("right", -0.5 * KITTI_BASELINE_M),
        ],
        lidars: vec![lidar(Vector3::new(STEREO_FORWARD_M - 0.3, 0.0, KITTI_LIDAR_HEIGHT_M))],
        imu: Some(imu(Vector3::new(0.5, 0.3, 0.9))),
    }
}

pub(super) fn stereo_full() -> Rig {
    stereo(STEREO_PX[0], STEREO_PX[1])
}

/// Focal length and principal point (pixels, the first pixel's centre at 0), then `ego_from_camera` as
/// translation (m) and quaternion `(w, x, y, z)`.
type Calibration = (&'static str, [f64; 3], [f64; 3], [f64; 4]);

/// Calibration of a car of nuScenes (Caesar et al. 2020; `calibrated_sensor` of scene-0061, v1.0).
const NUSCENES_CAMERAS: [Calibration; 6] = [
    (
        "CAM_FRONT",
        [1266.417, 816.267, 491.507],
        [1.7008, 0.0159, 1.5110],
        [0.499802, -0.503032, 0.499780, -0.497371],
    ),
    (
        "CAM_FRONT_RIGHT",
        [1260.847, 807.968, 495.334],
        [1.5508, -0.4934, 1.4957],
        [0.206035, -0.202694, 0.682451, -0.671361],
    ),
    (
        "CAM_BACK_RIGHT",
        [1259.514, 807.253, 501.196],
        [1.0149, -0.4806, 1.5624],
        [0.122810, -0.132401, -0.700431, 0.690496],
    ),
    (
        "CAM_BACK",
        [809.221, 829.220, 481.778],
        [0.0283, 0.0035, 1.5791],
        [0.503787, -0.497402, -0.494185, 0.504550],
    ),
    (
        "CAM_BACK_LEFT",
        [1256.741, 792.113, 492.776],
        [1.0357, 0.4848, 1.5910],
        [0.692419, -0.703162, -0.116483, 0.112033],
    ),
    (
        "CAM_FRONT_LEFT",
        [1272.598, 826.615, 479.752],
        [1.5239, 0.4946, 1.5093],
        [0.675727, -0.673627, 0.212140, -0.211228],
    ),
];

/// nuScenes' six cameras, 1600x900, and its lidar on the roof.
pub fn nuscenes6() -> Rig {
    let camera = |&(name, [focal, cx, cy], translation, wxyz): &Calibration| CameraSensor {
        name: name.to_owned(),
        width: NUSCENES_PX[0],
        height: NUSCENES_PX[1],
        // nuScenes counts pixel centres from integers, we from halves (`FRAMES.md`).
        intrinsics: Intrinsics::Pinhole(Pinhole {
            fx: focal,
            fy: focal,
            cx: cx + 0.5,
            cy: cy + 0.5,
        }),
        ego_from_camera: Pose::from_wxyz(wxyz, translation).expect("a finite quaternion"),
        shutter: Shutter::Global,
    };
    let ego_from_lidar =
        Pose::from_wxyz([0.707796, -0.006492, 0.010646, -0.706307], [0.9437, 0.0, 1.8402])
            .expect("a finite quaternion");
    Rig {
        cameras: NUSCENES_CAMERAS.iter().map(camera).collect(),
        lidars: vec![LidarSensor { name: "LIDAR_TOP".to_owned(), ego_from_lidar }],
        imu: Some(imu(Vector3::new(0.0, 0.0, 0.8))),
    }
}

/// Lens and mounting of a camera of [`surround8`].
struct Mount {
    name: &'static str,
    /// Horizontal view of a pinhole, degrees; over 100 it is a fisheye with as much.
    view_deg: f64,
    position_m: [f64; 3],
    yaw_deg: f64,
    down_deg: f64,
}

/// Places behind the windscreen, in the B pillars, on the front wings and above the number plate, and
/// fields of view, as Tesla published for its eight-camera cars (Autopilot hardware, 2019: narrow 250 m,
/// main 150 m, wide 60 m at 120 degrees, side 80 and 100 m, rear 50 m).
const SURROUND: [Mount; 8] = [
    mount("front_narrow", 35.0, [1.95, 0.03, 1.42], 0.0, 0.0),
    mount("front_main", 50.0, [1.95, 0.0, 1.42], 0.0, 0.5),
    mount("front_wide", 120.0, [1.95, -0.03, 1.42], 0.0, 3.0),
    mount("left_forward", 90.0, [1.15, 0.78, 1.25], 62.0, 3.0),
    mount("right_forward", 90.0, [1.15, -0.78, 1.25], -62.0, 3.0),
    mount("left_rear", 75.0, [2.45, 0.98, 0.95], 140.0, 4.0),
    mount("right_rear", 75.0, [2.45, -0.98, 0.95], -140.0, 4.0),
    mount("rear", 130.0, [-0.95, 0.0, 1.05], 180.0, 12.0),
];

const fn mount(
    name: &'static str,
    view_deg: f64,
    position_m: [f64; 3],
    yaw_deg: f64,
    down_deg: f64,
) -> Mount {
    Mount { name, view_deg, position_m, yaw_deg, down_deg }
}

/// Above this a lens is a fisheye, degrees.
const WIDEST_PINHOLE_DEG: f64 = 100.0;

/// Eight cameras as on production cars, and a lidar for truth's sake.
pub fn surround8() -> Rig {
    let [width, height] = SURROUND_PX;
    let camera = |mount: &Mount| {
        let half = 0.5 * mount.view_deg.to_radians();
        let half_px = 0.5 * f64::from(width);
        let intrinsics = if mount.view_deg < WIDEST_PINHOLE_DEG {
            centred(half_px / half.tan(), SURROUND_PX)
        } else {
            fisheye(half_px, half, SURROUND_PX)
        };
        CameraSensor {
            name: mount.name.to_owned(),
            width,
            height,
            intrinsics,
            ego_from_camera: ego_from_turned_camera(
                mount.position_m.into(),
                mount.yaw_deg.to_radians(),
                mount.down_deg.to_radians(),
            ),
            shutter: Shutter::Global,
        }
    };
    Rig {
        cameras: SURROUND.iter().map(camera).collect(),
        lidars: vec![lidar(Vector3::new(1.2, 0.0, 1.8))],
        imu: Some(imu(Vector3::new(1.0, 0.0, 0.6))),
    }
}

/// Four fisheyes with 190 degrees across: bumper, both mirrors, tailgate, tilted towards the ground.
/// Places as in WoodScape's cars (Yogamani et al. 2019, section 3).
pub fn fisheye4() -> Rig {
    let [width, height] = FISHEYE_PX;
    let camera = |(name, position_m, yaw_deg, down_deg): (&str, [f64; 3], f64, f64)| CameraSensor {
        name: name.to_owned(),
        width,
        height,
        intrinsics: fisheye(0.5 * f64::from(width), 95.0f64.to_radians(), FISHEYE_PX),
        ego_from_camera: ego_from_turned_camera(
            position_m.into(),
            yaw_deg.to_radians(),
            down_deg.to_radians(),
        ),
        shutter: Shutter::Global,
    };
    let cameras = [
        ("front", [3.75, 0.0, 0.65], 0.0, 20.0),
        ("left", [2.1, 1.02, 1.0], 90.0, 35.0),
        ("rear", [-0.98, 0.0, 0.85], 180.0, 25.0),
        ("right", [2.1, -1.02, 1.0], -90.0, 35.0),
    ];
    Rig {
        cameras: cameras.map(camera).into(),
        lidars: vec![lidar(Vector3::new(1.2, 0.0, 1.8))],
        imu: Some(imu(Vector3::new(1.0, 0.0, 0.6))),
    }
}

fn principal_point([width, height]: [u32; 2]) -> [f64; 2] {
    [0.5 * f64::from(width), 0.5 * f64::from(height)]
}

fn centred(focal: f64, size_px: [u32; 2]) -> Intrinsics {
    let [cx, cy] = principal_point(size_px);
    Intrinsics::Pinhole(Pinhole { fx: focal, fy: focal, cx, cy })
}

/// Near equidistant, `half_px` from the centre at the angle `half_rad`.
fn fisheye(half_px: f64, half_rad: f64, size_px: [u32; 2]) -> Intrinsics {
    // Small departures from the equidistant lens, of the size that calibrations of such lenses show.
    const SHAPE: [f64; 4] = [-0.013, 0.004, -0.0018, 0.0002];
    let squared = half_rad * half_rad;
    let radius = half_rad
        * (1.0
            + squared
                * (SHAPE[0] + squared * (SHAPE[1] + squared * (SHAPE[2] + squared * SHAPE[3]))));
    let focal = half_px / radius;
    let [cx, cy] = principal_point(size_px);
    Intrinsics::KannalaBrandt(KannalaBrandt::new(Pinhole { fx: focal, fy: focal, cx, cy }, SHAPE))
}

fn lidar(position_m: Vector3<f64>) -> LidarSensor {
    let ego_from_lidar = Pose::new(UnitQuaternion::identity(), position_m);
    LidarSensor { name: "top".to_owned(), ego_from_lidar }
}

fn imu(position_m: Vector3<f64>) -> ImuSensor {
    let ego_from_imu = Pose::<Ego, frames::Imu>::new(UnitQuaternion::identity(), position_m);
    ImuSensor { name: "imu".to_owned(), ego_from_imu }
}
