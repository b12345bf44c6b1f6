//! Polynomials of one variable, coefficients from the constant term up.

/// Bisection halves an interval this often: past the resolution of f64.
const BISECTIONS: usize = 80;

/// Value at `x`, by Horner's rule.
#[inline]
pub(super) fn value(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, c| sum * x + c)
}

/// The derivative's coefficients.
pub(super) fn derivative(coefficients: &[f64]) -> Vec<f64> {
    coefficients.iter().enumerate().skip(1).map(|(power, c)| power as f64 * c).collect()
}

/// The product's coefficients.
pub(super) fn product(a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut product = vec![0.0; a.len() + b.len() - 1];
    for (i, a) in a.iter().enumerate() {
        for (j, b) in b.iter().enumerate() {
            product[i + j] += a * b;
        }
    }
    product
}

/// The sum's coefficients.
pub(super) fn sum(a: &[f64], b: &[f64]) -> Vec<f64> {
    let at = |c: &[f64], i: usize| c.get(i).copied().unwrap_or(0.0);
    (0..a.len().max(b.len())).map(|i| at(a, i) + at(b, i)).collect()
}

/// `p(x^2)` for `p(x)`.
pub(super) fn of_square(coefficients: &[f64]) -> Vec<f64> {
    let mut spread = vec![0.0; 2 * coefficients.len() - 1];
    for (i, c) in coefficients.iter().enumerate() {
        spread[2 * i] = *c;
    }
    spread
}

/// Where the polynomial changes sign in `(0, upper)`, ascending. Between two neighbouring roots of
/// the derivative it is monotonic, so each sign change between them is one root.
pub(super) fn sign_changes(coefficients: &[f64], upper: f64) -> Vec<f64> {
    // Without leading zeros; a constant never changes sign.
    let Some(degree) = coefficients.iter().rposition(|c| *c != 0.0).filter(|d| *d > 0) else {
        return Vec::new();
    };
    let coefficients = &coefficients[..=degree];
    let mut ends = sign_changes(&derivative(coefficients), upper);
    ends.insert(0, 0.0);
    ends.push(upper);
    ends.windows(2).filter_map(|ends| bisect(coefficients, ends[0], ends[1])).collect()
}

fn bisect(coefficients: &[f64], mut low: f64, mut high: f64) -> Option<f64> {
    let rises = value(coefficients, low) < 0.0;
    if rises == (value(coefficients, high) < 0.0) {
        return None;
    }
    for _ in 0..BISECTIONS {
        let middle = 0.5 * (low + high);
        if (value(coefficients, middle) < 0.0) == rises {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(0.5 * (low + high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sign_changes_are_the_odd_roots_in_the_interval() {
        let check = |coefficients: &[f64], upper: f64, expected: &[f64]| {
            let found = sign_changes(coefficients, upper);
            assert_eq!(found.len(), expected.len(), "{coefficients:?}: {found:?}");
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
            }
        };
        check(&[1.0], 10.0, &[]);
        check(&[], 10.0, &[]);
        check(&[-2.0, 1.0, 0.0, 0.0], 10.0, &[2.0]);
        check(&[-2.0, 1.0], 1.0, &[]);
        // (x - 1)(x - 2)(x - 3) and (x - 1)^2, which only touches.
        check(&[-6.0, 11.0, -6.0, 1.0], 10.0, &[1.0, 2.0, 3.0]);
        check(&[1.0, -2.0, 1.0], 10.0, &[]);
        check(&[f64::NAN, 1.0], 10.0, &[]);
    }

    #[test]
    fn arithmetic_agrees_with_values() {
        let (a, b) = ([1.0, -2.0, 0.5], [3.0, 1.0]);
        for x in [-1.5, 0.0, 0.3, 2.0] {
            let (at_a, at_b) = (value(&a, x), value(&b, x));
            assert!((value(&product(&a, &b), x) - at_a * at_b).abs() < 1e-12);
            assert!((value(&sum(&a, &b), x) - (at_a + at_b)).abs() < 1e-12);
            assert!((value(&of_square(&a), x) - value(&a, x * x)).abs() < 1e-12);
        }
    }
}
