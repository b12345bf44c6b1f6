//! What a stage's result depends on, as one hash.

use std::collections::BTreeMap;

use ommatidia_scene::ContentHash;
use ommatidia_store::hash;
use serde_json::json;

use super::LabelConfig;
use crate::passes::PASSES;

/// The key of every stage. Stages stand in the registry behind those they need.
pub(super) fn all(clip: ContentHash, config: &LabelConfig) -> BTreeMap<&'static str, ContentHash> {
    let mut keys = BTreeMap::new();
    for stage in PASSES.iter().flat_map(|pass| pass.stages()) {
        let needs: BTreeMap<&str, ContentHash> =
            stage.needs.iter().map(|need| (*need, keys[need])).collect();
        let text = json!({
            "clip": clip,
            "code": env!("CARGO_PKG_VERSION"),
            "stage": stage.name,
            "version": stage.version,
            "config": (stage.config)(config),
            "needs": needs,
        });
        keys.insert(stage.name, hash::of_bytes(text.to_string().as_bytes()));
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIP: ContentHash = ContentHash([7; 32]);

    /// Stages whose key changes with the configuration.
    fn changed(change: impl FnOnce(&mut LabelConfig)) -> Vec<&'static str> {
        let mut config = LabelConfig::default();
        let before = all(CLIP, &config);
        change(&mut config);
        let after = all(CLIP, &config);
        before
            .into_iter()
            .filter(|(stage, key)| after[stage] != *key)
            .map(|(stage, _)| stage)
            .collect()
    }

    #[test]
    fn a_change_reaches_what_depends_on_it_and_nothing_else() {
        assert_eq!(changed(|_| ()), Vec::<&str>::new());
        assert_eq!(changed(|c| c.use_poses = false), ["depth", "occupancy", "odometry", "surface"]);
        assert_eq!(changed(|c| c.use_lidar = false), ["depth", "occupancy", "surface"]);
        assert_eq!(changed(|c| c.grid.voxel_m = 0.4), ["occupancy"]);
        assert_eq!(changed(|c| c.surface_grid.cell_m = 0.4), ["surface"]);
    }

    #[test]
    fn another_clip_has_other_keys() {
        let config = LabelConfig::default();
        let (one, other) = (all(CLIP, &config), all(ContentHash([8; 32]), &config));
        assert!(one.iter().all(|(stage, key)| other[stage] != *key));
    }
}
