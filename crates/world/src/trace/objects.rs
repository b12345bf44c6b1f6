//! Boxes around the vehicle, with keypoints and what is seen of them.

use nalgebra::{Point3, Vector3};
use ommatidia_geometry::{CameraModel, Ego, Pose, World};
use ommatidia_kernels::raycast::Workspace;
use ommatidia_scene::{CameraSensor, Keypoint, Object};

use super::lidar::Sweep;
use super::moment::Moment;
use crate::site::{Actor, PartPoint};

/// A keypoint that lies this far behind the surface of another thing is hidden, metres.
const HIDDEN_M: f64 = 0.05;

impl Moment<'_> {
    /// Actors whose box centre is within `range_m` of the vehicle at the moment's middle. Velocities
    /// are those of the box, over ground. A keypoint's confidence is 1 where some camera has it in its
    /// picture and nothing but its own actor in front of it, else 0; `lidar_points` counts the
    /// returns from the actor's own surface.
    pub fn objects(&self, cameras: &[CameraSensor], sweeps: &[Sweep], range_m: f64) -> Vec<Object> {
        const STEP_S: f64 = 1e-3;
        let site = &self.stage.site;
        let time_s = self.middle_s();
        let world_from_ego = site.ego.at(time_s);
        let ego_from_world = world_from_ego.inverse();
        let returns = self.returns(sweeps);
        let mut workspace = Workspace::default();
        let mut objects = Vec::new();
        for (index, actor) in site.actors.iter().enumerate() {
            let ego_from_object = ego_from_world * actor.motion.at(time_s);
            if ego_from_object.translation.norm() > range_m {
                continue;
            }
            let [before, after] =
                [-STEP_S, STEP_S].map(|step| actor.motion.at(time_s + step).translation);
            let velocity: Vector3<f64> =
                ego_from_world.rotate(&((after - before) / (2.0 * STEP_S)));
            let keypoint = |point: &PartPoint| {
                let p_in_world =
                    site.world_from_part(point.part, time_s) * Point3::from(point.p_in_part_m);
                let seen = self.is_seen(
                    (&p_in_world, index as u32),
                    cameras,
                    &world_from_ego,
                    &mut workspace,
                );
                let p = ego_from_world * p_in_world;
                let p_in_ego_m = [p.x as f32, p.y as f32, p.z as f32];
                Keypoint { p_in_ego_m, confidence: if seen { 1.0 } else { 0.0 } }
            };
            objects.push(Object {
                track: Some(actor.track),
                class: actor.class,
                ego_from_object,
                size_m: actor.size_m,
                velocity_m_s: Some(velocity.into()),
                keypoints: keypoints(actor, keypoint),
                confidence: 1.0,
                lidar_points: (!sweeps.is_empty()).then(|| returns[index]),
            });
        }
        objects
    }

    /// Lidar returns of each actor.
    fn returns(&self, sweeps: &[Sweep]) -> Vec<u32> {
        let mut returns = vec![0; self.stage.site.actors.len()];
        for part in sweeps.iter().flat_map(|sweep| &sweep.parts) {
            if let Some(actor) = self.stage.actor_of(*part) {
                returns[actor as usize] += 1;
            }
        }
        returns
    }

    /// Some camera sees a point of an actor.
    fn is_seen(
        &self,
        (p_in_world, actor): (&Point3<f64>, u32),
        cameras: &[CameraSensor],
        world_from_ego: &Pose<World, Ego>,
        workspace: &mut Workspace,
    ) -> bool {
        cameras.iter().any(|camera| {
            let world_from_camera = *world_from_ego * camera.ego_from_camera;
            let p_in_camera = world_from_camera.inverse() * *p_in_world;
            let Some(pixel) = camera.intrinsics.project(&p_in_camera) else { return false };
            let inside = (0.0..f64::from(camera.width)).contains(&pixel.x)
                && (0.0..f64::from(camera.height)).contains(&pixel.y);
            let origin = Point3::from(world_from_camera.translation);
            let (towards, distance) = (p_in_world - origin, (p_in_world - origin).norm());
            if !inside || distance <= 0.0 {
                return false;
            }
            let direction = towards / distance;
            let met = self.cast((&origin, &direction), distance, self.middle_s(), workspace);
            met.is_none_or(|met| {
                met.distance > distance - HIDDEN_M
                    || self.stage.actor_of(met.instance) == Some(actor)
            })
        })
    }
}

fn keypoints(actor: &Actor, keypoint: impl FnMut(&PartPoint) -> Keypoint) -> Vec<Keypoint> {
    actor.keypoints.iter().map(keypoint).collect()
}
