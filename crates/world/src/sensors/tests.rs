use std::sync::Arc;

use nalgebra::UnitQuaternion;

use super::*;
use crate::motion::Keys;

const RADIUS_M: f64 = 30.0;
const SPEED_M_S: f64 = 9.0;
const DURATION_S: f64 = 20.0;

/// A circle to the left at constant speed, keyed every 20 ms.
fn circle() -> Motion<Ego> {
    let pose = |i: u32| {
        let yaw = f64::from(i) * 0.02 * SPEED_M_S / RADIUS_M;
        let turn = UnitQuaternion::from_euler_angles(0.0, 0.0, yaw);
        Pose::new(turn, Vector3::new(RADIUS_M * yaw.sin(), RADIUS_M * (1.0 - yaw.cos()), 0.0))
    };
    let poses = (0..=(DURATION_S / 0.02) as u32).map(pose).collect();
    Motion::Keyed(Arc::new(Keys { start_s: 0.0, step_s: 0.02, poses }))
}

fn journey<'a>(
    ego: &'a Motion<Ego>,
    sky_blocked: &'a (dyn Fn(&Point3<f64>) -> f64 + Sync),
) -> Journey<'a> {
    let lever = Vector3::new(1.0, 0.0, 0.5);
    let ego_from_imu = Some(Pose::new(UnitQuaternion::identity(), lever));
    let world_from_site = Pose::identity();
    Journey { ego, world_from_site, ego_from_imu, duration_s: DURATION_S, sky_blocked }
}

fn open(_: &Point3<f64>) -> f64 {
    0.0
}

fn ideal() -> MotionSensors {
    let imu = Imu {
        acceleration_noise: 0.0,
        acceleration_walk: 0.0,
        acceleration_bias: 0.0,
        gyro_noise: 0.0,
        gyro_walk: 0.0,
        gyro_bias: 0.0,
        ..Imu::default()
    };
    let wheels = Wheels { tick_m: 0.0, scale_error: 0.0, slip_per_g: 0.0, ..Wheels::default() };
    let gnss =
        Gnss { noise_m: 0.0, correlated_m: 0.0, multipath_m: 0.0, dropout: 0.0, ..Gnss::default() };
    MotionSensors { imu, wheels, gnss }
}

#[test]
fn without_errors_sensors_report_the_circle() {
    let ego = circle();
    let readings = ideal().record(&journey(&ego, &open), 1).unwrap();
    let turn = SPEED_M_S / RADIUS_M;
    assert_eq!(readings.imu.len(), 2001);
    for sample in &readings.imu {
        // Centripetal to the left; 1 m ahead of the axle also backwards.
        let expected = [-turn * turn, SPEED_M_S * turn, 9.806_65];
        for axis in 0..3 {
            assert!((sample.acceleration_m_s2[axis] - expected[axis]).abs() < 0.02, "{sample:?}");
        }
        assert!((sample.angular_velocity_rad_s[2] - turn).abs() < 1e-6);
    }
    assert!(readings.wheels.iter().all(|w| {
        (w.speed_m_s - SPEED_M_S).abs() < 0.01 && (w.yaw_rate_rad_s - turn).abs() < 1e-4
    }));
    for (i, fix) in readings.gnss.iter().enumerate() {
        let expected = ego.at(i as f64 / 5.0).translation;
        assert!((Vector3::from(fix.p_in_world_m) - expected).norm() < 1e-9);
    }
}

/// Mean and standard deviation.
fn statistics(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let count = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / count;
    (mean, (values.map(|v| (v - mean).powi(2)).sum::<f64>() / count).sqrt())
}

#[test]
fn inertial_noise_has_its_density_and_bias_walks() {
    let ego = circle();
    let quiet = ideal();
    let imu = Imu { gyro_noise: 1e-3, ..quiet.imu };
    let noisy = MotionSensors { imu, ..quiet }.record(&journey(&ego, &open), 7).unwrap();
    let (_, deviation) = statistics(noisy.imu.iter().map(|s| s.angular_velocity_rad_s[0]));
    // Density times the square root of the rate.
    assert!((deviation / 1e-2 - 1.0).abs() < 0.05, "{deviation}");

    let imu = Imu { gyro_walk: 1e-3, ..quiet.imu };
    let ends = (0..300).map(|seed| {
        let walked = MotionSensors { imu, ..quiet }.record(&journey(&ego, &open), seed).unwrap();
        walked.imu[2000].angular_velocity_rad_s[1]
    });
    let ends: Vec<f64> = ends.collect();
    let (_, deviation) = statistics(ends.iter().copied());
    let expected = 1e-3 * DURATION_S.sqrt();
    assert!((deviation / expected - 1.0).abs() < 0.15, "{deviation} {expected}");
}

#[test]
fn ticks_quantise_but_lose_no_way() {
    let ego = circle();
    let mut sensors = ideal();
    sensors.wheels.tick_m = 0.05;
    let readings = sensors.record(&journey(&ego, &open), 1).unwrap();
    let way: f64 = readings.wheels.iter().map(|w| w.speed_m_s / sensors.wheels.rate_hz).sum();
    assert!((way - SPEED_M_S * DURATION_S).abs() < 0.2, "{way}");
    assert!(readings.wheels.iter().any(|w| (w.speed_m_s - SPEED_M_S).abs() > 0.3));
}

#[test]
fn a_wrong_radius_scales_the_speed_and_slip_follows_acceleration() {
    let ego = circle();
    let mut sensors = ideal();
    sensors.wheels.scale_error = 0.01;
    let means: Vec<f64> = (0..200)
        .map(|seed| sensors.record(&journey(&ego, &open), seed).unwrap().wheels[100].speed_m_s)
        .collect();
    let (mean, deviation) = statistics(means.iter().copied());
    assert!((mean - SPEED_M_S).abs() < 0.03);
    // The mean of two wheels.
    assert!((deviation / (0.01 * SPEED_M_S / 2f64.sqrt()) - 1.0).abs() < 0.2, "{deviation}");

    let braking = |i: u32| {
        let t = f64::from(i) * 0.02;
        Pose::new(UnitQuaternion::identity(), Vector3::new(20.0 * t - 0.5 * 4.0 * t * t, 0.0, 0.0))
    };
    let poses = (0..200).map(braking).collect();
    let ego = Motion::Keyed(Arc::new(Keys { start_s: 0.0, step_s: 0.02, poses }));
    let mut sensors = ideal();
    sensors.wheels.slip_per_g = 0.1;
    let braked = Journey { duration_s: 3.9, ..journey(&ego, &open) };
    let sample = sensors.record(&braked, 1).unwrap().wheels[99];
    // At 1.99 s, the middle of the interval: 20 - 4 t, less 0.1 * 4 / 9.81 of it.
    let expected = (20.0 - 4.0 * 1.99) * (1.0 - 0.1 * 4.0 / 9.81);
    assert!((sample.speed_m_s - expected).abs() < 0.02, "{} {expected}", sample.speed_m_s);
}

#[test]
fn fixes_wander_as_told_and_fail_between_houses() {
    let ego = Motion::Still(Pose::identity());
    let long = |blocked| Journey { duration_s: 4000.0, ..journey(&ego, blocked) };
    let mut sensors = ideal();
    (sensors.gnss.correlated_m, sensors.gnss.correlation_s) = (2.0, 10.0);
    let fixes = sensors.record(&long(&open), 3).unwrap().gnss;
    let east: Vec<f64> = fixes.iter().map(|fix| fix.p_in_world_m[0]).collect();
    let (mean, deviation) = statistics(east.iter().copied());
    assert!(mean.abs() < 0.4 && (deviation / 2.0 - 1.0).abs() < 0.15, "{mean} {deviation}");
    // After one correlation time 1/e of the error is left.
    let lag = 50;
    let pairs = east.len() - lag;
    let product: f64 = (0..pairs).map(|i| east[i] * east[i + lag]).sum::<f64>() / pairs as f64;
    assert!((product / deviation.powi(2) - (-1.0f64).exp()).abs() < 0.12, "{product}");

    sensors.gnss.multipath_m = 6.0;
    let half = |_: &Point3<f64>| 0.5;
    let reflected = sensors.record(&long(&half), 3).unwrap().gnss;
    let (_, deviation) = statistics(reflected.iter().map(|fix| fix.p_in_world_m[1]));
    assert!((deviation / 6.0f64.hypot(2.0) - 1.0).abs() < 0.15, "{deviation}");
    let shut = |_: &Point3<f64>| 0.95;
    assert!(sensors.record(&long(&shut), 3).unwrap().gnss.is_empty());
}

#[test]
fn readings_repeat_by_seed_and_one_sensor_does_not_disturb_another() {
    let ego = circle();
    let journey = journey(&ego, &open);
    let sensors = MotionSensors::default();
    let first = sensors.record(&journey, 5).unwrap();
    assert_eq!(first, sensors.record(&journey, 5).unwrap());
    assert_ne!(first, sensors.record(&journey, 6).unwrap());
    let imu = Imu { rate_hz: 200.0, ..sensors.imu };
    let faster = MotionSensors { imu, ..sensors }.record(&journey, 5).unwrap();
    assert_eq!((&first.wheels, &first.gnss), (&faster.wheels, &faster.gnss));
}

#[test]
fn frames_get_each_reading_once() {
    let ego = circle();
    let all = MotionSensors::default().record(&journey(&ego, &open), 5).unwrap();
    let at = |i: u32| Timestamp::default() + Duration::from_secs_f64(f64::from(i) * 0.1);
    let mut joined = MotionReadings::default();
    for i in 0..=200u32 {
        let before =
            if i == 0 { Timestamp::default() + Duration::from_secs_f64(-1.0) } else { at(i - 1) };
        let part = between(&all, before, at(i));
        joined.imu.extend(part.imu);
        joined.wheels.extend(part.wheels);
        joined.gnss.extend(part.gnss);
    }
    assert_eq!(joined, all);
}

#[test]
fn numbers_out_of_bounds_are_named() {
    let ego = circle();
    let mut sensors = MotionSensors::default();
    sensors.gnss.correlation_s = f64::NAN;
    let message = sensors.record(&journey(&ego, &open), 1).unwrap_err().to_string();
    assert!(message.contains("gnss") && message.contains("correlation_s"), "{message}");
}
