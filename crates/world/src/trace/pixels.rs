//! Sixteen rays of a camera at a time: what they meet, and the light that comes back along them.

use nalgebra::{Matrix3, Point3, Vector3};
use ommatidia_kernels::raycast::{Beam, NOTHING, Pencil, RAYS, Ray, Workspace};

use super::moment::{Frame, Met, Moment};
use super::table::Rays;
use crate::look::{Shader, SurfaceHit};

/// How far the sun's light is followed, metres.
const SUN_REACH_M: f32 = 3000.0;

/// One thread's rays at a moment.
pub(super) struct Caster<'m, 's> {
    pub(super) moment: &'m Moment<'s>,
    shader: &'m Shader,
    to_sun: Option<Vector3<f64>>,
    workspace: Workspace,
    /// The last placement that was met, when, and where it is.
    frame: Option<(u32, f32, Option<Frame>)>,
}

/// Where a camera is while a line is exposed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Eye {
    pub(super) origin: Point3<f64>,
    /// `world_from_camera`.
    pub(super) rotation: Matrix3<f64>,
    /// Share of the exposure.
    pub(super) time: f32,
}

/// Directions in `World` and what is met along them.
pub(super) struct Looked {
    pub(super) directions: [Vector3<f64>; RAYS],
    pub(super) met: [Option<Met>; RAYS],
    /// Those that light is wanted of.
    pub(super) active: u16,
}

impl<'m, 's> Caster<'m, 's> {
    pub(super) fn new(moment: &'m Moment<'s>, shader: &'m Shader) -> Self {
        let to_sun = shader.to_sun().map(|d| Vector3::from(d.map(f64::from)));
        Self { moment, shader, to_sun, workspace: Workspace::default(), frame: None }
    }

    fn frame(&mut self, placement: u32, time: f32) -> Option<Frame> {
        if let Some((known, at, frame)) = self.frame
            && known == placement
            && at == time
        {
            return frame;
        }
        let frame = self.moment.frame(placement, time);
        self.frame = Some((placement, time, frame));
        frame
    }

    /// What rays in the camera's frame meet.
    pub(super) fn look(&mut self, eye: &Eye, rays: &Rays) -> Looked {
        let mut world = [[0.0; RAYS]; 3];
        let mut looked =
            Looked { directions: [Vector3::zeros(); RAYS], met: [None; RAYS], active: rays.active };
        for lane in 0..RAYS {
            let d = [0, 1, 2].map(|axis| f64::from(rays.directions[axis][lane]));
            let d = eye.rotation * Vector3::from(d);
            looked.directions[lane] = d;
            for axis in 0..3 {
                world[axis][lane] = d[axis] as f32;
            }
        }
        let origin_m = eye.origin.coords.into();
        let Some(pencil) = Pencil::new(origin_m, world, rays.active, eye.time) else {
            self.look_one_by_one(eye, &mut looked);
            return looked;
        };
        let moment = self.moment;
        let hits = moment.scene.nearest(moment.simd, &pencil, &mut self.workspace);
        for lane in 0..RAYS {
            let hit = (hits.instance[lane], hits.triangle[lane]);
            if hit.0 == NOTHING {
                continue;
            }
            let frame = self.frame(hit.0, eye.time);
            let ray = (&eye.origin, &looked.directions[lane]);
            let found = f64::from(hits.distance[lane]);
            looked.met[lane] = Some(moment.meet(ray, hit, frame.as_ref(), found));
        }
        looked
    }

    /// Rays that spread too far for a packet: corners of fisheyes at small sizes.
    fn look_one_by_one(&mut self, eye: &Eye, looked: &mut Looked) {
        for lane in (0..RAYS).filter(|lane| looked.active >> lane & 1 == 1) {
            let direction = looked.directions[lane];
            let ray = Ray {
                origin_m: eye.origin.coords.into(),
                direction: direction.map(|x| x as f32).into(),
                reach: f32::INFINITY,
                time: eye.time,
            };
            let moment = self.moment;
            let hit = moment.scene.nearest_one(moment.simd, &ray, &mut self.workspace);
            looked.met[lane] = hit.map(|(distance, placement, triangle)| {
                let frame = self.frame(placement, eye.time);
                let found = f64::from(distance);
                moment.meet((&eye.origin, &direction), (placement, triangle), frame.as_ref(), found)
            });
        }
    }

    /// Light along the rays, with sun and shadow, through the air. `pixel_rad`: angle of a pixel.
    pub(super) fn light(&mut self, looked: &Looked, pixel_rad: f32, time: f32) -> [[f32; 3]; RAYS] {
        let lit = self.sunlit(looked, time);
        let mut light = [[0.0; 3]; RAYS];
        for lane in (0..RAYS).filter(|lane| looked.active >> lane & 1 == 1) {
            let direction = looked.directions[lane].map(|x| x as f32).into();
            let Some(met) = &looked.met[lane] else {
                light[lane] = self.shader.sky(direction);
                continue;
            };
            let narrow = |v: Vector3<f64>| -> [f32; 3] { v.map(|x| x as f32).into() };
            let distance_m = met.distance as f32;
            let hit = SurfaceHit {
                p_in_part: narrow(met.p_in_part.coords),
                normal_in_part: narrow(met.normal_in_part),
                p_in_world: narrow(met.p_in_world.coords),
                normal_in_world: narrow(met.normal_in_world),
                direction,
                distance_m,
                footprint_m: distance_m * pixel_rad,
                material: met.triangle.material,
                instance: met.instance,
                sun_visible: if lit >> lane & 1 == 1 { 1.0 } else { 0.0 },
            };
            let radiance = self.shader.shade(&hit);
            light[lane] = self.shader.through_air(radiance, distance_m, direction);
        }
        light
    }

    /// Lanes whose surface faces the sun with nothing in between.
    fn sunlit(&mut self, looked: &Looked, time: f32) -> u16 {
        let Some(to_sun) = self.to_sun else { return 0 };
        let mut facing = 0u16;
        for lane in 0..RAYS {
            let faces = |met: &Met| met.normal_in_world.dot(&to_sun) > 0.0;
            facing |= u16::from(looked.met[lane].as_ref().is_some_and(faces)) << lane;
        }
        facing &= looked.active;
        let (mut lit, mut rest) = (facing, facing);
        while rest != 0 {
            let group = neighbours(looked, rest);
            rest &= !group;
            lit &= !self.shadowed(looked, group, &to_sun, time);
        }
        lit
    }

    /// Lanes of a group that lie in shadow.
    fn shadowed(&mut self, looked: &Looked, group: u16, to_sun: &Vector3<f64>, time: f32) -> u16 {
        let first = group.trailing_zeros() as usize;
        let Some(origin) = looked.met[first].as_ref().map(|met| met.p_in_world) else { return 0 };
        let mut starts = [[0.0; RAYS]; 3];
        for lane in (0..RAYS).filter(|lane| group >> lane & 1 == 1) {
            let Some(met) = &looked.met[lane] else { continue };
            // Off the surface by more than positions are rounded.
            let lift = 2e-3 + 2e-5 * met.distance;
            let from = met.p_in_world - origin + met.normal_in_world * lift;
            for axis in 0..3 {
                starts[axis][lane] = from[axis] as f32;
            }
        }
        let direction: [f32; 3] = to_sun.map(|x| x as f32).into();
        if group.count_ones() <= FEW {
            return self.shadowed_alone(&starts, group, (&origin, direction), time);
        }
        let beam = Beam::new(direction, origin.coords.into(), &starts, group, (SUN_REACH_M, time));
        let moment = self.moment;
        beam.map_or(0, |beam| moment.scene.blocked(moment.simd, &beam, &mut self.workspace))
    }

    /// Lanes in shadow, each followed by itself. `starts`: from the origin.
    fn shadowed_alone(
        &mut self,
        starts: &[[f32; RAYS]; 3],
        group: u16,
        (origin, direction): (&Point3<f64>, [f32; 3]),
        time: f32,
    ) -> u16 {
        let mut shadowed = 0;
        for lane in (0..RAYS).filter(|lane| group >> lane & 1 == 1) {
            let origin_m = [0, 1, 2].map(|axis| origin[axis] + f64::from(starts[axis][lane]));
            let ray = Ray { origin_m, direction, reach: SUN_REACH_M, time };
            let moment = self.moment;
            let blocked = moment.scene.blocked_one(moment.simd, &ray, &mut self.workspace);
            shadowed |= u16::from(blocked) << lane;
        }
        shadowed
    }
}

/// So many rays are faster one by one than as a beam.
const FEW: u32 = 2;

/// The first of the lanes and those about as far: they share a narrow beam.
fn neighbours(looked: &Looked, lanes: u16) -> u16 {
    let distance =
        |lane: usize| looked.met[lane].as_ref().map_or(f64::INFINITY, |met| met.distance);
    let first = distance(lanes.trailing_zeros() as usize);
    let mut group = 0;
    for lane in (0..RAYS).filter(|lane| lanes >> lane & 1 == 1) {
        group |= u16::from((distance(lane) - first).abs() <= 0.05 + 0.02 * first) << lane;
    }
    // Whatever the numbers are, the first is its own neighbour.
    group | (lanes & lanes.wrapping_neg())
}
