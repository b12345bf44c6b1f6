//! The scenarios that come with the program: one per hazard.

/// A scenario of the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named {
    /// What it is called.
    pub name: &'static str,
    /// Its file.
    pub toml: &'static str,
}

macro_rules! named {
    ($($name:literal),* $(,)?) => {
        &[$(Named { name: $name, toml: include_str!(concat!("../../scenarios/", $name, ".toml")) }),*]
    };
}

/// All scenarios, by name.
pub const NAMED: &[Named] = named![
    "animal_dusk",
    "ball_and_child",
    "bus_stop",
    "crossing_night",
    "cut_in",
    "cut_in_rain",
    "cyclist_rural",
    "cyclists_city",
    "dog",
    "door_opens",
    "double_parked",
    "emergency_behind",
    "emergency_oncoming",
    "fog_jam",
    "four_way_lights",
    "hard_brake",
    "jaywalker_night",
    "left_turn",
    "lorry_cuts_in",
    "lost_load",
    "low_sun",
    "motorcycle_filters",
    "motorway",
    "motorway_merge",
    "night_rain_motorway",
    "occluded_pedestrian",
    "oncoming_overtakes",
    "parked_rows",
    "pulls_out",
    "roadworks",
    "roundabout",
    "rural_hills",
    "school",
    "tailgater",
    "wrong_way",
];
