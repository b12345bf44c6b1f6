//! Ray-cast cameras and lidars over one moment of a street.

use nalgebra::{Matrix3, Point2, Point3, Vector3};
use ommatidia_geometry::{CameraModel, Ego, Lidar, Pose, World};
use ommatidia_scene::{CameraSensor, ClassId, DepthMap, PointCloud, RgbImage};
use rayon::prelude::*;

use crate::bvh::{Bounds, Bvh};
use crate::material::{Material, Pattern};
use crate::noise::{mix, unit};
use crate::street::{Body, KERB_M, ROAD_HALF_WIDTH_M, Street};

/// How far anything is seen, metres.
const FAR_M: f64 = 400.0;
/// Direction to the sun in the world frame, not normalised.
const TO_SUN: Vector3<f64> = Vector3::new(-0.45, 0.35, 0.8);
/// Beams of the lidar, and their elevations from first to last, degrees.
const LIDAR_BEAMS: usize = 64;
const LIDAR_ELEVATION_DEG: [f64; 2] = [-24.8, 2.0];
/// Firings in one revolution.
const LIDAR_COLUMNS: usize = 1800;
/// Standard deviations of camera noise (8-bit levels) and lidar range (m).
const PIXEL_NOISE_LEVELS: f64 = 1.2;
const RANGE_NOISE_M: f64 = 0.01;

/// What a ray meets.
#[derive(Debug, Clone, Copy)]
struct Seen {
    distance: f64,
    class: ClassId,
    /// Linear colour before light.
    albedo: [f64; 3],
    normal_in_world: Vector3<f64>,
    p_in_world: Point3<f64>,
}

/// Position (m), intensity, beam and class of one lidar return.
type Return = ([f32; 3], f32, u16, u8);

/// A street at one moment, ready for rays.
pub struct Moment<'a> {
    street: &'a Street,
    bodies: Vec<Body>,
    rotations: Vec<Matrix3<f64>>,
    bvh: Bvh,
    to_sun: Vector3<f64>,
}

/// What one camera saw, with truth.
pub struct CameraFrame {
    /// The picture.
    pub image: RgbImage,
    /// Exact depth of each pixel's centre.
    pub depth: DepthMap,
    /// Exact class of each pixel's centre.
    pub class: Vec<ClassId>,
}

impl<'a> Moment<'a> {
    /// The street at a time (s).
    pub fn new(street: &'a Street, time_s: f64) -> Self {
        let bodies = street.bodies(time_s);
        let rotations: Vec<_> =
            bodies.iter().map(|body| body.world_from_body.rotation_matrix()).collect();
        let bounds: Vec<Bounds> =
            bodies.iter().zip(&rotations).map(|(body, rotation)| bounds(body, rotation)).collect();
        Self { street, bvh: Bvh::build(&bounds), bodies, rotations, to_sun: TO_SUN.normalize() }
    }

    /// Films one image. `seed` makes the sensor noise.
    pub fn film(
        &self,
        camera: &CameraSensor,
        world_from_ego: Pose<World, Ego>,
        seed: u64,
    ) -> CameraFrame {
        let (width, height) = (camera.width as usize, camera.height as usize);
        let world_from_camera = world_from_ego * camera.ego_from_camera;
        let origin = Point3::from(world_from_camera.translation);
        let pixel_rad = 1.0 / camera.intrinsics.focal_px().0;
        let pixels: Vec<(f32, ClassId, [u8; 3])> = (0..width * height)
            .into_par_iter()
            .map(|index| {
                let pixel = Point2::new((index % width) as f64 + 0.5, (index / width) as f64 + 0.5);
                let Some(ray) = camera.intrinsics.unproject(&pixel) else {
                    return (0.0, ClassId::UNKNOWN, [0; 3]);
                };
                let direction = world_from_camera.rotate(&ray);
                let seen = self.cast(&origin, &direction, FAR_M, Some(pixel_rad));
                let light = seen.map_or_else(|| sky(&direction), |seen| self.shade(&seen));
                let depth = seen.map_or(0.0, |seen| (seen.distance * ray.z).max(0.0));
                (
                    depth as f32,
                    seen.map_or(ClassId::UNKNOWN, |s| s.class),
                    expose(light, mix(seed ^ index as u64)),
                )
            })
            .collect();
        let depth_m: Vec<f32> = pixels.iter().map(|pixel| pixel.0).collect();
        let confidence = depth_m.iter().map(|&depth| if depth > 0.0 { 255 } else { 0 }).collect();
        CameraFrame {
            image: RgbImage::new(width, height, pixels.iter().flat_map(|pixel| pixel.2).collect()),
            depth: DepthMap { width, height, depth_m, confidence },
            class: pixels.iter().map(|pixel| pixel.1).collect(),
        }
    }

    /// One revolution of the lidar, all at once. `seed` makes the range noise.
    pub fn sweep(
        &self,
        ego_from_lidar: Pose<Ego, Lidar>,
        world_from_ego: Pose<World, Ego>,
        seed: u64,
    ) -> PointCloud {
        let world_from_lidar = world_from_ego * ego_from_lidar;
        let origin = Point3::from(world_from_lidar.translation);
        let returns: Vec<Option<Return>> = (0..LIDAR_BEAMS * LIDAR_COLUMNS)
            .into_par_iter()
            .map(|index| {
                let (column, beam) = (index / LIDAR_BEAMS, index % LIDAR_BEAMS);
                let azimuth = std::f64::consts::TAU * column as f64 / LIDAR_COLUMNS as f64;
                let share = beam as f64 / (LIDAR_BEAMS - 1) as f64;
                let [low, high] = LIDAR_ELEVATION_DEG;
                let elevation = (low + (high - low) * share).to_radians();
                let (flat, up) = (elevation.cos(), elevation.sin());
                let ray = Vector3::new(flat * azimuth.cos(), flat * azimuth.sin(), up);
                let seen = self.cast(&origin, &world_from_lidar.rotate(&ray), 100.0, None)?;
                let range = seen.distance + RANGE_NOISE_M * normal(mix(seed ^ index as u64));
                let p = ray * range;
                Some((
                    [p.x as f32, p.y as f32, p.z as f32],
                    seen.albedo[1] as f32,
                    beam as u16,
                    seen.class.0,
                ))
            })
            .collect();
        let mut cloud = PointCloud::default();
        for (xyz_m, intensity, ring, class) in returns.into_iter().flatten() {
            cloud.xyz_m.push(xyz_m);
            cloud.intensity.push(intensity);
            cloud.ring.push(ring);
            cloud.class.push(class);
        }
        cloud
    }

    /// First surface along a unit direction. Colour is only computed for a pixel of some size.
    fn cast(
        &self,
        origin: &Point3<f64>,
        direction: &Vector3<f64>,
        far_m: f64,
        pixel_rad: Option<f64>,
    ) -> Option<Seen> {
        let mut nearest: Option<(usize, f64, Vector3<f64>)> = None;
        let ground = (direction.z < 0.0).then(|| -origin.z / direction.z).filter(|&t| t < far_m);
        self.bvh.traverse(origin, direction, ground.unwrap_or(far_m), |index, limit| {
            match self.hit(index, origin, direction) {
                Some((distance, normal)) if distance < limit => {
                    nearest = Some((index, distance, normal));
                    distance
                }
                _ => limit,
            }
        });
        let (index, distance, normal) = match nearest {
            Some(found) => found,
            None => return ground.map(|t| self.ground(origin + direction * t, t, pixel_rad)),
        };
        let body = &self.bodies[index];
        let p_in_world = origin + direction * distance;
        let p_in_body = Point3::from(
            self.rotations[index].tr_mul(&(p_in_world.coords - body.world_from_body.translation)),
        );
        let albedo = pixel_rad.map_or(body.material.rgb, |rad| {
            body.material.colour(&p_in_body, &normal, distance * rad)
        });
        Some(Seen {
            distance,
            class: body.class,
            albedo,
            normal_in_world: self.rotations[index] * normal,
            p_in_world,
        })
    }

    fn hit(
        &self,
        index: usize,
        origin: &Point3<f64>,
        direction: &Vector3<f64>,
    ) -> Option<(f64, Vector3<f64>)> {
        let body = &self.bodies[index];
        let rotation = &self.rotations[index];
        let o = Point3::from(rotation.tr_mul(&(origin.coords - body.world_from_body.translation)));
        let hit = body.shape.hit(&o, &rotation.tr_mul(direction))?;
        Some((hit.distance, hit.normal))
    }

    /// Asphalt with markings on the carriageway, grass beyond the pavements.
    fn ground(&self, p: Point3<f64>, distance: f64, pixel_rad: Option<f64>) -> Seen {
        let (station, lateral) = self.street.road_coordinates(&p);
        let classes = &self.street.classes;
        let on_road = lateral.abs() < ROAD_HALF_WIDTH_M + 0.5;
        let centre_dash = lateral.abs() < 0.07 && station.rem_euclid(6.0) < 3.0;
        let edge_line = (lateral.abs() - (ROAD_HALF_WIDTH_M - 1.3)).abs() < 0.05;
        let (class, rgb, contrast) = if !on_road {
            (classes.terrain, [0.16, 0.22, 0.09], 0.7)
        } else if centre_dash || edge_line {
            (classes.marking, [0.62, 0.62, 0.58], 0.25)
        } else {
            (classes.road, [0.12, 0.12, 0.125], 0.55)
        };
        let material = Material {
            rgb,
            contrast,
            coarsest_m: 1.2,
            pattern: Pattern::Plain,
            seed: self.street.seed,
        };
        // At grazing incidence a pixel covers more of the ground than its angle says.
        let albedo =
            pixel_rad.map_or(rgb, |rad| material.colour(&p, &Vector3::z(), 1.5 * distance * rad));
        Seen { distance, class, albedo, normal_in_world: Vector3::z(), p_in_world: p }
    }

    /// Sun with shadow, and light from the sky.
    fn shade(&self, seen: &Seen) -> [f64; 3] {
        let facing = seen.normal_in_world.dot(&self.to_sun).max(0.0);
        let lit = facing > 0.0 && !self.shadowed(&(seen.p_in_world + seen.normal_in_world * 1e-3));
        let sun = if lit { 1.5 * facing } else { 0.0 };
        let sky = 0.45 + 0.2 * seen.normal_in_world.z;
        let haze = 1.0 - (-seen.distance / 900.0).exp();
        std::array::from_fn(|c| {
            let light = sun * [1.0, 0.95, 0.85][c] + sky * [0.85, 0.95, 1.1][c];
            seen.albedo[c] * light * (1.0 - haze) + 0.7 * haze
        })
    }

    fn shadowed(&self, p_in_world: &Point3<f64>) -> bool {
        let mut blocked = false;
        self.bvh.traverse(p_in_world, &self.to_sun, FAR_M, |index, limit| {
            blocked |= self.hit(index, p_in_world, &self.to_sun).is_some();
            if blocked { 0.0 } else { limit }
        });
        blocked
    }

    /// Height of the surface that one could stand on, metres; `None` inside something tall.
    pub fn ground_height(&self, p_in_world: &Point3<f64>) -> Option<f64> {
        const LOOK_FROM_M: f64 = 60.0;
        let above = Point3::new(p_in_world.x, p_in_world.y, LOOK_FROM_M);
        let seen = self.cast(&above, &-Vector3::z(), FAR_M, None)?;
        let height = LOOK_FROM_M - seen.distance;
        (height <= KERB_M + 1e-6).then_some(height)
    }
}

fn bounds(body: &Body, rotation: &Matrix3<f64>) -> Bounds {
    let half = rotation.abs() * body.shape.half_extent();
    let centre = Point3::from(body.world_from_body.translation);
    Bounds { low: centre - half, high: centre + half }
}

fn sky(direction: &Vector3<f64>) -> [f64; 3] {
    let up = direction.z.max(0.0).sqrt();
    [0.75 - 0.4 * up, 0.85 - 0.25 * up, 0.98 - 0.05 * up]
}

/// Tone curve, noise and quantisation to 8-bit sRGB.
fn expose(light: [f64; 3], hash: u64) -> [u8; 3] {
    std::array::from_fn(|c| {
        let noise = PIXEL_NOISE_LEVELS * normal(mix(hash ^ c as u64));
        (255.0 * light[c].clamp(0.0, 1.0).powf(1.0 / 2.2) + noise).round().clamp(0.0, 255.0) as u8
    })
}

/// Standard normal from a hash: the sum of four uniforms, scaled; its tails end at 3.5.
fn normal(hash: u64) -> f64 {
    let sum: f64 = (0..4).map(|i| unit(mix(hash ^ (i << 60)))).sum();
    (sum - 2.0) * 3.0f64.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rig;
    use ommatidia_geometry::Camera;

    fn depth_of(p_in_world: &Point3<f64>, world_from_camera: &Pose<World, Camera>) -> f64 {
        (world_from_camera.inverse() * *p_in_world).z
    }

    /// Depth of one camera, carried into the other, is the other's depth wherever both see the point.
    #[test]
    fn depth_agrees_between_the_cameras() {
        let street = Street::new(1, 60.0);
        let moment = Moment::new(&street, 0.0);
        let rig = rig::stereo(160, 96);
        let world_from_ego = street.world_from_ego(5.0);
        let frames: Vec<CameraFrame> =
            rig.cameras.iter().map(|c| moment.film(c, world_from_ego, 9)).collect();
        let poses: Vec<_> =
            rig.cameras.iter().map(|c| world_from_ego * c.ego_from_camera).collect();
        let (mut same, mut all) = (0, 0);
        for (index, &depth) in frames[0].depth.depth_m.iter().enumerate().filter(|(_, d)| **d > 0.0)
        {
            let pixel = Point2::new((index % 160) as f64 + 0.5, (index / 160) as f64 + 0.5);
            let ray = rig.cameras[0].intrinsics.unproject(&pixel).unwrap();
            let p_in_world = poses[0] * Point3::from(ray.into_inner() * (f64::from(depth) / ray.z));
            let p_in_right = poses[1].inverse() * p_in_world;
            let Some(landed) = rig.cameras[1].intrinsics.project(&p_in_right) else { continue };
            if landed.x < 0.0 || landed.x >= 160.0 || landed.y < 0.0 || landed.y >= 96.0 {
                continue;
            }
            // The exact surface point along the right camera's own ray.
            let origin = Point3::from(poses[1].translation);
            let direction = (p_in_world - origin).normalize();
            let seen = moment.cast(&origin, &direction, FAR_M, None).unwrap();
            all += 1;
            let error = (depth_of(&seen.p_in_world, &poses[1]) - p_in_right.z).abs();
            same += usize::from(error < 1e-3 * p_in_right.z);
        }
        assert!(all > 5_000 && same as f64 > 0.9 * f64::from(all), "{same} of {all}");
    }

    #[test]
    fn streets_have_texture_everywhere() {
        let street = Street::new(2, 60.0);
        let moment = Moment::new(&street, 0.0);
        let camera = &rig::stereo(320, 192).cameras[0];
        let frame = moment.film(camera, street.world_from_ego(10.0), 1);
        let gray = frame.image.to_gray();
        let (mut textured, mut solid) = (0, 0);
        for y in (0..184).step_by(8) {
            for x in (0..312).step_by(8) {
                if frame.depth.at(x, y).is_none() {
                    continue;
                }
                let block = (0..64).map(|i| f64::from(gray.at(x + i % 8, y + i / 8)));
                let mean = block.clone().sum::<f64>() / 64.0;
                let deviation = (block.map(|v| (v - mean).powi(2)).sum::<f64>() / 64.0).sqrt();
                solid += 1;
                textured += usize::from(deviation > 2.5);
            }
        }
        assert!(textured * 10 > solid * 9, "{textured} of {solid} blocks have texture");
    }
}
