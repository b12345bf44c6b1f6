//! The surround-view cameras, through the rig in `docs/examples`.

use nalgebra::{Matrix3, Point3, Vector3};
use ommatidia_geometry::CameraModel;
use ommatidia_store::formats::{ImportOptions, find};

use crate::shared::data;

const RIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples/surround_fisheye.toml");

/// The numbers of one of OpenCV's YAML matrices.
fn matrix(yaml: &str, name: &str) -> Vec<f64> {
    let block = yaml.split(&format!("{name}: ")).nth(1).unwrap();
    let numbers = block.split("data: [").nth(1).unwrap().split(']').next().unwrap();
    numbers.split(',').map(|number| number.trim().trim_end_matches('.').parse().unwrap()).collect()
}

/// A bird's-eye pixel of one camera's view on the ground: 1 cm each, the car's middle at (600, 800) of the
/// joint view, which shows forward as up.
fn ground_in_ego(camera: &str, u: f64, v: f64) -> Point3<f64> {
    let (x, y) = match camera {
        "front" => (u, v),
        "back" => (1200.0 - u, 1600.0 - v),
        "left" => (v, 1600.0 - u),
        _ => (1200.0 - v, u),
    };
    // The rig's origin is 1.3 m behind the car's middle.
    Point3::new((800.0 - y) / 100.0 + 1.3, (600.0 - x) / 100.0, 0.0)
}

#[test]
fn the_rig_reproduces_the_ground_homographies() {
    let Some(source) = data("surround_fisheye") else { return };
    let format = find("images", &source).unwrap();
    let options = ImportOptions { rig: Some(RIG.into()), ..ImportOptions::default() };
    let mut drive = format.open(&source, &options).unwrap();
    let rig = drive.header().rig.clone();
    let frame = drive.next_frame().unwrap().unwrap();
    assert_eq!(frame.images.iter().flatten().count(), 4);
    assert!(drive.next_frame().unwrap().is_none());
    for camera in &rig.cameras {
        let yaml = source.join(format!("yaml/{}.yaml", camera.name));
        let yaml = std::fs::read_to_string(yaml).unwrap();
        let (k, scale, shift) =
            (matrix(&yaml, "camera_matrix"), matrix(&yaml, "scale_xy"), matrix(&yaml, "shift_xy"));
        let homography = Matrix3::from_row_slice(&matrix(&yaml, "project_matrix"));
        let undistorted = Matrix3::new(
            k[0] * scale[0],
            0.0,
            k[2] + shift[0],
            0.0,
            k[4] * scale[1],
            k[5] + shift[1],
            0.0,
            0.0,
            1.0,
        );
        let ray_from_ground = (homography * undistorted).try_inverse().unwrap();
        let depth = if matches!(camera.name.as_str(), "front" | "back") { 550.0 } else { 500.0 };
        let width = if depth == 550.0 { 1200.0 } else { 1600.0 };
        let mut worst_deg: f64 = 0.0;
        for (along, away) in [(0.35, 0.5), (0.5, 0.5), (0.65, 0.5), (0.4, 0.9), (0.6, 0.9)] {
            let (u, v) = (width * along, depth * away);
            let expected = ray_from_ground * Vector3::new(u, v, 1.0);
            let p_in_camera = camera.ego_from_camera.inverse() * ground_in_ego(&camera.name, u, v);
            let pixel = camera.intrinsics.project(&p_in_camera).unwrap();
            assert!((0.0..960.0).contains(&pixel.x) && (0.0..640.0).contains(&pixel.y));
            let ray = camera.intrinsics.unproject(&pixel).unwrap();
            worst_deg = worst_deg.max(ray.angle(&(expected * expected.z.signum())).to_degrees());
        }
        assert!(worst_deg < 1.5, "{}: {worst_deg} degrees", camera.name);
    }
}
