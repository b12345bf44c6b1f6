//! A spinning lidar.

use nalgebra::{Point3, Vector3};
use ommatidia_geometry::{Ego, Lidar, Pose};
use ommatidia_kernels::raycast::Workspace;
use ommatidia_scene::PointCloud;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::moment::Moment;
use crate::Error;
use crate::look::{Material, Texture};
use crate::noise::Stream;
use crate::noise::mix;

/// What a lidar is like.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LidarOptions {
    /// Lasers.
    pub beams: u32,
    /// Elevation of the lowest laser, degrees.
    pub lowest_deg: f64,
    /// Elevation of the highest laser, degrees.
    pub highest_deg: f64,
    /// Firings of each laser in a revolution.
    pub columns: u32,
    /// Duration of a revolution, seconds; the sweep's timestamp is its middle. 0 takes it in an instant.
    pub revolution_s: f64,
    /// Reach, metres.
    pub reach_m: f64,
    /// Standard deviation of a range, metres.
    pub noise_m: f64,
    /// Share of returns that are lost for no reason, 0 to 1.
    pub dropout: f64,
    /// Points are given in the sensor's frame at the sweep's timestamp, as data sets publish them; else
    /// in its frame when they were measured, as sensors send them.
    pub compensated: bool,
}

impl Default for LidarOptions {
    /// KITTI's Velodyne HDL-64E S2: 64 lasers from -24.8 to 2 degrees, 0.2 degrees at 10 Hz, 2 cm
    /// (Geiger et al. 2013; manufacturer's manual).
    fn default() -> Self {
        Self {
            beams: 64,
            lowest_deg: -24.8,
            highest_deg: 2.0,
            columns: 1800,
            revolution_s: 0.1,
            reach_m: 120.0,
            noise_m: 0.02,
            dropout: 0.02,
            compensated: true,
        }
    }
}

impl LidarOptions {
    /// All numbers are finite and within bounds.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self) -> Result<(), Error> {
        let bounds = [
            ("lidar.beams", f64::from(self.beams), 1.0, 1024.0),
            ("lidar.lowest_deg", self.lowest_deg, -90.0, 90.0),
            ("lidar.highest_deg", self.highest_deg, self.lowest_deg, 90.0),
            ("lidar.columns", f64::from(self.columns), 1.0, 100_000.0),
            ("lidar.revolution_s", self.revolution_s, 0.0, 1.0),
            ("lidar.reach_m", self.reach_m, 0.1, 2000.0),
            ("lidar.noise_m", self.noise_m, 0.0, 1.0),
            ("lidar.dropout", self.dropout, 0.0, 1.0),
        ];
        for (name, value, low, high) in bounds {
            // Also catches NaN.
            if !(low..=high).contains(&value) {
                return Err(Error::DriveOption { name, value, low, high });
            }
        }
        Ok(())
    }
}

/// A sweep, and what its points are on.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sweep {
    /// Returns.
    pub cloud: PointCloud,
    /// Site instance of each return.
    pub parts: Vec<u32>,
    /// Range of each return without noise and where its ray began, both in the ego frame at the
    /// sweep's timestamp: origin, then end.
    pub rays_in_ego: Vec<[Point3<f64>; 2]>,
}

struct Return {
    p_in_lidar: Point3<f64>,
    ray_in_ego: [Point3<f64>; 2],
    intensity: f32,
    ring: u16,
    offset_ns: i32,
    class: u8,
    instance: u16,
    part: u32,
}

impl Moment<'_> {
    /// One revolution around `time_s`; the moment lasts as long. `seed` makes noise and dropouts.
    ///
    /// A return's intensity is the surface's share of infrared light thrown back, times the cosine of incidence
    /// (Lambert), weakened both ways by rain and fog (Koschmieder's visibility). It is received as the square of
    /// distance has it: a white wall across the ray at the full reach is received with strength 1, and what falls
    /// below a noise of 0.05 to 0.15 is lost. Panes throw 3 % back; what lies behind them is not seen.
    pub fn sweep(
        &self,
        ego_from_lidar: &Pose<Ego, Lidar>,
        options: &LidarOptions,
        time_s: f64,
        seed: u64,
    ) -> Sweep {
        let columns: Vec<Vec<Return>> = (0..options.columns as usize)
            .into_par_iter()
            .map_init(Workspace::default, |workspace, column| {
                self.column(ego_from_lidar, options, (time_s, column), seed, workspace)
            })
            .collect();
        let mut sweep = Sweep::default();
        for found in columns.into_iter().flatten() {
            let p = found.p_in_lidar;
            sweep.cloud.xyz_m.push([p.x as f32, p.y as f32, p.z as f32]);
            sweep.cloud.intensity.push(found.intensity);
            sweep.cloud.ring.push(found.ring);
            sweep.cloud.offset_ns.push(found.offset_ns);
            sweep.cloud.class.push(found.class);
            sweep.cloud.instance.push(found.instance);
            sweep.parts.push(found.part);
            sweep.rays_in_ego.push(found.ray_in_ego);
        }
        sweep
    }

    /// All lasers at one azimuth.
    fn column(
        &self,
        ego_from_lidar: &Pose<Ego, Lidar>,
        options: &LidarOptions,
        (time_s, column): (f64, usize),
        seed: u64,
        workspace: &mut Workspace,
    ) -> Vec<Return> {
        let site = &self.stage.site;
        let turn = (column as f64 + 0.5) / f64::from(options.columns);
        let offset_s = options.revolution_s * (turn - 0.5);
        let world_from_lidar = site.ego.at(time_s + offset_s) * *ego_from_lidar;
        let ego_from_world = site.ego.at(time_s).inverse();
        let lidar_now_from_world = (site.ego.at(time_s) * *ego_from_lidar).inverse();
        let origin = Point3::from(world_from_lidar.translation);
        // Clockwise from above, behind the vehicle first, so that what lies ahead is seen at the timestamp.
        let azimuth = std::f64::consts::PI * (1.0 - 2.0 * turn);
        let extinction = 3.0 / site.environment.visibility_m.max(1.0);
        let mut stream = Stream::new(seed ^ mix(column as u64));
        let mut returns = Vec::new();
        for beam in 0..options.beams {
            let (noise, lost, weak) =
                (stream.normal(), stream.range(0.0, 1.0), stream.range(0.0, 1.0));
            let share = f64::from(beam) / f64::from(options.beams.max(2) - 1);
            let elevation = (options.lowest_deg
                + (options.highest_deg - options.lowest_deg) * share)
                .to_radians();
            let (flat, up) = (elevation.cos(), elevation.sin());
            let ray = Vector3::new(flat * azimuth.cos(), flat * azimuth.sin(), up);
            let direction = world_from_lidar.rotate(&ray);
            let reach_m = options.reach_m;
            let met = self.cast((&origin, &direction), reach_m, time_s + offset_s, workspace);
            let Some(met) = met else { continue };
            let cosine = -met.normal_in_world.dot(&direction);
            let material = &site.materials[usize::from(met.triangle.material.0)];
            let intensity =
                reflectance(material) * cosine.max(0.0) * (-2.0 * extinction * met.distance).exp();
            // A perpendicular white wall at the reach is as strong as noise.
            let strength = intensity * (options.reach_m / met.distance).powi(2);
            if lost < options.dropout || strength < 0.1 * weak + 0.05 {
                continue;
            }
            let range = (met.distance + options.noise_m * noise).max(0.0);
            let p_in_lidar = if options.compensated {
                lidar_now_from_world * (origin + direction * range)
            } else {
                Point3::from(ray * range)
            };
            returns.push(Return {
                p_in_lidar,
                ray_in_ego: [ego_from_world * origin, ego_from_world * met.p_in_world],
                intensity: intensity as f32,
                ring: beam as u16,
                offset_ns: (offset_s * 1e9).round() as i32,
                class: met.triangle.class.0,
                // Clouds have 16 bits for identities: what counts beyond has none, rather than another's.
                instance: u16::try_from(site.instances[met.instance as usize].instance)
                    .unwrap_or(0),
                part: met.instance,
            });
        }
        returns
    }
}

/// Share of infrared light that a surface throws back.
fn reflectance(material: &Material) -> f64 {
    let [r, g, b] = material.colour.map(f64::from);
    let visible = (r + g + b) / 3.0;
    match material.texture {
        Texture::Glass => 0.03,
        // Chlorophyll is bright past 700 nm.
        Texture::Foliage | Texture::Grass => visible.max(0.45),
        // Glass beads and prisms.
        Texture::Sign => 1.0,
        Texture::RoadPaint => visible.max(0.6),
        _ => visible.max(0.03),
    }
}
