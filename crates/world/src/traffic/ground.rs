//! From the plane onto the ground: heights, slopes, and how bodies lean on their springs.

use nalgebra::{Point2, UnitQuaternion, Vector2, Vector3};
use ommatidia_geometry::{Pose, World, frames};

use super::kind::Kind;
use super::simulate::{Moment, STEP_S};
use crate::actors::Model;
use crate::footprint::Footprint;
use crate::roads::Network;

/// A vehicle's or person's poses over a clip.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lifted {
    /// `world_from_object`, springs included.
    pub(crate) body: Vec<Pose<World, frames::Object>>,
    /// The same without springs: the frame of the wheels.
    pub(crate) level: Vec<Pose<World, frames::Object>>,
}

/// Lean on springs: radians for each m/s2 along and across (typical for cars: 1 to 2 degrees at 5 m/s2).
const DIVE_RAD: f64 = 0.005;
const SWAY_RAD: f64 = 0.006;
const GRAVITY_M_S2: f64 = 9.81;

/// Height, pitch (nose up positive) and roll (left up positive) of the ground under a box.
fn slope(network: &Network, box_: &Footprint, model: &Model, guess_m: f64) -> [f64; 3] {
    let (sin, cos) = box_.heading_rad.sin_cos();
    let (ahead, left) = (Vector2::new(cos, sin), Vector2::new(-sin, cos));
    let height =
        |p: Point2<f64>| network.ground.near(p.x, p.y, guess_m + 0.3).map(|ground| ground.height_m);
    let axles = model.axles;
    if axles.front_m - axles.rear_m < 0.3 {
        return [height(box_.centre_m).unwrap_or(guess_m), 0.0, 0.0];
    }
    let half_track = 0.42 * model.size_m[1];
    let at =
        |along: f64, side: f64| height(box_.centre_m + ahead * along + left * (side * half_track));
    let wheels = [
        at(axles.front_m, 1.0),
        at(axles.front_m, -1.0),
        at(axles.rear_m, 1.0),
        at(axles.rear_m, -1.0),
    ];
    // At the edge of the world some wheels have no ground below them: it goes on level.
    let known: Vec<f64> = wheels.iter().flatten().copied().collect();
    let level =
        if known.is_empty() { guess_m } else { known.iter().sum::<f64>() / known.len() as f64 };
    let [fl, fr, rl, rr] = wheels.map(|height| height.unwrap_or(level));
    let (front, rear) = (0.5 * (fl + fr), 0.5 * (rl + rr));
    let pitch = ((front - rear) / (axles.front_m - axles.rear_m)).atan();
    let roll = (0.25 * (fl + rl - fr - rr) / half_track).atan();
    [rear - axles.rear_m * pitch.tan(), pitch, roll]
}

/// Means over three steps, so that kerbs and seams do not jolt. The ends stay: a mean of one side alone would be a
/// step of height on every slope, and that a blow.
fn smooth(values: &mut [[f64; 3]]) {
    let raw = values.to_vec();
    for (i, around) in raw.windows(3).enumerate() {
        for axis in 0..3 {
            values[i + 1][axis] = around.iter().map(|v| v[axis]).sum::<f64>() / 3.0;
        }
    }
}

/// Rotation from yaw, pitch with the nose up, and roll with the left up.
fn turned(yaw: f64, nose_up: f64, left_up: f64) -> UnitQuaternion<f64> {
    // Positive about y moves the nose down.
    UnitQuaternion::from_euler_angles(left_up, -nose_up, yaw)
}

/// Lifts boxes in plan onto the ground.
pub(crate) fn lift(
    network: &Network,
    kind: Kind,
    model: &Model,
    boxes: &[Footprint],
    moments: &[Moment],
) -> Lifted {
    let mut slopes: Vec<[f64; 3]> = Vec::with_capacity(boxes.len());
    for (box_, moment) in boxes.iter().zip(moments) {
        // The height of a moment ago tells levels apart, and holds beyond the edge of the world.
        let guess_m = slopes.last().map_or(moment.height_m, |last| last[0]);
        slopes.push(slope(network, box_, model, guess_m));
    }
    smooth(&mut slopes);
    let mut lifted = Lifted::default();
    let (mut dive, mut sway) = (0.0, 0.0);
    let springs = model.axles.front_m > model.axles.rear_m;
    for (i, (box_, moment)) in boxes.iter().zip(moments).enumerate() {
        let [height, pitch, roll] = slopes[i];
        // The first turns as the second does.
        let [before, here] = match i {
            0 => [box_.heading_rad, boxes.get(1).unwrap_or(box_).heading_rad],
            _ => [boxes[i - 1].heading_rad, box_.heading_rad],
        };
        let turn = (here - before + std::f64::consts::PI).rem_euclid(std::f64::consts::TAU)
            - std::f64::consts::PI;
        let across = moment.speed_m_s * turn / STEP_S;
        let (dive_to, sway_to) = if !springs {
            (0.0, 0.0)
        } else if kind.is_two_wheeled() {
            (0.0, -(across / GRAVITY_M_S2).atan().clamp(-0.35, 0.35))
        } else {
            (DIVE_RAD * moment.accel_m_s2, (SWAY_RAD * across).clamp(-0.05, 0.05))
        };
        // It has driven before the clip: its springs are settled.
        if i == 0 {
            (dive, sway) = (dive_to, sway_to);
        }
        // Springs settle within a quarter of a second.
        dive += 0.2 * (dive_to - dive);
        sway += 0.2 * (sway_to - sway);
        let level = turned(box_.heading_rad, pitch, roll);
        let foot = Vector3::new(box_.centre_m.x, box_.centre_m.y, height);
        let up = |rotation: UnitQuaternion<f64>| {
            Pose::new(rotation, foot + rotation * Vector3::z() * (0.5 * model.size_m[2]))
        };
        lifted.level.push(up(level));
        lifted.body.push(up(turned(box_.heading_rad, pitch + dive, roll + sway)));
    }
    lifted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_slope_stays_as_it_is() {
        let slope: Vec<[f64; 3]> = (0..6).map(|i| [0.07 * f64::from(i), 0.05, 0.0]).collect();
        let mut smoothed = slope.clone();
        smooth(&mut smoothed);
        for (a, b) in slope.iter().zip(&smoothed) {
            assert!((0..3).all(|axis| (a[axis] - b[axis]).abs() < 1e-12), "{a:?} {b:?}");
        }
        for short in 0..3 {
            let mut values = slope[..short].to_vec();
            smooth(&mut values);
            assert_eq!(values, slope[..short]);
        }
    }
}
