//! Events among vehicles on the road.

use nalgebra::{Point2, Vector3};

use super::vehicle;
use crate::Error;
use crate::actors::{CarStyle, Item};
use crate::noise::Stream;
use crate::scenario::{Event, Vehicle};
use crate::traffic::agent::{Action, Agent, Mind, Trigger};
use crate::traffic::kind::Kind;
use crate::traffic::place::{Cast, WARM_UP_S};

impl Cast<'_> {
    pub(super) fn stage_on_road(
        &mut self,
        event: &Event,
        stream: &mut Stream,
    ) -> Result<(), Error> {
        match event {
            Event::CutIn { .. } => self.cut_in(event, stream),
            Event::HardBrake { gap_m, brake_m_s2, at_s } => {
                let gap = gap_m.unwrap_or(stream.range(14.0, 30.0));
                let brake = brake_m_s2.unwrap_or(stream.range(4.0, 7.0));
                let at_s = at_s.unwrap_or(stream.range(2.0, 4.0));
                self.hard_brake(gap, brake, at_s, stream)
            }
            Event::LostLoad { item, distance_m } => {
                let item = item.map_or(Item::Load, Item::from);
                let ahead = distance_m.unwrap_or(stream.range(70.0, 140.0));
                self.stand_in_lane("lost_load", Kind::Thing(item), ahead, stream.range(-0.4, 0.4))
            }
            Event::DoubleParked { vehicle: which, distance_m } => {
                let kind = vehicle(which.unwrap_or(Vehicle::Van), stream);
                let ahead = distance_m.unwrap_or(stream.range(60.0, 120.0));
                self.stand_in_lane("double_parked", kind, ahead, -0.35)
            }
            Event::WrongWay { speed_m_s, at_s } => {
                let speed = speed_m_s.unwrap_or(stream.range(12.0, 25.0));
                let at_s = at_s.unwrap_or(stream.range(4.0, 8.0));
                self.wrong_way(speed, at_s, stream)
            }
            Event::OncomingOvertakes { spare_s } => {
                let spare = spare_s.unwrap_or(stream.range(1.0, 3.0));
                self.oncoming_overtakes(spare, stream)
            }
            Event::Cyclist { distance_m, speed_m_s } => {
                let ahead = distance_m.unwrap_or(stream.range(25.0, 70.0));
                let speed = speed_m_s.unwrap_or(stream.range(3.5, 6.0));
                self.cyclist(ahead, speed, stream)
            }
            Event::MotorcycleFilters { faster_m_s } => {
                let faster = faster_m_s.unwrap_or(stream.range(2.0, 6.0));
                self.motorcycle(faster, stream)
            }
            Event::EmergencyVehicle { from_behind, speed_m_s } => {
                let behind = from_behind.unwrap_or(stream.range(0.0, 1.0) < 0.5);
                let speed = speed_m_s.unwrap_or(stream.range(14.0, 20.0));
                self.emergency(behind, speed)
            }
            Event::Jam { distance_m, speed_m_s } => {
                let ahead = distance_m.unwrap_or(stream.range(100.0, 200.0));
                let speed = speed_m_s.unwrap_or(stream.range(0.0, 3.0));
                self.jam(ahead, speed, stream)
            }
            Event::Tailgater { gap_m } => {
                let gap = gap_m.unwrap_or(stream.range(3.0, 7.0));
                let kind = Kind::any_car(stream);
                let front = self.agents[0].tail_s() - gap;
                self.follow_ego(
                    "tailgater",
                    kind,
                    front,
                    0.0,
                    vec![(Trigger::At(-100.0), Action::Hold(-gap))],
                )
            }
            _ => Ok(()),
        }
    }

    fn cut_in(&mut self, event: &Event, stream: &mut Stream) -> Result<(), Error> {
        let Event::CutIn { gap_m, faster_m_s, at_s, vehicle: which } = event else { return Ok(()) };
        let gap = gap_m.unwrap_or(stream.range(8.0, 20.0));
        let faster = faster_m_s.unwrap_or(stream.range(-1.0, 2.0));
        let at_s = at_s.unwrap_or(stream.range(2.0, 5.0));
        let kind = vehicle(which.unwrap_or(Vehicle::Car), stream);
        let speed = self.ego_speed();
        let begin = self.spot("cut_in", 0.0, at_s, 10.0)?;
        let beside = self.beside_m("cut_in", begin)?;
        let rig = self.library.rig(kind);
        let length = rig.main.size_m[0] + rig.towed.as_ref().map_or(0.0, |_| 11.5);
        // It enters the lane about a second after it begins to move over.
        let hold = (gap - faster).max(3.0);
        let front = self.ego().nose_s() + hold + length;
        let after = speed + faster;
        let seconds = if kind.is_heavy() { 3.6 } else { 2.6 };
        let script = vec![
            (Trigger::At(-100.0), Action::Hold(hold)),
            (Trigger::At(at_s - 1.0), Action::Blink(Some(beside < 0.0))),
            (Trigger::At(at_s), Action::Speed(after, 2.0)),
            (Trigger::At(at_s), Action::Shift(0.0, seconds * speed)),
            (Trigger::At(at_s + seconds + 0.5), Action::Join),
        ];
        self.reserve_ahead(120.0);
        self.follow_ego("cut_in", kind, front, beside, script)
    }

    fn hard_brake(
        &mut self,
        gap: f64,
        brake: f64,
        at_s: f64,
        stream: &mut Stream,
    ) -> Result<(), Error> {
        let kind = Kind::any_car(stream);
        let length = self.library.rig(kind).main.size_m[0];
        let front = self.ego().nose_s() + gap + length;
        let script = vec![
            (Trigger::At(-100.0), Action::Hold(gap)),
            (Trigger::At(at_s), Action::Speed(0.0, brake)),
            (Trigger::At(at_s + 8.0), Action::Speed(self.ego_speed(), 1.5)),
            (Trigger::At(at_s + 8.0), Action::Join),
        ];
        self.reserve_ahead(100.0);
        self.follow_ego("hard_brake", kind, front, 0.0, script)
    }

    fn stand_in_lane(
        &mut self,
        event: &'static str,
        kind: Kind,
        ahead: f64,
        left_m: f64,
    ) -> Result<(), Error> {
        let nominal = self.start_s() + ahead;
        let s_m = self.spot_from(event, nominal, 20.0)?;
        let node = self.ego().path.at(s_m);
        let p: Point2<f64> = self.ego().path.beside(s_m, left_m);
        let along = Vector3::new(node.heading_rad.cos(), node.heading_rad.sin(), 0.0);
        match self.park(kind, Vector3::new(p.x, p.y, node.p_m.z), along) {
            Some(index) => {
                self.agents[index].protected = true;
                Ok(())
            }
            None => Err(self.no_room(event, "something stands there already")),
        }
    }

    /// An agent that comes towards the ego on the line `left_m` to the left of its path, and meets it
    /// `at_s` into the clip.
    fn oncoming(&mut self, kind: Kind, left_m: f64, speed: f64, at_s: f64) -> Agent {
        let reversed = self.ego().path.reversed();
        let meet = self.start_s() + self.ego_speed() * at_s;
        let start = reversed.length_m() - meet - speed * (at_s + WARM_UP_S);
        let rig = self.library.rig(kind);
        let mut agent = Agent::new(kind, &rig, Mind::Script, reversed, start, -left_m);
        agent.state.s_m -= agent.chassis.nose_m;
        agent.settle();
        agent.state.speed_m_s = speed;
        agent.driver.desired_m_s = speed;
        agent.rogue = true;
        agent
    }

    fn wrong_way(&mut self, speed: f64, at_s: f64, stream: &mut Stream) -> Result<(), Error> {
        let meet = self.start_s() + self.ego_speed() * at_s;
        let left_m = self.beside_m("wrong_way", meet)?;
        let kind = Kind::any_car(stream);
        self.reserve_ahead(self.ego_speed() * at_s);
        let agent = self.oncoming(kind, left_m, speed, at_s);
        self.protect("wrong_way", agent)
    }

    fn oncoming_overtakes(&mut self, spare_s: f64, stream: &mut Stream) -> Result<(), Error> {
        const EVENT: &str = "oncoming_overtakes";
        let at_s = 6.5;
        let (fast, slow) = (19.0, 11.0);
        let meet = self.start_s() + self.ego_speed() * at_s;
        let left_m = self.oncoming_m(EVENT, meet)?;
        self.reserve_ahead(self.ego_speed() * at_s + 60.0);
        let mut overtaker = self.oncoming(Kind::any_car(stream), left_m, fast, at_s);
        let at =
            |time_s: f64, agent: &Agent, speed: f64| agent.state.s_m + speed * (time_s + WARM_UP_S);
        // Back in its lane `spare_s` before they would meet; moving over takes 2.2 s each time.
        let back_s = at_s - spare_s - 2.2;
        let out_s = back_s - 4.4;
        let (out, back) = (at(out_s, &overtaker, fast), at(back_s, &overtaker, fast));
        overtaker.script = vec![
            (Trigger::SelfAt(out), Action::Shift(0.0, 2.2 * fast)),
            (Trigger::SelfAt(back), Action::Shift(-left_m, 2.2 * fast)),
        ];
        // They are side by side a second before the overtaker moves back.
        let side_s = back_s - 1.2;
        let mut lead = self.oncoming(Kind::any_car(stream), left_m, slow, at_s);
        lead.state.s_m = at(side_s, &overtaker, fast) - slow * (side_s + WARM_UP_S);
        lead.settle();
        lead.rogue = false;
        self.protect(EVENT, overtaker)?;
        self.protect(EVENT, lead)
    }

    fn cyclist(&mut self, ahead: f64, speed: f64, stream: &mut Stream) -> Result<(), Error> {
        let nominal = self.start_s() + ahead;
        let kind = Kind::Bicycle { look: stream.range(0.0, 12.0) as u8 };
        let rig = self.library.rig(kind);
        let s_m = nominal - speed * WARM_UP_S;
        let left_m = -(self.lane_half_m(s_m) - 0.7);
        let path = self.ego().path.clone();
        let mut agent = Agent::new(kind, &rig, Mind::Drive, path, s_m, left_m);
        agent.driver.desired_m_s = speed;
        agent.driver.accelerate_m_s2 = 0.9;
        agent.state.speed_m_s = speed;
        self.reserve_ahead(ahead + 20.0);
        self.protect("cyclist", agent)
    }

    fn motorcycle(&mut self, faster: f64, stream: &mut Stream) -> Result<(), Error> {
        let s_m = self.start_s();
        let beside = self.beside_m("motorcycle_filters", s_m)?;
        let kind = Kind::Motorcycle { colour: stream.range(0.0, 10.0) as u8 };
        let speed = self.ego_speed() + faster;
        let front = self.ego().tail_s() - faster * (WARM_UP_S + 3.0) - 4.0;
        let script = vec![(Trigger::At(-100.0), Action::Speed(speed, 3.0))];
        self.follow_ego("motorcycle_filters", kind, front, 0.5 * beside, script)?;
        if let Some(agent) = self.agents.last_mut() {
            agent.state.speed_m_s = speed;
        }
        Ok(())
    }

    fn emergency(&mut self, behind: bool, speed: f64) -> Result<(), Error> {
        const EVENT: &str = "emergency_vehicle";
        let kind = Kind::Car { style: CarStyle::Ambulance, colour: 0, door: false };
        let s_m = self.start_s();
        if behind {
            let beside = self.beside_m(EVENT, s_m)?;
            let faster = (speed - self.ego_speed()).max(1.0);
            let front = self.ego().tail_s() - faster * (WARM_UP_S + 3.0) - 5.0;
            let script = vec![(Trigger::At(-100.0), Action::Speed(speed, 3.0))];
            self.follow_ego(EVENT, kind, front, beside, script)?;
        } else {
            let left_m = self.oncoming_m(EVENT, s_m)?;
            let agent = self.oncoming(kind, left_m, speed, 5.0);
            self.protect(EVENT, agent)?;
        }
        if let Some(agent) = self.agents.last_mut() {
            agent.beacon = true;
            agent.rogue = !behind;
            agent.state.speed_m_s = speed;
        }
        Ok(())
    }

    fn jam(&mut self, ahead: f64, speed: f64, stream: &mut Stream) -> Result<(), Error> {
        let mut front = self.spot_from("jam", self.start_s() + ahead, 15.0)?;
        for _ in 0..8 {
            let kind = Kind::any_vehicle(0.1, stream);
            let rig = self.library.rig(kind);
            let path = self.ego().path.clone();
            let mind = if speed > 0.1 { Mind::Drive } else { Mind::Stand };
            let mut agent = Agent::new(kind, &rig, mind, path, front, stream.range(-0.2, 0.2));
            let length = agent.nose_s() - agent.tail_s();
            agent.state.s_m = front + length - agent.chassis.nose_m - speed * WARM_UP_S;
            agent.settle();
            agent.driver.desired_m_s = speed.max(0.3);
            agent.state.speed_m_s = speed;
            self.protect("jam", agent)?;
            front += length + stream.range(2.2, 4.0) + 1.3 * speed;
        }
        self.reserve_ahead(ahead + 150.0);
        Ok(())
    }
}
