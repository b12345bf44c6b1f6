//! Truth agrees with itself.

use nalgebra::{Point2, Point3, Vector3};
use ommatidia_geometry::camera::{KannalaBrandt, Pinhole, ReadoutDirection, project_rolling};
use ommatidia_geometry::{Camera, CameraModel, Duration, Intrinsics, Pose, World};
use ommatidia_scene::{CameraSensor, GridSpec, LidarSensor, Occupancy, Rig, Shutter, SurfaceSpec};

use super::flow::world_from_camera;
use super::testing::{ARM, BODY, CAR, site};
use super::*;
use crate::drive::{Drive, DriveFrame, DriveOptions};
use crate::imaging::CameraImaging;
use crate::rig::{ego_from_forward_camera, ego_from_turned_camera};
use crate::site::Site;

const SIZE: [u32; 2] = [120, 72];

fn camera(name: &str, yaw_rad: f64, shutter: Shutter) -> CameraSensor {
    let pinhole = Pinhole { fx: 70.0, fy: 70.0, cx: 60.0, cy: 36.0 };
    CameraSensor {
        name: name.to_owned(),
        width: SIZE[0],
        height: SIZE[1],
        intrinsics: Intrinsics::Pinhole(pinhole),
        ego_from_camera: ego_from_turned_camera(Vector3::new(1.7, 0.2, 1.5), yaw_rad, 0.05),
        shutter,
    }
}

fn fisheye() -> CameraSensor {
    let pinhole = Pinhole { fx: 36.0, fy: 36.0, cx: 60.0, cy: 36.0 };
    let intrinsics = KannalaBrandt::new(pinhole, [-0.01, 0.003, -0.001, 0.0002]).into();
    let ego_from_camera = ego_from_forward_camera(Vector3::new(2.0, -0.3, 1.3));
    CameraSensor { intrinsics, ego_from_camera, ..camera("fisheye", 0.0, Shutter::Global) }
}

fn rolling(direction: ReadoutDirection) -> Shutter {
    Shutter::Rolling { readout_ns: Duration(30_000_000), direction }
}

fn grid() -> GridSpec {
    GridSpec { min_corner_m: [-10.0, -15.0, -1.0], voxel_m: 0.4, size: [90, 75, 20] }
}

fn options() -> DriveOptions {
    let spec = SurfaceSpec { min_corner_m: [-5.0; 2], cell_m: 0.5, size: [20, 20] };
    DriveOptions {
        frames: 3,
        grid: Some(grid()),
        surface: Some(spec),
        lidar: LidarOptions { beams: 16, columns: 180, ..LidarOptions::default() },
        ..DriveOptions::default()
    }
}

fn drive(cameras: Vec<CameraSensor>) -> Drive {
    let lidar = LidarSensor {
        name: "top".into(),
        ego_from_lidar: Pose::new(
            nalgebra::UnitQuaternion::identity(),
            Vector3::new(1.0, 0.0, 1.9),
        ),
    };
    Drive::new(site(), Rig { cameras, lidars: vec![lidar], imu: None }, options()).unwrap()
}

fn pair() -> Vec<CameraSensor> {
    vec![camera("ahead", 0.0, Shutter::Global), fisheye()]
}

/// Each pixel that meets something: its centre, its point in `World` from depth alone, its part.
fn points(
    drive: &Drive,
    camera: usize,
    frame: usize,
    world_from_camera: impl Fn(&Point2<f64>) -> Pose<World, Camera>,
) -> Vec<(usize, Point2<f64>, Point3<f64>, u32)> {
    let sensor = &drive.rig.cameras[camera];
    let filmed = &drive.film(frame)[camera];
    let mut points = Vec::new();
    for index in 0..filmed.parts.len() {
        let pixel = Point2::new(
            (index % SIZE[0] as usize) as f64 + 0.5,
            (index / SIZE[0] as usize) as f64 + 0.5,
        );
        let depth = f64::from(filmed.depth.depth_m[index]);
        if depth <= 0.0 {
            continue;
        }
        let ray = sensor.intrinsics.unproject(&pixel).unwrap();
        let p = world_from_camera(&pixel) * Point3::from(ray.into_inner() * (depth / ray.z));
        points.push((index, pixel, p, filmed.parts[index]));
    }
    points
}

fn pose_at(drive: &Drive, camera: usize, frame: usize) -> Pose<World, Camera> {
    drive.site_from_ego(frame) * drive.rig.cameras[camera].ego_from_camera
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[test]
fn depth_leads_to_the_same_point_across_cameras_and_time() {
    let drive = drive(pair());
    for (from, to) in [((0, 0), (1, 0)), ((0, 0), (0, 1)), ((1, 0), (0, 2))] {
        let pose = pose_at(&drive, from.0, from.1);
        let moment = Moment::at(drive.stage(), drive.timestamp(to.1).as_secs_f64());
        let origin = Point3::from(pose_at(&drive, to.0, to.1).translation);
        let mut workspace = ommatidia_kernels::raycast::Workspace::default();
        let mut errors = Vec::new();
        for (_, _, p, part) in points(&drive, from.0, from.1, |_| pose) {
            let direction = (p - origin).normalize();
            let met = moment.cast((&origin, &direction), 500.0, moment.middle_s(), &mut workspace);
            let Some(met) = met.filter(|met| met.instance == part && part < BODY) else { continue };
            errors.push((met.p_in_world - p).norm());
        }
        assert!(errors.len() > 2000, "{} points are seen from both", errors.len());
        let median = median(errors);
        assert!(median < 1e-4, "{from:?} to {to:?}: median {median} m");
    }
}

/// The motion of points from positions and the site's own motion, against the flow of the pictures.
#[test]
fn flow_is_the_motion_of_the_point() {
    let drive = drive(pair());
    let [t0, t1] = [0, 1].map(|frame| drive.timestamp(frame).as_secs_f64());
    let mut moving = 0;
    for camera in 0..2 {
        let filmed = &drive.film(0)[camera];
        let pose = pose_at(&drive, camera, 0);
        let camera_from_world = pose_at(&drive, camera, 1).inverse();
        for (index, pixel, p, part) in points(&drive, camera, 0, |_| pose) {
            let at = |t: f64| drive.stage().site().world_from_part(part, t);
            let p_then = at(t1) * (at(t0).inverse() * p);
            let expected =
                drive.rig.cameras[camera].intrinsics.project(&(camera_from_world * p_then));
            let [dx, dy] = filmed.flow[index].map(f64::from);
            let Some(expected) = expected else {
                assert!(dx.is_nan() && dy.is_nan());
                continue;
            };
            let error = (expected - pixel - nalgebra::Vector2::new(dx, dy)).norm();
            assert!(error < 1e-3 * (1.0 + dx.hypot(dy)), "pixel {pixel}: {error}");
            moving += usize::from(part >= BODY);
        }
    }
    assert!(moving > 100, "{moving} pixels of the car");
    assert!(drive.film(2)[0].flow.iter().flatten().all(|x| x.is_nan()), "no next frame");
}

/// A point that a line of a rolling shutter saw is projected back into that line at that time.
#[test]
fn rolling_shutters_see_things_where_they_are_at_each_line() {
    for direction in [ReadoutDirection::TopToBottom, ReadoutDirection::RightToLeft] {
        let drive = drive(vec![camera("rolling", 0.1, rolling(direction))]);
        let sensor = &drive.rig.cameras[0];
        let shutter = Table::new(sensor).shutter.unwrap();
        let pose =
            |offset_s: f64| world_from_camera(drive.stage(), &sensor.ego_from_camera, offset_s);
        let filmed = &drive.film(0)[0];
        let mut seen = [0; 2];
        for (index, pixel, p, part) in points(&drive, 0, 0, |pixel| pose(shutter.offset_s(pixel))) {
            let taken_s = shutter.offset_s(&pixel);
            let part_from_world = drive.stage().site().world_from_part(part, taken_s).inverse();
            if part < BODY {
                let (back, _) = project_rolling(&sensor.intrinsics, &shutter, pose, &p).unwrap();
                assert!((back - pixel).norm() < 2e-3, "{pixel} {back}");
                seen[0] += 1;
            } else {
                // On the surface of its box at that time: one coordinate is a half extent.
                let half = if part == ARM { [0.7, 0.15, 0.15] } else { [2.0, 0.9, 0.6] };
                let q = part_from_world * p;
                let off = (0..3).map(|axis| (q[axis].abs() - half[axis]).abs());
                let off = off.fold(f64::INFINITY, f64::min);
                assert!(off < 5e-4, "{off} m off the surface");
                seen[1] += 1;
            }
            // The point at the next frame's own line.
            let [dx, dy] = filmed.flow[index].map(f64::from);
            if !dx.is_nan() {
                let there = Point2::new(pixel.x + dx, pixel.y + dy);
                let then_s = 0.1 + shutter.offset_s(&there);
                let p_then =
                    drive.stage().site().world_from_part(part, then_s) * (part_from_world * p);
                let expected =
                    sensor.intrinsics.project(&(pose(then_s).inverse() * p_then)).unwrap();
                assert!((expected - there).norm() < 0.05, "{expected} {there}");
            }
        }
        assert!(seen[0] > 2000 && seen[1] > 50, "{seen:?}");
    }
}

/// Corners of a triangle cut to a box (Sutherland and Hodgman 1974); empty if they do not touch.
fn cut(triangle: [Point3<f64>; 3], low: &Point3<f64>, high: &Point3<f64>) -> Vec<Point3<f64>> {
    let mut polygon = triangle.to_vec();
    for axis in 0..3 {
        for (limit, side) in [(low[axis], 1.0), (high[axis], -1.0)] {
            let inside = |p: &Point3<f64>| side * (p[axis] - limit) >= 0.0;
            let mut kept = Vec::new();
            for i in 0..polygon.len() {
                let (p, q) = (polygon[i], polygon[(i + 1) % polygon.len()]);
                if inside(&p) {
                    kept.push(p);
                }
                if inside(&p) != inside(&q) {
                    kept.push(p + (q - p) * ((limit - p[axis]) / (q[axis] - p[axis])));
                }
            }
            polygon = kept;
        }
    }
    polygon
}

/// All triangles in the vehicle's frame at a frame.
fn triangles_in_ego(site: &Site, drive: &Drive, frame: usize) -> Vec<[Point3<f64>; 3]> {
    let ego_from_world = drive.site_from_ego(frame).inverse();
    let time_s = drive.timestamp(frame).as_secs_f64();
    let mut all = Vec::new();
    for instance in &site.instances {
        let mesh = &site.meshes[instance.mesh.0 as usize];
        let ego_from_part = ego_from_world * instance.motion.at(time_s);
        all.extend(mesh.triangles.iter().map(|triangle| {
            triangle.corners.map(|corner| {
                ego_from_part * Point3::from(mesh.vertices_m[corner as usize].map(f64::from))
            })
        }));
    }
    all
}

fn holds_geometry(
    grid: &GridSpec,
    index: usize,
    slack: f64,
    triangles: &[[Point3<f64>; 3]],
) -> bool {
    let half = Vector3::repeat(0.5 * grid.voxel_m + slack);
    let centre = grid.centre(grid.cell(index));
    triangles.iter().any(|triangle| !cut(*triangle, &(centre - half), &(centre + half)).is_empty())
}

#[test]
fn voxels_are_occupied_exactly_where_there_is_geometry() {
    let drive = drive(pair());
    let filled = voxels::Filled::new(drive.stage(), grid(), 0.1);
    let triangles = triangles_in_ego(drive.stage().site(), &drive, 1);
    let mut counts = [0; 2];
    for index in 0..grid().len() {
        if filled.is_filled(index) {
            assert!(holds_geometry(&grid(), index, 2e-3, &triangles), "voxel {index} is empty");
        } else {
            assert!(!holds_geometry(&grid(), index, -1e-4, &triangles), "voxel {index} is not");
        }
        counts[usize::from(filled.is_filled(index))] += 1;
    }
    assert!(counts[0] > 10_000 && counts[1] > 5_000, "{counts:?}");
}

fn occupancy(frame: &DriveFrame) -> &Occupancy {
    frame.truth.occupancy.as_ref().unwrap()
}

#[test]
fn what_is_seen_lies_in_occupied_voxels() {
    let drive = drive(pair());
    let frame = drive.frame(1);
    let occupancy = occupancy(&frame);
    assert_eq!(occupancy.check(), Ok(()));
    let ego_from_world = drive.site_from_ego(1).inverse();
    let mut inside = 0;
    for camera in 0..2 {
        let pose = pose_at(&drive, camera, 1);
        for (_, pixel, p, _) in points(&drive, camera, 1, |_| pose) {
            let Some(cell) = occupancy.grid.cell_at(&(ego_from_world * p)) else { continue };
            assert!(occupancy.occupied.get(occupancy.grid.index(cell)), "pixel {pixel}");
            inside += 1;
        }
    }
    assert!(inside > 4000, "{inside}");
    let (observed, occupied) = (occupancy.observed.count(), occupancy.occupied.count());
    assert!(occupied < observed / 3 && observed < occupancy.grid.len(), "{occupied} of {observed}");
    // All that is hidden is known where it is asked for.
    let complete = Drive::new(
        site(),
        drive.rig.clone(),
        DriveOptions { observed: Observed::Complete, ..options() },
    );
    let complete = complete.unwrap().frame(1);
    let complete = complete.truth.occupancy.unwrap();
    assert_eq!(complete.observed.count(), complete.grid.len());
    assert!(complete.occupied.count() > occupied);
}

/// Each moving voxel's flow is the velocity of the part in it, limbs included.
#[test]
fn voxel_flow_is_that_of_the_part() {
    let drive = drive(vec![camera("ahead", 0.3, Shutter::Global)]);
    let rig = drive.rig.clone();
    let all = DriveOptions { observed: Observed::Complete, ..options() };
    let frame = Drive::new(site(), rig, all).unwrap().frame(1);
    let occupancy = occupancy(&frame);
    let cells: Vec<usize> = occupancy.occupied.ones().collect();
    let world_from_ego = drive.site_from_ego(1);
    let site = drive.stage().site();
    let velocity_of = |part: u32, index: usize| {
        let p = world_from_ego * occupancy.grid.centre(occupancy.grid.cell(index));
        let p_in_part = site.world_from_part(part, 0.1).inverse() * p;
        let at = |t: f64| site.world_from_part(part, t) * p_in_part;
        world_from_ego.inverse().rotate(&((at(0.1 + 1e-4) - at(0.1 - 1e-4)) / 2e-4))
    };
    let mut of = [0; 2];
    for flow in occupancy.flow.as_ref().unwrap() {
        let found = Vector3::from(flow.velocity_m_s.map(f64::from));
        let index = cells[flow.rank as usize];
        let off = [BODY, ARM].map(|part| (velocity_of(part, index) - found).norm());
        assert!(off[0].min(off[1]) < 0.05, "{off:?} at {found}");
        of[usize::from(off[1] < off[0])] += 1;
    }
    assert!(of[0] > 50 && of[1] > 3, "{of:?}");
}

#[test]
fn boxes_hold_their_pixels_and_keypoints_know_whether_they_are_seen() {
    let drive = drive(pair());
    let frame = drive.frame(0);
    let objects = frame.truth.objects.as_ref().unwrap();
    assert_eq!(objects.len(), 1);
    let object = &objects[0];
    let ego_from_world = drive.site_from_ego(0).inverse();
    let mut held = 0;
    for (index, _, p, _) in points(&drive, 0, 0, |_| pose_at(&drive, 0, 0)) {
        if frame.truth.cameras[0].instances.as_ref().unwrap()[index] != CAR as u32 {
            continue;
        }
        let q = object.ego_from_object.inverse() * (ego_from_world * p);
        assert!((0..3).all(|axis| q[axis].abs() <= 0.5 * object.size_m[axis] + 1e-3), "{q}");
        held += 1;
    }
    assert!(held > 50, "{held}");
    assert!(object.lidar_points.unwrap() > 5);
    let velocity = Vector3::from(object.velocity_m_s.unwrap());
    assert!((velocity.norm() - 6.02).abs() < 0.1, "{velocity}");
    // The arm is in the open; the middle of the body is hidden by nothing but the body itself.
    assert!(object.keypoints.iter().all(|keypoint| keypoint.confidence == 1.0));
    let away = Drive::new(site(), Rig::default(), options()).unwrap().frame(0);
    let unseen = &away.truth.objects.unwrap()[0];
    assert!(unseen.keypoints.iter().all(|keypoint| keypoint.confidence == 0.0));
    assert_eq!(unseen.lidar_points, None);
}

#[test]
fn lidar_returns_lie_on_surfaces() {
    let drive = drive(vec![]);
    let sweep = drive.sweep(1).remove(0);
    assert!(sweep.cloud.is_consistent() && sweep.cloud.len() > 1000, "{}", sweep.cloud.len());
    let ego_from_lidar = drive.rig.lidars[0].ego_from_lidar;
    let mut off = Vec::new();
    for (xyz, part) in sweep.cloud.xyz_m.iter().zip(&sweep.parts) {
        if *part == 0 {
            let p = drive.site_from_ego(1) * (ego_from_lidar * Point3::from(xyz.map(f64::from)));
            // Noise is along the ray; rays are slanted.
            off.push((p.z - 0.03).abs());
        }
    }
    assert!(off.len() > 500 && median(off.clone()) < 0.02, "{} of median", off.len());
    assert!(off.iter().any(|off| *off > 1e-4), "there is noise");
    let offsets = &sweep.cloud.offset_ns;
    assert!(
        offsets.is_sorted() && offsets[0] < -40_000_000 && *offsets.last().unwrap() > 40_000_000
    );
    let lost = LidarOptions { dropout: 1.0, ..options().lidar };
    let none = Drive::new(site(), drive.rig.clone(), DriveOptions { lidar: lost, ..options() });
    assert!(none.unwrap().sweep(1)[0].cloud.is_empty());
}

#[test]
fn the_ground_is_where_it_is() {
    let drive = drive(vec![]);
    let surface = drive.frame(1).truth.surface.unwrap();
    assert!(surface.height_m.iter().all(|height| height.abs() < 1e-4));
    assert!(surface.drivable.iter().all(|&drivable| drivable == ommatidia_scene::Drivable::Yes));
}

/// All bytes of a frame.
fn bytes(frame: &DriveFrame) -> String {
    format!("{:?} {:?} {:?}", frame.images, frame.clouds, frame.truth)
}

#[test]
fn a_frame_is_the_same_on_any_number_of_threads() {
    let mut cameras = pair();
    cameras.push(camera("rolling", 0.1, rolling(ReadoutDirection::TopToBottom)));
    let rig = drive(cameras).rig;
    let render = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| bytes(&Drive::new(site(), rig.clone(), options()).unwrap().frame(1)))
    };
    assert!(render(1) == render(2));
}

#[test]
fn what_cannot_be_is_refused() {
    let rig = Rig { cameras: pair(), ..Rig::default() };
    let refused = |site: Site, rig: Rig, options: DriveOptions| {
        Drive::new(site, rig, options).err().map(|error| error.to_string()).unwrap_or_default()
    };
    let mut inside = rig.clone();
    // In the middle of the first house.
    inside.cameras[1].ego_from_camera = ego_from_forward_camera(Vector3::new(14.0, 9.0, 2.0));
    let said = refused(site(), inside, options());
    assert!(said.contains("camera fisheye sits inside"), "{said}");
    let said = refused(site(), rig.clone(), DriveOptions { rate_hz: f64::NAN, ..options() });
    assert!(said.contains("`rate_hz`"), "{said}");
    let lidar = LidarOptions { beams: 0, ..LidarOptions::default() };
    let said = refused(site(), rig.clone(), DriveOptions { lidar, ..options() });
    assert!(said.contains("`lidar.beams`"), "{said}");
    let imaging = CameraImaging { key: -1.0, ..CameraImaging::default() };
    let said = refused(site(), rig.clone(), DriveOptions { imaging, ..options() });
    assert!(said.contains("key"), "{said}");
    let mut broken = site();
    broken.meshes[0].triangles[0].corners[1] = 99;
    assert!(refused(broken, rig.clone(), options()).contains("mesh 0 has a triangle past"));
    let mut broken = site();
    broken.instances[2].mesh.0 = 99;
    assert!(refused(broken, rig, options()).contains("instance 2 is of a mesh past"));
    let nothing = Drive::new(Site::default(), Rig::default(), options()).unwrap().frame(0);
    assert_eq!(occupancy(&nothing).occupied.count(), 0);
}
