//! The strip that a vehicle is about to drive through, and what lies in it.

use nalgebra::{Point2, Vector2};

use super::agent::Agent;
use crate::footprint::Footprint;

const STEP_M: f64 = 1.5;

/// Samples of the front axle's line ahead.
#[derive(Debug, Clone)]
pub(crate) struct Corridor {
    samples: Vec<(Point2<f64>, Vector2<f64>)>,
    half_width_m: f64,
    nose_m: f64,
}

/// Something ahead.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Hit {
    /// From the own front end to it, along the path, metres.
    pub(crate) gap_m: f64,
    /// Direction of the path there.
    pub(crate) ahead: Vector2<f64>,
}

impl Corridor {
    /// Of an agent, this far ahead; `margin_m` is added on both sides.
    pub(crate) fn of(agent: &Agent, reach_m: f64, margin_m: f64) -> Self {
        let count = ((reach_m + agent.chassis.nose_m) / STEP_M).ceil() as usize + 2;
        let points: Vec<Point2<f64>> =
            (0..count).map(|i| agent.front_at(agent.state.s_m + STEP_M * i as f64)).collect();
        let samples = points
            .windows(2)
            .map(|pair| {
                let ahead = (pair[1] - pair[0]).try_normalize(1e-9).unwrap_or_else(Vector2::x);
                (pair[0], ahead)
            })
            .collect();
        let half_width_m = agent.chassis.half_m[1] + margin_m;
        Self { samples, half_width_m, nose_m: agent.chassis.nose_m }
    }

    /// Distance along the corridor and to its left; `None` behind and beyond it.
    fn locate(&self, p: &Point2<f64>) -> Option<(f64, f64, Vector2<f64>)> {
        let squared = |i: usize| (self.samples[i].0 - p).norm_squared();
        let last = self.samples.len() - 1;
        // Coarse, then fine: the line is smooth against the coarse step.
        let coarse =
            (0..=last / 4).map(|i| 4 * i).min_by(|a, b| squared(*a).total_cmp(&squared(*b)))?;
        let fine = (coarse.saturating_sub(4)..=(coarse + 4).min(last))
            .min_by(|a, b| squared(*a).total_cmp(&squared(*b)))?;
        let (centre, ahead) = self.samples[fine];
        let offset = p - centre;
        let along = offset.dot(&ahead);
        if (fine == 0 && along < 0.0) || (fine == last && along > STEP_M) {
            return None;
        }
        let left = ahead.x * offset.y - ahead.y * offset.x;
        Some((STEP_M * fine as f64 + along, left, ahead))
    }

    /// Where a box first reaches into the corridor.
    pub(crate) fn hit(&self, other: &Footprint) -> Option<Hit> {
        let reach = self.samples.len() as f64 * STEP_M + other.radius_m() + 3.0;
        if (other.centre_m - self.samples[0].0).norm_squared() > reach * reach {
            return None;
        }
        // Samples four steps apart come within half of that of any point of the line.
        let near = self.half_width_m + other.radius_m() + 2.5 * STEP_M;
        let mut coarse = self.samples.iter().step_by(4).chain(self.samples.last());
        if !coarse.any(|(p, _)| (other.centre_m - p).norm_squared() < near * near) {
            return None;
        }
        let mut first: Option<Hit> = None;
        for p in other.outline(1.8) {
            let Some((along, left, ahead)) = self.locate(&p) else { continue };
            if left.abs() < self.half_width_m
                && first.is_none_or(|hit| along - self.nose_m < hit.gap_m)
            {
                first = Some(Hit { gap_m: along - self.nose_m, ahead });
            }
        }
        first
    }
}
