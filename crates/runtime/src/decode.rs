//! From an engine's outputs to a vector space, by the decoders that `omma predict` uses.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use ommatidia_model::{Features, Network, Outputs, Sample, tasks::Head};
use ommatidia_onnx::check;
use ommatidia_onnx::engines::Value;
use ommatidia_scene::VectorSpace;
use ommatidia_train::{checkpoint, flat::Layout};

use crate::{Error, Release};

/// What is decoded point by point, with weights that the ONNX file does not hold.
const STEP_BY_STEP: &str = "lane_graph";

/// The heads of a network, to decode with.
pub(crate) struct Decoder {
    heads: Vec<Head>,
    /// Names, shapes and order of what the heads say.
    like: Outputs,
    device: Device,
}

impl Decoder {
    /// For a release.
    pub(crate) fn new(release: &Release) -> Result<Self, Error> {
        let device = Device::flex();
        let heads = heads(release, &device)?;
        let features = nothing(release, &device);
        let like = Outputs { heads: heads.iter().map(|head| head.forward(&features)).collect() };
        Ok(Self { heads, like, device })
    }

    /// The vector space of one moment.
    pub(crate) fn decode(&self, found: &[Value], sample: &Sample) -> Result<VectorSpace, Error> {
        let outputs = check::outputs(&self.heads, &self.like, found, &self.device)?;
        let timestamp = sample.present().timestamp;
        let mut spaces = [VectorSpace { timestamp, ..VectorSpace::default() }];
        for (head, output) in self.heads.iter().zip(&outputs.heads) {
            head.decode(output, std::slice::from_ref(sample), &mut spaces);
        }
        let [space] = spaces;
        Ok(space)
    }

    /// Whether objects are found.
    pub(crate) fn finds_objects(&self) -> bool {
        self.heads.iter().any(|head| head.name() == "detection")
    }
}

/// Heads know their settings; weights matter only to those that decode with them.
fn heads(release: &Release, device: &Device) -> Result<Vec<Head>, Error> {
    let config = &release.config;
    let fail = |what: String| Error::Release { origin: release.origin.clone(), what };
    if !config.heads.iter().any(|head| head.name() == STEP_BY_STEP) {
        let shapes = config.shapes();
        let heads = config.heads.iter().map(|settings| Head::new(settings, &shapes, device));
        return heads.collect::<Result<_, _>>().map_err(|cause| fail(cause.to_string()));
    }
    let weights = release.weights.as_ref().ok_or_else(|| {
        fail(format!(
            "{STEP_BY_STEP} is decoded step by step, with weights that an ONNX file does not hold; run a bundle with a file of role weights"
        ))
    })?;
    let fresh = Network::new(config, device).map_err(|cause| fail(cause.to_string()))?;
    let layout = Layout::of(&fresh);
    let row = checkpoint::parse_weights(weights, Path::new(&release.origin), &layout)?;
    Ok(layout.scatter(fresh, &row).valid().heads().to_vec())
}

/// Features of the release's shapes that say nothing.
fn nothing(release: &Release, device: &Device) -> Features {
    let (config, shapes) = (&release.config, release.config.shapes());
    let [height, width] = [config.image.height, config.image.width];
    let level = |level: &ommatidia_model::Level| {
        let [rows, columns] = [height, width].map(|side| side.div_ceil(level.stride));
        Tensor::zeros([release.cameras, level.channels, rows, columns], device)
    };
    let space = shapes.space.map(|space| {
        let [x, y, _] = space.grid.size.map(|side| side as usize);
        Tensor::zeros([1, space.channels, x, y], device)
    });
    Features { pyramid: shapes.pyramid.iter().map(level).collect(), space }
}
