//! Trainings that come with the program.

/// Name and TOML of each.
pub const PRESETS: &[(&str, &str)] = &[
    ("camvid", include_str!("../presets/camvid.toml")),
    ("nano", include_str!("../presets/nano.toml")),
    ("nano-temporal", include_str!("../presets/nano-temporal.toml")),
];

/// The TOML of a preset.
pub fn preset(name: &str) -> Option<&'static str> {
    PRESETS.iter().find(|(known, _)| *known == name).map(|(_, toml)| *toml)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use ommatidia_model::{Network, NetworkConfig};

    use super::*;
    use crate::TrainConfig;

    /// What one is compared with must not differ in anything else.
    #[test]
    fn the_temporal_preset_is_nano_with_a_memory() {
        let of = |name: &str| -> TrainConfig<NetworkConfig> {
            toml::from_str(preset(name).unwrap()).unwrap()
        };
        let (single, mut temporal) = (of("nano"), of("nano-temporal"));
        let memory = temporal.network.space.as_mut().unwrap().memory.take();
        assert!(memory.is_some() && temporal.data.moments > 1);
        (temporal.data.moments, temporal.data.stride) = (single.data.moments, single.data.stride);
        assert_eq!(temporal, single);
    }

    #[test]
    fn presets_can_be_trained() {
        for (name, text) in PRESETS {
            let config: TrainConfig<NetworkConfig> =
                toml::from_str(text).unwrap_or_else(|cause| panic!("{name}: {cause}"));
            assert_eq!(config.check(), Ok(()), "{name}");
            let device = Device::flex().autodiff();
            Network::new(&config.network, &device)
                .unwrap_or_else(|cause| panic!("{name}: {cause}"));
            if let Some(best) = config.record.best {
                let mut tasks = config.network.heads.iter().map(|head| head.name());
                assert!(tasks.any(|task| best.starts_with(&format!("{task}."))), "{name}: {best}");
            }
            assert_eq!(preset(name), Some(*text));
        }
        assert_eq!(preset("camvod"), None);
    }
}
