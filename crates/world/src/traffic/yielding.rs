//! Giving way: at lights, lines, conflicts of paths within junctions, and crossings.

use super::agent::{Agent, Mind};
use super::idm::HARDEST_M_S2;
use super::path::Span;
use crate::roads::{Conflict, Control, Junction, LaneId, Network, Signal};

/// Time that is left between two who cross each other's path, seconds.
const CLEARANCE_S: f64 = 1.2;

/// What giving way looks at.
pub(crate) struct Scene<'a> {
    pub(crate) network: &'a Network,
    pub(crate) agents: &'a [Agent],
    pub(crate) time_s: f64,
    /// For each crossing: somebody is on it or about to be.
    pub(crate) busy: &'a [bool],
    /// Stop line of each lane, metres along it, and whether one must stop there.
    pub(crate) lines: &'a [Option<(f64, bool)>],
}

/// Seconds to cover a distance from a speed while accelerating up to a wished speed.
fn seconds_for(distance_m: f64, speed_m_s: f64, accelerate_m_s2: f64) -> f64 {
    if distance_m <= 0.0 {
        return 0.0;
    }
    let root = (speed_m_s * speed_m_s + 2.0 * accelerate_m_s2 * distance_m).sqrt();
    (root - speed_m_s) / accelerate_m_s2
}

impl Scene<'_> {
    /// Gaps to the places where an agent has to stop, metres from its front end.
    pub(crate) fn stops(&self, index: usize) -> Vec<f64> {
        let agent = &self.agents[index];
        let (nose, speed) = (agent.nose_s(), agent.state.speed_m_s);
        let reach = 15.0 + speed * 2.0 + speed * speed / 4.0;
        let mut stops = Vec::new();
        for (position, span) in agent.path.spans.iter().enumerate() {
            if span.end_m < agent.tail_s() || span.start_m > nose + reach {
                continue;
            }
            let lane = self.network.lane(span.lane);
            if let Some(junction) = lane.junction {
                let junction = self.network.junction(junction);
                let before = position.checked_sub(1).map(|i| agent.path.spans[i]);
                self.junction_stop(index, junction, span, before.as_ref(), &mut stops);
            }
            self.crossing_stops(agent, span, &mut stops);
        }
        stops
    }

    fn crossing_stops(&self, agent: &Agent, span: &Span, stops: &mut Vec<f64>) {
        for (crossing, busy) in self.network.crossings.iter().zip(self.busy) {
            if !busy {
                continue;
            }
            for (lane, range) in &crossing.lanes {
                let gap = span.start_m + range[0] - 0.8 - agent.nose_s();
                if *lane == span.lane && gap > -0.5 {
                    // Who cannot stop any more goes through; walkers look before they step out.
                    let needed = agent.state.speed_m_s.powi(2) / (2.0 * gap.max(0.3));
                    if needed < HARDEST_M_S2 {
                        stops.push(gap);
                    }
                }
            }
        }
    }

    fn junction_stop(
        &self,
        index: usize,
        junction: &Junction,
        span: &Span,
        before: Option<&Span>,
        stops: &mut Vec<f64>,
    ) {
        let agent = &self.agents[index];
        let line = before.and_then(|before| {
            self.lines[before.lane.0 as usize].map(|(s, must)| (before.start_m + s, must))
        });
        let (line_s, must_stop) = line.unwrap_or((span.start_m - 0.3, false));
        let line_s = line_s.min(span.start_m);
        let gap = line_s - agent.nose_s();
        if gap < -1.0 {
            // Past the line: wait within the junction, before whoever is in the way.
            for conflict in &junction.conflicts {
                if let Some((own, _)) = sides(conflict, span.lane) {
                    let to_conflict = span.start_m + own[0] - 0.5 - agent.nose_s();
                    if to_conflict > -0.5 && self.is_blocked(index, junction, conflict, span) {
                        stops.push(to_conflict);
                    }
                }
            }
            return;
        }
        let speed = agent.state.speed_m_s;
        let needed = speed * speed / (2.0 * gap.max(0.1));
        let held = match junction.signal(span.lane, self.time_s) {
            Some(Signal::Red | Signal::RedAmber) => needed < 5.0,
            Some(Signal::Amber) => needed < 3.0,
            _ => false,
        };
        let must_stop = must_stop && junction.control == Control::Stop && !agent.state.stopped;
        let blocked =
            || junction.conflicts.iter().any(|c| self.is_blocked(index, junction, c, span));
        if held || must_stop || (needed < 6.0 && blocked()) {
            stops.push(gap);
        }
    }

    /// Somebody else uses the place where two connections meet when this agent would.
    fn is_blocked(
        &self,
        index: usize,
        junction: &Junction,
        conflict: &Conflict,
        span: &Span,
    ) -> bool {
        let Some((own, other)) = sides(conflict, span.lane) else { return false };
        let waits = conflict.waits == span.lane;
        let other_lane = if waits { conflict.first } else { conflict.waits };
        let agent = &self.agents[index];
        let speed = agent.state.speed_m_s;
        let enter_m = span.start_m + own[0] - agent.nose_s();
        let leave_m = span.start_m + own[1] - agent.tail_s();
        if leave_m < 0.0 {
            return false;
        }
        let pace = agent.driver.accelerate_m_s2;
        let (enter_s, leave_s) =
            (seconds_for(enter_m, speed, pace), seconds_for(leave_m, speed, pace));
        self.agents.iter().enumerate().any(|(k, rival)| {
            if k == index || rival.mind == Mind::Walk || rival.mind == Mind::Stand {
                return false;
            }
            let Some(theirs) = rival.path.spans.iter().find(|s| s.lane == other_lane) else {
                return false;
            };
            let (nose, tail) = (rival.nose_s(), rival.tail_s());
            let (from, to) = (theirs.start_m + other[0], theirs.start_m + other[1]);
            if tail > to || nose < theirs.start_m - 90.0 {
                return false;
            }
            let v = rival.state.speed_m_s;
            if nose > from {
                // It is on the spot: until it has left, at its pace now.
                return enter_s < (to - tail) / v.max(0.5) + 0.5;
            }
            if !waits || self.gives_way(agent, index, rival, k, junction, theirs, other_lane) {
                return false;
            }
            let rival_in = (from - nose) / v.max(2.5);
            let rival_out = (to - tail) / v.max(2.5);
            enter_s - CLEARANCE_S < rival_out && rival_in < leave_s + CLEARANCE_S
        })
    }

    /// A rival with precedence that will not use it: red light, or both stand and it is our turn.
    #[expect(clippy::too_many_arguments, reason = "two parties and the place between them")]
    fn gives_way(
        &self,
        agent: &Agent,
        index: usize,
        rival: &Agent,
        rival_index: usize,
        junction: &Junction,
        theirs: &Span,
        lane: LaneId,
    ) -> bool {
        let outside = rival.nose_s() < theirs.start_m + 0.5;
        let red =
            matches!(junction.signal(lane, self.time_s), Some(Signal::Red | Signal::RedAmber));
        if outside && red && !rival.rogue {
            return true;
        }
        let stands = rival.state.speed_m_s < 0.3 && agent.state.speed_m_s < 0.5;
        let longer = (agent.state.waited_s, rival_index) > (rival.state.waited_s, index);
        stands && outside && agent.state.waited_s > 1.5 && longer
    }

    /// A walker may step onto a crossing: everybody who comes can stop, or is far enough away.
    pub(crate) fn may_cross(&self, walker: &Agent, crossing: usize) -> bool {
        let place = &self.network.crossings[crossing];
        let length = walker
            .crossings
            .iter()
            .find(|(index, _)| *index == crossing)
            .map_or(8.0, |(_, range)| range[1] - range[0]);
        let across_s = length / walker.driver.desired_m_s.max(0.5) + 1.0;
        place.lanes.iter().all(|(lane, range)| {
            self.lights_allow(*lane)
                && self.agents.iter().all(|agent| {
                    if matches!(agent.mind, Mind::Walk | Mind::Stand) {
                        return true;
                    }
                    let Some(span) = agent.path.spans.iter().find(|span| span.lane == *lane) else {
                        return true;
                    };
                    let gap = span.start_m + range[0] - 0.8 - agent.nose_s();
                    if span.start_m + range[1] < agent.tail_s() || gap > 120.0 {
                        return true;
                    }
                    let v = agent.state.speed_m_s;
                    let far = gap > v.max(3.0) * across_s;
                    let stops =
                        gap > 0.3 && v * v / (2.0 * gap) < if place.zebra { 2.0 } else { 0.4 };
                    far || (stops && agent.mind == Mind::Drive)
                })
        })
    }

    /// No light behind a crossing shows green or amber to who drives on this lane.
    fn lights_allow(&self, lane: LaneId) -> bool {
        self.network.lane(lane).successors.iter().all(|next| {
            let Some(junction) = self.network.lane(*next).junction else { return true };
            let shown = self.network.junction(junction).signal(*next, self.time_s);
            !matches!(shown, Some(Signal::Green | Signal::Amber))
        })
    }
}

/// Own range and that of the other in a conflict that a lane is part of.
fn sides(conflict: &Conflict, lane: LaneId) -> Option<([f64; 2], [f64; 2])> {
    if conflict.waits == lane {
        Some((conflict.waits_range_m, conflict.first_range_m))
    } else if conflict.first == lane {
        Some((conflict.first_range_m, conflict.waits_range_m))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_to_cover_a_distance_is_that_of_uniform_acceleration() {
        for (distance, speed, pace) in [(10.0, 0.0, 1.4), (30.0, 8.0, 1.4), (5.0, 3.0, 0.5)] {
            let t = seconds_for(distance, speed, pace);
            assert!((speed * t + 0.5 * pace * t * t - distance).abs() < 1e-9);
        }
        assert_eq!(seconds_for(-1.0, 3.0, 1.0), 0.0);
    }
}
