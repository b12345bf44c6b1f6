//! From a point on a surface to the light that leaves it towards the eye.

use super::sky::Sky;
use super::vector::{add, dot, hash3, lerp, mul, scale};
use super::{Environment, Material};
use crate::noise::mix;
use crate::site::{MaterialId, Site};

/// What a ray found, in the frames that shading needs. Vectors without unit are normalised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SurfaceHit {
    /// Where, in the frame `Part` of the mesh, metres: textures are fixed to it.
    pub p_in_part: [f32; 3],
    /// Normal of the face in the frame `Part`, towards the ray's origin.
    pub normal_in_part: [f32; 3],
    /// Where, in the site's `World`, metres.
    pub p_in_world: [f32; 3],
    /// Normal of the face in `World`, towards the ray's origin.
    pub normal_in_world: [f32; 3],
    /// Direction of the ray in `World`, away from the eye.
    pub direction: [f32; 3],
    /// From the eye, metres.
    pub distance_m: f32,
    /// What a pixel covers across the ray at this distance, metres: distance times the pixel's angle.
    /// The slant of the surface is accounted for by the shader.
    pub footprint_m: f32,
    /// Material of the face.
    pub material: MaterialId,
    /// Index into [`Site::instances`]: things of one kind differ by it.
    pub instance: u32,
    /// Share of the sun's disc that the point sees, 0 in shadow to 1.
    pub sun_visible: f32,
}

/// Light and textures of one site. Radiance is linear, in units of a white wall in full sun.
pub struct Shader {
    materials: Vec<Material>,
    sky: Sky,
    seed: u64,
}

impl Shader {
    /// For the materials of a site, which hits refer to by index.
    pub fn new(materials: &[Material], environment: &Environment, seed: u64) -> Self {
        Self { materials: materials.to_vec(), sky: Sky::new(environment, seed), seed }
    }

    /// Moves the lamps, and what darkens the ground below it, to where they are at a time (s). Call it
    /// once before the rays of that moment.
    pub fn set_moment(&mut self, site: &Site, time_s: f64) {
        let _ = (site, time_s);
    }

    /// Direction to the sun in `World`; `None` when it gives no light (no shadow rays are needed then).
    pub fn to_sun(&self) -> Option<[f32; 3]> {
        self.sky.to_sun()
    }

    /// Light that leaves a surface towards the eye, before the air between them.
    pub fn shade(&self, hit: &SurfaceHit) -> [f32; 3] {
        let material = &self.materials[hit.material.0 as usize];
        let albedo = scale(material.colour, self.grain(hit));
        let facing = dot(hit.normal_in_world, self.sky.sun_direction()).max(0.0);
        let sun = scale(self.sky.sun_colour(), facing * hit.sun_visible);
        let light = add(sun, self.sky.ambient(hit.normal_in_world));
        add(mul(albedo, light), scale(material.colour, material.emission))
    }

    /// Radiance of the sky in a direction in `World`.
    pub fn sky(&self, direction: [f32; 3]) -> [f32; 3] {
        self.sky.radiance(direction)
    }

    /// What is left of a radiance behind `distance_m` of air, and what the air adds.
    pub fn through_air(
        &self,
        radiance: [f32; 3],
        distance_m: f32,
        direction: [f32; 3],
    ) -> [f32; 3] {
        lerp(self.sky.air_light(direction), radiance, self.sky.transmittance(distance_m))
    }

    fn grain(&self, hit: &SurfaceHit) -> f32 {
        let cell = hit.p_in_part.map(|x| (x * 20.0).floor() as i32);
        let grain = hash3(mix(self.seed ^ u64::from(hit.instance)), cell);
        let visible = (0.05 / (2.0 * hit.footprint_m)).clamp(0.0, 1.0);
        1.0 + 0.3 * visible * (grain - 0.5)
    }
}
