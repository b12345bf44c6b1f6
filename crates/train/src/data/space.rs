//! The vector space turned about the vertical, and mirrored: as if the drive had happened so.

use nalgebra::{Matrix3, Point3, Rotation3, UnitQuaternion, Vector3};
use ommatidia_geometry::{Ego, Pose, World};
use ommatidia_scene::{
    Boundary, Crossing, GridSpec, Lane, LaneGraph, Object, Occupancy, Rig, VectorSpace, VoxelFlow,
};

/// A change of the ego frame: mirrored left to right where asked for, then turned to the left.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Turn {
    /// To the left, radians.
    pub yaw_rad: f64,
    /// Left and right swapped.
    pub mirror: bool,
}

/// Pairs of COCO's 17 keypoints that are each other's mirror image.
const PARTNERS: [(usize, usize); 8] =
    [(1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16)];

impl Turn {
    /// Leaves everything as it is.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Vectors of the old frame in the new one.
    fn matrix(&self) -> Matrix3<f64> {
        let rotation = Rotation3::from_axis_angle(&Vector3::z_axis(), self.yaw_rad);
        rotation.matrix() * flipped(1, self.mirror)
    }

    fn vector<const N: usize, T: Copy + Into<f64>>(&self, v: [T; N]) -> Vector3<f64> {
        self.matrix() * Vector3::from_fn(|axis, _| v[axis].into())
    }

    fn point(&self, p: [f32; 3]) -> [f32; 3] {
        let turned = self.vector(p);
        [turned.x as f32, turned.y as f32, turned.z as f32]
    }

    /// A pose whose left side is in the ego frame: of a thing whose own axis `own` is mirrored with it.
    fn pose<B>(&self, ego_from_thing: &Pose<Ego, B>, own: usize) -> Pose<Ego, B> {
        let matrix = self.matrix();
        let rotation = matrix * ego_from_thing.rotation_matrix() * flipped(own, self.mirror);
        Pose::new(proper(rotation), matrix * ego_from_thing.translation)
    }

    /// Mountings as the changed vehicle has them. Pictures of a mirrored one must be mirrored too.
    pub fn rig(&self, rig: &Rig) -> Rig {
        let mut turned = rig.clone();
        for camera in &mut turned.cameras {
            camera.ego_from_camera = self.pose(&camera.ego_from_camera, 0);
        }
        for lidar in &mut turned.lidars {
            lidar.ego_from_lidar = self.pose(&lidar.ego_from_lidar, 1);
        }
        turned
    }

    /// Where the changed vehicle is, in a world that is mirrored with it.
    pub fn world(&self, world_from_ego: &Pose<World, Ego>) -> Pose<World, Ego> {
        let side = flipped(1, self.mirror);
        let rotation = side * world_from_ego.rotation_matrix() * side;
        let mirrored = Pose::<World, Ego>::new(proper(rotation), side * world_from_ego.translation);
        let turn = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), -self.yaw_rad);
        mirrored * Pose::<Ego, Ego>::new(turn, Vector3::zeros())
    }

    /// What is there, in the changed frame. What cameras see is left as it is.
    pub fn space(&self, truth: VectorSpace) -> VectorSpace {
        if self.is_none() {
            return truth;
        }
        VectorSpace {
            occupancy: truth.occupancy.map(|occupancy| self.occupancy(&occupancy)),
            surface: truth
                .surface
                .map(|surface| surface.looked_up(surface.spec, |[x, y]| self.before(x, y))),
            objects: truth
                .objects
                .map(|objects| objects.into_iter().map(|object| self.object(object)).collect()),
            lanes: truth.lanes.map(|lanes| self.lanes(lanes)),
            ..truth
        }
    }

    /// Where the centre of a cell of the new frame was in the old one, seen from above.
    fn before(&self, x: f64, y: f64) -> [f64; 2] {
        let p = self.matrix().transpose() * Vector3::new(x, y, 0.0);
        [p.x, p.y]
    }

    fn occupancy(&self, old: &Occupancy) -> Occupancy {
        let grid: GridSpec = old.grid;
        let mut new = Occupancy::unobserved(grid);
        let ranks = old.ranks();
        let mut flow = Vec::new();
        for (x, y) in (0..grid.size[0]).flat_map(|x| (0..grid.size[1]).map(move |y| (x, y))) {
            let centre = grid.centre([x, y, 0]);
            let [from_x, from_y] = self.before(centre.x, centre.y);
            let Some(below) = grid.cell_at(&Point3::new(from_x, from_y, centre.z)) else {
                continue;
            };
            let (to, from) = (grid.index([x, y, 0]), grid.index(below));
            for level in 0..grid.size[2] as usize {
                new.observed.set(to + level, old.observed.get(from + level));
                if !old.occupied.get(from + level) {
                    continue;
                }
                let rank = ranks.rank(from + level);
                if let Some(velocity) = old.velocity(rank) {
                    let velocity_m_s = self.point(velocity);
                    flow.push(VoxelFlow { rank: new.classes.len() as u32, velocity_m_s });
                }
                new.occupied.set(to + level, true);
                new.classes.push(old.classes[rank as usize]);
            }
        }
        new.flow = old.flow.is_some().then_some(flow);
        new
    }

    fn object(&self, mut object: Object) -> Object {
        object.ego_from_object = self.pose(&object.ego_from_object, 1);
        object.velocity_m_s = object.velocity_m_s.map(|velocity| self.vector(velocity).into());
        for keypoint in &mut object.keypoints {
            keypoint.p_in_ego_m = self.point(keypoint.p_in_ego_m);
        }
        if self.mirror {
            for (left, right) in PARTNERS {
                if right < object.keypoints.len() {
                    object.keypoints.swap(left, right);
                }
            }
        }
        object
    }

    fn lanes(&self, graph: LaneGraph) -> LaneGraph {
        let points = |points: Vec<[f32; 3]>| -> Vec<[f32; 3]> {
            points.into_iter().map(|p| self.point(p)).collect()
        };
        let boundary = |old: Boundary| Boundary { points_m: points(old.points_m), ..old };
        let lane = |old: Lane| {
            let (mut left, mut right) = (boundary(old.left), boundary(old.right));
            let (mut to_left, mut to_right) = (old.left_neighbour, old.right_neighbour);
            if self.mirror {
                (left, right) = (right, left);
                (to_left, to_right) = (to_right, to_left);
            }
            let centreline_m = points(old.centreline_m);
            let (left_neighbour, right_neighbour) = (to_left, to_right);
            Lane { centreline_m, left, right, left_neighbour, right_neighbour, ..old }
        };
        let crossing = |old: Crossing| {
            let mut polygon_m = points(old.polygon_m);
            if self.mirror {
                polygon_m.reverse();
            }
            Crossing { polygon_m, ..old }
        };
        LaneGraph {
            lanes: graph.lanes.into_iter().map(lane).collect(),
            crossings: graph.crossings.into_iter().map(crossing).collect(),
        }
    }
}

/// Changes the sign of one axis, if asked for.
fn flipped(axis: usize, flip: bool) -> Matrix3<f64> {
    let mut matrix = Matrix3::identity();
    if flip {
        matrix[(axis, axis)] = -1.0;
    }
    matrix
}

fn proper(rotation: Matrix3<f64>) -> UnitQuaternion<f64> {
    UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(rotation))
}
