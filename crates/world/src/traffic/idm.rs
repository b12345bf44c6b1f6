//! How drivers keep their distance: the Intelligent Driver Model.

/// A driver's habits. Defaults: Treiber, Hennecke and Helbing 2000, "Congested traffic states in
/// empirical observations and microscopic simulations", table I, for city traffic as in Kesting,
/// Treiber and Helbing 2010 (acceleration 1.4 m/s2, deceleration 2 m/s2).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Driver {
    /// Speed on a free road, m/s.
    pub desired_m_s: f64,
    /// Time gap to the vehicle ahead, seconds.
    pub headway_s: f64,
    /// Gap at standstill, metres.
    pub standstill_m: f64,
    /// Largest acceleration, m/s2.
    pub accelerate_m_s2: f64,
    /// Comfortable deceleration, m/s2.
    pub brake_m_s2: f64,
}

/// Hardest braking on dry asphalt, m/s2.
pub(crate) const HARDEST_M_S2: f64 = 8.5;
const EXPONENT: i32 = 4;

impl Default for Driver {
    fn default() -> Self {
        Self {
            desired_m_s: 13.9,
            headway_s: 1.4,
            standstill_m: 2.0,
            accelerate_m_s2: 1.4,
            brake_m_s2: 2.0,
        }
    }
}

impl Driver {
    /// Acceleration on a free road, m/s2. Above the desired speed it brakes comfortably at most.
    pub fn free(&self, speed_m_s: f64) -> f64 {
        let ratio = speed_m_s / self.desired_m_s.max(0.1);
        (self.accelerate_m_s2 * (1.0 - ratio.powi(EXPONENT))).max(-self.brake_m_s2)
    }

    /// Acceleration behind something `gap_m` ahead that moves at `ahead_m_s`, m/s2. Eq. (2) and (3).
    pub fn follow(&self, speed_m_s: f64, gap_m: f64, ahead_m_s: f64) -> f64 {
        let closing = speed_m_s - ahead_m_s;
        let dynamic = speed_m_s * self.headway_s
            + speed_m_s * closing / (2.0 * (self.accelerate_m_s2 * self.brake_m_s2).sqrt());
        let wished = self.standstill_m + dynamic.max(0.0);
        let term = wished / gap_m.max(0.05);
        let ratio = speed_m_s / self.desired_m_s.max(0.1);
        self.accelerate_m_s2 * (1.0 - ratio.powi(EXPONENT) - term * term)
    }

    /// Gap at which one follows at a constant speed below the desired one, metres. Eq. (4).
    pub fn equilibrium_gap_m(&self, speed_m_s: f64) -> f64 {
        let ratio = speed_m_s / self.desired_m_s;
        (self.standstill_m + speed_m_s * self.headway_s) / (1.0 - ratio.powi(EXPONENT)).sqrt()
    }
}

/// Gains of a change of lane, as MOBIL weighs them: Kesting, Treiber and Helbing 2007, "General
/// lane-changing model MOBIL for car-following models", eq. (2) and (3).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Change {
    /// Own acceleration before and after, m/s2.
    pub(crate) own: [f64; 2],
    /// That of the new follower before and after, m/s2.
    pub(crate) follower: [f64; 2],
}

impl Change {
    /// Table I of the paper: politeness 0.3, threshold 0.2 m/s2, safe braking 4 m/s2; we ask for 3.
    pub(crate) fn is_worth_it(&self) -> bool {
        let safe = self.follower[1] > -3.0 && self.own[1] > -3.0;
        let gain = self.own[1] - self.own[0] + 0.3 * (self.follower[1] - self.follower[0]);
        safe && gain > 0.2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_follower_settles_at_the_closed_form_gap() {
        let driver = Driver::default();
        for leader_m_s in [0.5, 5.0, 9.0, 12.5] {
            let (mut gap, mut speed) = (40.0, 8.0);
            let step = 0.02;
            for _ in 0..30_000 {
                let a: f64 = driver.follow(speed, gap, leader_m_s);
                let next = (speed + a * step).max(0.0);
                gap += (leader_m_s - 0.5 * (speed + next)) * step;
                speed = next;
                assert!(gap > 0.0, "runs into the leader");
            }
            let expected = driver.equilibrium_gap_m(leader_m_s);
            assert!(
                (gap / expected - 1.0).abs() < 1e-3,
                "{gap} m behind {leader_m_s} m/s, expected {expected}"
            );
        }
    }

    #[test]
    fn stops_behind_a_wall_without_touching_it() {
        let driver = Driver::default();
        let (mut gap, mut speed, mut hardest) = (60.0, 13.9, 0.0_f64);
        for _ in 0..4000 {
            let a = driver.follow(speed, gap, 0.0).max(-HARDEST_M_S2);
            hardest = hardest.min(a);
            gap -= (speed * 0.01_f64).max(0.0);
            speed = (speed + a * 0.01).max(0.0);
        }
        assert!(gap > 0.5 && speed < 0.05, "{gap} m, {speed} m/s");
        assert!(hardest > -5.0, "brakes at {hardest}");
    }

    #[test]
    fn nobody_changes_lanes_for_nothing_or_into_a_bumper() {
        let check = |own, follower, expected| {
            assert_eq!(Change { own, follower }.is_worth_it(), expected, "{own:?} {follower:?}");
        };
        check([0.0, 1.0], [0.0, 0.0], true);
        check([0.0, 0.1], [0.0, 0.0], false);
        check([0.0, 1.0], [0.0, -4.0], false);
        check([0.0, 0.5], [0.0, -1.5], false);
    }
}
