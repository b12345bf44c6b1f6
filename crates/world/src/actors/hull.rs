//! Lofted bodies of cars, vans and coaches: rings across the vehicle, from the nose to the tail.

use nalgebra::{Point3, Vector3};

use super::build::Builder;
use super::model::Usual;

type P = Point3<f64>;

/// The outline of a body. Shares run from the nose (0) to the tail (1).
#[derive(Debug, Clone)]
pub(crate) struct Hull {
    pub(crate) length_m: f64,
    pub(crate) width_m: f64,
    /// Height of the upper edge in the middle plane over the share of the length.
    pub(crate) top_m: &'static [(f64, f64)],
    /// Lower edge of the side windows.
    pub(crate) belt_m: f64,
    /// Underside.
    pub(crate) clearance_m: f64,
    /// Half width of the roof as a share of the body's.
    pub(crate) roof_share: f64,
    /// Where the windscreen begins and ends.
    pub(crate) windscreen: (f64, f64),
    /// Where the rear window begins and ends, if there is one.
    pub(crate) rear_window: Option<(f64, f64)>,
    /// Where the side windows begin and end.
    pub(crate) side_windows: (f64, f64),
    /// Pillars between side windows.
    pub(crate) pillars: &'static [f64],
    /// Axles.
    pub(crate) axles: (f64, f64),
    /// Radius of the wheels.
    pub(crate) wheel_m: f64,
    /// How much the nose narrows in plan.
    pub(crate) taper: f64,
}

const PILLAR_HALF_M: f64 = 0.05;

/// Linear interpolation in a table with rising keys.
fn table(points: &[(f64, f64)], x: f64) -> f64 {
    let mut before = points[0];
    for &(key, value) in points {
        if x <= key {
            let span = key - before.0;
            let share = if span > 0.0 { (x - before.0) / span } else { 1.0 };
            return before.1 + share * (value - before.1);
        }
        before = (key, value);
    }
    before.1
}

impl Hull {
    pub(crate) fn height_m(&self) -> f64 {
        self.top_m.iter().map(|point| point.1).fold(0.0, f64::max) + CROWN_M
    }

    /// Distance ahead of the box's centre at a share of the length, metres.
    pub(crate) fn x(&self, share: f64) -> f64 {
        (0.5 - share) * self.length_m
    }

    fn top(&self, share: f64) -> f64 {
        // A mean over a hand's breadth rounds the profile's corners.
        let step = 0.03 / self.length_m;
        let sum: f64 = [-2.0, -1.0, 0.0, 1.0, 2.0]
            .iter()
            .map(|i| table(self.top_m, (share + i * step).clamp(0.0, 1.0)))
            .sum();
        sum / 5.0
    }

    fn half_width(&self, share: f64) -> f64 {
        let end = (2.0 * (share - 0.5)).abs();
        let taper = if share < 0.5 { self.taper } else { 0.6 * self.taper };
        0.5 * self.width_m * (1.0 - taper * ((end - 0.55).max(0.0) / 0.45).powf(2.2))
    }

    /// Lowest height of the flank: the underside, or the arch over a wheel.
    fn arch(&self, x: f64) -> f64 {
        let radius = 1.13 * self.wheel_m;
        [self.axles.0, self.axles.1]
            .iter()
            .map(|&axle| {
                let squared = radius * radius - (x - axle).powi(2);
                if squared > 0.0 { self.wheel_m + squared.sqrt() } else { 0.0 }
            })
            .fold(self.clearance_m, f64::max)
    }

    /// A ring: from the bottom's middle over the left flank and the roof to the right one.
    fn ring(&self, share: f64) -> Vec<P> {
        let x = self.x(share);
        let (w, top) = (self.half_width(share), self.top(share));
        let (bottom, arch) = (self.clearance_m, self.arch(x));
        let belt = self.belt_m.min(top - 0.04);
        // 0 on the bonnet, 1 at the roof's full height.
        let rise =
            ((top - self.belt_m) / (self.height_m() - CROWN_M - self.belt_m)).clamp(0.0, 1.0);
        let roof = w * (0.9 + (self.roof_share - 0.9) * rise);
        let flank = |part: f64| (bottom + part * (belt - bottom)).max(arch + 0.004 * part);
        let in_arch = arch > bottom;
        let half = [
            (0.0, bottom),
            (0.60 * w, bottom),
            (if in_arch { 0.61 * w } else { 0.8 * w }, arch),
            (0.95 * w, flank(0.04).max(arch)),
            (0.99 * w, flank(0.2)),
            (w, flank(0.5)),
            (0.995 * w, flank(0.8)),
            (0.955 * w, belt),
            (0.93 * w, belt + 0.1 * (top - belt).min(0.2)),
            (roof, belt + (top - belt) * 0.9),
            (0.93 * roof, top - 0.1 * (top - belt).min(0.15)),
            (0.5 * roof, top + 0.6 * CROWN_M * rise),
            (0.0, top + CROWN_M * rise),
        ];
        let point = |&(y, z): &(f64, f64), side: f64| P::new(x, side * y, z);
        let left = half.iter().map(|p| point(p, 1.0));
        let right = half[1..half.len() - 1].iter().rev().map(|p| point(p, -1.0));
        left.chain(right).collect()
    }

    fn shares(&self) -> Vec<f64> {
        let mut shares: Vec<f64> = (0..=36).map(|i| f64::from(i) / 36.0).collect();
        let ends =
            [self.windscreen, self.side_windows, self.rear_window.unwrap_or(self.windscreen)];
        shares.extend(ends.iter().flat_map(|pair| [pair.0, pair.1]));
        shares.extend(self.top_m.iter().map(|point| point.0));
        let share_of = |x: f64| 0.5 - x / self.length_m;
        for pillar in self.pillars {
            let half = PILLAR_HALF_M / self.length_m;
            shares.extend([pillar - half, pillar + half]);
        }
        for axle in [self.axles.0, self.axles.1] {
            let radius = 1.13 * self.wheel_m;
            shares.extend((0..=10).map(|i| {
                share_of(
                    axle + radius * (std::f64::consts::PI * f64::from(i) / 10.0).cos() * 0.9999,
                )
            }));
        }
        shares.retain(|share| (0.0..=1.0).contains(share));
        shares.sort_by(f64::total_cmp);
        shares.dedup_by(|a, b| (*a - *b).abs() < 1e-4);
        shares
    }

    /// Adds the body to a builder; windows are dark glass.
    pub(crate) fn build(&self, builder: &mut Builder, usual: &Usual) {
        let shares = self.shares();
        let mut rings: Vec<Vec<P>> = shares.iter().map(|share| self.ring(*share)).collect();
        // Round the ends: the outermost ring is smaller and the next one nearly full.
        let last = rings.len() - 1;
        for (index, inset) in [(0, 0.09), (last, 0.06)] {
            let ring = &mut rings[index];
            let sum: Vector3<f64> = ring.iter().map(|p| p.coords).sum();
            let centre = P::from(sum / ring.len() as f64);
            for p in ring.iter_mut() {
                let from_centre = *p - centre;
                *p = centre
                    + Vector3::new(
                        0.0,
                        (1.0 - inset) * from_centre.y,
                        (1.0 - 2.2 * inset) * from_centre.z,
                    );
            }
        }
        let count = rings[0].len();
        builder.loft(&rings, |i, j| {
            let (from, to) = (shares[i], shares[i + 1]);
            let middle = 0.5 * (from + to);
            let row = j.min(count - 1 - j);
            let within = |range: (f64, f64)| middle > range.0 && middle < range.1;
            let pillar =
                self.pillars.iter().any(|p| (middle - p).abs() * self.length_m < PILLAR_HALF_M);
            let steep = within(self.windscreen) || self.rear_window.is_some_and(within);
            match row {
                0..=2 => usual.dark,
                3 => usual.dark,
                8 if within(self.side_windows) && !pillar => usual.glass,
                10 | 11 if steep => usual.glass,
                _ => usual.body,
            }
        });
        builder.paint(usual.body);
        builder.cap(&rings[0]);
        let tail: Vec<P> = rings[last].iter().rev().copied().collect();
        builder.cap(&tail);
    }
}

const CROWN_M: f64 = 0.025;
