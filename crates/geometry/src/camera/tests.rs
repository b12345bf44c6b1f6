//! Every model of the enum, walked by the same tests.

use nalgebra::{Matrix2, Matrix2x3, Point2, Point3, Vector3};
use proptest::prelude::*;

use super::{
    BrownConrady, CameraModel, DoubleSphere, Intrinsics, KannalaBrandt, Mei, Pinhole, Rational,
};

fn examples() -> Vec<Intrinsics> {
    let pinhole = Pinhole { fx: 718.0, fy: 715.0, cx: 607.2, cy: 185.2 };
    let wide = Pinhole { fx: 305.0, fy: 304.0, cx: 480.3, cy: 318.8 };
    vec![
        pinhole.into(),
        BrownConrady::new(pinhole, [-0.3728, 0.2037, 0.0022, 0.00138, -0.0723]).into(),
        BrownConrady::new(pinhole, [0.08, 0.02, -0.001, 0.002, 0.004]).into(),
        Rational::new(pinhole, [5.5, 3.1, 1e-4, -2e-4, 0.17, 5.9, 4.7, 0.9]).into(),
        Rational::new(pinhole, [-0.2, 0.05, 1e-3, 2e-3, 0.01, 0.1, -0.02, 0.0]).into(),
        KannalaBrandt::new(wide, [-0.0147, -0.0036, 0.0009, -0.0004]).into(),
        KannalaBrandt::new(wide, [0.05, 0.01, 0.002, 0.0003]).into(),
        Mei::new(wide, [0.9, -0.17, 0.02, 1e-3, -5e-4]).into(),
        Mei::new(wide, [1.6, -0.1, 0.01, 0.0, 0.0]).into(),
        Mei::new(wide, [0.0, 0.0, 0.0, 0.0, 0.0]).into(),
        DoubleSphere::new(wide, [-0.2, 0.58]).into(),
        DoubleSphere::new(wide, [0.3, 0.4]).into(),
    ]
}

/// The variants' names, as serde reports them.
fn variant_names() -> Vec<String> {
    let error = serde_json::from_str::<Intrinsics>(r#"{"model": "?"}"#).unwrap_err().to_string();
    error.split('`').skip(3).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_variant_has_an_example_and_survives_being_written() {
    let mut seen = Vec::new();
    for model in examples() {
        let written = serde_json::to_value(model).unwrap();
        seen.push(written["model"].as_str().unwrap().to_owned());
        assert_eq!(serde_json::from_value::<Intrinsics>(written).unwrap(), model);
        assert_eq!(model.with_parameters(&model.parameters()), model);
    }
    seen.dedup();
    assert_eq!(seen, variant_names());
}

#[test]
fn written_models_reject_unknown_keys_and_name_missing_ones() {
    let check = |written: &str, expected: &str| {
        let error = serde_json::from_str::<Intrinsics>(written).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(
        r#"{"model": "double_sphere", "fx": 1, "fy": 1, "cx": 0, "cy": 0, "xi": 0}"#,
        "missing field `alpha`",
    );
    check(
        r#"{"model": "kannala_brandt", "fx": 1, "fy": 1, "cx": 0, "cy": 0, "k1": 0, "k2": 0, "k3": 0, "k4": 0, "k5": 0}"#,
        "unknown field `k5`",
    );
}

#[test]
fn the_optical_axis_lands_on_the_principal_point() {
    for model in examples() {
        let (cx, cy) = model.principal_point_px();
        let pixel = model.project(&Point3::new(0.0, 0.0, 3.0)).unwrap();
        assert!((pixel - Point2::new(cx, cy)).norm() < 1e-12, "{model:?}");
        assert_eq!(model.unproject(&Point2::new(cx, cy)).unwrap(), Vector3::z_axis());
    }
}

#[test]
fn what_is_not_a_number_or_not_a_direction_is_outside_the_domain() {
    for model in examples() {
        for p in [[f64::NAN, 0.0, 1.0], [0.0, f64::NAN, 1.0], [0.0, 0.0, f64::NAN], [0.0; 3]] {
            assert_eq!(model.project(&p.into()), None, "{model:?} {p:?}");
            assert!(model.project_with_jacobian(&p.into()).is_none());
        }
        for pixel in [[f64::NAN, 0.0], [0.0, f64::NAN], [f64::INFINITY, 0.0]] {
            assert_eq!(model.unproject(&pixel.into()), None, "{model:?} {pixel:?}");
        }
    }
}

/// Written by `bench/reference/opencv_cameras.py`.
#[derive(serde::Deserialize)]
struct Reference {
    opencv: String,
    cases: Vec<ReferenceCase>,
}

#[derive(serde::Deserialize)]
struct ReferenceCase {
    intrinsics: Intrinsics,
    points_m: Vec<[f64; 3]>,
    pixels: Vec<[f64; 2]>,
}

#[test]
fn projections_agree_with_opencv() {
    let written = include_str!("../../tests/fixtures/opencv_cameras.json");
    let Reference { opencv, cases } = serde_json::from_str(written).unwrap();
    assert_eq!(cases.len(), 6);
    for ReferenceCase { intrinsics, points_m, pixels } in cases {
        assert_eq!(points_m.len(), pixels.len());
        for (point, expected) in points_m.iter().zip(pixels) {
            let found = intrinsics.project(&Point3::from(*point)).unwrap();
            let off = (found - Point2::from(expected)).norm();
            assert!(off < 1e-8, "{intrinsics:?} is {off} px from OpenCV {opencv} at {point:?}");
        }
    }
}

#[test]
fn points_far_outside_do_not_fold_back_into_the_image() {
    // A barrel distortion turns around where 1 + 3 k1 r^2 = 0; OpenCV puts r = 1.83 on the axis.
    let barrel = BrownConrady::new(
        Pinhole { fx: 700.0, fy: 700.0, cx: 600.0, cy: 200.0 },
        [-0.3, 0.0, 0.0, 0.0, 0.0],
    );
    let rim = (1.0f64 / 0.9).sqrt();
    for (tangent, inside) in [(0.99 * rim, true), (1.01 * rim, false), (1.83, false), (50.0, false)]
    {
        let seen = barrel.project(&Point3::new(tangent, 0.0, 1.0));
        assert_eq!(seen.is_some(), inside, "{tangent}");
    }
    // With k2 the radius grows again beyond the fold, which must not open the domain anew.
    let folded = barrel.with_parameters(&[700.0, 700.0, 600.0, 200.0, -0.5, 0.06, 0.0, 0.0, 0.0]);
    assert!(folded.project(&Point3::new(0.9, 0.0, 1.0)).is_none());
    assert!(folded.project(&Point3::new(3.0, 0.0, 1.0)).is_none());
}

#[test]
fn fisheyes_see_behind_their_plane_up_to_their_rim() {
    let wide = Pinhole { fx: 305.0, fy: 304.0, cx: 480.3, cy: 318.8 };
    let check = |model: Intrinsics, rim_deg: f64| {
        for (angle_deg, inside) in [(rim_deg - 0.01, true), (rim_deg + 0.01, false)] {
            let (sin, cos) = angle_deg.to_radians().sin_cos();
            let seen = model.project(&Point3::new(0.6 * sin, 0.8 * sin, cos));
            assert_eq!(seen.is_some(), inside, "{model:?} at {angle_deg}");
        }
    };
    // 1 + 3 k1 t^2 = 0 at t = 2 rad.
    check(KannalaBrandt::new(wide, [-1.0 / 12.0, 0.0, 0.0, 0.0]).into(), 2f64.to_degrees());
    // cos t = -1 / xi, before it the plane is finite.
    check(Mei::new(wide, [2.0, 0.0, 0.0, 0.0, 0.0]).into(), 120.0);
    // With xi = 0, cos t = -w1 = -1/3; with xi = -0.2 and w1 = 0.42 / 0.58, by hand, -0.622092.
    check(DoubleSphere::new(wide, [0.0, 0.75]).into(), (-1.0f64 / 3.0).acos().to_degrees());
    check(DoubleSphere::new(wide, [-0.2, 0.58]).into(), (-0.622_092f64).acos().to_degrees());
}

/// Derivative of a vector-valued function along each coordinate by central differences.
fn difference<const N: usize>(
    at: [f64; N],
    step: f64,
    function: impl Fn([f64; N]) -> Option<Point2<f64>>,
) -> Option<Vec<[f64; 2]>> {
    (0..N)
        .map(|coordinate| {
            let (mut above, mut below) = (at, at);
            above[coordinate] += step;
            below[coordinate] -= step;
            let slope = (function(above)? - function(below)?) / (2.0 * step);
            Some([slope.x, slope.y])
        })
        .collect()
}

fn close(found: f64, expected: f64, tolerance: f64) -> bool {
    (found - expected).abs() <= tolerance * (1.0 + expected.abs())
}

/// Pixels per radian in the direction that is magnified least.
fn least_magnification(by_point: &Matrix2x3<f64>, p: &Point3<f64>) -> f64 {
    let across: Matrix2<f64> = by_point * by_point.transpose() * p.coords.norm_squared();
    across.symmetric_eigenvalues().min().max(0.0).sqrt()
}

fn directions() -> impl Strategy<Value = Point3<f64>> {
    (0.0..std::f64::consts::PI, -3.2..3.2f64, -1.0..2.0f64).prop_map(|(angle, around, scale)| {
        let (sin, cos) = angle.sin_cos();
        Point3::new(sin * around.cos(), sin * around.sin(), cos) * 10f64.powf(scale)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn unprojection_inverts_projection_over_the_domain(p in directions()) {
        for model in examples() {
            let Some((pixel, by_point)) = model.project_with_jacobian(&p) else { continue };
            prop_assert_eq!(model.project(&p), Some(pixel));
            let magnification = least_magnification(&by_point, &p);
            // On the rim of the domain a direction is not determined by its pixel.
            if magnification < 1e-2 {
                continue;
            }
            let ray = model.unproject(&pixel);
            prop_assert!(ray.is_some(), "{:?} has no ray for {}", model, pixel);
            let off = (ray.unwrap().into_inner() - p.coords.normalize()).norm();
            prop_assert!(off * magnification.min(1.0) < 1e-8, "{:?} is off by {}", model, off);
        }
    }

    #[test]
    fn projection_inverts_unprojection_in_the_image(x in 0.0..1242.0, y in 0.0..640.0) {
        let pixel = Point2::new(x, y);
        for model in examples() {
            let Some(ray) = model.unproject(&pixel) else { continue };
            let again = model.project(&Point3::from(ray.into_inner() * 7.0));
            prop_assert!(
                again.is_some_and(|again| (again - pixel).norm() < 1e-7),
                "{:?}: {} became {:?}", model, pixel, again
            );
        }
    }

    #[test]
    fn jacobians_agree_with_central_differences(p in directions()) {
        for model in examples() {
            let Some(all) = model.project_with_jacobians(&p) else { continue };
            let (pixel, by_point) = model.project_with_jacobian(&p).unwrap();
            prop_assert_eq!((pixel, by_point), (all.pixel, all.d_pixel_d_point));
            let distance = p.coords.norm();
            // Where pixels run away, differences are no reference.
            if by_point.norm() * distance > 1e4 {
                continue;
            }
            let Some(numeric) =
                difference([p.x, p.y, p.z], 1e-5 * distance, |q| model.project(&q.into()))
            else { continue };
            for (column, expected) in numeric.iter().enumerate() {
                for row in 0..2 {
                    let found = all.d_pixel_d_point[(row, column)] * distance;
                    prop_assert!(
                        close(found, expected[row] * distance, 1e-4),
                        "{:?} at {}: {} against {}", model, p, found, expected[row] * distance
                    );
                }
            }
        }
    }

    #[test]
    fn parameter_jacobians_agree_with_central_differences(p in directions()) {
        for model in examples() {
            let Some(all) = model.project_with_jacobians(&p) else { continue };
            if all.d_pixel_d_point.norm() * p.coords.norm() > 1e5 {
                continue;
            }
            let parameters = model.parameters();
            prop_assert_eq!(all.d_pixel_d_parameters.ncols(), parameters.len());
            for column in 0..parameters.len() {
                let moved = |to: [f64; 1]| {
                    let mut parameters = parameters.clone();
                    parameters[column] = to[0];
                    model.with_parameters(&parameters).project(&p)
                };
                let Some(numeric) = difference([parameters[column]], 1e-6, moved) else { continue };
                for row in 0..2 {
                    let found = all.d_pixel_d_parameters[(row, column)];
                    prop_assert!(
                        close(found, numeric[0][row], 1e-4),
                        "{:?} parameter {}: {} against {}", model, column, found, numeric[0][row]
                    );
                }
            }
        }
    }
}
