//! The vehicle's path: from above at true scale, speed, height, and distance from the truth.

use maud::{Markup, html};
use ommatidia_geometry::{Duration, Timestamp};
use ommatidia_metrics::trajectory::nearest_in_time;
use ommatidia_scene::{PoseSample, PoseSource, Scale, Trajectory};

use super::ReportInput;
use super::chart::{Chart, Series};

pub(super) fn section(input: &ReportInput) -> Markup {
    let Some(trajectory) = &input.trajectory else {
        return html! {
            section #trajectory { h2 { "Trajectory" } p.none { "No poses: neither given nor estimated." } }
        };
    };
    let samples = trajectory.samples();
    let truth = input.truth.as_deref().map(|truth| from_the_start_of(samples, truth));
    let truth = truth.as_deref();
    let start = samples.first().map_or(Timestamp(0), |sample| sample.timestamp);
    let both = |of: &dyn Fn(&[PoseSample]) -> Vec<[f64; 2]>| {
        let mut series = vec![Series {
            class: "estimate",
            name: source_name(trajectory.source),
            points: of(samples),
        }];
        series.extend(truth.map(|t| Series { class: "truth", name: "truth", points: of(t) }));
        series
    };
    let plan = both(&|s| s.iter().map(|p| [x(p), y(p)]).collect());
    let speed = both(&|s| speeds(s, start));
    let height =
        both(&|s| s.iter().map(|p| [seconds(p, start), p.world_from_ego.translation.z]).collect());
    let error = truth.map(|truth| {
        [Series {
            class: "error",
            name: "distance from truth",
            points: errors(samples, truth, start),
        }]
    });
    let profile = |title: &str, series: &[Series], y_label: &str, least_span: f64| {
        let chart = Chart {
            x_label: "time, s",
            y_label,
            series,
            levels: &[],
            true_scale: false,
            mark_ends: false,
            mark_points: false,
            width: 520.0,
            least_span,
        };
        html! { figure { figcaption { (title) } (chart.markup()) } }
    };
    let from_above = Chart {
        x_label: "x, m",
        y_label: "y, m",
        series: &plan,
        levels: &[],
        true_scale: true,
        mark_ends: true,
        mark_points: false,
        width: 1040.0,
        least_span: 1.0,
    };
    html! {
        section #trajectory {
            h2 { "Trajectory" }
            p.key {
                @for series in &plan { span.swatch.(series.class) {} (series.name) " " }
                span.mark { "● start ■ end" }
            }
            (scale_note(trajectory.scale))
            @if samples.len() < 2 { p.none { "A single pose: there is no path to draw." } } @else {
                figure { figcaption { "From above, true scale, world frame" } (from_above.markup()) }
                div.profiles {
                    (profile("Speed", &speed, "m/s", 1.0))
                    (profile("Height", &height, "z, m", 1.0))
                    @if let Some(error) = &error {
                        (profile("Distance from the truth, both from the first pose", error, "m", 0.05))
                    }
                }
            }
        }
    }
}

/// The truth moved to where the estimate begins: odometry cannot know where, and how tilted, that is.
fn from_the_start_of(samples: &[PoseSample], truth: &[PoseSample]) -> Vec<PoseSample> {
    let Some(first) = samples.first() else { return truth.to_vec() };
    let apart = |sample: &&PoseSample| sample.timestamp.0.abs_diff(first.timestamp.0);
    let Some(same) = truth.iter().min_by_key(apart) else { return Vec::new() };
    let moved = first.world_from_ego * same.world_from_ego.inverse();
    truth.iter().map(|p| PoseSample { world_from_ego: moved * p.world_from_ego, ..*p }).collect()
}

fn x(sample: &PoseSample) -> f64 {
    sample.world_from_ego.translation.x
}

fn y(sample: &PoseSample) -> f64 {
    sample.world_from_ego.translation.y
}

fn seconds(sample: &PoseSample, start: Timestamp) -> f64 {
    (sample.timestamp - start).as_secs_f64()
}

/// Speed over the neighbours of each sample, m/s.
fn speeds(samples: &[PoseSample], start: Timestamp) -> Vec<[f64; 2]> {
    let last = samples.len().saturating_sub(1);
    let speed = |i: usize| {
        let (before, after) = (&samples[i.saturating_sub(1)], &samples[(i + 1).min(last)]);
        let time_s = (after.timestamp - before.timestamp).as_secs_f64();
        let way = after.world_from_ego.translation - before.world_from_ego.translation;
        (time_s > 0.0).then(|| [seconds(&samples[i], start), way.norm() / time_s])
    };
    (0..samples.len()).filter_map(speed).collect()
}

fn errors(samples: &[PoseSample], truth: &[PoseSample], start: Timestamp) -> Vec<[f64; 2]> {
    let error = |(t, e): (usize, usize)| {
        let gap = samples[e].world_from_ego.translation - truth[t].world_from_ego.translation;
        [seconds(&samples[e], start), gap.norm()]
    };
    // As evo pairs them: 0.01 s.
    nearest_in_time(truth, samples, Duration(10_000_000)).into_iter().map(error).collect()
}

/// The speed at a time, m/s, where the path covers it.
pub(super) fn speed_at(trajectory: &Trajectory, timestamp: Timestamp) -> Option<f64> {
    const HALF: Duration = Duration(50_000_000);
    let samples = trajectory.samples();
    let (first, last) = (samples.first()?.timestamp, samples.last()?.timestamp);
    let (from, to) = ((timestamp - HALF).max(first), (timestamp + HALF).min(last));
    let way = trajectory.at(to)?.translation - trajectory.at(from)?.translation;
    let time_s = (to - from).as_secs_f64();
    (time_s > 0.0).then(|| way.norm() / time_s)
}

pub(super) fn source_name(source: PoseSource) -> &'static str {
    match source {
        PoseSource::Dataset => "poses of the recording",
        PoseSource::Gnss => "satellite navigation",
        PoseSource::Wheel => "wheel odometry",
        PoseSource::Odometry => "visual odometry",
        PoseSource::Simulation => "simulator",
    }
}

fn scale_note(scale: Scale) -> Markup {
    html! {
        @match scale {
            Scale::Metric => {}
            Scale::CameraHeight => p.note { "Scale comes from the cameras' height over flat ground: lengths are approximate." }
            Scale::Unknown => p.note.warn { "Scale is unknown: lengths are right up to one factor. “m” below means that unit." }
        }
    }
}
