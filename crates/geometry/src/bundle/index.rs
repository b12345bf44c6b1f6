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
    /// Ground priors sorted by landmark, then pose, and where each landmark's start.
    grounds: Vec<u32>,
    ground_starts: Vec<usize>,
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
        let count = problem.landmarks.len();
        let (order, starts) = grouped(count, &problem.observations, |observation| {
            (observation.landmark, observation.pose, observation.camera)
        });
        let (grounds, ground_starts) =
            grouped(count, &problem.ground_priors, |prior| (prior.landmark, prior.pose, 0));
        let landmarks = Vec::new();
        let mut index =
            Self { free_of_pose, pose_of_free, order, starts, grounds, ground_starts, landmarks };
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

    /// The ground priors of a landmark, sorted by pose.
    pub(super) fn grounds(&self, landmark: u32) -> &[u32] {
        let landmark = landmark as usize;
        &self.grounds[self.ground_starts[landmark]..self.ground_starts[landmark + 1]]
    }

    /// The free poses that a landmark depends on, by their positions; some repeatedly.
    pub(super) fn free_poses<'a>(
        &'a self,
        problem: &'a BundleProblem,
        landmark: u32,
    ) -> impl Iterator<Item = usize> + 'a {
        let seen =
            self.observations(landmark).iter().map(|&i| problem.observations[i as usize].pose);
        let grounded =
            self.grounds(landmark).iter().map(|&i| problem.ground_priors[i as usize].pose);
        seen.chain(grounded).filter_map(|pose| self.free(pose))
    }

    /// Position of a pose among the free ones.
    pub(super) fn free(&self, pose: u32) -> Option<usize> {
        let position = self.free_of_pose[pose as usize];
        (position != FIXED).then_some(position as usize)
    }

    fn first_free(&self, problem: &BundleProblem, landmark: u32) -> usize {
        self.free_poses(problem, landmark).min().unwrap_or(usize::MAX)
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
            if problem.landmarks[landmark as usize].fixed {
                continue;
            }
            let smallest = self.first_free(problem, landmark);
            for row in self.free_poses(problem, landmark) {
                first[row] = first[row].min(smallest);
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

/// Indices of some items sorted by a key that leads with their landmark, and where each landmark's
/// items start; one more start than landmarks.
fn grouped<T>(
    landmarks: usize,
    items: &[T],
    key: impl Fn(&T) -> (u32, u32, u32),
) -> (Vec<u32>, Vec<usize>) {
    let mut order: Vec<u32> = (0..items.len() as u32).collect();
    order.sort_by_key(|&i| key(&items[i as usize]));
    let mut starts = vec![0; landmarks + 1];
    for item in items {
        starts[key(item).0 as usize + 1] += 1;
    }
    for i in 1..starts.len() {
        starts[i] += starts[i - 1];
    }
    (order, starts)
}
