use proptest::prelude::*;

use super::*;
use crate::{
    simd::Simd,
    testing::{close, numbers},
};

/// All three passes against the reference, with every instruction set.
fn check(shape: &Shape) {
    let (input, weight) = (numbers(1, shape.len_in()), numbers(2, shape.len_weight()));
    let given = numbers(3, shape.len_out());
    let bias = numbers(4, shape.channels_out);
    let mut expected = reference::forward(shape, &input, &weight);
    let [height, width] = shape.size_out();
    for (index, value) in expected.iter_mut().enumerate() {
        *value += bias[index / (height * width) % shape.channels_out];
    }
    for simd in Simd::available() {
        let mut out = vec![f32::NAN; shape.len_out()];
        forward(simd, shape, &input, &weight, Some(&bias), &mut out).unwrap();
        close("output", &out, &expected, 2e-5);
        let mut gradient = vec![f32::NAN; shape.len_in()];
        input_gradient(simd, shape, &given, &weight, &mut gradient).unwrap();
        close("by the input", &gradient, &reference::input_gradient(shape, &given, &weight), 2e-5);
        let mut gradient = vec![f32::NAN; shape.len_weight()];
        weight_gradient(simd, shape, &input, &given, &mut gradient).unwrap();
        close("by the weight", &gradient, &reference::weight_gradient(shape, &input, &given), 2e-5);
    }
}

fn shape() -> impl Strategy<Value = Shape> {
    let side = || (1_usize..20, 1_usize..5, 1_usize..4, 0_usize..3);
    let fits = |(size, kernel, stride, padding): (usize, usize, usize, usize)| {
        let kernel = kernel.min(size);
        (size, kernel, stride, padding.min(kernel - 1))
    };
    (1_usize..3, 1_usize..40, 1_usize..40, side().prop_map(fits), side().prop_map(fits)).prop_map(
        |(batch, channels_in, channels_out, y, x)| Shape {
            batch,
            channels_in,
            channels_out,
            size_in: [y.0, x.0],
            kernel: [y.1, x.1],
            stride: [y.2, x.2],
            padding: [y.3, x.3],
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_shape_agrees_with_the_definition(shape in shape()) {
        check(&shape);
    }
}

/// The input fills whole runs of pixels, and the taps still reach beyond its end.
#[test]
fn taps_at_the_end_of_whole_runs() {
    let shape = Shape { batch: 1, channels_in: 2, channels_out: 3, size_in: [4, 4], ..TYPICAL };
    check(&Shape { kernel: [3, 3], stride: [1, 1], padding: [0, 0], ..shape });
    check(&Shape { kernel: [3, 3], stride: [1, 1], padding: [2, 2], ..shape });
}

const TYPICAL: Shape = Shape {
    batch: 2,
    channels_in: 24,
    channels_out: 40,
    size_in: [17, 30],
    kernel: [3, 3],
    stride: [2, 2],
    padding: [1, 1],
};

#[test]
fn gradients_are_the_slopes_of_the_output() {
    let shape = Shape { batch: 1, channels_in: 3, channels_out: 5, size_in: [6, 7], ..TYPICAL };
    let (input, weight) = (numbers(1, shape.len_in()), numbers(2, shape.len_weight()));
    let given = numbers(3, shape.len_out());
    let loss = |input: &[f32], weight: &[f32]| {
        let mut out = vec![0.0; shape.len_out()];
        forward(Simd::detect(), &shape, input, weight, None, &mut out).unwrap();
        out.iter().zip(&given).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>()
    };
    const STEP: f32 = 0.25;
    let slope = |values: &[f32], index: usize, loss: &dyn Fn(&[f32]) -> f64| {
        let moved = |step: f32| {
            let mut values = values.to_vec();
            values[index] += step;
            loss(&values)
        };
        (moved(STEP) - moved(-STEP)) / f64::from(2.0 * STEP)
    };
    let mut gradient = vec![0.0; shape.len_in()];
    input_gradient(Simd::detect(), &shape, &given, &weight, &mut gradient).unwrap();
    for (index, &gradient) in gradient.iter().enumerate() {
        let slope = slope(&input, index, &|input| loss(input, &weight));
        assert!((slope - f64::from(gradient)).abs() < 1e-4, "{index}: {gradient}, slope {slope}");
    }
    let mut gradient = vec![0.0; shape.len_weight()];
    weight_gradient(Simd::detect(), &shape, &input, &given, &mut gradient).unwrap();
    for (index, &gradient) in gradient.iter().enumerate() {
        let slope = slope(&weight, index, &|weight| loss(&input, weight));
        assert!((slope - f64::from(gradient)).abs() < 1e-4, "{index}: {gradient}, slope {slope}");
    }
}

#[test]
fn results_do_not_depend_on_threads() {
    let (input, weight) = (numbers(1, TYPICAL.len_in()), numbers(2, TYPICAL.len_weight()));
    let given = numbers(3, TYPICAL.len_out());
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut results =
                [TYPICAL.len_out(), TYPICAL.len_in(), TYPICAL.len_weight()].map(|n| vec![0.0; n]);
            let [out, by_input, by_weight] = &mut results;
            forward(Simd::detect(), &TYPICAL, &input, &weight, None, out).unwrap();
            input_gradient(Simd::detect(), &TYPICAL, &given, &weight, by_input).unwrap();
            weight_gradient(Simd::detect(), &TYPICAL, &input, &given, by_weight).unwrap();
            results
        })
    };
    assert!(on(1) == on(3));
}

#[test]
fn nan_stays_where_its_pixel_is_seen() {
    let shape = Shape { batch: 1, stride: [1, 1], ..TYPICAL };
    let mut input = numbers(1, shape.len_in());
    input[5 * 30 + 9] = f32::NAN;
    let weight = numbers(2, shape.len_weight());
    let mut out = vec![0.0; shape.len_out()];
    forward(Simd::detect(), &shape, &input, &weight, None, &mut out).unwrap();
    for (index, value) in out.iter().enumerate() {
        let (y, x) = (index / 30 % 17, index % 30);
        assert_eq!(value.is_nan(), y.abs_diff(5) <= 1 && x.abs_diff(9) <= 1, "{y}, {x}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let refused = |shape: Shape, words: &str| {
        let error = shape.check().unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    refused(Shape { batch: 0, ..TYPICAL }, "batch is 0");
    refused(Shape { stride: [1, 0], ..TYPICAL }, "horizontal stride is 0");
    refused(Shape { kernel: [40, 3], ..TYPICAL }, "40 taps over 19");
    refused(Shape { padding: [3, 1], ..TYPICAL }, "a padding of 3");
    refused(Shape { channels_in: usize::MAX, ..TYPICAL }, "input channels");
    let mut out = vec![0.0; TYPICAL.len_out()];
    let weight = numbers(2, TYPICAL.len_weight());
    let error = forward(Simd::detect(), &TYPICAL, &[0.0; 3], &weight, None, &mut out).unwrap_err();
    assert!(error.to_string().contains("the input holds 3"), "{error}");
}
