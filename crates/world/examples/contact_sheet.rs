//! One picture of 24 scenarios of the library, as the front camera sees them:
//! `cargo run --release -p ommatidia-world --example contact_sheet -- SHEET.ppm [SEED]`.
//! `docs/scenarios.jpg` is made so, with the default seed, and converted. Each picture has a seed of its own: SEED and
//! its place on the sheet.

use std::fs::File;
use std::io::{BufWriter, Write};

use ommatidia_scene::{RgbImage, Rig};
use ommatidia_world::scenario::{NAMED, Scenario};
use ommatidia_world::{Drive, DriveOptions, Site, rig};

const COLUMNS: usize = 4;
const ROWS: usize = 6;
const SIZE: [u32; 2] = [480, 270];
/// Rendered at twice the size: a thumbnail shows no single pixels.
const SCALE: u32 = 2;
/// Moments of which the best is taken.
const MOMENTS: usize = 6;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().expect("give the file to write, SHEET.ppm");
    let seed = arguments.next().map_or(1, |text| text.parse().expect("the seed is a whole number"));
    let (width, height) = (SIZE[0] as usize * COLUMNS, SIZE[1] as usize * ROWS);
    let mut sheet = RgbImage::new(width, height, vec![0; 3 * width * height]);
    // Evenly through the library.
    for place in 0..COLUMNS * ROWS {
        let named = &NAMED[place * NAMED.len() / (COLUMNS * ROWS)];
        // A seed of its own: the same one would draw like places and like weather for all.
        let thumbnail = halved(&picture(named.name, seed + place as u64));
        println!("{}: row {}, column {}", named.name, place / COLUMNS + 1, place % COLUMNS + 1);
        let corner = [place % COLUMNS * SIZE[0] as usize, place / COLUMNS * SIZE[1] as usize];
        for y in 0..thumbnail.height {
            let to = 3 * ((corner[1] + y) * width + corner[0]);
            let from = 3 * y * thumbnail.width;
            let row = &thumbnail.data[from..from + 3 * thumbnail.width];
            sheet.data[to..to + row.len()].copy_from_slice(row);
        }
    }
    let mut file = BufWriter::new(File::create(&path).expect("the file can be created"));
    write!(file, "P6\n{width} {height}\n255\n").expect("the file can be written");
    file.write_all(&sheet.data).expect("the file can be written");
}

/// The moment at which most of the picture is other road users.
fn picture(name: &str, seed: u64) -> RgbImage {
    let scenario = Scenario::named(name).expect("the library's names are known");
    let site = Site::build(&scenario, seed).expect("scenarios of the library can be built");
    let size = SIZE.map(|side| side * SCALE);
    let all = rig::preset("nuscenes6", Some(size)).expect("the preset exists at any size");
    let front =
        all.cameras.into_iter().find(|camera| camera.name.to_lowercase().ends_with("front"));
    let rig = Rig { cameras: vec![front.expect("the rig looks ahead")], ..Rig::default() };
    let (frames, rate_hz) = (MOMENTS, MOMENTS as f64 / scenario.duration_s());
    let options = DriveOptions {
        seed,
        frames,
        rate_hz,
        grid: None,
        surface: None,
        ..DriveOptions::default()
    };
    let drive = Drive::new(site, rig, options).expect("the options are within their bounds");
    let shown = |index: &usize| {
        let instances = drive.film(*index).remove(0).into_view("front").instances;
        instances.map_or(0, |pixels| pixels.iter().filter(|&&instance| instance > 0).count())
    };
    let best = (0..frames).max_by_key(shown).unwrap_or(0);
    drive.frame(best).images.remove(0)
}

/// Each pixel the mean of four.
fn halved(image: &RgbImage) -> RgbImage {
    let (width, height) = (image.width / 2, image.height / 2);
    let at = |x: usize, y: usize, channel: usize| {
        u16::from(image.data[3 * (y * image.width + x) + channel])
    };
    let mean = |index: usize| {
        let (pixel, channel) = (index / 3, index % 3);
        let (x, y) = (2 * (pixel % width), 2 * (pixel / width));
        let sum = at(x, y, channel)
            + at(x + 1, y, channel)
            + at(x, y + 1, channel)
            + at(x + 1, y + 1, channel);
        (sum / 4) as u8
    };
    RgbImage::new(width, height, (0..3 * width * height).map(mean).collect())
}
