//! The structure of a problem: which poses are free, which observations belong to which landmark,
//! and how the work is cut.

use super::BundleProblem;

/// Landmarks handled by one task. Fixed, so that sums are the same for any number of threads.
const LANDMARKS_PER_CHUNK: usize = 64;

/// Marks a pose that is held constant.
const FIXED: u32 = u32::MAX;

/// Which observations see which landmark, and where each pose stands among the unknowns.
pub(super) struct Index {
    /// Position of each pose among the free ones, or [`FIXED`].
    free_of_pose: Vec<u32>,
    /// The free poses.
    pub pose_of_free: Vec<usize>,
    /// Observations sorted by landmark, then pose, then camera.
    order: Vec<u32>,
    /// Where each landmark's observations start in `order`; one more entry than landmarks.
    starts: Vec<usize>,
    /// Landmarks with observations, by first free pose: neighbours share poses.
    landmarks: Vec<u32>,
}

impl Index {
    pub(super) fn new(problem: &BundleProblem) -> Self {
        let mut free_of_pose = vec![FIXED; problem.poses.len()];
        let free = |i: &usize| !problem.poses[*i].fixed;
        let pose_of_free: Vec<usize> = (0..problem.poses.len()).filter(free).collect();
        for (position, &pose) in pose_of_free.iter().enumerate() {
            free_of_pose[pose] = position as u32;
        }
        let mut order: Vec<u32> = (0..problem.observations.len() as u32).collect();
        order.sort_by_key(|&i| {
            let observation = &problem.observations[i as usize];
            (observation.landmark, observation.pose, observation.camera)
        });
        let mut starts = vec![0; problem.landmarks.len() + 1];
        for observation in &problem.observations {
            starts[observation.landmark as usize + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut index = Self { free_of_pose, pose_of_free, order, starts, landmarks: Vec::new() };
        let seen = |l: &u32| !index.observations(*l).is_empty();
        let mut landmarks: Vec<u32> = (0..problem.landmarks.len() as u32).filter(seen).collect();
        landmarks.sort_by_key(|&l| (index.first_free(problem, l), l));
        index.landmarks = landmarks;
        index
    }

    /// The observations of a landmark, sorted by pose and camera.
    pub(super) fn observations(&self, landmark: u32) -> &[u32] {
        let landmark = landmark as usize;
        &self.order[self.starts[landmark]..self.starts[landmark + 1]]
    }

    /// Position of a pose among the free ones.
    pub(super) fn free(&self, pose: u32) -> Option<usize> {
        let position = self.free_of_pose[pose as usize];
        (position != FIXED).then_some(position as usize)
    }

    fn first_free(&self, problem: &BundleProblem, landmark: u32) -> u32 {
        let pose = |&i: &u32| problem.observations[i as usize].pose as usize;
        let positions = self.observations(landmark).iter().map(|i| self.free_of_pose[pose(i)]);
        positions.min().unwrap_or(FIXED)
    }

    /// The landmarks in chunks of a fixed size, each a task.
    pub(super) fn chunks(&self) -> impl ExactSizeIterator<Item = &[u32]> {
        self.landmarks.chunks(LANDMARKS_PER_CHUNK)
    }

    /// The envelope of the reduced system: for each free pose, the first one it shares a landmark
    /// or a prior with.
    pub(super) fn envelope(&self, problem: &BundleProblem) -> Vec<usize> {
        let mut first: Vec<usize> = (0..self.pose_of_free.len()).collect();
        for &landmark in &self.landmarks {
            let smallest = self.first_free(problem, landmark) as usize;
            if problem.landmarks[landmark as usize].fixed {
                continue;
            }
            for &i in self.observations(landmark) {
                if let Some(row) = self.free(problem.observations[i as usize].pose) {
                    first[row] = first[row].min(smallest);
                }
            }
        }
        for prior in &problem.relative_priors {
            if let (Some(a), Some(b)) = (self.free(prior.from), self.free(prior.to)) {
                first[a.max(b)] = first[a.max(b)].min(a.min(b));
            }
        }
        first
    }
}
