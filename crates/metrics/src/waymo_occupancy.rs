//! Occupancy and flow forecasts as the Waymo Open Dataset challenge measures them.
//!
//! Mahjourian et al. 2022, section IV, and `waymo_open_dataset/utils/occupancy_flow_metrics.py`: AUC of the
//! precision-recall curve (Keras, 100 thresholds, interpolated as Davis & Goadrich 2006), soft IoU, end-point
//! error of backward flow, and both occupancy measures of the forecast times the true past warped along the
//! forecast flow. Grids are seen from above, row by row.

use serde::Serialize;

use crate::Error;
use crate::confusion::mean;

/// Thresholds of the curve.
const THRESHOLDS: usize = 100;

/// One step into the future of one scene.
#[derive(Debug, Clone, Copy)]
pub struct Waypoint<'a> {
    /// Occupancy by vehicles seen so far, 0 to 1.
    pub observed: &'a [f32],
    /// Occupancy by vehicles not seen so far, 0 to 1.
    pub occluded: &'a [f32],
    /// Cells back to where an occupied cell's content came from, along x (columns) and y (rows).
    pub flow: &'a [[f32; 2]],
}

/// Figures of one scene; means over the waypoints where the truth has such vehicles, `None` without such.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct WaymoScores {
    /// Area under the curve, vehicles seen so far.
    pub observed_auc: Option<f64>,
    /// Vehicles not seen so far.
    pub occluded_auc: Option<f64>,
    /// Soft intersection over union, vehicles seen so far.
    pub observed_iou: Option<f64>,
    /// Vehicles not seen so far.
    pub occluded_iou: Option<f64>,
    /// End-point error of flow, cells.
    pub flow_epe: Option<f64>,
    /// AUC of forecast times warped past, all vehicles.
    pub flow_grounded_auc: Option<f64>,
    /// Soft IoU of forecast times warped past.
    pub flow_grounded_iou: Option<f64>,
}

/// Scores a scene. `origins[k]` is the true occupancy that the flow of waypoint `k` points back to; grids have
/// `size` columns and rows.
///
/// # Errors
/// [`Error::Lengths`] where waypoints or cells do not correspond; [`Error::Row`] for an occupancy outside 0
/// to 1 or a flow that is not finite.
pub fn evaluate(
    truth: &[Waypoint<'_>],
    predicted: &[Waypoint<'_>],
    origins: &[&[f32]],
    size: [usize; 2],
) -> Result<WaymoScores, Error> {
    check(truth, predicted, origins, size)?;
    let mut figures: [Vec<f64>; 7] = Default::default();
    let occupied = |cells: &[f32]| cells.iter().any(|&cell| cell > 0.0);
    // Before the first waypoint lies the present, which always has vehicles.
    let (mut had_observed, mut had_occluded) = (true, true);
    for ((t, p), origin) in truth.iter().zip(predicted).zip(origins) {
        let (has_observed, has_occluded) = (occupied(t.observed), occupied(t.occluded));
        if has_observed {
            figures[0].push(auc(t.observed, p.observed));
            figures[2].push(soft_iou(t.observed, p.observed));
        }
        if has_occluded {
            figures[1].push(auc(t.occluded, p.occluded));
            figures[3].push(soft_iou(t.occluded, p.occluded));
        }
        if (has_observed && had_observed) || (has_occluded && had_occluded) {
            figures[4].push(end_point_error(t.flow, p.flow));
            let all = |w: &Waypoint<'_>| -> Vec<f32> {
                w.observed.iter().zip(w.occluded).map(|(a, b)| (a + b).clamp(0.0, 1.0)).collect()
            };
            let (all_true, mut grounded) = (all(t), all(p));
            for (cell, value) in grounded.iter_mut().enumerate() {
                let [dx, dy] = p.flow[cell];
                let (x, y) = ((cell % size[0]) as f32 + dx, (cell / size[0]) as f32 + dy);
                *value *= sample(origin, size, x, y);
            }
            figures[5].push(auc(&all_true, &grounded));
            figures[6].push(soft_iou(&all_true, &grounded));
        }
        (had_observed, had_occluded) = (has_observed, has_occluded);
    }
    let [a, b, c, d, e, f, g] = figures.map(|values| mean(values.into_iter()));
    Ok(WaymoScores {
        observed_auc: a,
        occluded_auc: b,
        observed_iou: c,
        occluded_iou: d,
        flow_epe: e,
        flow_grounded_auc: f,
        flow_grounded_iou: g,
    })
}

fn check(
    truth: &[Waypoint<'_>],
    predicted: &[Waypoint<'_>],
    origins: &[&[f32]],
    size: [usize; 2],
) -> Result<(), Error> {
    for other in [predicted.len(), origins.len()] {
        if other != truth.len() {
            return Err(Error::Lengths { what: "waypoints", truth: truth.len(), predicted: other });
        }
    }
    let cells = size[0] * size[1];
    let origins = origins.iter().map(|origin| ("truth", *origin));
    let sides =
        truth.iter().map(|w| ("truth", w)).chain(predicted.iter().map(|w| ("prediction", w)));
    let occupancies = sides.clone().flat_map(|(side, w)| [(side, w.observed), (side, w.occluded)]);
    for (side, grid) in occupancies.chain(origins) {
        if grid.len() != cells {
            return Err(Error::Lengths { what: "cells", truth: cells, predicted: grid.len() });
        }
        if let Some(cell) = grid.iter().position(|cell| !(0.0..=1.0).contains(cell)) {
            let what = format!("an occupancy of {}; it must be 0 to 1", grid[cell]);
            return Err(Error::row(side, format!("cell {cell}"), what));
        }
    }
    for (side, w) in sides {
        if w.flow.len() != cells {
            return Err(Error::Lengths { what: "cells", truth: cells, predicted: w.flow.len() });
        }
        if let Some(cell) = w.flow.iter().position(|[x, y]| !(x.is_finite() && y.is_finite())) {
            return Err(Error::row(side, format!("cell {cell}"), "a flow that is not finite"));
        }
    }
    Ok(())
}

/// Area under the precision-recall curve: `tf.keras.metrics.AUC(num_thresholds=100, curve="PR")`. Like there,
/// a cell is truly occupied if it is at all.
fn auc(truth: &[f32], predicted: &[f32]) -> f64 {
    let (mut right, mut wrong) = ([0.0f64; THRESHOLDS], [0.0f64; THRESHOLDS]);
    for (&t, &p) in truth.iter().zip(predicted) {
        let bucket = ((p * (THRESHOLDS - 1) as f32).ceil() - 1.0).max(0.0) as usize;
        let side = if t > 0.0 { &mut right } else { &mut wrong };
        side[bucket] += 1.0;
    }
    // At threshold i counts everything in buckets from i on.
    for i in (1..THRESHOLDS).rev() {
        right[i - 1] += right[i];
        wrong[i - 1] += wrong[i];
    }
    let ratio = |a: f64, b: f64| if b == 0.0 { 0.0 } else { a / b };
    let positives = right[0];
    let mut area = 0.0;
    for i in 0..THRESHOLDS - 1 {
        let (found, before) = (right[i] - right[i + 1], right[i + 1] + wrong[i + 1]);
        let after = right[i] + wrong[i];
        // Davis & Goadrich 2006: between two points the false positives grow in proportion to the true.
        let slope = ratio(found, (after - before).max(0.0));
        let intercept = right[i + 1] - slope * before;
        let growth = if after > 0.0 && before > 0.0 { after / before } else { 1.0 };
        area += ratio(slope * (found + intercept * growth.ln()), positives);
    }
    area
}

fn soft_iou(truth: &[f32], predicted: &[f32]) -> f64 {
    let sum = |cells: &[f32]| cells.iter().map(|&cell| f64::from(cell)).sum::<f64>();
    let both: f64 = truth.iter().zip(predicted).map(|(t, p)| f64::from(t * p)).sum();
    let union = sum(truth) + sum(predicted) - both;
    if union == 0.0 { 0.0 } else { both / union }
}

/// Mean over the cells whose true flow is not zero; 0 without such.
fn end_point_error(truth: &[[f32; 2]], predicted: &[[f32; 2]]) -> f64 {
    let moving = truth.iter().zip(predicted).filter(|(t, _)| **t != [0.0, 0.0]);
    let errors = moving.map(|(t, p)| f64::from(t[0] - p[0]).hypot(f64::from(t[1] - p[1])));
    mean(errors).unwrap_or(0.0)
}

/// Bilinear; zero outside.
fn sample(cells: &[f32], size: [usize; 2], x: f32, y: f32) -> f32 {
    let (left, top) = (x.floor(), y.floor());
    let (right_share, bottom_share) = (x - left, y - top);
    let at = |x: f32, y: f32| {
        let inside = x >= 0.0 && y >= 0.0 && x < size[0] as f32 && y < size[1] as f32;
        if inside { cells[y as usize * size[0] + x as usize] } else { 0.0 }
    };
    let upper = at(left, top) * (1.0 - right_share) + at(left + 1.0, top) * right_share;
    let lower = at(left, top + 1.0) * (1.0 - right_share) + at(left + 1.0, top + 1.0) * right_share;
    upper * (1.0 - bottom_share) + lower * bottom_share
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: [usize; 2] = [8, 6];
    const CELLS: usize = 48;

    fn scored(truth: &[f32], predicted: &[f32], flow: [f32; 2]) -> WaymoScores {
        let empty = [0.0; CELLS];
        let still = [[0.0; 2]; CELLS];
        let waypoint = |observed, flow| Waypoint { observed, occluded: &empty, flow };
        let moved = [flow; CELLS];
        let true_flow: Vec<[f32; 2]> =
            truth.iter().map(|&t| if t > 0.0 { [2.0, 0.0] } else { [0.0; 2] }).collect();
        let first = [waypoint(truth, &true_flow), waypoint(&empty, &still)];
        let second = [waypoint(predicted, &moved), waypoint(predicted, &moved)];
        let origin: Vec<f32> =
            (0..CELLS).map(|i| if i % 8 >= 2 { truth[i - 2] } else { 0.0 }).collect();
        evaluate(&first, &second, &[&origin, &origin], SIZE).unwrap()
    }

    fn square() -> Vec<f32> {
        (0..CELLS).map(|i| f32::from(u8::from((2..4).contains(&(i % 8)) && i / 8 > 2))).collect()
    }

    #[test]
    fn identity_scores_one() {
        let s = scored(&square(), &square(), [2.0, 0.0]);
        let close = |value: Option<f64>| value.is_some_and(|value| (value - 1.0).abs() < 1e-12);
        assert!(close(s.observed_auc) && close(s.observed_iou), "{s:?}");
        assert!(close(s.flow_grounded_auc) && close(s.flow_grounded_iou), "{s:?}");
        assert_eq!((s.flow_epe, s.occluded_auc), (Some(0.0), None));
    }

    #[test]
    fn wrong_flow_costs_what_is_grounded_in_it() {
        let s = scored(&square(), &square(), [2.0, -3.0]);
        assert_eq!((s.flow_epe, s.flow_grounded_iou), (Some(3.0), Some(0.0)));
        assert_eq!(s.observed_iou, Some(1.0));
        // Half a cell: half of each border cell.
        let s = scored(&square(), &square(), [2.5, 0.0]);
        assert!(s.flow_grounded_iou.unwrap() < 0.8, "{s:?}");
    }

    #[test]
    fn a_false_positive_never_helps() {
        let mut worse = square();
        worse[0] = 0.7;
        let (before, after) =
            (scored(&square(), &square(), [2.0, 0.0]), scored(&square(), &worse, [2.0, 0.0]));
        assert!(after.observed_iou < before.observed_iou);
        assert!(after.observed_auc <= before.observed_auc);
    }

    #[test]
    fn bad_input_names_the_cell() {
        let (grid, flow) = (square(), [[0.0; 2]; CELLS]);
        let waypoint = |observed, flow| Waypoint { observed, occluded: &grid, flow };
        let check = |predicted: Waypoint<'_>, expected: &str| {
            let truth = [waypoint(&grid, &flow)];
            let error = evaluate(&truth, &[predicted], &[&grid], SIZE).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(waypoint(&[1.5; CELLS], &flow), "prediction cell 0: an occupancy of 1.5");
        check(waypoint(&[f32::NAN; CELLS], &flow), "an occupancy of NaN");
        check(waypoint(&[0.0; 3], &flow), "48 cells and the prediction 3");
        check(waypoint(&grid, &[[f32::NAN; 2]; CELLS]), "flow that is not finite");
    }
}
