//! Putting pinned events on the ego's way.

mod edge;
mod road;

use super::agent::{Action, Agent, Mind, Trigger};
use super::kind::Kind;
use super::place::{Cast, WARM_UP_S};
use crate::Error;
use crate::actors::CarStyle;
use crate::noise::Stream;
use crate::roads::LaneKind;
use crate::scenario::{Event, Vehicle, stopping_m};

fn vehicle(vehicle: Vehicle, stream: &mut Stream) -> Kind {
    let colour = stream.range(0.0, 10.0) as u8;
    match vehicle {
        Vehicle::Car => Kind::any_car(stream),
        Vehicle::Van => Kind::Car { style: CarStyle::Van, colour, door: false },
        Vehicle::Lorry => Kind::Lorry { colour },
        Vehicle::Semi => Kind::Semi { colour },
        Vehicle::Bus => Kind::Bus { colour },
        Vehicle::Motorcycle => Kind::Motorcycle { colour },
    }
}

impl Cast<'_> {
    /// Adds whatever an event needs.
    pub(crate) fn stage(&mut self, event: &Event, stream: &mut Stream) -> Result<(), Error> {
        if event.is_at_edge() {
            self.stage_at_edge(event, stream)
        } else {
            self.stage_on_road(event, stream)
        }
    }

    fn ego(&self) -> &Agent {
        &self.agents[0]
    }

    fn ego_speed(&self) -> f64 {
        self.ego().driver.desired_m_s.min(self.ego().state.speed_m_s.max(2.0))
    }

    /// Where the ego's front end is at the clip's start, along its path, if nothing holds it up.
    fn start_s(&self) -> f64 {
        self.ego().nose_s() + self.ego_speed() * WARM_UP_S
    }

    fn distance(&self, given: Option<f64>, stream: &mut Stream) -> f64 {
        given.unwrap_or(stopping_m(self.ego_speed()) * stream.range(1.05, 1.6))
    }

    /// A place on the ego's path, away from junctions, that it reaches after some seconds; `room_m` is
    /// what has to be free before and behind it.
    fn spot(
        &mut self,
        event: &'static str,
        at_least_m: f64,
        after_s: f64,
        room_m: f64,
    ) -> Result<f64, Error> {
        let nominal = self.start_s() + self.ego_speed() * after_s + at_least_m;
        self.spot_from(event, nominal, room_m)
    }

    fn spot_from(&mut self, event: &'static str, nominal: f64, room_m: f64) -> Result<f64, Error> {
        let path = &self.ego().path;
        let plain = |s: f64| {
            path.spans.iter().all(|span| {
                let away = span.end_m < s - room_m || span.start_m > s + room_m;
                away || self.network.lane(span.lane).junction.is_none()
            }) && path.sharpest(s - room_m, s + room_m) < 0.03
                && !self.is_on_crossing(s, room_m)
        };
        let last = path.length_m() - room_m - 10.0;
        let mut s = nominal;
        while s < last && s < nominal + 150.0 {
            if plain(s) {
                let from = self.ego().tail_s();
                let before = self.reserved_m.map_or(from, |r| r[0].min(from));
                let to = self.reserved_m.map_or(s, |r| r[1].max(s)) + 30.0;
                self.reserved_m = Some([before, to]);
                return Ok(s);
            }
            s += 2.0;
        }
        Err(self.no_room(
            event,
            "the ego's way has no stretch without junctions, crossings and bends for it",
        ))
    }

    fn is_on_crossing(&self, s_m: f64, room_m: f64) -> bool {
        let path = &self.ego().path;
        self.network.crossings.iter().any(|crossing| {
            crossing.lanes.iter().any(|(lane, range)| {
                path.spans.iter().any(|span| {
                    span.lane == *lane
                        && span.start_m + range[0] < s_m + room_m
                        && span.start_m + range[1] > s_m - room_m
                })
            })
        })
    }

    /// Distances to the left of the ego's path where the drivable ground ends, right and left, metres.
    fn edges(&self, s_m: f64) -> (f64, f64) {
        let path = &self.ego().path;
        let drivable = |left_m: f64| {
            let p = path.beside(s_m, left_m);
            self.network.ground(p.x, p.y).is_some_and(|ground| ground.drivable)
        };
        let march = |sign: f64, most: f64| {
            let mut d: f64 = 1.2;
            while d < most && drivable(sign * d) {
                d += 0.2;
            }
            sign * d
        };
        (march(-1.0, 9.0), march(1.0, 30.0))
    }

    fn lane_half_m(&self, s_m: f64) -> f64 {
        let span = self.ego().path.span(s_m);
        span.map_or(1.6, |span| 0.5 * self.network.lane(span.lane).at(s_m - span.start_m).width_m)
    }

    /// How far to the left of the ego's path the next lane in its direction lies, metres; that on the
    /// right if there is none on the left.
    fn beside_m(&self, event: &'static str, s_m: f64) -> Result<f64, Error> {
        let none = || self.no_room(event, "the ego has no second lane beside it");
        let path = &self.ego().path;
        let span = path.span(s_m).ok_or_else(none)?;
        let lane = self.network.lane(span.lane);
        let p = path.at(s_m).p_m;
        [lane.left_neighbour, lane.right_neighbour]
            .into_iter()
            .flatten()
            .map(|id| self.network.lane(id))
            .find(|next| next.kind == LaneKind::Driving)
            .map(|next| -next.nearest(p.x, p.y).0.left_m)
            .ok_or_else(none)
    }

    /// How far to the left of the ego's path the nearest oncoming lane lies, metres.
    fn oncoming_m(&self, event: &'static str, s_m: f64) -> Result<f64, Error> {
        let none = || self.no_room(event, "the ego's road has no oncoming lane");
        let path = &self.ego().path;
        let mut lane = self.network.lane(path.span(s_m).ok_or_else(none)?.lane);
        while let Some(next) = lane.left_neighbour {
            lane = self.network.lane(next);
        }
        let opposite = self.network.lane(lane.opposite.ok_or_else(none)?);
        let p = path.at(s_m).p_m;
        // It runs the other way: the ego is on its left.
        Ok(opposite.nearest(p.x, p.y).0.left_m.abs())
    }

    /// An agent on the ego's path whose front end is at `front_s`, following a script.
    fn follow_ego(
        &mut self,
        event: &'static str,
        kind: Kind,
        front_s: f64,
        left_m: f64,
        script: Vec<(Trigger, Action)>,
    ) -> Result<(), Error> {
        let rig = self.library.rig(kind);
        let path = self.ego().path.clone();
        let mut agent = Agent::new(kind, &rig, Mind::Script, path, front_s, left_m);
        agent.state.s_m = front_s - agent.chassis.nose_m;
        agent.settle();
        agent.state.speed_m_s = self.ego_speed();
        agent.driver.desired_m_s = self.ego_speed();
        agent.script = script;
        self.protect(event, agent)
    }

    fn protect(&mut self, event: &'static str, mut agent: Agent) -> Result<(), Error> {
        agent.protected = true;
        if self.add(agent, 0.05) {
            Ok(())
        } else {
            Err(self.no_room(event, "something stands where it should begin"))
        }
    }

    /// Keeps the ego's way free of ordinary traffic this far ahead of where the clip begins.
    fn reserve_ahead(&mut self, ahead_m: f64) {
        let to = self.start_s() + ahead_m;
        let from = self.ego().tail_s() - 5.0;
        let old = self.reserved_m.unwrap_or([from, to]);
        self.reserved_m = Some([old[0].min(from), old[1].max(to)]);
    }
}
