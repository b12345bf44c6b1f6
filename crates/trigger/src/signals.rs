//! What triggers can ask about.

use ommatidia_geometry::{Ego, Pose, Timestamp, World};
use ommatidia_scene::{ClassId, Object, VectorSpace};

use crate::unit::{Type, Unit};

/// Most objects of a frame that are looked at, the surest first: with the size of a trigger, the bound of its cost.
pub const MAX_OBJECTS: usize = 256;

/// One frame as triggers see it; `None` is what nobody knows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Signals {
    /// Of the vehicle, m/s.
    pub speed: Option<f64>,
    /// Of the vehicle, to the left, rad/s.
    pub yaw_rate: Option<f64>,
    /// Of the vehicle, forward, m/s2.
    pub acceleration: Option<f64>,
    /// From the picture to what is known of it, seconds.
    pub latency: Option<f64>,
    /// Mean uncertainty of the occupied voxels, 0 to 1.
    pub uncertainty: Option<f64>,
    /// Share of what is occupied that the candidate and the active network disagree about.
    pub disagreement: Option<f64>,
    /// Share of the observed voxels that are occupied.
    pub occupied: Option<f64>,
    /// Share of the voxels that are observed.
    pub observed: Option<f64>,
    /// A person has taken over.
    pub take_over: Option<bool>,
    /// What the network found, the surest first, at most [`MAX_OBJECTS`]; `None` where nobody looked for objects.
    pub objects: Option<Vec<ObjectSignals>>,
}

/// One object of a frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ObjectSignals {
    /// What it is.
    pub class: ClassId,
    /// 0 to 1.
    pub confidence: f64,
    /// In the ego frame: forward, left; metres.
    pub centre_m: [f64; 2],
    /// Over ground, m/s.
    pub speed: Option<f64>,
    /// Length, width, height, metres.
    pub size_m: [f64; 3],
}

impl From<&Object> for ObjectSignals {
    fn from(object: &Object) -> Self {
        let centre = object.ego_from_object.translation;
        let speed = |v: [f64; 3]| v[0].hypot(v[1]);
        Self {
            class: object.class,
            confidence: f64::from(object.confidence),
            centre_m: [centre.x, centre.y],
            speed: object.velocity_m_s.map(speed),
            size_m: object.size_m,
        }
    }
}

impl Signals {
    /// What the space itself says; the vehicle's own signals are left unknown.
    pub fn of(space: &VectorSpace) -> Self {
        let objects = space.objects.as_ref().map(|found| {
            let mut objects: Vec<ObjectSignals> = found.iter().map(ObjectSignals::from).collect();
            // Stable: of equals the first that was found.
            objects.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
            objects.truncate(MAX_OBJECTS);
            objects
        });
        let mut signals = Self { objects, ..Self::default() };
        if let Some(occupancy) = &space.occupancy {
            let (observed, all) = (occupancy.observed.count(), occupancy.grid.len());
            let share = |part: usize, of: usize| (of > 0).then(|| part as f64 / of as f64);
            signals.observed = share(observed, all);
            signals.occupied = share(occupancy.occupied.count(), observed);
        }
        signals
    }

    /// Adds how the vehicle moved since an earlier frame; nothing where that one is not earlier.
    pub fn moved(
        &mut self,
        before: (Timestamp, Pose<World, Ego>),
        now: (Timestamp, Pose<World, Ego>),
    ) {
        let seconds = (now.0 - before.0).as_secs_f64();
        if seconds > 0.0 {
            let motion = before.1.inverse() * now.1;
            self.speed = Some(motion.translation.norm() / seconds);
            self.yaw_rate = Some(motion.rotation.euler_angles().2 / seconds);
        }
    }
}

/// A value of an expression.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value {
    Bool(bool),
    Class(ClassId),
    Number(f64),
}

/// Something that can be asked of a frame, or of an object.
pub struct Signal<T> {
    /// How it is written.
    pub name: &'static str,
    /// What it is.
    pub kind: Type,
    /// In words.
    pub about: &'static str,
    pub(crate) read: fn(&T) -> Option<Value>,
}

const fn signal<T>(
    name: &'static str,
    kind: Type,
    about: &'static str,
    read: fn(&T) -> Option<Value>,
) -> Signal<T> {
    Signal { name, kind, about, read }
}

const PLAIN: Type = Type::Number(Unit::ONE);
const M: Type = Type::Number(Unit::M);
const M_S: Type = Type::Number(Unit::M_S);

fn number(value: Option<f64>) -> Option<Value> {
    value.filter(|value| value.is_finite()).map(Value::Number)
}

/// Signals of a frame.
pub const FRAME_SIGNALS: &[Signal<Signals>] = &[
    signal("speed", M_S, "of the vehicle", |f| number(f.speed)),
    signal("yaw_rate", Type::Number(Unit::PER_S), "of the vehicle, to the left", |f| {
        number(f.yaw_rate)
    }),
    signal("acceleration", Type::Number(Unit::M_S2), "of the vehicle, forward", |f| {
        number(f.acceleration)
    }),
    signal("latency", Type::Number(Unit::S), "from the picture to what is known of it", |f| {
        number(f.latency)
    }),
    signal("uncertainty", PLAIN, "mean of the occupied voxels, 0 to 1", |f| number(f.uncertainty)),
    signal(
        "disagreement",
        PLAIN,
        "share of what is occupied that a candidate network says otherwise",
        |f| number(f.disagreement),
    ),
    signal("occupied", PLAIN, "share of the observed voxels that are occupied", |f| {
        number(f.occupied)
    }),
    signal("observed", PLAIN, "share of the voxels that are observed", |f| number(f.observed)),
    signal("take_over", Type::Bool, "a person has taken over", |f| f.take_over.map(Value::Bool)),
];

/// Signals of an object, within `count`, `any`, `least` and `most`.
pub const OBJECT_SIGNALS: &[Signal<ObjectSignals>] = &[
    signal("class", Type::Class, "what it is", |o| Some(Value::Class(o.class))),
    signal("confidence", PLAIN, "of the network, 0 to 1", |o| number(Some(o.confidence))),
    signal("distance", M, "of its centre from the rear axle, along the ground", |o| {
        number(Some(o.centre_m[0].hypot(o.centre_m[1])))
    }),
    signal("ahead", M, "of its centre, forward; negative behind", |o| number(Some(o.centre_m[0]))),
    signal("left", M, "of its centre, to the left; negative to the right", |o| {
        number(Some(o.centre_m[1]))
    }),
    signal("speed", M_S, "over ground", |o| number(o.speed)),
    signal("length", M, "of its box", |o| number(Some(o.size_m[0]))),
    signal("width", M, "of its box", |o| number(Some(o.size_m[1]))),
    signal("height", M, "of its box", |o| number(Some(o.size_m[2]))),
];
