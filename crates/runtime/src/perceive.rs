//! One moment through the network.

use std::time::Duration;

use ommatidia_geometry::Timestamp;
use ommatidia_model::tasks::tracking::{Tracker, TrackingSettings};
use ommatidia_model::{Moment, NetworkConfig, Sample};
use ommatidia_onnx::engines::{Engine, Numbers, Value};
use ommatidia_scene::{CameraSensor, RgbImage, Rig, VectorSpace};
use ommatidia_train::{data::fit, full_size};

use crate::clock::Clock;
use crate::decode::Decoder;
use crate::memory::Memory;
use crate::{Error, Release};

/// What comes of a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Perceived {
    /// What is there, in the ego frame.
    pub space: VectorSpace,
    /// What the network said, before decoding.
    pub outputs: Vec<Value>,
    /// Where the time went.
    pub spans: Spans,
}

/// Where the time of a moment went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spans {
    /// Pictures to the network's size, tables, memory.
    pub prepare: Duration,
    /// The network in its engine.
    pub engine: Duration,
    /// Outputs to vector space.
    pub decode: Duration,
}

/// Whatever perceives: the network, or what stands for it in tests.
pub trait Perceive {
    /// What is there at a moment, whose pictures are as the cameras delivered them.
    ///
    /// # Errors
    /// [`Error::Engine`], [`Error::NotFinite`]; the next moment can be asked about all the same.
    fn perceive(&mut self, moment: Moment, clock: &dyn Clock) -> Result<Perceived, Error>;

    /// What comes next is of another drive.
    fn restart(&mut self);
}

/// A release in an engine.
pub struct Perceiver {
    engine: Box<dyn Engine>,
    config: NetworkConfig,
    decoder: Decoder,
    memory: Option<Memory>,
    tracker: Option<Tracker>,
    /// The rig that the tables in `inputs` are of, as the network's pictures are.
    rig: Option<Rig>,
    /// Pictures, and behind them what goes with the rig.
    inputs: Vec<Value>,
    /// How many of them go with the rig or are pictures.
    steady: usize,
}

impl Perceiver {
    /// For a release, in an engine that its network was loaded into.
    ///
    /// # Errors
    /// [`Error::Release`] where there is something that cannot be decoded.
    pub fn new(release: &Release, engine: Box<dyn Engine>) -> Result<Self, Error> {
        let decoder = Decoder::new(release)?;
        let tracker = decoder.finds_objects().then(|| Tracker::new(TrackingSettings::default()));
        let image = &release.config.image;
        let images = Value {
            name: "images".to_owned(),
            shape: vec![release.cameras, 3, image.height, image.width],
            data: Numbers::Floats(Vec::new()),
        };
        Ok(Self {
            engine,
            config: release.config.clone(),
            memory: Memory::of(&release.config),
            decoder,
            tracker,
            rig: None,
            inputs: vec![images],
            steady: 1,
        })
    }

    /// What the engine is called.
    pub fn engine(&self) -> &'static str {
        self.engine.name()
    }

    /// Looks at black pictures of a rig, so that tables are made and the engine has met every operator before
    /// the first frame comes.
    ///
    /// # Errors
    /// As [`Perceive::perceive`].
    pub fn warm_up(&mut self, rig: &Rig, clock: &dyn Clock) -> Result<(), Error> {
        let black = |camera: &CameraSensor| {
            let (width, height) = (camera.width as usize, camera.height as usize);
            RgbImage::new(width, height, vec![0; 3 * width * height])
        };
        let moment = Moment {
            timestamp: Timestamp(0),
            rig: rig.clone(),
            images: rig.cameras.iter().map(black).collect(),
            world_from_ego: None,
            truth: VectorSpace::default(),
        };
        self.perceive(moment, clock)?;
        self.restart();
        Ok(())
    }

    /// Makes the tables anew where the rig changed.
    fn calibrate(&mut self, rig: &Rig) {
        if self.rig.as_ref() == Some(rig) {
            return;
        }
        self.inputs.truncate(1);
        if let Some((shape, rays)) = self.config.rays(rig) {
            let (name, shape) = ("rays".to_owned(), shape.to_vec());
            self.inputs.push(Value { name, shape, data: Numbers::Floats(rays) });
        }
        if let Some((table, space)) = self.config.table(rig).zip(self.config.space.as_ref()) {
            let taps = table.pixel.len() / space.grid.len();
            let shape = vec![1, space.grid.len(), taps];
            let pixel = table.pixel.iter().map(|&pixel| i64::from(pixel)).collect();
            let value = |name: &str, data: Numbers| Value {
                name: name.to_owned(),
                shape: shape.clone(),
                data,
            };
            self.inputs.push(value("lift_pixel", Numbers::Integers(pixel)));
            self.inputs.push(value("lift_weight", Numbers::Floats(table.weight)));
            self.inputs.push(value("lift_depth_m", Numbers::Floats(table.depth_m)));
        }
        self.steady = self.inputs.len();
        self.rig = Some(rig.clone());
    }

    /// Fills the inputs.
    fn prepare(&mut self, moment: &Moment) -> Result<(), Error> {
        let (found, wanted) = (moment.images.len(), self.inputs[0].shape[0]);
        if found != wanted || moment.rig.cameras.len() != wanted {
            let what = format!("it has {found} cameras, the network is of {wanted}");
            return Err(Error::Rig { what });
        }
        self.inputs.truncate(self.steady);
        self.calibrate(&moment.rig);
        let pictures: Vec<_> = moment.images.iter().collect();
        if let Numbers::Floats(data) = &mut self.inputs[0].data {
            self.config.image.normalise(&pictures, data);
        }
        if let Some(memory) = &self.memory {
            self.inputs.extend(memory.inputs(moment));
        }
        Ok(())
    }
}

impl Perceive for Perceiver {
    fn perceive(&mut self, moment: Moment, clock: &dyn Clock) -> Result<Perceived, Error> {
        let began = clock.now();
        let sizes: Vec<[usize; 2]> =
            moment.images.iter().map(|image| [image.width, image.height]).collect();
        let size = [self.config.image.width, self.config.image.height];
        let sample = fit(Sample { name: "a frame".to_owned(), moments: vec![moment] }, size);
        let moment = sample.present();
        self.prepare(moment)?;
        let prepared = clock.now();
        let outputs = self.engine.run(&self.inputs)?;
        check_finite(&outputs)?;
        let computed = clock.now();
        if let Some(memory) = &mut self.memory {
            memory.remember(moment, &outputs);
        }
        let space = self.decoder.decode(&outputs, &sample)?;
        let mut space = full_size(space, &sample, size, &sizes);
        let objects = self.tracker.as_mut().zip(space.objects.as_mut());
        if let Some(((tracker, objects), pose)) = objects.zip(moment.world_from_ego) {
            tracker.step(moment.timestamp, &pose, objects);
        }
        let spans = Spans {
            prepare: prepared.saturating_sub(began),
            engine: computed.saturating_sub(prepared),
            decode: clock.now().saturating_sub(computed),
        };
        Ok(Perceived { space, outputs, spans })
    }

    fn restart(&mut self) {
        if let Some(memory) = &mut self.memory {
            memory.clear();
        }
        if let Some(tracker) = &mut self.tracker {
            *tracker = Tracker::new(TrackingSettings::default());
        }
    }
}

/// A network that says what is no number says nothing.
fn check_finite(outputs: &[Value]) -> Result<(), Error> {
    for output in outputs {
        let Numbers::Floats(values) = &output.data else { continue };
        let count = values.iter().filter(|value| !value.is_finite()).count();
        if count > 0 {
            return Err(Error::NotFinite { output: output.name.clone(), count });
        }
    }
    Ok(())
}
