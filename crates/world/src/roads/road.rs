//! What one road is: a reference line, its height, and strips beside each other.
//!
//! The model is OpenDRIVE's (ASAM OpenDRIVE 1.7, sections 7 to 9): positions are `s` along the reference
//! line and `t` to its left. Generator and importer fill it; `build` turns it into lanes and ground.

use nalgebra::Point3;
use ommatidia_scene::BoundaryKind;

use super::curve::{Curve, control};
use super::relief::Relief;

/// A function of `s` by cubics, each from its own start: `a + b d + c d^2 + d d^3`.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Cubics(pub(crate) Vec<(f64, [f64; 4])>);

impl Cubics {
    pub(crate) fn constant(value: f64) -> Self {
        Self(vec![(0.0, [value, 0.0, 0.0, 0.0])])
    }

    /// Straight between points `(s, value)` of rising `s`.
    pub(crate) fn through(points: &[(f64, f64)]) -> Self {
        let pieces = points.windows(2).filter(|pair| pair[1].0 > pair[0].0).map(|pair| {
            let slope = (pair[1].1 - pair[0].1) / (pair[1].0 - pair[0].0);
            (pair[0].0, [pair[0].1, slope, 0.0, 0.0])
        });
        let mut all: Vec<_> = pieces.collect();
        all.extend(points.last().map(|&(s, value)| (s, [value, 0.0, 0.0, 0.0])));
        Self(all)
    }

    /// Smooth steps (cubic, level at each point) between points `(s, value)` of rising `s`.
    pub(crate) fn smooth_through(points: &[(f64, f64)]) -> Self {
        let pieces = points.windows(2).filter(|pair| pair[1].0 > pair[0].0).map(|pair| {
            let (length, rise) = (pair[1].0 - pair[0].0, pair[1].1 - pair[0].1);
            let cubic = [pair[0].1, 0.0, 3.0 * rise / length.powi(2), -2.0 * rise / length.powi(3)];
            (pair[0].0, cubic)
        });
        let mut all: Vec<_> = pieces.collect();
        all.extend(points.last().map(|&(s, value)| (s, [value, 0.0, 0.0, 0.0])));
        Self(all)
    }

    /// Smoothly (cubic, level at both ends) from one value to another.
    pub(crate) fn ease(from: f64, to: f64, length_m: f64) -> Self {
        let rise = to - from;
        let cubic = [from, 0.0, 3.0 * rise / length_m.powi(2), -2.0 * rise / length_m.powi(3)];
        Self(vec![(0.0, cubic), (length_m, [to, 0.0, 0.0, 0.0])])
    }

    /// This and another function times `sign`.
    pub(crate) fn plus(&self, other: &Self, sign: f64) -> Self {
        let mut starts: Vec<f64> = self.0.iter().chain(&other.0).map(|piece| piece.0).collect();
        starts.sort_by(f64::total_cmp);
        starts.dedup();
        let piece = |start: f64| {
            let (a, b) = (self.taylor(start), other.taylor(start));
            (start, std::array::from_fn(|i| a[i] + sign * b[i]))
        };
        Self(starts.into_iter().map(piece).collect())
    }

    /// The distance of this from another function, `sign` times.
    pub(crate) fn minus(&self, other: &Self, sign: f64) -> Self {
        let mut difference = self.plus(other, -1.0);
        difference.0.iter_mut().for_each(|(_, c)| *c = c.map(|value| value * sign));
        difference
    }

    /// The largest value at the start of a piece.
    pub(crate) fn largest(&self) -> f64 {
        self.0.iter().map(|piece| piece.1[0]).fold(0.0, f64::max)
    }

    /// No absolute value from 0 to `length_m` is larger than this.
    pub(crate) fn bound(&self, length_m: f64) -> f64 {
        let inner = self.0.iter().map(|piece| piece.0).filter(|s| *s > 0.0 && *s < length_m);
        let cuts: Vec<f64> = [0.0].into_iter().chain(inner).chain([length_m]).collect();
        let values = cuts.windows(2).flat_map(|cut| control(&self.taylor(cut[0]), cut[1] - cut[0]));
        values.map(f64::abs).fold(0.0, f64::max)
    }

    /// Coefficients of the cubic at `s`, about `s`.
    fn taylor(&self, s_m: f64) -> [f64; 4] {
        let after = self.0.partition_point(|piece| piece.0 <= s_m);
        let Some(&(start, [a, b, c, d])) = self.0.get(after.saturating_sub(1)) else {
            return [0.0; 4];
        };
        let x = s_m - start;
        [a + x * (b + x * (c + x * d)), b + x * (2.0 * c + x * 3.0 * d), c + 3.0 * d * x, d]
    }

    pub(crate) fn at(&self, s_m: f64) -> f64 {
        self.taylor(s_m)[0]
    }
}

/// What a strip of a road is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StripKind {
    Driving,
    Bicycle,
    Parking,
    Shoulder,
    /// Stones beside the carriageway.
    Kerb,
    Pavement,
    /// Grass that falls into the terrain.
    Verge,
    /// Paved ground that nobody uses.
    Median,
    /// Nothing is there.
    Gap,
}

impl StripKind {
    /// Wheels may roll there.
    pub(crate) fn is_carriageway(self) -> bool {
        matches!(self, Self::Driving | Self::Bicycle | Self::Parking | Self::Shoulder)
    }
}

/// One painted line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Line {
    /// Width, metres.
    pub(crate) width_m: f64,
    /// Length of a dash and of the gap after it, metres; `None` for an unbroken line.
    pub(crate) dash_m: Option<[f64; 2]>,
}

/// Paint at the outer edge of a strip.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Mark {
    /// From left to right; the first alone for a single line.
    pub(crate) lines: [Option<Line>; 2],
    /// Yellow instead of white.
    pub(crate) yellow: bool,
}

impl Mark {
    pub(crate) fn none() -> Self {
        Self::default()
    }

    pub(crate) fn solid(width_m: f64) -> Self {
        Self { lines: [Some(Line { width_m, dash_m: None }), None], yellow: false }
    }

    pub(crate) fn dashed(width_m: f64, on_m: f64, off_m: f64) -> Self {
        Self { lines: [Some(Line { width_m, dash_m: Some([on_m, off_m]) }), None], yellow: false }
    }

    pub(crate) fn double(width_m: f64) -> Self {
        let line = Some(Line { width_m, dash_m: None });
        Self { lines: [line, line], yellow: false }
    }

    pub(crate) fn is_none(&self) -> bool {
        self.lines[0].is_none()
    }

    /// How a lane's boundary with this paint is called.
    pub(crate) fn boundary(&self) -> BoundaryKind {
        match self.lines {
            [None, _] => BoundaryKind::Unknown,
            [Some(_), Some(_)] => BoundaryKind::Double,
            [Some(line), None] if line.dash_m.is_some() => BoundaryKind::Dashed,
            _ => BoundaryKind::Solid,
        }
    }
}

/// A strip along the road, beside the reference line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Strip {
    pub(crate) kind: StripKind,
    /// Width by distance from the section's start, metres.
    pub(crate) width: Cubics,
    /// Paint at the outer edge, by distance from the section's start.
    pub(crate) marks: Vec<(f64, Mark)>,
    /// Height over the road's plane at the inner and the outer edge, metres.
    pub(crate) height_m: [f64; 2],
    /// Which strip on the same side of the next section it goes on as, counted from the reference line.
    pub(crate) next: Option<usize>,
    /// Speed limit, m/s, where it differs from the road's.
    pub(crate) speed_limit_m_s: Option<f64>,
}

impl Strip {
    pub(crate) fn new(kind: StripKind, width_m: f64) -> Self {
        Self {
            kind,
            width: Cubics::constant(width_m),
            marks: Vec::new(),
            height_m: [0.0; 2],
            next: None,
            speed_limit_m_s: None,
        }
    }

    pub(crate) fn marked(mut self, mark: Mark) -> Self {
        self.marks = vec![(0.0, mark)];
        self
    }

    pub(crate) fn raised(mut self, inner_m: f64, outer_m: f64) -> Self {
        self.height_m = [inner_m, outer_m];
        self
    }

    pub(crate) fn mark_at(&self, s_m: f64) -> Mark {
        mark_at(&self.marks, s_m)
    }
}

/// The mark that holds at a distance from the section's start.
pub(crate) fn mark_at(marks: &[(f64, Mark)], s_m: f64) -> Mark {
    let after = marks.partition_point(|mark| mark.0 <= s_m + 1e-9);
    after.checked_sub(1).map_or(Mark::none(), |index| marks[index].1)
}

/// The two sides of a road.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Side {
    /// Traffic against `s`.
    Left,
    /// Traffic along `s`.
    Right,
}

impl Side {
    /// Sign of `t`.
    pub(crate) fn sign(self) -> f64 {
        if self == Self::Left { 1.0 } else { -1.0 }
    }
}

/// A stretch of a road with the same strips throughout.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Section {
    /// From where to where along the reference line, metres.
    pub(crate) range_m: [f64; 2],
    /// Strips from the reference line outwards to the left.
    pub(crate) left: Vec<Strip>,
    /// Strips from the reference line outwards to the right.
    pub(crate) right: Vec<Strip>,
    /// Paint on the reference line.
    pub(crate) centre: Vec<(f64, Mark)>,
}

impl Section {
    pub(crate) fn strips(&self, side: Side) -> &[Strip] {
        if side == Side::Left { &self.left } else { &self.right }
    }

    /// Distances of the strips' edges from the reference line at `s` of the road: one more than strips.
    pub(crate) fn edges(&self, side: Side, s_m: f64) -> Vec<f64> {
        let mut edges = vec![0.0];
        for strip in self.strips(side) {
            let width_m = strip.width.at(s_m - self.range_m[0]).max(0.0);
            edges.push(edges[edges.len() - 1] + width_m);
        }
        edges
    }
}

/// Height of a road.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Elevation {
    /// It lies on the land, and is banked by its curvature where `banked` is 1.
    Draped { relief: Relief, banked: Cubics, bank_per_curvature_m: f64 },
    /// Given heights and roll (radians, positive lifts the left).
    Profile { height: Cubics, roll: Cubics },
}

/// A road.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Road {
    pub(crate) curve: Curve,
    pub(crate) elevation: Elevation,
    /// `t` of the line between left and right strips.
    pub(crate) offset: Cubics,
    pub(crate) sections: Vec<Section>,
    pub(crate) speed_limit_m_s: f64,
    /// Index of the junction that it crosses.
    pub(crate) junction: Option<usize>,
}

/// The largest bank of a road, metres a metre (RAA 2008: 6 to 7 %).
const LARGEST_BANK: f64 = 0.06;

impl Road {
    pub(crate) fn length_m(&self) -> f64 {
        self.curve.length_m()
    }

    /// Rise to the left at `s` where the road is banked; lying on the land it follows that instead.
    fn bank(&self, s_m: f64) -> f64 {
        match &self.elevation {
            Elevation::Draped { bank_per_curvature_m, .. } => {
                let curvature = self.curve.at(s_m).curvature_per_m;
                // A smooth limit.
                -LARGEST_BANK * (bank_per_curvature_m * curvature / LARGEST_BANK).tanh()
            }
            Elevation::Profile { roll, .. } => roll.at(s_m).tan(),
        }
    }

    /// A point of the road, `up_m` over its plane. `t` is measured on the banked road.
    pub(crate) fn point(&self, s_m: f64, t_m: f64, up_m: f64) -> Point3<f64> {
        let on = self.curve.at(s_m);
        match &self.elevation {
            Elevation::Profile { height, roll } => {
                let (sin, cos) = roll.at(s_m).sin_cos();
                let p = on.p_m + on.left() * (t_m * cos - up_m * sin);
                Point3::new(p.x, p.y, height.at(s_m) + t_m * sin + up_m * cos)
            }
            Elevation::Draped { relief, banked, .. } => {
                let p = on.p_m + on.left() * t_m;
                let share = banked.at(s_m);
                let lying = relief.height_m(p.x, p.y);
                let tilted = relief.height_m(on.p_m.x, on.p_m.y) + t_m * self.bank(s_m);
                Point3::new(p.x, p.y, lying + (tilted - lying) * share + up_m)
            }
        }
    }

    /// Index of the section at `s`.
    pub(crate) fn section_at(&self, s_m: f64) -> usize {
        let after = self.sections.partition_point(|section| section.range_m[0] <= s_m);
        after.saturating_sub(1)
    }
}
