//! Before the first step: the state to go on from, the same on every rank, and the threads that fetch.

use std::path::Path;
use std::sync::Arc;

use ommatidia_store::{atomic, hash};
use serde_json::Value;

use crate::checkpoint::{self, Checkpoint, Progress};
use crate::collective::{Collective, gather, sum};
use crate::config::TrainConfig;
use crate::data::{Loader, LoaderConfig, Positions, SkipLog};
use crate::flat::Layout;
use crate::learner::Learner;
use crate::optimiser::Moments;
use crate::{Error, Job, Weights};

/// The last checkpoint, or rank 0's fresh weights: the same on every rank.
pub(crate) fn state<L: Learner>(
    job: &Job<L>,
    layout: &Layout,
    deciding: &Value,
    ranks: &mut dyn Collective,
) -> Result<Checkpoint, Error> {
    let found = last_checkpoint(job, layout, deciding, ranks.rank() == 0)?;
    compare(ranks, found.as_ref(), deciding)?;
    match found {
        Some(state) => Ok(state),
        None => fresh(&job.network, layout, ranks),
    }
}

/// The state to go on from, if this is no beginning.
fn last_checkpoint<L>(
    job: &Job<L>,
    layout: &Layout,
    deciding: &Value,
    clean: bool,
) -> Result<Option<Checkpoint>, Error> {
    let folder = job.folder.join(checkpoint::FOLDER);
    if clean {
        atomic::clean(&folder);
    }
    let Some((step, path)) = checkpoint::list(&folder)?.pop() else { return Ok(None) };
    if !job.resume {
        let what = format!(
            "is of a training that has taken {step} steps; go on with it by --resume, or choose another --out"
        );
        return Err(Error::Checkpoint { path, what });
    }
    Checkpoint::read(&path, layout, deciding).map(Some)
}

/// Refuses ranks that would each train something else.
fn compare(
    ranks: &mut dyn Collective,
    found: Option<&Checkpoint>,
    deciding: &Value,
) -> Result<(), Error> {
    let step = found.map_or(u64::MAX, |state| state.progress.step).to_le_bytes();
    let state = found.map_or([0; 32], |state| state.hash().0);
    let settings = hash::of_bytes(deciding.to_string().as_bytes()).0;
    let all = gather(ranks, &[&step[..], &state, &settings].concat())?;
    let place =
        |rank: usize| match all[rank][..8].iter().rev().fold(0, |n, &b| n << 8 | u64::from(b)) {
            u64::MAX => "begins".to_owned(),
            step => format!("goes on from step {step}"),
        };
    for (rank, other) in all.iter().enumerate().skip(1) {
        if other[40..] != all[0][40..] {
            return Err(Error::Ranks(format!(
                "rank {rank} has other settings or data than rank 0; start all by one command, on the same files"
            )));
        }
        if other[..8] != all[0][..8] {
            return Err(Error::Ranks(format!(
                "rank 0 {}, rank {rank} {}; give all one --out, on a disk that all see",
                place(0),
                place(rank)
            )));
        }
        if other != &all[0] {
            return Err(Error::Ranks(format!(
                "rank 0 and rank {rank} have other weights after the same step; give all one --out, on a disk that all see"
            )));
        }
    }
    Ok(())
}

/// Rank 0's fresh weights, on every rank.
fn fresh<L: Learner>(
    network: &L,
    layout: &Layout,
    ranks: &mut dyn Collective,
) -> Result<Checkpoint, Error> {
    let mut row = layout.gather(network);
    if ranks.rank() > 0 {
        row.fill(0.0);
    }
    let now = sum(ranks, row)?;
    let moments = Moments::new(layout.len());
    let weights = Weights { average: now.clone(), now };
    Ok(Checkpoint { progress: Progress::default(), weights, moments })
}

/// Threads that fetch this rank's samples from a step on.
pub(crate) fn loader<L, N>(
    job: &Job<L>,
    config: &TrainConfig<N>,
    ranks: &dyn Collective,
    start: u64,
    skips: Arc<SkipLog>,
) -> Loader {
    let step = config.samples_per_step() as u64;
    let share = step / ranks.size() as u64;
    let positions = Positions { start, step, share, first: ranks.rank() as u64 * share };
    let settings = LoaderConfig {
        seed: job.seed,
        size: job.size,
        augment: config.augment.clone(),
        workers: config.data.workers,
        ahead: config.data.ahead.max(share as usize),
    };
    Loader::new(job.training.clone(), positions, &settings, skips)
}

/// Where the last checkpoint of a run lies, if there is one.
///
/// # Errors
/// [`Error::Store`].
pub fn last_step(folder: &Path) -> Result<Option<u64>, Error> {
    Ok(checkpoint::list(&folder.join(checkpoint::FOLDER))?.pop().map(|(step, _)| step))
}
