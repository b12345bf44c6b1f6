//! Every scenario of the library builds, and what it promises happens.

use super::build::stage;
use super::*;
use crate::traffic::{Course, STEP_S};

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
fn happened(event: &Event, course: &Course, first: usize) -> Result<(), String> {
    let fastest =
        |agent: usize| course.moments[agent].iter().map(|m| m.speed_m_s).fold(0.0, f64::max);
    match event {
        Event::CutIn { gap_m: Some(gap), .. } => {
            let (step, found) = enters(course, first, 1.5).ok_or("never enters the lane")?;
            let rear = course.moments[first][step].towed.map(|towed| {
                let (s, _) = course.agents[EGO].path.locate(&towed.centre_m);
                ahead_of_ego(course, step, s - towed.half_m[0])
            });
            close("gap of the cut-in", rear.unwrap_or(found), *gap, 0.25 * gap + 1.5)
        }
        Event::HardBrake { brake_m_s2: Some(brake), .. } => {
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
        Event::Cyclist { .. } | Event::BusStop { .. } => {
            ensure(nearest_m(course, first) < 60.0, "is met")
        }
        other => Err(format!("{} is not pinned in the library", other.name())),
    }
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
        assert!(scenario.description.len() > 15, "{} says what happens", named.name);
        assert!(!scenario.description.contains('\n'), "{} says it in one line", named.name);
        let seeds = if scenario.events.is_empty() { 1 } else { 2 };
        for seed in 0..seeds {
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
fn the_library_is_large_and_named_once() {
    assert!(NAMED.len() >= 25);
    let mut names: Vec<&str> = NAMED.iter().map(|named| named.name).collect();
    names.dedup();
    assert_eq!(names.len(), NAMED.len());
    assert!(names.is_sorted());
    let message = Scenario::named("cut_im").unwrap_err().to_string();
    assert!(message.contains("cut_in"), "{message}");
}
