//! Stereo kernels on KITTI-sized noise, with every instruction set of this processor. Items are pixels
//! times disparities, or pixels.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use ommatidia_kernels::simd::Simd;
use ommatidia_kernels::stereo::census::census;
use ommatidia_kernels::stereo::{Matcher, SgmConfig, median_3x3, remove_speckles};
use ommatidia_scene::GrayImage;

const WIDTH: usize = 1241;
const HEIGHT: usize = 376;

fn main() {
    divan::main();
}

/// The same pixels on every run: a multiplicative hash of the index.
fn noise(offset: usize) -> GrayImage {
    let pixel = |i: usize| ((i + offset).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8;
    GrayImage::new(WIDTH, HEIGHT, (0..WIDTH * HEIGHT).map(pixel).collect())
}

#[divan::bench(args = Simd::available(), consts = [64, 128, 192])]
fn semi_global<const DISPARITIES: usize>(bencher: Bencher<'_, '_>, simd: &Simd) {
    let (left, right) = (noise(40), noise(0));
    let config = SgmConfig::for_range(DISPARITIES);
    let mut matcher = Matcher::default();
    bencher
        .counter(ItemsCount::new(WIDTH * HEIGHT * DISPARITIES))
        .bench_local(|| matcher.compute(*simd, black_box(&left), black_box(&right), &config));
}

#[divan::bench(args = Simd::available())]
fn census_9x7(bencher: Bencher<'_, '_>, simd: &Simd) {
    let (image, mut words) = (noise(0), Vec::new());
    bencher
        .counter(ItemsCount::new(WIDTH * HEIGHT))
        .bench_local(|| census(*simd, black_box(&image), &mut words));
}

#[divan::bench(args = Simd::available())]
fn median(bencher: Bencher<'_, '_>, simd: &Simd) {
    let values: Vec<u16> = noise(0).data.iter().map(|&v| u16::from(v) << 8).collect();
    let mut out = Vec::new();
    bencher
        .counter(ItemsCount::new(WIDTH * HEIGHT))
        .bench_local(|| median_3x3(*simd, black_box(&values), WIDTH, &mut out));
}

#[divan::bench]
fn speckles(bencher: Bencher<'_, '_>) {
    let values: Vec<u16> = noise(0).data.iter().map(|&v| u16::from(v >> 5) << 8).collect();
    bencher
        .counter(ItemsCount::new(WIDTH * HEIGHT))
        .with_inputs(|| values.clone())
        .bench_local_values(|mut values| remove_speckles(&mut values, WIDTH, 256, 200));
}
