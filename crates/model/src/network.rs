//! The whole network.

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};
use ommatidia_scene::VectorSpace;

use crate::{
    Error, Features, Inputs, NetworkConfig, Output, Sample,
    backbone::Backbone,
    config::Balance,
    inputs::MomentInputs,
    losses::uncertainty::Uncertainty,
    memory::{Memory, align},
    neck::Neck,
    space::Space,
    task::Reads,
    tasks::{Head, HeadTargets},
};

/// The network: backbone, neck, lift, memory, and a head per task.
#[derive(Module, Debug)]
pub struct Network {
    backbone: Backbone,
    neck: Neck,
    pub(crate) space: Option<Space>,
    heads: Vec<Head>,
    uncertainty: Option<Uncertainty>,
    #[module(skip)]
    config: NetworkConfig,
}

/// What all heads say, in the order of the configuration.
#[derive(Debug, Clone)]
pub struct Outputs {
    /// One per head.
    pub heads: Vec<Output>,
}

/// What the losses compare with: one per head.
#[derive(Debug, Clone)]
pub struct Targets {
    /// One per head.
    pub heads: Vec<HeadTargets>,
}

/// The loss.
#[derive(Debug, Clone)]
pub struct Losses {
    /// What training makes small.
    pub total: Tensor<1>,
    /// Each task's own, by name.
    pub parts: Vec<(&'static str, Tensor<1>)>,
}

/// Features of one moment on their way to the heads.
pub(crate) struct Seen {
    pyramid: Vec<Tensor<4>>,
    /// Of heads that need cameras only.
    cameras: Vec<Option<Output>>,
    pub(crate) space: Option<Tensor<4>>,
}

impl Network {
    /// With fresh weights: the device's random numbers decide; seed it first.
    ///
    /// # Errors
    /// [`Error::Config`] and [`Error::Task`] name the setting that does not fit.
    pub fn new(config: &NetworkConfig, device: &Device) -> Result<Self, Error> {
        config.check()?;
        let shapes = config.shapes();
        let heads = config.heads.iter().map(|settings| Head::new(settings, &shapes, device));
        let tasks = config.heads.len();
        Ok(Self {
            backbone: config.backbone.init(device)?,
            neck: config.neck.init(&config.backbone.channels(), device),
            space: config
                .space
                .as_ref()
                .map(|space| Space::new(space, config.neck.channels, device)),
            heads: heads.collect::<Result<_, _>>()?,
            uncertainty: (config.balance == Balance::Uncertainty && tasks > 0)
                .then(|| Uncertainty::new(tasks, device)),
            config: config.clone(),
        })
    }

    /// What it was made from.
    pub fn config(&self) -> &NetworkConfig {
        &self.config
    }

    /// Its heads, in the order of the configuration.
    pub fn heads(&self) -> &[Head] {
        &self.heads
    }

    /// What the network reads of a batch.
    ///
    /// # Errors
    /// [`Error::Sample`] names the sample that does not fit.
    pub fn inputs(&self, samples: &[Sample], device: &Device) -> Result<Inputs, Error> {
        self.config.inputs(samples, device)
    }

    /// What all heads say about the present moments. Gradients flow through the present only.
    pub fn forward(&self, inputs: &Inputs) -> Outputs {
        let (seen, remembered) = self.look(inputs);
        self.read(seen, &remembered)
    }

    /// The present moment, and what is remembered of the past ones, aligned with it.
    fn look(&self, inputs: &Inputs) -> (Seen, Vec<Tensor<4>>) {
        let (present, past) = inputs.moments.split_last().expect("inputs hold a moment");
        let mut remembered: Vec<Tensor<4>> = Vec::new();
        for moment in past {
            let (Some(space), Some(warps)) = (self.see_past(moment), &moment.warps) else { break };
            let kept = self.remember(&remembered, space).detach();
            if self.remembers_fused() {
                remembered.clear();
            }
            remembered.push(align(kept, warps));
        }
        (self.see(present), remembered)
    }

    /// The space that heads read.
    #[cfg(test)]
    pub(crate) fn space_of(&self, inputs: &Inputs) -> (Tensor<4>, Vec<Tensor<4>>) {
        let (seen, past) = self.look(inputs);
        let space = self.space.as_ref().unwrap();
        (space.finish(seen.space.unwrap(), &past), past)
    }

    /// What is read of a space that was already fused.
    #[cfg(test)]
    pub(crate) fn finished(&self, fused: Tensor<4>) -> Tensor<4> {
        self.space.as_ref().unwrap().blocks(fused)
    }

    /// What is kept of a moment: its own space, or that fused with what was kept before.
    pub(crate) fn remember(&self, past: &[Tensor<4>], space: Tensor<4>) -> Tensor<4> {
        match self.space.as_ref().and_then(|space| space.memory.as_ref()) {
            Some(memory) if memory.remembers_fused() => memory.forward(space, past),
            _ => space,
        }
    }

    pub(crate) fn remembers_fused(&self) -> bool {
        let memory = self.space.as_ref().and_then(|space| space.memory.as_ref());
        memory.is_some_and(Memory::remembers_fused)
    }

    /// The space of a past moment: no head runs but one whose depth the lift may use.
    fn see_past(&self, moment: &MomentInputs) -> Option<Tensor<4>> {
        self.see_with(moment, Head::gives_depth).space
    }

    /// One moment up to its own space.
    pub(crate) fn see(&self, moment: &MomentInputs) -> Seen {
        self.see_with(moment, |_| true)
    }

    /// One moment up to its own space, with those heads of cameras that are wanted.
    fn see_with(&self, moment: &MomentInputs, wanted: impl Fn(&Head) -> bool) -> Seen {
        let stages = self.backbone.forward(moment.images.clone());
        let pyramid = self.neck.forward(stages, moment.rays.as_ref());
        let features = Features { pyramid: pyramid.clone(), space: None };
        let cameras: Vec<Option<Output>> = self
            .heads
            .iter()
            .map(|head| {
                let runs = head.reads() == Reads::Cameras && wanted(head);
                runs.then(|| head.forward(&features))
            })
            .collect();
        let depth = self.heads.iter().zip(&cameras).find_map(|(head, output)| {
            output.as_ref().and_then(|output| head.depth_distribution(output))
        });
        let level = self.space.as_ref().map(Space::level);
        let depth = depth.filter(|depth| Some(depth.level) == level);
        let space = self.space.as_ref().zip(moment.tables.as_ref());
        let space = space.map(|(space, tables)| space.lift(&pyramid, tables, depth));
        Seen { pyramid, cameras, space }
    }

    /// From one moment and what is remembered to what the heads say.
    pub(crate) fn read(&self, seen: Seen, past: &[Tensor<4>]) -> Outputs {
        let space = self.space.as_ref().zip(seen.space.clone());
        self.answer(seen, space.map(|(space, now)| space.finish(now, past)))
    }

    /// From one moment and the space that heads read to what they say.
    pub(crate) fn answer(&self, seen: Seen, space: Option<Tensor<4>>) -> Outputs {
        let features = Features { pyramid: seen.pyramid, space };
        let output = |(head, output): (&Head, Option<Output>)| {
            output.unwrap_or_else(|| head.forward(&features))
        };
        Outputs { heads: self.heads.iter().zip(seen.cameras).map(output).collect() }
    }

    /// What the losses compare with.
    pub fn targets(&self, samples: &[Sample], device: &Device) -> Targets {
        let targets = |head: &Head| head.targets(samples, device);
        Targets { heads: self.heads.iter().map(targets).collect() }
    }

    /// The loss.
    ///
    /// # Panics
    /// In a network without heads: whoever trains refuses such a configuration.
    pub fn losses(&self, outputs: &Outputs, targets: &Targets) -> Losses {
        let heads = self.heads.iter().zip(outputs.heads.iter().zip(&targets.heads));
        let parts: Vec<_> = heads
            .map(|(head, (output, targets))| (head.name(), head.loss(output, targets)))
            .collect();
        let terms = parts.iter().map(|(_, loss)| loss.clone());
        let total = match &self.uncertainty {
            Some(uncertainty) => uncertainty.total(terms.collect()),
            None => {
                terms.reduce(|sum, loss| sum + loss).expect("a network that is trained has a head")
            }
        };
        Losses { total, parts }
    }

    /// The vector space of each sample's present moment.
    pub fn decode(&self, outputs: &Outputs, samples: &[Sample]) -> Vec<VectorSpace> {
        let empty = |sample: &Sample| VectorSpace {
            timestamp: sample.present().timestamp,
            ..VectorSpace::default()
        };
        let mut spaces: Vec<VectorSpace> = samples.iter().map(empty).collect();
        for (head, output) in self.heads.iter().zip(&outputs.heads) {
            head.decode(output, samples, &mut spaces);
        }
        spaces
    }

    /// Scores of predictions against truth, as `task.score`; each task's first is the one that counts.
    pub fn scores(&self, predicted: &[VectorSpace], truth: &[VectorSpace]) -> Vec<(String, f64)> {
        let mut scorer = self.scorer();
        scorer.add(predicted, truth);
        scorer.scores()
    }
}
