//! What a network is made of, as written in TOML.

use ommatidia_scene::GridSpec;
use serde::{Deserialize, Serialize};

use crate::{
    Error,
    backbone::{BackboneConfig, FIRST_STRIDE},
    lift::LiftConfig,
    memory::MemoryConfig,
    neck::NeckConfig,
    task::{Level, Shapes, SpaceShape},
    tasks::HeadSettings,
};

/// The presets by name, smallest first, as TOML.
pub const PRESETS: &[(&str, &str)] = &[
    ("nano", include_str!("presets/nano.toml")),
    ("small", include_str!("presets/small.toml")),
    ("base", include_str!("presets/base.toml")),
    ("large", include_str!("presets/large.toml")),
];

/// A network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// Pictures that the network takes.
    pub image: ImageConfig,
    /// From pictures to features of several sizes.
    pub backbone: BackboneConfig,
    /// From those to a pyramid of equal channels.
    pub neck: NeckConfig,
    /// Bird's-eye space; left out where only pictures are read.
    #[serde(default)]
    pub space: Option<SpaceConfig>,
    /// The tasks.
    #[serde(default)]
    pub heads: Vec<HeadSettings>,
    /// How the losses of several tasks make one.
    #[serde(default)]
    pub balance: Balance,
}

/// How the losses of several tasks make one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// Their sum.
    #[default]
    Sum,
    /// Each by a learned uncertainty (Kendall et al. 2018, equation (10)).
    Uncertainty,
}

/// Size and range of the pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageConfig {
    /// Pixels along y.
    pub height: usize,
    /// Pixels along x.
    pub width: usize,
    /// Subtracted from red, green, blue in 0 to 255.
    #[serde(default = "ImageConfig::imagenet_mean")]
    pub mean: [f32; 3],
    /// Then divided by.
    #[serde(default = "ImageConfig::imagenet_deviation")]
    pub deviation: [f32; 3],
}

impl ImageConfig {
    /// Means of ImageNet, which published weights expect.
    fn imagenet_mean() -> [f32; 3] {
        [123.675, 116.28, 103.53]
    }

    /// Standard deviations of ImageNet.
    fn imagenet_deviation() -> [f32; 3] {
        [58.395, 57.12, 57.375]
    }
}

/// The space around the vehicle and what fills it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpaceConfig {
    /// Voxels that features are lifted to.
    pub grid: GridSpec,
    /// How they are lifted.
    #[serde(default)]
    pub lift: LiftConfig,
    /// Channels of the bird's-eye space, height folded in.
    pub channels: usize,
    /// Residual blocks over it.
    pub blocks: usize,
    /// What is remembered; left out for single moments.
    #[serde(default)]
    pub memory: Option<MemoryConfig>,
}

impl NetworkConfig {
    /// A preset by its name.
    ///
    /// # Errors
    /// [`Error::Preset`] names those that there are.
    pub fn preset(name: &str) -> Result<Self, Error> {
        let found = PRESETS.iter().find(|(preset, _)| *preset == name);
        let Some((_, text)) = found else {
            let known = PRESETS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
            return Err(Error::Preset { name: name.to_owned(), known });
        };
        Ok(toml::from_str(text).expect("presets are tested"))
    }

    /// What heads can read.
    pub fn shapes(&self) -> Shapes {
        let channels = self.neck.channels;
        let level = |level: usize| Level { channels, stride: FIRST_STRIDE << level };
        let space = |space: &SpaceConfig| SpaceShape { channels: space.channels, grid: space.grid };
        Shapes {
            pyramid: (self.neck.first..self.backbone.channels().len()).map(level).collect(),
            space: self.space.as_ref().map(space),
        }
    }

    /// Whether there is such a network.
    ///
    /// # Errors
    /// [`Error::Config`] names the setting that does not fit and what would.
    pub fn check(&self) -> Result<(), Error> {
        let ImageConfig { height, width, deviation, .. } = &self.image;
        range("image.height", *height, 32, 8192)?;
        range("image.width", *width, 32, 8192)?;
        if !deviation.iter().all(|value| *value > 0.0) {
            return fail("image.deviation", "must be positive");
        }
        self.backbone.check()?;
        let stages = self.backbone.channels().len();
        self.neck.check(stages)?;
        self.check_heads()?;
        let Some(space) = &self.space else { return Ok(()) };
        range("space.channels", space.channels, 1, 4096)?;
        range("space.blocks", space.blocks, 0, 64)?;
        for side in space.grid.size {
            range("space.grid.size", side as usize, 1, 2048)?;
        }
        if space.grid.len() > MAX_VOXELS {
            let why =
                format!("has {} voxels; it must have {MAX_VOXELS} or fewer", space.grid.len());
            return fail("space.grid.size", &why);
        }
        if !space.grid.min_corner_m.iter().all(|m| m.is_finite()) {
            return fail("space.grid.min_corner_m", "must be finite");
        }
        let stride = FIRST_STRIDE << (self.neck.first + space.lift.level);
        for (what, side) in [("image.height", *height), ("image.width", *width)] {
            if !side.is_multiple_of(stride) {
                let why = format!("is {side}; for the lift it must be a multiple of {stride}");
                return fail(what, &why);
            }
        }
        if !(space.grid.voxel_m > 0.0 && space.grid.voxel_m.is_finite()) {
            return fail("space.grid.voxel_m", "must be positive");
        }
        space.lift.check(stages - self.neck.first)?;
        space.memory.as_ref().map_or(Ok(()), MemoryConfig::check)
    }

    /// Each task at most once, and those that add to what others decode behind them.
    fn check_heads(&self) -> Result<(), Error> {
        let names: Vec<&str> = self.heads.iter().map(HeadSettings::name).collect();
        let place = |name: &str| names.iter().position(|found| *found == name);
        for (index, name) in names.iter().enumerate() {
            if place(name) != Some(index) {
                return fail("heads", &format!("name {name} twice; a task has one head"));
            }
        }
        for (first, then) in [("occupancy", "occupancy_flow"), ("detection", "keypoints")] {
            if place(then).zip(place(first)).is_some_and(|(then, first)| then < first) {
                return fail(
                    "heads",
                    &format!("have {then} before {first}, whose result it adds to"),
                );
            }
        }
        if ["lanes", "lane_graph"].iter().all(|name| place(name).is_some()) {
            return fail(
                "heads",
                "have both lanes and lane_graph, which decode the same; keep one",
            );
        }
        Ok(())
    }
}

/// Most voxels of a space: memory of a table grows with it.
const MAX_VOXELS: usize = 1 << 25;

/// Refuses a number that is out of bounds.
pub(crate) fn range(what: &str, value: usize, least: usize, most: usize) -> Result<(), Error> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    fail(what, &format!("is {value}; it must be {least} to {most}"))
}

/// Refuses a setting.
pub(crate) fn fail(what: &str, why: &str) -> Result<(), Error> {
    Err(Error::Config { what: what.to_owned(), why: why.to_owned() })
}
