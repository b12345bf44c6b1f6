//! Where the points of one picture are in the next one.

use nalgebra::{Matrix3, Point2, Point3, Vector3};
use ommatidia_geometry::camera::RollingShutter;
use ommatidia_geometry::{Camera, CameraModel, Ego, Pose, World};
use ommatidia_scene::CameraSensor;

use super::moment::{Frame, Met};
use super::stage::Stage;

/// The next picture of a camera: where it is taken from, and where everything is then.
pub struct Next<'a> {
    stage: &'a Stage,
    time_s: f64,
    /// When this picture is taken.
    now_s: f64,
    /// `world_from_part` of the placements after the first at the next picture's timestamp.
    frames: Vec<Frame>,
}

/// One camera's next picture.
pub(super) struct NextView<'a> {
    next: &'a Next<'a>,
    camera: &'a CameraSensor,
    shutter: Option<RollingShutter>,
    camera_from_world: (Matrix3<f64>, Vector3<f64>),
}

fn frame<X: Copy>(pose: Pose<World, X>) -> Frame {
    Frame { rotation: pose.rotation_matrix(), translation: pose.translation }
}

/// `world_from_camera` at a time.
pub(super) fn world_from_camera(
    stage: &Stage,
    ego_from_camera: &Pose<Ego, Camera>,
    time_s: f64,
) -> Pose<World, Camera> {
    stage.site.ego.at(time_s) * *ego_from_camera
}

impl<'a> Next<'a> {
    /// Of the frame whose timestamp is `time_s`, seen from the one at `now_s`.
    pub fn new(stage: &'a Stage, now_s: f64, time_s: f64) -> Self {
        let at = |&(_, instance): &(u32, u32)| {
            frame(stage.site.instances[instance as usize].motion.moved(time_s, now_s))
        };
        Self { stage, time_s, now_s, frames: stage.placed.iter().map(at).collect() }
    }

    pub(super) fn view(
        &'a self,
        camera: &'a CameraSensor,
        shutter: Option<RollingShutter>,
    ) -> NextView<'a> {
        let camera_from_world =
            world_from_camera(self.stage, &camera.ego_from_camera, self.time_s).inverse();
        let camera_from_world =
            (camera_from_world.rotation_matrix(), camera_from_world.translation);
        NextView { next: self, camera, shutter, camera_from_world }
    }
}

impl NextView<'_> {
    /// Where the point is then, pixels; `None` if the camera does not project it.
    #[inline]
    pub(super) fn pixel(&self, met: &Met) -> Option<Point2<f64>> {
        let p_in_world = match met.placement.checked_sub(1) {
            None => met.p_in_world,
            Some(placed) => {
                let frame = &self.next.frames[placed as usize];
                Point3::from(frame.rotation * met.p_in_part.coords + frame.translation)
            }
        };
        let (rotation, translation) = &self.camera_from_world;
        let p_in_camera = Point3::from(rotation * p_in_world.coords + translation);
        let pixel = self.camera.intrinsics.project(&p_in_camera)?;
        match &self.shutter {
            None => Some(pixel),
            Some(shutter) => self.settle(met, shutter, pixel),
        }
    }

    /// The pixel whose line is exposed when the point is there (as
    /// [`ommatidia_geometry::camera::project_rolling`], for a point that moves too).
    fn settle(
        &self,
        met: &Met,
        shutter: &RollingShutter,
        mut pixel: Point2<f64>,
    ) -> Option<Point2<f64>> {
        const MOST_ROUNDS: usize = 20;
        const SETTLED_PX: f64 = 1e-5;
        let stage = self.next.stage;
        for _ in 0..MOST_ROUNDS {
            let time_s = self.next.time_s + shutter.offset_s(&pixel);
            let p_in_world = if met.placement == 0 {
                met.p_in_world
            } else {
                let motion = &stage.site.instances[met.instance as usize].motion;
                motion.moved(time_s, self.next.now_s) * met.p_in_part
            };
            let pose = world_from_camera(stage, &self.camera.ego_from_camera, time_s);
            let moved = self.camera.intrinsics.project(&(pose.inverse() * p_in_world))?;
            let step = (moved - pixel).norm();
            pixel = moved;
            if step <= SETTLED_PX {
                return Some(pixel);
            }
        }
        None
    }
}
