//! One step of training: gradients of fixed microbatches, summed along one tree, then the optimiser.

use burn::tensor::Device;
use ommatidia_model::Sample;

use crate::collective::{Collective, Tree, sum};
use crate::flat::Layout;
use crate::learner::Learner;
use crate::optimiser::{self, Moments, OptimiserConfig};
use crate::{Error, Weights};

/// What a step was like, over all ranks.
#[derive(Debug, Clone, PartialEq)]
pub struct StepReport {
    /// Mean loss of the microbatches.
    pub loss: f64,
    /// Its parts by name.
    pub parts: Vec<(String, f64)>,
    /// Length of the gradient before it was shortened.
    pub gradient: f64,
}

/// The gradient of a batch, before anything was changed by it.
#[derive(Debug)]
pub struct Gradient {
    /// Mean gradient, and running statistics after the batch, in the network's layout.
    row: Vec<f32>,
    /// Names of the parts of the loss.
    names: Vec<String>,
    /// Total and parts of the loss.
    values: Vec<f64>,
}

impl Gradient {
    /// Mean loss.
    pub fn loss(&self) -> f64 {
        self.values[0]
    }

    /// Sum of the parts of the loss: not weighed, so never below zero.
    pub fn parts(&self) -> f64 {
        self.values[1..].iter().sum()
    }

    /// Everything is a number.
    pub fn is_finite(&self) -> bool {
        self.values[0].is_finite() && self.row.iter().all(|value| value.is_finite())
    }
}

/// Takes the gradient of this rank's microbatches and joins it with the other ranks'. The network keeps its
/// weights, and its running statistics are what they were: every microbatch begins with the same ones.
///
/// # Errors
/// [`Error::Network`]; [`Error::Ranks`].
pub fn gradient<L: Learner>(
    network: &mut L,
    (layout, weights, device): (&Layout, &Weights, &Device),
    batches: &[Vec<Sample>],
    ranks: &mut dyn Collective,
) -> Result<Gradient, Error> {
    let mut tree = Tree::default();
    let mut names = Vec::new();
    for batch in batches {
        let loss = network.loss(batch, device)?;
        let mut gradients = loss.total.backward();
        let mut row = layout.gradients(network, &mut gradients);
        // A network that was made valid holds the statistics after this batch.
        let after = layout.gather(&network.valid());
        for slot in layout.slots().iter().filter(|slot| !slot.trained) {
            row[slot.range()].copy_from_slice(&after[slot.range()]);
        }
        row.push(loss.total.into_scalar::<f32>());
        names.clear();
        for (name, value) in loss.parts {
            names.push(name);
            row.push(value.into_scalar::<f32>());
        }
        tree.push(row);
        *network = layout.scatter_kept(network.clone(), &weights.now);
    }
    let mut row = sum(ranks, tree.finish())?;
    let count = (batches.len() * ranks.size()) as f32;
    // A power of two: dividing by it loses no bit.
    row.iter_mut().for_each(|value| *value /= count);
    let values = row.split_off(layout.len()).into_iter().map(f64::from).collect();
    Ok(Gradient { row, names, values })
}

/// Changes weights and their average by a gradient. `step` counts from 0.
pub fn apply(
    (config, layout, average_decay): (&OptimiserConfig, &Layout, f64),
    (step, rate): (u64, f64),
    gradient: Gradient,
    weights: &mut Weights,
    moments: &mut Moments,
) -> StepReport {
    let Gradient { mut row, names, values } = gradient;
    for slot in layout.slots().iter().filter(|slot| !slot.trained) {
        // Statistics are taken over as they are, and are no part of the gradient.
        weights.now[slot.range()].copy_from_slice(&row[slot.range()]);
        row[slot.range()].fill(0.0);
    }
    let length =
        optimiser::step((config, layout), (step + 1, rate), &row, &mut weights.now, moments);
    optimiser::average(&weights.now, &mut weights.average, average_decay, step);
    let parts = names.into_iter().zip(values[1..].iter().copied()).collect();
    StepReport { loss: values[0], parts, gradient: length }
}
