//! Draws a road network from above: `map <urban|suburban|rural|motorway> <seed> <length_m> <out.ppm>`
//! and optionally `<x> <y> <metres across>` for a part of it.

use std::io::Write;

use ommatidia_world::roads::{GroundClass, Network, NetworkOptions, Setting};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [setting, seed, length, path, rest @ ..] = args.as_slice() else {
        return Err("usage: map <setting> <seed> <length_m> <out.ppm> [<x> <y> <metres>]".into());
    };
    let setting = setting.parse::<Setting>()?;
    let options =
        NetworkOptions { setting, length_m: length.parse()?, ..NetworkOptions::default() };
    let network = Network::generate(&options, seed.parse()?)?;
    let [x, y] = network.ground.extent_m();
    let (mut centre, mut across) =
        ([0.5 * (x[0] + x[1]), 0.5 * (y[0] + y[1])], (x[1] - x[0]).max(y[1] - y[0]));
    if let [x, y, metres] = rest {
        (centre, across) = ([x.parse()?, y.parse()?], metres.parse()?);
    }
    let side = 1400usize;
    let step = across / side as f64;
    let mut pixels = Vec::with_capacity(3 * side * side);
    for row in 0..side {
        for column in 0..side {
            let x = centre[0] + (column as f64 - 0.5 * side as f64) * step;
            let y = centre[1] - (row as f64 - 0.5 * side as f64) * step;
            let colour = network.ground(x, y).map_or([0, 0, 0], |ground| {
                let base = match ground.class {
                    GroundClass::Road => [90, 90, 95],
                    GroundClass::Marking => [250, 250, 240],
                    GroundClass::Parking => [120, 100, 130],
                    GroundClass::Sidewalk => [190, 170, 160],
                    GroundClass::Terrain => [100, 140, 70],
                    GroundClass::Other => [160, 150, 130],
                };
                let light = (0.6 + 3.0 * ground.normal.x + 0.4 * ground.normal.z).clamp(0.2, 1.2);
                base.map(|value| (f64::from(value) * light).min(255.0) as u8)
            });
            pixels.extend(colour);
        }
    }
    for lane in &network.lanes {
        let ink: [u8; 3] = if lane.in_intersection() { [255, 80, 60] } else { [60, 160, 255] };
        let steps = (lane.length_m() / step) as usize;
        for i in 0..=steps {
            let p = lane.at(i as f64 * step).p_m;
            let column = ((p.x - centre[0]) / step + 0.5 * side as f64) as usize;
            let row = (0.5 * side as f64 - (p.y - centre[1]) / step) as usize;
            if column < side && row < side {
                pixels[3 * (row * side + column)..][..3].copy_from_slice(&ink);
            }
        }
    }
    let mut file = std::fs::File::create(path)?;
    writeln!(file, "P6 {side} {side} 255")?;
    file.write_all(&pixels)?;
    println!(
        "{} lanes, {} junctions, {} crossings, {} walks, {} places, {} facets",
        network.lanes.len(),
        network.junctions.len(),
        network.crossings.len(),
        network.walks.len(),
        network.parking.len(),
        network.ground.facets.len()
    );
    Ok(())
}
