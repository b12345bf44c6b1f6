//! What a file says about itself besides its graph.

use ommatidia_model::{NetworkConfig, backbone::FIRST_STRIDE};
use ommatidia_scene::{Input, Taxonomy};
use serde_json::json;

/// Version of names, shapes and metadata that `docs/export.md` describes.
pub const CONTRACT: u32 = 1;

/// Entries by name; values but plain text are JSON.
pub fn entries(
    config: &NetworkConfig,
    taxonomy: &Taxonomy,
    weights: &Input,
) -> Vec<(String, String)> {
    let classes: Vec<&str> = taxonomy.classes.iter().map(|class| class.name.as_str()).collect();
    let image = &config.image;
    let mut entries = vec![
        ("omma.contract".to_owned(), CONTRACT.to_string()),
        ("omma.weights_blake3".to_owned(), weights.blake3.to_string()),
        ("omma.taxonomy".to_owned(), taxonomy.name.clone()),
        ("omma.classes".to_owned(), json!(classes).to_string()),
        ("omma.network".to_owned(), json!(config).to_string()),
        (
            "omma.images".to_owned(),
            json!({
                "width": image.width, "height": image.height, "channels": "rgb",
                "mean": image.mean, "deviation": image.deviation,
            })
            .to_string(),
        ),
    ];
    if config.neck.rays {
        let stride = FIRST_STRIDE << config.neck.first;
        entries.push((
            "omma.rays".to_owned(),
            json!({
                "features": [image.height.div_ceil(stride), image.width.div_ceil(stride)],
                "channels": ["forward", "left", "up", "cosine_to_axis", "4_m_per_ground_distance"],
            })
            .to_string(),
        ));
    }
    let Some(space) = &config.space else { return entries };
    let stride = FIRST_STRIDE << (config.neck.first + space.lift.level);
    entries.push(("omma.grid".to_owned(), json!(space.grid).to_string()));
    entries.push((
        "omma.lift".to_owned(),
        json!({
            "stride": stride,
            "features": [image.height.div_ceil(stride), image.width.div_ceil(stride)],
            "taps": space.lift.taps(), "cameras": space.lift.cameras,
            "bilinear": space.lift.bilinear,
            "pixel": "(camera * rows + row) * columns + column",
            "voxel": "(x * size_y + y) * size_z + z",
        })
        .to_string(),
    ));
    if let Some(memory) = &space.memory {
        entries.push(("omma.memory".to_owned(), json!(memory).to_string()));
    }
    entries
}
