//! A small network and made-up data for tests.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::tensor::{Device, Tensor, TensorData, activation::relu};
use ommatidia_geometry::{Pose, Timestamp, camera::Pinhole};
use ommatidia_model::{Moment, Sample};
use ommatidia_scene::{CameraSensor, Input, RgbImage, Rig, Shutter, VectorSpace};

use crate::collective::Collective;
use crate::config::{DataConfig, RecordConfig};
use crate::data::{AugmentConfig, Source};
use crate::random::Random;
use crate::ranks::{Alone, Threads};
use crate::{
    Count, Error, Job, Learner, Loss, Observer, Outcome, StepLine, TrainConfig, Trivial,
    Validation, train,
};

/// Width and height of the toy's pictures.
pub(crate) const SIZE: [usize; 2] = [16, 12];

/// Tells the mean red of a picture.
#[derive(Module, Debug)]
pub(crate) struct Toy {
    convolution: Conv2d,
    norm: BatchNorm,
    weight: Param<Tensor<1>>,
}

impl Toy {
    pub(crate) fn new(device: &Device) -> Self {
        Self {
            convolution: Conv2dConfig::new([3, 4], [3, 3]).init(device),
            norm: BatchNormConfig::new(4).init(device),
            weight: Param::from_tensor(Tensor::full([4], 0.3, device)),
        }
    }

    fn answers(&self, samples: &[Sample], device: &Device) -> Tensor<1> {
        let [width, height] = SIZE;
        let mut values = Vec::new();
        for sample in samples {
            let image = &sample.present().images[0];
            for channel in 0..3 {
                let plane = image.data.iter().skip(channel).step_by(3);
                values.extend(plane.map(|&value| f32::from(value) / 255.0));
            }
        }
        let data = TensorData::new(values, [samples.len(), 3, height, width]);
        let features =
            self.norm.forward(self.convolution.forward(Tensor::<4>::from_data(data, device)));
        let pooled: Tensor<4> = relu(features).mean_dim(2).mean_dim(3);
        let weighted = pooled.reshape([samples.len(), 4]) * self.weight.val().unsqueeze::<2>();
        weighted.sum_dim(1).reshape([samples.len()])
    }
}

fn red(sample: &Sample) -> f32 {
    let image = &sample.present().images[0];
    let sum: f32 = image.data.iter().step_by(3).map(|&value| f32::from(value)).sum();
    sum / (255 * image.width * image.height) as f32
}

impl Learner for Toy {
    fn loss(&self, samples: &[Sample], device: &Device) -> Result<Loss, Error> {
        let truth: Vec<f32> = samples.iter().map(red).collect();
        let truth = Tensor::<1>::from_data(TensorData::new(truth, [samples.len()]), device);
        let error = self.answers(samples, device) - truth;
        let total = (error.clone() * error).mean();
        Ok(Loss { total: total.clone(), parts: vec![("red".to_owned(), total)] })
    }

    fn predict(&self, samples: &[Sample], _device: &Device) -> Result<Vec<VectorSpace>, Error> {
        Ok(samples.iter().map(|_| VectorSpace::default()).collect())
    }

    fn scorer(&self) -> Box<dyn Count + '_> {
        Box::new(Moments::default())
    }

    fn excerpt(&self, truth: &VectorSpace) -> VectorSpace {
        truth.clone()
    }

    fn baselines(&self, training: &[VectorSpace]) -> Vec<Trivial<'_>> {
        let count = Moments { more: training.len(), ..Moments::default() };
        let answer = VectorSpace::default();
        vec![Trivial { name: "learnt_from".to_owned(), answer, count: Box::new(count) }]
    }
}

/// Counts moments.
#[derive(Default)]
struct Moments {
    counted: usize,
    more: usize,
}

impl Count for Moments {
    fn add(&mut self, predicted: &[VectorSpace], truth: &[VectorSpace]) {
        assert_eq!(predicted.len(), truth.len());
        self.counted += predicted.len();
    }

    fn scores(&self) -> Vec<(String, f64)> {
        let count = (self.counted + self.more) as f64;
        vec![("count".to_owned(), count), ("minus".to_owned(), -count)]
    }
}

/// The toy, with a total that goes below zero, as learnt weights of losses let it.
#[derive(Module, Debug)]
pub(crate) struct Weighed {
    pub(crate) toy: Toy,
}

impl Learner for Weighed {
    fn loss(&self, samples: &[Sample], device: &Device) -> Result<Loss, Error> {
        let Loss { total, parts } = self.toy.loss(samples, device)?;
        Ok(Loss { total: total - 2.0, parts })
    }

    fn predict(&self, samples: &[Sample], device: &Device) -> Result<Vec<VectorSpace>, Error> {
        self.toy.predict(samples, device)
    }

    fn scorer(&self) -> Box<dyn Count + '_> {
        self.toy.scorer()
    }

    fn excerpt(&self, truth: &VectorSpace) -> VectorSpace {
        self.toy.excerpt(truth)
    }

    fn baselines(&self, training: &[VectorSpace]) -> Vec<Trivial<'_>> {
        self.toy.baselines(training)
    }
}

/// Pictures of noise; some cannot be read.
#[derive(Debug)]
pub(crate) struct Noise {
    pub(crate) count: usize,
    /// Every so many-th is damaged; 0 for none.
    pub(crate) damaged: usize,
    /// How often each was read.
    pub(crate) reads: Mutex<Vec<u32>>,
}

impl Noise {
    pub(crate) fn new(count: usize, damaged: usize) -> Self {
        Self { count, damaged, reads: Mutex::new(vec![0; count]) }
    }
}

impl Source for Noise {
    fn inputs(&self) -> Result<Vec<Input>, Error> {
        Ok(Vec::new())
    }

    fn len(&self) -> usize {
        self.count
    }

    fn name(&self, index: usize) -> String {
        format!("noise {index}")
    }

    fn read(&self, index: usize) -> Result<Sample, Error> {
        self.reads.lock().unwrap()[index] += 1;
        if self.damaged > 0 && index.is_multiple_of(self.damaged) {
            return Err(Error::Data {
                path: self.name(index).into(),
                what: "is damaged".to_owned(),
            });
        }
        let mut random = Random::of(&[99, index as u64]);
        let (width, height) = (20, 14);
        let data = (0..3 * width * height).map(|_| random.below(256) as u8).collect();
        let camera = CameraSensor {
            name: "camera".to_owned(),
            width: width as u32,
            height: height as u32,
            intrinsics: Pinhole { fx: 20.0, fy: 20.0, cx: 10.0, cy: 7.0 }.into(),
            ego_from_camera: Pose::identity(),
            shutter: Shutter::Global,
        };
        let moment = Moment {
            timestamp: Timestamp(0),
            rig: Rig { cameras: vec![camera], ..Rig::default() },
            images: vec![RgbImage::new(width, height, data)],
            world_from_ego: None,
            truth: VectorSpace::default(),
        };
        Ok(Sample { name: self.name(index), moments: vec![moment] })
    }
}

/// Counts steps, holds a clock that ticks when looked at, and may ask to stop after some of them.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    ticks: AtomicU64,
    steps: AtomicU64,
    stop_after: Option<u64>,
    stop: AtomicBool,
}

impl Counter {
    pub(crate) fn stopping_after(steps: u64) -> Self {
        Self { stop_after: Some(steps), ..Self::default() }
    }
}

impl Observer for Counter {
    fn unix_seconds(&self) -> f64 {
        self.ticks.fetch_add(1, Ordering::Relaxed) as f64
    }

    fn interrupted(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn stepped(&self, _line: &StepLine<'_>) {
        let steps = self.steps.fetch_add(1, Ordering::Relaxed) + 1;
        self.stop.store(self.stop_after == Some(steps), Ordering::Relaxed);
    }

    fn validating(&self, _done: usize, _of: usize) {}

    fn validated(&self, _step: u64, _scores: &[(String, f64)]) {}
}

/// A training of some steps of 8 samples in 4 microbatches.
pub(crate) fn config(steps: u64) -> TrainConfig<()> {
    TrainConfig {
        taxonomy: "driving".to_owned(),
        steps,
        weights: None,
        average: 0.9,
        data: DataConfig {
            microbatches: 4,
            samples: 2,
            workers: 2,
            ahead: 4,
            ..DataConfig::default()
        },
        augment: AugmentConfig {
            scale: [0.5, 2.0],
            flip: 0.5,
            colour: 0.2,
            blur: 0.3,
            turn_deg: 10.0,
        },
        optimiser: Default::default(),
        schedule: Default::default(),
        record: RecordConfig { checkpoint_every: 3, validate_every: 0, ..RecordConfig::default() },
        network: (),
    }
}

/// A job of the toy in a folder.
pub(crate) fn job(folder: &std::path::Path, source: Arc<dyn Source>) -> Job<Toy> {
    let device = Device::flex().autodiff();
    Job {
        network: Toy::new(&device),
        device,
        validation: Some(Validation { source: source.clone(), samples: 5 }),
        training: source,
        size: SIZE,
        seed: 7,
        folder: folder.to_owned(),
        inputs: serde_json::Value::Null,
        resume: true,
        limit_s: None,
        schedule_by_clock: false,
    }
}

/// Trains on so many ranks, all beginning with the weights of `first`, and returns rank 0's outcome.
pub(crate) fn train_on(
    ranks: usize,
    folder: &std::path::Path,
    first: &Toy,
    config: &TrainConfig<()>,
) -> Outcome {
    let source: Arc<dyn Source> = Arc::new(Noise::new(50, 0));
    let one = |mut rank: Box<dyn Collective + Send>| {
        let mut job = job(folder, source.clone());
        if rank.rank() == 0 {
            let layout = crate::flat::Layout::of(first);
            job.network = layout.scatter(job.network, &layout.gather(first));
        }
        let config = config.clone();
        std::thread::spawn(move || train(job, &config, &mut *rank, &Counter::default()).unwrap())
    };
    let group: Vec<Box<dyn Collective + Send>> = match ranks {
        1 => vec![Box::new(Alone)],
        _ => Threads::group(ranks).into_iter().map(|rank| Box::new(rank) as _).collect(),
    };
    let running: Vec<_> = group.into_iter().map(one).collect();
    let mut outcomes: Vec<_> = running.into_iter().map(|rank| rank.join().unwrap()).collect();
    let first = outcomes.remove(0);
    assert!(outcomes.iter().all(|other| other.weights_blake3 == first.weights_blake3));
    first
}
