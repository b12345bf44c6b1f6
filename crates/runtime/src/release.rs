//! What runs: a network with what must fit to it, from a bundle or an exported file.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use ommatidia_model::NetworkConfig;
use ommatidia_onnx::metadata::CONTRACT;
use ommatidia_onnx::proto;
use ommatidia_scene::{ContentHash, Input, Taxonomy};
use ommatidia_store::{Error as StoreError, hash};
use ommatidia_train::TrainConfig;
use ommatidia_update::bundle::{Bundle, Role};
use ommatidia_update::disk::ReadAt;

use crate::sketch::{Reference, Sketches};
use crate::{Error, contract::CalibrationContract};

/// Largest file of a bundle that is read whole, bytes: what a protobuf message can have.
const MOST_BYTES: u64 = 2 << 30;

/// A network with what must fit to it.
pub struct Release {
    /// What to call it in messages: product and release of a bundle, path of a file.
    pub origin: String,
    /// The ONNX file.
    pub network: Vec<u8>,
    /// Its hash, for provenance.
    pub identity: Input,
    /// How the network is made.
    pub config: NetworkConfig,
    /// Name of the taxonomy that its classes are of.
    pub taxonomy: String,
    /// Cameras that it is of.
    pub cameras: usize,
    /// Weights as the trainer keeps them: where something is decoded step by step.
    pub weights: Option<Vec<u8>>,
    /// Distributions of its outputs at release.
    pub reference: Option<Sketches>,
    /// What the vehicle's cameras must be like.
    pub calibration: Option<CalibrationContract>,
}

impl Release {
    /// An exported file by itself.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Release`].
    pub fn from_onnx(path: &Path) -> Result<Self, Error> {
        let bytes = std::fs::read(path).map_err(|cause| StoreError::read(path, cause))?;
        Self::new(path.display().to_string(), bytes)
    }

    /// A bundle's file. Every byte is compared with what the manifest names.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Update`] for a bundle that is none, [`Error::Release`].
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(|cause| StoreError::read(path, cause))?;
        Self::from_source(&file)
    }

    /// A bundle, wherever it lies. Every byte is compared with what the manifest names.
    ///
    /// # Errors
    /// As [`Self::from_file`].
    pub fn from_source(source: &dyn ReadAt) -> Result<Self, Error> {
        let bundle = Bundle::open(source)?;
        bundle.verify_contents()?;
        Self::from_bundle(&bundle)
    }

    /// What a bundle holds, whose contents were verified.
    ///
    /// # Errors
    /// [`Error::Update`], [`Error::Release`] where parts do not fit each other.
    pub fn from_bundle(bundle: &Bundle<'_>) -> Result<Self, Error> {
        let manifest = bundle.manifest();
        let origin = format!("{} release {}", manifest.name, manifest.release);
        let fail = |what: String| Error::Release { origin: origin.clone(), what };
        let read = |role: Role| -> Result<Option<Vec<u8>>, Error> {
            let mut files = manifest.files.iter().filter(|file| file.role == role);
            let Some(file) = files.next() else { return Ok(None) };
            if files.next().is_some() || file.bytes > MOST_BYTES {
                return Err(fail(format!("it must hold one file of role {role:?}, of 2 GiB")));
            }
            let mut bytes = Vec::new();
            let read = bundle.read(&file.path)?.read_to_end(&mut bytes);
            read.map_err(|cause| fail(format!("cannot read {}: {cause}", file.path)))?;
            Ok(Some(bytes))
        };
        let text = |role: Role| -> Result<Option<String>, Error> {
            let bytes = read(role)?.map(String::from_utf8).transpose();
            bytes.map_err(|_| fail(format!("its file of role {role:?} is no text")))
        };
        let network = read(Role::Onnx)?.ok_or_else(|| {
            fail("it holds no file of role onnx; omma export writes one".to_owned())
        })?;
        let mut release = Self::new(origin.clone(), network)?;
        if let Some(text) = text(Role::Config)? {
            let config: TrainConfig<NetworkConfig> =
                toml::from_str(&text).map_err(|cause| fail(format!("its config: {cause}")))?;
            if config.network != release.config {
                let what = "its config is of another network than its ONNX file; export it again";
                return Err(fail(what.to_owned()));
            }
        }
        if let Some(text) = text(Role::Taxonomy)? {
            let taxonomy =
                Taxonomy::parse(&text).map_err(|cause| fail(format!("its taxonomy: {cause}")))?;
            if taxonomy.name != release.taxonomy {
                let (found, wanted) = (taxonomy.name, release.taxonomy);
                return Err(fail(format!("its taxonomy is {found}, its network's is {wanted}")));
            }
        }
        if let Some(bytes) = read(Role::Reference)? {
            let reference: Result<Reference, _> = serde_json::from_slice(&bytes);
            let sketches = reference
                .map_err(|cause| cause.to_string())
                .and_then(|reference| reference.sketches());
            release.reference = Some(sketches.map_err(|what| fail(format!("reference: {what}")))?);
        }
        if let Some(text) = text(Role::CalibrationContract)? {
            let contract = toml::from_str(&text)
                .map_err(|cause| fail(format!("its calibration contract: {cause}")))?;
            release.calibration = Some(contract);
        }
        release.weights = read(Role::Weights)?;
        Ok(release)
    }

    fn new(origin: String, network: Vec<u8>) -> Result<Self, Error> {
        let fail = |what: String| Error::Release { origin: origin.clone(), what };
        let model = ommatidia_onnx::decode(&network)?;
        let entry = |key: &str| {
            let found = model.metadata_props.iter().find(|entry| entry.key == key);
            found.map(|entry| entry.value.as_str()).ok_or_else(|| {
                fail(format!("its ONNX file has no metadata {key}; write it with omma export"))
            })
        };
        let contract = entry("omma.contract")?;
        if contract != CONTRACT.to_string() {
            return Err(fail(format!(
                "its ONNX file follows contract {contract}, this program {CONTRACT}"
            )));
        }
        let config: NetworkConfig = serde_json::from_str(entry("omma.network")?)
            .map_err(|cause| fail(format!("metadata omma.network: {cause}")))?;
        config.check().map_err(|cause| fail(format!("metadata omma.network: {cause}")))?;
        let image = &config.image;
        let cameras = match shape(&model, "images")[..] {
            [cameras, 3, height, width] if [height, width] == [image.height, image.width] => {
                cameras
            }
            ref other => {
                return Err(fail(format!(
                    "its input images is {other:?}, not [cameras, 3, {}, {}]",
                    image.height, image.width
                )));
            }
        };
        let taxonomy = entry("omma.taxonomy")?.to_owned();
        let blake3: ContentHash = hash::of_bytes(&network);
        let identity = Input { name: "network".to_owned(), blake3 };
        Ok(Self {
            origin,
            network,
            identity,
            config,
            taxonomy,
            cameras,
            weights: None,
            reference: None,
            calibration: None,
        })
    }
}

/// Sizes of an input; empty where there is none.
fn shape(model: &proto::Model, name: &str) -> Vec<usize> {
    let input = model.graph.iter().flat_map(|graph| &graph.input).find(|input| input.name == name);
    let tensor = input.and_then(|input| input.r#type.as_ref()?.tensor_type.as_ref());
    let shape = tensor.and_then(|tensor| tensor.shape.as_ref());
    let side = |side: Option<i64>| side.and_then(|side| usize::try_from(side).ok()).unwrap_or(0);
    shape.map(|shape| shape.dim.iter().map(|dim| side(dim.dim_value)).collect()).unwrap_or_default()
}
