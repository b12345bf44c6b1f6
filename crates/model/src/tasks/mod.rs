//! The tasks: one file each, and one line in the registry below.

mod blocks;
pub mod depth;
pub mod detection;
pub mod instances;
pub mod keypoints;
pub mod lane_graph;
pub mod lanes;
pub mod occupancy;
pub mod occupancy_flow;
mod priors;
pub mod semantics;
pub mod surface;
#[cfg(test)]
mod testing;
pub mod tracking;
mod voxels;

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};
use ommatidia_scene::{CameraView, VectorSpace};
use serde::{Deserialize, Serialize};

use crate::{
    Sample,
    task::{DepthDistribution, Features, Output, Reads, Shapes, Task, TaskError},
};

/// Makes, from one line per task, the head of any task, its settings and its targets, and hands each call
/// to the task at hand.
macro_rules! tasks {
    ($($(#[$doc:meta])* $module:ident: $task:ident),* $(,)?) => {
        /// The head of one task.
        #[derive(Module, Debug)]
        #[allow(clippy::large_enum_variant, reason = "a network holds a handful of heads")]
        pub enum Head {
            $($(#[$doc])* $task($module::$task),)*
        }

        /// Settings of one task; on disk a table whose `task` says which.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "task", rename_all = "snake_case")]
        pub enum HeadSettings {
            $($(#[$doc])* $task(<$module::$task as Task>::Settings),)*
        }

        /// What the loss of one task compares with.
        #[derive(Debug, Clone)]
        #[allow(clippy::large_enum_variant, reason = "one per head and batch")]
        pub enum HeadTargets {
            $($(#[$doc])* $task(<$module::$task as Task>::Targets),)*
        }

        /// What scores of one task are made of.
        #[derive(Debug, Clone)]
        #[allow(clippy::large_enum_variant, reason = "one per head")]
        pub enum HeadTally {
            $($(#[$doc])* $task(<$module::$task as Task>::Tally),)*
        }

        /// Every task with its default settings.
        pub fn all_settings() -> Vec<HeadSettings> {
            vec![$(HeadSettings::$task(Default::default())),*]
        }

        impl HeadSettings {
            /// The task's name.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$task(_) => <$module::$task as Task>::NAME,)* }
            }

            /// What the task reads.
            pub fn reads(&self) -> Reads {
                match self { $(Self::$task(_) => <$module::$task as Task>::READS,)* }
            }
        }

        impl Head {
            /// A head with fresh weights.
            ///
            /// # Errors
            /// [`TaskError`] where the settings make no sense, or the network lacks what the head reads.
            pub fn new(
                settings: &HeadSettings,
                shapes: &Shapes,
                device: &Device,
            ) -> Result<Self, TaskError> {
                Ok(match settings {
                    $(HeadSettings::$task(settings) => {
                        Self::$task(<$module::$task as Task>::new(settings, shapes, device)?)
                    })*
                })
            }

            /// The task's name.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$task(_) => <$module::$task as Task>::NAME,)* }
            }

            /// What the task reads.
            pub fn reads(&self) -> Reads {
                match self { $(Self::$task(_) => <$module::$task as Task>::READS,)* }
            }

            /// [`Task::forward`].
            pub fn forward(&self, features: &Features) -> Output {
                match self { $(Self::$task(task) => task.forward(features),)* }
            }

            /// [`Task::gives_depth`].
            pub fn gives_depth(&self) -> bool {
                match self { $(Self::$task(task) => task.gives_depth(),)* }
            }

            /// [`Task::depth_distribution`].
            pub fn depth_distribution(&self, output: &Output) -> Option<DepthDistribution> {
                match self { $(Self::$task(task) => task.depth_distribution(output),)* }
            }

            /// [`Task::targets`].
            pub fn targets(&self, samples: &[Sample], device: &Device) -> HeadTargets {
                match self {
                    $(Self::$task(task) => HeadTargets::$task(task.targets(samples, device)),)*
                }
            }

            /// [`Task::loss`].
            ///
            /// # Panics
            /// If the targets are another task's.
            pub fn loss(&self, output: &Output, targets: &HeadTargets) -> Tensor<1> {
                match (self, targets) {
                    $((Self::$task(task), HeadTargets::$task(targets)) => task.loss(output, targets),)*
                    _ => panic!("targets of another task than {}", self.name()),
                }
            }

            /// [`Task::decode`].
            pub fn decode(&self, output: &Output, samples: &[Sample], into: &mut [VectorSpace]) {
                match self { $(Self::$task(task) => task.decode(output, samples, into),)* }
            }

            /// [`Task::tally`].
            pub fn tally(&self) -> HeadTally {
                match self { $(Self::$task(task) => HeadTally::$task(task.tally()),)* }
            }

            /// [`Task::count`].
            ///
            /// # Panics
            /// If the tally is another task's.
            pub fn count(
                &self,
                tally: &mut HeadTally,
                predicted: &[VectorSpace],
                truth: &[VectorSpace],
            ) {
                match (self, tally) {
                    $((Self::$task(task), HeadTally::$task(tally)) => {
                        task.count(tally, predicted, truth);
                    })*
                    _ => panic!("a tally of another task than {}", self.name()),
                }
            }

            /// [`Task::figures`].
            ///
            /// # Panics
            /// If the tally is another task's.
            pub fn figures(&self, tally: &HeadTally) -> Vec<(String, f64)> {
                match (self, tally) {
                    $((Self::$task(task), HeadTally::$task(tally)) => task.figures(tally),)*
                    _ => panic!("a tally of another task than {}", self.name()),
                }
            }

            /// [`Task::scores`].
            pub fn scores(
                &self,
                predicted: &[VectorSpace],
                truth: &[VectorSpace],
            ) -> Vec<(String, f64)> {
                match self { $(Self::$task(task) => task.scores(predicted, truth),)* }
            }

            /// [`Task::excerpt`].
            pub fn excerpt(&self, truth: &VectorSpace, into: &mut VectorSpace) {
                match self { $(Self::$task(task) => task.excerpt(truth, into),)* }
            }

            /// [`Task::baselines`].
            pub fn baselines(&self, training: &[VectorSpace]) -> Vec<(&'static str, VectorSpace)> {
                match self { $(Self::$task(task) => task.baselines(training),)* }
            }
        }
    };
}

tasks! {
    /// Class per pixel of each camera.
    semantics: Semantics,
    /// Instance per pixel of each camera.
    instances: Instances,
    /// Depth per pixel of each camera, as a distribution that the lift can use.
    depth: Depth,
    /// Free or a class for each voxel.
    occupancy: Occupancy,
    /// Velocity of each occupied voxel; behind occupancy in a list of tasks.
    occupancy_flow: OccupancyFlow,
    /// Height, drivable and class of the ground.
    surface: Surface,
    /// Boxes of what moves.
    detection: Detection,
    /// Keypoints of people; behind detection in a list of tasks.
    keypoints: Keypoints,
    /// Centrelines as map segmentation.
    lanes: Lanes,
    /// Lanes as a graph, point after point.
    lane_graph: LaneGraphs,
}

/// Width and height of the pictures of a batch, which all share.
fn cameras_of(samples: &[Sample]) -> [usize; 2] {
    let image = samples.iter().find_map(|sample| sample.present().images.first());
    image.map_or([0, 0], |image| [image.width, image.height])
}

/// The truth of each camera of each present moment, in the order of the features.
fn views_of(samples: &[Sample]) -> impl Iterator<Item = Option<&CameraView>> {
    samples.iter().flat_map(|sample| {
        let moment = sample.present();
        let views = &moment.truth.cameras;
        let own = |name: &String| views.iter().find(|view| view.camera == *name);
        moment.rig.cameras.iter().map(move |camera| own(&camera.name))
    })
}

/// What is said about a camera; added where nothing was yet.
fn camera_view<'a>(space: &'a mut VectorSpace, camera: &str) -> &'a mut CameraView {
    let found = space.cameras.iter().position(|view| view.camera == camera);
    let index = found.unwrap_or_else(|| {
        space.cameras.push(CameraView { camera: camera.to_owned(), ..CameraView::default() });
        space.cameras.len() - 1
    });
    &mut space.cameras[index]
}

#[cfg(test)]
mod tests {
    use ommatidia_scene::GridSpec;

    use super::{
        testing::{features, pyramid_shapes, sample_with, space_shapes},
        *,
    };

    const GRID: GridSpec =
        GridSpec { min_corner_m: [-6.4, -6.4, -2.0], voxel_m: 0.8, size: [16, 16, 4] };

    #[test]
    fn every_task_runs_from_its_default_settings() {
        let device = Device::flex();
        let shapes = space_shapes(GRID);
        let samples = [sample_with(&["a", "b"], [64, 32], VectorSpace::default())];
        let features = features(&shapes, &samples, &device);
        for settings in all_settings() {
            let name = settings.name();
            let head = Head::new(&settings, &shapes, &device).unwrap();
            assert_eq!((head.name(), head.reads()), (name, settings.reads()));
            let output = head.forward(&features);
            let loss = head.loss(&output, &head.targets(&samples, &device)).into_scalar::<f32>();
            assert_eq!(loss, 0.0, "{name}: nothing is known");
            let mut decoded = vec![VectorSpace::default()];
            head.decode(&output, &samples, &mut decoded);
            assert_ne!(decoded[0], VectorSpace::default(), "{name} says something");
            assert_eq!(head.scores(&decoded, &[VectorSpace::default()]), [], "{name}: no truth");
            assert!(!head.baselines(&[]).is_empty(), "{name} has something to beat");
        }
    }

    /// Excerpts are what is counted and learnt from: nothing else of a truth may matter.
    #[test]
    fn excerpts_score_as_the_whole_truth() {
        let device = Device::flex();
        let shapes = space_shapes(GRID);
        let finer = GridSpec { min_corner_m: [-6.4, -6.4, -2.0], voxel_m: 0.4, size: [32, 32, 8] };
        let truth = testing::column_world(finer, 0);
        let samples = [sample_with(&["a", "b"], [64, 32], truth.clone())];
        let features = features(&shapes, &samples, &device);
        let mut judged = 0;
        for settings in all_settings() {
            let head = Head::new(&settings, &shapes, &device).unwrap();
            let mut excerpt = VectorSpace::default();
            head.excerpt(&truth, &mut excerpt);
            let mut decoded = vec![VectorSpace::default()];
            head.decode(&head.forward(&features), &samples, &mut decoded);
            let whole = head.scores(&decoded, std::slice::from_ref(&truth));
            assert_eq!(head.scores(&decoded, &[excerpt.clone()]), whole, "{}", head.name());
            assert_eq!(head.baselines(&[excerpt]), head.baselines(std::slice::from_ref(&truth)));
            judged += usize::from(!whole.is_empty());
        }
        assert!(judged > 0, "occupancy knows something here");
    }

    #[test]
    fn settings_are_read_by_the_name_of_their_task() {
        for settings in all_settings() {
            let text = toml::to_string(&settings).unwrap();
            assert!(text.starts_with(&format!("task = \"{}\"", settings.name())), "{text}");
            assert_eq!(toml::from_str::<HeadSettings>(&text).unwrap(), settings);
            let short = format!("task = \"{}\"", settings.name());
            assert_eq!(toml::from_str::<HeadSettings>(&short).unwrap(), settings);
            let wrong = toml::from_str::<HeadSettings>(&format!("{short}\nno_such_key = 1"));
            assert!(wrong.unwrap_err().to_string().contains("no_such_key"));
        }
        assert!(toml::from_str::<HeadSettings>("task = \"telepathy\"").is_err());
    }

    #[test]
    fn tasks_of_space_refuse_a_network_without() {
        for settings in all_settings().iter().filter(|settings| settings.reads() == Reads::Space) {
            let error = Head::new(settings, &pyramid_shapes(), &Device::flex()).unwrap_err();
            assert!(error.to_string().contains("has none"), "{error}");
        }
    }
}
