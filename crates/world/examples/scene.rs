//! One picture of a scenario: `scene OUT.ppm [SCENARIO] [SEED] [TIME_S] [RIG] [CAMERA] [WIDTH HEIGHT]`.

use ommatidia_world::scenario::Scenario;
use ommatidia_world::site::Site;
use ommatidia_world::{Drive, DriveOptions, rig};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let text = |i: usize, default: &'static str| arguments.get(i).map_or(default, String::as_str);
    let started = std::time::Instant::now();
    let site = Site::build(&Scenario::named(text(2, "cut_in"))?, text(3, "1").parse()?)?;
    let triangles: usize =
        site.instances.iter().map(|i| site.meshes[i.mesh.0 as usize].triangles.len()).sum();
    eprintln!("built {triangles} triangles in {:.2} s", started.elapsed().as_secs_f64());
    let size = [text(7, "1280").parse()?, text(8, "720").parse()?];
    let mut rig = rig::preset(text(5, "nuscenes6"), Some(size))?;
    let camera = rig.camera_index(text(6, "CAM_FRONT")).ok_or("the rig has no such camera")?;
    rig.cameras = vec![rig.cameras[camera].clone()];
    let options =
        DriveOptions { grid: None, surface: None, frames: 1000, ..DriveOptions::default() };
    let drive = Drive::new(site, rig, options)?;
    let time_s: f64 = text(4, "2").parse()?;
    let started = std::time::Instant::now();
    let frame = drive.frame((time_s * drive.options.rate_hz) as usize);
    eprintln!("filmed in {:.2} s", started.elapsed().as_secs_f64());
    let image = &frame.images[0];
    let mut bytes = format!("P6 {} {} 255\n", image.width, image.height).into_bytes();
    bytes.extend_from_slice(&image.data);
    Ok(std::fs::write(text(1, "scene.ppm"), bytes)?)
}
