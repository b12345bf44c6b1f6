//! A stage during one exposure.

use nalgebra::{Matrix3, Point3, Quaternion, UnitQuaternion, Vector3};
use ommatidia_geometry::{Pose, World, frames};
use ommatidia_kernels::raycast::{Placement, Ray, Rigid, Scene, Workspace};
use ommatidia_kernels::simd::Simd;

use super::stage::Stage;

/// Poses of what moves over an exposure that takes time.
pub const KEYS: usize = 5;

/// A site while a sensor looks at it: from `start_s` to `end_s`.
pub struct Moment<'a> {
    pub(super) stage: &'a Stage,
    pub(super) scene: Scene<'a>,
    start_s: f64,
    end_s: f64,
    pub(super) simd: Simd,
}

/// `world_from_part` of what a ray met, as matrices.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) rotation: Matrix3<f64>,
    pub(super) translation: Vector3<f64>,
}

/// Where a ray met what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Met {
    pub(super) placement: u32,
    /// Index into the site's instances.
    pub(super) instance: u32,
    pub(super) triangle: crate::site::Triangle,
    /// Along the ray, metres.
    pub(crate) distance: f64,
    pub(super) p_in_world: Point3<f64>,
    /// In the frame of the part, if it moves; else as in the world.
    pub(super) p_in_part: Point3<f64>,
    /// Towards the ray's origin.
    pub(super) normal_in_world: Vector3<f64>,
    pub(super) normal_in_part: Vector3<f64>,
    /// The ray came from the side that the corners run clockwise around.
    pub(crate) shows_back: bool,
}

impl<'a> Moment<'a> {
    /// What was met belongs to an actor, not to the street.
    pub(crate) fn is_of_actor(&self, met: &Met) -> bool {
        self.stage.site.instances[met.instance as usize].actor.is_some()
    }

    /// The stage from one time to another (s); the same for an instant.
    pub fn new(stage: &'a Stage, start_s: f64, end_s: f64) -> Self {
        let keys = if end_s > start_s { KEYS } else { 1 };
        let rigid = |pose: Pose<World, frames::Part>| {
            let q = pose.rotation;
            Rigid { wxyz: [q.w, q.i, q.j, q.k], translation_m: pose.translation.into() }
        };
        let place = |&(tree, instance): &(u32, u32)| {
            let motion = &stage.site.instances[instance as usize].motion;
            let steps = if motion.is_still() { 1 } else { keys };
            let at = |key: usize| {
                let share = key as f64 / (steps.max(2) - 1) as f64;
                rigid(motion.at(start_s + (end_s - start_s) * share))
            };
            Placement { tree, keys: (0..steps).map(at).collect() }
        };
        let baked = Placement { tree: 0, keys: vec![Rigid::IDENTITY] };
        let placements: Vec<Placement> =
            std::iter::once(baked).chain(stage.placed.iter().map(place)).collect();
        let scene = Scene::new(&stage.trees, &placements);
        Self { stage, scene, start_s, end_s, simd: Simd::detect() }
    }

    /// An instant.
    pub fn at(stage: &'a Stage, time_s: f64) -> Self {
        Self::new(stage, time_s, time_s)
    }

    /// Middle of the exposure, seconds.
    pub fn middle_s(&self) -> f64 {
        0.5 * (self.start_s + self.end_s)
    }

    /// A time as a share of the exposure.
    pub(super) fn share(&self, time_s: f64) -> f32 {
        let length_s = self.end_s - self.start_s;
        if length_s > 0.0 {
            ((time_s - self.start_s) / length_s).clamp(0.0, 1.0) as f32
        } else {
            0.0
        }
    }

    /// Where a placement is, as rays see it; `None` for what is baked.
    pub(super) fn frame(&self, placement: u32, time: f32) -> Option<Frame> {
        if placement == 0 {
            return None;
        }
        let rigid = self.scene.scene_from_mesh(placement, time)?;
        let [w, x, y, z] = rigid.wxyz;
        let rotation = UnitQuaternion::new_unchecked(Quaternion::new(w, x, y, z));
        Some(Frame {
            rotation: rotation.to_rotation_matrix().into_inner(),
            translation: rigid.translation_m.into(),
        })
    }

    /// The exact point where a ray meets a triangle that the kernel found: the triangle's plane in
    /// 64 bits. `direction` has length 1.
    #[inline]
    pub(super) fn meet(
        &self,
        (origin, direction): (&Point3<f64>, &Vector3<f64>),
        (placement, triangle): (u32, u32),
        frame: Option<&Frame>,
        found: f64,
    ) -> Met {
        let face = self.stage.face(placement, triangle);
        let [a, b, c] = face.corners;
        let normal = (b - a).cross(&(c - a)).normalize();
        let (o, d) = match frame {
            Some(frame) => (
                Point3::from(frame.rotation.tr_mul(&(origin.coords - frame.translation))),
                frame.rotation.tr_mul(direction),
            ),
            None => (*origin, *direction),
        };
        let slope = normal.dot(&d);
        let exact = normal.dot(&(a - o)) / slope;
        // A sliver's normal is noise; the kernel's distance is as good as any then.
        let distance = if (exact - found).abs() <= 1e-3 * (1.0 + found) { exact } else { found };
        let normal = if slope > 0.0 { -normal } else { normal };
        let p = o + d * distance;
        let p_in_world = origin + direction * distance;
        let (p_in_part, normal_in_part, normal_in_world) = match frame {
            Some(frame) => (p, normal, frame.rotation * normal),
            None => match self.stage.part_from_world(face.index) {
                Some((rotation, translation)) => {
                    (Point3::from(rotation * p.coords + translation), rotation * normal, normal)
                }
                None => (p, normal, normal),
            },
        };
        Met {
            placement,
            instance: face.index,
            triangle: face.triangle,
            distance,
            p_in_world,
            p_in_part,
            normal_in_world,
            normal_in_part,
            shows_back: slope > 0.0,
        }
    }

    /// What one ray (from a point in `World` along a direction of length 1, both exact) meets first
    /// within `reach_m` at a time (s).
    pub(crate) fn cast(
        &self,
        (origin, direction): (&Point3<f64>, &Vector3<f64>),
        reach_m: f64,
        time_s: f64,
        workspace: &mut Workspace,
    ) -> Option<Met> {
        let time = self.share(time_s);
        let ray = Ray {
            origin_m: origin.coords.into(),
            direction: (*direction).map(|x| x as f32).into(),
            reach: reach_m as f32,
            time,
        };
        let (distance, placement, triangle) = self.scene.nearest_one(self.simd, &ray, workspace)?;
        let frame = self.frame(placement, time);
        Some(self.meet(
            (origin, direction),
            (placement, triangle),
            frame.as_ref(),
            f64::from(distance),
        ))
    }
}
