//! Trajectories as text: TUM's and KITTI's files, and EuRoC's ground truth. No I/O: text in, poses out.
//!
//! The files give the path of some body in some world; it takes the place of `Ego` in `World` here.
//! Which body and which axes they mean is for the reader of the file to know.

use std::fmt::Write as _;

use ommatidia_geometry::{Duration, Ego, Pose, Timestamp, World};
use ommatidia_scene::PoseSample;
use thiserror::Error;

/// A text file of poses that cannot be read. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {what}")]
pub struct TrajectoryTextError {
    /// The line.
    pub line: usize,
    /// What is wrong and what would be right.
    pub what: String,
}

type Result<T> = std::result::Result<T, TrajectoryTextError>;

fn fail<T>(line: usize, what: impl Into<String>) -> Result<T> {
    Err(TrajectoryTextError { line, what: what.into() })
}

/// TUM's format: `time_s tx ty tz qx qy qz qw` per line, `#` starts a comment. Times may
/// repeat, as real estimates' do.
///
/// # Errors
/// A line that does not hold 8 finite numbers, a zero quaternion, or times that run backwards.
pub fn parse_tum(text: &str) -> Result<Vec<PoseSample>> {
    let mut samples: Vec<PoseSample> = Vec::new();
    for (line, content) in content_lines(text) {
        let fields: Vec<&str> = content.split_whitespace().collect();
        if fields.len() != 8 {
            let found = fields.len();
            return fail(line, format!("{found} columns; TUM's are: time_s tx ty tz qx qy qz qw"));
        }
        let timestamp = parse_seconds(line, fields[0])?;
        let [tx, ty, tz, qx, qy, qz, qw] = parse_numbers(line, &fields[1..])?;
        // TUM writes the scalar last.
        let pose = from_wxyz(line, [qw, qx, qy, qz], [tx, ty, tz])?;
        push(&mut samples, line, timestamp, pose)?;
    }
    Ok(samples)
}

/// EuRoC's `state_groundtruth_estimate0/data.csv`: `time_ns,px,py,pz,qw,qx,qy,qz,…` per line.
///
/// # Errors
/// A line with fewer than 8 columns or a number that is not finite, a zero quaternion, or times that
/// run backwards.
pub fn parse_euroc(text: &str) -> Result<Vec<PoseSample>> {
    let mut samples: Vec<PoseSample> = Vec::new();
    for (line, content) in content_lines(text) {
        let fields: Vec<&str> = content.split(',').map(str::trim).collect();
        if fields.len() < 8 {
            let found = fields.len();
            return fail(
                line,
                format!("{found} columns; EuRoC's are: time_ns,px,py,pz,qw,qx,qy,qz"),
            );
        }
        let Ok(nanoseconds) = fields[0].parse() else {
            return fail(
                line,
                format!("time `{}` is not a whole number of nanoseconds", fields[0]),
            );
        };
        let [tx, ty, tz, qw, qx, qy, qz] = parse_numbers(line, &fields[1..8])?;
        let pose = from_wxyz(line, [qw, qx, qy, qz], [tx, ty, tz])?;
        push(&mut samples, line, Timestamp(nanoseconds), pose)?;
    }
    Ok(samples)
}

/// KITTI's pose file: a row-major 3x4 matrix per line, without times.
///
/// # Errors
/// A line that does not hold 12 finite numbers whose left 3x3 is a rotation.
pub fn parse_kitti(text: &str) -> Result<Vec<Pose<World, Ego>>> {
    content_lines(text)
        .map(|(line, content)| {
            let fields: Vec<&str> = content.split_whitespace().collect();
            if fields.len() != 12 {
                let found = fields.len();
                return fail(line, format!("{found} columns; KITTI's are a row-major 3x4 matrix"));
            }
            let matrix: [f64; 12] = parse_numbers(line, &fields)?;
            match Pose::from_row_major(&matrix) {
                Some(pose) => Ok(pose),
                None => fail(line, "columns 1-3, 5-7 and 9-11 are not a rotation matrix"),
            }
        })
        .collect()
}

/// KITTI's `times.txt`: seconds per line.
///
/// # Errors
/// A line that is not one finite number, or times that do not ascend.
pub fn parse_times(text: &str) -> Result<Vec<Timestamp>> {
    let mut times: Vec<Timestamp> = Vec::new();
    for (line, content) in content_lines(text) {
        let time = parse_seconds(line, content.trim())?;
        if times.last().is_some_and(|&last| last >= time) {
            return fail(line, format!("time {time} s is not after the one before it"));
        }
        times.push(time);
    }
    Ok(times)
}

/// Poses with times; without them, poses are a nominal 0.1 s apart, KITTI's frame rate.
///
/// # Errors
/// Where there are not as many times as poses; the line is the first one too many or missing.
pub fn with_times(
    poses: &[Pose<World, Ego>],
    times: Option<&[Timestamp]>,
) -> Result<Vec<PoseSample>> {
    if let Some(times) = times
        && times.len() != poses.len()
    {
        let line = times.len().min(poses.len()) + 1;
        return fail(line, format!("{} poses but {} times", poses.len(), times.len()));
    }
    const NOMINAL_PERIOD: Duration = Duration(100_000_000);
    let time = |i: usize| match times {
        Some(times) => times[i],
        None => Timestamp(i as i64 * NOMINAL_PERIOD.0),
    };
    let sample = |(i, &world_from_ego)| PoseSample { timestamp: time(i), world_from_ego };
    Ok(poses.iter().enumerate().map(sample).collect())
}

/// Poses in TUM's format; numbers read back as they were.
pub fn format_tum(samples: &[PoseSample]) -> String {
    let mut text = String::from("# timestamp_s tx ty tz qx qy qz qw\n");
    for sample in samples {
        let (t, q) = (&sample.world_from_ego.translation, &sample.world_from_ego.rotation);
        let time = decimal_seconds(sample.timestamp);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{time} {} {} {} {} {} {} {}", t.x, t.y, t.z, q.i, q.j, q.k, q.w);
    }
    text
}

/// Poses in KITTI's format.
pub fn format_kitti(samples: &[PoseSample]) -> String {
    let mut text = String::new();
    for sample in samples {
        let matrix = sample.world_from_ego.to_matrix();
        let entry = |i: usize| format!("{:e}", matrix[(i / 4, i % 4)]);
        text += &(0..12).map(entry).collect::<Vec<_>>().join(" ");
        text.push('\n');
    }
    text
}

/// Lines with content, numbered from 1; a byte-order mark, blank lines and comments are passed over.
fn content_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    (1..).zip(text.lines()).filter(|(_, line)| {
        let line = line.trim_start();
        !line.is_empty() && !line.starts_with('#')
    })
}

fn parse_numbers<const N: usize>(line: usize, fields: &[&str]) -> Result<[f64; N]> {
    let mut numbers = [0.0; N];
    for (number, field) in numbers.iter_mut().zip(fields) {
        match field.parse::<f64>() {
            Ok(value) if value.is_finite() => *number = value,
            _ => return fail(line, format!("`{field}` is not a finite number")),
        }
    }
    Ok(numbers)
}

fn from_wxyz(line: usize, wxyz: [f64; 4], translation: [f64; 3]) -> Result<Pose<World, Ego>> {
    let norm = wxyz.iter().map(|q| q * q).sum::<f64>().sqrt();
    match Pose::from_wxyz(wxyz, translation) {
        // Written with few digits, a unit quaternion is still one to a percent.
        Some(pose) if (norm - 1.0).abs() < 0.05 => Ok(pose),
        _ => fail(line, format!("the quaternion's length is {norm}, it must be 1")),
    }
}

fn push(
    samples: &mut Vec<PoseSample>,
    line: usize,
    timestamp: Timestamp,
    world_from_ego: Pose<World, Ego>,
) -> Result<()> {
    if samples.last().is_some_and(|last| last.timestamp > timestamp) {
        return fail(
            line,
            format!("time {timestamp} s is before the one above it; sort the lines by time"),
        );
    }
    samples.push(PoseSample { timestamp, world_from_ego });
    Ok(())
}

/// Decimal seconds to nanoseconds without passing through a float: at 1.4e9 s a double keeps only
/// 0.24 microseconds.
fn parse_seconds(line: usize, field: &str) -> Result<Timestamp> {
    match decimal_nanoseconds(field) {
        Some(nanoseconds) => Ok(Timestamp(nanoseconds)),
        None => fail(line, format!("time `{field}` is not a number of seconds")),
    }
}

fn decimal_seconds(Timestamp(nanoseconds): Timestamp) -> String {
    let (sign, size) = (if nanoseconds < 0 { "-" } else { "" }, nanoseconds.unsigned_abs());
    format!("{sign}{}.{:09}", size / 1_000_000_000, size % 1_000_000_000)
}

fn decimal_nanoseconds(field: &str) -> Option<i64> {
    let (negative, unsigned) = match field.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, field.strip_prefix('+').unwrap_or(field)),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = whole.len() + fraction.len();
    // 30 digits fit an i128 with room for the shift.
    if digits == 0 || digits > 30 || !(-20..=12).contains(&exponent) {
        return None;
    }
    let mut value: i128 = 0;
    for digit in whole.bytes().chain(fraction.bytes()) {
        value = value * 10 + i128::from(digit.is_ascii_digit().then(|| digit - b'0')?);
    }
    let shift = 9 + exponent - fraction.len() as i32;
    let scaled = if shift >= 0 {
        value.checked_mul(10i128.checked_pow(shift.unsigned_abs())?)?
    } else {
        let divisor = 10i128.checked_pow(shift.unsigned_abs())?;
        (value + divisor / 2) / divisor
    };
    i64::try_from(if negative { -scaled } else { scaled }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_error<T: std::fmt::Debug>(parsed: Result<T>, line: usize, what: &str) {
        let error = parsed.unwrap_err();
        assert_eq!(error.line, line, "{error}");
        assert!(error.what.contains(what), "{error}");
    }

    #[test]
    fn tum_lines_become_poses() {
        let text = "\u{feff}# a comment\n\n1305031098.6659 1 2 3 0 0 0.7071 0.7071\r\n1305031099 1 2 3 0 0 0 -1\n";
        let samples = parse_tum(text).unwrap();
        assert_eq!(samples[0].timestamp, Timestamp(1_305_031_098_665_900_000));
        let pose = samples[0].world_from_ego;
        assert_eq!(pose.translation.as_slice(), [1.0, 2.0, 3.0]);
        assert!((pose.rotation.scaled_axis().z - std::f64::consts::FRAC_PI_2).abs() < 1e-12);
        assert_eq!(samples[1].world_from_ego.rotation.angle(), 0.0);
    }

    #[test]
    fn euroc_puts_the_scalar_first_and_counts_nanoseconds() {
        let text = "#timestamp, p_x\n1403715524907143168,0.5,2,1,1,0,0,0,-0.1,7\n";
        let samples = parse_euroc(text).unwrap();
        assert_eq!(samples[0].timestamp, Timestamp(1_403_715_524_907_143_168));
        assert_eq!(samples[0].world_from_ego.rotation.angle(), 0.0);
    }

    #[test]
    fn kitti_lines_pair_with_times() {
        let text = "1 0 0 4 0 1 0 5 0 0 1 6\n1 0 0 7 0 1 0 8 0 0 1 9\n";
        let poses = parse_kitti(text).unwrap();
        assert_eq!(poses[1].translation.as_slice(), [7.0, 8.0, 9.0]);
        let times = parse_times("0.000000e+00\n1.037359e-01\n").unwrap();
        assert_eq!(with_times(&poses, Some(&times)).unwrap()[1].timestamp, Timestamp(103_735_900));
        assert_eq!(with_times(&poses, None).unwrap()[1].timestamp, Timestamp(100_000_000));
        check_error(with_times(&poses, Some(&times[..1])), 2, "2 poses but 1 times");
    }

    #[test]
    fn bad_lines_are_named() {
        let good = "1 0 0 0 0 0 0 1\n";
        check_error(parse_tum(&format!("{good}2 0 0 0 0 0 1\n")), 2, "7 columns");
        check_error(parse_tum(&format!("# c\n{good}2 0 0 x 0 0 0 1\n")), 3, "`x`");
        check_error(parse_tum(&format!("{good}2 0 0 inf 0 0 0 1\n")), 2, "`inf`");
        check_error(parse_tum(&format!("{good}2 0 0 0 0 0 0 0\n")), 2, "length is 0");
        check_error(parse_tum(&format!("2 0 0 0 0 0 0 1\n{good}")), 2, "before the one above");
        check_error(parse_tum("nan 0 0 0 0 0 0 1\n"), 1, "time `nan`");
        check_error(parse_euroc("1.5,0,0,0,1,0,0,0\n"), 1, "whole number");
        check_error(parse_euroc("1,0,0\n"), 1, "3 columns");
        check_error(parse_kitti("1 0 0 0 0 1 0 0 0 0 2 0\n"), 1, "rotation");
        check_error(parse_kitti("1 0 0\n"), 1, "3 columns");
        check_error(parse_times("1\n1\n"), 2, "not after");
    }

    #[test]
    fn seconds_keep_their_nanoseconds() {
        let cases = [
            ("1403715529.112143517", Some(1_403_715_529_112_143_517)),
            ("1.403715529112143517e+09", Some(1_403_715_529_112_143_517)),
            ("-0.5", Some(-500_000_000)),
            ("+2", Some(2_000_000_000)),
            (".25", Some(250_000_000)),
            ("1e-9", Some(1)),
            ("4.9e-10", Some(0)),
            ("0.0000000005", Some(1)),
            ("", None),
            (".", None),
            ("1.2.3", None),
            ("1e99", None),
            ("99999999999", None),
            ("0x10", None),
        ];
        for (text, expected) in cases {
            assert_eq!(decimal_nanoseconds(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let tangent = |i: f64| nalgebra::Vector6::new(i, -2.0 * i, 0.1, 0.3 * i, 0.2, -0.1 * i);
        let samples: Vec<PoseSample> = (0..5)
            .map(|i| PoseSample {
                timestamp: Timestamp(i * 123_456_789 - 200_000_000),
                world_from_ego: Pose::exp(&tangent(i as f64)),
            })
            .collect();
        let close = |a: &PoseSample, b: &PoseSample| {
            (a.world_from_ego.inverse() * b.world_from_ego).log().norm() < 1e-12
        };
        let tum = parse_tum(&format_tum(&samples)).unwrap();
        assert!(tum.iter().zip(&samples).all(|(a, b)| close(a, b) && a.timestamp == b.timestamp));
        let kitti = with_times(&parse_kitti(&format_kitti(&samples)).unwrap(), None).unwrap();
        assert!(kitti.iter().zip(&samples).all(|(a, b)| close(a, b)));
    }
}
