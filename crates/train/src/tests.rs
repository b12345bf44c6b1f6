//! The whole loop, on a small network.

use std::sync::Arc;

use burn::tensor::Device;

use crate::data::{Loader, LoaderConfig, Positions, SkipLog, Source};
use crate::flat::Layout;
use crate::random::Random;
use crate::ranks::Alone;
use crate::testing::{Counter, Noise, SIZE, Toy, config, job, train_on};
use crate::{Error, checkpoint, run, train};

/// Always the same weights.
fn toy() -> Toy {
    let fresh = Toy::new(&Device::flex().autodiff());
    let layout = Layout::of(&fresh);
    let mut row = layout.gather(&fresh);
    let mut random = Random::of(&[5]);
    let convolution = &layout.slots()[0];
    assert_eq!(convolution.shape, [4, 3, 3, 3]);
    row[convolution.range()].fill_with(|| random.between(-0.3, 0.3) as f32);
    layout.scatter(fresh, &row)
}

#[test]
fn ranks_and_interruptions_do_not_change_a_bit() {
    let first = toy();
    let folder = tempfile::tempdir().unwrap();
    let alone = train_on(1, &folder.path().join("1"), &first, &config(10));
    for ranks in [2, 4] {
        let other = train_on(ranks, &folder.path().join(ranks.to_string()), &first, &config(10));
        assert_eq!(other.weights_blake3, alone.weights_blake3, "{ranks} ranks");
        assert_eq!(other.loss, alone.loss);
    }
    for stop in [1, 3, 5, 9] {
        let folder = folder.path().join(format!("stopped_{stop}"));
        let source: Arc<dyn Source> = Arc::new(Noise::new(50, 0));
        let begin = || {
            let mut job = job(&folder, source.clone());
            let layout = Layout::of(&first);
            job.network = layout.scatter(job.network, &layout.gather(&first));
            job
        };
        let stopped = train(begin(), &config(10), &mut Alone, &Counter::stopping_after(stop));
        assert!(matches!(stopped, Err(Error::Interrupted { step }) if step == stop), "{stopped:?}");
        let resumed = train(begin(), &config(10), &mut Alone, &Counter::default()).unwrap();
        assert_eq!(resumed.weights_blake3, alone.weights_blake3, "stopped after {stop}");
    }
}

#[test]
fn a_kill_goes_on_from_the_last_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let first = toy();
    let whole = train_on(1, &folder.path().join("whole"), &first, &config(7));
    let killed = folder.path().join("killed");
    let source: Arc<dyn Source> = Arc::new(Noise::new(50, 0));
    let mut begun = job(&killed, source);
    begun.network = first;
    let stopped = train(begun, &config(7), &mut Alone, &Counter::stopping_after(5));
    assert!(matches!(stopped, Err(Error::Interrupted { step: 5 })), "{stopped:?}");
    // What was after step 3 is lost, half of the next checkpoint is there, and so is what metrics told.
    let checkpoints = killed.join(checkpoint::FOLDER);
    for (step, path) in checkpoint::list(&checkpoints).unwrap() {
        if step > 3 {
            std::fs::remove_file(path).unwrap();
        }
    }
    std::fs::write(checkpoints.join(".step_000000006.safetensors.1-2.tmp-omma"), b"half").unwrap();
    let resumed = train_on(1, &killed, &toy(), &config(7));
    assert_eq!(resumed.weights_blake3, whole.weights_blake3);
    let rows = run::read_metrics(&killed.join(run::METRICS)).unwrap();
    let losses: Vec<u64> = rows
        .iter()
        .filter(|row| row.split == "train" && row.name == "loss")
        .map(|row| row.step)
        .collect();
    assert_eq!(losses, (1..=7).collect::<Vec<_>>(), "each step is recorded once");
}

#[test]
fn the_toy_learns() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = config(150);
    settings.schedule.warm_up_steps = 5;
    settings.optimiser.rate = 0.02;
    let outcome = train_on(1, folder.path(), &toy(), &settings);
    let rows = run::read_metrics(&folder.path().join(run::METRICS)).unwrap();
    let first = rows.iter().find(|row| row.name == "loss").unwrap().value;
    assert!(outcome.loss < 0.25 * first, "from {first} to {}", outcome.loss);
    assert_eq!(outcome.metrics["count"], 5.0);
}

#[test]
fn other_settings_are_named() {
    let folder = tempfile::tempdir().unwrap();
    train_on(1, folder.path(), &toy(), &config(3));
    let source: Arc<dyn Source> = Arc::new(Noise::new(50, 0));
    let mut other = config(3);
    other.optimiser.rate = 0.5;
    other.record.keep = 7;
    let result = train(job(folder.path(), source.clone()), &other, &mut Alone, &Counter::default());
    let error = result.unwrap_err().to_string();
    assert!(error.contains("settings.optimiser.rate: then 0.001, now 0.5"), "{error}");
    assert!(!error.contains("keep"), "what does not decide the weights may differ: {error}");
    let mut again = job(folder.path(), source);
    again.resume = false;
    let error = train(again, &config(3), &mut Alone, &Counter::default()).unwrap_err().to_string();
    assert!(error.contains("--resume"), "{error}");
}

#[test]
fn a_leap_of_the_loss_stops_and_saves_the_batch() {
    let folder = tempfile::tempdir().unwrap();
    let source: Arc<dyn Source> = Arc::new(Noise::new(50, 0));
    let mut settings = config(50);
    settings.record.leap = 1e-6;
    settings.schedule.warm_up_steps = 2;
    let error =
        train(job(folder.path(), source), &settings, &mut Alone, &Counter::default()).unwrap_err();
    let Error::Diverged { step, samples, saved, .. } = error else { panic!("{error}") };
    assert_eq!((step, samples.len()), (3, 8));
    let names = std::fs::read_to_string(saved.join("names.txt")).unwrap();
    assert_eq!(names.lines().collect::<Vec<_>>(), samples);
    assert!(saved.join("007_0.png").is_file());
    let last = checkpoint::list(&folder.path().join(checkpoint::FOLDER)).unwrap().pop();
    assert_eq!(last.map(|(step, _)| step), Some(3));
}

#[test]
fn damaged_checkpoints_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    train_on(1, folder.path(), &toy(), &config(3));
    let (_, path) =
        checkpoint::list(&folder.path().join(checkpoint::FOLDER)).unwrap().pop().unwrap();
    let whole = std::fs::read(&path).unwrap();
    let source: Arc<dyn Source> = Arc::new(Noise::new(50, 0));
    for length in [0, 7, 100, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        let job = job(folder.path(), source.clone());
        let error = train(job, &config(3), &mut Alone, &Counter::default()).unwrap_err();
        assert!(matches!(&error, Error::Checkpoint { .. }), "{length} bytes: {error}");
    }
}

fn names(workers: usize, source: &Arc<dyn Source>, skips: &Arc<SkipLog>) -> Vec<(String, Vec<u8>)> {
    let positions = Positions { start: 2, step: 4, share: 2, first: 2 };
    let settings = LoaderConfig {
        seed: 3,
        size: SIZE,
        augment: config(1).augment,
        workers,
        ahead: 2 * workers,
    };
    let mut loader = Loader::new(source.clone(), positions, &settings, skips.clone());
    let one = |_| {
        let sample = loader.next().unwrap();
        (sample.name.clone(), sample.present().images[0].data.clone())
    };
    (0..30).map(one).collect()
}

#[test]
fn samples_do_not_depend_on_threads_and_damaged_ones_are_replaced_and_named() {
    let source: Arc<dyn Source> = Arc::new(Noise::new(20, 5));
    let skips = Arc::new(SkipLog::default());
    let one = names(1, &source, &skips);
    let skipped = skips.all();
    assert_eq!(one, names(4, &source, &Arc::default()));
    assert!(skipped.iter().any(|item| item.what == "noise 10" && item.why.contains("is damaged")));
    assert!(one.iter().all(|(name, _)| !skipped.iter().any(|item| item.what == *name)));
}

#[test]
fn data_of_which_nothing_can_be_read_is_an_error() {
    let source: Arc<dyn Source> = Arc::new(Noise::new(20, 1));
    let folder = tempfile::tempdir().unwrap();
    let error = train(job(folder.path(), source), &config(3), &mut Alone, &Counter::default());
    assert!(matches!(error, Err(Error::Unreadable { failed: 16, .. })), "{error:?}");
}

#[test]
fn fetching_ahead_is_bounded() {
    let noise = Arc::new(Noise::new(1000, 0));
    let source: Arc<dyn Source> = noise.clone();
    let mut loader = Loader::new(
        source,
        Positions { start: 0, step: 1, share: 1, first: 0 },
        &LoaderConfig { seed: 1, size: SIZE, augment: Default::default(), workers: 3, ahead: 5 },
        Arc::default(),
    );
    for delivered in 1..=50_u32 {
        loader.next().unwrap();
        let read: u32 = noise.reads.lock().unwrap().iter().sum();
        assert!(read <= delivered + 5, "{read} were read for {delivered}");
    }
}
