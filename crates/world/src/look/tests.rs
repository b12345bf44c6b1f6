use super::*;
use crate::site::{MaterialId, Site};
use ommatidia_geometry::Pose;

fn material(texture: Texture, colour: [f32; 3], gloss: f32) -> Material {
    Material { texture, colour, gloss, emission: 0.0 }
}

fn clear() -> Environment {
    Environment { cloud: 0.0, ..Environment::default() }
}

/// A point of flat ground, seen from 45 degrees above.
fn ground(p_m: [f32; 2], footprint_m: f32) -> SurfaceHit {
    let root = 0.5f32.sqrt();
    SurfaceHit {
        p_in_part: [p_m[0], p_m[1], 0.0],
        normal_in_part: [0.0, 0.0, 1.0],
        p_in_world: [p_m[0], p_m[1], 0.0],
        normal_in_world: [0.0, 0.0, 1.0],
        direction: [root, 0.0, -root],
        distance_m: 5.0,
        footprint_m,
        material: MaterialId(0),
        instance: 3,
        sun_visible: 1.0,
    }
}

/// The same on a wall that looks along -y.
fn wall(p_m: [f32; 2], footprint_m: f32) -> SurfaceHit {
    let root = 0.5f32.sqrt();
    let p = [p_m[0], 0.0, p_m[1]];
    let normal = [0.0, -1.0, 0.0];
    SurfaceHit {
        p_in_part: p,
        normal_in_part: normal,
        p_in_world: p,
        normal_in_world: normal,
        direction: [root, root, 0.0],
        ..ground(p_m, footprint_m)
    }
}

#[test]
fn a_white_wall_in_full_sun_has_radiance_one() {
    let noon = Environment { sun_elevation_rad: 1.5, ..clear() };
    let shader = Shader::new(&[material(Texture::Plain, [1.0; 3], 0.0)], &noon, 1);
    let lit = shader.shade(&ground([0.0, 0.0], 0.01));
    let shadow = shader.shade(&SurfaceHit { sun_visible: 0.0, ..ground([0.0, 0.0], 0.01) });
    assert!((0.95..1.3).contains(&lit[1]), "{lit:?}");
    // Skylight is a tenth to a quarter of it, and blue.
    assert!((0.08..0.3).contains(&shadow[1]) && shadow[2] > shadow[0], "{shadow:?}");
}

#[test]
fn light_falls_from_noon_over_dusk_to_night() {
    let at = |elevation: f64| {
        let environment = Environment { sun_elevation_rad: elevation, ..clear() };
        let shader = Shader::new(&[material(Texture::Plain, [0.5; 3], 0.0)], &environment, 1);
        shader.shade(&ground([0.0, 0.0], 0.01))[1]
    };
    let levels: Vec<f32> = [1.2, 0.5, 0.1, 0.0, -0.05, -0.1, -0.2, -0.4].map(at).into();
    assert!(levels.windows(2).all(|pair| pair[1] < pair[0]), "{levels:?}");
    assert!(levels[7] < 1e-5 * levels[0] && levels[7] > 0.0, "{levels:?}");
}

#[test]
fn a_lamp_follows_the_inverse_square_and_its_cone() {
    let night = Environment { sun_elevation_rad: -0.6, ..clear() };
    let mut shader = Shader::new(&[material(Texture::Plain, [1.0; 3], 0.0)], &night, 1);
    let down = nalgebra::UnitQuaternion::from_euler_angles(0.0, std::f64::consts::FRAC_PI_2, 0.0);
    let lit = |height: f64, shader: &mut Shader, x: f32| {
        let pose = Pose::new(down, nalgebra::Vector3::new(200.0, 0.0, height));
        let lamp = Lamp {
            motion: crate::motion::Motion::Still(pose),
            colour: [0.1; 3],
            half_angle_rad: 0.5,
        };
        shader.set_moment(&Site { lamps: vec![lamp], ..Site::default() }, 0.0);
        shader.shade(&ground([x, 0.0], 0.01))[1]
    };
    let (near, far) = (lit(4.0, &mut shader, 200.0), lit(8.0, &mut shader, 200.0));
    assert!((near / far - 4.0).abs() < 0.2, "{near} {far}");
    assert!((near - 0.1 / 16.0).abs() < 0.001, "{near}");
    assert!(lit(8.0, &mut shader, 206.0) < 0.02 * far);
}

#[test]
fn contrast_falls_to_a_twentieth_at_the_visibility() {
    let fog = Environment { visibility_m: 120.0, ..clear() };
    let shader = Shader::new(&[], &fog, 1);
    let ahead = [1.0, 0.0, 0.0];
    let at = |radiance: f32| shader.through_air([radiance; 3], 120.0, ahead)[1];
    assert!(((at(1.0) - at(0.0)) - 0.05).abs() < 0.002);
    assert_eq!(shader.through_air([0.3; 3], 0.0, ahead), [0.3; 3]);
}

#[test]
fn water_darkens_the_road_and_mirrors_the_sky() {
    let dry = Environment { cloud: 1.0, ..clear() };
    let wet = Environment { wetness: 1.0, ..dry };
    let road = [material(Texture::Asphalt, [0.1; 3], 0.05)];
    let mean = |environment: &Environment, direction: [f32; 3]| {
        let shader = Shader::new(&road, environment, 1);
        let of = |i: usize| {
            let p_m = [(i % 16) as f32 * 0.9, (i / 16) as f32 * 0.9];
            shader.shade(&SurfaceHit { direction, ..ground(p_m, 0.05) })[1]
        };
        (0..256).map(of).sum::<f32>() / 256.0
    };
    let steep = ground([0.0, 0.0], 0.0).direction;
    let grazing = [0.995, 0.0, -0.0999];
    assert!(mean(&wet, steep) < 0.9 * mean(&dry, steep));
    assert!(mean(&wet, grazing) > 1.3 * mean(&dry, grazing));
}

#[test]
fn windows_light_up_at_night_and_only_some() {
    let night = Environment { sun_elevation_rad: -0.4, ..clear() };
    let front = [material(Texture::Facade, [0.5; 3], 0.0)];
    let shader = Shader::new(&front, &night, 1);
    let bays = 400;
    let lit = (0..bays)
        .filter(|i| {
            let p_m = [(i % 20) as f32 * 3.0 + 1.3, (i / 20) as f32 * 3.0 + 4.6];
            shader.shade(&wall(p_m, 0.02))[0] > 2e-4
        })
        .count();
    assert!((bays / 8..bays / 2).contains(&lit), "{lit} of {bays}");
}

/// Luminances of `SIDE` x `SIDE` pixels of this size, perpendicular to the surface.
fn patch(shader: &Shader, index: usize, upright: bool, pixel_m: f32) -> Vec<f32> {
    let of = |i: usize| {
        let p_m = [(i % SIDE) as f32 * pixel_m + 1.7, (i / SIDE) as f32 * pixel_m + 4.0];
        let hit = if upright { wall(p_m, pixel_m) } else { ground(p_m, pixel_m) };
        let direction = hit.normal_in_world.map(|n| -n);
        shader.shade(&SurfaceHit { material: MaterialId(index as u16), direction, ..hit })[1]
    };
    (0..SIDE * SIDE).map(of).collect()
}

const SIDE: usize = 96;

/// Root mean square of differences over `lag` pixels, over the mean.
fn structure(values: &[f32], lag: usize) -> f32 {
    let mean = values.iter().sum::<f32>() / values.len() as f32;
    let (mut sum, mut count) = (0.0f32, 0.0f32);
    for y in 0..SIDE {
        for x in 0..SIDE - lag {
            sum += (values[y * SIDE + x + lag] - values[y * SIDE + x]).powi(2);
            count += 1.0;
        }
    }
    (sum / count).sqrt() / mean
}

/// Surfaces that most of a street is made of: what trackers and stereo live on.
const STREET: [(Texture, bool); 12] = [
    (Texture::Asphalt, false),
    (Texture::Concrete, false),
    (Texture::Paving, false),
    (Texture::RoadPaint, false),
    (Texture::Grass, false),
    (Texture::Soil, false),
    (Texture::Facade, true),
    (Texture::Brick, true),
    (Texture::Plaster, true),
    (Texture::Wood, true),
    (Texture::Bark, true),
    (Texture::Foliage, true),
];

#[test]
fn street_surfaces_have_detail_at_every_distance_and_it_is_no_white_noise() {
    let materials = STREET.map(|(texture, _)| material(texture, [0.25; 3], 0.0));
    let shader = Shader::new(&materials, &clear(), 1);
    for (index, (texture, upright)) in STREET.into_iter().enumerate() {
        for pixel_m in [0.002, 0.008, 0.03] {
            let values = patch(&shader, index, upright, pixel_m);
            let fine = structure(&values, 1);
            let [mid, broad] = [4, 16].map(|lag| structure(&values, lag));
            // Neighbours differ by a percent or more, even far away; more so over some pixels.
            assert!(fine > 0.006 && broad > 0.015, "{texture:?} at {pixel_m}: {fine} {broad}");
            assert!(mid > 1.05 * fine || fine > 0.1, "{texture:?} at {pixel_m}: {fine} {mid}");
        }
    }
}

#[test]
fn distance_changes_neither_colour_nor_brightness() {
    let materials = STREET.map(|(texture, _)| material(texture, [0.25; 3], 0.0));
    let shader = Shader::new(&materials, &clear(), 1);
    for (index, (texture, upright)) in STREET.into_iter().enumerate() {
        let mean = |footprint_m: f32| {
            let of = |i: usize| {
                let p_m = [(i % 96) as f32 * 0.397, 3.0 + (i / 96) as f32 * 0.397];
                let hit = if upright { wall(p_m, footprint_m) } else { ground(p_m, footprint_m) };
                shader.shade(&SurfaceHit { material: MaterialId(index as u16), ..hit })[1]
            };
            (0..96 * 96).map(of).sum::<f32>() / (96.0 * 96.0)
        };
        let (near, far) = (mean(0.003), mean(0.6));
        assert!((far / near - 1.0).abs() < 0.15, "{texture:?}: {near} {far}");
    }
}

#[test]
fn instances_of_one_material_differ_but_ground_goes_on() {
    let materials = [Texture::Plaster, Texture::Asphalt].map(|t| material(t, [0.3; 3], 0.0));
    let shader = Shader::new(&materials, &clear(), 1);
    let of = |index: u16, instance: u32| {
        let hit = SurfaceHit { material: MaterialId(index), instance, ..ground([1.0, 2.0], 0.01) };
        shader.shade(&hit)
    };
    assert_ne!(of(0, 1), of(0, 2));
    assert_eq!(of(1, 1), of(1, 2));
}

#[test]
fn radiance_is_finite_and_positive_in_all_directions() {
    for elevation in [1.2, 0.0, -0.5] {
        for cloud in [0.0, 0.5, 1.0] {
            let environment = Environment { sun_elevation_rad: elevation, cloud, ..clear() };
            let shader = Shader::new(&[], &environment, 2);
            for i in 0..2000u32 {
                let up = -1.0 + 2.0 * (i as f32 + 0.5) / 2000.0;
                let turn = i as f32 * 2.399_963;
                let flat = (1.0 - up * up).sqrt();
                let light = shader.sky([flat * turn.cos(), flat * turn.sin(), up]);
                assert!(light.iter().all(|&c| c.is_finite() && c >= 0.0), "{light:?}");
            }
        }
    }
}
