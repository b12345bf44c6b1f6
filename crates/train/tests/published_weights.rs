//! Weights of torchvision's and timm's backbones, and what those answer: `bench/reference/weights.py`.

use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use ommatidia_model::backbone::{Backbone, BackboneConfig};
use ommatidia_store::tensors::TensorFile;
use ommatidia_train::flat::Layout;
use ommatidia_train::weights::{Imported, import};

/// A network of a backbone alone.
#[derive(Module, Debug)]
struct Only {
    backbone: Backbone,
}

fn place(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/weights").join(name)
}

fn settings(name: &str) -> BackboneConfig {
    toml::from_str(&std::fs::read_to_string(place(&format!("{name}.toml"))).unwrap()).unwrap()
}

fn fresh(config: &BackboneConfig) -> (Only, Layout) {
    let only = Only { backbone: config.init(&Device::flex()).unwrap() };
    let layout = Layout::of(&only);
    (only, layout)
}

fn read(
    file: &str,
    map: Option<&str>,
    config: &BackboneConfig,
) -> Result<(Only, Imported), String> {
    let (only, layout) = fresh(config);
    let mut row = layout.gather(&only);
    let before = row.clone();
    match import(&place(file), map, &layout, &mut row) {
        Ok(imported) => Ok((layout.scatter(only, &row), imported)),
        Err(error) => {
            assert_eq!(row, before, "nothing is changed");
            Err(error.to_string())
        }
    }
}

#[test]
fn stages_answer_as_the_publishers() {
    let answers = TensorFile::open(&place("answers.safetensors")).unwrap();
    let tensor = |name: &str| {
        let shape = answers.shape(name).unwrap().to_vec();
        TensorData::new(answers.numbers(name).unwrap(), shape)
    };
    let images = Tensor::<4>::from_data(tensor("images"), &Device::flex());
    let check = |file: &str, map: &str, left: usize| {
        let (only, imported) = read(file, None, &settings(file)).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(imported.map, map, "{file}");
        assert_eq!((imported.read, imported.share), (imported.of, 1.0), "{file}: {imported:?}");
        let counters = imported.left.iter().filter(|name| name.ends_with("num_batches_tracked"));
        assert_eq!(imported.left.len() - counters.count(), left, "{file}: {:?}", imported.left);
        let stages = only.backbone.forward(images.clone());
        assert_eq!(stages.len(), 4, "{file}");
        for (index, stage) in stages.into_iter().enumerate() {
            let theirs = Tensor::from_data(tensor(&format!("{file}/{index}")), &Device::flex());
            let off = (stage - theirs.clone()).abs().max().into_scalar::<f32>();
            let largest = theirs.abs().max().into_scalar::<f32>();
            assert!(off <= 2e-5 * (1.0 + largest), "{file} stage {index}: {off} of {largest}");
            assert!(largest > 0.1, "{file} stage {index} answers something");
        }
    };
    check("resnet.pth", "torchvision_resnet", 2);
    check("resnet_bottleneck.safetensors", "torchvision_resnet", 2);
    check("regnet_x_before_1_6.pth", "torchvision_regnet", 2);
    check("regnet_y.safetensors", "torchvision_regnet", 2);
    check("regnet_y_timm.safetensors", "timm_regnet", 2);
    check("pvt_v2.safetensors", "timm_pvt_v2", 2);
    check("pvt_v2_li.pth", "timm_pvt_v2", 2);
}

#[test]
fn what_does_not_fit_is_told() {
    let (deeper, wider) = (settings("resnet.pth"), settings("resnet.pth"));
    let (BackboneConfig::Resnet(mut deeper), BackboneConfig::Resnet(mut wider)) = (deeper, wider)
    else {
        panic!("a ResNet")
    };
    deeper.depths[3] = 2;
    wider.width = 3;
    let config = BackboneConfig::Resnet(deeper);
    let (_, imported) = read("resnet.pth", None, &config).unwrap();
    assert!(imported.share > 0.5 && imported.share < 1.0, "{}", imported.share);
    assert!(imported.missing.iter().all(|name| name.contains("stages.3.1.")), "{imported:?}");
    assert_eq!(imported.read + imported.missing.len(), imported.of);

    let check = |file: &str, map: Option<&str>, config: &BackboneConfig, words: &[&str]| {
        let error = read(file, map, config).unwrap_err();
        for word in words {
            assert!(error.contains(word), "{word:?} is not in: {error}");
        }
    };
    let wide = BackboneConfig::Resnet(wider);
    check("resnet.pth", None, &wide, &["0 of the backbone's", "[2, 3, 7, 7]", "[3, 3, 7, 7]"]);
    check("pvt_v2.safetensors", None, &config, &["0 of", "missing: backbone."]);
    check("resnet.pth", Some("timm_regnet"), &config, &["by the map timm_regnet"]);
    check("resnet.pth", Some("resnet"), &config, &["built-in", "torchvision_resnet"]);
    check("resnet.pth.toml", None, &config, &["neither a safetensors"]);
    check("no.pth", None, &config, &["no.pth"]);
}
