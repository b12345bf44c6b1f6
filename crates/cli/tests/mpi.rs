//! `omma train` as the ranks of an MPI job. `OMMATIDIA_MPI_LAUNCHER` starts them in place of `mpirun`: under
//! Slurm it is `srun --mpi=pmix --overcommit -n`.
#![cfg(feature = "mpi")]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::{pictures, text};
use serde_json::Value;

const LAUNCHER: &str = "mpirun --allow-run-as-root --oversubscribe -n";

/// A training on pictures, and where its runs go.
struct Job {
    folder: tempfile::TempDir,
    data: PathBuf,
    training: PathBuf,
}

impl Job {
    /// Of so many steps of four microbatches.
    fn new(steps: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (data, training) = pictures(folder.path());
        let settings = std::fs::read_to_string(&training).unwrap();
        let settings = settings
            .replace("microbatches = 2", "microbatches = 4")
            .replace("steps = 2", &format!("steps = {steps}"));
        std::fs::write(&training, settings).unwrap();
        Self { folder, data, training }
    }

    fn out(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts the ranks. Each leaves its process id in the folder, as `pid_RANK`.
    fn start(&self, ranks: usize, out: &Path, more: &[&str]) -> Child {
        let launcher = std::env::var("OMMATIDIA_MPI_LAUNCHER");
        let launcher = launcher.unwrap_or_else(|_| LAUNCHER.to_owned());
        let mut words = launcher.split_whitespace();
        let pid = self.folder.path().join("pid_");
        let rank = format!("echo $$ > '{}'$PMIX_RANK; exec \"$0\" \"$@\"", pid.display());
        Command::new(words.next().expect("a launcher has a name"))
            .args(words)
            .arg(ranks.to_string())
            .args(["sh", "-c", &rank, env!("CARGO_BIN_EXE_omma"), "train", text(&self.training)])
            .args(["--data", text(&self.data), "--out", text(out), "--json", "--quiet"])
            .args(["--threads", "1"])
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the launcher starts: Debian's openmpi-bin has mpirun")
    }

    fn run(&self, ranks: usize, out: &Path, more: &[&str]) -> Output {
        self.start(ranks, out, more).wait_with_output().unwrap()
    }

    /// Hash of the weights of a run that must succeed.
    fn weights(&self, ranks: usize, name: &str, more: &[&str]) -> String {
        let output = self.run(ranks, &self.out(name), more);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{ranks} ranks: {:?}\n{stderr}", output.status);
        let printed: Value = serde_json::from_slice(&output.stdout).expect("one rank prints");
        printed["weights_blake3"].as_str().unwrap().to_owned()
    }
}

#[test]
fn any_number_of_ranks_gives_the_same_bits() {
    let job = Job::new(3);
    let alone = job.weights(1, "alone", &[]);
    assert_eq!(job.weights(2, "two", &[]), alone);
    assert_eq!(job.weights(4, "four", &[]), alone);
    job.weights(4, "begun", &["--steps", "1"]);
    assert_eq!(job.weights(2, "begun", &["--resume"]), alone, "begun by four, ended by two");
}

#[test]
fn three_ranks_are_refused() {
    let job = Job::new(3);
    let output = job.run(3, &job.out("three"), &[]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && stderr.contains("power of two"), "{stderr}");
}

#[test]
fn a_rank_that_dies_ends_the_job_and_the_next_start_goes_on() {
    let job = Job::new(60);
    let whole = job.weights(1, "whole", &[]);
    let out = job.out("killed");
    let mut ranks = job.start(2, &out, &[]);
    let checkpoints = out.join("checkpoints");
    let begun = Instant::now();
    while std::fs::read_dir(&checkpoints).map_or(0, Iterator::count) == 0 {
        assert!(ranks.try_wait().unwrap().is_none(), "the job ended before it was killed");
        assert!(begun.elapsed() < Duration::from_secs(120), "no checkpoint was written");
        sleep(Duration::from_millis(20));
    }
    let pid = std::fs::read_to_string(job.folder.path().join("pid_1")).unwrap();
    assert!(Command::new("kill").args(["-9", pid.trim()]).status().unwrap().success());
    let output = ranks.wait_with_output().unwrap();
    assert!(!output.status.success(), "a job without one of its ranks cannot succeed");
    assert!(!output.stderr.is_empty(), "the launcher says which process died");
    assert_eq!(job.weights(2, "killed", &["--resume"]), whole);
}
