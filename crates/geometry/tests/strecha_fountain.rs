//! The geometry of real views: fountain-P11 with its surveyed calibration and poses.

use std::path::PathBuf;

use nalgebra::{Matrix3, Point2, Point3, Rotation3, Unit, UnitQuaternion, Vector3};
use ommatidia_geometry::ransac::{AbsolutePoseEstimator, RansacConfig, RelativePoseEstimator};
use ommatidia_geometry::ransac::{Random, Uniform, ransac};
use ommatidia_geometry::solvers::{BearingPair, PointBearing, RelativePose, five_point};
use ommatidia_geometry::{Camera, Pose, World};

struct View {
    k: Matrix3<f64>,
    world_from_camera: Pose<World, Camera>,
}

/// K row by row, three zeros, the rotation from camera to world row by row, the centre, the size.
fn read(text: &str) -> View {
    let numbers: Vec<f64> = text.split_whitespace().map(|n| n.parse().expect("a number")).collect();
    let rotation = Matrix3::from_row_slice(&numbers[12..21]);
    let rotation = Rotation3::from_matrix_eps(&rotation, 1e-15, 100, Rotation3::identity());
    View {
        k: Matrix3::from_row_slice(&numbers[..9]),
        world_from_camera: Pose::new(
            UnitQuaternion::from_rotation_matrix(&rotation),
            Vector3::from_column_slice(&numbers[21..24]),
        ),
    }
}

fn views() -> Option<Vec<View>> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let root = std::env::var_os("OMMATIDIA_DATA").map_or_else(|| beside.into(), PathBuf::from);
    let folder = root.join("strecha_fountain/fountain-P11/gt_dense_cameras");
    if !folder.is_dir() {
        println!("skipped: no real data");
        return None;
    }
    let view = |name: &str| {
        let path = folder.join(name);
        read(&std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
    };
    Some(["0003.jpg.camera", "0004.jpg.camera", "0005.jpg.camera"].map(view).into())
}

impl View {
    /// The pixel of a point, rounded as a detector with half a pixel's precision would.
    fn pixel(&self, p_in_world: &Point3<f64>) -> Option<Point2<f64>> {
        let p_in_camera = self.world_from_camera.inverse() * *p_in_world;
        let pixel = Point2::from_homogeneous(self.k * p_in_camera.coords)?;
        let inside = p_in_camera.z > 0.0
            && (0.0..3072.0).contains(&pixel.x)
            && (0.0..2048.0).contains(&pixel.y);
        inside.then(|| pixel.map(|x| (2.0 * x).round() / 2.0))
    }

    fn ray(&self, pixel: &Point2<f64>) -> Unit<Vector3<f64>> {
        let k_inverse = self.k.try_inverse().expect("a focal length");
        Unit::new_normalize(k_inverse * pixel.to_homogeneous())
    }
}

/// Points at random depths behind the pixels of the first view, with their pixels in both.
fn seen_by_both(first: &View, second: &View) -> Vec<(Point3<f64>, [Point2<f64>; 2])> {
    let mut random = Random::new(1);
    (0..400)
        .filter_map(|_| {
            let pixel = Point2::new(3072.0 * random.uniform(), 2048.0 * random.uniform());
            let depth_m = 5.0 + 10.0 * random.uniform();
            let p_in_camera = Point3::from(first.ray(&pixel).into_inner() * depth_m);
            let point = first.world_from_camera * p_in_camera;
            Some((point, [first.pixel(&point)?, second.pixel(&point)?]))
        })
        .collect()
}

#[test]
fn relative_pose_comes_back_from_rounded_pixels() {
    let Some(views) = views() else { return };
    for (i, j) in [(0, 1), (1, 2), (0, 2)] {
        let (first, second) = (&views[i], &views[j]);
        let second_from_first = second.world_from_camera.inverse() * first.world_from_camera;
        let truth = RelativePose::new(&second_from_first).expect("the camera moved");
        let mut pairs: Vec<BearingPair> = seen_by_both(first, second)
            .iter()
            .map(|(_, [a, b])| BearingPair { first: first.ray(a), second: second.ray(b) })
            .collect();
        assert!(pairs.len() > 50, "views {i} and {j} share {} points", pairs.len());
        let exact = RelativePose::from_essential(truth.essential(), &pairs).unwrap();
        let gap = (truth.second_from_first.inverse() * exact.second_from_first).log().norm();
        assert!(gap < 1e-12, "decomposition of the true essential matrix is off by {gap}");

        let count = pairs.len();
        (0..count / 2).for_each(|k| pairs[2 * k].second = pairs[(2 * k + 7) % count].second);
        let config = RansacConfig { threshold: 0.5 / 2760.0, ..RansacConfig::default() };
        let found =
            ransac(&RelativePoseEstimator::default(), &pairs, &mut Uniform, &config).unwrap();
        let found_pose = found.model.second_from_first;
        let turn = found_pose.rotation.angle_to(&truth.second_from_first.rotation).to_degrees();
        let heading =
            found_pose.translation.angle(&truth.second_from_first.translation).to_degrees();
        println!(
            "views {i} and {j}: {count} pairs, half wrong; rotation {turn:.4} deg, heading {heading:.4} deg"
        );
        assert!(turn < 0.02 && heading < 0.1, "{turn} {heading}");
    }
}

#[test]
fn five_true_pairs_hold_the_true_essential_matrix() {
    let Some(views) = views() else { return };
    let (first, second) = (&views[0], &views[1]);
    let second_from_first = second.world_from_camera.inverse() * first.world_from_camera;
    let truth = *RelativePose::new(&second_from_first).expect("the camera moved").essential();
    for five in seen_by_both(first, second).chunks_exact(5) {
        let pairs = std::array::from_fn(|i| {
            let p_in_first = first.world_from_camera.inverse() * five[i].0;
            let p_in_second = second.world_from_camera.inverse() * five[i].0;
            BearingPair::new(p_in_first.coords, p_in_second.coords).expect("finite")
        });
        let distance = |e: &Matrix3<f64>| (e - truth).norm().min((e + truth).norm());
        let nearest = five_point(&pairs).unwrap().iter().map(distance).fold(f64::MAX, f64::min);
        assert!(nearest < 1e-8, "{nearest}");
    }
}

#[test]
fn camera_pose_comes_back_from_points() {
    let Some(views) = views() else { return };
    let view = &views[1];
    let mut data: Vec<PointBearing> = seen_by_both(&views[0], view)
        .iter()
        .map(|(point, [_, pixel])| PointBearing { point: *point, bearing: view.ray(pixel) })
        .collect();
    let count = data.len();
    (0..count / 2).for_each(|k| data[2 * k].bearing = data[(2 * k + 5) % count].bearing);
    let config = RansacConfig { threshold: 0.5 / 2760.0, ..RansacConfig::default() };
    let estimator = AbsolutePoseEstimator::<World>::default();
    let found = ransac(&estimator, &data, &mut Uniform, &config).unwrap();
    let error = (view.world_from_camera.inverse() * found.model.inverse()).log();
    let (metres, degrees) =
        (error.fixed_rows::<3>(0).norm(), error.fixed_rows::<3>(3).norm().to_degrees());
    println!("camera 1 from {count} points, half wrong: {metres:.5} m, {degrees:.5} deg");
    assert!(metres < 0.005 && degrees < 0.02, "{metres} m, {degrees} deg");
}
