//! Events that come from the edge of the road: people, animals, doors, parked vehicles.

use nalgebra::Vector3;

use super::vehicle;
use crate::Error;
use crate::actors::{CarStyle, Item, Species};
use crate::noise::Stream;
use crate::scenario::{Event, Hiding, Vehicle, stopping_m};
use crate::traffic::agent::{Action, Agent, Mind, Trigger};
use crate::traffic::kind::Kind;
use crate::traffic::path::Path;
use crate::traffic::place::Cast;

/// Room that parked vehicles leave to the lane, metres.
const KERB_GAP_M: f64 = 0.12;

/// Somebody who crosses the ego's way.
struct Crosser {
    kind: Kind,
    /// Where along the ego's path.
    s_m: f64,
    /// Distances to the left of it where it starts and ends, metres.
    from_left_m: f64,
    to_left_m: f64,
    speed_m_s: f64,
    /// How far the ego's front is away when it enters the lane, metres.
    distance_m: f64,
}

impl Cast<'_> {
    pub(super) fn stage_at_edge(
        &mut self,
        event: &Event,
        stream: &mut Stream,
    ) -> Result<(), Error> {
        match event {
            Event::PedestrianEmerges { from_behind, distance_m, speed_m_s, child } => {
                let hiding = from_behind.unwrap_or(Hiding::Van);
                let child = child.unwrap_or(stream.range(0.0, 1.0) < 0.3);
                let speed = speed_m_s.unwrap_or(stream.range(1.3, 2.4));
                let distance = self.distance(*distance_m, stream);
                self.pedestrian(hiding, distance, speed, child, stream)
            }
            Event::Ball { distance_m } => {
                let distance = self.distance(*distance_m, stream);
                self.ball(distance, stream)
            }
            Event::Animal { species, distance_m, speed_m_s } => {
                let species = species.map_or(Species::Dog, Species::from);
                let speed = speed_m_s.unwrap_or(stream.range(2.5, 6.0));
                let distance = self.distance(*distance_m, stream);
                let s_m = self.spot("animal", distance, 2.0, 12.0)?;
                let (right, left) = self.edges(s_m);
                self.cross(
                    "animal",
                    &Crosser {
                        kind: Kind::Animal(species),
                        s_m,
                        from_left_m: right - 2.0,
                        to_left_m: left + 6.0,
                        speed_m_s: speed,
                        distance_m: distance,
                    },
                )
            }
            Event::OpenDoor { distance_m } => {
                let distance = self.distance(*distance_m, stream);
                self.open_door(distance, stream)
            }
            Event::PullsOut { distance_m } => {
                let distance = self.distance(*distance_m, stream);
                self.pulls_out(distance, stream)
            }
            Event::BusStop { distance_m, people } => {
                let ahead = distance_m.unwrap_or(stream.range(50.0, 120.0));
                let people = people.unwrap_or(stream.range(2.0, 8.0) as u32);
                self.bus_stop(ahead, people, stream)
            }

            _ => Ok(()),
        }
    }

    /// Where a standing vehicle of this width has its middle at the kerb, to the left of the path.
    fn kerbside_m(&self, s_m: f64, half_width_m: f64) -> f64 {
        let (right, _) = self.edges(s_m);
        let nearest = -(self.lane_half_m(s_m) + KERB_GAP_M + half_width_m);
        (right + half_width_m + 0.15).min(nearest)
    }

    /// Stands a vehicle at the kerb with its front end at about `front_s`; where that front end is.
    fn stand_at_kerb(
        &mut self,
        event: &'static str,
        kind: Kind,
        front_s: f64,
    ) -> Result<(usize, f64), Error> {
        let size = self.library.rig(kind).main.size_m;
        for attempt in 0..8 {
            let front = front_s + 2.0 * f64::from(attempt);
            let middle_s = front - 0.5 * size[0];
            let left = self.kerbside_m(middle_s, 0.5 * size[1]);
            let node = self.ego().path.at(middle_s);
            let p = self.ego().path.beside(middle_s, left);
            let along = Vector3::new(node.heading_rad.cos(), node.heading_rad.sin(), 0.0);
            let z = self.network.ground(p.x, p.y).map_or(node.p_m.z, |ground| ground.height_m);
            if let Some(index) = self.park(kind, Vector3::new(p.x, p.y, z), along) {
                self.agents[index].protected = true;
                return Ok((index, front));
            }
        }
        Err(self.no_room(event, "no free place at the kerb"))
    }

    /// Adds somebody who waits and then crosses.
    fn cross(&mut self, event: &'static str, crosser: &Crosser) -> Result<(), Error> {
        let ego_path = &self.ego().path;
        let at = |left_m: f64| {
            let p = ego_path.beside(crosser.s_m, left_m);
            let z = self
                .network
                .ground(p.x, p.y)
                .map_or(ego_path.at(crosser.s_m).p_m.z, |g| g.height_m);
            nalgebra::Point3::new(p.x, p.y, z)
        };
        let path = Path::through(&[at(crosser.from_left_m), at(crosser.to_left_m)]);
        let rig = self.library.rig(crosser.kind);
        let reach = 0.5 * rig.main.size_m[0];
        let entry = -self.lane_half_m(crosser.s_m) - crosser.from_left_m - reach;
        let lead_s = entry / crosser.speed_m_s + 0.5 * crosser.speed_m_s / 3.0;
        let ego = self.ego();
        let trigger =
            crosser.s_m - crosser.distance_m - ego.chassis.nose_m - self.ego_speed() * lead_s;
        let length = path.length_m();
        let mut agent = Agent::new(crosser.kind, &rig, Mind::Script, path, 0.0, 0.0);
        agent.driver.desired_m_s = 0.0;
        agent.rogue = true;
        agent.script = vec![
            (Trigger::EgoAt(trigger), Action::Speed(crosser.speed_m_s, 3.0)),
            (Trigger::SelfAt(length - 0.8), Action::Speed(0.0, 2.0)),
        ];
        self.protect(event, agent)
    }

    fn pedestrian(
        &mut self,
        hiding: Hiding,
        distance: f64,
        speed: f64,
        child: bool,
        stream: &mut Stream,
    ) -> Result<(), Error> {
        const EVENT: &str = "pedestrian_emerges";
        let mut s_m = self.spot(EVENT, distance, 2.5, 16.0)?;
        let hider = match hiding {
            Hiding::Nothing => None,
            Hiding::Car => Some(Kind::any_car(stream)),
            Hiding::Van => Some(vehicle(Vehicle::Van, stream)),
            Hiding::Lorry => Some(vehicle(Vehicle::Lorry, stream)),
            Hiding::Bus => Some(vehicle(Vehicle::Bus, stream)),
        };
        let (mut from_left, to_left) = self.edges(s_m);
        from_left -= 0.6;
        if let Some(kind) = hider {
            let (index, front) = self.stand_at_kerb(EVENT, kind, s_m - 0.9)?;
            s_m = front + 0.9;
            let centre = self.agents[index].footprints().0.centre_m;
            let (_, left) = self.ego().path.locate(&centre);
            from_left = left - 0.3;
        }
        let kind = Kind::any_person(if child { 1.0 } else { 0.0 }, stream);
        self.cross(
            EVENT,
            &Crosser {
                kind,
                s_m,
                from_left_m: from_left,
                to_left_m: to_left + 1.2,
                speed_m_s: speed,
                distance_m: distance,
            },
        )
    }

    fn ball(&mut self, distance: f64, stream: &mut Stream) -> Result<(), Error> {
        const EVENT: &str = "ball";
        let s_m = self.spot(EVENT, distance, 2.5, 14.0)?;
        let (right, left) = self.edges(s_m);
        let crosser = |kind, s_m, speed_m_s, from_left_m, to_left_m, distance_m| Crosser {
            kind,
            s_m,
            from_left_m,
            to_left_m,
            speed_m_s,
            distance_m,
        };
        let ball = crosser(Kind::Thing(Item::Ball), s_m, 4.0, right - 1.0, left - 0.6, distance);
        self.cross(EVENT, &ball)?;
        let child = Kind::any_person(1.0, stream);
        // The child runs a second behind the ball.
        let later = (distance - self.ego_speed()).max(stopping_m(self.ego_speed()));
        self.cross(EVENT, &crosser(child, s_m + 0.9, 2.8, right - 1.6, left - 1.8, later))
    }

    fn open_door(&mut self, distance: f64, stream: &mut Stream) -> Result<(), Error> {
        let s_m = self.spot("open_door", distance, 2.0, 14.0)?;
        let kind = Kind::Car {
            style: CarStyle::Hatchback,
            colour: stream.range(0.0, 10.0) as u8,
            door: true,
        };
        let (index, front) = self.stand_at_kerb("open_door", kind, s_m + 1.5)?;
        let ego_nose = self.ego().chassis.nose_m;
        let trigger = front - 1.5 - distance - ego_nose;
        self.agents[index].script = vec![(Trigger::EgoAt(trigger), Action::OpenDoor)];
        // The ego gives way within its lane, and comes back behind the car.
        let (_, left) = self.ego().path.locate(&self.agents[index].footprints().0.centre_m);
        let edge = left + self.agents[index].chassis.half_m[1] + 1.0;
        let need = (edge + self.ego().chassis.half_m[1] + 0.35).clamp(0.0, 1.6);
        let ego = &mut self.agents[0];
        ego.script = vec![
            (Trigger::EgoAt(trigger), Action::Shift(need, 0.75 * distance)),
            (Trigger::EgoAt(front + 6.0), Action::Shift(0.0, 15.0)),
        ];
        Ok(())
    }

    fn pulls_out(&mut self, distance: f64, stream: &mut Stream) -> Result<(), Error> {
        let s_m = self.spot("pulls_out", distance, 2.0, 16.0)?;
        let kind = Kind::any_car(stream);
        let (index, front) = self.stand_at_kerb("pulls_out", kind, s_m)?;
        let path = self.ego().path.clone();
        let centre = self.agents[index].footprints().0.centre_m;
        let (_, left_m) = path.locate(&centre);
        let rig = self.library.rig(kind);
        let mut agent = Agent::new(kind, &rig, Mind::Script, path, front, left_m);
        agent.state.s_m = front - agent.chassis.nose_m;
        agent.settle();
        agent.protected = true;
        agent.rogue = true;
        agent.driver.desired_m_s = 0.0;
        let trigger = front - distance - self.ego().chassis.nose_m;
        let speed = (0.7 * self.ego_speed()).min(9.0);
        agent.script = vec![
            (Trigger::EgoAt(trigger - self.ego_speed()), Action::Blink(Some(true))),
            (Trigger::EgoAt(trigger), Action::Speed(speed, 2.0)),
            (Trigger::EgoAt(trigger), Action::Shift(0.0, 16.0)),
            (Trigger::SelfAt(front + 18.0), Action::Join),
            (Trigger::SelfAt(front + 18.0), Action::Speed(self.ego_speed(), 1.5)),
            (Trigger::SelfAt(front + 18.0), Action::Blink(None)),
        ];
        self.agents[index] = agent;
        Ok(())
    }

    fn bus_stop(&mut self, ahead: f64, people: u32, stream: &mut Stream) -> Result<(), Error> {
        const EVENT: &str = "bus_stop";
        let s_m = self.spot_from(EVENT, self.start_s() + ahead, 15.0)?;
        let kind = vehicle(Vehicle::Bus, stream);
        let (index, front) = self.stand_at_kerb(EVENT, kind, s_m)?;
        let centre = self.agents[index].footprints().0.centre_m;
        let (_, left) = self.ego().path.locate(&centre);
        for _ in 0..people {
            let kind = Kind::any_person(0.15, stream);
            let at_s = front - stream.range(0.5, 11.0);
            let p = self.ego().path.beside(at_s, left - 1.75 - stream.range(0.0, 1.6));
            let z = self.network.ground(p.x, p.y).map_or(0.0, |ground| ground.height_m);
            let turn = stream.range(-3.0, 3.0);
            // Whoever finds no room among walls and others stays away.
            self.park(
                kind,
                Vector3::new(p.x, p.y, z),
                Vector3::new(f64::cos(turn), f64::sin(turn), 0.0),
            );
        }
        Ok(())
    }
}
