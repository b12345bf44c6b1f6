//! Changes a sample at random, picture and vector space together, and fits it to the network.

use ommatidia_model::{Moment, Sample};
use ommatidia_scene::{CameraView, RgbImage};
use serde::{Deserialize, Serialize};

use super::colour::{Colour, blur};
use super::space::Turn;
use super::view::View;
use crate::random::Random;

/// How samples are changed while training. The default changes nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AugmentConfig {
    /// Least and most enlargement beyond what fits the picture to the network; the part shown is then
    /// chosen at random. CamVid's usual 0.5 to 2 (Yu et al. 2018, BiSeNet, section 4.1).
    pub scale: [f64; 2],
    /// Probability that left and right are swapped, vector space and all.
    pub flip: f64,
    /// The ego frame is turned by up to this either way, degrees (Huang et al. 2021, BEVDet, section 3.2: 22.5).
    pub turn_deg: f64,
    /// Brightness, contrast, saturation are multiplied by 1 minus to 1 plus this.
    pub colour: f64,
    /// Probability of a slight blur.
    pub blur: f64,
}

impl Default for AugmentConfig {
    fn default() -> Self {
        Self { scale: [1.0, 1.0], flip: 0.0, turn_deg: 0.0, colour: 0.0, blur: 0.0 }
    }
}

impl AugmentConfig {
    /// Whether the numbers can be used; the first that cannot, in words.
    pub(crate) fn check(&self) -> Result<(), String> {
        let [least, most] = self.scale;
        let probability = |p: f64| (0.0..=1.0).contains(&p);
        if !(least >= 0.1 && most >= least && most <= 10.0) {
            return Err(format!(
                "augment.scale is [{least}, {most}]; give 0.1 <= least <= most <= 10"
            ));
        }
        if !probability(self.flip) || !probability(self.blur) {
            return Err("augment.flip and augment.blur are probabilities: 0 to 1".to_owned());
        }
        if !(0.0..=180.0).contains(&self.turn_deg) || !(0.0..0.9).contains(&self.colour) {
            return Err("augment.turn_deg is 0 to 180, augment.colour 0 to 0.9".to_owned());
        }
        Ok(())
    }
}

/// Fits a sample to the network's size without any other change.
pub fn fit(sample: Sample, size: [usize; 2]) -> Sample {
    let moments = sample.moments.into_iter().map(|moment| {
        let views: Vec<View> = moment
            .images
            .iter()
            .map(|image| View::stretch(image.width, image.height, size))
            .collect();
        apply(moment, &views, Turn::default())
    });
    Sample { name: sample.name, moments: moments.collect() }
}

/// Changes a sample as the stream of random numbers says, and fits it. All moments of a camera are seen
/// alike, as the camera does not move against the vehicle.
pub(crate) fn augment(
    sample: Sample,
    size: [usize; 2],
    config: &AugmentConfig,
    random: &mut Random,
) -> Sample {
    let most = config.turn_deg.to_radians();
    let turn = Turn { mirror: random.chance(config.flip), yaw_rad: random.between(-most, most) };
    let first = &sample.moments[0].images;
    let views: Vec<View> = first
        .iter()
        .map(|image| random_view(image, size, config.scale, turn.mirror, random))
        .collect();
    let look = |random: &mut Random| {
        let mut factor = || random.between(1.0 - config.colour, 1.0 + config.colour) as f32;
        let colour = Colour { brightness: factor(), contrast: factor(), saturation: factor() };
        (colour, random.chance(config.blur))
    };
    let looks: Vec<(Colour, bool)> = first.iter().map(|_| look(random)).collect();
    let moments = sample.moments.into_iter().map(|moment| {
        let mut moment = apply(moment, &views, turn);
        for (image, (colour, blurred)) in moment.images.iter_mut().zip(&looks) {
            if config.colour > 0.0 {
                colour.apply(image);
            }
            if *blurred {
                blur(image);
            }
        }
        moment
    });
    Sample { name: sample.name, moments: moments.collect() }
}

/// A part of the picture, or the picture with a border, of the network's size.
fn random_view(
    image: &RgbImage,
    size: [usize; 2],
    [least, most]: [f64; 2],
    mirror: bool,
    random: &mut Random,
) -> View {
    let fit = View::stretch(image.width, image.height, size);
    // Even in the logarithm: halving is as likely as doubling.
    let zoom = random.between(least.ln(), most.ln()).exp();
    let scale = fit.scale.map(|scale| scale * zoom);
    let mut place = |axis: usize| {
        let spare = size[axis] as f64 * (1.0 - zoom);
        (random.unit() * spare).round()
    };
    View { scale, offset_px: [place(0), place(1)], mirror, size }
}

/// Changes a moment: pictures, what cameras see, calibration, poses and vector space.
fn apply(moment: Moment, views: &[View], turn: Turn) -> Moment {
    let mut rig = turn.rig(&moment.rig);
    let sizes: Vec<[usize; 2]> = moment.images.iter().map(|i| [i.width, i.height]).collect();
    for (camera, view) in rig.cameras.iter_mut().zip(views) {
        *camera = view.camera(camera);
    }
    let seen = |camera: &CameraView| {
        let index = rig.camera_index(&camera.camera)?;
        Some(views[index].truth(camera, sizes[index]))
    };
    let cameras = moment.truth.cameras.iter().filter_map(seen).collect();
    let mut truth = turn.space(moment.truth);
    truth.cameras = cameras;
    Moment {
        timestamp: moment.timestamp,
        images: moment.images.iter().zip(views).map(|(image, view)| view.picture(image)).collect(),
        rig,
        world_from_ego: moment.world_from_ego.map(|pose| turn.world(&pose)),
        truth,
    }
}
