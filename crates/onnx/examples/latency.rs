//! How long one moment takes in an engine: `bench/latency/compare.py` runs this, a process for each engine.
//!
//! `latency write PRESET CAMERAS FOLDER` writes `PRESET.onnx` and `PRESET-int8.onnx`, of random weights;
//! `latency run PRESET CAMERAS ENGINE FILE THREADS RUNS` prints the milliseconds of loading and of each run as
//! JSON, where engine `burn` reads no file.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use burn::tensor::Device;
use ommatidia_model::{Network, NetworkConfig, tasks::all_settings};
use ommatidia_onnx::{Feed, answers, encode, engines, export, quantise::quantise, trial};

/// Large tensors that are used once would fault in all their pages again and again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Of the training `nano`.
const TASKS: [&str; 6] = ["depth", "occupancy", "occupancy_flow", "surface", "detection", "lanes"];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["write", preset, cameras, folder] => write(preset, cameras.parse()?, Path::new(folder)),
        ["run", preset, cameras, engine, file, threads, runs] => {
            let network = (preset, cameras.parse()?);
            run(network, (engine, file), (threads.parse()?, runs.parse()?))
        }
        _ => {
            Err("write PRESET CAMERAS FOLDER, or run PRESET CAMERAS ENGINE FILE THREADS RUNS"
                .into())
        }
    }
}

fn network(preset: &str, cameras: usize) -> Result<(Network, Feed), Box<dyn Error>> {
    let mut config = NetworkConfig::preset(preset)?;
    config.heads = all_settings().into_iter().filter(|head| TASKS.contains(&head.name())).collect();
    let device = Device::flex();
    device.seed(1);
    let network = Network::new(&config, &device)?;
    let feed = Feed::of(&network, &trial::sample(&config, cameras), &device)?;
    Ok((network, feed))
}

fn write(preset: &str, cameras: usize, folder: &Path) -> Result<(), Box<dyn Error>> {
    let (network, feed) = network(preset, cameras)?;
    let model = export(&network, &feed, &[])?;
    std::fs::write(folder.join(format!("{preset}.onnx")), encode(&model))?;
    let values = feed.values();
    let (small, _) = quantise(&model, &mut |index| Ok((index == 0).then(|| values.clone())))?;
    std::fs::write(folder.join(format!("{preset}-int8.onnx")), encode(&small))?;
    Ok(())
}

fn run(
    (preset, cameras): (&str, usize),
    (engine, file): (&str, &str),
    (threads, runs): (usize, usize),
) -> Result<(), Box<dyn Error>> {
    ommatidia_kernels::allocator::keep_freed_memory();
    let start = Instant::now();
    let (network, feed) = network(preset, cameras)?;
    let mut load_ms = 1e3 * start.elapsed().as_secs_f64();
    let mut times = Vec::new();
    let mut time = |work: &mut dyn FnMut() -> Result<(), Box<dyn Error>>| {
        for _ in 0..=runs {
            let start = Instant::now();
            work()?;
            times.push(1e3 * start.elapsed().as_secs_f64());
        }
        Ok::<(), Box<dyn Error>>(())
    };
    if engine == "burn" {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
        time(&mut || {
            for (_, tensor) in answers(&network, &feed) {
                std::hint::black_box(tensor.into_data());
            }
            Ok(())
        })?;
    } else {
        let values = feed.values();
        let file = std::fs::read(file)?;
        let start = Instant::now();
        let mut engine = engines::load(engine, &file, threads)?;
        load_ms = 1e3 * start.elapsed().as_secs_f64();
        time(&mut || {
            std::hint::black_box(engine.run(&values)?);
            Ok(())
        })?;
    }
    println!(r#"{{"load_ms":{load_ms:.1},"first_ms":{:.2},"ms":{:?}}}"#, times[0], &times[1..]);
    Ok(())
}
