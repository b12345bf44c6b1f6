//! Bounds on the land that roads lie in: the ground has a dense grid over all of it.

use nalgebra::{Point2, Vector2};

use super::reader::{Node, OpenDriveError};
use crate::roads::road::{Road, Side};

/// Roads reach this far in x or y from the origin (that of a moved file) at most, metres.
const FARTHEST_M: f64 = 20_000.0;
/// Largest box around all roads, square kilometres.
const LARGEST_AREA_KM2: f64 = 200.0;
/// Lanes reach this far from the reference line at most, metres.
const WIDEST_M: f64 = 100.0;

/// A box around roads: its lowest and its highest corner, metres.
#[derive(Debug, Default)]
pub(super) struct Extent(Option<[Point2<f64>; 2]>);

impl Extent {
    /// Widens the box by a road.
    pub(super) fn add(&mut self, node: &Node<'_>, road: &Road) -> Result<(), OpenDriveError> {
        let reach_m = reach_m(road);
        if reach_m > WIDEST_M {
            let what = "metres from the reference line to the outermost lane";
            return Err(node.too_much(what, reach_m, WIDEST_M));
        }
        let [low, high] = road.curve.around_m();
        let (low, high) = (low - Vector2::repeat(reach_m), high + Vector2::repeat(reach_m));
        let farthest_m = low.coords.amax().max(high.coords.amax());
        if farthest_m > FARTHEST_M {
            return Err(node.too_much("metres from the origin", farthest_m, FARTHEST_M));
        }
        let known = self.0.unwrap_or([low, high]);
        let corners = [known[0].inf(&low), known[1].sup(&high)];
        let area_km2 = (corners[1] - corners[0]).product() * 1e-6;
        if area_km2 > LARGEST_AREA_KM2 {
            return Err(node.too_much("square kilometres of land", area_km2, LARGEST_AREA_KM2));
        }
        self.0 = Some(corners);
        Ok(())
    }
}

/// No lane is farther from the reference line than this.
fn reach_m(road: &Road) -> f64 {
    let sides = road.sections.iter().flat_map(|section| {
        let length_m = section.range_m[1] - section.range_m[0];
        [Side::Left, Side::Right]
            .map(|side| section.strips(side).iter().map(|s| s.width.bound(length_m)).sum::<f64>())
    });
    road.offset.bound(road.length_m()) + sides.fold(0.0, f64::max)
}
