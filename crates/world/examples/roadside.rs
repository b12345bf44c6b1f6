//! Films one street from the first driving lane, without traffic:
//! `roadside <urban|suburban|rural|motorway> <seed> <metres along> <out.ppm> [<camera>]`.

use std::io::Write;

use ommatidia_world::motion::Motion;
use ommatidia_world::roads::{LaneKind, Network, NetworkOptions, Setting};
use ommatidia_world::site::Site;
use ommatidia_world::surroundings::{SurroundingsOptions, furnish};
use ommatidia_world::{Drive, DriveOptions, rig};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [setting, seed, along, path, rest @ ..] = args.as_slice() else {
        return Err("usage: roadside <setting> <seed> <metres along> <out.ppm> [<camera>]".into());
    };
    let setting = setting.parse::<Setting>()?;
    let seed = seed.parse()?;
    let options = NetworkOptions { setting, ..NetworkOptions::default() };
    let network = Network::generate(&options, seed)?;
    let mut site = Site::default();
    network.add_ground(&mut site);
    furnish(&network, &SurroundingsOptions::default(), seed, &mut site);
    let triangles: usize = site
        .instances
        .iter()
        .map(|instance| site.meshes[instance.mesh.0 as usize].triangles.len())
        .sum();
    println!(
        "{} meshes, {} instances, {triangles} triangles placed, {} stored",
        site.meshes.len(),
        site.instances.len(),
        site.meshes.iter().map(|mesh| mesh.triangles.len()).sum::<usize>(),
    );
    // Along the main road from its start, through what leads straight on.
    let mut rest_m: f64 = along.parse()?;
    let first = |lane: &&ommatidia_world::roads::Lane| {
        lane.kind == LaneKind::Driving
            && lane.predecessors.is_empty()
            && lane.stations[0].p_m.x < 1.0
    };
    let mut lane = network.lanes.iter().rfind(first).ok_or("no lane begins here")?;
    while rest_m > lane.length_m() {
        let bend = |id: &&ommatidia_world::roads::LaneId| {
            let next = network.lane(**id);
            let turn =
                next.stations[next.stations.len() - 1].heading_rad - next.stations[0].heading_rad;
            (turn.abs() * 1000.0) as i64
        };
        let Some(next) = lane.successors.iter().min_by_key(bend) else { break };
        rest_m -= lane.length_m();
        lane = network.lane(*next);
    }
    site.ego = Motion::Still(lane.world_from_lane(rest_m, 0.0));
    site.roads = network.clone();
    let options = DriveOptions { frames: 1, grid: None, surface: None, ..DriveOptions::default() };
    let mut rig = rig::preset("surround8", Some([960, 540]))?;
    let camera = rest.first().and_then(|index| index.parse().ok()).unwrap_or(0usize);
    rig.cameras = vec![rig.cameras[camera].clone()];
    rig.lidars.clear();
    let frame = Drive::new(site, rig, options)?.frame(0);
    let image = &frame.images[0];
    let mut file = std::fs::File::create(path)?;
    writeln!(file, "P6 {} {} 255", image.width, image.height)?;
    file.write_all(&image.data)?;
    Ok(())
}
