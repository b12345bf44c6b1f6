//! What must hold of every network.

use super::*;

const SETTINGS: [Setting; 4] =
    [Setting::Urban, Setting::Suburban, Setting::Rural, Setting::Motorway];

/// Networks of all settings.
fn networks(seeds: std::ops::Range<u64>) -> impl Iterator<Item = (u64, Setting, Network)> {
    seeds.flat_map(|seed| SETTINGS.map(|setting| (seed, setting))).map(|(seed, setting)| {
        let options = NetworkOptions { setting, ..NetworkOptions::default() };
        let network = Network::generate(&options, seed).expect("the options are in range");
        (seed, setting, network)
    })
}

#[test]
fn ground_lies_under_every_lane() {
    for (seed, setting, network) in networks(0..2) {
        for lane in &network.lanes {
            for station in &lane.stations {
                let ground = network.ground(station.p_m.x, station.p_m.y);
                let ground = ground.unwrap_or_else(|| panic!("{seed} {setting:?}: {station:?}"));
                let error = (ground.height_m - station.p_m.z).abs();
                assert!(error < 0.005, "{seed} {setting:?}: {error} m at {station:?}");
                assert!(ground.drivable, "{seed} {setting:?}: {station:?} on {ground:?}");
            }
        }
    }
}
