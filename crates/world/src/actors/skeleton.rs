//! People: limbs, joints, and where they are in a stride or on a saddle.
//!
//! Lengths are shares of the stature (Drillis and Contini 1966, as in Winter, Biomechanics and Motor
//! Control of Human Movement, 2009, figure 4.1). Frames of limbs: origin at the joint towards the
//! body, the limb hangs along -z, x forward, y left.

use nalgebra::{Matrix3, Rotation3, UnitQuaternion, Vector3};
use ommatidia_geometry::{Pose, frames};

use super::model::Bone;

/// Thigh, shin, upper arm, forearm without the hand; shares of the stature.
pub(crate) const THIGH: f64 = 0.245;
pub(crate) const SHIN: f64 = 0.246;
pub(crate) const UPPER_ARM: f64 = 0.186;
pub(crate) const FOREARM: f64 = 0.146;
/// Height of the ankle, half distances of hips and shoulders.
pub(crate) const ANKLE: f64 = 0.039;
const HIP_HALF: f64 = 0.055;
const SHOULDER_HALF: f64 = 0.108;
/// Above the hips: where the torso hinges, where shoulders and neck sit.
const WAIST: f64 = 0.05;
const SHOULDER: f64 = 0.285;
const NECK: f64 = 0.31;
/// From the ankle forward to the ball of the foot, back to the heel.
const BALL: f64 = 0.09;
const HEEL: f64 = 0.035;
/// How far the hips sink below their height at rest while walking.
const SINK: f64 = 0.035;

/// How large a person is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Build {
    /// Stature, metres.
    pub stature_m: f64,
}

/// Where a rider sits and holds on, on the object's ground frame, metres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Saddle {
    /// Middle between the hips.
    pub hips_m: Vector3<f64>,
    /// Lean of the torso to the front, radians.
    pub lean_rad: f64,
    /// Left hand; the right one mirrors it.
    pub hand_m: Vector3<f64>,
    /// Left foot's ankle if it rests, or the crank's axle if it pedals; the right one mirrors it.
    pub foot_m: Vector3<f64>,
    /// Length of the crank; 0 for foot rests.
    pub crank_m: f64,
}

/// What a person's body does at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stride {
    /// Strides walked so far; the fraction is the phase of the left leg.
    pub phase: f64,
    /// 0 standing, 1 in full stride.
    pub swing: f64,
    /// 0 walking, 1 running.
    pub run: f64,
    /// Turn of the head to the left, radians.
    pub head_rad: f64,
}

type Placed = (Bone, Pose<frames::Object, frames::Part>);

/// All limbs in the order in which a person's model has them.
pub(crate) const BONES: [Bone; 13] = [
    Bone::Pelvis,
    Bone::Torso,
    Bone::Head,
    Bone::UpperArm(true),
    Bone::UpperArm(false),
    Bone::Forearm(true),
    Bone::Forearm(false),
    Bone::Thigh(true),
    Bone::Thigh(false),
    Bone::Shin(true),
    Bone::Shin(false),
    Bone::Foot(true),
    Bone::Foot(false),
];

fn sign(left: bool) -> f64 {
    if left { 1.0 } else { -1.0 }
}

fn pitch(angle_rad: f64) -> UnitQuaternion<f64> {
    UnitQuaternion::from_axis_angle(&Vector3::y_axis(), angle_rad)
}

/// The rotation that hangs a limb along `along`, its x towards `front`.
pub(crate) fn hang(along: &Vector3<f64>, front: &Vector3<f64>) -> UnitQuaternion<f64> {
    let z = -along.normalize();
    let y = z.cross(front).try_normalize(1e-9).unwrap_or_else(Vector3::y);
    let x = y.cross(&z);
    let rotation = Rotation3::from_matrix_unchecked(Matrix3::from_columns(&[x, y, z]));
    UnitQuaternion::from_rotation_matrix(&rotation)
}

/// Two bones from `root` towards `target`, bending towards `pole`: where the middle joint and the end
/// are. A target out of reach is approached along its direction.
pub(crate) fn reach(
    root: Vector3<f64>,
    target: Vector3<f64>,
    lengths: [f64; 2],
    pole: &Vector3<f64>,
) -> [Vector3<f64>; 2] {
    let offset = target - root;
    let [a, b] = lengths;
    let distance = offset.norm().clamp((a - b).abs() + 1e-3, (a + b) * 0.9995);
    let along = offset.try_normalize(1e-9).unwrap_or_else(|| -Vector3::z());
    let across = (pole - along * pole.dot(&along)).try_normalize(1e-9).unwrap_or_else(Vector3::x);
    // Law of cosines at the root.
    let cos = ((a * a + distance * distance - b * b) / (2.0 * a * distance)).clamp(-1.0, 1.0);
    let middle = root + along * (a * cos) + across * (a * (1.0 - cos * cos).sqrt());
    [middle, root + along * distance]
}

impl Build {
    /// Length of a stride (two steps) in metres: the foot is planted while the body passes over it.
    pub fn stride_m(&self, run: f64) -> f64 {
        (0.8 + 0.65 * run) * self.stature_m
    }

    /// Limbs on foot; the object's frame here has its origin on the ground.
    pub fn on_foot(&self, stride: &Stride) -> Vec<Placed> {
        let h = self.stature_m;
        let swing = stride.swing;
        let bob = (4.0 * std::f64::consts::PI * stride.phase).cos();
        let sink = SINK * swing + 0.012 * swing * (1.0 + stride.run) * bob + 0.01;
        let hips = Vector3::new(0.0, 0.0, (THIGH + SHIN + ANKLE - sink) * h);
        let sway = 0.06 * swing * (std::f64::consts::TAU * stride.phase).cos();
        let lean = swing * (0.04 + 0.12 * stride.run);
        let mut frame = Body::new(h, hips, lean, -sway, stride.head_rad);
        for left in [true, false] {
            let phase = (stride.phase + if left { 0.0 } else { 0.5 }).rem_euclid(1.0);
            let (ankle, foot) = self.foot(phase, stride, sign(left));
            frame.leg(left, ankle, foot);
            let back = (std::f64::consts::TAU * phase).cos() * swing * (0.45 + 0.25 * stride.run);
            let bend = 0.12 + swing * (0.25 + 1.1 * stride.run) - 0.2 * back;
            frame.arm_angles(left, back, bend.max(0.05));
        }
        frame.placed()
    }

    /// Ankle and pitch (heel up positive) of a foot in its stride.
    fn foot(&self, phase: f64, stride: &Stride, side: f64) -> (Vector3<f64>, f64) {
        let h = self.stature_m;
        let length = self.stride_m(stride.run);
        // Share of the stride during which the foot is planted; below a half both may be in the air.
        let planted = 0.6 - 0.25 * stride.run;
        let (x, lift, turn);
        if phase < planted {
            x = length * (0.45 * planted - phase);
            lift = 0.0;
            let share = phase / planted;
            let strike = -0.3 * (1.0 - share / 0.15).max(0.0);
            let push = 0.75 * ((share - 0.6) / 0.4).max(0.0).powf(1.5);
            turn = strike + push;
        } else {
            let u = (phase - planted) / (1.0 - planted);
            let (from, to) = (-0.55 * planted * length, 0.45 * planted * length);
            // Cubic whose ends move with the ground.
            let slope = -length * (1.0 - planted);
            let (u2, u3) = (u * u, u * u * u);
            x = from * (2.0 * u3 - 3.0 * u2 + 1.0)
                + slope * (u3 - 2.0 * u2 + u)
                + to * (3.0 * u2 - 2.0 * u3)
                + slope * (u3 - u2);
            lift = (0.035 + 0.12 * stride.run) * h * (std::f64::consts::PI * u).sin();
            turn = 0.75
                + (-0.3 - 0.75) * u * u * (3.0 - 2.0 * u)
                + 0.5 * stride.run * (std::f64::consts::PI * u).sin();
        }
        let turn = turn * stride.swing;
        // Heel up: the ball stays; toe up: the heel stays.
        let pivot = Vector3::new(if turn > 0.0 { BALL } else { -HEEL } * h, 0.0, 0.0);
        let rest = Vector3::new(0.0, 0.0, ANKLE * h);
        let ankle = pivot + pitch(turn) * (rest - pivot);
        let across = HIP_HALF * h * side * (1.0 - 0.35 * stride.swing);
        (ankle + Vector3::new(x * stride.swing, across, lift * stride.swing), turn)
    }

    /// Limbs on a saddle; `crank_rad` turns the pedals forward.
    pub fn on_saddle(&self, saddle: &Saddle, crank_rad: f64, head_rad: f64) -> Vec<Placed> {
        let h = self.stature_m;
        let mut frame = Body::new(h, saddle.hips_m, saddle.lean_rad, 0.0, head_rad);
        for left in [true, false] {
            let side = sign(left);
            let mirrored = |p: Vector3<f64>| Vector3::new(p.x, side * p.y, p.z);
            let angle = crank_rad + if left { 0.0 } else { std::f64::consts::PI };
            // Forward rolling turns the top to the front: positive about y.
            let pedal = pitch(angle) * Vector3::new(0.0, 0.0, saddle.crank_m);
            let above = if saddle.crank_m > 0.0 {
                Vector3::new(-BALL * h, 0.0, ANKLE * h + 0.02)
            } else {
                Vector3::zeros()
            };
            frame.leg(left, mirrored(saddle.foot_m) + pedal + above, 0.0);
            frame.arm_to(left, mirrored(saddle.hand_m));
        }
        frame.placed()
    }
}

/// A body whose limbs are being placed.
struct Body {
    stature_m: f64,
    pelvis: Pose<frames::Object, frames::Part>,
    torso: Pose<frames::Object, frames::Part>,
    head: Pose<frames::Object, frames::Part>,
    /// Upper, lower and end of each limb: left arm, right arm, left leg, right leg.
    arms: [[Pose<frames::Object, frames::Part>; 2]; 2],
    legs: [[Pose<frames::Object, frames::Part>; 3]; 2],
}

impl Body {
    fn new(h: f64, hips: Vector3<f64>, lean: f64, sway_rad: f64, head_rad: f64) -> Self {
        let yaw = |angle: f64| UnitQuaternion::from_axis_angle(&Vector3::z_axis(), angle);
        let pelvis = Pose::new(pitch(0.3 * lean) * yaw(sway_rad), hips);
        let torso_turn = pitch(lean) * yaw(-sway_rad);
        let torso_at = hips + pelvis.rotation * Vector3::new(0.0, 0.0, WAIST * h);
        let torso = Pose::new(torso_turn, torso_at);
        let neck = torso_at + torso_turn * Vector3::new(0.0, 0.0, (NECK - WAIST) * h);
        // The eyes stay on the road: the head undoes most of the lean.
        let head = Pose::new(pitch(0.25 * lean) * yaw(head_rad), neck);
        let nothing = Pose::identity();
        Self { stature_m: h, pelvis, torso, head, arms: [[nothing; 2]; 2], legs: [[nothing; 3]; 2] }
    }

    fn shoulder(&self, left: bool) -> Vector3<f64> {
        let h = self.stature_m;
        let offset = Vector3::new(0.0, SHOULDER_HALF * sign(left) * h, (SHOULDER - WAIST) * h);
        self.torso.translation + self.torso.rotation * offset
    }

    fn arm_angles(&mut self, left: bool, back_rad: f64, bend_rad: f64) {
        let h = self.stature_m;
        let out = UnitQuaternion::from_axis_angle(&Vector3::x_axis(), 0.12 * sign(left));
        let upper = self.torso.rotation * pitch(back_rad) * out;
        let elbow = self.shoulder(left) + upper * Vector3::new(0.0, 0.0, -UPPER_ARM * h);
        self.arms[usize::from(!left)] =
            [Pose::new(upper, self.shoulder(left)), Pose::new(upper * pitch(-bend_rad), elbow)];
    }

    fn arm_to(&mut self, left: bool, hand: Vector3<f64>) {
        let h = self.stature_m;
        let root = self.shoulder(left);
        let pole = Vector3::new(-0.3, 0.7 * sign(left), -0.8);
        let [elbow, wrist] = reach(root, hand, [UPPER_ARM * h, FOREARM * h], &pole);
        let front = self.torso.rotate(&Vector3::z());
        self.arms[usize::from(!left)] = [
            Pose::new(hang(&(elbow - root), &front), root),
            Pose::new(hang(&(wrist - elbow), &front), elbow),
        ];
    }

    fn leg(&mut self, left: bool, ankle: Vector3<f64>, foot_rad: f64) {
        let h = self.stature_m;
        let hip = Vector3::new(0.0, HIP_HALF * sign(left) * h, 0.0);
        let root = self.pelvis.translation + self.pelvis.rotation * hip;
        let front = Vector3::new(1.0, 0.08 * sign(left), 0.3);
        let [knee, end] = reach(root, ankle, [THIGH * h, SHIN * h], &front);
        self.legs[usize::from(!left)] = [
            Pose::new(hang(&(knee - root), &Vector3::x()), root),
            Pose::new(hang(&(end - knee), &Vector3::x()), knee),
            Pose::new(pitch(foot_rad), end),
        ];
    }

    fn placed(&self) -> Vec<Placed> {
        let pose = |bone: Bone| match bone {
            Bone::Pelvis => self.pelvis,
            Bone::Torso => self.torso,
            Bone::Head => self.head,
            Bone::UpperArm(left) => self.arms[usize::from(!left)][0],
            Bone::Forearm(left) => self.arms[usize::from(!left)][1],
            Bone::Thigh(left) => self.legs[usize::from(!left)][0],
            Bone::Shin(left) => self.legs[usize::from(!left)][1],
            Bone::Foot(left) => self.legs[usize::from(!left)][2],
        };
        BONES.iter().map(|bone| (*bone, pose(*bone))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUILD: Build = Build { stature_m: 1.75 };

    fn pose(placed: &[Placed], bone: Bone) -> Pose<frames::Object, frames::Part> {
        placed.iter().find(|(found, _)| *found == bone).unwrap().1
    }

    fn strides() -> impl Iterator<Item = Stride> {
        (0..400).map(|i| {
            let t = f64::from(i) / 400.0;
            Stride {
                phase: 3.0 * t,
                swing: if i < 300 { 1.0 } else { t },
                run: f64::from(i % 2),
                head_rad: 0.2,
            }
        })
    }

    #[test]
    fn limbs_keep_their_lengths_and_stay_joined() {
        let h = BUILD.stature_m;
        for stride in strides() {
            let placed = BUILD.on_foot(&stride);
            for left in [true, false] {
                let at = |bone| pose(&placed, bone).translation;
                let end = |bone, length: f64| {
                    pose(&placed, bone) * nalgebra::Point3::new(0.0, 0.0, -length * h)
                };
                for (upper, lower, length) in [
                    (Bone::Thigh(left), Bone::Shin(left), THIGH),
                    (Bone::Shin(left), Bone::Foot(left), SHIN),
                    (Bone::UpperArm(left), Bone::Forearm(left), UPPER_ARM),
                ] {
                    let gap = (end(upper, length).coords - at(lower)).norm();
                    assert!(gap < 2e-3, "{lower:?} is {gap} m off its joint at {stride:?}");
                }
            }
        }
    }

    #[test]
    fn a_planted_foot_stays_where_it_is() {
        for run in [0.0, 1.0] {
            let length = BUILD.stride_m(run);
            let ball = |phase: f64| {
                let stride = Stride { phase, swing: 1.0, run, head_rad: 0.0 };
                let foot = pose(&BUILD.on_foot(&stride), Bone::Foot(true));
                let on_foot = Vector3::new(BALL, 0.0, -ANKLE) * BUILD.stature_m;
                foot.translation + foot.rotation * on_foot + Vector3::x() * (phase * length)
            };
            // Between the heel's strike and the toe's leave, as in `foot`.
            let planted = 0.6 - 0.25 * run;
            let (from, to) = (ball(0.16 * planted), ball(0.97 * planted));
            let slip = (to - from).norm();
            assert!(slip < 0.03, "slips {slip} m when run is {run}");
        }
    }

    #[test]
    fn feet_never_sink_and_heads_stay_up() {
        for stride in strides().chain([Stride { phase: 0.3, swing: 0.0, run: 0.0, head_rad: 0.0 }])
        {
            let placed = BUILD.on_foot(&stride);
            for left in [true, false] {
                let ankle = pose(&placed, Bone::Foot(left)).translation.z;
                assert!(ankle > 0.8 * ANKLE * BUILD.stature_m, "{ankle}");
            }
            let head = pose(&placed, Bone::Head).translation.z + 0.16 * BUILD.stature_m;
            assert!((1.5..1.85).contains(&head), "{head}");
        }
    }
}
