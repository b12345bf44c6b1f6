//! Speed of a preset's backbone and neck: `network_speed PRESET BATCH HEIGHT WIDTH` prints, as JSON, the
//! shortest seconds of a forward pass and of a training step. `bench/network/compare.py` runs it beside
//! PyTorch.

use std::time::Instant;

use burn::{
    module::Module,
    optim::{AdamWConfig, GradientsParams},
    tensor::{Device, Distribution, Tensor},
};
use ommatidia_model::{NetworkConfig, backbone::Backbone, neck::Neck};

/// Large tensors that are used once would fault in all their pages again and again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const RUNS: usize = 8;

#[derive(Module, Debug)]
struct Trunk {
    backbone: Backbone,
    neck: Neck,
}

impl Trunk {
    fn forward(&self, images: Tensor<4>) -> Vec<Tensor<4>> {
        self.neck.forward(self.backbone.forward(images), None)
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, preset, sizes @ ..] = &arguments[..] else { panic!("PRESET BATCH HEIGHT WIDTH") };
    let number = |index: usize| sizes[index].parse::<usize>().expect("sizes are whole numbers");
    let shape = [number(0), 3, number(1), number(2)];
    let config = NetworkConfig::preset(preset).expect("the preset exists");
    let device = Device::flex().autodiff();
    let mut trunk = Trunk {
        backbone: config.backbone.init(&device).expect("presets are sound"),
        neck: config.neck.init(&config.backbone.channels(), &device),
    };
    let images = Tensor::<4>::random(shape, Distribution::Normal(0.0, 1.0), &device);
    let mut optimizer = AdamWConfig::new().init();
    let mut step_s = f64::INFINITY;
    let mut parts = [f64::INFINITY; 3];
    for _ in 0..RUNS {
        let start = Instant::now();
        let levels = trunk.forward(images.clone());
        let loss = levels.into_iter().map(|level| level.powi_scalar(2).mean());
        let loss = loss.reduce(|sum, term| sum + term).expect("there are levels");
        let forward_s = start.elapsed().as_secs_f64();
        let gradients = GradientsParams::from_grads(loss.backward(), &trunk);
        let backward_s = start.elapsed().as_secs_f64() - forward_s;
        trunk = optimizer.step(1e-4, trunk, gradients);
        let whole_s = start.elapsed().as_secs_f64();
        for (part, s) in
            parts.iter_mut().zip([forward_s, backward_s, whole_s - forward_s - backward_s])
        {
            *part = part.min(s);
        }
        step_s = step_s.min(whole_s);
    }
    let (plain, images) = (trunk.valid(), images.inner());
    let mut forward_s = f64::INFINITY;
    for _ in 0..RUNS {
        let start = Instant::now();
        std::hint::black_box(plain.forward(images.clone()));
        forward_s = forward_s.min(start.elapsed().as_secs_f64());
    }
    let [train_forward_s, backward_s, optimizer_s] = parts;
    println!(
        r#"{{"forward_s":{forward_s},"step_s":{step_s},"train_forward_s":{train_forward_s},"backward_s":{backward_s},"optimizer_s":{optimizer_s}}}"#
    );
}
