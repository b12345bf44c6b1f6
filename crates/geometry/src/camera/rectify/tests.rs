use proptest::prelude::*;

use super::*;
use crate::Ego;
use crate::camera::{BrownConrady, KannalaBrandt};

const PINHOLE: Pinhole = Pinhole { fx: 700.0, fy: 700.0, cx: 610.0, cy: 180.0 };

fn view(intrinsics: impl Into<Intrinsics>, centre: [f64; 3], angles: [f64; 3]) -> StereoView<Ego> {
    let rotation = UnitQuaternion::from_euler_angles(angles[0], angles[1], angles[2]);
    StereoView {
        intrinsics: intrinsics.into(),
        width: 1240,
        height: 376,
        rig_from_camera: Pose::new(rotation, centre.into()),
    }
}

#[test]
fn a_rectified_pair_stays_as_it_is() {
    let (first, second) =
        (view(PINHOLE, [0.0; 3], [0.0; 3]), view(PINHOLE, [0.54, 0.0, 0.0], [0.0; 3]));
    let rectification = rectify(&first, &second).unwrap();
    let Pinhole { fx, fy, cx, cy } = rectification.pinhole;
    for (found, expected) in [(fx, 700.0), (fy, 700.0), (cx, 610.0), (cy, 180.0)] {
        assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    }
    assert!((rectification.baseline_m - 0.54).abs() < 1e-12);
    let map = rectification.second_map(&second);
    assert!(map.is_identity(1e-3));
    assert_eq!(map.coverage(), 1.0);
}

#[test]
fn each_pair_that_cannot_be_rectified_has_its_reason() {
    let check = |second: StereoView<Ego>, expected: &str| {
        let error = rectify(&view(PINHOLE, [0.0; 3], [0.0; 3]), &second).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(view(PINHOLE, [0.1, 0.0, 1.0], [0.0; 3]), "from the viewing direction");
    check(view(PINHOLE, [0.0; 3], [0.0; 3]), "apart");
    check(view(PINHOLE, [1.0, 0.0, 0.0], [0.0, 3.0, 0.0]), "from the common one");
    check(view(PINHOLE, [-1.0, 0.0, 0.0], [0.0; 3]), "swap");
    check(view(Pinhole { fx: 0.0, ..PINHOLE }, [1.0, 0.0, 0.0], [0.0; 3]), "calibration");
    check(view(PINHOLE, [f64::NAN, 0.0, 0.0], [0.0; 3]), "calibration");
}

#[test]
fn a_map_has_no_source_outside_the_source_image() {
    let wide = Pinhole { fx: 350.0, fy: 350.0, ..PINHOLE };
    let source: Intrinsics = PINHOLE.into();
    let map = SourceMap::new(
        &wide,
        [1240, 376],
        &source,
        [1240, 376],
        &Pose::<Rectified, Camera>::identity(),
    );
    assert!((map.coverage() - 0.25).abs() < 0.01, "{}", map.coverage());
    assert!(map.source_px[0][0].is_nan());
    assert!(!map.is_identity(1e-3));
}

proptest! {
    #[test]
    fn a_point_has_one_row_and_its_disparity_gives_its_depth(
        angles in prop::array::uniform6(-0.1..0.1f64),
        offset in prop::array::uniform2(-0.1..0.1f64),
        p in (-3.0..3.0f64, -1.0..1.0f64, 6.0..40.0f64),
        fisheye in prop::bool::ANY,
    ) {
        let first_model: Intrinsics = if fisheye {
            KannalaBrandt::new(PINHOLE, [-0.01, 0.003, 0.0, 0.0]).into()
        } else {
            BrownConrady::new(PINHOLE, [-0.2, 0.05, 1e-3, -1e-3, 0.0]).into()
        };
        let [a, b, c, d, e, f] = angles;
        let first = view(first_model, [0.3, 0.2, 0.1], [a, b, c]);
        let second = view(PINHOLE, [0.8, 0.2 + offset[0], 0.1 + offset[1]], [d, e, f]);
        let r = rectify(&first, &second).unwrap();
        let p_in_rig = Point3::new(p.0, p.1, p.2);
        let virtual_pixel = |view: &StereoView<Ego>, rectified_from_camera: &Pose<Rectified, Camera>| {
            let p_in_camera = view.rig_from_camera.inverse() * p_in_rig;
            let p_in_rectified = *rectified_from_camera * p_in_camera;
            (r.pinhole.project(&p_in_rectified).unwrap(), p_in_rectified.z)
        };
        let (left, depth) = virtual_pixel(&first, &r.rectified_from_first);
        let (right, _) = virtual_pixel(&second, &r.rectified_from_second);
        prop_assert!((left.y - right.y).abs() < 1e-9);
        let found = r.pinhole.fx * r.baseline_m / (left.x - right.x);
        prop_assert!((found - depth).abs() < 1e-6 * depth, "{} is not {}", found, depth);
    }

    #[test]
    fn the_map_leads_to_where_the_source_sees_the_ray(x in 0u32..1240, y in 0u32..376) {
        let source: Intrinsics = BrownConrady::new(PINHOLE, [-0.3, 0.1, 1e-3, 0.0, 0.0]).into();
        let turned = Pose::<Rectified, Camera>::new(
            UnitQuaternion::from_euler_angles(0.02, -0.03, 0.01),
            Vector3::zeros(),
        );
        let map = SourceMap::new(&PINHOLE, [1240, 376], &source, [1240, 376], &turned);
        let [u, v] = map.source_px[(y * 1240 + x) as usize].map(f64::from);
        prop_assume!(u.is_finite());
        let ray = turned.rotate(&source.unproject(&Point2::new(u, v)).unwrap());
        let back = PINHOLE.project(&Point3::from(ray)).unwrap();
        let expected = Point2::new(f64::from(x) + 0.5, f64::from(y) + 0.5);
        prop_assert!((back - expected).norm() < 1e-3);
    }
}
