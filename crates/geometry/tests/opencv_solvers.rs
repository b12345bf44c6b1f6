//! The solvers against OpenCV's answers, which `bench/reference/solvers.py` wrote.

use nalgebra::{Matrix3, Point2, Point3, Rotation3, Unit, UnitQuaternion, Vector3};
use ommatidia_geometry::solvers::{
    BearingPair, Homography, PixelPair, PointBearing, PoseRefinementConfig, RigObservation,
    ScaleMode, Similarity, eight_point, five_point, homography, p3p, refine_pose, seven_point,
    umeyama,
};
use ommatidia_geometry::{Camera, Ego, Pose, World};
use serde::Deserialize;

type Rows = [[f64; 3]; 3];

#[derive(Deserialize)]
struct Fixture {
    k: Rows,
    five_point: Vec<TwoViews>,
    seven_point: Vec<TwoViews>,
    eight_point: Vec<TwoViews>,
    homography: Vec<PlaneViews>,
    p3p: Vec<View>,
    pnp: Vec<View>,
    similarity: Vec<Alignment>,
}

#[derive(Deserialize)]
struct TwoViews {
    first: Vec<[f64; 2]>,
    second: Vec<[f64; 2]>,
    #[serde(alias = "essentials")]
    matrices: Vec<Rows>,
}

#[derive(Deserialize)]
struct PlaneViews {
    first: Vec<[f64; 2]>,
    second: Vec<[f64; 2]>,
    matrix: Rows,
    motions: Vec<Motion>,
}

#[derive(Deserialize)]
struct Motion {
    rotation: Rows,
    translation: [f64; 3],
    normal: [f64; 3],
}

#[derive(Deserialize)]
struct View {
    points: Vec<[f64; 3]>,
    pixels: Vec<[f64; 2]>,
    poses: Vec<ReferencePose>,
}

#[derive(Deserialize)]
struct ReferencePose {
    rotation: Rows,
    translation: [f64; 3],
}

#[derive(Deserialize)]
struct Alignment {
    source: Vec<[f64; 3]>,
    target: Vec<[f64; 3]>,
    rotation: Rows,
    translation: [f64; 3],
    scale: f64,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("fixtures/opencv_solvers.json")).expect("a valid fixture")
}

fn matrix(rows: &Rows) -> Matrix3<f64> {
    Matrix3::from_fn(|r, c| rows[r][c])
}

fn pose<A, B>(rotation: &Rows, translation: &[f64; 3]) -> Pose<A, B> {
    let rotation = Rotation3::from_matrix_unchecked(matrix(rotation));
    Pose::new(UnitQuaternion::from_rotation_matrix(&rotation), (*translation).into())
}

fn gap<A, B>(a: &Pose<A, B>, b: &Pose<A, B>) -> f64 {
    (a.inverse() * *b).log().norm()
}

impl Fixture {
    fn ray(&self, pixel: &[f64; 2]) -> Unit<Vector3<f64>> {
        let k = &self.k;
        let x = (pixel[0] - k[0][2]) / k[0][0];
        let y = (pixel[1] - k[1][2]) / k[1][1];
        Unit::new_normalize(Vector3::new(x, y, 1.0))
    }

    fn pairs(&self, first: &[[f64; 2]], second: &[[f64; 2]]) -> Vec<BearingPair> {
        let pair = |(a, b)| BearingPair { first: self.ray(a), second: self.ray(b) };
        first.iter().zip(second).map(pair).collect()
    }

    fn point_bearings(&self, view: &View) -> Vec<PointBearing> {
        let datum = |(point, pixel): (&[f64; 3], _)| PointBearing {
            point: Point3::from(*point),
            bearing: self.ray(pixel),
        };
        view.points.iter().zip(&view.pixels).map(datum).collect()
    }
}

fn pixel_pairs(views: &TwoViews) -> Vec<PixelPair> {
    let pair = |(a, b): (&[f64; 2], &[f64; 2])| PixelPair {
        first: Point2::from(*a),
        second: Point2::from(*b),
    };
    views.first.iter().zip(&views.second).map(pair).collect()
}

/// Each reference matrix is among ours, up to scale, and we have no others.
fn check_matrices(name: &str, ours: &[Matrix3<f64>], theirs: &[Rows], tolerance: f64) {
    let distance = |a: &Matrix3<f64>, b: &Matrix3<f64>| {
        let (a, b) = (a.normalize(), b.normalize());
        (a - b).norm().min((a + b).norm())
    };
    for reference in theirs {
        let nearest = ours.iter().map(|m| distance(m, &matrix(reference))).fold(f64::MAX, f64::min);
        assert!(nearest < tolerance, "{name}: OpenCV's solution is {nearest:e} from our nearest");
    }
    assert_eq!(ours.len(), theirs.len(), "{name}: number of solutions");
}

#[test]
fn five_point_has_the_same_solutions() {
    let fixture = fixture();
    for case in &fixture.five_point {
        let pairs = fixture.pairs(&case.first, &case.second).try_into().expect("five");
        check_matrices("five_point", &five_point(&pairs).unwrap(), &case.matrices, 1e-6);
    }
}

#[test]
fn fundamental_matrices_are_the_same() {
    let fixture = fixture();
    for case in &fixture.seven_point {
        let pairs = pixel_pairs(case).try_into().expect("seven");
        check_matrices("seven_point", &seven_point(&pairs).unwrap(), &case.matrices, 1e-6);
    }
    for case in &fixture.eight_point {
        let found = eight_point(&pixel_pairs(case)).unwrap();
        check_matrices("eight_point", &[found], &case.matrices, 1e-8);
    }
}

#[test]
fn homographies_and_their_motions_are_the_same() {
    let fixture = fixture();
    let k = matrix(&fixture.k);
    for case in &fixture.homography {
        let pairs = fixture.pairs(&case.first, &case.second);
        let found = homography(&pairs).unwrap();
        let in_pixels = k * found.second_from_first * k.try_inverse().unwrap();
        check_matrices("homography", &[in_pixels], &[case.matrix], 1e-8);
        let calibrated = k.try_inverse().unwrap() * matrix(&case.matrix) * k;
        let theirs = Homography::new(&calibrated).unwrap();
        for ours in theirs.decompose(&pairs).unwrap() {
            let distance = |m: &Motion| {
                let theirs: Pose<Camera, Camera> = pose(&m.rotation, &m.translation);
                gap(&theirs, &ours.second_from_first)
                    + (Vector3::from(m.normal) - ours.normal.expect("a plane").into_inner()).norm()
            };
            let nearest = case.motions.iter().map(distance).fold(f64::MAX, f64::min);
            assert!(nearest < 1e-6, "our motion is {nearest:e} from OpenCV's nearest");
        }
    }
}

#[test]
fn p3p_has_the_same_solutions() {
    let fixture = fixture();
    for case in &fixture.p3p {
        let data = fixture.point_bearings(case).try_into().expect("three");
        let ours: Vec<Pose<Camera, World>> = p3p(&data).unwrap();
        for reference in &case.poses {
            let theirs = pose(&reference.rotation, &reference.translation);
            let nearest = ours.iter().map(|o| gap(o, &theirs)).fold(f64::MAX, f64::min);
            assert!(nearest < 1e-6, "OpenCV's pose is {nearest:e} from our nearest");
        }
        assert_eq!(ours.len(), case.poses.len());
    }
}

/// OpenCV minimises pixels, we minimise angles: the difference is a fraction of the noise.
#[test]
fn refined_poses_agree_within_the_noise() {
    let fixture = fixture();
    for case in &fixture.pnp {
        let theirs: Pose<Camera, World> = pose(&case.poses[0].rotation, &case.poses[0].translation);
        let observations: Vec<RigObservation<Camera>> = fixture
            .point_bearings(case)
            .iter()
            .map(|d| RigObservation::new(d.point, d.bearing, Pose::identity()))
            .collect();
        let config = PoseRefinementConfig::default();
        let ours = refine_pose(&theirs.inverse(), &observations, &config).unwrap();
        let step = (theirs * ours.world_from_body).log();
        let sigma_rad = 0.5 / 700.0;
        // Standard deviations along each direction of the pose's own uncertainty.
        let deviations = step.dot(&(ours.normal_matrix * step)).sqrt() / sigma_rad;
        assert!(ours.converged && deviations < 1.0, "{deviations} standard deviations");
    }
}

#[test]
fn similarity_is_the_same() {
    for case in &fixture().similarity {
        let points = |p: &[[f64; 3]]| p.iter().map(|p| Point3::from(*p)).collect::<Vec<_>>();
        let ours: Similarity<World, Ego> =
            umeyama(&points(&case.target), &points(&case.source), None, ScaleMode::Estimated)
                .unwrap();
        assert!((ours.scale - case.scale).abs() < 1e-9);
        assert!(gap(&ours.rigid, &pose(&case.rotation, &case.translation)) < 1e-9);
    }
}
