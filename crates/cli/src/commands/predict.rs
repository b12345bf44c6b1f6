//! `omma predict RUN CLIP|FOLDER… --out DIR`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use burn::module::Module;
use burn::tensor::Device;
use clap::Args;
use ommatidia_geometry::{Ego, Pose, Timestamp, World};
use ommatidia_model::tasks::tracking::{Tracker, TrackingSettings};
use ommatidia_model::{Network, NetworkConfig};
use ommatidia_scene::{
    ClassId, ContentHash, Input, Object, Provenance, Rig, Skipped, Taxonomy, Trajectory,
    VectorSpace,
};
use ommatidia_store::labels::{ClipIdentity, Manifest, SpaceWriter};
use ommatidia_store::{Error as StoreError, atomic, hash, results::class_maps};
use ommatidia_train::data::{ClipSource, MAP, Pictures, SkipLog, Source, Window};
use ommatidia_train::flat::Layout;
use ommatidia_train::{TrainConfig, checkpoint, predict, predict_stream, run as folder};
use serde::Serialize;

use super::train::plan::{DeviceName, read_taxonomy};
use crate::args::Common;
use crate::failure::Failure;
use crate::{output, progress};

/// Ask a trained network about clips or pictures, and write what it says as labels
///
/// For folders of pictures also as class maps: `DIR/NAME/class_maps`, numbered as the taxonomy maps them.
/// Objects of clips keep their number over time; a network with a memory sees the frames of a clip in order.
#[derive(Debug, Args)]
pub(crate) struct PredictArguments {
    /// Folder of the run
    run: PathBuf,
    /// Clips (.mcap) and folders of pictures
    #[arg(required = true, value_name = "CLIP|FOLDER")]
    inputs: Vec<PathBuf>,
    /// Where labels are written: a directory per input, named after it
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Weights of the run: those with the best score, or the last
    #[arg(long, value_enum, default_value_t = Which::Best)]
    weights: Which,
    /// Leave objects without numbers that say which are the same over time
    #[arg(long)]
    no_tracking: bool,
    /// Where the network is computed
    #[arg(long, value_enum, default_value_t = DeviceName::Auto)]
    device: DeviceName,
}

/// Weights of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Which {
    Best,
    Last,
}

#[derive(Debug, Serialize)]
struct Predicted {
    clip: PathBuf,
    labels: PathBuf,
    frames: usize,
    /// Objects told apart over time; none where no head finds objects.
    tracks: Option<u64>,
    skipped: Vec<Skipped>,
}

#[derive(Serialize)]
struct PredictResult {
    clips: Vec<Predicted>,
}

/// A trained network and what goes with it.
pub(crate) struct Trained {
    pub(crate) network: Network,
    pub(crate) device: Device,
    pub(crate) config: TrainConfig<NetworkConfig>,
    pub(crate) taxonomy: Taxonomy,
    pub(crate) weights: Input,
}

pub(crate) fn run(arguments: &PredictArguments, common: &Common) -> Result<ExitCode, Failure> {
    ommatidia_kernels::allocator::keep_freed_memory();
    let names = names(&arguments.inputs)?;
    let trained = load(&arguments.run, arguments.weights, arguments.device)?;
    atomic::create_directory(&arguments.out)?;
    let mut clips = Vec::new();
    for (input, name) in arguments.inputs.iter().zip(names) {
        let labels = arguments.out.join(name);
        clips.push(one(&trained, input, labels, (arguments.no_tracking, common))?);
    }
    let result = PredictResult { clips };
    output::print(common, &result, || result.clips.iter().map(describe).collect())
}

/// What the labels of each input are called: a clip's name without its ending, a folder's name.
fn names(inputs: &[PathBuf]) -> Result<Vec<String>, Failure> {
    let mut of: BTreeMap<String, &PathBuf> = BTreeMap::new();
    let mut names = Vec::new();
    for input in inputs {
        let name = if input.is_dir() { input.file_name() } else { input.file_stem() };
        let name = name.map(|name| name.to_string_lossy().into_owned());
        let name = name.ok_or_else(|| {
            Failure::input(format!("{}: has no name; give the folder by its own", input.display()))
        })?;
        if let Some(other) = of.insert(name.clone(), input) {
            return Err(Failure::input(format!(
                "{} and {} would both be written to {name}; predict them into an --out each",
                other.display(),
                input.display()
            )));
        }
        names.push(name);
    }
    Ok(names)
}

/// The network of a run.
pub(crate) fn load(run: &Path, which: Which, device: DeviceName) -> Result<Trained, Failure> {
    let path = run.join(folder::CONFIG);
    let text = std::fs::read_to_string(&path).map_err(|cause| StoreError::read(&path, cause))?;
    let config: TrainConfig<NetworkConfig> = toml::from_str(&text)
        .map_err(|cause| Failure::input(format!("{}: {cause}", path.display())))?;
    let taxonomy = read_taxonomy(&config.taxonomy)?;
    let device = device.open()?;
    let fresh = Network::new(&config.network, &device).map_err(Failure::input)?;
    let layout = Layout::of(&fresh);
    let best = run.join(folder::BEST);
    let best = (which == Which::Best && best.is_file()).then_some(best);
    let file = best.unwrap_or_else(|| run.join(folder::WEIGHTS));
    let row = checkpoint::read_weights(&file, &layout)?;
    let network = layout.scatter(fresh, &row).valid();
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let weights = Input { name, blake3: hash::of_file(&file)? };
    Ok(Trained { network, device, config, taxonomy, weights })
}

/// What an input is, besides its samples.
struct Subject {
    source: Box<dyn Source>,
    identity: ClipIdentity,
    rig: Rig,
    /// Times of a clip's frames; pictures of a folder are a second apart.
    frames: Vec<Timestamp>,
    /// Where the vehicle is at those times, where it is known.
    poses: Vec<Option<Pose<World, Ego>>>,
    /// Names of pictures, without endings.
    pictures: Option<Vec<String>>,
}

fn open(input: &Path) -> Result<Subject, Failure> {
    if input.is_file() {
        // What was before is remembered, where there is a memory.
        let source = ClipSource::unlabelled(input, Window::SINGLE)?;
        let clip = source.reader().clip();
        let identity =
            ClipIdentity { id: clip.id.clone(), content_hash: source.reader().content_hash() };
        let frames: Vec<Timestamp> = clip.frames.iter().map(|frame| frame.timestamp).collect();
        let path = clip.trajectory.as_ref();
        let pose = |&at: &Timestamp| path.and_then(|path| path.near(at, Trajectory::REACH));
        let poses = frames.iter().map(pose).collect();
        let rig = clip.rig.clone();
        let source = Box::new(source);
        return Ok(Subject { source, identity, rig, frames, poses, pictures: None });
    }
    let source = Pictures::unlabelled(input)?;
    let inputs = source.inputs()?;
    let identity = ClipIdentity { id: inputs[0].name.clone(), content_hash: inputs[0].blake3 };
    let stem = |index| {
        let path: &Path = source.path(index);
        path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
    };
    let pictures: Vec<String> = (0..source.len()).map(stem).collect();
    let mut sorted = pictures.clone();
    sorted.sort();
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Failure::input(format!(
            "{}: two pictures are called {}; their class maps would be one file",
            input.display(),
            pair[0]
        )));
    }
    let frames = (0..source.len()).map(|i| Timestamp::from_secs_f64(i as f64)).collect();
    let (rig, poses) = (first_rig(&source)?, vec![None; source.len()]);
    let (source, pictures) = (Box::new(source), Some(pictures));
    Ok(Subject { source, identity, rig, frames, poses, pictures })
}

/// The rig of the first picture that can be read; those before are skipped when their turn comes.
fn first_rig(source: &Pictures) -> Result<Rig, Failure> {
    let mut failure = None;
    for index in 0..source.len() {
        match source.read(index) {
            Ok(sample) => return Ok(sample.present().rig.clone()),
            Err(cause) => failure = failure.or(Some(cause)),
        }
    }
    Err(failure.map_or_else(|| Failure::input("there is no picture"), Failure::from))
}

fn one(
    trained: &Trained,
    input: &Path,
    labels: PathBuf,
    (no_tracking, common): (bool, &Common),
) -> Result<Predicted, Failure> {
    let subject = open(input)?;
    let maps = labels.join("class_maps");
    let mut writer = SpaceWriter::create(&labels)?;
    if subject.pictures.is_some() {
        atomic::create_directory(&maps)?;
    }
    let numbers = numbers(&trained.taxonomy);
    let bar = progress::bar(common, "predict", Some(subject.source.len() as u64));
    let skipped = SkipLog::default();
    let image = &trained.config.network.image;
    let sizes = ([image.width, image.height], trained.config.data.samples);
    let mut frames = 0;
    let finds = trained.network.heads().iter().any(|head| head.name() == "detection");
    let mut tracks = (finds && !no_tracking && subject.pictures.is_none()).then(Tracks::default);
    let mut each = |index: usize, sizes: &[[usize; 2]], mut space: VectorSpace| {
        space.timestamp = subject.frames[index];
        if let Some(pictures) = &subject.pictures {
            let path = maps.join(format!("{}.png", pictures[index]));
            write_map(&path, &space, &numbers, (sizes[0][0], sizes[0][1]))?;
        }
        if let (Some(tracks), Some(objects)) = (&mut tracks, &mut space.objects) {
            tracks.name(space.timestamp, subject.poses[index], objects);
        }
        writer.write(index as u32, &space)?;
        frames += 1;
        bar.inc(1);
        Ok(())
    };
    let network = (&trained.network, &trained.device);
    let memory = trained.config.network.space.as_ref().is_some_and(|space| space.memory.is_some());
    let streamed = memory && subject.pictures.is_none();
    let blind = subject.poses.iter().filter(|pose| pose.is_none()).count() as u64;
    if streamed {
        predict_stream(network, &*subject.source, sizes.0, &skipped, &mut each)?;
    } else {
        predict(network, &*subject.source, sizes, &skipped, &mut each)?;
    }
    bar.finish_and_clear();
    finish(trained, subject, writer)?;
    let mut skipped = skipped.all();
    skipped.extend(tracks.as_ref().and_then(Tracks::skipped));
    skipped.extend((streamed && blind > 0).then(|| Skipped {
        what: "memory of a frame's past".to_owned(),
        why: POSELESS.to_owned(),
        count: blind,
    }));
    let tracks = tracks.map(|tracks| tracks.tracker.started());
    Ok(Predicted { clip: input.to_owned(), labels, frames, tracks, skipped })
}

/// Why something that follows the vehicle is left out of a frame.
const POSELESS: &str = "the clip has no pose there";

/// Numbers of objects over time.
struct Tracks {
    tracker: Tracker,
    /// Frames of which nobody knows where the vehicle was.
    lost: u64,
}

impl Default for Tracks {
    fn default() -> Self {
        Self { tracker: Tracker::new(TrackingSettings::default()), lost: 0 }
    }
}

impl Tracks {
    fn name(&mut self, at: Timestamp, pose: Option<Pose<World, Ego>>, objects: &mut [Object]) {
        match pose {
            Some(world_from_ego) => self.tracker.step(at, &world_from_ego, objects),
            None => self.lost += 1,
        }
    }

    fn skipped(&self) -> Option<Skipped> {
        let what = "numbers of a frame's objects".to_owned();
        let skipped = Skipped { what, why: POSELESS.to_owned(), count: self.lost };
        (self.lost > 0).then_some(skipped)
    }
}

fn finish(trained: &Trained, subject: Subject, writer: SpaceWriter) -> Result<(), Failure> {
    let weights = trained.weights.clone();
    let clip = Input {
        name: format!("clip {}", subject.identity.id),
        blake3: subject.identity.content_hash,
    };
    let mut both = subject.identity.content_hash.0.to_vec();
    both.extend(weights.blake3.0);
    let key: ContentHash = hash::of_bytes(&both);
    let settings = serde_json::to_value(&trained.config).map_err(Failure::input)?;
    let provenance = Provenance::new(vec![clip, weights], settings);
    let taxonomy = trained.taxonomy.name.clone();
    let mut manifest = Manifest::new(subject.identity, provenance, taxonomy, subject.rig);
    manifest.frames = subject.frames;
    Ok(writer.finish(manifest, "network", key)?)
}

/// The number of each class in class maps: the smallest that the taxonomy maps onto it, its own place
/// where the taxonomy maps none.
fn numbers(taxonomy: &Taxonomy) -> [u8; 256] {
    let mut numbers: [u8; 256] = std::array::from_fn(|class| class as u8);
    for number in (0..=255_u8).rev() {
        if let Some(ClassId(class)) = taxonomy.from_foreign(MAP, &number.to_string()) {
            numbers[usize::from(class)] = number;
        }
    }
    numbers
}

fn write_map(
    path: &Path,
    space: &VectorSpace,
    numbers: &[u8; 256],
    size: (usize, usize),
) -> Result<(), ommatidia_train::Error> {
    let semantics = space.cameras.first().and_then(|camera| camera.semantics.as_ref());
    let Some(semantics) = semantics else { return Ok(()) };
    let classes: Vec<u8> = semantics.iter().map(|class| numbers[usize::from(class.0)]).collect();
    Ok(class_maps::write_classes(path, size, &classes)?)
}

fn describe(predicted: &Predicted) -> String {
    let tracks = predicted.tracks.map_or(String::new(), |count| format!(", {count} tracks"));
    let (labels, frames) = (predicted.labels.display(), predicted.frames);
    let line = format!("{labels}: {frames} frames{tracks}\n");
    line + &output::skipped(&predicted.skipped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        for name in ["city.day", "city.night", "drive", "other/drive"] {
            std::fs::create_dir_all(place(name)).unwrap();
        }
        let of = |given: &[&str]| names(&given.iter().map(|name| place(name)).collect::<Vec<_>>());
        let found = of(&["city.day", "city.night", "drive"]).unwrap();
        assert_eq!(found, ["city.day", "city.night", "drive"]);
        for twice in [["drive", "other/drive"], ["drive", "drive.mcap"]] {
            let Err(Failure::Input(report)) = of(&twice) else { panic!("{twice:?} was taken") };
            assert!(report.to_string().contains("both be written to drive"), "{report}");
        }
    }

    #[test]
    fn classes_get_their_numbers_back() {
        let camvid = Taxonomy::built_in("camvid").unwrap();
        let numbers = numbers(&camvid);
        for number in 0..=11_u8 {
            let class = camvid.from_foreign(MAP, &number.to_string()).unwrap();
            assert_eq!(numbers[usize::from(class.0)], number);
        }
        assert_eq!(numbers_of_driving()[1], 1);
    }

    fn numbers_of_driving() -> [u8; 256] {
        numbers(&Taxonomy::driving())
    }
}
