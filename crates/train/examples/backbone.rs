//! Answers of a backbone with published weights: `backbone SETTINGS.toml WEIGHTS IMAGES.safetensors OUT`.

use std::error::Error;
use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use ommatidia_model::backbone::{Backbone, BackboneConfig};
use ommatidia_store::tensors::TensorFile;
use ommatidia_train::flat::Layout;
use ommatidia_train::weights::import;

#[derive(Module, Debug)]
struct Only {
    backbone: Backbone,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [settings, weights, images, out] = &arguments[..] else {
        return Err("give settings, weights, images and where to write".into());
    };
    let config: BackboneConfig = toml::from_str(&std::fs::read_to_string(settings)?)?;
    let device = Device::flex();
    let only = Only { backbone: config.init(&device)? };
    let layout = Layout::of(&only);
    let mut row = layout.gather(&only);
    let imported = import(Path::new(weights), None, &layout, &mut row)?;
    println!("{}: {} of {} tensors", imported.map, imported.read, imported.of);
    let only = layout.scatter(only, &row);
    let images = TensorFile::open(Path::new(images))?;
    let shape = images.shape("images").ok_or("there is no tensor images")?.to_vec();
    let images = TensorData::new(images.numbers("images")?, shape);
    let stages = only.backbone.forward(Tensor::<4>::from_data(images, &device));
    let (mut header, mut bytes) = (serde_json::Map::new(), Vec::new());
    for (index, stage) in stages.into_iter().enumerate() {
        let (shape, begin) = (stage.dims(), bytes.len());
        let numbers: Vec<f32> = stage.into_data().try_into_vec()?;
        bytes.extend(numbers.into_iter().flat_map(f32::to_le_bytes));
        let entry = serde_json::json!({
            "dtype": "F32", "shape": shape, "data_offsets": [begin, bytes.len()]
        });
        header.insert(format!("stage{index}"), entry);
    }
    let header = serde_json::Value::Object(header).to_string();
    let length = (header.len() as u64).to_le_bytes();
    Ok(std::fs::write(out, [&length[..], header.as_bytes(), &bytes].concat())?)
}
