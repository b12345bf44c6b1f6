//! Argoverse 2 detection: AP by centre distance, three errors of true positives, composite detection score (CDS).
//!
//! Wilson et al. 2021; `av2.evaluation.detection` of av2 0.3.6, without its rounding to three digits. Where scores are
//! equal av2 sorts unstably; here the row that comes first counts first.

use std::collections::BTreeMap;
use std::f64::consts::PI;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::check_matching_distances;
use crate::numeric::{interpolate, mean};
use crate::{Error, Protocol};

/// Recalls at which precision is sampled: 0, 0.01, ..., 1.
const RECALLS: usize = 101;
/// Errors of a category without true positives: normalisation of scale and heading.
const WORST_SCALE: f64 = 1.0;
const WORST_HEADING_RAD: f64 = PI;

/// Settings; [`Protocol::named`] has `argoverse2`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Argoverse2Protocol {
    /// A prediction may match a box closer than this, metres.
    pub matching_distances_m: Vec<f64>,
    /// The one whose matches the errors are taken of; also the normalisation of the translation error.
    pub error_matching_distance_m: f64,
    /// Boxes this far from the vehicle or farther do not count, metres.
    pub range_m: f64,
    /// Of each sweep and category, only so many of the surest predictions count.
    pub max_boxes_per_category: usize,
    /// Categories.
    pub categories: Vec<String>,
}

impl Protocol for Argoverse2Protocol {
    const KIND: &'static str = "Argoverse 2 detection";
    const NAMED: &'static [(&'static str, &'static str)] =
        &[("argoverse2", include_str!("../../protocols/argoverse2.toml"))];

    fn check(&self) -> Result<(), String> {
        let positive = |x: f64| x.is_finite() && x > 0.0;
        check_matching_distances(&self.matching_distances_m)?;
        if !positive(self.range_m) {
            return Err(format!("range_m is {}; it must be positive", self.range_m));
        }
        if !self.matching_distances_m.contains(&self.error_matching_distance_m) {
            return Err("error_matching_distance_m must be one of matching_distances_m".to_owned());
        }
        if self.categories.is_empty() {
            return Err("needs at least one category".to_owned());
        }
        Ok(())
    }
}

/// A true or predicted box in the ego frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cuboid {
    /// Position among the protocol's categories.
    pub category: u16,
    /// Centre, metres.
    pub center_m: [f64; 3],
    /// Length, width, height, metres.
    pub size_m: [f64; 3],
    /// Heading, radians.
    pub yaw_rad: f64,
    /// Confidence of a prediction.
    pub score: f64,
    /// Lidar returns inside a true box; without any it does not count.
    pub interior_points: u32,
    /// In the region that is evaluated: on or near the road where that is asked for, else always.
    pub in_region: bool,
}

/// Boxes of one lidar sweep.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sweep {
    /// Its log.
    pub log: String,
    /// When, nanoseconds.
    pub timestamp_ns: i64,
    /// True boxes.
    pub truth: Vec<Cuboid>,
    /// Predictions.
    pub predicted: Vec<Cuboid>,
}

/// Figures of one category, or their mean.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CdsFigures {
    /// Average precision, mean over matching distances.
    pub ap: f64,
    /// Translation error, metres.
    pub ate: f64,
    /// Scale error.
    pub ase: f64,
    /// Orientation error, radians.
    pub aoe: f64,
    /// Composite detection score.
    pub cds: f64,
}

/// Argoverse 2 figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Argoverse2Report {
    /// Mean over categories, also those that the truth lacks.
    pub average: CdsFigures,
    /// The figures of each category.
    pub per_category: BTreeMap<String, CdsFigures>,
}

/// Figures of all sweeps.
///
/// # Errors
/// A sweep that occurs twice, a category that the protocol does not have, a number that is not finite.
pub fn evaluate(
    sweeps: &[Sweep],
    protocol: &Argoverse2Protocol,
) -> Result<Argoverse2Report, Error> {
    let mut ordered: Vec<&Sweep> = sweeps.iter().collect();
    ordered.sort_by(|a, b| (&a.log, a.timestamp_ns).cmp(&(&b.log, b.timestamp_ns)));
    for pair in ordered.windows(2) {
        if (&pair[0].log, pair[0].timestamp_ns) == (&pair[1].log, pair[1].timestamp_ns) {
            let row = format!("sweep {} of log {}", pair[0].timestamp_ns, pair[0].log);
            return Err(Error::row("truth", row, "occurs twice; sweeps must be unique"));
        }
    }
    for sweep in &ordered {
        check("truth", sweep, &sweep.truth, protocol)?;
        check("prediction", sweep, &sweep.predicted, protocol)?;
    }
    let figures: Vec<CdsFigures> = (0..protocol.categories.len())
        .into_par_iter()
        .map(|category| of_category(&ordered, category as u16, protocol))
        .collect();
    let over = |of: fn(&CdsFigures) -> f64| mean(&figures.iter().map(of).collect::<Vec<_>>());
    let average = CdsFigures {
        ap: over(|f| f.ap),
        ate: over(|f| f.ate),
        ase: over(|f| f.ase),
        aoe: over(|f| f.aoe),
        cds: over(|f| f.cds),
    };
    let names = protocol.categories.iter().cloned();
    Ok(Argoverse2Report { average, per_category: names.zip(figures).collect() })
}

fn check(
    side: &'static str,
    sweep: &Sweep,
    boxes: &[Cuboid],
    protocol: &Argoverse2Protocol,
) -> Result<(), Error> {
    for (row, given) in boxes.iter().enumerate() {
        let numbers =
            given.center_m.iter().chain(&given.size_m).chain([&given.yaw_rad, &given.score]);
        let what = if !numbers.into_iter().all(|x| x.is_finite()) {
            "holds a number that is not finite".to_owned()
        } else if usize::from(given.category) >= protocol.categories.len() {
            format!("category {} is none of the protocol's", given.category)
        } else {
            continue;
        };
        let at = format!("{row} of sweep {} of log {}", sweep.timestamp_ns, sweep.log);
        return Err(Error::row(side, at, what));
    }
    Ok(())
}

/// A counted prediction: its score, the distances at which it matched (bits), and the errors of its match.
struct Scored {
    score: f64,
    matched: u32,
    errors: Option<[f64; 3]>,
}

fn of_category(sweeps: &[&Sweep], category: u16, protocol: &Argoverse2Protocol) -> CdsFigures {
    let mut scored = Vec::new();
    let mut truths = 0;
    for sweep in sweeps {
        truths += match_sweep(sweep, category, protocol, &mut scored);
    }
    let worst = [protocol.error_matching_distance_m, WORST_SCALE, WORST_HEADING_RAD];
    let nothing = |ap| CdsFigures { ap, ate: worst[0], ase: worst[1], aoe: worst[2], cds: 0.0 };
    if truths == 0 {
        return nothing(0.0);
    }
    scored.sort_by(|a, b| b.score.total_cmp(&a.score));
    let aps = (0..protocol.matching_distances_m.len())
        .map(|i| average_precision(&scored, 1 << i, truths))
        .collect::<Vec<_>>();
    let ap = mean(&aps);
    let errors: Vec<[f64; 3]> = scored.iter().filter_map(|given| given.errors).collect();
    if errors.is_empty() {
        return nothing(ap);
    }
    let [ate, ase, aoe] =
        [0, 1, 2].map(|i| errors.iter().map(|error| error[i]).sum::<f64>() / errors.len() as f64);
    let scores = [ate / worst[0], ase / worst[1], aoe / worst[2]].map(|error| 1.0 - error);
    CdsFigures { ap, ate, ase, aoe, cds: ap * scores.iter().sum::<f64>() / 3.0 }
}

/// Adds the predictions of a sweep; the number of true boxes that count. Each prediction goes to the true box nearest
/// to it, each true box to the surest of its predictions.
fn match_sweep(
    sweep: &Sweep,
    category: u16,
    protocol: &Argoverse2Protocol,
    scored: &mut Vec<Scored>,
) -> usize {
    let near = |given: &&Cuboid| {
        given.category == category && norm_m(given.center_m, [0.0; 3]) < protocol.range_m
    };
    let counts = |given: &&Cuboid| given.in_region && given.interior_points > 0;
    let truths: Vec<&Cuboid> = sweep.truth.iter().filter(near).filter(counts).collect();
    let mut predicted: Vec<&Cuboid> = sweep.predicted.iter().filter(near).collect();
    predicted.sort_by(|a, b| b.score.total_cmp(&a.score));
    predicted.truncate(protocol.max_boxes_per_category);
    predicted.retain(|given| given.in_region);
    let mut taken = vec![false; truths.len()];
    for given in predicted {
        let mut row = Scored { score: given.score, matched: 0, errors: None };
        if let Some((nearest, distance_m)) = nearest(given, &truths)
            && !taken[nearest]
        {
            taken[nearest] = true;
            for (i, &limit_m) in protocol.matching_distances_m.iter().enumerate() {
                if distance_m < limit_m {
                    row.matched |= 1 << i;
                    if limit_m == protocol.error_matching_distance_m {
                        row.errors = Some(errors(given, truths[nearest], distance_m));
                    }
                }
            }
        }
        scored.push(row);
    }
    truths.len()
}

/// The nearest true box, of equals the first.
fn nearest(given: &Cuboid, truths: &[&Cuboid]) -> Option<(usize, f64)> {
    let mut best: Option<(usize, f64)> = None;
    for (i, truth) in truths.iter().enumerate() {
        let distance_m = norm_m(given.center_m, truth.center_m);
        if best.is_none_or(|(_, least)| distance_m < least) {
            best = Some((i, distance_m));
        }
    }
    best
}

fn norm_m(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
}

fn errors(given: &Cuboid, truth: &Cuboid, distance_m: f64) -> [f64; 3] {
    let product = |pick: fn(f64, f64) -> f64| -> f64 {
        given.size_m.iter().zip(truth.size_m).map(|(&a, b)| pick(a, b)).product()
    };
    // av2's union is that of the smallest box around both.
    let scale = 1.0 - product(f64::min) / product(f64::max);
    let turn_rad = (given.yaw_rad - truth.yaw_rad).abs();
    let wrapped_rad = if turn_rad >= PI { PI - turn_rad % PI } else { turn_rad };
    [distance_m, scale, wrapped_rad]
}

/// Mean of the precision, made monotonic, at 101 recalls.
fn average_precision(scored: &[Scored], bit: u32, truths: usize) -> f64 {
    if scored.is_empty() {
        return 0.0;
    }
    let (mut recall, mut precision) = (Vec::new(), Vec::new());
    let mut hits = 0u64;
    for (i, given) in scored.iter().enumerate() {
        hits += u64::from(given.matched & bit != 0);
        recall.push(hits as f64 / truths as f64);
        precision.push(hits as f64 / ((i + 1) as f64 + f64::EPSILON));
    }
    for i in (1..precision.len()).rev() {
        precision[i - 1] = f64::max(precision[i - 1], precision[i]);
    }
    let at = |i: usize| {
        let wanted = if i + 1 == RECALLS { 1.0 } else { i as f64 * 0.01 };
        interpolate(wanted, &recall, &precision, precision[0], 0.0)
    };
    mean(&(0..RECALLS).map(at).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn protocol() -> Argoverse2Protocol {
        Argoverse2Protocol::named("argoverse2").unwrap()
    }

    fn cuboid(x: f64, score: f64) -> Cuboid {
        Cuboid {
            category: 15,
            center_m: [x, 0.0, 0.0],
            size_m: [4.0, 2.0, 1.5],
            yaw_rad: 0.5,
            score,
            interior_points: 3,
            in_region: true,
        }
    }

    fn sweep(truth: Vec<Cuboid>, predicted: Vec<Cuboid>) -> Sweep {
        Sweep { log: "l".to_owned(), timestamp_ns: 1, truth, predicted }
    }

    #[test]
    fn named_protocols_are_valid() {
        crate::protocol::check_named::<Argoverse2Protocol>();
    }

    proptest! {
        #[test]
        fn a_false_positive_never_helps(
            truth in proptest::collection::vec(0i32..20, 1..10),
            predicted in proptest::collection::vec((0i32..20, 0.1f64..1.0), 0..20),
            score in 0.0f64..1.0,
        ) {
            let truth: Vec<Cuboid> = truth.iter().map(|&x| cuboid(5.0 * f64::from(x), 0.0)).collect();
            let mut predicted: Vec<Cuboid> =
                predicted.iter().map(|&(x, score)| cuboid(5.0 * f64::from(x) + 0.3, score)).collect();
            let before = evaluate(&[sweep(truth.clone(), predicted.clone())], &protocol()).unwrap();
            predicted.push(cuboid(-100.0, score));
            let after = evaluate(&[sweep(truth, predicted)], &protocol()).unwrap();
            prop_assert!(after.average.ap <= before.average.ap + 1e-12);
        }
    }

    #[test]
    fn identity_is_perfect() {
        let boxes: Vec<Cuboid> = (1..9).map(|i| cuboid(10.0 * f64::from(i), 0.1)).collect();
        let report = evaluate(&[sweep(boxes.clone(), boxes)], &protocol()).unwrap();
        let figures = report.per_category["REGULAR_VEHICLE"];
        assert!((figures.cds - 1.0).abs() < 1e-12 && figures.ate == 0.0, "{figures:?}");
        assert_eq!(report.per_category["DOG"].ap, 0.0);
    }

    #[test]
    fn bad_rows_are_named() {
        let check = |given: Cuboid, expected: &str| {
            let why = evaluate(&[sweep(Vec::new(), vec![given])], &protocol()).unwrap_err();
            assert!(why.to_string().contains(expected), "{why}");
        };
        check(cuboid(f64::NAN, 0.0), "prediction 0 of sweep 1 of log l: holds a number");
        check(Cuboid { category: 99, ..cuboid(0.0, 0.0) }, "category 99");
        let twice = [sweep(Vec::new(), Vec::new()), sweep(Vec::new(), Vec::new())];
        assert!(evaluate(&twice, &protocol()).unwrap_err().to_string().contains("occurs twice"));
    }
}
