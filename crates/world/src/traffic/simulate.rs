//! The course of traffic in fixed steps.

use super::agent::{Action, Agent, Mind, Trigger};
use super::corridor::Corridor;
use super::idm::HARDEST_M_S2;
use super::path::{Shift, left_at};
use super::yielding::Scene;
use crate::footprint::Footprint;
use crate::roads::Network;

/// Step of the simulation and of all poses, seconds.
pub const STEP_S: f64 = 0.05;

/// One agent at one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Moment {
    pub(crate) main: Footprint,
    pub(crate) towed: Option<Footprint>,
    /// Height of the path, to find the right level of the ground by, metres.
    pub(crate) height_m: f64,
    pub(crate) speed_m_s: f64,
    pub(crate) accel_m_s2: f64,
    pub(crate) steering_rad: f64,
    pub(crate) walked_m: f64,
    pub(crate) door_rad: f64,
    pub(crate) blink: Option<bool>,
    /// Front axle along the path and to its left, metres.
    pub(crate) s_m: f64,
    pub(crate) left_m: f64,
}

/// Traffic while it runs.
pub(crate) struct Simulation<'a> {
    pub(crate) network: &'a Network,
    pub(crate) agents: Vec<Agent>,
    /// Index of the vehicle with the rig.
    pub(crate) ego: usize,
    pub(crate) time_s: f64,
    lines: Vec<Option<(f64, bool)>>,
    boxes: Vec<(Footprint, Option<Footprint>)>,
    busy: Vec<bool>,
    step: usize,
}

impl<'a> Simulation<'a> {
    pub(crate) fn new(network: &'a Network, agents: Vec<Agent>, ego: usize, start_s: f64) -> Self {
        let mut lines = vec![None; network.lanes.len()];
        for line in &network.stop_lines {
            lines[line.lane.0 as usize] = Some((line.s_m, line.must_stop));
        }
        Self {
            network,
            agents,
            ego,
            time_s: start_s,
            lines,
            boxes: Vec::new(),
            busy: Vec::new(),
            step: 0,
        }
    }

    /// Runs to a time; for each agent its moments from time zero on.
    pub(crate) fn run(mut self, end_s: f64) -> Vec<Vec<Moment>> {
        let mut moments = vec![Vec::new(); self.agents.len()];
        let first = (self.time_s / STEP_S).round() as i64;
        let last = (end_s / STEP_S).ceil() as i64;
        for tick in first..=last {
            self.time_s = tick as f64 * STEP_S;
            if tick >= 0 {
                for (agent, out) in self.agents.iter().zip(&mut moments) {
                    out.push(moment(agent));
                }
            }
            self.advance();
        }
        moments
    }

    fn advance(&mut self) {
        self.boxes = self.agents.iter().map(Agent::footprints).collect();
        self.scripts();
        self.crossings();
        self.busy = self.busy();
        let accelerations: Vec<f64> =
            (0..self.agents.len()).map(|i| self.acceleration(i)).collect();
        self.manoeuvres();
        for (agent, acceleration) in self.agents.iter_mut().zip(accelerations) {
            if agent.mind != Mind::Stand || agent.state.door {
                agent.advance(acceleration, STEP_S);
            }
        }
        self.step += 1;
    }

    fn scene<'b>(&'b self, busy: &'b [bool]) -> Scene<'b> {
        Scene {
            network: self.network,
            agents: &self.agents,
            time_s: self.time_s,
            busy,
            lines: &self.lines,
        }
    }

    fn busy(&self) -> Vec<bool> {
        let mut busy = vec![false; self.network.crossings.len()];
        for agent in &self.agents {
            if let Some(crossing) = agent.state.crossing {
                busy[crossing] = true;
            }
        }
        busy
    }

    /// What scripts ask for now.
    fn scripts(&mut self) {
        let ego_s = self.agents[self.ego].state.s_m;
        let time_s = self.time_s;
        for agent in &mut self.agents {
            while let Some((trigger, action)) = agent.script.get(agent.state.scene).copied() {
                let due = match trigger {
                    Trigger::At(at_s) => time_s >= at_s,
                    Trigger::EgoAt(s_m) => ego_s >= s_m,
                    Trigger::SelfAt(s_m) => agent.state.s_m >= s_m,
                };
                if !due {
                    break;
                }
                agent.state.scene += 1;
                act(agent, action);
            }
        }
    }

    /// Walkers decide at the kerb, and leave the crossing behind them.
    fn crossings(&mut self) {
        let busy = self.busy();
        let mut decided = Vec::new();
        for (index, agent) in self.agents.iter().enumerate() {
            if agent.mind != Mind::Walk {
                continue;
            }
            let s = agent.state.s_m;
            let on =
                agent.crossings.iter().find(|(_, range)| s > range[0] - 0.9 && s < range[1] + 0.2);
            match (on, agent.state.crossing) {
                (None, Some(_)) => decided.push((index, None)),
                (Some((crossing, range)), None)
                    if s > range[0] - 0.05 || self.scene(&busy).may_cross(agent, *crossing) =>
                {
                    decided.push((index, Some(*crossing)));
                }
                _ => {}
            }
        }
        for (index, crossing) in decided {
            self.agents[index].state.crossing = crossing;
        }
    }

    fn acceleration(&self, index: usize) -> f64 {
        let agent = &self.agents[index];
        match agent.mind {
            Mind::Stand => 0.0,
            Mind::Drive => self.driven(index),
            Mind::Walk => self.walked(index),
            Mind::Script => self.scripted(index),
        }
    }

    fn scripted(&self, index: usize) -> f64 {
        let agent = &self.agents[index];
        let (speed, limit) = (agent.state.speed_m_s, agent.state.limit_m_s2);
        if let Some(gap_m) = agent.state.hold_m {
            let ego = &self.agents[self.ego];
            let (ego_s, _) = agent.path.locate(&self.boxes[self.ego].0.centre_m);
            let front = ego_s + ego.chassis.half_m[0];
            let wished = if gap_m >= 0.0 {
                front + gap_m - agent.tail_s()
            } else {
                ego_s - ego.chassis.half_m[0] + gap_m - agent.nose_s()
            };
            let closing = ego.state.speed_m_s - speed;
            return (0.6 * wished + 1.4 * closing).clamp(-6.0, 4.0);
        }
        ((agent.driver.desired_m_s - speed) / STEP_S).clamp(-limit, limit)
    }

    fn walked(&self, index: usize) -> f64 {
        let agent = &self.agents[index];
        let state = &agent.state;
        let mut wished = agent.driver.desired_m_s;
        let kerb = agent.crossings.iter().filter(|(crossing, _)| state.crossing != Some(*crossing));
        for (_, range) in kerb {
            let gap = range[0] - 0.5 - state.s_m;
            if gap > -0.3 {
                wished = wished.min((1.5 * gap).max(0.0));
            }
        }
        let corridor = Corridor::of(agent, 2.0, 0.08);
        for (other, (main, _)) in self.boxes.iter().enumerate() {
            let near =
                (main.centre_m - self.boxes[index].0.centre_m).norm() < 4.0 + main.radius_m();
            if other == index || !near {
                continue;
            }
            if let Some(hit) = corridor.hit(main) {
                let along = velocity(&self.agents[other], main).dot(&hit.ahead).max(0.0);
                wished = wished.min(along + (1.4 * (hit.gap_m - 0.35)).max(0.0));
            }
        }
        ((wished - state.speed_m_s) / STEP_S).clamp(-3.5, 1.2)
    }

    fn driven(&self, index: usize) -> f64 {
        let agent = &self.agents[index];
        let speed = agent.state.speed_m_s;
        let mut driver = agent.driver;
        driver.desired_m_s = self.speed_for_bends(agent).max(0.5);
        let mut accel = driver.free(speed);
        let reach = (12.0 + 2.5 * speed + speed * speed / 5.0).min(130.0);
        // Two-wheelers squeeze past; others keep a forearm's distance.
        let margin = if agent.kind.is_two_wheeled() { 0.15 } else { 0.28 };
        let corridor = Corridor::of(agent, reach, margin);
        for (other, (main, towed)) in self.boxes.iter().enumerate() {
            let offset = main.centre_m - self.boxes[index].0.centre_m;
            let range = reach + main.radius_m() + 45.0;
            if other == index || offset.norm_squared() > range * range {
                continue;
            }
            for part in std::iter::once(main).chain(towed) {
                if let Some(hit) = corridor.hit(part) {
                    let along = velocity(&self.agents[other], part).dot(&hit.ahead);
                    // A gap that is already too small leaves the standstill gap out of the sum.
                    accel = accel.min(driver.follow(speed, hit.gap_m.max(0.05), along));
                }
            }
            accel = accel.min(self.foreseen(agent, &driver, &corridor, other));
        }
        for gap in self.scene(&self.busy).stops(index) {
            let mut at_line = driver;
            at_line.standstill_m = 0.4;
            accel = accel.min(at_line.follow(speed, gap.max(0.02), 0.0));
        }
        accel.clamp(-HARDEST_M_S2, driver.accelerate_m_s2)
    }

    /// Who keeps to no rule is met where it will be.
    fn foreseen(
        &self,
        agent: &Agent,
        driver: &super::idm::Driver,
        corridor: &Corridor,
        other: usize,
    ) -> f64 {
        let rival = &self.agents[other];
        let watched = rival.rogue || rival.kind.is_on_foot() || rival.state.crossing.is_some();
        if !watched || rival.state.speed_m_s < 0.2 || rival.mind == Mind::Stand {
            return f64::INFINITY;
        }
        let speed = agent.state.speed_m_s;
        let mut accel = f64::INFINITY;
        // Nobody sees through a parked van: who steps out is noticed late.
        let ticks = if rival.rogue && rival.kind.is_on_foot() { 3 } else { 8 };
        for tick in 1..=ticks {
            let ahead_s = 0.4 * f64::from(tick);
            let there = rival.footprint_at(rival.state.s_m + rival.state.speed_m_s * ahead_s);
            if let Some(hit) = corridor.hit(&there) {
                let arrival_s = hit.gap_m / speed.max(0.5);
                if arrival_s < ahead_s + 1.5 {
                    let gap = (hit.gap_m - 1.0).max(0.05);
                    accel = accel.min(driver.follow(speed, gap, 0.0));
                }
            }
        }
        accel
    }

    /// Wished speed, less where the path bends ahead: comfortable braking to 2 m/s2 sideways.
    fn speed_for_bends(&self, agent: &Agent) -> f64 {
        const SIDEWAYS_M_S2: f64 = 2.0;
        let speed = agent.state.speed_m_s;
        let reach = 10.0 + speed * speed / 3.0;
        let mut limit = agent.driver.desired_m_s;
        let mut ahead = 0.0;
        while ahead < reach {
            let curvature = agent.path.curvature(agent.state.s_m + ahead).abs();
            let there = (SIDEWAYS_M_S2 / curvature.max(1e-5)).sqrt();
            limit = limit.min((there * there + 2.0 * 1.5 * ahead).sqrt());
            ahead += 3.0;
        }
        limit
    }

    /// Marks who has stopped at a line, and lets who is held up pass what stands in the way.
    fn manoeuvres(&mut self) {
        for index in 0..self.agents.len() {
            let agent = &mut self.agents[index];
            if agent.mind == Mind::Drive
                && agent.state.speed_m_s < 0.25
                && agent.state.waited_s > 0.5
            {
                agent.state.stopped = true;
            }
            // One in twenty agents a step: each thinks about it once a second.
            if !(self.step + index).is_multiple_of(20) {
                continue;
            }
            let agent = &self.agents[index];
            if agent.mind == Mind::Drive && agent.free {
                if let Some(shifts) = super::passing::pass(self, index) {
                    let left = shifts[0].to_left_m
                        > left_at(agent.base_left_m, &agent.shifts, agent.state.s_m);
                    self.agents[index].shifts.extend(shifts);
                    self.agents[index].state.blink = Some(left);
                } else if !agent.protected
                    && let Some((path, s_m, left_m)) = super::passing::change(self, index)
                {
                    super::passing::take(&mut self.agents[index], path, s_m, left_m);
                }
            }
            let agent = &mut self.agents[index];
            let settled = agent
                .shifts
                .last()
                .is_some_and(|last| agent.state.s_m > last.from_s_m + 0.7 * last.length_m);
            if settled && agent.script.is_empty() {
                agent.state.blink = None;
            }
        }
    }

    pub(crate) fn boxes(&self) -> &[(Footprint, Option<Footprint>)] {
        &self.boxes
    }
}

/// Velocity of an agent's box, m/s.
fn velocity(agent: &Agent, part: &Footprint) -> nalgebra::Vector2<f64> {
    let (sin, cos) = part.heading_rad.sin_cos();
    nalgebra::Vector2::new(cos, sin) * agent.state.speed_m_s
}

fn act(agent: &mut Agent, action: Action) {
    match action {
        Action::Speed(speed_m_s, limit_m_s2) => {
            agent.driver.desired_m_s = speed_m_s;
            agent.state.limit_m_s2 = limit_m_s2;
            agent.state.hold_m = None;
        }
        Action::Shift(to_left_m, length_m) => {
            let from_s_m = agent.state.s_m;
            agent.shifts.push(Shift { from_s_m, length_m, to_left_m });
        }
        Action::Hold(gap_m) => agent.state.hold_m = Some(gap_m),
        Action::Join => {
            agent.mind = Mind::Drive;
            agent.state.hold_m = None;
        }
        Action::OpenDoor => agent.state.door = true,
        Action::Blink(side) => agent.state.blink = side,
    }
}

fn moment(agent: &Agent) -> Moment {
    let (main, towed) = agent.footprints();
    let s_m = agent.state.s_m;
    Moment {
        main,
        towed,
        height_m: agent.path.at(s_m).p_m.z,
        speed_m_s: agent.state.speed_m_s,
        accel_m_s2: agent.state.accel_m_s2,
        steering_rad: agent.steering_rad(),
        walked_m: agent.state.walked_m,
        door_rad: agent.state.door_rad,
        blink: agent.state.blink,
        s_m,
        left_m: left_at(agent.base_left_m, &agent.shifts, s_m),
    }
}

/// The nearest approach in plan is below a margin between any parts of two agents.
pub(crate) fn touch(a: &Moment, b: &Moment, margin_m: f64) -> bool {
    let far = (a.main.centre_m - b.main.centre_m).norm_squared() > 45.0 * 45.0;
    if far {
        return false;
    }
    let parts = |m: &Moment| -> [Option<Footprint>; 2] { [Some(m.main), m.towed] };
    parts(a).iter().flatten().any(|p| parts(b).iter().flatten().any(|q| p.touches(q, margin_m)))
}
