//! Depth of a drive in any format that `omma import` reads, timed.
//!
//! `stereo SOURCE OUT [REPEATS] [--no-motion]` writes `OUT/<frame>_<camera>.bin` for every depth map:
//! width and height as u32, then depth in metres as f32 and confidence as u8 per pixel, all little
//! endian, row by row. Prints one JSON object per frame. `bench/depth/depth.py` reads both.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

use ommatidia_label::stages::depth::{Depth, DepthConfig, DepthInput};
use ommatidia_scene::{DepthMap, GrayImage, Trajectory};
use ommatidia_store::formats::{self, ImportOptions};

type Images = Vec<Option<(ommatidia_geometry::Timestamp, GrayImage)>>;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [source, out, rest @ ..] = &arguments[..] else {
        return Err("usage: stereo SOURCE OUT [REPEATS] [--no-motion]".into());
    };
    let repeats = rest.iter().find_map(|word| word.parse().ok()).unwrap_or(1usize);
    let out = PathBuf::from(out);
    std::fs::create_dir_all(&out)?;
    let source = Path::new(source);
    let mut drive = formats::find("auto", source)?.open(source, &ImportOptions::default())?;
    let header = drive.header();
    let config =
        DepthConfig { temporal: !rest.iter().any(|a| a == "--no-motion"), ..Default::default() };
    let (mut depth, rig) = (Depth::new(&header.rig, &config)?, header.rig.clone());
    let kind = header.trajectory;
    let (mut frames, mut poses): (Vec<Images>, _) = (Vec::new(), Vec::new());
    while let Some(frame) = drive.next_frame()? {
        let decode = |image: &Option<_>| -> Result<_, ommatidia_store::Error> {
            let Some((time, encoded)) = image else { return Ok(None) };
            Ok(Some((*time, ommatidia_store::image::gray(encoded)?)))
        };
        frames.push(frame.images.iter().map(decode).collect::<Result<_, _>>()?);
        poses.extend(frame.poses);
    }
    let trajectory = match kind {
        Some((source, scale)) => Some(Trajectory::new(source, scale, poses)?),
        None => None,
    };
    for (index, current) in frames.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|i| frames.get(i));
        let neighbours: Vec<_> =
            [before, frames.get(index + 1)].into_iter().flatten().map(Vec::as_slice).collect();
        let input = DepthInput {
            current,
            neighbours: &neighbours,
            trajectory: trajectory.as_ref(),
            clouds: &[],
        };
        let mut best_ms = f64::INFINITY;
        let mut output = depth.step(&input);
        for _ in 0..repeats {
            let start = Instant::now();
            output = depth.step(&input);
            best_ms = best_ms.min(1e3 * start.elapsed().as_secs_f64());
        }
        let maps = rig.cameras.iter().zip(&output.maps);
        let mut names = Vec::new();
        for (camera, map) in maps.filter_map(|(camera, map)| Some((camera, map.as_ref()?))) {
            let name = format!("{index:06}_{}.bin", camera.name);
            write(&out.join(&name), map)?;
            names.push(name);
        }
        println!("{}", serde_json::json!({"frame": index, "ms": best_ms, "maps": names}));
        for skipped in &output.skipped {
            eprintln!("{index}: {}: {}", skipped.what, skipped.why);
        }
    }
    Ok(())
}

fn write(path: &Path, map: &DepthMap) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    bytes.extend((map.width as u32).to_le_bytes());
    bytes.extend((map.height as u32).to_le_bytes());
    bytes.extend(map.depth_m.iter().flat_map(|depth| depth.to_le_bytes()));
    bytes.extend(&map.confidence);
    std::fs::write(path, bytes)
}
