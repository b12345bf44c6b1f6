//! Where roads meet: what conflicts, and who goes first.

use nalgebra::Point3;

use super::LaneId;

/// Index into [`super::Network::junctions`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JunctionId(pub u32);

/// Shape of a junction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum JunctionKind {
    /// Three or more roads meet.
    #[default]
    Crossing,
    /// Traffic circles counter-clockwise around an island.
    Roundabout,
    /// Lanes join or leave a carriageway.
    Ramp,
}

/// Who goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Control {
    /// Who comes from the right.
    #[default]
    PriorityToRight,
    /// Side roads give way.
    GiveWay,
    /// Side roads stop.
    Stop,
    /// Traffic lights.
    Lights,
}

/// What a traffic light shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Stop.
    Red,
    /// About to turn green.
    RedAmber,
    /// Go.
    Green,
    /// About to turn red.
    Amber,
}

/// A stretch of time in which some lanes have green.
#[derive(Debug, Clone, PartialEq)]
pub struct Phase {
    /// Connections through the junction that may go.
    pub green: Vec<LaneId>,
    /// How long they show green, seconds.
    pub green_s: f64,
}

/// Two connections that cannot be driven at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conflict {
    /// The connection that goes first.
    pub first: LaneId,
    /// The connection that waits.
    pub waits: LaneId,
    /// From where to where along `first` the two overlap, metres.
    pub first_range_m: [f64; 2],
    /// From where to where along `waits`, metres.
    pub waits_range_m: [f64; 2],
}

/// A place where lanes cross, join or part.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Junction {
    /// Shape.
    pub kind: JunctionKind,
    /// Middle, in `World`, metres.
    pub centre_m: Point3<f64>,
    /// Everything of it lies within this distance of the middle, metres.
    pub radius_m: f64,
    /// Who goes first.
    pub control: Control,
    /// Lanes through it.
    pub connections: Vec<LaneId>,
    /// Pairs of connections that overlap.
    pub conflicts: Vec<Conflict>,
    /// The cycle of its lights; empty without lights.
    pub phases: Vec<Phase>,
    /// Where in its cycle the lights are at time zero, seconds.
    pub phase_offset_s: f64,
}

/// Amber, then all red, after each green phase, seconds (RiLSA 2015, 50 km/h: 3 s amber; 1 s red-amber).
const AMBER_S: f64 = 3.0;
const RED_AMBER_S: f64 = 1.0;
const CLEARING_S: f64 = 3.0;

impl Junction {
    /// What the light for a connection shows at a time, seconds; `None` without lights or for a lane
    /// that is no connection of this junction.
    pub fn signal(&self, connection: LaneId, time_s: f64) -> Option<Signal> {
        if self.phases.is_empty() || !self.connections.contains(&connection) {
            return None;
        }
        let pause_s = AMBER_S + CLEARING_S;
        let cycle_s: f64 = self.phases.iter().map(|phase| phase.green_s + pause_s).sum();
        let mut rest_s = (time_s + self.phase_offset_s).rem_euclid(cycle_s);
        for (index, phase) in self.phases.iter().enumerate() {
            if rest_s < phase.green_s + pause_s {
                let next = &self.phases[(index + 1) % self.phases.len()];
                return Some(shown(phase, next, connection, rest_s));
            }
            rest_s -= phase.green_s + pause_s;
        }
        Some(Signal::Red)
    }
}

fn shown(phase: &Phase, next: &Phase, connection: LaneId, since_green_s: f64) -> Signal {
    let now = phase.green.contains(&connection);
    let soon = next.green.contains(&connection);
    let since_amber_s = since_green_s - phase.green_s;
    match (now, soon) {
        (true, _) if since_amber_s < 0.0 => Signal::Green,
        (true, true) => Signal::Green,
        (true, false) if since_amber_s < AMBER_S => Signal::Amber,
        (false, true) if since_amber_s > AMBER_S + CLEARING_S - RED_AMBER_S => Signal::RedAmber,
        _ => Signal::Red,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lights_take_turns_and_never_show_green_to_both() {
        let junction = Junction {
            control: Control::Lights,
            connections: vec![LaneId(0), LaneId(1)],
            phases: vec![
                Phase { green: vec![LaneId(0)], green_s: 10.0 },
                Phase { green: vec![LaneId(1)], green_s: 5.0 },
            ],
            ..Junction::default()
        };
        let shown = |lane, time_s| junction.signal(LaneId(lane), time_s);
        assert_eq!(shown(0, 0.0), Some(Signal::Green));
        assert_eq!(shown(0, 11.0), Some(Signal::Amber));
        assert_eq!(shown(0, 14.0), Some(Signal::Red));
        assert_eq!(shown(1, 15.5), Some(Signal::RedAmber));
        assert_eq!(shown(1, 16.5), Some(Signal::Green));
        assert_eq!(shown(0, 27.0), Some(Signal::Green), "the cycle lasts 27 s");
        assert_eq!(shown(2, 0.0), None);
        for tenth in 0..600 {
            let both =
                (0..2).all(|lane| shown(lane, f64::from(tenth) * 0.1) == Some(Signal::Green));
            assert!(!both, "at {tenth} tenths of a second");
        }
    }
}
