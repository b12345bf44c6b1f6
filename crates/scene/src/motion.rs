//! What sensors of motion report: inertial unit, wheels, satellite navigation.

use ommatidia_geometry::Timestamp;

/// One reading of the inertial unit, in its own frame `Imu`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ImuSample {
    /// When.
    pub timestamp: Timestamp,
    /// Specific force (a unit at rest reads +g upwards), m/s².
    pub acceleration_m_s2: [f64; 3],
    /// Angular velocity, rad/s.
    pub angular_velocity_rad_s: [f64; 3],
}

/// One reading of wheel odometry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WheelSample {
    /// When.
    pub timestamp: Timestamp,
    /// Forward speed of the rear axle's centre, m/s.
    pub speed_m_s: f64,
    /// Turn of the vehicle to the left, rad/s.
    pub yaw_rate_rad_s: f64,
}

/// One fix of satellite navigation: the ego frame's origin in `World`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GnssSample {
    /// When.
    pub timestamp: Timestamp,
    /// East, north, up, metres.
    pub p_in_world_m: [f64; 3],
    /// Standard deviations that the receiver states, metres.
    pub deviation_m: [f64; 3],
}

/// Readings since the frame before, each kind in ascending time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MotionReadings {
    /// Inertial unit.
    pub imu: Vec<ImuSample>,
    /// Wheels.
    pub wheels: Vec<WheelSample>,
    /// Satellite navigation.
    pub gnss: Vec<GnssSample>,
}

impl MotionReadings {
    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.imu.is_empty() && self.wheels.is_empty() && self.gnss.is_empty()
    }
}
