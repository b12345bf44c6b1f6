//! Sun, sky and air.

use super::Environment;
use super::texture::{Tile, clouds};
use super::vector::{add, dot, lerp, mul, normalise, scale, smoothstep};
use crate::noise::{Stream, mix};

/// Light from above at one moment of a day. A white wall in full sun has radiance 1; by day that is about
/// 30,000 cd/m².
pub(crate) struct Sky {
    sun_direction: [f32; 3],
    sun_colour: [f32; 3],
    zenith: [f32; 3],
    horizon: [f32; 3],
    /// Orange around a low sun.
    glow: [f32; 3],
    ground: [f32; 3],
    cloud: f32,
    cloud_lit: [f32; 3],
    cloud_dark: [f32; 3],
    cloud_offset: [f32; 2],
    clouds: &'static Tile,
    /// Of the air, 1/m.
    extinction: f32,
    fog_light: [f32; 3],
    /// Radiance of a white face towards +x, -x, +y, -y, +z, -z (McTaggart 2004, the ambient cube).
    cube: [[f32; 3]; 6],
    night: f32,
}

/// What the ground throws back, on average.
const GROUND_ALBEDO: [f32; 3] = [0.14, 0.13, 0.12];
/// ln(1 / 0.05): contrast falls to 5 % at the visibility (Koschmieder 1924; CIE's threshold).
const KOSCHMIEDER: f32 = 2.995_732;
/// Optical depth of clear air in red, green, blue (Rayleigh at 610, 550, 465 nm, and thin haze).
const OPTICAL_DEPTH: [f32; 3] = [0.10, 0.15, 0.26];
/// Skylight against that of a high sun, by the sun's elevation in degrees: log10. Daylight and twilight
/// illuminances of Seidelmann, *Explanatory Supplement to the Astronomical Almanac*, 1992, table 9.1.
const SKYLIGHT: [[f32; 2]; 9] = [
    [-18.0, -7.5],
    [-12.0, -6.2],
    [-6.0, -3.7],
    [-3.0, -2.5],
    [0.0, -1.45],
    [5.0, -0.75],
    [15.0, -0.32],
    [40.0, -0.05],
    [90.0, 0.0],
];
/// Of a city's lamps in the air: radiance of the sky at night, and what an overcast one throws back more.
const CITY_GLOW: [f32; 3] = [3.4e-6, 2.9e-6, 2.5e-6];
/// Height of a layer of fog, metres.
const FOG_HEIGHT_M: f32 = 90.0;
/// Visibility below which air is fog, metres (WMO).
const FOG_M: f32 = 1000.0;
/// Angular radius of the sun, radians.
const SUN_RADIUS: f32 = 0.004_65;
/// Brightest value of the disc: sensors are full long before.
const SUN_DISC: f32 = 3000.0;
/// Share of the sky that houses and trees leave open to a point on a street.
const OPEN_SKY: f32 = 0.8;

impl Sky {
    pub(crate) fn new(environment: &Environment, seed: u64) -> Self {
        let elevation = environment.sun_elevation_rad as f32;
        let azimuth = environment.sun_azimuth_rad as f32;
        let cloud = (environment.cloud as f32).clamp(0.0, 1.0);
        let flat = elevation.cos();
        let sun_direction = [flat * azimuth.cos(), flat * azimuth.sin(), elevation.sin()];
        let visibility = (environment.visibility_m as f32).max(5.0);
        let fog = smoothstep(3.0 * FOG_M, 0.5 * FOG_M, visibility);
        // Rain: extinction in 1/m from mm/h (Ulbrich and Atlas 1985: 0.21 R^0.67 per km).
        let rain = 0.000_21 * (environment.rain_mm_h.max(0.0) as f32).powf(0.67);
        let extinction = KOSCHMIEDER / visibility + rain;

        let direct = beam(elevation, cloud) * (1.0 - fog);
        let sun_colour = scale(through_atmosphere(elevation), direct);
        let skylight = 10f32.powf(interpolate(&SKYLIGHT, elevation.to_degrees()));
        let low = 1.0 - smoothstep(0.0, 0.35, elevation.abs());
        let clear = lerp([0.090, 0.135, 0.225], [0.07, 0.10, 0.21], low);
        let night_glow = scale(CITY_GLOW, 1.0 + 3.0 * cloud);
        // An overcast sky is thrice as bright above as at its rim (Moon and Spencer 1942).
        let veil = smoothstep(0.55, 0.95, cloud).max(fog);
        let zenith = add(scale(lerp(clear, [0.21, 0.215, 0.225], veil), skylight), night_glow);
        let rim = lerp([0.27, 0.31, 0.35], [0.34, 0.29, 0.25], low);
        let rim = lerp(rim, [0.125, 0.13, 0.135], veil);
        let horizon = add(scale(rim, skylight), scale(night_glow, 2.5));
        let glow = scale([1.0, 0.42, 0.12], 1.6 * low * skylight * (1.0 - veil));

        let mut stream = Stream::new(mix(seed ^ 0x5c1e));
        let cloud_offset = [stream.range(0.0, 60.0) as f32, stream.range(0.0, 60.0) as f32];
        let cloud_lit = add(scale(lerp([0.62; 3], sun_colour, 0.4), skylight), night_glow);
        let mut sky = Self {
            sun_direction,
            sun_colour,
            zenith,
            horizon,
            glow,
            ground: [0.0; 3],
            cloud,
            cloud_lit: scale(cloud_lit, 1.0 - 0.6 * veil),
            cloud_dark: add(scale([0.13, 0.14, 0.155], skylight), night_glow),
            cloud_offset,
            clouds: clouds(),
            extinction,
            fog_light: [0.0; 3],
            cube: [[0.0; 3]; 6],
            night: smoothstep(0.02, -0.10, elevation),
        };
        let above = sky.gathered([0.0, 0.0, 1.0]);
        let sun_on_ground = scale(sky.sun_colour, elevation.sin().max(0.0));
        sky.ground = mul(GROUND_ALBEDO, add(above, scale(sun_on_ground, 0.6)));
        sky.fog_light = scale(above, 0.85);
        for (axis, face) in AXES.iter().enumerate() {
            sky.cube[axis] = sky.gathered(*face);
        }
        sky
    }

    /// Direction to the sun while it lights anything.
    pub(crate) fn to_sun(&self) -> Option<[f32; 3]> {
        (self.sun_colour[0] > 1e-3 * self.cube[4][0]).then_some(self.sun_direction)
    }

    pub(crate) fn sun_direction(&self) -> [f32; 3] {
        self.sun_direction
    }

    /// Of a white surface that faces the sun.
    pub(crate) fn sun_colour(&self) -> [f32; 3] {
        self.sun_colour
    }

    /// 0 by day, 1 when lamps are needed.
    pub(crate) fn night(&self) -> f32 {
        self.night
    }

    /// Radiance of a white surface with this normal under sky and ground, without the sun.
    #[inline]
    pub(crate) fn ambient(&self, n: [f32; 3]) -> [f32; 3] {
        let side = |axis: usize| self.cube[2 * axis + usize::from(n[axis] < 0.0)];
        let (x, y, z) = (side(0), side(1), side(2));
        std::array::from_fn(|c| n[0] * n[0] * x[c] + n[1] * n[1] * y[c] + n[2] * n[2] * z[c])
    }

    /// What one sees in a direction, through the air.
    pub(crate) fn radiance(&self, direction: [f32; 3]) -> [f32; 3] {
        let mut light = self.clear(direction);
        if self.cloud > 0.0 && direction[2] > 0.01 {
            light = self.clouded(light, direction);
        }
        if self.extinction < 1.0 / FOG_M {
            return light;
        }
        let path = FOG_HEIGHT_M / direction[2].max(0.02);
        lerp(self.fog_light, light, self.transmittance(path))
    }

    /// What a mirror shows: the sky without sun and clouds' detail, a skyline below it, the ground.
    #[inline]
    pub(crate) fn mirrored(&self, direction: [f32; 3]) -> [f32; 3] {
        let [x, y, up] = direction;
        // Houses and trees of a street, uneven: about 5 to 10 degrees high.
        let skyline = 0.09 + 0.10 * (x + 0.6 * y).abs().min(1.0) * (1.0 - y * y);
        let houses = scale(lerp(self.horizon, self.ground, 0.6), 0.65);
        let below = lerp(self.ground, houses, smoothstep(-0.06, 0.02, up));
        let high = up.max(0.0).sqrt();
        let mut sky = lerp(self.horizon, self.zenith, high);
        let cover = 0.5 * self.cloud;
        sky = lerp(sky, self.cloud_lit, cover * (1.0 - 0.5 * cover));
        lerp(below, sky, smoothstep(skyline - 0.03, skyline + 0.03, up))
    }

    pub(crate) fn air_light(&self, direction: [f32; 3]) -> [f32; 3] {
        if self.extinction < 1.0 / FOG_M {
            self.clear(normalise([direction[0], direction[1], 0.03]))
        } else {
            self.fog_light
        }
    }

    #[inline]
    pub(crate) fn transmittance(&self, distance_m: f32) -> f32 {
        (-self.extinction * distance_m).exp()
    }

    /// Sky without clouds.
    fn clear(&self, direction: [f32; 3]) -> [f32; 3] {
        let up = direction[2].max(0.0);
        let towards = dot(direction, self.sun_direction);
        let rim = (1.0 - up).powi(4);
        let base = lerp(self.zenith, self.horizon, rim);
        let near = 0.5 + 0.5 * towards;
        let dusk = near * near * near * rim * rim;
        let mut light = add(base, scale(self.glow, 0.25 * dusk));
        if towards > 0.7 && self.sun_colour[0] > 0.0 {
            let angle_squared = 2.0 * (1.0 - towards);
            let aureole = 0.012 / (angle_squared + 0.004) + 0.25 * (towards - 0.7);
            let disc = smoothstep(1.15 * SUN_RADIUS, 0.85 * SUN_RADIUS, angle_squared.sqrt());
            light = add(light, scale(self.sun_colour, 0.25 * aureole + SUN_DISC * disc));
        }
        light
    }

    fn clouded(&self, behind: [f32; 3], direction: [f32; 3]) -> [f32; 3] {
        let stretch = 14.0 / (direction[2] + 0.10);
        let place = [
            direction[0] * stretch + self.cloud_offset[0],
            direction[1] * stretch + self.cloud_offset[1],
        ];
        let level = self.clouds.level(0.0002 * stretch * stretch);
        let sample = self.clouds.sample(self.clouds.place(place), level);
        // The same heaps, small, fray the edges.
        let fray =
            self.clouds.tap(self.clouds.place(place.map(|x| 7.3 * x)), level + 2.9).mark - 0.42;
        let thickness = sample.mark + 0.22 * fray;
        let threshold = 0.72 - 0.68 * self.cloud;
        let density = smoothstep(threshold, threshold + 0.20, thickness);
        // The side of a cloud towards the sun is bright: the slope of its density.
        let sunward =
            -(sample.slope[0] * self.sun_direction[0] + sample.slope[1] * self.sun_direction[1]);
        let thick = smoothstep(threshold + 0.05, threshold + 0.5, thickness);
        let bright = (0.95 - 0.65 * thick + 0.9 * sunward).clamp(0.0, 1.3);
        let towards = dot(direction, self.sun_direction).max(0.0);
        let silver = 1.0 + 0.8 * towards.powi(12) * (1.0 - thick);
        let cloud = scale(lerp(self.cloud_dark, self.cloud_lit, bright), silver);
        // Towards the horizon clouds fade into the haze.
        let seen = density * smoothstep(0.0, 0.16, direction[2]);
        lerp(behind, cloud, 0.96 * seen)
    }

    /// Mean of sky and ground over a hemisphere, weighted by the cosine.
    fn gathered(&self, normal: [f32; 3]) -> [f32; 3] {
        const ROWS: u32 = 12;
        let (mut sum, mut weight) = ([0.0; 3], 0.0);
        for row in 0..2 * ROWS {
            let up = -1.0 + (row as f32 + 0.5) / ROWS as f32;
            for column in 0..4 * ROWS {
                let turn = std::f32::consts::TAU * (column as f32 + 0.5) / (4 * ROWS) as f32;
                let flat = (1.0 - up * up).sqrt();
                let direction = [flat * turn.cos(), flat * turn.sin(), up];
                let facing = dot(direction, normal).max(0.0);
                let light = if up > 0.0 { self.gathered_from(direction) } else { self.ground };
                sum = add(sum, scale(light, facing));
                weight += facing;
            }
        }
        scale(sum, OPEN_SKY / weight)
    }

    /// The sky as it lights: neither the disc nor its aureole, which the sun's own light covers.
    fn gathered_from(&self, direction: [f32; 3]) -> [f32; 3] {
        let rim = (1.0 - direction[2]).powi(4);
        let base = lerp(self.zenith, self.horizon, rim);
        let near = 0.5 + 0.5 * dot(direction, self.sun_direction);
        let dusk = scale(self.glow, 0.25 * near * near * near * rim * rim);
        let cover = 0.6 * self.cloud;
        lerp(add(base, dusk), lerp(self.cloud_dark, self.cloud_lit, 0.6), cover)
    }
}

const AXES: [[f32; 3]; 6] = [
    [1.0, 0.0, 0.0],
    [-1.0, 0.0, 0.0],
    [0.0, 1.0, 0.0],
    [0.0, -1.0, 0.0],
    [0.0, 0.0, 1.0],
    [0.0, 0.0, -1.0],
];

/// Share of the sun's light that clouds let through to the ground.
fn beam(elevation: f32, cloud: f32) -> f32 {
    smoothstep(-0.01, 0.03, elevation) * (1.0 - smoothstep(0.35, 0.85, cloud))
}

/// Colour of the sun behind the air, against that of a high one. Air mass: Kasten and Young 1989.
fn through_atmosphere(elevation: f32) -> [f32; 3] {
    let degrees = elevation.to_degrees().max(0.0);
    let mass = 1.0 / (elevation.max(0.0).sin() + 0.505_72 * (degrees + 6.079_95).powf(-1.636_4));
    let high = [1.0, 0.955, 0.89];
    std::array::from_fn(|c| high[c] * (-OPTICAL_DEPTH[c] * (mass - 1.15)).exp())
}

fn interpolate(table: &[[f32; 2]], x: f32) -> f32 {
    let x = x.clamp(table[0][0], table[table.len() - 1][0]);
    let next = table.iter().position(|entry| entry[0] >= x).unwrap_or(0).max(1);
    let ([x0, y0], [x1, y1]) = (table[next - 1], table[next]);
    y0 + (y1 - y0) * (x - x0) / (x1 - x0)
}
