//! Road networks from a seed.

mod profile;

use nalgebra::Point2;

use super::build::{Land, Plan};
use super::curve::Curve;
use super::relief::Relief;
use super::road::{Cubics, Elevation, Road};
use super::{NetworkOptions, Setting};
use crate::noise::Stream;

/// How far the land goes on beyond the roads, metres.
const REACH_M: f64 = 60.0;

/// Draws a network.
pub(crate) fn plan(options: &NetworkOptions, seed: u64) -> Plan {
    let mut stream = Stream::new(seed ^ 0x726f_6164);
    let style = profile::Style::draw(options, &mut stream);
    let relief = Relief::new(style.grade, &mut stream);
    let mut curve = Curve::from(Point2::origin(), 0.0);
    curve.bend(options.length_m, 0.0, 0.0);
    let road = Road {
        elevation: Elevation::Draped {
            relief: relief.clone(),
            banked: Cubics::constant(0.0),
            bank_per_curvature_m: style.bank_per_curvature_m,
        },
        offset: Cubics::constant(0.0),
        sections: vec![style.main_section([0.0, curve.length_m()])],
        speed_limit_m_s: style.speed_limit_m_s,
        junction: None,
        curve,
    };
    Plan {
        setting: options.setting,
        roads: vec![road],
        links: Vec::new(),
        land: Land::Relief(relief, reach_m(options.setting)),
    }
}

fn reach_m(setting: Setting) -> f64 {
    if setting == Setting::Urban { REACH_M } else { 1.5 * REACH_M }
}
