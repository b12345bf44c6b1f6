//! Trainings that come with the program.

/// Name and TOML of each.
pub const PRESETS: &[(&str, &str)] = &[
    ("camvid", include_str!("../presets/camvid.toml")),
    ("nano", include_str!("../presets/nano.toml")),
];

/// The TOML of a preset.
pub fn preset(name: &str) -> Option<&'static str> {
    PRESETS.iter().find(|(known, _)| *known == name).map(|(_, toml)| *toml)
}
