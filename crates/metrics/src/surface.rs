//! Height error and drivable agreement of surfaces.

use std::collections::BTreeMap;

use ommatidia_scene::{Drivable, Surface};
use serde::{Deserialize, Serialize};

use crate::Error;

/// A predicted surface against the true one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SurfaceReport {
    /// Cells whose height the truth knows.
    pub true_cells: u64,
    /// Of these, the share whose height is predicted; `None` without true cells.
    pub coverage: Option<f64>,
    /// Cells whose height both know: those that the height errors are over.
    pub cells: u64,
    /// Mean absolute height error, metres; `None` without common cells, as the next two.
    pub mae_m: Option<f64>,
    /// Root mean square height error, metres.
    pub rmse_m: Option<f64>,
    /// 95 % of cells are at most this far off (nearest rank, up to the next whole millimetre), metres.
    pub p95_m: Option<f64>,
    /// Cells that both call drivable or not drivable: those that the next is over.
    pub drivable_cells: u64,
    /// Intersection over union of drivable cells: 1 if neither side has any, `None` without cells.
    pub drivable_iou: Option<f64>,
}

/// Errors from here on are counted as this, millimetres.
const MAX_ERROR_MM: f64 = 1e6;

/// Collects cells of one or more frames, in memory that does not grow with their number.
#[derive(Debug, Clone, Default)]
pub struct SurfaceErrors {
    true_cells: u64,
    cells: u64,
    sum_m: f64,
    sum_of_squares: f64,
    /// Cells by error, rounded up to whole millimetres.
    by_millimetre: BTreeMap<u32, u64>,
    judged: u64,
    both: u64,
    either: u64,
}

impl SurfaceErrors {
    /// Cells that both sides call drivable, and those that either does.
    pub fn drivable_cells(&self) -> (u64, u64) {
        (self.both, self.either)
    }

    /// Adds a frame.
    ///
    /// # Errors
    /// [`Error::Grids`] if the cells of the two differ.
    pub fn add(&mut self, truth: &Surface, predicted: &Surface) -> Result<(), Error> {
        if truth.spec != predicted.spec {
            return Err(Error::Grids {
                truth: format!("{:?}", truth.spec),
                predicted: format!("{:?}", predicted.spec),
            });
        }
        for (&truth_m, &predicted_m) in truth.height_m.iter().zip(&predicted.height_m) {
            self.true_cells += u64::from(truth_m.is_finite());
            if truth_m.is_finite() && predicted_m.is_finite() {
                self.add_error((f64::from(predicted_m) - f64::from(truth_m)).abs());
            }
        }
        for (&truth, &predicted) in truth.drivable.iter().zip(&predicted.drivable) {
            if truth == Drivable::Unknown || predicted == Drivable::Unknown {
                continue;
            }
            let sides = [truth, predicted].map(|side| side == Drivable::Yes);
            self.judged += 1;
            self.both += u64::from(sides[0] && sides[1]);
            self.either += u64::from(sides[0] || sides[1]);
        }
        Ok(())
    }

    fn add_error(&mut self, error_m: f64) {
        let error_mm = (1000.0 * error_m).ceil().min(MAX_ERROR_MM) as u32;
        *self.by_millimetre.entry(error_mm).or_default() += 1;
        self.cells += 1;
        self.sum_m += error_m;
        self.sum_of_squares += error_m * error_m;
    }

    /// The error that 95 % of the cells do not exceed, metres.
    fn p95_m(&self) -> Option<f64> {
        let rank = (self.cells * 95).div_ceil(100);
        let mut passed = 0;
        let mut bins = self.by_millimetre.iter();
        let (error_mm, _) = bins.find(|&(_, &cells)| {
            passed += cells;
            passed >= rank
        })?;
        Some(f64::from(*error_mm) / 1000.0)
    }

    /// The errors over all cells added.
    pub fn report(&self) -> SurfaceReport {
        let mean = |sum: f64| (self.cells > 0).then(|| sum / self.cells as f64);
        let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        SurfaceReport {
            true_cells: self.true_cells,
            coverage: share(self.cells, self.true_cells),
            cells: self.cells,
            mae_m: mean(self.sum_m),
            rmse_m: mean(self.sum_of_squares).map(f64::sqrt),
            p95_m: self.p95_m(),
            drivable_cells: self.judged,
            drivable_iou: share(self.both, self.either).or((self.judged > 0).then_some(1.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use ommatidia_scene::SurfaceSpec;
    use proptest::prelude::*;

    use super::*;

    const SPEC: SurfaceSpec = SurfaceSpec { min_corner_m: [0.0; 2], cell_m: 0.5, size: [4, 5] };

    fn surface(cells: &[(f32, Drivable)]) -> Surface {
        let mut surface = Surface::unobserved(SPEC);
        for (i, &(height_m, drivable)) in cells.iter().enumerate() {
            (surface.height_m[i], surface.drivable[i]) = (height_m, drivable);
        }
        surface
    }

    fn report(truth: &Surface, predicted: &Surface) -> SurfaceReport {
        let mut errors = SurfaceErrors::default();
        errors.add(truth, predicted).unwrap();
        errors.report()
    }

    fn any_surface() -> impl Strategy<Value = Surface> {
        let drivable =
            prop_oneof![Just(Drivable::Unknown), Just(Drivable::No), Just(Drivable::Yes)];
        let height = prop_oneof![Just(f32::NAN), -5.0f32..5.0];
        proptest::collection::vec((height, drivable), SPEC.len()).prop_map(|cells| surface(&cells))
    }

    proptest! {
        #[test]
        fn identity_is_perfect(a in any_surface()) {
            let report = report(&a, &a);
            prop_assert!(report.mae_m.is_none_or(|e| e == 0.0));
            prop_assert!(report.p95_m.is_none_or(|e| e == 0.0));
            prop_assert!(report.drivable_iou.is_none_or(|iou| iou == 1.0));
        }

        #[test]
        fn both_sides_are_alike(a in any_surface(), b in any_surface()) {
            let (there, back) = (report(&a, &b), report(&b, &a));
            prop_assert_eq!(there.mae_m, back.mae_m);
            prop_assert_eq!(there.p95_m, back.p95_m);
            prop_assert_eq!(there.drivable_iou, back.drivable_iou);
            prop_assert!(there.mae_m <= there.rmse_m.map(|rmse| rmse + 1e-12));
        }
    }

    #[test]
    fn by_hand() {
        use Drivable::{No, Unknown, Yes};
        let truth = surface(&[(0.0, Yes), (1.0, Yes), (2.0, No), (f32::NAN, Unknown), (1.0, No)]);
        let predicted = surface(&[(0.5, Yes), (1.0, No), (3.0, Yes), (9.0, Yes), (f32::NAN, No)]);
        let report = report(&truth, &predicted);
        assert_eq!((report.true_cells, report.cells), (4, 3));
        assert_eq!((report.coverage, report.mae_m), (Some(0.75), Some(0.5)));
        assert_eq!(report.rmse_m, Some((1.25f64 / 3.0).sqrt()));
        assert_eq!(report.p95_m, Some(1.0));
        assert_eq!((report.drivable_cells, report.drivable_iou), (4, Some(1.0 / 3.0)));
    }

    #[test]
    fn the_95th_percentile_is_the_nearest_rank() {
        let truth = surface(&[(0.0, Drivable::No); 20]);
        let mut cells = [(0.25, Drivable::No); 20];
        cells[7].0 = -40.0;
        assert_eq!(report(&truth, &surface(&cells)).p95_m, Some(0.25));
        cells[3].0 = 0.5004;
        assert_eq!(report(&truth, &surface(&cells)).p95_m, Some(0.501));
        cells.fill((1e30, Drivable::No));
        assert_eq!(report(&truth, &surface(&cells)).p95_m, Some(1000.0));
    }

    #[test]
    fn nothing_is_defined() {
        let unseen = Surface::unobserved(SPEC);
        let report = report(&unseen, &unseen);
        assert_eq!((report.mae_m, report.coverage, report.drivable_iou), (None, None, None));
    }
}
