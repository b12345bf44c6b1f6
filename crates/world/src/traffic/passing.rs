//! Changing lanes and passing what stands in the way.

use nalgebra::Vector2;

use super::agent::{Agent, Mind};
use super::corridor::Corridor;
use super::idm::Change;
use super::path::{Path, Shift, Turn, left_at, left_of, route};
use super::simulate::Simulation;
use crate::noise::Stream;
use crate::roads::{LaneId, LaneKind};

/// Nobody plans to pass within this distance of a junction, metres.
const JUNCTION_M: f64 = 25.0;

/// The path is clear of junctions between two distances.
fn is_plain(sim: &Simulation<'_>, path: &Path, from_m: f64, to_m: f64) -> bool {
    path.spans.iter().all(|span| {
        let away = span.end_m < from_m || span.start_m > to_m;
        away || sim.network.lane(span.lane).junction.is_none()
    })
}

/// Shifts that lead around something that stands or creeps ahead, if the way is free.
pub(crate) fn pass(sim: &Simulation<'_>, index: usize) -> Option<[Shift; 2]> {
    let agent = &sim.agents[index];
    let s = agent.state.s_m;
    let left = left_at(agent.base_left_m, &agent.shifts, s);
    let settled = agent.shifts.iter().all(|shift| s > shift.from_s_m + shift.length_m);
    if !settled || (left - agent.base_left_m).abs() > 0.3 {
        return None;
    }
    let corridor = Corridor::of(agent, 35.0, 0.28);
    let (other, hit) = nearest(sim, index, &corridor)?;
    let rival = &sim.agents[other];
    let slow = rival.state.speed_m_s < 0.35 * agent.driver.desired_m_s
        && matches!(rival.kind, super::Kind::Bicycle { .. });
    let stands = matches!(rival.mind, Mind::Stand);
    if !(stands || slow) || hit < 6.0 {
        return None;
    }
    let (_, aside) = agent.path.locate(&sim.boxes()[other].0.centre_m);
    // Enough for both half widths and an arm's length: German law asks for 1.5 m beside cyclists.
    let berth = if stands { 0.7 } else { 1.5 };
    let to_left = aside + rival.chassis.half_m[1] + agent.chassis.half_m[1] + berth;
    if to_left - left > 4.2 {
        return None;
    }
    let pace = agent.state.speed_m_s.max(6.0);
    let creep = rival.state.speed_m_s;
    let length = (3.0 * pace).clamp(14.0, 40.0).min((hit - 1.0).max(8.0));
    let beside = 2.0 * rival.chassis.half_m[0] + 2.0 * agent.chassis.half_m[0] + 8.0;
    let behind = (hit + beside) * pace / (pace - creep).max(1.0);
    let out = Shift { from_s_m: s, length_m: length, to_left_m: to_left };
    let back = Shift { from_s_m: s + behind, length_m: length, to_left_m: agent.base_left_m };
    let end = s + behind + length;
    let free = is_plain(sim, &agent.path, s, end + JUNCTION_M)
        && is_free(sim, index, other, [out, back], end);
    free.then_some([out, back])
}

/// Nearest agent in the way, and the gap to it, metres.
fn nearest(sim: &Simulation<'_>, index: usize, corridor: &Corridor) -> Option<(usize, f64)> {
    let mut best: Option<(usize, f64)> = None;
    for (other, (main, _)) in sim.boxes().iter().enumerate().filter(|(other, _)| *other != index) {
        let gap = corridor.hit(main).map(|hit| hit.gap_m);
        best = match (gap, best) {
            (Some(gap), None) => Some((other, gap)),
            (Some(gap), Some((_, known))) if gap < known => Some((other, gap)),
            _ => best,
        };
    }
    best
}

/// Nobody else is or comes into the strip of a planned manoeuvre before it is over.
fn is_free(
    sim: &Simulation<'_>,
    index: usize,
    passed: usize,
    shifts: [Shift; 2],
    end_m: f64,
) -> bool {
    let mut ghost: Agent = sim.agents[index].clone();
    ghost.shifts.extend(shifts);
    let length = end_m - ghost.state.s_m;
    let corridor = Corridor::of(&ghost, length, 0.3);
    let takes_s = length / ghost.state.speed_m_s.max(5.0) + 1.5;
    sim.boxes().iter().enumerate().all(|(other, (main, _))| {
        if other == index || other == passed {
            return true;
        }
        let rival = &sim.agents[other];
        let moving = rival.state.speed_m_s > 0.1 && rival.mind != Mind::Stand;
        let soon = if moving { (takes_s / 0.5).ceil() as usize } else { 0 };
        (0..=soon).all(|tick| {
            let ahead = rival.state.s_m + rival.state.speed_m_s * 0.5 * tick as f64;
            let there = if tick == 0 { *main } else { rival.footprint_at(ahead) };
            corridor.hit(&there).is_none()
        }) && !comes_from_behind(sim, index, other)
    })
}

/// Somebody is about to overtake on the left already.
fn comes_from_behind(sim: &Simulation<'_>, index: usize, other: usize) -> bool {
    let (own, theirs) = (&sim.boxes()[index].0, &sim.boxes()[other].0);
    let ahead = Vector2::new(own.heading_rad.cos(), own.heading_rad.sin());
    let offset = theirs.centre_m - own.centre_m;
    let along = offset.dot(&ahead);
    let left = ahead.x * offset.y - ahead.y * offset.x;
    let same_way = (own.heading_rad - theirs.heading_rad).cos() > 0.7;
    same_way && (1.5..5.0).contains(&left) && along < 6.0 && along > -25.0
}

/// A better lane beside: the path along it, where the agent is on that path, and how far to its left.
pub(crate) fn change(sim: &Simulation<'_>, index: usize) -> Option<(Path, f64, f64)> {
    let agent = &sim.agents[index];
    let s = agent.state.s_m;
    let busy = agent.shifts.iter().any(|shift| s < shift.from_s_m + shift.length_m);
    let speed = agent.state.speed_m_s;
    let reach = 5.0 * speed.max(5.0);
    if busy || speed < 2.0 || !is_plain(sim, &agent.path, agent.tail_s(), s + reach + JUNCTION_M) {
        return None;
    }
    let span = agent.path.span(s)?;
    let lane = sim.network.lane(span.lane);
    let sides = [lane.left_neighbour, lane.right_neighbour];
    let beside =
        sides.into_iter().flatten().filter(|id| sim.network.lane(*id).kind == LaneKind::Driving);
    let own_now = sim_accel(sim, index, &Corridor::of(agent, 90.0, 0.2));
    for id in beside {
        if let Some(found) = consider(sim, index, id, own_now) {
            return Some(found);
        }
    }
    None
}

fn sim_accel(sim: &Simulation<'_>, index: usize, corridor: &Corridor) -> f64 {
    let agent = &sim.agents[index];
    let speed = agent.state.speed_m_s;
    let free = agent.driver.free(speed);
    match nearest(sim, index, corridor) {
        Some((other, gap)) => {
            free.min(agent.driver.follow(speed, gap, sim.agents[other].state.speed_m_s))
        }
        None => free,
    }
}

fn consider(
    sim: &Simulation<'_>,
    index: usize,
    id: LaneId,
    own_now: f64,
) -> Option<(Path, f64, f64)> {
    let agent = &sim.agents[index];
    let front = agent.front_at(agent.state.s_m);
    let (place, _) = sim.network.lane(id).nearest(front.x, front.y);
    let rest = sim.network.lane(id).length_m() - place.s_m;
    if rest < 5.0 * agent.state.speed_m_s + JUNCTION_M || place.left_m.abs() > 5.0 {
        return None;
    }
    let mut ghost = agent.clone();
    let mut stream = Stream::new(index as u64 ^ 0x1a9e);
    let sharpest = if agent.kind.is_heavy() { 0.07 } else { 1.0 };
    let lanes = route(sim.network, id, 1500.0, Turn::Any, sharpest, &mut stream);
    ghost.path = Path::along(sim.network, &lanes);
    ghost.state.s_m = place.s_m;
    ghost.base_left_m = 0.0;
    ghost.shifts.clear();
    let then = sim_accel(sim, index, &Corridor::of(&ghost, 90.0, 0.2));
    let (mut before, mut after) = (0.0, 0.0);
    for (other, rival) in sim.agents.iter().enumerate() {
        if other == index || matches!(rival.mind, Mind::Walk | Mind::Stand) {
            continue;
        }
        let (along, left) = {
            let (s, left) = ghost.path.locate(&sim.boxes()[other].0.centre_m);
            (s - place.s_m, left)
        };
        if left.abs() > 2.2 || along > agent.chassis.nose_m + 40.0 || along < -70.0 {
            continue;
        }
        let lengths = agent.chassis.half_m[0] + rival.chassis.half_m[0];
        let gap = -along - agent.chassis.centre_m - lengths;
        if along.abs() < lengths + 4.0 {
            return None;
        }
        if along < 0.0 {
            let v = rival.state.speed_m_s;
            before = rival.driver.free(v);
            after = rival.driver.follow(v, gap.max(0.1), agent.state.speed_m_s).min(before);
            if agent.towed.is_some() && gap < 25.0 {
                return None;
            }
        }
    }
    let worth = Change { own: [own_now, then], follower: [before, after] }.is_worth_it();
    worth.then_some((ghost.path, place.s_m, place.left_m))
}

/// Puts an agent on a path beside its own, towards which it moves.
pub(crate) fn take(agent: &mut Agent, path: Path, s_m: f64, left_m: f64) {
    let front = agent.front_at(agent.state.s_m);
    let (mut s_m, mut left_m) = (s_m, left_m);
    // Nobody jumps: the same point, told from the other path.
    for _ in 0..6 {
        let heading = path.at(s_m).heading_rad;
        let rest = front - path.beside(s_m, left_m);
        s_m += rest.dot(&Vector2::new(heading.cos(), heading.sin()));
        left_m += rest.dot(&left_of(heading));
    }
    agent.path = path;
    agent.state.s_m = s_m;
    agent.base_left_m = left_m;
    let length_m = (4.0 * agent.state.speed_m_s).max(18.0);
    agent.shifts = vec![Shift { from_s_m: s_m, length_m, to_left_m: 0.0 }];
    agent.state.blink = Some(left_m < 0.0);
}
