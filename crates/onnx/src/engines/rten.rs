//! rten: pure Rust.

use std::sync::Arc;

use rten::{Model, NodeId, RunOptions, ThreadPool, Value as RtenValue, ValueOrView, ValueView};
use rten_tensor::Layout;

use super::{Engine, Numbers, Value};
use crate::Error;

pub(super) struct Rten {
    model: Model,
    outputs: Vec<(NodeId, String)>,
    threads: Option<Arc<ThreadPool>>,
}

fn fail(cause: impl std::fmt::Display) -> Error {
    Error::Engine { engine: "rten", what: cause.to_string() }
}

impl Rten {
    /// With so many threads; 0 for as many as it likes.
    pub(super) fn load(file: &[u8], threads: usize) -> Result<Self, Error> {
        let model = Model::load(file.to_vec()).map_err(fail)?;
        let name = |&id: &NodeId| {
            let name = model.node_info(id).and_then(|info| info.name().map(str::to_owned));
            (id, name.unwrap_or_default())
        };
        let outputs = model.output_ids().iter().map(name).collect();
        let threads = (threads > 0).then(|| Arc::new(ThreadPool::with_num_threads(threads)));
        Ok(Self { model, outputs, threads })
    }
}

impl Engine for Rten {
    fn name(&self) -> &'static str {
        "rten"
    }

    fn run(&mut self, inputs: &[Value]) -> Result<Vec<Value>, Error> {
        let mut given = Vec::with_capacity(inputs.len());
        for input in inputs {
            let id = self.model.node_id(&input.name).map_err(fail)?;
            let value: ValueOrView<'_> = match &input.data {
                Numbers::Floats(data) => {
                    ValueView::from_shape(&input.shape, data.as_slice()).map_err(fail)?.into()
                }
                // Its integers have 32 bits; the file's are numbers of rows.
                Numbers::Integers(data) => {
                    let data: Vec<i32> = data.iter().map(|&number| number as i32).collect();
                    RtenValue::from_shape(&input.shape, data).map_err(fail)?.into()
                }
            };
            given.push((id, value));
        }
        let ids: Vec<NodeId> = self.outputs.iter().map(|(id, _)| *id).collect();
        let options = RunOptions::default().with_thread_pool(self.threads.clone());
        let values = self.model.run(given, &ids, Some(options)).map_err(fail)?;
        let value = |(value, (_, name)): (RtenValue, &(NodeId, String))| {
            let tensor = value.into_tensor::<f32>();
            let tensor = tensor.ok_or_else(|| fail(format!("output {name} is not of floats")))?;
            let (name, shape) = (name.clone(), tensor.shape().to_vec());
            Ok(Value { name, shape, data: Numbers::Floats(tensor.into_data()) })
        };
        values.into_iter().zip(&self.outputs).map(value).collect()
    }
}
