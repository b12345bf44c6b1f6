use proptest::prelude::*;

use super::*;
use crate::simd::Simd;

struct Case {
    sizes: Sizes,
    rows: Vec<f32>,
    index: Vec<i32>,
    weights: Vec<f32>,
    given: Vec<f32>,
}

fn case(sizes: Sizes) -> Case {
    let mut state = 7_u64;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    };
    let mut numbers = |count: usize| (0..count).map(|_| next()).collect::<Vec<f32>>();
    let (rows, given) = (numbers(sizes.len_rows()), numbers(sizes.len_out()));
    let index = numbers(sizes.len_table());
    let index = index.iter().map(|x| ((x + 1.0) / 2.0 * sizes.rows as f32) as i32);
    let index = index.map(|row| row.min(sizes.rows as i32 - 1)).collect();
    Case { sizes, rows, index, weights: numbers(sizes.len_table()), given }
}

fn close(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let slack = 1e-5 * (1.0 + expected.abs());
        assert!((found - expected).abs() <= slack, "{what}[{index}]: {found} for {expected}");
    }
}

fn check_against_reference(sizes: Sizes) {
    let Case { sizes, rows, index, weights, given } = case(sizes);
    for simd in Simd::available() {
        let out = forward(simd, &sizes, &rows, &index, &weights).unwrap();
        close("sums", &out, &reference::forward(&sizes, &rows, &index, &weights));
        let found = gradients(simd, &sizes, &rows, &index, &weights, &given).unwrap();
        let expected = reference::gradients(&sizes, &rows, &index, &weights, &given);
        close("by the rows", &found[0], &expected[0]);
        close("by the weights", &found[1], &expected[1]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_table_agrees_with_the_definition(
        batch in 1_usize..3, rows in 1_usize..40, channels in 1_usize..40, outputs in 1_usize..40,
        taps in 1_usize..9,
    ) {
        check_against_reference(Sizes { batch, rows, channels, outputs, taps });
    }
}

const SMALL: Sizes = Sizes { batch: 2, rows: 5, channels: 3, outputs: 7, taps: 4 };

#[test]
fn gradients_are_the_slopes_of_the_sums() {
    let Case { sizes, rows, index, weights, given } = case(SMALL);
    let loss = |rows: &[f32], weights: &[f32]| {
        let out = forward(Simd::detect(), &sizes, rows, &index, weights).unwrap();
        out.iter().zip(&given).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>()
    };
    let [by_rows, by_weights] =
        gradients(Simd::detect(), &sizes, &rows, &index, &weights, &given).unwrap();
    const STEP: f32 = 0.25;
    let slope = |values: &[f32], at: usize, loss: &dyn Fn(&[f32]) -> f64| {
        let moved = |step: f32| {
            let mut values = values.to_vec();
            values[at] += step;
            loss(&values)
        };
        (moved(STEP) - moved(-STEP)) / f64::from(2.0 * STEP)
    };
    for (at, found) in by_rows.iter().enumerate() {
        let slope = slope(&rows, at, &|rows| loss(rows, &weights));
        assert!((f64::from(*found) - slope).abs() < 1e-5, "row {at}: {found}, slope {slope}");
    }
    for (at, found) in by_weights.iter().enumerate() {
        let slope = slope(&weights, at, &|weights| loss(&rows, weights));
        assert!((f64::from(*found) - slope).abs() < 1e-5, "weight {at}: {found}, slope {slope}");
    }
}

#[test]
fn results_do_not_depend_on_threads() {
    let wide = Sizes { batch: 2, rows: 700, channels: 16, outputs: 3000, taps: 4 };
    let Case { sizes, rows, index, weights, given } = case(wide);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let run = || gradients(Simd::detect(), &sizes, &rows, &index, &weights, &given).unwrap();
        pool.install(run)
    };
    assert!(on(1) == on(3));
}

#[test]
fn nan_reaches_only_those_who_look_and_nothing_gives_nothing() {
    let sizes = Sizes { batch: 1, rows: 2, channels: 2, outputs: 2, taps: 1 };
    let rows = [f32::NAN, 1.0, 2.0, 3.0];
    let out = forward(Simd::detect(), &sizes, &rows, &[0, 1], &[1.0, 1.0]).unwrap();
    assert!(out[0].is_nan() && out[1..] == [1.0, 2.0, 3.0]);
    let none = Sizes { outputs: 0, ..sizes };
    assert!(forward(Simd::detect(), &none, &rows, &[], &[]).unwrap().is_empty());
}

#[test]
fn tables_that_do_not_fit_are_refused() {
    let Case { sizes, rows, mut index, weights, .. } = case(SMALL);
    index[3] = 5;
    let error = forward(Simd::detect(), &sizes, &rows, &index, &weights).unwrap_err();
    assert_eq!(error.to_string(), "look-up: entry 3 of the table is row 5; there are 5");
    index[3] = -1;
    assert!(forward(Simd::detect(), &sizes, &rows, &index, &weights).is_err());
    let error = forward(Simd::detect(), &sizes, &rows, &index[1..], &weights).unwrap_err();
    assert!(error.to_string().contains("the index holds 55"), "{error}");
}
