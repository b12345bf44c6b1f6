//! Events that a scenario can pin.

use serde::{Deserialize, Serialize};

use super::{AnimalName, ItemName, within};
use crate::Error;

/// A side or a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// To the left.
    Left,
    /// Neither.
    Straight,
    /// To the right.
    Right,
}

/// Kinds of vehicles in scenario files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vehicle {
    /// A private car.
    Car,
    /// A panel van.
    Van,
    /// A rigid lorry.
    Lorry,
    /// A tractor with a semitrailer.
    Semi,
    /// A bus.
    Bus,
    /// A motorcycle.
    Motorcycle,
}

/// What somebody steps out from behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hiding {
    /// Nothing: in full view.
    Nothing,
    /// A parked car.
    Car,
    /// A parked van.
    Van,
    /// A parked lorry.
    Lorry,
    /// A bus at its stop.
    Bus,
}

/// Something that happens for certain. Distances are from the front of the ego when the event begins;
/// whatever is left out follows from the seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Event {
    /// A vehicle from the next lane pulls in front of the ego.
    CutIn {
        /// From the ego's front to its rear as it enters the lane, metres, 4 to 60.
        gap_m: Option<f64>,
        /// Its speed against the ego's as it pulls in, m/s, -6 to 6.
        faster_m_s: Option<f64>,
        /// When it begins to move over, seconds.
        at_s: Option<f64>,
        /// What it is.
        vehicle: Option<Vehicle>,
    },
    /// The vehicle ahead brakes to a stop.
    HardBrake {
        /// From the ego's front to its rear when it begins, metres, 8 to 80.
        gap_m: Option<f64>,
        /// How hard, m/s2, 2 to 8.
        brake_m_s2: Option<f64>,
        /// When, seconds.
        at_s: Option<f64>,
    },
    /// Somebody steps onto the road and crosses it.
    PedestrianEmerges {
        /// From behind what.
        from_behind: Option<Hiding>,
        /// How far ahead of the ego, metres; far enough to stop.
        distance_m: Option<f64>,
        /// How fast, m/s, 0.5 to 4.
        speed_m_s: Option<f64>,
        /// Is a child.
        child: Option<bool>,
    },
    /// A ball rolls onto the road and a child runs after it.
    Ball {
        /// How far ahead of the ego, metres.
        distance_m: Option<f64>,
    },
    /// An animal crosses.
    Animal {
        /// Which.
        species: Option<AnimalName>,
        /// How far ahead of the ego, metres.
        distance_m: Option<f64>,
        /// How fast, m/s, 0.5 to 12.
        speed_m_s: Option<f64>,
    },
    /// Something lies in the lane.
    LostLoad {
        /// What.
        item: Option<ItemName>,
        /// How far ahead of the ego at the start, metres, 30 to 1,000.
        distance_m: Option<f64>,
    },
    /// A vehicle stands in the lane.
    DoubleParked {
        /// What.
        vehicle: Option<Vehicle>,
        /// How far ahead of the ego at the start, metres, 30 to 1,000.
        distance_m: Option<f64>,
    },
    /// The door of a parked car opens in front of the ego.
    OpenDoor {
        /// How far ahead of the ego, metres.
        distance_m: Option<f64>,
    },
    /// A vehicle comes the wrong way on the next lane.
    WrongWay {
        /// How fast, m/s, 3 to 35.
        speed_m_s: Option<f64>,
        /// When it meets the ego, seconds.
        at_s: Option<f64>,
    },
    /// An oncoming vehicle overtakes in the ego's lane and gets back before it.
    OncomingOvertakes {
        /// Time left between the two once it is back, seconds, 0.5 to 6.
        spare_s: Option<f64>,
    },
    /// A cyclist rides ahead.
    Cyclist {
        /// How far ahead of the ego at the start, metres, 15 to 300.
        distance_m: Option<f64>,
        /// How fast, m/s, 2 to 9.
        speed_m_s: Option<f64>,
    },
    /// A motorcycle passes between the lanes.
    MotorcycleFilters {
        /// How much faster than the ego, m/s, 1 to 12.
        faster_m_s: Option<f64>,
    },
    /// An emergency vehicle with its beacons on overtakes or comes towards the ego.
    EmergencyVehicle {
        /// Comes from behind instead of from ahead.
        from_behind: Option<bool>,
        /// How fast, m/s, 5 to 40.
        speed_m_s: Option<f64>,
    },
    /// A parked car pulls out.
    PullsOut {
        /// How far ahead of the ego, metres.
        distance_m: Option<f64>,
    },
    /// The end of a queue.
    Jam {
        /// How far ahead of the ego at the start, metres, 40 to 1,500.
        distance_m: Option<f64>,
        /// How fast it creeps, m/s, 0 to 8.
        speed_m_s: Option<f64>,
    },
    /// Somebody follows too closely.
    Tailgater {
        /// From its front to the ego's rear, metres, 2 to 15.
        gap_m: Option<f64>,
    },
    /// A bus at its stop, and people around it.
    BusStop {
        /// How far ahead of the ego at the start, metres, 30 to 1,000.
        distance_m: Option<f64>,
        /// People who wait, 0 to 12.
        people: Option<u32>,
    },
}

/// Braking that a driver is trusted with in an emergency, m/s2, and the time to react, seconds.
const BRAKING_M_S2: f64 = 6.0;
const REACTION_S: f64 = 0.3;

/// Distance within which the ego can stop for somebody, metres.
pub(crate) fn stopping_m(speed_m_s: f64) -> f64 {
    speed_m_s * REACTION_S + speed_m_s * speed_m_s / (2.0 * BRAKING_M_S2) + 3.0
}

impl Event {
    /// The event's name in scenario files.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CutIn { .. } => "cut_in",
            Self::HardBrake { .. } => "hard_brake",
            Self::PedestrianEmerges { .. } => "pedestrian_emerges",
            Self::Ball { .. } => "ball",
            Self::Animal { .. } => "animal",
            Self::LostLoad { .. } => "lost_load",
            Self::DoubleParked { .. } => "double_parked",
            Self::OpenDoor { .. } => "open_door",
            Self::WrongWay { .. } => "wrong_way",
            Self::OncomingOvertakes { .. } => "oncoming_overtakes",
            Self::Cyclist { .. } => "cyclist",
            Self::MotorcycleFilters { .. } => "motorcycle_filters",
            Self::EmergencyVehicle { .. } => "emergency_vehicle",
            Self::PullsOut { .. } => "pulls_out",
            Self::Jam { .. } => "jam",
            Self::Tailgater { .. } => "tailgater",
            Self::BusStop { .. } => "bus_stop",
        }
    }

    /// Whether the event's values are possible for an ego at a speed, in a clip of a length.
    ///
    /// # Errors
    /// Key, value and bounds of the first that is not.
    pub fn check(&self, ego_m_s: f64, duration_s: f64) -> Result<(), Error> {
        let bounded = |key: &str, value: Option<f64>, low: f64, high: f64| {
            value
                .map_or(Ok(()), |value| within(&format!("{}.{key}", self.name()), value, low, high))
        };
        let ahead = |value: Option<f64>| bounded("distance_m", value, stopping_m(ego_m_s), 300.0);
        match self {
            Self::CutIn { gap_m, faster_m_s, at_s, .. } => {
                bounded("gap_m", *gap_m, 4.0, 60.0)?;
                bounded("faster_m_s", *faster_m_s, -6.0, 6.0)?;
                bounded("at_s", *at_s, 0.0, duration_s)
            }
            Self::HardBrake { gap_m, brake_m_s2, at_s } => {
                bounded("gap_m", *gap_m, 8.0, 80.0)?;
                bounded("brake_m_s2", *brake_m_s2, 2.0, 8.0)?;
                bounded("at_s", *at_s, 0.0, duration_s)
            }
            Self::PedestrianEmerges { distance_m, speed_m_s, .. } => {
                bounded("speed_m_s", *speed_m_s, 0.5, 4.0)?;
                ahead(*distance_m)
            }
            Self::Ball { distance_m }
            | Self::OpenDoor { distance_m }
            | Self::PullsOut { distance_m } => ahead(*distance_m),
            Self::Animal { distance_m, speed_m_s, .. } => {
                bounded("speed_m_s", *speed_m_s, 0.5, 12.0)?;
                ahead(*distance_m)
            }
            Self::LostLoad { distance_m, .. } | Self::DoubleParked { distance_m, .. } => {
                bounded("distance_m", *distance_m, 30.0, 1000.0)
            }
            Self::WrongWay { speed_m_s, at_s } => {
                bounded("speed_m_s", *speed_m_s, 3.0, 35.0)?;
                bounded("at_s", *at_s, 0.0, duration_s)
            }
            Self::OncomingOvertakes { spare_s } => bounded("spare_s", *spare_s, 0.5, 6.0),
            Self::Cyclist { distance_m, speed_m_s } => {
                bounded("distance_m", *distance_m, 15.0, 300.0)?;
                bounded("speed_m_s", *speed_m_s, 2.0, 9.0)
            }
            Self::MotorcycleFilters { faster_m_s } => bounded("faster_m_s", *faster_m_s, 1.0, 12.0),
            Self::EmergencyVehicle { speed_m_s, .. } => bounded("speed_m_s", *speed_m_s, 5.0, 40.0),
            Self::Jam { distance_m, speed_m_s } => {
                bounded("distance_m", *distance_m, 40.0, 1500.0)?;
                bounded("speed_m_s", *speed_m_s, 0.0, 8.0)
            }
            Self::Tailgater { gap_m } => bounded("gap_m", *gap_m, 2.0, 15.0),
            Self::BusStop { distance_m, people } => {
                bounded("distance_m", *distance_m, 30.0, 1000.0)?;
                bounded("people", people.map(f64::from), 0.0, 12.0)
            }
        }
    }

    /// Takes place at the right edge of the road, so that the ego has to drive in the rightmost lane.
    pub(crate) fn is_at_kerb(&self) -> bool {
        matches!(
            self,
            Self::PedestrianEmerges { .. }
                | Self::Ball { .. }
                | Self::OpenDoor { .. }
                | Self::PullsOut { .. }
                | Self::BusStop { .. }
                | Self::Cyclist { .. }
        )
    }

    /// Needs a kerb, and so a street.
    pub(crate) fn is_at_street(&self) -> bool {
        self.is_at_kerb()
    }

    /// Comes from beside the road.
    pub(crate) fn is_at_edge(&self) -> bool {
        self.is_at_kerb() && !matches!(self, Self::Cyclist { .. })
            || matches!(self, Self::Animal { .. })
    }

    /// Needs a second lane in the ego's direction.
    pub(crate) fn needs_two_lanes(&self) -> bool {
        matches!(self, Self::CutIn { .. } | Self::WrongWay { .. } | Self::MotorcycleFilters { .. })
    }
}
