//! Lanes as a graph, point after point.
//!
//! An autoregressive decoder that reads the space: each step is a point of a lane in its cell, told apart as a
//! start, a further point, or an end that leads into the lanes starting there. Lu et al. 2023 (RoadNet
//! Transformer), section 3 serialise road networks alike; greedy decoding.

mod tokens;

use burn::{
    module::{Module, Param},
    nn::{
        Embedding, EmbeddingConfig, Linear, LinearConfig,
        attention::generate_autoregressive_mask,
        transformer::{TransformerDecoder, TransformerDecoderConfig, TransformerDecoderInput},
    },
    tensor::{
        Device, Distribution, Int, Tensor, TensorData, module::avg_pool2d, ops::AvgPoolOptions,
    },
};
use ommatidia_scene::{GridSpec, LaneGraph, VectorSpace};
use serde::{Deserialize, Serialize};

use self::tokens::{KINDS, Kind, Step, graph, steps};
use super::{
    blocks::Block,
    lanes,
    priors::{Kept, most_typical},
};
use crate::{
    Sample,
    losses::{labels::Labels, lovasz::VOID},
    task::{Features, Output, Reads, Shapes, Task, TaskError, named},
};

/// Settings of [`LaneGraphs`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LaneGraphSettings {
    /// Channels of the decoder.
    pub width: usize,
    /// Layers of the decoder.
    pub layers: usize,
    /// Heads of its attention; divides `width`.
    pub heads: usize,
    /// The space is pooled by this before the decoder reads it.
    pub pool: usize,
    /// Distance between points of a lane, metres.
    pub spacing_m: f32,
    /// Most points of a moment.
    pub max_steps: usize,
}

impl Default for LaneGraphSettings {
    /// Ours: a decoder small enough for two cores.
    fn default() -> Self {
        Self { width: 96, layers: 2, heads: 4, pool: 4, spacing_m: 4.0, max_steps: 128 }
    }
}

/// A transformer that says one point after another.
#[derive(Module, Debug)]
pub struct LaneGraphs {
    encode: Block,
    place: Param<Tensor<4>>,
    kinds: Embedding,
    columns: Embedding,
    rows: Embedding,
    order: Embedding,
    decoder: TransformerDecoder,
    to_kind: Linear,
    to_column: Linear,
    to_row: Linear,
    #[module(skip)]
    grid: GridSpec,
    #[module(skip)]
    settings: LaneGraphSettings,
}

/// True sequences.
#[derive(Debug, Clone)]
pub struct LaneGraphTargets {
    /// Kind, x and y of the steps before each, `[batch, steps]`.
    before: [Tensor<2, Int>; 3],
    /// What each step is, `[batch, steps, 1]`.
    labels: [Labels; 3],
}

impl LaneGraphs {
    fn cells(&self) -> [usize; 2] {
        [self.grid.size[0] as usize, self.grid.size[1] as usize]
    }

    /// Kind, x and y numbers of what was said before each of `count` steps: first that nothing was.
    fn before(&self, steps: &[Step], count: usize) -> [Vec<i32>; 3] {
        let [nx, ny] = self.cells();
        let mut numbers = [vec![KINDS as i32], vec![nx as i32], vec![ny as i32]];
        for step in steps.iter().take(count - 1) {
            numbers[0].push(step.kind as i32);
            numbers[1].push(step.cell[0] as i32);
            numbers[2].push(step.cell[1] as i32);
        }
        numbers.map(|mut numbers| {
            numbers.resize(count, 0);
            numbers
        })
    }

    /// Logits of kind, x and y of each step, `[batch, classes, steps, 1]`, from the memory and what came before.
    fn logits(&self, memory: Tensor<4>, before: &[Tensor<2, Int>; 3]) -> [Tensor<4>; 3] {
        let [batch, steps] = before[0].dims();
        let device = memory.device();
        let order = Tensor::<1, Int>::arange(0..steps as i64, &device).unsqueeze::<2>();
        let target = self.kinds.forward(before[0].clone())
            + self.columns.forward(before[1].clone())
            + self.rows.forward(before[2].clone())
            + self.order.forward(order);
        let memory = memory.flatten::<3>(2, 3).swap_dims(1, 2);
        let mask = generate_autoregressive_mask(batch, steps, &device);
        let input = TransformerDecoderInput::new(target, memory).target_mask_attn(mask);
        let states = self.decoder.forward(input);
        [&self.to_kind, &self.to_column, &self.to_row]
            .map(|layer| layer.forward(states.clone()).swap_dims(1, 2).unsqueeze_dim::<4>(3))
    }

    /// Says the sequences of a batch, the likeliest step each time.
    fn say(&self, memory: &Tensor<4>) -> Vec<Vec<Step>> {
        let batch = memory.dims()[0];
        let mut said: Vec<Vec<Step>> = vec![Vec::new(); batch];
        let ended = |steps: &Vec<Step>| steps.last().is_some_and(|step| step.kind == Kind::End);
        for count in 1..=self.settings.max_steps {
            let numbers: Vec<_> = said.iter().map(|steps| self.before(steps, count)).collect();
            let before = [0, 1, 2].map(|i| {
                let all: Vec<i32> = numbers.iter().flat_map(|n| n[i].iter().copied()).collect();
                Tensor::from_data(TensorData::new(all, [batch, count]), &memory.device())
            });
            let best = self.logits(memory.clone(), &before).map(|logits| {
                let best = logits.narrow(2, count - 1, 1).argmax(1).into_data().convert::<i64>();
                best.as_slice::<i64>().expect("converted to i64").to_vec()
            });
            for (i, steps) in said.iter_mut().enumerate().filter(|(_, steps)| !ended(steps)) {
                let cell = [best[1][i] as usize, best[2][i] as usize];
                steps.push(Step { kind: Kind::of(best[0][i] as usize), cell });
            }
            if said.iter().all(ended) {
                break;
            }
        }
        said
    }
}

impl Task for LaneGraphs {
    type Settings = LaneGraphSettings;
    type Targets = LaneGraphTargets;
    const NAME: &'static str = "lane_graphs";
    const READS: Reads = Reads::Space;
    type Tally = Kept;

    fn new(
        settings: &LaneGraphSettings,
        shapes: &Shapes,
        device: &Device,
    ) -> Result<Self, TaskError> {
        let fail = |what: String| Err(TaskError::Setting { task: Self::NAME, what });
        let space = shapes.space_for(Self::NAME)?;
        let [nx, ny] = [space.grid.size[0] as usize, space.grid.size[1] as usize];
        let LaneGraphSettings { width, layers, heads, pool, spacing_m, max_steps } = *settings;
        if nx.max(ny) > 255 {
            return fail(format!("a grid of {nx} x {ny} cells; sequences tell 255 apart"));
        }
        if width == 0 || layers == 0 || heads == 0 || width % heads != 0 {
            return fail(format!(
                "width {width}, {layers} layers, {heads} heads; heads must divide width"
            ));
        }
        if pool == 0
            || pool > nx.min(ny)
            || max_steps < 2
            || spacing_m <= 0.0
            || !spacing_m.is_finite()
        {
            return fail(
                "give a pool from 1 to the grid's size, spacing_m above 0 and 2 steps or more"
                    .into(),
            );
        }
        let linear = |outputs: usize| LinearConfig::new(width, outputs).init(device);
        let embedding = |count: usize| EmbeddingConfig::new(count, width).init(device);
        let decoder = TransformerDecoderConfig::new(width, 4 * width, heads, layers);
        let place = [1, width, nx / pool, ny / pool];
        Ok(Self {
            encode: Block::new([space.channels, width], 3, device),
            place: Param::from_tensor(Tensor::random(
                place,
                Distribution::Normal(0.0, 0.1),
                device,
            )),
            kinds: embedding(KINDS + 1),
            columns: embedding(nx + 1),
            rows: embedding(ny + 1),
            order: embedding(max_steps),
            decoder: decoder.with_dropout(0.0).with_norm_first(true).init(device),
            to_kind: linear(KINDS),
            to_column: linear(nx),
            to_row: linear(ny),
            grid: space.grid,
            settings: settings.clone(),
        })
    }

    fn forward(&self, features: &Features) -> Output {
        let space = features.space.clone().expect("heads of space run with the space");
        let pool = self.settings.pool;
        let options = AvgPoolOptions::new([pool, pool]).with_stride([pool, pool]);
        let memory = avg_pool2d(self.encode.forward(space), options) + self.place.val();
        vec![("lane_graph_memory", memory)]
    }

    fn targets(&self, samples: &[Sample], device: &Device) -> LaneGraphTargets {
        let of = |sample: &Sample| {
            let graph = sample.present().truth.lanes.as_ref();
            let LaneGraphSettings { spacing_m, max_steps, .. } = self.settings;
            graph.map_or_else(Vec::new, |graph| steps(graph, &self.grid, spacing_m, max_steps))
        };
        let all: Vec<_> = samples.iter().map(of).collect();
        let count = all.iter().map(Vec::len).max().unwrap_or_default().max(1);
        let before: Vec<_> = all.iter().map(|steps| self.before(steps, count)).collect();
        let before = [0, 1, 2].map(|i| {
            let numbers: Vec<i32> = before.iter().flat_map(|n| n[i].iter().copied()).collect();
            Tensor::from_data(TensorData::new(numbers, [samples.len(), count]), device)
        });
        let labels = [0, 1, 2].map(|i| {
            let label = |step: &Step| match (i, step.kind) {
                (0, kind) => kind as u8,
                (_, Kind::End) => VOID,
                (axis, _) => step.cell[axis - 1] as u8,
            };
            let mut host = Vec::new();
            for (sample, steps) in all.iter().enumerate() {
                host.extend(steps.iter().map(label));
                host.resize((sample + 1) * count, VOID);
            }
            Labels::new(host, [samples.len(), count, 1], device)
        });
        LaneGraphTargets { before, labels }
    }

    fn loss(&self, output: &Output, targets: &LaneGraphTargets) -> Tensor<1> {
        let logits = self.logits(named(output, "lane_graph_memory"), &targets.before);
        let losses = logits.into_iter().zip(&targets.labels).map(|(logits, labels)| {
            let classes = logits.dims()[1];
            labels.cross_entropy(logits, &vec![1.0; classes])
        });
        losses.reduce(|sum, loss| sum + loss).expect("three losses")
    }

    fn decode(&self, output: &Output, samples: &[Sample], into: &mut [VectorSpace]) {
        let memory = named(output, "lane_graph_memory").without_autodiff();
        assert_eq!(memory.dims()[0], samples.len(), "an output per sample");
        for (steps, space) in self.valid().say(&memory).iter().zip(into) {
            space.lanes = Some(graph(steps, &self.grid));
        }
    }

    fn tally(&self) -> Kept {
        Kept::default()
    }

    fn count(&self, kept: &mut Kept, predicted: &[VectorSpace], truth: &[VectorSpace]) {
        kept.add(predicted, truth, |space, own| self.excerpt(space, own));
    }

    fn figures(&self, kept: &Kept) -> Vec<(String, f64)> {
        lanes::score::scores(&kept.predicted, &kept.truth, &self.grid)
    }

    fn excerpt(&self, truth: &VectorSpace, into: &mut VectorSpace) {
        into.lanes = truth.lanes.clone();
    }

    /// Nothing, and the graph of the training set that is most like the others.
    fn baselines(&self, training: &[VectorSpace]) -> Vec<(&'static str, VectorSpace)> {
        let with = |lanes| VectorSpace { lanes: Some(lanes), ..VectorSpace::default() };
        let known: Vec<VectorSpace> =
            training.iter().filter_map(|space| space.lanes.clone()).map(with).collect();
        let typical = most_typical(&known, |said, truth| {
            let scores = self.scores(std::slice::from_ref(said), std::slice::from_ref(truth));
            scores.first().map_or(0.0, |score| score.1)
        });
        let typical = typical.cloned().unwrap_or_else(|| with(LaneGraph::default()));
        vec![("always_empty", with(LaneGraph::default())), ("typical_graph", typical)]
    }
}

#[cfg(test)]
mod tests {
    use ommatidia_scene::Lane;

    use super::*;
    use crate::tasks::testing::{check_overfits_at, sample_with, space_shapes};

    const GRID: GridSpec =
        GridSpec { min_corner_m: [-12.0, -8.0, -1.0], voxel_m: 0.8, size: [30, 20, 2] };

    fn settings() -> LaneGraphSettings {
        LaneGraphSettings { width: 32, layers: 1, max_steps: 40, ..LaneGraphSettings::default() }
    }

    fn lane(id: u64, [a, b]: [[f32; 2]; 2], successors: &[u64]) -> Lane {
        let centreline_m = vec![[a[0], a[1], 0.0], [b[0], b[1], 0.0]];
        Lane { id, centreline_m, successors: successors.to_vec(), ..Lane::default() }
    }

    /// A road that forks, and one that comes in from outside.
    fn fork() -> VectorSpace {
        let lanes = vec![
            lane(3, [[-11.0, 0.0], [0.0, 0.0]], &[4, 5]),
            lane(4, [[0.0, 0.0], [11.0, 5.0]], &[]),
            lane(5, [[0.0, 0.0], [11.0, -6.0]], &[77]),
            lane(6, [[-5.0, -30.0], [-5.0, 7.0]], &[]),
        ];
        VectorSpace {
            lanes: Some(LaneGraph { lanes, crossings: Vec::new() }),
            ..VectorSpace::default()
        }
    }

    #[test]
    fn sequences_come_back_as_the_graph() {
        let truth = fork();
        let sequence = steps(truth.lanes.as_ref().unwrap(), &GRID, 3.0, 100);
        let back = graph(&sequence, &GRID);
        assert_eq!(back.lanes.len(), 4);
        let leads: Vec<_> = back.lanes.iter().map(|lane| lane.successors.len()).collect();
        // The nearest start first: both branches, then what leads into them.
        let join = back.lanes.iter().find(|lane| !lane.successors.is_empty()).unwrap();
        assert_eq!(join.successors, [1, 2], "{leads:?}");
        let predicted = VectorSpace { lanes: Some(back), ..VectorSpace::default() };
        let scores = lanes::score::scores(&[predicted], &[truth], &GRID);
        assert!(scores[0].1 > 0.97, "{scores:?}");
    }

    #[test]
    fn what_does_not_fit_is_left_out_from_afar() {
        let truth = fork();
        let sequence = steps(truth.lanes.as_ref().unwrap(), &GRID, 3.0, 12);
        assert!(sequence.len() <= 12);
        assert_eq!(sequence[sequence.len() - 1].kind, Kind::End);
        let kept = graph(&sequence, &GRID);
        assert!(kept.lanes.len() == 2, "{kept:?}");
    }

    #[test]
    fn unknown_lanes_cost_nothing() {
        let device = Device::flex();
        let head = LaneGraphs::new(&settings(), &space_shapes(GRID), &device).unwrap();
        let unknown = sample_with(&[], [0, 0], VectorSpace::default());
        let targets = head.targets(&[unknown], &device);
        let output = vec![("lane_graph_memory", Tensor::ones([1, 32, 7, 5], &device))];
        assert_eq!(head.loss(&output, &targets).into_scalar::<f32>(), 0.0);
    }

    #[test]
    fn overfits_a_sample() {
        let samples = [sample_with(&[], [0, 0], fork())];
        check_overfits_at::<LaneGraphs>(&settings(), &space_shapes(GRID), &samples, 0.005, 60);
    }
}
