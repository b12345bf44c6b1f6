//! Speed of the convolution kernels, one JSON object per line of standard input:
//! `{"batch", "in", "out", "height", "width", "kernel", "stride"}` in, the same with seconds per pass out.
//! `bench/convolution/compare.py` runs it beside PyTorch.

use std::io::{BufRead, Write, stdin, stdout};
use std::time::{Duration, Instant};

use ommatidia_kernels::convolution::{Shape, forward, input_gradient, weight_gradient};
use ommatidia_kernels::simd::Simd;

/// Time spent on each figure, at least.
const AT_LEAST: Duration = Duration::from_millis(400);

fn main() {
    for line in stdin().lock().lines() {
        let line = line.expect("standard input is text");
        let shape = parse(&line);
        shape.check().expect("the script asks for shapes that exist");
        let simd = Simd::detect();
        let [input, weight, given] = [shape.len_in(), shape.len_weight(), shape.len_out()]
            .map(|count| (0..count).map(|i| (i % 17) as f32 - 8.0).collect::<Vec<_>>());
        let (mut out, mut by_input, mut by_weight) =
            (vec![0.0; given.len()], vec![0.0; input.len()], vec![0.0; weight.len()]);
        let forward_s = seconds(|| forward(simd, &shape, &input, &weight, None, &mut out));
        let input_s = seconds(|| input_gradient(simd, &shape, &given, &weight, &mut by_input));
        let weight_s = seconds(|| weight_gradient(simd, &shape, &input, &given, &mut by_weight));
        let operations = shape.operations();
        writeln!(
            stdout(),
            r#"{{"forward_s":{forward_s},"input_gradient_s":{input_s},"weight_gradient_s":{weight_s},"operations":{operations}}}"#
        )
        .expect("somebody reads the figures");
    }
}

/// The shortest of several runs, seconds.
fn seconds<E: std::fmt::Debug>(mut pass: impl FnMut() -> Result<(), E>) -> f64 {
    let (begin, mut best) = (Instant::now(), f64::INFINITY);
    let mut runs = 0;
    while runs < 3 || begin.elapsed() < AT_LEAST {
        let start = Instant::now();
        pass().expect("the shape was checked");
        best = best.min(start.elapsed().as_secs_f64());
        runs += 1;
    }
    best
}

fn parse(line: &str) -> Shape {
    let number = |key: &str| {
        let (_, rest) = line.split_once(&format!("\"{key}\":")).expect("every key is given");
        let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<usize>().expect("values are whole numbers")
    };
    let kernel = number("kernel");
    Shape {
        batch: number("batch"),
        channels_in: number("in"),
        channels_out: number("out"),
        size_in: [number("height"), number("width")],
        kernel: [kernel; 2],
        stride: [number("stride"); 2],
        padding: [kernel / 2; 2],
    }
}
