use std::f64::consts::PI;

use nalgebra::Vector6;
use proptest::prelude::*;

use super::*;
use crate::{Camera, Ego, World};

fn tangents() -> impl Strategy<Value = Vector6<f64>> {
    let direction = prop::array::uniform3(-1.0..1.0f64)
        .prop_filter("an axis", |a| Vector3::from(*a).norm() > 1e-3);
    let angle = prop_oneof![
        0.0..PI - 1e-3,
        (-12.0..-2.0f64).prop_map(|power| 10f64.powf(power)),
        Just(0.0),
        Just(PI - 1e-6),
    ];
    (prop::array::uniform3(-50.0..50.0f64), direction, angle).prop_map(|(rho, axis, angle)| {
        let phi = Vector3::from(axis).normalize() * angle;
        Vector6::new(rho[0], rho[1], rho[2], phi.x, phi.y, phi.z)
    })
}

fn poses<A: 'static, B: 'static>() -> impl Strategy<Value = Pose<A, B>> {
    tangents().prop_map(|tangent| Pose::exp(&tangent))
}

/// The matrices differ by no more than rounding at this scale.
fn same<A, B>(a: &Pose<A, B>, b: &Pose<A, B>) -> bool {
    (a.to_matrix() - b.to_matrix()).norm() < 1e-9
}

proptest! {
    #[test]
    fn poses_form_a_group(
        a in poses::<World, Ego>(), b in poses::<Ego, Camera>(), c in poses::<Camera, Ego>(),
    ) {
        prop_assert!(same(&((a * b) * c), &(a * (b * c))));
        prop_assert!(same(&(a * a.inverse()), &Pose::identity()));
        prop_assert!(same(&(a * Pose::identity()), &a));
        prop_assert!(same(&(a * b).inverse(), &(b.inverse() * a.inverse())));
    }

    #[test]
    fn points_move_as_the_matrix_says(
        a in poses::<World, Ego>(), p in prop::array::uniform3(-50.0..50.0f64),
    ) {
        let p = Point3::from(p);
        let expected = a.to_matrix() * p.to_homogeneous();
        prop_assert!(((a * p).to_homogeneous() - expected).norm() < 1e-10);
        prop_assert!((a.rotate(&p.coords) - a.rotation_matrix() * p.coords).norm() < 1e-10);
    }

    #[test]
    fn log_inverts_exp(tangent in tangents()) {
        let back = Pose::<World, Ego>::exp(&tangent).log();
        prop_assert!((back - tangent).norm() < 1e-8, "{} {}", back, tangent);
    }

    #[test]
    fn exp_inverts_log(a in poses::<World, Ego>()) {
        prop_assert!(same(&Pose::exp(&a.log()), &a));
    }

    #[test]
    fn the_adjoint_moves_a_step_to_the_other_side(a in poses::<World, World>(), d in tangents()) {
        let right = a * Pose::<World, World>::exp(&d);
        let left = Pose::<World, World>::exp(&(a.adjoint() * d)) * a;
        prop_assert!((right.to_matrix() - left.to_matrix()).norm() < 1e-7);
    }

    #[test]
    fn interpolation_meets_both_ends_and_is_even(
        a in poses::<World, Ego>(), way in tangents(), share in 0.0..1.0f64,
    ) {
        // Short of half a turn, where the way is not unique.
        let b = a.retract(&(way * 0.99));
        prop_assert!(same(&a.interpolate(&b, 0.0), &a));
        prop_assert!(same(&a.interpolate(&b, 1.0), &b));
        let (early, late) = (a.interpolate(&b, 0.5 * share), a.interpolate(&b, share));
        prop_assert!(same(&a.interpolate(&late, 0.5), &early));
    }

    #[test]
    fn retract_is_composition_with_exp(a in poses::<World, Ego>(), d in tangents()) {
        prop_assert!(same(&a.retract(&d), &(a * Pose::exp(&d))));
        prop_assert!((a.retract(&d).rotation.norm() - 1.0).abs() < 1e-15);
    }

    #[test]
    fn matrices_and_quaternions_are_read_back(a in poses::<World, Ego>()) {
        let m = a.to_matrix();
        let rows: Vec<f64> = m.row_iter().flat_map(|row| row.iter().copied().collect::<Vec<_>>()).collect();
        prop_assert!(same(&Pose::from_row_major(&rows).unwrap(), &a));
        prop_assert!(same(&Pose::from_row_major(&rows[..12]).unwrap(), &a));
        let q = a.rotation;
        let wxyz = [q.w, q.i, q.j, q.k].map(|x| -2.0 * x);
        prop_assert!(same(&Pose::from_wxyz(wxyz, a.translation.into()).unwrap(), &a));
    }
}

#[test]
fn what_is_no_rigid_transform_is_refused() {
    let identity = [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0];
    let check = |index: usize, value: f64| {
        let mut matrix = identity;
        matrix[index] = value;
        assert_eq!(Pose::<World, Ego>::from_row_major(&matrix), None, "{index} {value}");
    };
    check(0, f64::NAN);
    check(3, f64::INFINITY);
    check(0, -1.0);
    check(5, 1.5);
    assert_eq!(Pose::<World, Ego>::from_row_major(&identity[..11]), None);
    assert_eq!(Pose::<World, Ego>::from_wxyz([0.0; 4], [0.0; 3]), None);
    assert_eq!(Pose::<World, Ego>::from_wxyz([1.0, 0.0, 0.0, f64::NAN], [0.0; 3]), None);
    assert_eq!(Pose::<World, Ego>::from_wxyz([1.0, 0.0, 0.0, 0.0], [f64::NAN, 0.0, 0.0]), None);
}
