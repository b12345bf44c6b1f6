//! A training of seconds.

use std::fs;
use std::path::{Path, PathBuf};

use ommatidia_scene::RgbImage;

/// Its settings.
pub(crate) const TRAINING: &str = r#"
taxonomy = "camvid"
steps = 2

[data]
microbatches = 2
samples = 1
workers = 1
ahead = 2

[schedule]
shape = "constant"

[record]
checkpoint_every = 1
best = "semantics.miou"

[network]
image = { width = 64, height = 64 }
neck = { channels = 8, repeats = 1 }

[network.backbone]
kind = "regnet"
stem = 8
widths = [8, 16, 16, 16]
depths = [1, 1, 1, 1]

[[network.heads]]
task = "semantics"
classes = [1, 2, 3]
"#;

/// Four pictures of a colour a half, the class maps that say so, and a training.
pub(crate) fn pictures(folder: &Path) -> (PathBuf, PathBuf) {
    let data = folder.join("data");
    for split in ["train", "val"] {
        let (shown, labelled) = (data.join(split), data.join(format!("{split}annot")));
        fs::create_dir_all(&shown).unwrap();
        fs::create_dir_all(&labelled).unwrap();
        for index in 0..4_u8 {
            let left = |at: usize| at % 40 < 20 + usize::from(index);
            let colour = |at: usize| if left(at) { [200, 40, 10 * index] } else { [20, 60, 220] };
            let picture = RgbImage::new(40, 30, (0..1200).flat_map(colour).collect());
            let encoded = ommatidia_store::image::encode(&picture, "made for a test");
            fs::write(shown.join(format!("{index}.png")), &encoded.bytes).unwrap();
            let classes: Vec<u8> = (0..1200).map(|at| u8::from(left(at))).collect();
            let path = labelled.join(format!("{index}.png"));
            ommatidia_store::results::class_maps::write_classes(&path, (40, 30), &classes).unwrap();
        }
    }
    let training = folder.join("training.toml");
    fs::write(&training, TRAINING).unwrap();
    (data, training)
}
