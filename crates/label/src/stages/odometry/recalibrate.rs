//! Small errors of a stereo partner's orientation, found from motion and taken out.
//!
//! Points that their host alone triangulates by the vehicle's motion are known up to the motion's
//! scale. Where a partner then sees them, against where it should, separates that scale from a turn
//! of the partner: the scale moves near points only, a turn all. A tenth of a milliradian of yaw is
//! a few percent of depth at fifty metres, and rigs are seldom calibrated or kept so well; for
//! KITTI's see Cvišić et al. 2021, *Recalibrating the KITTI dataset camera setup*.
//!
//! What is found holds an error that more sightings do not average out: points of real surfaces are
//! tracked with biases that differ with distance, which looks like a turn. A finding as small as
//! that error is no reason to touch a calibration, so findings are shrunk by how far they exceed it.

use nalgebra::{Matrix2x4, Matrix3, Matrix4, Vector2, Vector3, Vector4, Vector6};
use ommatidia_geometry::{CameraModel, Pose, so3};
use ommatidia_scene::{CameraSensor, Rig};
use serde::{Deserialize, Serialize};

use super::roles::Roles;
use super::shutter;
use super::state::{Keyframe, Sighting, State, Track};
use super::triangulate::{Again, triangulate};
use super::view::{inverse_distance_from, ray, to_point};

/// Keyframes in which the host must have seen a point.
const MIN_SEEN: usize = 5;
/// Largest error of a partner's pixel from the distance's uncertainty, pixels.
const MAX_BLUR_PX: f64 = 0.5;
/// Residuals beyond this are other things than a small turn, pixels.
const MAX_RESIDUAL_PX: f64 = 4.0;
/// Residuals beyond this count less, pixels.
const ROBUST_PX: f64 = 0.6;
/// How well mountings are known beforehand, radians: half a pixel at KITTI's focal length.
const PRIOR_RAD: f64 = 7e-4;
/// Keyframes share their tracks, so their sightings tell less than as many independent ones.
const INDEPENDENT: f64 = 0.2;
/// Keyframes between two corrections.
const EVERY: usize = 10;
/// Errors of findings that do not average out, pixels: along the baseline, where residuals of points
/// at different distances differ by so much on KITTI, and across it, where no distance interferes.
const BIAS_PX: (f64, f64) = (0.2, 0.05);

/// What sightings say about a partner's turn (right tangent, radians) from its present orientation.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Evidence {
    /// Normal equations of the turn and the scale of the motion since the last correction.
    batch: Matrix4<f64>,
    batch_right: Vector4<f64>,
    /// Of the turn alone, from all before.
    information: Matrix3<f64>,
    right: Vector3<f64>,
}

/// Adds what the newest keyframe's sightings by partners say.
pub(super) fn gather(rig: &Rig, roles: &Roles, sigma_px: f64, state: &mut State) {
    state.evidence.resize(rig.cameras.len(), Evidence::default());
    let newest = state.keyframes.len() as u32 - 1;
    let State { tracks, keyframes, evidence, .. } = state;
    for track in tracks.iter() {
        let own: Vec<&Sighting> =
            track.sightings.iter().filter(|s| s.camera == track.host).collect();
        if own.len() < MIN_SEEN {
            continue;
        }
        for seen in track.sightings.iter().filter(|s| s.keyframe == newest) {
            let camera = usize::from(seen.camera);
            if seen.camera == track.host || roles.hosts.contains(&camera) {
                continue;
            }
            if let Some(row) = compare(rig, keyframes, track, &own, seen) {
                evidence[camera].add(&row, sigma_px);
            }
        }
    }
}

/// One sighting's residual and its derivatives, pixels.
struct Row {
    residual: Vector2<f64>,
    by: Matrix2x4<f64>,
    blur_px: f64,
}

fn compare(
    rig: &Rig,
    keyframes: &[Keyframe],
    track: &Track,
    own: &[&Sighting],
    seen: &Sighting,
) -> Option<Row> {
    let world_from = |s: &Sighting| shutter::world_from_camera(rig, keyframes, s);
    let host = &rig.cameras[usize::from(track.host)].intrinsics;
    let newest = own.iter().find(|s| s.keyframe == seen.keyframe)?;
    // From the newest, whose ray is shared with the partner.
    let world_from_host = world_from(newest);
    let others: Vec<Again<'_>> = own
        .iter()
        .filter(|s| s.keyframe != newest.keyframe)
        .map(|s| Again {
            intrinsics: host,
            here_from_first: world_from(s).inverse() * world_from_host,
            pixel: to_point(s.pixel),
        })
        .collect();
    let start = inverse_distance_from(&track.landmark, &world_from_host);
    let distance = triangulate((host, newest.pixel), &others, start)?;
    let partner = &rig.cameras[usize::from(seen.camera)].intrinsics;
    let partner_from_host = world_from(seen).inverse() * world_from_host;
    let lever = partner_from_host.translation;
    let p = partner_from_host.rotation * ray(host, newest.pixel)? + lever * distance.inverse;
    let (pixel, by_point) = partner.project_with_jacobian(&p.into())?;
    let mut by = Matrix2x4::zeros();
    by.fixed_view_mut::<2, 3>(0, 0).copy_from(&(by_point * so3::hat(&p)));
    // A larger scale of the motion puts the point farther, which shortens the lever's share. Taken at
    // the distance from all cameras: the noise of `distance` is in the residual, and were it in the
    // slope too, it would be mistaken for scale.
    by.set_column(3, &(by_point * lever * -start));
    let blur_px = (by_point * lever).norm() * distance.sigma;
    let residual = pixel - to_point(seen.pixel);
    let usable = residual.norm() <= MAX_RESIDUAL_PX && distance.worst_px <= 2.0;
    usable.then_some(Row { residual, by, blur_px })
}

impl Evidence {
    fn add(&mut self, row: &Row, sigma_px: f64) {
        let blur = row.blur_px * sigma_px;
        if blur > MAX_BLUR_PX {
            return;
        }
        let variance = sigma_px * sigma_px + blur * blur;
        let robust = 1.0 / (1.0 + row.residual.norm_squared() / (ROBUST_PX * ROBUST_PX));
        let weight = robust / variance;
        self.batch += row.by.transpose() * row.by * weight;
        self.batch_right -= row.by.transpose() * row.residual * weight;
    }

    /// Adds the batch to the rest. The scale of the motion differs from batch to batch, so it is
    /// eliminated from each.
    fn close_batch(&mut self) {
        let scale = self.batch[(3, 3)];
        if scale > 0.0 {
            let cross: Vector3<f64> = self.batch.fixed_view::<3, 1>(0, 3).into();
            let turn: Matrix3<f64> = self.batch.fixed_view::<3, 3>(0, 0).into();
            let right: Vector3<f64> = self.batch_right.fixed_rows::<3>(0).into();
            self.information += (turn - cross * cross.transpose() / scale) * INDEPENDENT;
            self.right += (right - cross * (self.batch_right[3] / scale)) * INDEPENDENT;
        }
        (self.batch, self.batch_right) = (Matrix4::zeros(), Vector4::zeros());
    }

    /// The turn from the present orientation, itself `turned` from the rig's, that is most likely.
    fn turn(&self, turned: &Vector3<f64>) -> Option<Vector3<f64>> {
        if self.information == Matrix3::zeros() {
            return None;
        }
        let prior = PRIOR_RAD.powi(-2);
        let matrix = self.information + Matrix3::identity() * prior;
        Some(matrix.cholesky()?.solve(&(self.right - turned * prior)))
    }

    /// The orientation has been turned by this much; the evidence is from then on about the new one.
    fn follow(&mut self, turn: &Vector3<f64>) {
        self.right -= self.information * turn;
    }
}

/// What of a finding is believed: the share of its square that is not bias, the best that is linear
/// where nothing but the finding tells how large turns are (James and Stein 1961).
fn believed(camera: &CameraSensor, found: &Vector3<f64>) -> Vector3<f64> {
    let (fx, fy) = camera.intrinsics.focal_px();
    let quarter_px = 0.25 * f64::from(camera.width);
    // Pixels a radian about x (pitch), y (yaw), z (roll, at the middle of a half).
    let bias = [BIAS_PX.1 / fy, BIAS_PX.0 / fx, BIAS_PX.1 / quarter_px];
    Vector3::from_fn(|i, _| found[i].powi(3) / (found[i].powi(2) + bias[i].powi(2)))
}

/// Now and then turns partners to where the evidence has them; the state keeps the new mountings.
/// `given`: the rig's own mountings, which the prior is about.
pub(super) fn apply(rig: &mut Rig, given: &Rig, state: &mut State) {
    if !state.keyframes.len().is_multiple_of(EVERY) {
        return;
    }
    for camera in 0..state.evidence.len() {
        let evidence = &mut state.evidence[camera];
        evidence.close_batch();
        let mounting = &mut rig.cameras[camera].ego_from_camera;
        let turned = (given.cameras[camera].ego_from_camera.inverse() * *mounting).log();
        let turned = turned.fixed_rows::<3>(3).into();
        let Some(turn) = evidence.turn(&turned) else { continue };
        let turn = believed(&given.cameras[camera], &(turned + turn)) - turned;
        evidence.follow(&turn);
        let step = Pose::exp(&Vector6::new(0.0, 0.0, 0.0, turn.x, turn.y, turn.z));
        *mounting = *mounting * step;
        for keyframe in &mut state.keyframes {
            if let Some(mount) = keyframe.mounts.get_mut(camera) {
                *mount = *mount * step;
            }
        }
        state.mountings = rig.cameras.iter().map(|camera| camera.ego_from_camera).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ommatidia_geometry::Intrinsics;
    use ommatidia_geometry::camera::Pinhole;
    use ommatidia_scene::Shutter;

    #[test]
    fn small_findings_are_left_and_large_ones_believed() {
        let camera = CameraSensor {
            name: "right".into(),
            width: 1200,
            height: 400,
            intrinsics: Intrinsics::Pinhole(Pinhole { fx: 700.0, fy: 700.0, cx: 600.0, cy: 200.0 }),
            ego_from_camera: Pose::identity(),
            shutter: Shutter::Global,
        };
        let check = |found: [f64; 3], most_off: [f64; 3], least: [f64; 3]| {
            let kept = believed(&camera, &found.into());
            for i in 0..3 {
                assert!(kept[i] / found[i] <= most_off[i], "{kept} of {found:?}");
                assert!(kept[i] / found[i] >= least[i], "{kept} of {found:?}");
            }
        };
        // A thirtieth of a pixel and two pixels.
        check([5e-5; 3], [0.4, 0.1, 0.4], [0.0; 3]);
        check([3e-3; 3], [1.0; 3], [0.99, 0.98, 0.99]);
    }
}
