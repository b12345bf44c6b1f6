//! Bootstrap intervals from given resamples, and exchange tests.

use ommatidia_metrics::statistics::{
    BootstrapConfig, IntervalKind, PermutationConfig, interval, sign_flip_p_value,
};
use serde::Deserialize;
use serde_json::Value;

use super::{Figures, Number, parse};

#[derive(Deserialize)]
struct Input {
    values: Vec<Number>,
    /// Indices of the units of each resample, as the tool drew them.
    resamples: Vec<Vec<usize>>,
    confidence: f64,
}

pub(super) fn run(input: Value) -> Result<Figures, String> {
    let input: Input = parse(input)?;
    let values: Vec<f64> = input.values.iter().map(|Number(x)| *x).collect();
    let n = values.len() as f64;
    let mean =
        |chosen: &[usize]| chosen.iter().map(|&i| values[i]).sum::<f64>() / chosen.len() as f64;
    let all: Vec<usize> = (0..values.len()).collect();
    let resampled: Vec<f64> = input.resamples.iter().map(|chosen| mean(chosen)).collect();
    let left_out: Vec<f64> = all
        .iter()
        .map(|&out| mean(&all.iter().copied().filter(|&i| i != out).collect::<Vec<_>>()))
        .collect();
    let mut figures = Figures::new();
    for (name, kind) in [("percentile", IntervalKind::Percentile), ("bca", IntervalKind::Bca)] {
        let config = BootstrapConfig { confidence: input.confidence, kind, ..Default::default() };
        let found = interval(mean(&all), &resampled, &left_out, &config).ok_or("no interval")?;
        figures.insert(format!("{name}_low"), found.low);
        figures.insert(format!("{name}_high"), found.high);
    }
    let config = PermutationConfig { resamples: 1 << 16, seed: 1 };
    let difference = |flip: &[bool]| {
        let signed = values.iter().zip(flip).map(|(v, &flip)| if flip { -v } else { *v });
        Some(signed.sum::<f64>() / n)
    };
    let p = sign_flip_p_value(values.len(), &config, difference).ok_or("no p-value")?;
    figures.insert("permutation_p".to_owned(), p);
    Ok(figures)
}
