//! People in space whose identity is not known: who is who, and how far their joints are off.

use super::{JointErrors, joint_errors};
use crate::Error;

/// A person's joints in one frame of coordinates, metres; `None` where not known.
pub type JointsInSpace = Vec<Option<[f64; 3]>>;

/// People of one frame, compared.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PeopleComparison {
    /// Errors of those found, over the joints that both sides know.
    pub found: Vec<JointErrors>,
    /// True people without a prediction.
    pub missed: usize,
    /// Predicted people that are none.
    pub false_people: usize,
}

/// Pairs people whose joints are at most `max_mean_m` apart in the mean, nearest pairs first, and compares them.
/// People who share no known joint do not pair.
///
/// # Errors
/// People with different numbers of joints, or a joint that is not finite.
pub fn compare_people(
    truth: &[JointsInSpace],
    predicted: &[JointsInSpace],
    max_mean_m: f64,
) -> Result<PeopleComparison, Error> {
    let mut pairs = Vec::new();
    for (t, person) in truth.iter().enumerate() {
        for (p, other) in predicted.iter().enumerate() {
            if person.len() != other.len() {
                let what = format!("{} joints; the truth has {}", other.len(), person.len());
                return Err(Error::row("prediction", format!("person {p}"), what));
            }
            let both: Vec<([f64; 3], [f64; 3])> =
                person.iter().zip(other).filter_map(|(a, b)| a.zip(*b)).collect();
            if both.is_empty() {
                continue;
            }
            let (known, found): (Vec<_>, Vec<_>) = both.into_iter().unzip();
            let errors = joint_errors(&known, &found, None)?;
            if errors.mpjpe_m <= max_mean_m {
                pairs.push((errors, t, p));
            }
        }
    }
    pairs.sort_by(|a, b| a.0.mpjpe_m.total_cmp(&b.0.mpjpe_m).then((a.1, a.2).cmp(&(b.1, b.2))));
    let (mut taken, mut used) = (vec![false; truth.len()], vec![false; predicted.len()]);
    let mut found = Vec::new();
    for (errors, t, p) in pairs {
        if !taken[t] && !used[p] {
            (taken[t], used[p]) = (true, true);
            found.push(errors);
        }
    }
    let (missed, false_people) = (truth.len() - found.len(), predicted.len() - found.len());
    Ok(PeopleComparison { found, missed, false_people })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(x: f64) -> JointsInSpace {
        vec![Some([x, 0.0, 0.0]), Some([x, 0.0, 1.0]), None, Some([x, 1.0, 1.0])]
    }

    #[test]
    fn nearest_people_pair_whatever_their_order() {
        let truth = [person(0.0), person(2.0), person(9.0)];
        let predicted = [person(2.1), person(0.2), person(0.3), person(50.0)];
        let found = compare_people(&truth, &predicted, 1.0).unwrap();
        let errors: Vec<f64> = found.found.iter().map(|e| e.mpjpe_m).collect();
        assert!((errors[0] - 0.1).abs() < 1e-12 && (errors[1] - 0.2).abs() < 1e-12, "{errors:?}");
        assert_eq!((errors.len(), found.missed, found.false_people), (2, 1, 2));
        assert!(found.found.iter().all(|e| e.procrustes_m < 1e-12));
        let reversed: Vec<JointsInSpace> = predicted.iter().rev().cloned().collect();
        assert_eq!(compare_people(&truth, &reversed, 1.0).unwrap(), found);
        let same = compare_people(&truth, &truth, 1.0).unwrap();
        assert_eq!((same.found.len(), same.missed, same.false_people), (3, 0, 0));
    }

    #[test]
    fn strangers_and_misfits() {
        let blind = vec![vec![None; 4]];
        let found = compare_people(&[person(0.0)], &blind, 1.0).unwrap();
        assert_eq!((found.missed, found.false_people), (1, 1));
        let message =
            compare_people(&[person(0.0)], &[vec![None; 3]], 1.0).unwrap_err().to_string();
        assert!(message.contains("person 0: 3 joints"), "{message}");
    }
}
