use proptest::prelude::*;

use super::*;
use crate::{
    simd::Simd,
    testing::{close, numbers},
};

struct Case {
    sizes: Sizes,
    rows: Vec<f32>,
    index: Vec<i32>,
    weights: Vec<f32>,
    given: Vec<f32>,
}

fn case(sizes: Sizes) -> Case {
    let (rows, given) = (numbers(7, sizes.len_rows()), numbers(8, sizes.len_out()));
    let last = sizes.rows as i32 - 1;
    let row = |x: f32| (((x + 1.0) / 2.0 * sizes.rows as f32) as i32).min(last);
    let index = numbers(9, sizes.len_table()).into_iter().map(row).collect();
    Case { sizes, rows, index, weights: numbers(10, sizes.len_table()), given }
}

fn check_against_reference(sizes: Sizes) {
    let Case { sizes, rows, index, weights, given } = case(sizes);
    for simd in Simd::available() {
        let out = forward(simd, &sizes, &rows, &index, &weights).unwrap();
        close("sums", &out, &reference::forward(&sizes, &rows, &index, &weights), 1e-5);
        let found = gradients(simd, &sizes, &rows, &index, &weights, &given).unwrap();
        let expected = reference::gradients(&sizes, &rows, &index, &weights, &given);
        close("by the rows", &found[0], &expected[0], 1e-5);
        close("by the weights", &found[1], &expected[1], 1e-5);
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
