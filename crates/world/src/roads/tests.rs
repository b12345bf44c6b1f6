//! What must hold of every network.

use nalgebra::{UnitQuaternion, Vector3};
use ommatidia_geometry::Pose;
use proptest::prelude::*;

use super::*;

const SETTINGS: [Setting; 4] =
    [Setting::Urban, Setting::Suburban, Setting::Rural, Setting::Motorway];

fn network(setting: Setting, seed: u64) -> Network {
    let options = NetworkOptions { setting, length_m: 450.0, ..NetworkOptions::default() };
    Network::generate(&options, seed).expect("the options are in range")
}

/// Networks of all settings.
fn networks(seeds: std::ops::Range<u64>) -> impl Iterator<Item = (String, Network)> {
    seeds.flat_map(|seed| {
        SETTINGS.map(|setting| (format!("{setting:?} {seed}"), network(setting, seed)))
    })
}

#[test]
fn ground_lies_under_every_lane() {
    for (name, network) in networks(0..8) {
        for lane in &network.lanes {
            // Where the world ends, the last point lies on the very edge.
            let ends = [lane.predecessors.is_empty(), lane.successors.is_empty()];
            let inner = usize::from(ends[0])..lane.stations.len() - usize::from(ends[1]);
            for station in lane.stations[inner].iter().filter(|station| station.width_m > 0.5) {
                let ground = network.ground(station.p_m.x, station.p_m.y);
                let ground = ground.unwrap_or_else(|| panic!("{name}: {station:?}"));
                let error = ground.height_m - station.p_m.z;
                assert!(error.abs() < 0.005, "{name}: {error} m at {station:?} {:?}", lane.kind);
                assert!(ground.drivable, "{name}: {station:?} on {ground:?} {:?}", lane.kind);
            }
        }
    }
}

#[test]
fn lanes_join_exactly_and_without_a_kink() {
    for (name, network) in networks(0..50) {
        let mut joints = 0;
        for lane in &network.lanes {
            for next in lane.successors.iter().map(|id| network.lane(*id)) {
                let (end, start) = (lane.stations.last().unwrap(), next.stations[0]);
                assert_eq!(end.p_m, start.p_m, "{name}: {:?} to {:?}", lane.id, next.id);
                let turn = (end.heading_rad - start.heading_rad).sin().abs();
                assert!(turn < 1e-3, "{name}: {:?} to {:?} turn by {turn}", lane.id, next.id);
                assert!(next.predecessors.contains(&lane.id));
                joints += 1;
            }
        }
        let lone = network.junctions.is_empty();
        assert!(lone || joints > 10, "{name}: {joints} joints");
    }
}

#[test]
fn lanes_are_smooth_and_lie_between_their_edges() {
    for (name, network) in networks(0..20) {
        let moving = |lane: &&Lane| matches!(lane.kind, LaneKind::Driving | LaneKind::Bicycle);
        for lane in network.lanes.iter().filter(moving) {
            assert_eq!(lane.stations.len(), lane.left.points_m.len());
            assert_eq!(lane.stations.len(), lane.right.points_m.len());
            for pair in lane.stations.windows(2) {
                let step = pair[1].s_m - pair[0].s_m;
                let turn = pair[1].heading_rad - pair[0].heading_rad;
                let bend = 0.5 * (pair[0].curvature_per_m + pair[1].curvature_per_m);
                let off = (turn - bend * step).abs();
                assert!(step > 0.0 && off < 0.02, "{name}: {:?} off by {off}", pair[0]);
                let jump = (pair[1].curvature_per_m - pair[0].curvature_per_m).abs();
                let most = if lane.in_intersection() { 0.15 } else { 0.06 };
                assert!(jump < most, "{name}: curvature jumps by {jump} at {:?}", pair[0]);
            }
            for (index, station) in lane.stations.iter().enumerate() {
                let left = (lane.left.points_m[index] - station.p_m).dot(&station.left());
                let right = (lane.right.points_m[index] - station.p_m).dot(&station.left());
                assert!(left > -1e-6 && right < 1e-6, "{name}: {station:?}");
                assert!((left - right - station.width_m).abs() < 0.05, "{name}: {station:?}");
            }
        }
    }
}

#[test]
fn every_way_through_a_junction_comes_from_a_lane_and_leads_to_one() {
    for (name, network) in networks(0..30) {
        for junction in &network.junctions {
            assert!(junction.connections.len() > 3, "{name}");
            for id in &junction.connections {
                let lane = network.lane(*id);
                assert!(lane.in_intersection());
                assert!(!lane.predecessors.is_empty(), "{name}: {id:?}");
                assert!(!lane.successors.is_empty(), "{name}: {id:?}");
                for station in &lane.stations {
                    let reach = (station.p_m - junction.centre_m).norm();
                    assert!(reach < junction.radius_m, "{name}: {id:?} reaches {reach} m");
                }
            }
            assert!(!junction.conflicts.is_empty(), "{name}");
            for conflict in &junction.conflicts {
                assert!(junction.connections.contains(&conflict.first));
                assert!(junction.connections.contains(&conflict.waits));
                let range = conflict.waits_range_m;
                assert!(range[0] <= range[1], "{name}: {conflict:?}");
            }
        }
    }
}

#[test]
fn people_can_walk_from_anywhere_to_anywhere_in_town() {
    for (name, network) in networks(0..10) {
        if !matches!(network.setting, Setting::Urban | Setting::Suburban) {
            assert!(network.walks.is_empty());
            continue;
        }
        let mut reached = vec![false; network.walks.len()];
        let mut open = vec![0usize];
        while let Some(index) = open.pop() {
            if !std::mem::replace(&mut reached[index], true) {
                let walk = &network.walks[index];
                open.extend(walk.at_start.iter().chain(&walk.at_end).map(|id| id.0 as usize));
            }
        }
        let share = reached.iter().filter(|r| **r).count() as f64 / reached.len() as f64;
        assert!(share > 0.99, "{name}: {share} reached");
    }
}

#[test]
fn unusable_options_are_refused() {
    let check = |options: NetworkOptions, expected: &str| {
        let message = Network::generate(&options, 1).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    };
    let usual = NetworkOptions::default;
    check(NetworkOptions { length_m: f64::NAN, ..usual() }, "`length_m` is NaN; choose it from 60");
    check(NetworkOptions { lanes: Some(9), ..usual() }, "`lanes` is 9; choose it from 1 to 4");
    check(NetworkOptions { grade: Some(0.5), ..usual() }, "`grade`");
    let exit = Some(vec![Junctions::Exit]);
    check(NetworkOptions { junctions: exit, ..usual() }, "exits and merges belong to motorways");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10))]

    #[test]
    fn any_options_in_range_make_a_network(
        seed in 0u64..1_000_000,
        setting in 0usize..4,
        length_m in 60.0..1500.0f64,
        lanes in prop::option::of(1u32..=4),
        curvature_per_m in prop::option::of(0.0..0.05f64),
        grade in prop::option::of(0.0..0.12f64),
    ) {
        let setting = SETTINGS[setting];
        let options =
            NetworkOptions { setting, length_m, lanes, curvature_per_m, grade, ..NetworkOptions::default() };
        let network = Network::generate(&options, seed).unwrap();
        prop_assert!(network.lanes.len() >= 2);
        for lane in &network.lanes {
            prop_assert!(lane.stations.iter().all(|s| s.p_m.coords.iter().all(|v| v.is_finite())));
            let (first, last) = (lane.stations[0], lane.stations[lane.stations.len() - 1]);
            prop_assert!((lane.at(0.0).p_m - first.p_m).norm() < 1e-9);
            prop_assert!((lane.at(lane.length_m()).p_m - last.p_m).norm() < 1e-9);
        }
    }

    #[test]
    fn the_lane_graph_joins_bit_for_bit(
        seed in 0u64..1000, yaw in -3.0..3.0f64, x in 0.0..500.0f64,
    ) {
        let network = network(Setting::Urban, seed);
        let turn = UnitQuaternion::from_euler_angles(0.01, -0.02, yaw);
        let graph = network.lane_graph(&Pose::new(turn, Vector3::new(x, 3.0, 1.0)), 80.0);
        for lane in &graph.lanes {
            prop_assert!(lane.centreline_m.len() >= 2);
            for id in &lane.successors {
                let next = graph.lanes.iter().find(|next| next.id == *id);
                prop_assert!(next.is_some_and(|next| next.centreline_m[0] == lane.centreline_m[lane.centreline_m.len() - 1]));
            }
        }
    }
}
