//! Writes one frame of the demonstration drive as a PPM picture: `still OUT.ppm [FRAME] [SEED]`.
use ommatidia_world::{StreetDrive as Drive, StreetDriveOptions as DriveOptions};

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |i: usize| arguments.get(i).and_then(|text| text.parse().ok());
    let options = DriveOptions { seed: number(3).unwrap_or(1) as u64, ..DriveOptions::default() };
    let frame = Drive::new(options).frame(number(2).unwrap_or(0));
    let image = &frame.images[0];
    let mut bytes = format!("P6 {} {} 255\n", image.width, image.height).into_bytes();
    bytes.extend_from_slice(&image.data);
    std::fs::write(arguments.get(1).map_or("still.ppm", String::as_str), bytes)
}
