//! The whole loop, on a small network.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;

use crate::data::{Loader, LoaderConfig, Positions, SkipLog, Source};
use crate::flat::Layout;
use crate::random::Random;
use crate::ranks::{Alone, Threads};
use crate::testing::{Counter, Noise, SIZE, Toy, Weighed, config, job, train_on};
use crate::{Error, Job, checkpoint, run, train};

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

/// A job that begins with the weights of `first`.
fn beginning(folder: &Path, first: &Toy) -> Job<Toy> {
    let mut job = job(folder, Arc::new(Noise::new(50, 0)));
    let layout = Layout::of(first);
    job.network = layout.scatter(job.network, &layout.gather(first));
    job
}

/// Steps at which a name was recorded.
fn recorded(folder: &Path, split: &str, name: &str) -> Vec<u64> {
    let rows = run::read_metrics(&folder.join(run::METRICS)).unwrap();
    let of = rows.iter().filter(|row| row.split == split && row.name == name);
    of.map(|row| row.step).collect()
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
        let begin = || beginning(&folder, &first);
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
    let stopped =
        train(beginning(&killed, &first), &config(7), &mut Alone, &Counter::stopping_after(5));
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
    let losses = recorded(&killed, "train", "loss");
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
    other.steps = 9;
    let result = train(job(folder.path(), source.clone()), &other, &mut Alone, &Counter::default());
    let error = result.unwrap_err().to_string();
    assert!(error.contains("settings.optimiser.rate: then 0.001, now 0.5"), "{error}");
    assert!(error.contains("settings.steps: then 3, now 9"), "{error}");
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
fn a_total_below_zero_is_no_leap() {
    let folder = tempfile::tempdir().unwrap();
    let toy = job(folder.path(), Arc::new(Noise::new(50, 0)));
    let job = Job {
        network: Weighed { toy: toy.network },
        device: toy.device,
        training: toy.training,
        validation: None,
        size: SIZE,
        seed: 7,
        folder: toy.folder,
        inputs: serde_json::Value::Null,
        resume: false,
        limit_s: None,
        schedule_by_clock: false,
    };
    let mut settings = config(12);
    settings.schedule.warm_up_steps = 2;
    let outcome = train(job, &settings, &mut Alone, &Counter::default()).unwrap();
    assert!(outcome.loss < 0.0, "{}", outcome.loss);
}

#[test]
fn the_number_of_steps_is_free_where_it_decides_nothing() {
    use crate::schedule::Shape;
    let mut settings = config(5);
    let steps = |settings: &crate::TrainConfig<()>, by_clock: bool| {
        settings.deciding(by_clock).get("steps").is_some()
    };
    assert!(steps(&settings, false));
    assert!(!steps(&settings, true));
    settings.schedule.shape = Shape::Constant;
    assert!(!steps(&settings, false));
}

#[test]
fn validation_that_was_broken_off_is_made_up_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = config(7);
    settings.record.validate_every = 5;
    let first = toy();
    let begin = || beginning(folder.path(), &first);
    let stopped = train(begin(), &settings, &mut Alone, &Counter::stopping_after(5));
    assert!(matches!(stopped, Err(Error::Interrupted { step: 5 })), "{stopped:?}");
    assert_eq!(recorded(folder.path(), "val", "count"), Vec::<u64>::new());
    let done = train(begin(), &settings, &mut Alone, &Counter::default()).unwrap();
    assert_eq!(recorded(folder.path(), "val", "count"), [5, 7]);
    // Trivial answers are measured once a start, on as many samples as the network, made from all training data.
    assert_eq!(recorded(folder.path(), run::BASELINE, "count/learnt_from"), [5]);
    assert_eq!(done.baselines["count"]["learnt_from"], 55.0);
    // Once more, nothing is left to do and nothing is added.
    let files = || std::fs::read_dir(folder.path()).unwrap().count();
    let before = files();
    let again = train(begin(), &settings, &mut Alone, &Counter::default()).unwrap();
    assert_eq!(recorded(folder.path(), "val", "count"), [5, 7]);
    assert_eq!((again.step, &again.metrics), (7, &done.metrics));
    assert_eq!(again.baselines, done.baselines);
    assert_eq!(again.weights_blake3, done.weights_blake3);
    assert_eq!(files(), before);
}

#[test]
fn the_score_that_counts_is_the_named_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = config(3);
    settings.record.best = Some("miou".to_owned());
    let first = toy();
    let begin = || beginning(folder.path(), &first);
    let error = train(begin(), &settings, &mut Alone, &Counter::default()).unwrap_err().to_string();
    assert!(error.contains("record.best is miou") && error.contains("count, minus"), "{error}");
    // The state was saved before: naming one that there is goes on.
    settings.record.best = Some("minus".to_owned());
    train(begin(), &settings, &mut Alone, &Counter::default()).unwrap();
    assert!(folder.path().join(run::BEST).is_file());
    let layout = Layout::of(&first);
    let (_, path) =
        checkpoint::list(&folder.path().join(checkpoint::FOLDER)).unwrap().pop().unwrap();
    let deciding = serde_json::json!({
        "settings": settings.deciding(false), "inputs": null, "seed": 7, "schedule_by_clock": false
    });
    let best = checkpoint::Checkpoint::read(&path, &layout, &deciding).unwrap().progress.best;
    let expected = checkpoint::Best { name: "minus".to_owned(), value: -5.0, step: 3 };
    assert_eq!(best, Some(expected));
}

#[test]
fn time_that_was_spent_stays_spent() {
    let folder = tempfile::tempdir().unwrap();
    let first = toy();
    let begin = || {
        let mut job = beginning(folder.path(), &first);
        (job.schedule_by_clock, job.limit_s) = (true, Some(100.0));
        job
    };
    // The clock ticks a second whenever somebody looks.
    let settings = config(1000);
    let stopped = train(begin(), &settings, &mut Alone, &Counter::stopping_after(4));
    assert!(matches!(stopped, Err(Error::Interrupted { step: 4 })), "{stopped:?}");
    let whole = tempfile::tempdir().unwrap();
    let mut anew = begin();
    anew.folder = whole.path().to_owned();
    let whole = train(anew, &settings, &mut Alone, &Counter::default()).unwrap();
    let resumed = train(begin(), &settings, &mut Alone, &Counter::default()).unwrap();
    assert!(whole.step > 8, "{}", whole.step);
    assert!(resumed.step.abs_diff(whole.step) <= 2, "{} and {}", resumed.step, whole.step);
    // By steps it would be another training.
    let mut other = begin();
    other.schedule_by_clock = false;
    let error = train(other, &settings, &mut Alone, &Counter::default()).unwrap_err().to_string();
    assert!(error.contains("schedule_by_clock: then true, now false"), "{error}");
}

/// What two ranks say that each train in a folder of their own.
fn apart(folders: [&Path; 2], settings: [crate::TrainConfig<()>; 2]) -> Vec<String> {
    let one = |((rank, folder), settings): ((Threads, &Path), crate::TrainConfig<()>)| {
        let (mut rank, folder) = (rank, folder.to_owned());
        std::thread::spawn(move || {
            let job = job(&folder, Arc::new(Noise::new(50, 0)));
            train(job, &settings, &mut rank, &Counter::default()).unwrap_err().to_string()
        })
    };
    let ranks = Threads::group(2).into_iter().zip(folders).zip(settings);
    let running: Vec<_> = ranks.map(one).collect();
    running.into_iter().map(|rank| rank.join().unwrap()).collect()
}

#[test]
fn ranks_that_are_not_at_the_same_place_refuse_each_other() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let folders = [first.path(), second.path()];
    let mut other = config(7);
    other.optimiser.rate = 0.5;
    for error in apart(folders, [config(7), other]) {
        assert!(error.contains("rank 1 has other settings"), "{error}");
    }
    let mut stopped = job(first.path(), Arc::new(Noise::new(50, 0)));
    stopped.resume = false;
    train(stopped, &config(7), &mut Alone, &Counter::stopping_after(2)).unwrap_err();
    for error in apart(folders, [config(7), config(7)]) {
        assert!(error.contains("rank 0 goes on from step 2, rank 1 begins"), "{error}");
    }
    // The same step of another beginning.
    let other = job(second.path(), Arc::new(Noise::new(50, 0)));
    train(other, &config(7), &mut Alone, &Counter::stopping_after(2)).unwrap_err();
    for error in apart(folders, [config(7), config(7)]) {
        assert!(error.contains("other weights"), "{error}");
    }
}

#[test]
fn ranks_tell_what_all_of_them_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let one = |mut rank: Threads| {
        let job = job(folder.path(), Arc::new(Noise::new(50, 5)));
        std::thread::spawn(move || train(job, &config(4), &mut rank, &Counter::default()).unwrap())
    };
    let running: Vec<_> = Threads::group(2).into_iter().map(one).collect();
    let outcomes: Vec<_> = running.into_iter().map(|rank| rank.join().unwrap()).collect();
    assert!(!outcomes[0].skipped.is_empty());
    assert_eq!(outcomes[0].skipped, outcomes[1].skipped);
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
