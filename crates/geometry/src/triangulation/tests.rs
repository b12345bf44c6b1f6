use nalgebra::UnitQuaternion;
use proptest::prelude::*;

use super::*;
use crate::World;

/// A camera at `origin` that looks at `target`, `error` (radians, about two axes across) off.
fn sighting(origin: [f64; 3], target: &Point3<f64>, error: [f64; 2]) -> Sighting<World> {
    let rotation = UnitQuaternion::from_euler_angles(0.1 * origin[0], -0.2, 0.05 * origin[1]);
    let world_from_camera = Pose::new(rotation, origin.into());
    let direction = world_from_camera.inverse() * *target;
    let straight = direction.coords.normalize();
    let first = straight.cross(&Vector3::new(0.3, 0.5, 0.8)).normalize();
    let second = straight.cross(&first);
    let bearing = Unit::new_normalize(straight + first * error[0] + second * error[1]);
    Sighting { world_from_camera, bearing }
}

proptest! {
    #[test]
    fn exact_rays_give_the_point(
        x in -20.0..20.0, y in -20.0..20.0, z in 3.0..40.0,
        count in 2usize..6, far in prop::bool::ANY,
    ) {
        let shift = if far { 5e4 } else { 0.0 };
        let point = Point3::new(x + shift, y - shift, z);
        let sightings: Vec<_> = (0..count)
            .map(|i| sighting([2.0 * i as f64 + shift, i as f64 - shift, -0.5 * i as f64], &point, [0.0; 2]))
            .collect();
        let config = TriangulationConfig { min_parallax_rad: 1e-3, ..Default::default() };
        let found = triangulate(&sightings, &config).unwrap();
        prop_assert!((found.point - point).norm() < 1e-6, "{} is not {}", found.point, point);
        prop_assert!(found.rms_error_rad < 1e-9);
    }

    #[test]
    fn residual_derivative_agrees_with_central_differences(
        x in -3.0..3.0, y in -3.0..3.0, z in 2.0..9.0,
    ) {
        let point = Point3::new(x, y, z);
        let view = View::new(&sighting([0.5, 0.2, -1.0], &Point3::new(1.0, -1.0, 5.0), [0.0; 2]));
        let (_, by_point) = view.residual(&point);
        for axis in 0..3 {
            let step = Vector3::ith(axis, 1e-5);
            let slope =
                (view.residual(&(point + step)).0 - view.residual(&(point - step)).0) / 2e-5;
            prop_assert!((slope - by_point.column(axis)).norm() < 1e-8);
        }
    }
}

#[test]
fn covariance_is_the_spread_of_the_estimates() {
    let point = Point3::new(1.0, 2.0, 15.0);
    let config = TriangulationConfig { sigma_rad: 1e-3, ..Default::default() };
    let origins = [[0.0, 0.0, 0.0], [1.0, 0.2, 0.0], [2.0, -0.1, 0.3]];
    // Twelve directions of unit variance per axis in place of random numbers: each view in turn.
    let step = config.sigma_rad * 3f64.sqrt();
    let mut spread = Matrix3::zeros();
    for view in 0..origins.len() {
        for error in [[step, 0.0], [-step, 0.0], [0.0, step], [0.0, -step]] {
            let sightings: Vec<_> = (0..origins.len())
                .map(|i| sighting(origins[i], &point, if i == view { error } else { [0.0; 2] }))
                .collect();
            let off = triangulate(&sightings, &config).unwrap().point - point;
            // Each of the 6 independent errors has variance sigma^2 = step^2 / 3; two signs each.
            spread += off * off.transpose() / 6.0;
        }
    }
    let exact: Vec<_> = origins.iter().map(|o| sighting(*o, &point, [0.0; 2])).collect();
    let stated = triangulate(&exact, &config).unwrap().covariance;
    assert!((spread - stated).norm() < 0.02 * stated.norm(), "{spread} {stated}");
}

#[test]
fn each_failure_has_its_reason() {
    let check = |sightings: &[Sighting<World>], expected: &str| {
        let failure =
            triangulate(sightings, &TriangulationConfig::default()).unwrap_err().to_string();
        assert!(failure.contains(expected), "{failure}");
    };
    let point = Point3::new(0.0, 0.0, 10.0);
    let (left, right) = ([0.0; 3], [1.0, 0.0, 0.0]);
    let first = sighting(left, &point, [0.0; 2]);
    check(&[first], "1 views given");
    let mut broken = first;
    broken.world_from_camera.translation.x = f64::NAN;
    check(&[first, broken], "view 1 has a number that is not finite");
    check(&[first, first], "needed");
    check(&[first, sighting(right, &Point3::new(1.0, 0.0, 10.0), [0.0; 2])], "apart");
    check(&[first, sighting(right, &Point3::new(3.0, 0.0, 10.0), [0.0; 2])], "behind view 0");
    let third = sighting([0.0, 1.0, 0.0], &point, [0.0, 0.2]);
    check(&[first, sighting(right, &point, [0.0; 2]), third], "misses the point");
}
