//! One participant: its body in plan, where it is on its path, and what it means to do.

use nalgebra::{Point2, Vector2};

use super::idm::Driver;
use super::kind::{Kind, Rig};
use super::path::{Path, Shift, left_at};
use crate::actors::Model;
use crate::footprint::Footprint;

/// A body that is drawn along by its front point: car, trailer, or (without a wheelbase) a person.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Chassis {
    /// From the front axle or hitch to the box's front end, metres.
    pub(crate) nose_m: f64,
    /// From the front axle or hitch to the rear axle, metres; 0 for who turns on the spot.
    pub(crate) base_m: f64,
    /// From the front axle or hitch back to the box's centre, metres.
    pub(crate) centre_m: f64,
    /// Half length and half width of the box, metres.
    pub(crate) half_m: [f64; 2],
}

impl Chassis {
    pub(crate) fn of(model: &Model) -> Self {
        let half_m = [0.5 * model.size_m[0], 0.5 * model.size_m[1]];
        let axles = model.axles;
        Self {
            nose_m: half_m[0] - axles.front_m,
            base_m: axles.front_m - axles.rear_m,
            centre_m: axles.front_m,
            half_m,
        }
    }

    /// From the front axle to the box's rear end, metres.
    pub(crate) fn tail_m(&self) -> f64 {
        2.0 * self.half_m[0] - self.nose_m
    }
}

/// What a script waits for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Trigger {
    /// The clip's time, seconds.
    At(f64),
    /// The front axle of the vehicle with the rig has come this far along its path, metres.
    EgoAt(f64),
    /// The agent itself has come this far along its path, metres.
    SelfAt(f64),
}

/// What a script makes happen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Action {
    /// Another wished speed, m/s, reached at up to this acceleration or braking, m/s2.
    Speed(f64, f64),
    /// Moves to this distance left of its path over a length, metres.
    Shift(f64, f64),
    /// Keeps its box's rear end this far ahead of the ego's front end, metres (negative: the ego's
    /// rear end ahead of its front end).
    Hold(f64),
    /// Drives on as others do.
    Join,
    /// Opens its door.
    OpenDoor,
    /// Blinks to the left, to the right or not at all.
    Blink(Option<bool>),
}

/// How an agent decides on its speed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Mind {
    /// Drives as others do.
    Drive,
    /// Walks along pavements and over crossings.
    Walk,
    /// Does what its script says and looks at nobody.
    Script,
    /// Stands for good.
    Stand,
}

/// A participant of the traffic.
#[derive(Debug, Clone)]
pub(crate) struct Agent {
    pub(crate) kind: Kind,
    pub(crate) mind: Mind,
    pub(crate) chassis: Chassis,
    /// The trailer, and where it is hitched ahead of the rear axle, metres.
    pub(crate) towed: Option<(Chassis, f64)>,
    pub(crate) path: Path,
    pub(crate) base_left_m: f64,
    pub(crate) shifts: Vec<Shift>,
    pub(crate) driver: Driver,
    /// Stays whatever happens: the ego and what a scenario asked for.
    pub(crate) protected: bool,
    /// Others foresee where it will be: it keeps to no rule.
    pub(crate) rogue: bool,
    /// Blue lights are on.
    pub(crate) beacon: bool,
    /// Changes lanes and overtakes of its own will.
    pub(crate) free: bool,
    pub(crate) script: Vec<(Trigger, Action)>,
    /// Crossings on a walker's path: index, from and to, metres along it.
    pub(crate) crossings: Vec<(usize, [f64; 2])>,
    pub(crate) state: State,
}

/// What changes from step to step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct State {
    /// Front axle along the path, metres.
    pub(crate) s_m: f64,
    pub(crate) speed_m_s: f64,
    pub(crate) accel_m_s2: f64,
    pub(crate) rear: Point2<f64>,
    pub(crate) towed_rear: Point2<f64>,
    /// Standing before something for so long, seconds.
    pub(crate) waited_s: f64,
    /// Stopped before a stop sign on this lane already.
    pub(crate) stopped: bool,
    /// Walker: on this crossing or about to step on it.
    pub(crate) crossing: Option<usize>,
    pub(crate) door: bool,
    pub(crate) door_rad: f64,
    pub(crate) blink: Option<bool>,
    pub(crate) hold_m: Option<f64>,
    /// Script: how far it has come, and the limit of its acceleration.
    pub(crate) scene: usize,
    pub(crate) limit_m_s2: f64,
    pub(crate) walked_m: f64,
}

impl Agent {
    /// Somebody who stands at a distance along a path and is otherwise to be filled in.
    pub(crate) fn new(
        kind: Kind,
        rig: &Rig,
        mind: Mind,
        path: Path,
        s_m: f64,
        left_m: f64,
    ) -> Self {
        let chassis = Chassis::of(&rig.main);
        let towed = rig.towed.as_ref().map(|model| {
            let hitch = rig.main.axles.hitch_m.unwrap_or(rig.main.axles.rear_m);
            (Chassis::of(model), hitch - rig.main.axles.rear_m)
        });
        let state = State {
            s_m,
            speed_m_s: 0.0,
            accel_m_s2: 0.0,
            rear: Point2::origin(),
            towed_rear: Point2::origin(),
            waited_s: 0.0,
            stopped: false,
            crossing: None,
            door: false,
            door_rad: 0.0,
            blink: None,
            hold_m: None,
            scene: 0,
            limit_m_s2: 3.0,
            walked_m: 0.0,
        };
        let mut agent = Self {
            kind,
            mind,
            chassis,
            towed,
            path,
            base_left_m: left_m,
            shifts: Vec::new(),
            driver: Driver::default(),
            protected: false,
            rogue: false,
            beacon: false,
            free: false,
            script: Vec::new(),
            crossings: Vec::new(),
            state,
        };
        agent.settle();
        agent
    }

    /// Puts rear axle and trailer where they would be after driving up along the path.
    pub(crate) fn settle(&mut self) {
        let s = self.state.s_m;
        self.state.rear = self.front_at(s - 30.0 - self.chassis.base_m);
        let trailer = self.towed.map_or(0.0, |(trailer, hitch)| trailer.base_m - hitch);
        self.state.towed_rear = self.front_at(s - 30.0 - self.chassis.base_m - trailer);
        for i in 0..=300 {
            self.state.s_m = s - 30.0 + 0.1 * f64::from(i);
            self.draw_along();
        }
        self.state.s_m = s;
        self.draw_along();
    }

    /// The front axle if it were at a distance along the path.
    pub(crate) fn front_at(&self, s_m: f64) -> Point2<f64> {
        self.path.beside(s_m, left_at(self.base_left_m, &self.shifts, s_m))
    }

    /// Rear axles follow their fronts: the tractrix, along which wheels do not slip sideways.
    fn draw_along(&mut self) {
        let front = self.front_at(self.state.s_m);
        let pull = |rear: Point2<f64>, front: Point2<f64>, base: f64| {
            let back = (rear - front).try_normalize(1e-9).unwrap_or_else(|| -Vector2::x());
            front + back * base
        };
        if self.chassis.base_m > 0.0 {
            self.state.rear = pull(self.state.rear, front, self.chassis.base_m);
            if let Some((trailer, hitch)) = self.towed {
                let ahead = (front - self.state.rear).normalize();
                let hitched = self.state.rear + ahead * hitch;
                self.state.towed_rear = pull(self.state.towed_rear, hitched, trailer.base_m);
            }
        }
    }

    pub(crate) fn heading_rad(&self) -> f64 {
        if self.chassis.base_m > 0.0 {
            let ahead = self.front_at(self.state.s_m) - self.state.rear;
            ahead.y.atan2(ahead.x)
        } else {
            let s = self.state.s_m;
            let ahead = self.front_at(s + 0.15) - self.front_at(s - 0.15);
            ahead.y.atan2(ahead.x)
        }
    }

    /// Turn of the front wheels to the left, radians.
    pub(crate) fn steering_rad(&self) -> f64 {
        let s = self.state.s_m;
        let ahead = self.front_at(s + 0.2) - self.front_at(s - 0.2);
        let turn = ahead.y.atan2(ahead.x) - self.heading_rad();
        (turn + std::f64::consts::PI).rem_euclid(std::f64::consts::TAU) - std::f64::consts::PI
    }

    /// Boxes of the vehicle and of its trailer.
    pub(crate) fn footprints(&self) -> (Footprint, Option<Footprint>) {
        let heading = self.heading_rad();
        let ahead = Vector2::new(heading.cos(), heading.sin());
        let front = self.front_at(self.state.s_m);
        let main = Footprint {
            centre_m: front - ahead * self.chassis.centre_m,
            heading_rad: heading,
            half_m: self.chassis.half_m,
        };
        let towed = self.towed.map(|(trailer, hitch)| {
            let hitched = self.state.rear + ahead * hitch;
            let along = (hitched - self.state.towed_rear).normalize();
            Footprint {
                centre_m: hitched - along * trailer.centre_m,
                heading_rad: along.y.atan2(along.x),
                half_m: trailer.half_m,
            }
        });
        (main, towed)
    }

    /// The box where the agent would be at another distance along its path, without its trailer.
    pub(crate) fn footprint_at(&self, s_m: f64) -> Footprint {
        let front = self.front_at(s_m);
        let back = self.front_at(s_m - self.chassis.base_m.max(0.3));
        let ahead = (front - back).try_normalize(1e-9).unwrap_or_else(Vector2::x);
        Footprint {
            centre_m: front - ahead * self.chassis.centre_m,
            heading_rad: ahead.y.atan2(ahead.x),
            half_m: self.chassis.half_m,
        }
    }

    /// Front end along the path, metres.
    pub(crate) fn nose_s(&self) -> f64 {
        self.state.s_m + self.chassis.nose_m
    }

    /// Rear end, of the trailer if there is one, along the path, metres.
    pub(crate) fn tail_s(&self) -> f64 {
        let own = self.state.s_m - self.chassis.tail_m();
        match self.towed {
            Some((trailer, hitch)) => {
                self.state.s_m - self.chassis.base_m + hitch - trailer.tail_m()
            }
            None => own,
        }
    }

    /// Moves on by a step at an acceleration.
    pub(crate) fn advance(&mut self, accel_m_s2: f64, step_s: f64) {
        let before = self.state.speed_m_s;
        let after = (before + accel_m_s2 * step_s).max(0.0);
        let moved = 0.5 * (before + after) * step_s;
        self.state.accel_m_s2 = (after - before) / step_s;
        self.state.speed_m_s = after;
        self.state.s_m += moved;
        self.state.walked_m += moved;
        self.state.waited_s = if after < 0.3 { self.state.waited_s + step_s } else { 0.0 };
        if after > 2.0 {
            self.state.stopped = false;
        }
        let target = if self.state.door { 1.1 } else { 0.0 };
        // A door is pushed open within a second.
        self.state.door_rad += (target - self.state.door_rad).clamp(-1.3 * step_s, 1.3 * step_s);
        self.draw_along();
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::Point3;

    use super::super::kind::Library;
    use super::*;

    #[test]
    fn a_trailer_follows_through_a_corner_without_folding() {
        let mut points: Vec<Point3<f64>> =
            (0..60).map(|i| Point3::new(f64::from(i), 0.0, 0.0)).collect();
        // A right angle to the left with a radius of 15 m.
        points.extend((1..=24).map(|i| {
            let angle = f64::from(i) / 24.0 * std::f64::consts::FRAC_PI_2;
            Point3::new(59.0 + 15.0 * angle.sin(), 15.0 - 15.0 * angle.cos(), 0.0)
        }));
        points.extend((1..80).map(|i| Point3::new(74.0, 15.0 + f64::from(i), 0.0)));
        let mut library = Library::new(false);
        let kind = Kind::Semi { colour: 0 };
        let mut semi =
            Agent::new(kind, &library.rig(kind), Mind::Drive, Path::through(&points), 40.0, 0.0);
        semi.state.speed_m_s = 5.0;
        let (mut fold, mut off_track) = (0.0_f64, 0.0_f64);
        for _ in 0..400 {
            semi.advance(0.0, 0.05);
            let (main, towed) = semi.footprints();
            let towed = towed.unwrap();
            let turn = (main.heading_rad - towed.heading_rad).sin().asin().abs();
            fold = fold.max(turn);
            let (_, left) = semi.path.locate(&semi.state.towed_rear);
            off_track = off_track.max(left);
            let (trailer, hitch) = semi.towed.unwrap();
            let ahead = Vector2::new(main.heading_rad.cos(), main.heading_rad.sin());
            let hitched = semi.state.rear + ahead * hitch;
            assert!(((hitched - semi.state.towed_rear).norm() - trailer.base_m).abs() < 1e-9);
        }
        assert!(fold > 0.2 && fold < 1.2, "folds by {fold} rad");
        assert!(off_track > 0.5 && off_track < 6.0, "cuts the corner by {off_track} m");
        let (main, towed) = semi.footprints();
        assert!((main.heading_rad - towed.unwrap().heading_rad).abs() < 0.05, "straight again");
    }
}
