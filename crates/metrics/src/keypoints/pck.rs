//! Percentage of correct keypoints.

use serde::Serialize;

use crate::Error;

/// One person's keypoints in both, and the length that errors are measured by.
#[derive(Debug, Clone, PartialEq)]
pub struct PckPerson<'a> {
    /// Pixels `x, y` and visibility; 0 is not labelled.
    pub truth: &'a [[f64; 3]],
    /// Pixels `x, y`; NaN is wrong.
    pub predicted: &'a [[f64; 2]],
    /// PCKh: the head's size (0.6 of its box's diagonal in MPII); PCK: the longer side of the person's box, or
    /// the torso's length. Pixels.
    pub reference_px: f64,
}

/// Shares of labelled keypoints that are at most `alpha` of the reference length off.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PckReport {
    /// By keypoint; `None` where none is labelled.
    pub per_keypoint: Vec<Option<f64>>,
    /// Mean over keypoints with labels.
    pub mean: Option<f64>,
    /// Over all labelled keypoints alike.
    pub overall: Option<f64>,
    /// Labelled keypoints.
    pub labelled: usize,
}

/// PCK at `alpha`; with head sizes as reference and 0.5 it is PCKh@0.5.
///
/// Yang and Ramanan 2013; Andriluka et al. 2014 (PCKh).
///
/// # Errors
/// A person whose sides differ in keypoints from the first one's, or whose reference is not positive.
pub fn evaluate_pck(people: &[PckPerson<'_>], alpha: f64) -> Result<PckReport, Error> {
    let keypoints = people.first().map_or(0, |person| person.truth.len());
    let (mut right, mut labelled) = (vec![0usize; keypoints], vec![0usize; keypoints]);
    for (row, person) in people.iter().enumerate() {
        let found = [person.truth.len(), person.predicted.len()];
        if let Some(found) = found.into_iter().find(|&found| found != keypoints) {
            let what = format!("{found} keypoints; the first person has {keypoints}");
            return Err(Error::row("prediction", row, what));
        }
        if !(person.reference_px > 0.0 && person.reference_px.is_finite()) {
            let what = format!("its reference length is {} px", person.reference_px);
            return Err(Error::row("truth", row, what));
        }
        for (k, (t, p)) in person.truth.iter().zip(person.predicted).enumerate() {
            if t[2] > 0.0 {
                labelled[k] += 1;
                let off_px = ((p[0] - t[0]).powi(2) + (p[1] - t[1]).powi(2)).sqrt();
                right[k] += usize::from(off_px / person.reference_px <= alpha);
            }
        }
    }
    let share = |right: usize, of: usize| (of > 0).then(|| right as f64 / of as f64);
    let per_keypoint: Vec<Option<f64>> =
        right.iter().zip(&labelled).map(|(&right, &of)| share(right, of)).collect();
    let known: Vec<f64> = per_keypoint.iter().flatten().copied().collect();
    let total = labelled.iter().sum();
    Ok(PckReport {
        mean: (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64),
        overall: share(right.iter().sum(), total),
        labelled: total,
        per_keypoint,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRUTH: [[f64; 3]; 3] = [[10.0, 10.0, 2.0], [20.0, 20.0, 1.0], [0.0, 0.0, 0.0]];

    fn report(predicted: &[[f64; 2]], reference_px: f64) -> Result<PckReport, Error> {
        evaluate_pck(&[PckPerson { truth: &TRUTH, predicted, reference_px }], 0.5)
    }

    #[test]
    fn by_hand() {
        let found = report(&[[10.0, 15.0], [20.0, 25.1], [99.0, 99.0]], 10.0).unwrap();
        assert_eq!(found.per_keypoint, [Some(1.0), Some(0.0), None]);
        assert_eq!((found.mean, found.overall, found.labelled), (Some(0.5), Some(0.5), 2));
        let perfect = report(&[[10.0, 10.0], [20.0, 20.0], [5.0, 5.0]], 10.0).unwrap();
        assert_eq!(perfect.mean, Some(1.0));
        assert_eq!(report(&[[f64::NAN; 2]; 3], 10.0).unwrap().mean, Some(0.0));
        assert_eq!(evaluate_pck(&[], 0.5).unwrap().mean, None);
    }

    #[test]
    fn rows_that_do_not_fit_are_named() {
        assert!(report(&[[0.0; 2]; 2], 10.0).unwrap_err().to_string().contains("2 keypoints"));
        assert!(report(&[[0.0; 2]; 3], 0.0).unwrap_err().to_string().contains("truth 0"));
    }
}
