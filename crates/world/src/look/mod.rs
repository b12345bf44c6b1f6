//! What surfaces look like, and what light falls on them.

mod contact;
mod lamps;
mod shader;
mod sky;
mod surface;
#[cfg(test)]
mod tests;
mod texture;
mod vector;

pub use shader::{Shader, SurfaceHit};

use crate::motion::Motion;
use ommatidia_geometry::frames;

/// What a surface is made of: a procedural texture and its parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Material {
    /// Kind of texture.
    pub texture: Texture,
    /// Albedo that the texture varies around, linear sRGB primaries, 0 to 1.
    pub colour: [f32; 3],
    /// 0 matt to 1 mirror-like.
    pub gloss: f32,
    /// Light that it gives off by itself, in units of a white wall in full sun.
    pub emission: f32,
}

/// Procedural textures. They are functions of the position on the part (box-projected along the
/// dominant axis of the normal), so meshes carry no texture coordinates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Texture {
    /// One colour.
    Plain,
    /// Road surface with patches, cracks and tyre marks.
    Asphalt,
    /// Slabs and kerbs.
    Concrete,
    /// Paving stones.
    Paving,
    /// Worn paint of markings.
    RoadPaint,
    /// Grass and low plants.
    Grass,
    /// Bare earth, gravel.
    Soil,
    /// Brick wall.
    Brick,
    /// Rendered wall with stains.
    Plaster,
    /// Facade with rows of windows; a storey is 3 m high.
    Facade,
    /// Roof tiles.
    Tiles,
    /// Planks and fences.
    Wood,
    /// Tree bark.
    Bark,
    /// Leaves.
    Foliage,
    /// Lacquered metal of vehicles.
    Lacquer,
    /// Bare or galvanised metal.
    Metal,
    /// Panes.
    Glass,
    /// Tyres, plastics.
    Rubber,
    /// Clothes.
    Cloth,
    /// Skin and fur.
    Skin,
    /// Face of a traffic sign or an advertisement.
    Sign,
}

/// Something that gives light.
#[derive(Debug, Clone, PartialEq)]
pub struct Lamp {
    /// `world_from_part`; it shines along the part's x axis.
    pub motion: Motion<frames::Part>,
    /// Colour and strength at 1 m, in units of a white wall in full sun.
    pub colour: [f32; 3],
    /// Half angle of the cone, radians; pi for all around.
    pub half_angle_rad: f32,
}

/// Light and weather.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Environment {
    /// Height of the sun over the horizon, radians; negative at night.
    pub sun_elevation_rad: f64,
    /// Direction to the sun, counter-clockwise from `World` x, radians.
    pub sun_azimuth_rad: f64,
    /// Share of the sky that clouds cover, 0 to 1.
    pub cloud: f64,
    /// Rain, mm/h.
    pub rain_mm_h: f64,
    /// Distance at which contrast falls to 5 %, metres.
    pub visibility_m: f64,
    /// Wetness of the ground, 0 to 1.
    pub wetness: f64,
}

impl Default for Environment {
    /// A clear forenoon.
    fn default() -> Self {
        Self {
            sun_elevation_rad: 0.8,
            sun_azimuth_rad: 0.9,
            cloud: 0.2,
            rain_mm_h: 0.0,
            visibility_m: 20_000.0,
            wetness: 0.0,
        }
    }
}
