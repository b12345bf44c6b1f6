use nalgebra::Point3;

use super::*;
use crate::roads::{NetworkOptions, Setting};

const SETTINGS: [Setting; 4] =
    [Setting::Urban, Setting::Suburban, Setting::Rural, Setting::Motorway];

fn site(setting: Setting, seed: u64) -> (Network, Site, Surroundings) {
    let options = NetworkOptions { setting, length_m: 300.0, ..NetworkOptions::default() };
    let network = Network::generate(&options, seed).unwrap();
    let mut site = Site::default();
    let placed = furnish(&network, &SurroundingsOptions::default(), seed, &mut site);
    (network, site, placed)
}

/// What the first triangle of an instance is.
fn name(site: &Site, instance: &crate::site::Instance) -> String {
    let class = site.meshes[instance.mesh.0 as usize].triangles[0].class;
    ommatidia_scene::Taxonomy::driving().class(class).map_or(String::new(), |c| c.name.clone())
}

/// Vehicles may be this high (Council Directive 96/53/EC), metres.
const CLEARANCE_M: f64 = 4.0;

#[test]
fn nothing_stands_on_what_vehicles_drive_on() {
    for seed in 0..4 {
        for setting in SETTINGS {
            let (network, site, _) = site(setting, seed);
            for instance in &site.instances {
                let world_from_part = instance.motion.at(0.0);
                for vertex in &site.meshes[instance.mesh.0 as usize].vertices_m {
                    let [x, y, z] = vertex.map(f64::from);
                    let p = world_from_part * Point3::new(x, y, z);
                    let Some(ground) = network.ground(p.x, p.y) else { continue };
                    let up = p.z - ground.height_m;
                    let clear = !(0.01..=CLEARANCE_M).contains(&up) || !ground.drivable;
                    assert!(
                        clear,
                        "{setting:?} {seed}: {up} m over {p}, of {:?}",
                        name(&site, instance)
                    );
                }
            }
        }
    }
}

#[test]
fn footprints_lie_apart() {
    let (_, _, placed) = site(Setting::Suburban, 3);
    let all = &placed.footprints;
    assert!(all.len() > 50, "{}", all.len());
    for (index, one) in all.iter().enumerate() {
        for other in &all[index + 1..] {
            assert!(!one.overlaps(other), "{one:?} {other:?}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_site_and_another_a_different_one() {
    let (_, a, _) = site(Setting::Urban, 1);
    let (_, b, _) = site(Setting::Urban, 1);
    let (_, c, _) = site(Setting::Urban, 2);
    assert_eq!(a.meshes, b.meshes);
    assert_eq!(a.instances, b.instances);
    assert_eq!(a.materials, b.materials);
    assert_ne!(a.instances, c.instances);
}

#[test]
fn a_town_has_what_belongs_to_it() {
    let (_, site, _) = site(Setting::Urban, 1);
    let taxonomy = ommatidia_scene::Taxonomy::driving();
    for name in ["building", "vegetation", "trunk", "pole", "traffic_sign", "other_structure"] {
        let class = taxonomy.id(name).unwrap();
        let found = site.meshes.iter().any(|mesh| mesh.triangles.iter().any(|t| t.class == class));
        assert!(found, "no {name}");
    }
    let triangles: usize = site
        .instances
        .iter()
        .map(|instance| site.meshes[instance.mesh.0 as usize].triangles.len())
        .sum();
    assert!(triangles > 400_000, "{triangles} triangles on 300 m of street");
}

#[test]
fn lamps_burn_at_night_alone() {
    let options = NetworkOptions::default();
    let network = Network::generate(&options, 4).unwrap();
    let count = |elevation: f64| {
        let mut site = Site::default();
        site.environment.sun_elevation_rad = elevation;
        furnish(&network, &SurroundingsOptions::default(), 4, &mut site);
        site.lamps.len()
    };
    assert_eq!(count(0.8), 0);
    assert!(count(-0.2) > 10);
}
