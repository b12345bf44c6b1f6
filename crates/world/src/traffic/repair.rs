//! Nobody passes through anybody: whole courses are checked, and whoever cannot be saved by braking is
//! taken out before the clip is filmed.

use super::agent::Agent;
use super::obstacles::Obstacles;
use super::place::WARM_UP_S;
use super::simulate::{Moment, Simulation, touch};
use crate::footprint::Footprint;
use crate::roads::Network;

/// Boxes stay this far apart, metres.
pub const MARGIN_M: f64 = 0.03;

/// Rounds of leaving somebody out and driving again; after them the rest is left out for good.
const ROUNDS: usize = 6;

/// Two who touch: their indices and when, seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Contact {
    pub(crate) pair: [usize; 2],
    pub(crate) step: usize,
}

/// Agents that take part, and their moments.
pub(crate) struct Course {
    pub(crate) agents: Vec<Agent>,
    pub(crate) moments: Vec<Vec<Moment>>,
    /// How many had to be left out.
    pub(crate) left_out: usize,
}

/// First contact of each pair that touches.
pub(crate) fn contacts(moments: &[Vec<Moment>], agents: &[Agent]) -> Vec<Contact> {
    let mut found = Vec::new();
    let still: Vec<bool> = moments
        .iter()
        .map(|m| m.iter().all(|x| x.main == m[0].main && x.door_rad == 0.0))
        .collect();
    for a in 0..moments.len() {
        for b in a + 1..moments.len() {
            if still[a] && still[b] {
                if !moments[a].is_empty() && touch(&moments[a][0], &moments[b][0], MARGIN_M) {
                    found.push(Contact { pair: [a, b], step: 0 });
                }
                continue;
            }
            let mut step = 0;
            while step < moments[a].len() {
                let (p, q) = (&moments[a][step], &moments[b][step]);
                let far = (p.main.centre_m - q.main.centre_m).norm()
                    - reach(&agents[a])
                    - reach(&agents[b]);
                if far > 0.0 {
                    // Nobody is faster than 60 m/s: skip the steps in which they cannot meet.
                    step += 1 + (far / (120.0 * super::STEP_S)) as usize;
                    continue;
                }
                if touch(&open(p, &agents[a]), &open(q, &agents[b]), MARGIN_M) {
                    found.push(Contact { pair: [a, b], step });
                    break;
                }
                step += 1;
            }
        }
    }
    found
}

/// No part of an agent is farther from the middle of its box, metres.
fn reach(agent: &Agent) -> f64 {
    let trailer = agent.towed.map_or(0.0, |(trailer, _)| 2.0 * trailer.half_m[0] + 2.0);
    agent.chassis.half_m[0].hypot(agent.chassis.half_m[1]) + trailer + 1.2
}

/// A moment whose box is wide enough for an open door.
fn open(moment: &Moment, agent: &Agent) -> Moment {
    if moment.door_rad < 0.01 {
        return *moment;
    }
    let out = 0.95 * moment.door_rad.sin();
    let main = moment.main;
    let (sin, cos) = main.heading_rad.sin_cos();
    let left = nalgebra::Vector2::new(-sin, cos);
    // The leaf is on the left, in the front half.
    let ahead = nalgebra::Vector2::new(cos, sin);
    let leaf = Footprint {
        centre_m: main.centre_m + left * (main.half_m[1] + 0.5 * out) + ahead * 0.2,
        heading_rad: main.heading_rad,
        half_m: [0.6, 0.5 * out],
    };
    debug_assert!(agent.towed.is_none(), "only cars have doors");
    Moment { towed: Some(leaf), ..*moment }
}

/// Runs traffic until nobody touches anybody.
///
/// Returns the contact of two who both have to stay if there is one.
pub(crate) fn settle(
    network: &Network,
    obstacles: &Obstacles,
    agents: Vec<Agent>,
    end_s: f64,
) -> Result<Course, Contact> {
    let mut agents = agents;
    let mut left_out = 0;
    for round in 0..=ROUNDS {
        let simulation = Simulation::new(network, agents.clone(), 0, -WARM_UP_S);
        let moments = simulation.run(end_s);
        let mut out = vec![false; agents.len()];
        walled(obstacles, &agents, &moments, &mut out);
        let found = contacts(&moments, &agents);
        for contact in &found {
            let [a, b] = contact.pair;
            if out[a] || out[b] {
                continue;
            }
            match (agents[a].protected, agents[b].protected) {
                (true, true) => return Err(*contact),
                (true, false) => out[b] = true,
                (false, true) => out[a] = true,
                (false, false) => out[b] = true,
            }
        }
        let count = out.iter().filter(|gone| **gone).count();
        left_out += count;
        if count == 0 {
            return Ok(Course { agents, moments, left_out });
        }
        let mut keep = out.iter().map(|gone| !gone);
        agents.retain(|_| keep.next().unwrap_or(true));
        if round == ROUNDS {
            // Courses stay as they were: the rest braked for somebody who is no longer shown, but
            // whoever is left touches nobody.
            let mut keep = out.iter().map(|gone| !gone);
            let mut moments = moments;
            moments.retain(|_| keep.next().unwrap_or(true));
            debug_assert!(contacts(&moments, &agents).is_empty());
            return Ok(Course { agents, moments, left_out });
        }
    }
    unreachable!("the last round returns")
}

/// Marks who runs into something that stands along the road.
fn walled(obstacles: &Obstacles, agents: &[Agent], moments: &[Vec<Moment>], out: &mut [bool]) {
    for (index, agent) in agents.iter().enumerate() {
        if agent.protected {
            continue;
        }
        // Ten centimetres at walking speed between checks.
        let every = if agent.kind.is_on_foot() { 2 } else { 4 };
        out[index] = moments[index].iter().step_by(every).any(|m| obstacles.blocks(&m.main));
    }
}
