//! Real roots of polynomials of one variable, degree up to 10. Coefficients ascend.

/// Highest degree.
const MAX_DEGREE: usize = 10;
/// Halvings and Newton steps until a bracketed root is given up; bisection alone needs 54.
const MAX_STEPS: usize = 80;

/// All real roots where the polynomial changes sign, in no order; multiple roots of even order may
/// be missed. A vanishing leading coefficient is a root at infinity and is left out.
///
/// Roots inside the unit interval are those of the polynomial, the others the reciprocals of those
/// of its reversal; in either, the roots of each derivative bracket those of the next.
pub(crate) fn real_roots(coefficients: &[f64]) -> Vec<f64> {
    real_and_nearly_real_roots(coefficients, 0.0).into_iter().map(|(root, _)| root).collect()
}

/// As [`real_roots`], and the extrema where the polynomial comes closer to zero than `tolerance` times
/// the sum of its terms' magnitudes: there rounding may have hidden a double root.
/// With each, whether the polynomial changes sign there.
pub(crate) fn real_and_nearly_real_roots(coefficients: &[f64], tolerance: f64) -> Vec<(f64, bool)> {
    let mut roots = Vec::with_capacity(MAX_DEGREE);
    let largest = coefficients.iter().fold(0.0_f64, |m, c| m.max(c.abs()));
    if coefficients.len() > MAX_DEGREE + 1
        || !(largest > 0.0 && largest.is_finite())
        || coefficients.iter().any(|c| c.is_nan())
    {
        return roots;
    }
    let degree = coefficients.len() - 1;
    let mut scaled = [0.0; MAX_DEGREE + 1];
    for (s, c) in scaled.iter_mut().zip(coefficients) {
        *s = c / largest;
    }
    roots_in_unit_interval(&scaled[..=degree], tolerance, |root, crosses| {
        roots.push((root, crosses))
    });
    scaled[..=degree].reverse();
    roots_in_unit_interval(&scaled[..=degree], tolerance, |root, crosses| {
        if root != 0.0 && root.abs() < 1.0 && (1.0 / root).is_finite() {
            roots.push((1.0 / root, crosses));
        }
    });
    roots
}

/// Value and slope. Horner's scheme.
fn evaluate(coefficients: &[f64], x: f64) -> (f64, f64) {
    coefficients
        .iter()
        .rev()
        .fold((0.0, 0.0), |(value, slope), c| (value * x + c, slope * x + value))
}

fn roots_in_unit_interval(coefficients: &[f64], tolerance: f64, mut found: impl FnMut(f64, bool)) {
    let degree = coefficients.len() - 1;
    let mut derivatives = [[0.0; MAX_DEGREE + 1]; MAX_DEGREE + 1];
    derivatives[degree][..=degree].copy_from_slice(coefficients);
    for d in (1..degree).rev() {
        for i in 0..=d {
            derivatives[d][i] = derivatives[d + 1][i + 1] * (i + 1) as f64;
        }
    }
    let mut breaks = [0.0; MAX_DEGREE + 2];
    (breaks[0], breaks[1]) = (-1.0, 1.0);
    let mut last = 1;
    for d in 1..=degree {
        let polynomial = &derivatives[d][..=d];
        if d == degree && tolerance > 0.0 {
            breaks[1..last]
                .iter()
                .filter(|x| nearly_vanishes(polynomial, **x, tolerance))
                .for_each(|&x| found(x, false));
        }
        let mut next = [-1.0; MAX_DEGREE + 2];
        let mut count = 0;
        for pair in breaks[..=last].windows(2) {
            if let Some(root) = bracketed_root(polynomial, pair[0], pair[1]) {
                count += 1;
                next[count] = root;
            }
        }
        next[count + 1] = 1.0;
        (breaks, last) = (next, count + 1);
    }
    if evaluate(coefficients, -1.0).0 == 0.0 {
        found(-1.0, true);
    }
    breaks[1..last].iter().for_each(|&root| found(root, true));
}

fn nearly_vanishes(polynomial: &[f64], x: f64, tolerance: f64) -> bool {
    let magnitude = polynomial.iter().rev().fold(0.0, |sum, c| sum * x.abs() + c.abs());
    evaluate(polynomial, x).0.abs() < tolerance * magnitude
}

/// The root in `(low, high]` of a polynomial that is monotonic there: Newton, kept in the bracket
/// by bisection.
fn bracketed_root(polynomial: &[f64], mut low: f64, mut high: f64) -> Option<f64> {
    let (at_low, at_high) = (evaluate(polynomial, low).0, evaluate(polynomial, high).0);
    if at_high == 0.0 {
        return Some(high);
    }
    if at_low == 0.0 || (at_low > 0.0) == (at_high > 0.0) {
        return None;
    }
    let mut x = 0.5 * (low + high);
    for _ in 0..MAX_STEPS {
        let (value, slope) = evaluate(polynomial, x);
        if value == 0.0 {
            return Some(x);
        }
        if (value > 0.0) == (at_low > 0.0) {
            low = x;
        } else {
            high = x;
        }
        let newton = x - value / slope;
        let next = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
        if (next - x).abs() <= 0.5 * f64::EPSILON * x.abs() || high - low <= f64::MIN_POSITIVE {
            return Some(next);
        }
        x = next;
    }
    Some(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::solvers::testing::Random;

    fn expand(roots: &[f64]) -> Vec<f64> {
        roots.iter().fold(vec![1.0], |polynomial, root| {
            let mut next = vec![0.0; polynomial.len() + 1];
            for (i, c) in polynomial.iter().enumerate() {
                next[i + 1] += c;
                next[i] -= c * root;
            }
            next
        })
    }

    fn check(coefficients: &[f64], expected: &[f64], tolerance: f64) {
        let mut found = real_roots(coefficients);
        found.sort_by(f64::total_cmp);
        assert_eq!(found.len(), expected.len(), "{coefficients:?}: {found:?}");
        for (f, e) in found.iter().zip(expected) {
            assert!((f - e).abs() <= tolerance * (1.0 + e.abs()), "{found:?}, not {expected:?}");
        }
    }

    #[test]
    fn known_roots() {
        check(&[-6.0, 11.0, -6.0, 1.0], &[1.0, 2.0, 3.0], 1e-13);
        check(&[1.0, 0.0, 1.0], &[], 0.0);
        check(&[-2.0, 1.0, 0.0], &[2.0], 1e-15);
        check(&[0.0, -1.0, 0.0, 1.0], &[-1.0, 0.0, 1.0], 1e-15);
        check(&[-1e-12, 1e6], &[1e-18], 1e-30);
        check(&[0.0, 0.0, 0.0], &[], 0.0);
        check(&[f64::NAN, 1.0], &[], 0.0);
        check(&[1.0, f64::INFINITY], &[], 0.0);
    }

    #[test]
    fn well_separated_roots_of_degree_ten() {
        let mut random = Random::new(5);
        for _ in 0..500 {
            let roots: Vec<f64> =
                (0..10).map(|i| f64::from(i - 5) * 0.7 + 0.3 * random.uniform()).collect();
            check(&expand(&roots), &roots, 1e-7);
        }
    }
}
