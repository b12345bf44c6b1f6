//! Records what the network computes, on Burn's capture device.

use std::collections::HashMap;

use burn::{
    backend::capture::{CaptureBackend, CapturedGraph, TensorId},
    module::{Module, ModuleVisitor, Param},
    tensor::{Bool, Device, Float, Int, IntDType, Tensor},
};
use ommatidia_model::{MomentInputs, Network, Past, Sample, lift::Tables, memory::Warps};

use crate::Error;

/// One moment's inputs of one vehicle: what an exported network is fed.
#[derive(Debug, Clone)]
pub struct Feed {
    /// Pictures and tables.
    pub moment: MomentInputs,
    /// In networks with memory.
    pub past: Option<Past>,
}

/// A recorded network.
pub(crate) struct Recorded {
    pub(crate) graph: CapturedGraph,
    /// Names of inputs, outputs and weights.
    pub(crate) names: HashMap<TensorId, String>,
}

/// A tensor of any kind and rank, as the exporter and engines name it.
pub(crate) enum AnyTensor {
    F2(Tensor<2>),
    F3(Tensor<3>),
    F4(Tensor<4>),
    I3(Tensor<3, Int>),
}

impl Feed {
    /// The last moment of a sample, which the earlier ones lead to.
    ///
    /// # Errors
    /// [`Error::Network`] where the sample does not fit.
    pub fn of(network: &Network, sample: &Sample, device: &Device) -> Result<Self, Error> {
        let past = network.past(sample, device)?;
        let moments = sample.moments.last().cloned().into_iter().collect();
        let present = Sample { name: sample.name.clone(), moments };
        let mut inputs = network.inputs(&[present], device)?;
        let moment = inputs.moments.pop().expect("inputs hold a moment");
        Ok(Self { moment, past })
    }

    /// Names and values, in the order of the file's inputs.
    pub(crate) fn named(&self) -> Vec<(String, AnyTensor)> {
        let mut named = vec![("images".to_owned(), AnyTensor::F4(self.moment.images.clone()))];
        if let Some(rays) = &self.moment.rays {
            named.push(("rays".to_owned(), AnyTensor::F4(rays.clone())));
        }
        if let Some(tables) = &self.moment.tables {
            named.push(("lift_pixel".to_owned(), AnyTensor::I3(tables.pixel.clone())));
            named.push(("lift_weight".to_owned(), AnyTensor::F3(tables.weight.clone())));
            named.push(("lift_depth_m".to_owned(), AnyTensor::F3(tables.depth_m.clone())));
        }
        let Some(past) = &self.past else { return named };
        for (index, (space, warp)) in past.spaces.iter().zip(&past.warps).enumerate() {
            named.push((format!("memory_{index}"), AnyTensor::F4(space.clone())));
            named.push((format!("memory_{index}_cell"), AnyTensor::I3(warp.cell.clone())));
            named.push((format!("memory_{index}_weight"), AnyTensor::F3(warp.weight.clone())));
        }
        named.push(("memory_known".to_owned(), AnyTensor::F2(past.known.clone())));
        named
    }

    /// On the capture device, whose integers have 64 bits.
    fn to_capture(&self, device: &Device) -> Self {
        let whole = |tensor: &Tensor<3, Int>, device: &Device| {
            tensor.clone().cast(IntDType::I64).to_device(device)
        };
        let tables = self.moment.tables.as_ref().map(|tables| Tables {
            pixel: whole(&tables.pixel, device),
            weight: tables.weight.clone().to_device(device),
            depth_m: tables.depth_m.clone().to_device(device),
        });
        let warp = |warp: &Warps| Warps {
            cell: whole(&warp.cell, device),
            weight: warp.weight.clone().to_device(device),
        };
        let past = self.past.as_ref().map(|past| Past {
            spaces: past.spaces.iter().map(|space| space.clone().to_device(device)).collect(),
            warps: past.warps.iter().map(warp).collect(),
            known: past.known.clone().to_device(device),
        });
        let images = self.moment.images.clone().to_device(device);
        let rays = self.moment.rays.as_ref().map(|rays| rays.clone().to_device(device));
        Self { moment: MomentInputs { images, rays, tables, warps: None }, past }
    }
}

/// What the network answers, by the names of the file's outputs, in their order.
pub fn answers(network: &Network, feed: &Feed) -> Vec<(String, Tensor<4>)> {
    let (outputs, kept) = network.step_with(&feed.moment, feed.past.as_ref());
    let heads = network.heads().iter().zip(outputs.heads);
    let mut named: Vec<(String, Tensor<4>)> = heads
        .flat_map(|(head, output)| {
            let of = |(name, tensor): (&str, _)| (output_name(head.name(), name), tensor);
            output.into_iter().map(of).collect::<Vec<_>>()
        })
        .collect();
    named.extend(kept.map(|space| ("memory_next".to_owned(), space)));
    named
}

/// What an output is called: by its task, and what it is of it, where the task has several.
pub fn output_name(task: &str, name: &str) -> String {
    if name == task || name.starts_with(&format!("{task}_")) {
        return name.to_owned();
    }
    format!("{task}_{name}")
}

/// Records one moment.
pub(crate) fn record(network: &Network, feed: &Feed) -> Result<Recorded, Error> {
    let device = Device::capture();
    let mut names: Result<HashMap<TensorId, String>, Error> = Ok(HashMap::new());
    let graph = device.capture_scope(|scope| {
        // A clone would share the statistics of the normalisations, and take them along.
        let network = network.valid().to_device(&device);
        let mut weights = Names::default();
        network.visit(&mut weights);
        let feed = feed.to_capture(&device);
        let inputs = feed.named();
        let outputs = answers(&network, &feed);
        let ids = || -> Result<_, Error> {
            let input = |(name, tensor): &(String, AnyTensor)| Ok((name.clone(), id(tensor)?));
            let output =
                |(name, tensor): &(String, Tensor<4>)| Ok((name.clone(), float_id(tensor)?));
            let inputs = inputs.iter().map(input).collect::<Result<Vec<_>, Error>>()?;
            let outputs = outputs.iter().map(output).collect::<Result<Vec<_>, Error>>()?;
            Ok((inputs, outputs))
        };
        match ids() {
            Ok((inputs, outputs)) => {
                let [first, last] = [&inputs, &outputs]
                    .map(|named| named.iter().map(|(_, id)| *id).collect::<Vec<_>>());
                let mut all = weights.names;
                all.extend(inputs.into_iter().chain(outputs).map(|(name, id)| (id, name)));
                names = Ok(all);
                scope.complete(first, last)
            }
            Err(error) => {
                names = Err(error);
                scope.complete([], [])
            }
        }
    });
    let names = names?;
    let graph = graph.map_err(|cause| Error::Capture(cause.to_string()))?;
    Ok(Recorded { graph, names })
}

fn float_id<const D: usize>(tensor: &Tensor<D, Float>) -> Result<TensorId, Error> {
    let primitive = tensor.clone().try_into_primitive::<CaptureBackend>();
    Ok(primitive.map_err(|cause| Error::Capture(format!("{cause:?}")))?.id())
}

fn int_id<const D: usize>(tensor: &Tensor<D, Int>) -> Result<TensorId, Error> {
    let primitive = tensor.clone().try_into_primitive::<CaptureBackend>();
    Ok(primitive.map_err(|cause| Error::Capture(format!("{cause:?}")))?.id())
}

fn id(tensor: &AnyTensor) -> Result<TensorId, Error> {
    match tensor {
        AnyTensor::F2(tensor) => float_id(tensor),
        AnyTensor::F3(tensor) => float_id(tensor),
        AnyTensor::F4(tensor) => float_id(tensor),
        AnyTensor::I3(tensor) => int_id(tensor),
    }
}

/// Paths of the weights by their tensors.
#[derive(Default)]
struct Names {
    path: Vec<String>,
    names: HashMap<TensorId, String>,
}

impl ModuleVisitor for Names {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Ok(id) = float_id(&param.val()) {
            self.names.insert(id, self.path.join("."));
        }
    }

    fn visit_int<const D: usize>(&mut self, _param: &Param<Tensor<D, Int>>) {}

    fn visit_bool<const D: usize>(&mut self, _param: &Param<Tensor<D, Bool>>) {}
}
