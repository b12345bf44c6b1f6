//! The ground as a height map.

use serde::{Deserialize, Serialize};

use crate::ClassId;

/// Cells in the ego frame's x-y plane. Index order is C order of `[x, y]`: y runs fastest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SurfaceSpec {
    /// The corner with the smallest coordinates, ego frame, metres.
    pub min_corner_m: [f64; 2],
    /// Edge of a cell, metres.
    pub cell_m: f64,
    /// Cells along x, y.
    pub size: [u32; 2],
}

impl Default for SurfaceSpec {
    /// 100 m x 100 m around the vehicle at 0.2 m.
    fn default() -> Self {
        Self { min_corner_m: [-50.0, -50.0], cell_m: 0.2, size: [500, 500] }
    }
}

impl SurfaceSpec {
    /// Number of cells.
    pub fn len(&self) -> usize {
        self.size[0] as usize * self.size[1] as usize
    }

    /// There are no cells.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Index of a cell from its integer coordinates, which must be inside.
    #[inline]
    pub fn index(&self, [x, y]: [u32; 2]) -> usize {
        debug_assert!(x < self.size[0] && y < self.size[1]);
        x as usize * self.size[1] as usize + y as usize
    }

    /// The cell under a point in the ego frame (metres); `None` outside.
    #[inline]
    pub fn cell_at(&self, x_m: f64, y_m: f64) -> Option<[u32; 2]> {
        let steps = |value: f64, axis: usize| {
            let steps = ((value - self.min_corner_m[axis]) / self.cell_m).floor();
            (steps >= 0.0 && steps < f64::from(self.size[axis])).then_some(steps as u32)
        };
        Some([steps(x_m, 0)?, steps(y_m, 1)?])
    }

    /// Centre of a cell in the ego frame, metres.
    pub fn centre(&self, [x, y]: [u32; 2]) -> [f64; 2] {
        let along = |cell: u32, axis: usize| {
            self.min_corner_m[axis] + (f64::from(cell) + 0.5) * self.cell_m
        };
        [along(x, 0), along(y, 1)]
    }
}

/// Whether a vehicle could drive over a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[repr(u8)]
pub enum Drivable {
    /// Nobody has seen it.
    #[default]
    Unknown = 0,
    /// Seen and not drivable.
    No = 1,
    /// Seen and drivable.
    Yes = 2,
}

/// The lowest continuous surface around the vehicle. Columns have [`SurfaceSpec::len`] entries.
#[derive(Debug, Clone, PartialEq)]
pub struct Surface {
    /// Where the cells are.
    pub spec: SurfaceSpec,
    /// Height in the ego frame at the cell's centre, metres; NaN where not observed.
    pub height_m: Vec<f32>,
    /// Whether it can be driven on.
    pub drivable: Vec<Drivable>,
    /// Surface class; `ClassId::UNKNOWN` where only geometry is known.
    pub class: Vec<ClassId>,
    /// Confidence of the height, 0 none to 255 certain.
    pub confidence: Vec<u8>,
}

impl Surface {
    /// Nothing observed.
    pub fn unobserved(spec: SurfaceSpec) -> Self {
        let n = spec.len();
        Self {
            spec,
            height_m: vec![f32::NAN; n],
            drivable: vec![Drivable::Unknown; n],
            class: vec![ClassId::UNKNOWN; n],
            confidence: vec![0; n],
        }
    }

    /// The same ground on other cells in the same ego frame, looked up at their centres. What lies outside
    /// this one is unobserved.
    pub fn resampled(&self, spec: SurfaceSpec) -> Self {
        self.looked_up(spec, |centre| centre)
    }

    /// The ground on other cells; `place` says where the centre of each, metres, lies in this one's frame.
    pub fn looked_up(&self, spec: SurfaceSpec, place: impl Fn([f64; 2]) -> [f64; 2]) -> Self {
        let mut other = Self::unobserved(spec);
        for (x, y) in (0..spec.size[0]).flat_map(|x| (0..spec.size[1]).map(move |y| (x, y))) {
            let [x_m, y_m] = place(spec.centre([x, y]));
            let Some(cell) = self.spec.cell_at(x_m, y_m) else { continue };
            let (to, from) = (spec.index([x, y]), self.spec.index(cell));
            other.height_m[to] = self.height_m[from];
            other.drivable[to] = self.drivable[from];
            other.class[to] = self.class[from];
            other.confidence[to] = self.confidence[from];
        }
        other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn larger_cells_take_what_is_at_their_centres() {
        let fine = SurfaceSpec { min_corner_m: [0.0; 2], cell_m: 0.5, size: [6, 6] };
        let mut ground = Surface::unobserved(fine);
        for index in 0..fine.len() {
            ground.height_m[index] = index as f32;
            ground.class[index] = ClassId(index as u8);
            ground.drivable[index] = Drivable::Yes;
        }
        assert_eq!(ground.resampled(fine), ground);
        let coarse = SurfaceSpec { min_corner_m: [0.25, 0.25], cell_m: 1.5, size: [1, 2] };
        let resampled = ground.resampled(coarse);
        assert_eq!(resampled.height_m, [14.0, 17.0]);
        assert_eq!(resampled.class, [ClassId(14), ClassId(17)]);
        let outside = SurfaceSpec { min_corner_m: [2.5, 2.5], cell_m: 0.5, size: [1, 2] };
        let resampled = ground.resampled(outside);
        assert_eq!(resampled.drivable, [Drivable::Yes, Drivable::Unknown]);
        assert!(resampled.height_m[1].is_nan());
    }
}
