//! Projections and unprojections a second of each camera model, one thread.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use nalgebra::{Point2, Point3};
use ommatidia_geometry::camera::{
    BrownConrady, DoubleSphere, KannalaBrandt, Mei, Pinhole, Rational,
};
use ommatidia_geometry::{CameraModel, Intrinsics};

const POINTS: usize = 4096;
const PINHOLE: Pinhole = Pinhole { fx: 718.0, fy: 715.0, cx: 607.2, cy: 185.2 };
const NAMES: [&str; 6] =
    ["pinhole", "brown_conrady", "rational", "kannala_brandt", "mei", "double_sphere"];

fn main() {
    divan::main();
}

fn model(name: &str) -> Intrinsics {
    match name {
        "pinhole" => PINHOLE.into(),
        "brown_conrady" => {
            BrownConrady::new(PINHOLE, [-0.3728, 0.2037, 0.0022, 0.00138, -0.0723]).into()
        }
        "rational" => Rational::new(PINHOLE, [5.5, 3.1, 1e-4, -2e-4, 0.17, 5.9, 4.7, 0.9]).into(),
        "kannala_brandt" => KannalaBrandt::new(PINHOLE, [-0.0147, -0.0036, 0.0009, -0.0004]).into(),
        "mei" => Mei::new(PINHOLE, [0.9, -0.17, 0.02, 1e-3, -5e-4]).into(),
        "double_sphere" => DoubleSphere::new(PINHOLE, [-0.2, 0.58]).into(),
        other => unreachable!("no model is named {other}"),
    }
}

/// A spiral over the field up to a tangent of 0.7, at depths of 2 m to 52 m.
fn points() -> Vec<Point3<f64>> {
    let spiral = |i: usize| {
        let share = i as f64 / POINTS as f64;
        let (sin, cos) = (2.4 * i as f64).sin_cos();
        let (radius, depth) = (0.7 * share.sqrt(), 2.0 + 50.0 * share);
        Point3::new(radius * cos * depth, radius * sin * depth, depth)
    };
    (0..POINTS).map(spiral).collect()
}

#[divan::bench(args = NAMES)]
fn project(bencher: Bencher<'_, '_>, name: &str) {
    let (model, points) = (model(name), points());
    bencher.counter(ItemsCount::new(POINTS)).bench(|| {
        points.iter().filter_map(|p| model.project(black_box(p))).map(|uv| uv.x).sum::<f64>()
    });
}

#[divan::bench(args = NAMES)]
fn project_with_jacobian(bencher: Bencher<'_, '_>, name: &str) {
    let (model, points) = (model(name), points());
    bencher.counter(ItemsCount::new(POINTS)).bench(|| {
        let derivatives = points.iter().filter_map(|p| model.project_with_jacobian(black_box(p)));
        derivatives.map(|(uv, by_point)| uv.x + by_point.sum()).sum::<f64>()
    });
}

#[divan::bench(args = NAMES)]
fn unproject(bencher: Bencher<'_, '_>, name: &str) {
    let model = model(name);
    let pixels: Vec<Point2<f64>> = points().iter().filter_map(|p| model.project(p)).collect();
    assert_eq!(pixels.len(), POINTS, "every point is inside the model's domain");
    bencher.counter(ItemsCount::new(POINTS)).bench(|| {
        pixels.iter().filter_map(|uv| model.unproject(black_box(uv))).map(|ray| ray.x).sum::<f64>()
    });
}
