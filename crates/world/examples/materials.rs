//! Every texture in one picture, near and far: `materials OUT.ppm [day|dusk|night|rain|fog|overcast]`.
//! Each panel shows a floor or a wall that runs away from the camera, and a ball of the same stuff.

use nalgebra::{UnitQuaternion, Vector3};
use ommatidia_geometry::Pose;
use ommatidia_world::imaging::{CameraImaging, Imager, LinearImage, Shot};
use ommatidia_world::look::{Environment, Lamp, Material, Shader, SurfaceHit, Texture};
use ommatidia_world::motion::Motion;
use ommatidia_world::site::{MaterialId, Site};

/// Texture, colour, gloss, stands upright.
type Entry = (Texture, [f32; 3], f32, bool);

const ENTRIES: [Entry; 20] = [
    (Texture::Asphalt, [0.09, 0.09, 0.092], 0.05, false),
    (Texture::RoadPaint, [0.62, 0.62, 0.58], 0.1, false),
    (Texture::Concrete, [0.32, 0.31, 0.29], 0.0, false),
    (Texture::Paving, [0.26, 0.22, 0.20], 0.0, false),
    (Texture::Grass, [0.09, 0.14, 0.04], 0.0, false),
    (Texture::Soil, [0.17, 0.13, 0.09], 0.0, false),
    (Texture::Facade, [0.55, 0.50, 0.40], 0.0, true),
    (Texture::Facade, [0.42, 0.20, 0.14], 0.0, true),
    (Texture::Brick, [0.36, 0.15, 0.10], 0.0, true),
    (Texture::Plaster, [0.60, 0.55, 0.44], 0.0, true),
    (Texture::Tiles, [0.36, 0.14, 0.08], 0.0, true),
    (Texture::Wood, [0.28, 0.19, 0.11], 0.0, true),
    (Texture::Metal, [0.45, 0.46, 0.48], 0.5, true),
    (Texture::Bark, [0.18, 0.14, 0.10], 0.0, true),
    (Texture::Foliage, [0.06, 0.12, 0.025], 0.1, true),
    (Texture::Lacquer, [0.35, 0.02, 0.02], 0.9, true),
    (Texture::Glass, [0.03, 0.035, 0.04], 0.95, true),
    (Texture::Rubber, [0.03, 0.03, 0.03], 0.2, true),
    (Texture::Cloth, [0.10, 0.14, 0.28], 0.0, true),
    (Texture::Sign, [0.02, 0.10, 0.45], 0.3, true),
];
const PANEL: [usize; 2] = [400, 260];
const COLUMNS: usize = 4;
const EYE_M: [f32; 3] = [0.0, 0.0, 1.5];
/// Of a pixel, radians.
const PIXEL: f32 = 1.0 / 330.0;

fn environment(name: &str) -> Environment {
    let clear = Environment { sun_azimuth_rad: -2.2, ..Environment::default() };
    match name {
        "dusk" => Environment { sun_elevation_rad: 0.04, cloud: 0.3, ..clear },
        "night" => Environment { sun_elevation_rad: -0.5, ..clear },
        "overcast" => Environment { cloud: 1.0, ..clear },
        "rain" => {
            let visibility_m = 2500.0;
            Environment { cloud: 1.0, rain_mm_h: 8.0, visibility_m, wetness: 0.9, ..clear }
        }
        "fog" => Environment { cloud: 0.8, visibility_m: 60.0, ..clear },
        _ => clear,
    }
}

/// A vehicle with its beams on, and two lanterns.
fn lamps() -> Site {
    let lantern = |x: f64| Lamp {
        motion: Motion::Still(Pose::new(
            UnitQuaternion::from_euler_angles(0.0, std::f64::consts::FRAC_PI_2, 0.0),
            Vector3::new(x, 3.0, 7.0),
        )),
        colour: [0.016, 0.012, 0.007],
        half_angle_rad: 1.25,
    };
    let ego = Motion::Still(Pose::new(UnitQuaternion::identity(), Vector3::new(-2.0, 0.0, 0.0)));
    Site { lamps: vec![lantern(9.0), lantern(34.0)], ego, ..Site::default() }
}

/// Distance, point, normal: of the ball, or of the floor or wall.
fn cast(direction: [f32; 3], wall: bool) -> Option<(f32, [f32; 3], [f32; 3])> {
    let centre = [5.0, -1.4, 1.0];
    let radius = 0.9;
    let offset: [f32; 3] = std::array::from_fn(|i| EYE_M[i] - centre[i]);
    let dot = |a: [f32; 3], b: [f32; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    let half = dot(offset, direction);
    let under = half * half - dot(offset, offset) + radius * radius;
    let at = |t: f32| -> [f32; 3] { std::array::from_fn(|i| EYE_M[i] + t * direction[i]) };
    if under > 0.0 && -half > under.sqrt() {
        let t = -half - under.sqrt();
        let p = at(t);
        return Some((t, p, std::array::from_fn(|i| (p[i] - centre[i]) / radius)));
    }
    // The wall runs away to the left; below it and elsewhere lies the floor.
    let to_wall = (4.0 - EYE_M[1]) / direction[1];
    let to_floor = -EYE_M[2] / direction[2];
    let ahead = |t: f32| t > 0.0 && t < 300.0;
    if wall && ahead(to_wall) && !(ahead(to_floor) && to_floor < to_wall) && at(to_wall)[2] < 13.0 {
        return Some((to_wall, at(to_wall), [0.0, -1.0, 0.0]));
    }
    ahead(to_floor).then(|| (to_floor, at(to_floor), [0.0, 0.0, 1.0]))
}

fn panel(shader: &Shader, index: usize, light: &mut LinearImage) {
    let wall = ENTRIES[index].3;
    let [left, top] = [index % COLUMNS * PANEL[0], index / COLUMNS * PANEL[1]];
    for y in 0..PANEL[1] {
        for x in 0..PANEL[0] {
            let right = (x as f32 - 0.5 * PANEL[0] as f32) * PIXEL;
            let down = (y as f32 - 0.45 * PANEL[1] as f32) * PIXEL;
            let length = (1.0 + right * right + down * down).sqrt();
            let direction = [1.0 / length, -right / length, -down / length];
            let colour = cast(direction, wall).map_or_else(
                || shader.sky(direction),
                |(distance_m, p, normal)| {
                    let floor = wall && normal == [0.0, 0.0, 1.0];
                    let hit = SurfaceHit {
                        p_in_part: p,
                        normal_in_part: normal,
                        p_in_world: p,
                        normal_in_world: normal,
                        direction,
                        distance_m,
                        footprint_m: distance_m * PIXEL,
                        material: MaterialId(if floor { 0 } else { index as u16 }),
                        instance: index as u32,
                        sun_visible: 1.0,
                    };
                    shader.through_air(shader.shade(&hit), distance_m, direction)
                },
            );
            light.rgb[(top + y) * light.width + left + x] = colour;
        }
    }
}

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let argument =
        |i: usize, default: &str| arguments.get(i).cloned().unwrap_or(default.to_owned());
    let materials = ENTRIES.map(|(texture, colour, gloss, _)| Material {
        texture,
        colour,
        gloss,
        emission: 0.0,
    });
    let environment = environment(&argument(2, "day"));
    let started = std::time::Instant::now();
    let mut shader = Shader::new(&materials, &environment, 1);
    shader.set_moment(&lamps(), 0.0);
    eprintln!("textures baked in {:.2} s", started.elapsed().as_secs_f64());
    let (width, height) = (COLUMNS * PANEL[0], ENTRIES.len().div_ceil(COLUMNS) * PANEL[1]);
    let mut light = LinearImage::new(width, height, vec![[0.0; 3]; width * height]);
    let started = std::time::Instant::now();
    for index in 0..ENTRIES.len() {
        panel(&shader, index, &mut light);
    }
    let per_pixel = started.elapsed().as_secs_f64() / (width * height) as f64;
    eprintln!("cast and shaded: {:.0} ns a pixel on one core", 1e9 * per_pixel);
    let imager = Imager::new(&CameraImaging::default(), width, height, 1).expect("default camera");
    let started = std::time::Instant::now();
    let shot = Shot { rain_mm_h: environment.rain_mm_h, speed_m_s: 8.0, ..Shot::default() };
    let picture = imager.develop(&light, &imager.meter(&light), &shot);
    let per_pixel = started.elapsed().as_secs_f64() / (width * height) as f64;
    eprintln!(
        "developed: {:.0} ns a pixel on {} threads",
        1e9 * per_pixel,
        rayon::current_num_threads()
    );
    let mut bytes = format!("P6 {width} {height} 255\n").into_bytes();
    bytes.extend_from_slice(&picture.data);
    std::fs::write(argument(1, "materials.ppm"), bytes)
}
