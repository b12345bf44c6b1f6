//! Road networks from a seed.

mod bends;
mod dress;
mod motorway;
mod profile;
mod spread;
mod street;

use super::build::{Land, Plan};
use super::curve::Curve;
use super::relief::Relief;
use super::road::{Cubics, Elevation, Road, Section};
use super::{NetworkOptions, Setting};
use crate::noise::Stream;
use profile::Style;

/// Draws a network.
pub(crate) fn plan(options: &NetworkOptions, seed: u64) -> Plan {
    let mut stream = Stream::new(seed ^ 0x726f_6164);
    let style = Style::draw(options, &mut stream);
    let relief = Relief::new(style.grade, options.grade.is_some(), &mut stream);
    let plan = Plan { setting: options.setting, ..Plan::default() };
    let mut draft = Draft { plan, style, relief, stream };
    if options.setting == Setting::Motorway {
        motorway::lay(options, &mut draft);
    } else {
        street::lay(options, &mut draft);
    }
    let reach_m = if options.setting == Setting::Urban { 60.0 } else { 90.0 };
    draft.plan.land = Land::Relief(draft.relief, reach_m);
    draft.plan
}

/// A network while it is being drawn.
struct Draft {
    plan: Plan,
    style: Style,
    relief: Relief,
    stream: Stream,
}

/// Where a road lies on the land at its ends instead of being banked.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Level {
    at_start: bool,
    at_end: bool,
}

/// A road is level with the land this far from a junction, then banked within this length, metres.
const LEVEL_M: f64 = 10.0;
const RAMP_M: f64 = 30.0;

impl Draft {
    /// Adds a road that lies on the land.
    fn add_road(&mut self, curve: Curve, sections: Vec<Section>, level: Level) -> usize {
        let length = curve.length_m();
        let banked = if length > 2.0 * (LEVEL_M + RAMP_M) {
            let mut points = vec![(0.0, if level.at_start { 0.0 } else { 1.0 })];
            if level.at_start {
                points.extend([(LEVEL_M, 0.0), (LEVEL_M + RAMP_M, 1.0)]);
            }
            if level.at_end {
                points.extend([(length - LEVEL_M - RAMP_M, 1.0), (length - LEVEL_M, 0.0)]);
            }
            let last = if level.at_end { 0.0 } else { 1.0 };
            points.push((length, last));
            Cubics::smooth_through(&points)
        } else {
            Cubics::constant(if level.at_start || level.at_end { 0.0 } else { 1.0 })
        };
        self.plan.roads.push(Road {
            curve,
            elevation: Elevation::Draped {
                relief: self.relief.clone(),
                banked,
                bank_per_curvature_m: self.style.bank_per_curvature_m,
            },
            offset: Cubics::constant(0.0),
            sections,
            speed_limit_m_s: self.style.speed_limit_m_s,
            junction: None,
        });
        self.plan.roads.len() - 1
    }
}
