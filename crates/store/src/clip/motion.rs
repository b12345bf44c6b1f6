//! Readings of inertial unit, wheels and satellite navigation: one JSON message a frame on `/motion`.
//!
//! JSON because Foxglove has no schema for them; its plots take `/motion.imu[:].acceleration_m_s2[0]`.

use ommatidia_geometry::Timestamp;
use ommatidia_scene::{GnssSample, ImuSample, MotionReadings, WheelSample};
use serde::{Deserialize, Serialize};

/// What the message looks like, as JSON Schema.
pub(super) const SCHEMA: &str = r#"{"type":"object","properties":{
"imu":{"type":"array","items":{"type":"object","properties":{"timestamp_ns":{"type":"integer"},
"acceleration_m_s2":{"type":"array","items":{"type":"number"}},
"angular_velocity_rad_s":{"type":"array","items":{"type":"number"}}}}},
"wheels":{"type":"array","items":{"type":"object","properties":{"timestamp_ns":{"type":"integer"},
"speed_m_s":{"type":"number"},"yaw_rate_rad_s":{"type":"number"}}}},
"gnss":{"type":"array","items":{"type":"object","properties":{"timestamp_ns":{"type":"integer"},
"p_in_world_m":{"type":"array","items":{"type":"number"}},
"deviation_m":{"type":"array","items":{"type":"number"}}}}}}}"#;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    imu: Vec<Imu>,
    wheels: Vec<Wheels>,
    gnss: Vec<Gnss>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Imu {
    timestamp_ns: i64,
    acceleration_m_s2: [f64; 3],
    angular_velocity_rad_s: [f64; 3],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wheels {
    timestamp_ns: i64,
    speed_m_s: f64,
    yaw_rate_rad_s: f64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Gnss {
    timestamp_ns: i64,
    p_in_world_m: [f64; 3],
    deviation_m: [f64; 3],
}

/// The message of some readings, which must be finite.
///
/// # Errors
/// What is wrong with them, in words.
pub(super) fn encode(readings: &MotionReadings) -> Result<Vec<u8>, String> {
    let imu = |sample: &ImuSample| {
        finite("imu", sample.timestamp, &sample.acceleration_m_s2)?;
        finite("imu", sample.timestamp, &sample.angular_velocity_rad_s)?;
        Ok::<_, String>(Imu {
            timestamp_ns: sample.timestamp.0,
            acceleration_m_s2: sample.acceleration_m_s2,
            angular_velocity_rad_s: sample.angular_velocity_rad_s,
        })
    };
    let wheels = |sample: &WheelSample| {
        finite("wheels", sample.timestamp, &[sample.speed_m_s, sample.yaw_rate_rad_s])?;
        Ok::<_, String>(Wheels {
            timestamp_ns: sample.timestamp.0,
            speed_m_s: sample.speed_m_s,
            yaw_rate_rad_s: sample.yaw_rate_rad_s,
        })
    };
    let gnss = |sample: &GnssSample| {
        finite("gnss", sample.timestamp, &sample.p_in_world_m)?;
        finite("gnss", sample.timestamp, &sample.deviation_m)?;
        Ok::<_, String>(Gnss {
            timestamp_ns: sample.timestamp.0,
            p_in_world_m: sample.p_in_world_m,
            deviation_m: sample.deviation_m,
        })
    };
    let message = Message {
        imu: readings.imu.iter().map(imu).collect::<Result<_, _>>()?,
        wheels: readings.wheels.iter().map(wheels).collect::<Result<_, _>>()?,
        gnss: readings.gnss.iter().map(gnss).collect::<Result<_, _>>()?,
    };
    serde_json::to_vec(&message).map_err(|cause| cause.to_string())
}

/// The readings of a message.
///
/// # Errors
/// What is wrong with it, in words.
pub(super) fn decode(message: &[u8]) -> Result<MotionReadings, String> {
    let message: Message = serde_json::from_slice(message).map_err(|cause| cause.to_string())?;
    let imu = |record: Imu| ImuSample {
        timestamp: Timestamp(record.timestamp_ns),
        acceleration_m_s2: record.acceleration_m_s2,
        angular_velocity_rad_s: record.angular_velocity_rad_s,
    };
    let wheels = |record: Wheels| WheelSample {
        timestamp: Timestamp(record.timestamp_ns),
        speed_m_s: record.speed_m_s,
        yaw_rate_rad_s: record.yaw_rate_rad_s,
    };
    let gnss = |record: Gnss| GnssSample {
        timestamp: Timestamp(record.timestamp_ns),
        p_in_world_m: record.p_in_world_m,
        deviation_m: record.deviation_m,
    };
    Ok(MotionReadings {
        imu: message.imu.into_iter().map(imu).collect(),
        wheels: message.wheels.into_iter().map(wheels).collect(),
        gnss: message.gnss.into_iter().map(gnss).collect(),
    })
}

fn finite(sensor: &str, time: Timestamp, values: &[f64]) -> Result<(), String> {
    if values.iter().all(|value| value.is_finite()) {
        return Ok(());
    }
    Err(format!("the reading of {sensor} at {time} s is not finite; leave such readings out"))
}
