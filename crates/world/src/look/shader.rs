//! From a point on a surface to the light that leaves it towards the eye.

use super::contact::Contacts;
use super::lamps::Lamps;
use super::sky::Sky;
use super::surface::{Prepared, Surface, wet};
use super::vector::{add, dot, lerp, mul, normalise, scale, sub};
use super::{Environment, Lamp, Material, Texture};
use crate::motion::Motion;
use crate::noise::mix;
use crate::site::{MaterialId, Site};
use ommatidia_geometry::Pose;

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
    materials: Vec<Prepared>,
    sky: Sky,
    lamps: Lamps,
    contacts: Contacts,
    wetness: f32,
    seed: u64,
}

/// Radiance of a bright lit window: about 50 cd/m².
const LIT_WINDOW: [f32; 3] = [0.0022, 0.0016, 0.0009];
/// Share of windows that are lit.
const LIT_SHARE: u32 = 90;
/// Reflection at normal incidence of lacquer, glass and stone (Schlick 1994, refractive index 1.5), of water.
const DIELECTRIC: f32 = 0.04;
/// Below this gloss a surface is matt.
const MATT: f32 = 0.04;
/// Where the lamps of the vehicle that films sit on it, metres.
const OWN_LAMPS_M: [[f64; 3]; 2] = [[3.6, 0.65, 0.68], [3.6, -0.65, 0.68]];

/// A part of a low beam.
struct OwnBeam {
    /// In units of full sun at 1 m.
    colour: [f32; 3],
    /// Outwards from straight ahead, and below the horizon, radians.
    out_rad: f64,
    down_rad: f64,
    half_rad: f32,
}

/// One side's low beam: far and narrow, outwards, near and wide. Strengths after UNECE R112 (some 15,000 cd
/// towards the road at 50 m); full sun is 100,000 lx.
const OWN_BEAMS: [OwnBeam; 3] = [
    OwnBeam { colour: [0.16, 0.155, 0.14], out_rad: 0.0, down_rad: 0.075, half_rad: 0.10 },
    OwnBeam { colour: [0.06, 0.058, 0.053], out_rad: 0.20, down_rad: 0.11, half_rad: 0.18 },
    OwnBeam { colour: [0.006, 0.0059, 0.0054], out_rad: 0.1, down_rad: 0.25, half_rad: 0.75 },
];

impl Shader {
    /// For the materials of a site, which hits refer to by index. Textures are baked at their first use
    /// in the process.
    pub fn new(materials: &[Material], environment: &Environment, seed: u64) -> Self {
        Self {
            materials: materials.iter().map(Prepared::new).collect(),
            sky: Sky::new(environment, seed),
            lamps: Lamps::default(),
            contacts: Contacts::default(),
            wetness: (environment.wetness as f32).clamp(0.0, 1.0),
            seed,
        }
    }

    /// Moves the lamps, and what darkens the ground below it, to where they are at a time (s). Call it
    /// once before the rays of that moment.
    pub fn set_moment(&mut self, site: &Site, time_s: f64) {
        self.contacts = Contacts::new(site, time_s);
        if self.sky.night() == 0.0 {
            return;
        }
        let world_from_ego = site.ego.at(time_s);
        let own = OWN_LAMPS_M.into_iter().flat_map(|at| {
            OWN_BEAMS.iter().map(move |beam| {
                let out_rad = beam.out_rad * at[1].signum();
                let turn = nalgebra::UnitQuaternion::from_euler_angles(0.0, beam.down_rad, out_rad);
                Lamp {
                    motion: Motion::Still(world_from_ego * Pose::new(turn, at.into())),
                    colour: beam.colour,
                    half_angle_rad: beam.half_rad,
                }
            })
        });
        let all: Vec<Lamp> = site.lamps.iter().cloned().chain(own).collect();
        self.lamps = Lamps::new(&all, time_s);
    }

    /// Direction to the sun in `World`; `None` when it gives no light (no shadow rays are needed then).
    pub fn to_sun(&self) -> Option<[f32; 3]> {
        self.sky.to_sun()
    }

    /// Light that leaves a surface towards the eye, before the air between them.
    pub fn shade(&self, hit: &SurfaceHit) -> [f32; 3] {
        let prepared = &self.materials[hit.material.0 as usize];
        let material = prepared.material();
        let hash = mix(self.seed ^ u64::from(hit.instance)) as u32;
        let mut surface = prepared.surface(hit, hash);
        if self.wetness > 0.0 {
            wet(&mut surface, hit.normal_in_world, self.wetness, porous(material.texture));
        }
        let open =
            if hit.normal_in_world[2] > 0.7 { self.contacts.open_sky(hit.p_in_world) } else { 1.0 };
        let n = surface.normal;
        let facing = dot(n, self.sky.sun_direction()).max(0.0) * hit.sun_visible;
        let mut diffuse =
            add(scale(self.sky.sun_colour(), facing), scale(self.sky.ambient(n), open));
        let mut shine = [0.0; 3];
        let gloss = surface.gloss;
        let eye = scale(hit.direction, -1.0);
        if !self.lamps.is_empty() {
            self.lamps.at(hit.p_in_world, |beam| {
                let facing = dot(n, beam.to_lamp).max(0.0);
                diffuse = add(diffuse, scale(beam.colour, facing));
                if gloss > MATT {
                    shine = add(shine, scale(beam.colour, highlight(n, beam.to_lamp, eye, gloss)));
                }
            });
        }
        let mut light = mul(surface.albedo, diffuse);
        if gloss > MATT {
            if facing > 0.0 {
                let strength = highlight(n, self.sky.sun_direction(), eye, gloss) * hit.sun_visible;
                shine = add(shine, scale(self.sky.sun_colour(), strength));
            }
            let mirrored = scale(self.mirrored(&surface, hit.direction), open);
            let mirrored = add(mirrored, shine);
            light = polished(light, mirrored, &surface, hit.direction, material.texture);
        }
        if material.emission > 0.0 {
            light = add(light, scale(surface.albedo, material.emission));
        }
        if surface.pane != 0 && self.sky.night() > 0.0 {
            light = add(light, self.lit_pane(&surface));
        }
        light
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

    /// What a surface mirrors of sky and street; rough ones blur it.
    #[inline]
    fn mirrored(&self, surface: &Surface, direction: [f32; 3]) -> [f32; 3] {
        let n = surface.normal;
        let mirror = normalise(sub(direction, scale(n, 2.0 * dot(n, direction))));
        let smooth = surface.gloss * surface.gloss;
        lerp(self.sky.ambient(mirror), self.sky.mirrored(mirror), smooth)
    }

    /// Rooms with the light on.
    fn lit_pane(&self, surface: &Surface) -> [f32; 3] {
        let h = surface.pane;
        if (h >> 8) & 0xff >= LIT_SHARE {
            return [0.0; 3];
        }
        let level = 0.12 + 1.1 * (((h >> 16) & 0xff) as f32 / 255.0).powi(2);
        let cold = ((h >> 24) & 0x7f) as f32 / 127.0;
        let tone = lerp(LIT_WINDOW, [0.0015, 0.0016, 0.0017], cold * cold * cold);
        let inside = surface.mark * self.sky.night() * level;
        // What stands in the room shows against the light.
        let pattern = 0.45 + 6.0 * surface.albedo[1].min(0.12);
        scale(tone, inside * pattern)
    }
}

/// Puts a mirror image on the light that a surface scatters.
#[inline]
fn polished(
    light: [f32; 3],
    mirrored: [f32; 3],
    surface: &Surface,
    direction: [f32; 3],
    texture: Texture,
) -> [f32; 3] {
    let grazing = (1.0 + dot(surface.normal, direction)).clamp(0.0, 1.0);
    let power = grazing * grazing;
    let power = power * power * grazing;
    let gloss = surface.gloss;
    if texture == Texture::Metal {
        let tint = lerp(surface.albedo, [1.0; 3], power);
        return lerp(light, mul(mirrored, tint), gloss);
    }
    // Rough surfaces scatter the grazing mirror image away.
    // Panes have two faces.
    let faces = if texture == Texture::Glass { 2.0 } else { 1.0 };
    let fresnel = faces * DIELECTRIC + (1.0 - faces * DIELECTRIC) * power;
    lerp(light, mirrored, fresnel * gloss * (0.35 + 0.65 * gloss))
}

/// Reflection of a small source by a surface of this gloss, times pi over its irradiance's radiance: the
/// normalised Blinn-Phong lobe (Blinn 1977; normalisation of Lewis 1994).
#[inline]
fn highlight(n: [f32; 3], to_light: [f32; 3], eye: [f32; 3], gloss: f32) -> f32 {
    let facing = dot(n, to_light);
    if facing <= 0.0 {
        return 0.0;
    }
    let half = normalise(add(to_light, eye));
    let aligned = dot(n, half).max(0.0);
    let exponent = (9.5 * gloss + 1.0).exp2();
    let fresnel_angle = 1.0 - dot(half, to_light).clamp(0.0, 1.0);
    let fresnel = DIELECTRIC + (1.0 - DIELECTRIC) * fresnel_angle.powi(5);
    // `polished` weighs what it is given with the mirror's share; this is relative to that.
    (fresnel / DIELECTRIC).min(8.0) * (exponent + 2.0) / 8.0 * aligned.powf(exponent) * facing
}

/// Takes up water and darkens.
fn porous(texture: Texture) -> bool {
    !matches!(
        texture,
        Texture::Lacquer
            | Texture::Metal
            | Texture::Glass
            | Texture::Rubber
            | Texture::Sign
            | Texture::Plain
    )
}
