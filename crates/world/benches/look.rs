//! What a hit, a pixel of sky and a developed pixel cost: `cargo bench -p ommatidia-world --bench look`.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use ommatidia_world::imaging::{CameraImaging, Imager, LinearImage, Shot};
use ommatidia_world::look::{Environment, Material, Shader, SurfaceHit, Texture};
use ommatidia_world::site::MaterialId;

fn main() {
    divan::main();
}

const HITS: usize = 4096;

/// Rows of pixels of a camera 1.5 m above the ground, or beside a wall.
fn hits(wall: bool) -> Vec<SurfaceHit> {
    let hit = |i: usize| {
        let (right, down) = ((i % 64) as f32 / 400.0, 0.04 + (i / 64) as f32 / 400.0);
        let length = (1.0 + right * right + down * down).sqrt();
        let direction = [1.0 / length, -right / length, -down / length];
        let distance_m = 1.5 / (down / length);
        let p: [f32; 3] = std::array::from_fn(|axis| direction[axis] * distance_m);
        let normal = if wall { [-0.8, 0.6, 0.0] } else { [0.0, 0.0, 1.0] };
        SurfaceHit {
            p_in_part: p,
            normal_in_part: normal,
            p_in_world: p,
            normal_in_world: normal,
            direction,
            distance_m,
            footprint_m: distance_m / 600.0,
            material: MaterialId(0),
            instance: 7,
            sun_visible: 1.0,
        }
    };
    (0..HITS).map(hit).collect()
}

fn shade(bencher: Bencher<'_, '_>, texture: Texture, gloss: f32, environment: &Environment) {
    let material = Material { texture, colour: [0.2; 3], gloss, emission: 0.0 };
    let shader = Shader::new(&[material], environment, 1);
    let hits = hits(!matches!(texture, Texture::Asphalt | Texture::Plain));
    bencher.counter(ItemsCount::new(HITS)).bench_local(|| {
        let mut sum = 0.0;
        for hit in &hits {
            sum += shader.shade(black_box(hit))[1];
        }
        sum
    });
}

#[divan::bench]
fn plain(bencher: Bencher<'_, '_>) {
    shade(bencher, Texture::Plain, 0.0, &Environment::default());
}

#[divan::bench]
fn asphalt(bencher: Bencher<'_, '_>) {
    shade(bencher, Texture::Asphalt, 0.03, &Environment::default());
}

#[divan::bench]
fn wet_asphalt(bencher: Bencher<'_, '_>) {
    shade(bencher, Texture::Asphalt, 0.03, &Environment { wetness: 1.0, ..Environment::default() });
}

#[divan::bench]
fn facade(bencher: Bencher<'_, '_>) {
    shade(bencher, Texture::Facade, 0.0, &Environment::default());
}

#[divan::bench]
fn lacquer(bencher: Bencher<'_, '_>) {
    shade(bencher, Texture::Lacquer, 0.9, &Environment::default());
}

#[divan::bench]
fn sky(bencher: Bencher<'_, '_>) {
    let shader = Shader::new(&[], &Environment { cloud: 0.5, ..Environment::default() }, 1);
    let hits = hits(false);
    bencher.counter(ItemsCount::new(HITS)).bench_local(|| {
        let up = hits.iter().map(|hit| [hit.direction[0], hit.direction[1], -hit.direction[2]]);
        up.map(|direction| shader.sky(black_box(direction))[1]).sum::<f32>()
    });
}

#[divan::bench]
fn develop(bencher: Bencher<'_, '_>) {
    let (width, height) = (704, 396);
    let rgb = (0..width * height).map(|i| [(i % 97) as f32 / 200.0; 3]).collect();
    let light = LinearImage::new(width, height, rgb);
    let imager = Imager::new(&CameraImaging::default(), width, height, 1).expect("default camera");
    bencher.counter(ItemsCount::new(width * height)).bench_local(|| {
        let exposure = imager.meter(&light);
        imager.develop(&light, &exposure, &Shot::default())
    });
}
