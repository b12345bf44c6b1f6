//! Every scenario of the library builds, and what it promises happens.

use super::build::stage;
use super::*;
use crate::roads::{Control, Junction, JunctionKind};
use crate::site::Site;
use crate::traffic::{Course, Kind, Mind, STEP_S};

const EGO: usize = 0;

/// From the ego's front end to a distance along its path, metres.
fn ahead_of_ego(course: &Course, step: usize, s_m: f64) -> f64 {
    s_m - course.moments[EGO][step].s_m - course.agents[EGO].chassis.nose_m
}

/// First step at which an agent's middle is within `left_m` of the ego's path ahead of the ego.
fn enters(course: &Course, agent: usize, left_m: f64) -> Option<(usize, f64)> {
    let path = &course.agents[EGO].path;
    let half = course.agents[agent].chassis.half_m;
    course.moments[agent].iter().enumerate().find_map(|(step, moment)| {
        let (s, left) = path.locate(&moment.main.centre_m);
        let turn = (moment.main.heading_rad - path.at(s).heading_rad).sin().abs();
        let across = half[1] + (half[0] - half[1]) * turn;
        let along = half[0] + (half[1] - half[0]) * turn;
        (left.abs() - across < left_m).then(|| (step, ahead_of_ego(course, step, s - along)))
    })
}

fn nearest_m(course: &Course, agent: usize) -> f64 {
    let pairs = course.moments[EGO].iter().zip(&course.moments[agent]);
    pairs.map(|(a, b)| (a.main.centre_m - b.main.centre_m).norm()).fold(f64::INFINITY, f64::min)
}

/// The pinned value was kept within a tolerance, or what was there instead.
fn close(what: &str, found: f64, wished: f64, tolerance: f64) -> Result<(), String> {
    if (found - wished).abs() <= tolerance {
        Ok(())
    } else {
        Err(format!("{what} is {found:.2}, wished {wished:.2} within {tolerance:.2}"))
    }
}

fn ensure(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

/// What an event promises; `first` is its first agent.
#[expect(clippy::too_many_lines, reason = "an arm for each event")]
fn happened(event: &Event, course: &Course, first: usize) -> Result<(), String> {
    let fastest =
        |agent: usize| course.moments[agent].iter().map(|m| m.speed_m_s).fold(0.0, f64::max);
    let slowest = |agent: usize| {
        course.moments[agent].iter().map(|m| m.speed_m_s).fold(f64::INFINITY, f64::min)
    };
    match event {
        Event::CutIn { gap_m: Some(gap), .. } => {
            let (step, found) = enters(course, first, 1.5).ok_or("never enters the lane")?;
            ensure(step > 0, "begins beside the ego's lane")?;
            let rear = course.moments[first][step].towed.map(|towed| {
                let (s, _) = course.agents[EGO].path.locate(&towed.centre_m);
                ahead_of_ego(course, step, s - towed.half_m[0])
            });
            close("gap of the cut-in", rear.unwrap_or(found), *gap, 0.25 * gap + 1.5)
        }
        Event::HardBrake { brake_m_s2: Some(brake), .. } => {
            let (_, gap) = enters(course, first, 1.5).ok_or("is not in the ego's lane")?;
            ensure(gap > 0.0, "is ahead of the ego")?;
            ensure(fastest(first) > 3.0, "drives at first")?;
            ensure(slowest(first) < 0.5, "comes to a stop")?;
            let hardest = course.moments[first].iter().map(|m| -m.accel_m_s2).fold(0.0, f64::max);
            close("braking", hardest, *brake, 0.2)
        }
        Event::PedestrianEmerges { distance_m: Some(distance), from_behind, .. } => {
            let hidden = !matches!(from_behind, Some(Hiding::Nothing));
            let walker = first + usize::from(hidden);
            ensure(course.agents[walker].kind.is_on_foot(), "the second is the one on foot")?;
            let (_, found) = enters(course, walker, 1.5).ok_or("never enters the lane")?;
            close("distance of the walker", found, *distance, 0.35 * distance + 4.0)
        }
        Event::Ball { distance_m: Some(distance) }
        | Event::Animal { distance_m: Some(distance), .. } => {
            let (_, found) = enters(course, first, 1.5).ok_or("never enters the lane")?;
            close("distance of what crosses", found, *distance, 0.35 * distance + 4.0)
        }
        Event::OpenDoor { .. } => {
            let widest = course.moments[first].iter().map(|m| m.door_rad).fold(0.0, f64::max);
            ensure(widest > 1.0, "the door opens")?;
            ensure(nearest_m(course, first) < 6.0, "the ego passes the door")
        }
        Event::LostLoad { .. } | Event::DoubleParked { .. } | Event::Jam { .. } => {
            let (_, gap) = enters(course, first, 1.5).ok_or("does not stand in the lane")?;
            ensure(gap > 20.0, "stands well ahead at first")?;
            ensure(nearest_m(course, first) < 30.0, "the ego comes near")
        }
        Event::WrongWay { .. } | Event::OncomingOvertakes { .. } => {
            ensure(nearest_m(course, first) < 12.0, "they meet")?;
            let m = &course.moments;
            let facing = (m[first][0].main.heading_rad - m[EGO][0].main.heading_rad).cos();
            ensure(facing < -0.5, "comes towards the ego")?;
            let entered =
                matches!(event, Event::WrongWay { .. }) || enters(course, first, 0.5).is_some();
            ensure(entered, "is in the ego's lane for a time")
        }
        Event::EmergencyVehicle { .. } => {
            ensure(course.agents[first].beacon, "has its beacons on")?;
            ensure(nearest_m(course, first) < 12.0, "comes near")
        }
        Event::MotorcycleFilters { .. } => {
            let path = &course.agents[EGO].path;
            let at = |agent: usize, step: usize| {
                path.locate(&course.moments[agent][step].main.centre_m).0
            };
            let last = course.moments[EGO].len() - 1;
            ensure(at(first, 0) < at(EGO, 0), "begins behind the ego")?;
            ensure(at(first, last) > at(EGO, last), "ends ahead of it")
        }
        Event::PullsOut { .. } => {
            ensure(course.moments[first][0].speed_m_s < 0.1, "stands at first")?;
            ensure(
                fastest(first) > 2.0 && enters(course, first, 0.0).is_some(),
                "gets into the lane",
            )
        }
        Event::Tailgater { gap_m: Some(gap) } => {
            let middle = course.moments[EGO].len() / 2;
            let (ego, other) = (&course.agents[EGO], &course.agents[first]);
            let (m, n) = (course.moments[EGO][middle].s_m, course.moments[first][middle].s_m);
            let found = m - ego.chassis.tail_m() - n - other.chassis.nose_m;
            close("gap of the tailgater", found, *gap, 2.5)
        }
        Event::Cyclist { speed_m_s, .. } => {
            let cyclist = matches!(course.agents[first].kind, Kind::Bicycle { .. });
            ensure(cyclist, "is a cyclist")?;
            let (step, gap) = enters(course, first, 2.0).ok_or("never rides in the ego's lane")?;
            ensure(step == 0 && gap > 5.0, "rides ahead from the start")?;
            ensure(nearest_m(course, first) < 20.0, "the ego comes up to it")?;
            speed_m_s.map_or(Ok(()), |wished| close("its speed", fastest(first), wished, 1.5))
        }
        Event::BusStop { people, .. } => {
            let bus = matches!(course.agents[first].kind, Kind::Bus { .. });
            ensure(bus && fastest(first) < 0.1, "a bus stands there")?;
            ensure(nearest_m(course, first) < 12.0, "the ego passes it")?;
            let at_bus = |agent: &usize| {
                let there = course.moments[first][0].main.centre_m;
                let away = (course.moments[*agent][0].main.centre_m - there).norm();
                course.agents[*agent].kind.is_on_foot() && away < 14.0
            };
            let waiting = (first + 1..course.agents.len()).filter(at_bus).count();
            ensure(people.unwrap_or(0) == 0 || waiting > 0, "somebody waits at it")
        }
        other => Err(format!("{} is not pinned in the library", other.name())),
    }
}

/// What the name of a scenario without events promises.
#[expect(clippy::too_many_lines, reason = "an arm for each scenario")]
fn promised(name: &str, site: &Site, course: &Course) -> Result<(), String> {
    let path = &course.agents[EGO].path;
    let moments = &course.moments[EGO];
    let (from_m, to_m) = (moments[0].s_m, moments[moments.len() - 1].s_m);
    let crossed: Vec<&Junction> = path
        .spans
        .iter()
        // Who waits before it has come to it.
        .filter(|span| span.end_m > from_m && span.start_m < to_m + 15.0)
        .filter_map(|span| site.roads.lane(span.lane).junction)
        .map(|id| site.roads.junction(id))
        .collect();
    let heading = |step: usize| moments[step].main.heading_rad;
    let turned: f64 = (1..moments.len())
        .map(|step| (heading(step) - heading(step - 1)).sin().asin())
        .fold((0.0, 0.0f64), |(sum, most), d| (sum + d, most.max(sum + d)))
        .1;
    let others = 1..course.agents.len();
    let near = |agent: &usize| nearest_m(course, *agent) < 40.0;
    let light = &site.environment;
    let dark = light.sun_elevation_rad < -0.3;
    match name {
        "left_turn" => {
            let way = format!("by {turned:.2} rad from {from_m:.0} m to {to_m:.0} m");
            ensure(turned > 1.2, &format!("the ego turns left, not {way}"))?;
            ensure(!crossed.is_empty(), "at a junction")?;
            let moving = |a: &usize| course.moments[*a].iter().any(|m| m.speed_m_s > 3.0);
            ensure(others.clone().filter(near).any(|a| moving(&a)), "there is traffic")
        }
        "roundabout" => {
            let round = crossed.iter().any(|j| j.kind == JunctionKind::Roundabout);
            ensure(round, "the ego goes through a roundabout")
        }
        "four_way_lights" => {
            let lights = crossed.iter().any(|j| j.control == Control::Lights);
            ensure(lights, "the ego goes through lights")?;
            ensure(light.rain_mm_h > 0.0, "it rains")
        }
        "motorway_merge" => {
            // Ramps have the lower limit.
            let on_ramp = |a: usize| {
                let (agent, m) = (&course.agents[a], &course.moments[a]);
                let driven = agent
                    .path
                    .spans
                    .iter()
                    .filter(|span| span.end_m > m[0].s_m && span.start_m < m[m.len() - 1].s_m);
                let limits = driven.map(|span| site.roads.lane(span.lane).speed_limit_m_s);
                let (slow, fast) =
                    limits.fold((false, false), |(s, f), l| (s || l < 25.0, f || l >= 25.0));
                slow && fast
            };
            ensure(others.clone().any(on_ramp), "somebody joins")
        }
        "motorway" => {
            let heavy = others.clone().any(|a| course.agents[a].kind.is_heavy());
            ensure(site.roads.setting == Setting::Motorway && heavy, "a motorway with lorries")
        }
        "night_rain_motorway" => {
            ensure(site.roads.setting == Setting::Motorway, "a motorway")?;
            ensure(dark && light.rain_mm_h > 4.0, "at night in the rain")
        }
        "crossing_night" => {
            ensure(dark, "it is night")?;
            let crossings: Vec<_> = site.roads.crossings.iter().map(|c| &c.polygon_m).collect();
            let on_crossing = |a: usize| {
                course.agents[a].kind.is_on_foot()
                    && course.moments[a]
                        .iter()
                        .any(|m| crossings.iter().any(|polygon| holds(polygon, &m.main.centre_m)))
            };
            ensure(others.clone().any(on_crossing), "somebody is on a crossing")
        }
        "low_sun" => {
            let off = (light.sun_azimuth_rad - heading(0)).cos();
            ensure(off > 0.95 && (0.0..0.15).contains(&light.sun_elevation_rad), "sun ahead, low")
        }
        "parked_rows" => {
            let parked = others
                .clone()
                .filter(|&a| course.agents[a].mind == Mind::Stand && nearest_m(course, a) < 10.0);
            ensure(parked.count() >= 8, "the ego passes parked cars")
        }
        "roadworks" => {
            let class = ommatidia_scene::Taxonomy::driving().id("traffic_cone");
            let cones = site.instances.iter().filter(|instance| {
                let mesh = &site.meshes[instance.mesh.0 as usize];
                mesh.triangles.iter().any(|triangle| Some(triangle.class) == class)
            });
            ensure(cones.count() >= 2, "building sites with cones")
        }
        "rural_hills" => {
            let ground = moments
                .iter()
                .filter_map(|m| site.roads.ground(m.main.centre_m.x, m.main.centre_m.y));
            let (low, high) = ground
                .map(|ground| ground.height_m)
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), z| (l.min(z), h.max(z)));
            ensure(
                high - low > 2.0,
                &format!("the road rises or falls by 2 m, not {:.2} m", high - low),
            )
        }
        other => Err(format!("nothing is tested of `{other}`")),
    }
}

/// A point in a polygon, from above: even-odd.
fn holds(polygon: &[nalgebra::Point3<f64>], p: &nalgebra::Point2<f64>) -> bool {
    let mut inside = false;
    for (i, a) in polygon.iter().enumerate() {
        let b = &polygon[(i + 1) % polygon.len()];
        if (a.y > p.y) != (b.y > p.y) && p.x < a.x + (p.y - a.y) / (b.y - a.y) * (b.x - a.x) {
            inside = !inside;
        }
    }
    inside
}

/// How many agents an event's first one is followed by before the next event's.
fn cast_of(event: &Event) -> usize {
    match event {
        Event::PedestrianEmerges { from_behind: Some(Hiding::Nothing), .. } => 1,
        Event::PedestrianEmerges { .. } | Event::Ball { .. } | Event::OncomingOvertakes { .. } => 2,
        Event::Jam { .. } => 8,
        _ => 1,
    }
}

#[test]
fn hazards_of_the_library_happen() {
    let mut wrong = Vec::new();
    for named in NAMED {
        let scenario = Scenario::named(named.name).unwrap();
        if scenario.events.is_empty() {
            continue;
        }
        assert!(scenario.description.len() > 15, "{} says what happens", named.name);
        assert!(!scenario.description.contains('\n'), "{} says it in one line", named.name);
        for seed in 0..2 {
            let course = match stage(&scenario, seed) {
                Ok((_, course, _)) => course,
                Err(error) => {
                    wrong.push(format!("{} {seed}: {error}", named.name));
                    continue;
                }
            };
            let mut first = 1;
            for event in &scenario.events {
                if let Err(why) = happened(event, &course, first) {
                    wrong.push(format!("{} {seed}: {}: {why}", named.name, event.name()));
                }
                first += cast_of(event);
            }
            let steps = (scenario.duration_s() / STEP_S) as usize;
            assert!(course.moments.iter().all(|m| m.len() > steps), "whole clip");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn scenarios_without_events_are_what_they_are_called() {
    let mut wrong = Vec::new();
    for named in NAMED {
        let scenario = Scenario::named(named.name).unwrap();
        if !scenario.events.is_empty() {
            continue;
        }
        for seed in 0..2 {
            let found = match stage(&scenario, seed) {
                Ok((site, course, _)) => promised(named.name, &site, &course),
                Err(error) => Err(error.to_string()),
            };
            wrong.extend(found.err().map(|why| format!("{} {seed}: {why}", named.name)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_library_is_large_and_named_once() {
    assert!(NAMED.len() >= 25);
    let mut names: Vec<&str> = NAMED.iter().map(|named| named.name).collect();
    names.dedup();
    assert_eq!(names.len(), NAMED.len());
    assert!(names.is_sorted());
    let message = Scenario::named("cut_im").unwrap_err().to_string();
    assert!(message.contains("cut_in"), "{message}");
}
