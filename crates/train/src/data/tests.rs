//! Pictures and vector space stay one world through every change.

use nalgebra::{Point3, UnitQuaternion, Vector3};
use ommatidia_geometry::camera::{BrownConrady, KannalaBrandt, Mei, Pinhole};
use ommatidia_geometry::{CameraModel, Ego, Intrinsics, Pose, World};
use ommatidia_scene::{
    CameraSensor, ClassId, GridSpec, Keypoint, Lane, LaneGraph, Object, Occupancy, RgbImage, Rig,
    Shutter, VectorSpace, VoxelFlow,
};
use proptest::prelude::*;

use super::space::Turn;
use super::view::View;

fn pinhole() -> Pinhole {
    Pinhole { fx: 300.0, fy: 310.0, cx: 322.0, cy: 239.0 }
}

fn models() -> [Intrinsics; 4] {
    [
        pinhole().into(),
        BrownConrady::new(pinhole(), [-0.2, 0.05, 0.002, -0.003, 0.01]).into(),
        KannalaBrandt::new(pinhole(), [0.01, -0.002, 0.001, 0.0]).into(),
        Mei::new(pinhole(), [0.9, -0.1, 0.02, 0.001, 0.002]).into(),
    ]
}

fn pose(angles: [f64; 3], at: [f64; 3]) -> Pose<Ego, ommatidia_geometry::Camera> {
    let forward = UnitQuaternion::from_euler_angles(-1.57, 0.0, -1.57);
    let turn = UnitQuaternion::from_euler_angles(angles[0], angles[1], angles[2]);
    Pose::new(turn * forward, Vector3::from(at))
}

fn camera(intrinsics: Intrinsics, angles: [f64; 3]) -> CameraSensor {
    CameraSensor {
        name: "front".to_owned(),
        width: 640,
        height: 480,
        intrinsics,
        ego_from_camera: pose(angles, [1.5, 0.4, 1.6]),
        shutter: Shutter::Global,
    }
}

fn object(p: Vector3<f64>, turned: &Turn) -> Point3<f64> {
    // An object at the point, and where it is afterwards.
    let object = Object {
        track: None,
        class: ClassId(1),
        ego_from_object: Pose::new(UnitQuaternion::identity(), p),
        size_m: [1.0; 3],
        velocity_m_s: None,
        keypoints: Vec::new(),
        confidence: 1.0,
        lidar_points: None,
    };
    let space = VectorSpace { objects: Some(vec![object]), ..VectorSpace::default() };
    Point3::from(turned.space(space).objects.unwrap()[0].ego_from_object.translation)
}

proptest! {
    #[test]
    fn cameras_see_changed_things_where_the_changed_picture_shows_them(
        model in 0_usize..4,
        angles in prop::array::uniform3(-0.5_f64..0.5),
        p in (4.0_f64..40.0, -10.0_f64..10.0, -1.0_f64..5.0),
        yaw_rad in -3.0_f64..3.0,
        mirror: bool,
        scale in prop::array::uniform2(0.3_f64..2.0),
        offset_px in prop::array::uniform2(-200.0_f64..200.0),
    ) {
        let old = camera(models()[model], angles);
        let turn = Turn { yaw_rad, mirror };
        let view = View { scale, offset_px, mirror, size: [448, 256] };
        let p = Vector3::new(p.0, p.1, p.2);
        let Some(pixel) = old.intrinsics.project(&(old.ego_from_camera.inverse() * Point3::from(p)))
        else { return Ok(()) };
        let rig = turn.rig(&Rig { cameras: vec![old], ..Rig::default() });
        let new = view.camera(&rig.cameras[0]);
        let seen = new.intrinsics.project(&(new.ego_from_camera.inverse() * object(p, &turn)));
        let x = scale[0] * pixel.x + offset_px[0];
        let expected = [if mirror { 448.0 - x } else { x }, scale[1] * pixel.y + offset_px[1]];
        let seen = seen.expect("what was seen is seen");
        // Strongly distorted points can lie millions of pixels outside.
        let near = |seen: f64, expected: f64| (seen - expected).abs() < 1e-6 + 1e-9 * expected.abs();
        prop_assert!(near(seen.x, expected[0]) && near(seen.y, expected[1]), "{seen:?} {expected:?}");
    }

    #[test]
    fn what_stands_still_stands_still_in_the_changed_world(
        yaw_rad in -3.0_f64..3.0,
        mirror: bool,
        p in prop::array::uniform3(-20.0_f64..20.0),
        yaws in prop::array::uniform2(-3.0_f64..3.0),
        at in prop::array::uniform3(-50.0_f64..50.0),
    ) {
        let turn = Turn { yaw_rad, mirror };
        let world_from = |yaw: f64, at: Vector3<f64>| -> Pose<World, Ego> {
            Pose::new(UnitQuaternion::from_euler_angles(0.02, -0.03, yaw), at)
        };
        let (first, second) = (world_from(yaws[0], Vector3::zeros()), world_from(yaws[1], Vector3::from(at)));
        let p_in_first = Vector3::from(p);
        let p_in_second = (second.inverse() * (first * Point3::from(p_in_first))).coords;
        let (first, second) = (turn.world(&first), turn.world(&second));
        let seen = second.inverse() * (first * object(p_in_first, &turn));
        prop_assert!((seen - object(p_in_second, &turn)).norm() < 1e-9);
    }
}

/// A grid of which one voxel is occupied and moves to the left.
fn one_voxel(cell: [u32; 3]) -> (GridSpec, VectorSpace) {
    let grid = GridSpec { min_corner_m: [-8.0, -8.0, -1.0], voxel_m: 1.0, size: [16, 16, 3] };
    let mut occupancy = Occupancy::unobserved(grid);
    (0..grid.len()).for_each(|index| occupancy.observed.set(index, true));
    occupancy.occupied.set(grid.index([1, 1, 1]), true);
    occupancy.occupied.set(grid.index(cell), true);
    occupancy.classes = vec![ClassId(9), ClassId(4)];
    occupancy.flow = Some(vec![VoxelFlow { rank: 1, velocity_m_s: [0.0, 2.0, 0.0] }]);
    assert_eq!(occupancy.check(), Ok(()));
    (grid, VectorSpace { occupancy: Some(occupancy), ..VectorSpace::default() })
}

#[test]
fn voxels_turn_with_their_velocity() {
    let check = |turn: Turn, to: [u32; 3], velocity: [f32; 3]| {
        let (grid, space) = one_voxel([12, 10, 2]);
        let turned = turn.space(space).occupancy.unwrap();
        assert_eq!(turned.check(), Ok(()));
        assert!(turned.occupied.get(grid.index(to)), "{turn:?}");
        let before = (0..grid.index(to)).filter(|&index| turned.occupied.get(index)).count();
        assert_eq!(turned.classes[before], ClassId(4));
        let flow = turned.flow.unwrap();
        assert_eq!((flow.len(), flow[0].rank as usize), (1, before));
        let error = (0..3).map(|axis| (flow[0].velocity_m_s[axis] - velocity[axis]).abs());
        assert!(error.fold(0.0, f32::max) < 1e-5, "{flow:?}");
    };
    let quarter = std::f64::consts::FRAC_PI_2;
    check(Turn { yaw_rad: 0.0, mirror: true }, [12, 5, 2], [0.0, -2.0, 0.0]);
    check(Turn { yaw_rad: quarter, mirror: false }, [5, 12, 2], [-2.0, 0.0, 0.0]);
    check(Turn { yaw_rad: quarter, mirror: true }, [10, 12, 2], [2.0, 0.0, 0.0]);
}

#[test]
fn mirrored_people_and_lanes_change_sides() {
    let keypoint = |y: f32| Keypoint { p_in_ego_m: [5.0, y, 1.0], confidence: 1.0 };
    let mut person = Object {
        track: None,
        class: ClassId(27),
        ego_from_object: Pose::identity(),
        size_m: [1.0; 3],
        velocity_m_s: Some([1.0, 2.0, 0.0]),
        keypoints: (0..17).map(|i| keypoint(i as f32)).collect(),
        confidence: 1.0,
        lidar_points: None,
    };
    person.ego_from_object.translation = Vector3::new(5.0, 1.0, 0.0);
    let lane = Lane { left_neighbour: Some(1), right_neighbour: Some(2), ..Lane::default() };
    let space = VectorSpace {
        objects: Some(vec![person]),
        lanes: Some(LaneGraph { lanes: vec![lane], crossings: Vec::new() }),
        ..VectorSpace::default()
    };
    let mirrored = Turn { yaw_rad: 0.0, mirror: true }.space(space);
    let person = &mirrored.objects.unwrap()[0];
    assert_eq!(person.velocity_m_s, Some([1.0, -2.0, 0.0]));
    // Where the left shoulder was drawn, mirrored, the right one is now: 5 and 6.
    assert_eq!(person.keypoints[6].p_in_ego_m, [5.0, -5.0, 1.0]);
    assert_eq!(person.keypoints[0].p_in_ego_m, [5.0, 0.0, 1.0]);
    let lane = &mirrored.lanes.unwrap().lanes[0];
    assert_eq!((lane.left_neighbour, lane.right_neighbour), (Some(2), Some(1)));
}

#[test]
fn pictures_and_classes_are_cut_alike() {
    // Columns of a colour each, and a class for each colour.
    let (width, height) = (40, 20);
    let column = |x: usize| (x / 10 * 60) as u8;
    let pixels = (0..height).flat_map(|_| (0..width).flat_map(|x| [column(x); 3]));
    let picture = RgbImage::new(width, height, pixels.collect());
    let classes: Vec<u8> = (0..height).flat_map(|_| (0..width).map(column)).collect();
    for mirror in [false, true] {
        for (zoom, offset) in
            [(1.0, [0.0, 0.0]), (2.0, [-30.0, -7.0]), (0.5, [6.0, 3.0]), (1.5, [-5.0, 0.0])]
        {
            let view = View { scale: [zoom; 2], offset_px: offset, mirror, size: [40, 20] };
            let shown = view.picture(&picture);
            let labelled = view.nearest(&classes, [width, height], 255);
            let differ = |(pixel, &class): (&[u8; 3], &u8)| match class {
                255 => *pixel != [124, 116, 104],
                class => pixel[0].abs_diff(class) > 2,
            };
            let wrong =
                shown.data.as_chunks::<3>().0.iter().zip(&labelled).filter(|pair| differ(*pair));
            // Only where the filter mixes two columns.
            let share = wrong.count() as f64 / labelled.len() as f64;
            assert!(share < 0.25, "{view:?}: {share}");
            assert_eq!(labelled.contains(&255), zoom < 1.0);
        }
    }
}

#[test]
fn rigs_of_other_numbers_of_cameras_are_named() {
    let mut cameras = super::SameCameras::default();
    let mut add = |name: &str, count: usize| cameras.add(std::path::Path::new(name), count);
    add("a.mcap", 6).unwrap();
    add("b.mcap", 6).unwrap();
    let error = add("c.mcap", 1).unwrap_err().to_string();
    assert!(error.contains("c.mcap: is of 1 cameras, and a.mcap of 6"), "{error}");
}
