use super::*;
use crate::{simd::Simd, testing::numbers};

const SIZES: Sizes = Sizes { batch: 3, channels: 5, pixels: 37 };
const EPSILON: f32 = 1e-5;

/// Numbers about a mean of 3.
fn moved(seed: u64) -> Vec<f32> {
    numbers(seed, SIZES.len()).into_iter().map(|x| x + 3.0).collect()
}

/// As the definition says, in double precision.
fn reference(x: &[f64], gamma: &[f64], beta: &[f64], shortcut: &[f32], relu: bool) -> Vec<f64> {
    let channel_of = |index: usize| index / SIZES.pixels % SIZES.channels;
    let count = (SIZES.batch * SIZES.pixels) as f64;
    let mut out = vec![0.0; x.len()];
    for channel in 0..SIZES.channels {
        let of = |f: &dyn Fn(f64) -> f64| {
            let all = x.iter().enumerate().filter(|(index, _)| channel_of(*index) == channel);
            all.map(|(_, x)| f(*x)).sum::<f64>() / count
        };
        let mean = of(&|x| x);
        let variance = of(&|x| (x - mean).powi(2));
        for (index, out) in out.iter_mut().enumerate().filter(|(i, _)| channel_of(*i) == channel) {
            let normal = (x[index] - mean) / (variance + f64::from(EPSILON)).sqrt();
            let value = normal * gamma[channel] + beta[channel];
            let value = value + f64::from(shortcut[index]);
            *out = if relu { value.max(0.0) } else { value };
        }
    }
    out
}

fn lines(statistics: &Statistics, gamma: &[f32], beta: &[f32]) -> [Vec<f32>; 2] {
    let scale: Vec<f32> =
        gamma.iter().zip(&statistics.variance).map(|(g, v)| g / (v + EPSILON).sqrt()).collect();
    let shift = beta.iter().zip(&scale).zip(&statistics.mean);
    let shift = shift.map(|((beta, scale), mean)| beta - scale * mean).collect();
    [scale, shift]
}

#[test]
fn agrees_with_the_definition_and_its_slopes() {
    let (x, gamma, beta) = (moved(1), numbers(2, SIZES.channels), numbers(3, SIZES.channels));
    let (shortcut, given) = (numbers(4, SIZES.len()), numbers(5, SIZES.len()));
    let [wide, wide_gamma, wide_beta] =
        [&x, &gamma, &beta].map(|all| all.iter().map(|x| f64::from(*x)).collect::<Vec<f64>>());
    for (simd, relu) in Simd::available().into_iter().flat_map(|s| [(s, false), (s, true)]) {
        let statistics = statistics(simd, &SIZES, &x);
        let [scale, shift] = lines(&statistics, &gamma, &beta);
        let out = apply(simd, &SIZES, &x, [&scale, &shift], Some(&shortcut), relu);
        let expected = reference(&wide, &wide_gamma, &wide_beta, &shortcut, relu);
        for (found, expected) in out.iter().zip(&expected) {
            assert!((f64::from(*found) - expected).abs() < 1e-5, "{found} for {expected}");
        }
        let rectified = relu.then_some(&out[..]);
        let known =
            Known { x: &x, rectified, statistics: &statistics, gamma: &gamma, epsilon: EPSILON };
        let gradients = backward(simd, &SIZES, &known, &given, true);
        let loss = |x: &[f64], gamma: &[f64], beta: &[f64]| {
            let out = reference(x, gamma, beta, &shortcut, relu);
            out.iter().zip(&given).map(|(out, given)| out * f64::from(*given)).sum::<f64>()
        };
        const STEP: f64 = 1e-6;
        for index in (0..x.len()).step_by(7) {
            let slope = |step: f64| {
                let mut moved = wide.clone();
                moved[index] += step;
                loss(&moved, &wide_gamma, &wide_beta)
            };
            let slope = (slope(STEP) - slope(-STEP)) / (2.0 * STEP);
            let found = f64::from(gradients.x[index]);
            assert!((found - slope).abs() < 1e-4, "x {index}: {found} for {slope}");
        }
        for channel in 0..SIZES.channels {
            let slope = |by_gamma: bool| {
                let at = |step: f64| {
                    let (mut gamma, mut beta) = (wide_gamma.clone(), wide_beta.clone());
                    if by_gamma {
                        gamma[channel] += step
                    } else {
                        beta[channel] += step
                    }
                    loss(&wide, &gamma, &beta)
                };
                (at(STEP) - at(-STEP)) / (2.0 * STEP)
            };
            for (found, slope) in
                [(gradients.gamma[channel], slope(true)), (gradients.beta[channel], slope(false))]
            {
                assert!((f64::from(found) - slope).abs() < 1e-4, "{channel}: {found} for {slope}");
            }
        }
        let masked = given.iter().zip(&out).map(|(g, out)| if *out > 0.0 { *g } else { 0.0 });
        assert_eq!(gradients.shortcut, relu.then(|| masked.collect()));
    }
}

#[test]
fn results_depend_on_neither_threads_nor_instructions() {
    let (x, given) = (moved(1), numbers(2, SIZES.len()));
    let on = |threads: usize, simd: Simd| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let statistics = statistics(simd, &SIZES, &x);
            let gamma = [1.0; SIZES.channels];
            let known = Known {
                x: &x,
                rectified: None,
                statistics: &statistics,
                gamma: &gamma,
                epsilon: EPSILON,
            };
            (statistics.clone(), backward(simd, &SIZES, &known, &given, false))
        })
    };
    assert!(on(1, Simd::portable()) == on(3, Simd::detect()));
}

#[test]
fn nan_stays_in_its_channel_and_nothing_gives_nothing() {
    let mut x = moved(1);
    x[SIZES.pixels] = f32::NAN;
    let found = statistics(Simd::detect(), &SIZES, &x);
    let nan: Vec<bool> = found.mean.iter().map(|mean| mean.is_nan()).collect();
    assert_eq!(nan, [false, true, false, false, false]);
    let line = [1.0; SIZES.channels];
    let out = apply(Simd::detect(), &SIZES, &x, [&line, &line], None, true);
    assert!(out.iter().enumerate().all(|(index, out)| out.is_nan() == (index == SIZES.pixels)));
    let none = Sizes { batch: 0, ..SIZES };
    assert!(apply(Simd::detect(), &none, &[], [&line, &line], None, true).is_empty());
}
