//! `omma report`: one self-contained HTML file about a clip and its labels, or about trainings.
//!
//! No script, no font, no picture from elsewhere; follows the reader's light or dark theme and prints.

mod above;
mod cameras;
mod chart;
mod frames;
mod input;
mod names;
mod path;
mod tables;
mod training;

pub use input::{MetricRow, MetricTable, ReportFrame, ReportInput, StageSummary, choose_frames};
pub use training::{RecordedNumber, TrainingInput, TrainingRun, render_training};

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::Error;

/// The page, as the bytes of one file.
///
/// # Errors
/// Where a picture cannot be encoded or a depth map does not fit its image.
pub fn render(input: &ReportInput) -> Result<String, Error> {
    let frames = frames::section(input)?;
    let body = html! {
        (header(input))
        main {
            (path::section(input))
            (frames)
            (tables::metrics(input))
            (tables::stages(input))
            (tables::rig(input))
            (tables::provenance(input))
        }
    };
    Ok(page(&input.clip, &body))
}

/// A file that needs no other.
fn page(title: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · omma report" }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body { (body) }
        }
    };
    page.into_string()
}

fn header(input: &ReportInput) -> Markup {
    let count = input.frame_times.len();
    let duration_s = match (input.frame_times.first(), input.frame_times.last()) {
        (Some(&first), Some(&last)) => (last - first).as_secs_f64(),
        _ => 0.0,
    };
    let rate = (count > 1 && duration_s > 0.0).then(|| (count - 1) as f64 / duration_s);
    let driven = input.trajectory.as_ref().filter(|t| t.samples().len() > 1);
    let path_m = driven.map(|t| t.path_m());
    html! {
        header {
            p.kind { "Ommatidia · labelled drive" }
            h1 { (input.clip) }
            dl {
                (fact("frames", &count.to_string()))
                (fact("duration", &format!("{duration_s:.2} s")))
                @if let Some(rate) = rate { (fact("rate", &format!("{rate:.1} Hz"))) }
                @if let Some(path_m) = path_m { (fact("path", &format!("{path_m:.1} m"))) }
                @if let Some(mean) = path_m.filter(|_| duration_s > 0.0) {
                    (fact("mean speed", &format!("{:.0} km/h", 3.6 * mean / duration_s)))
                }
                (fact("cameras", &input.rig.cameras.len().to_string()))
                (fact("lidars", &input.rig.lidars.len().to_string()))
                @if let Some(trajectory) = &input.trajectory {
                    (fact("poses", path::source_name(trajectory.source)))
                }
                (fact("format", &input.format))
            }
            nav {
                @for (id, name) in [("trajectory", "Trajectory"), ("frames", "Vector space"), ("metrics", "Against truth"),
                    ("stages", "Stages"), ("rig", "Rig"), ("provenance", "Provenance")] {
                    @if id != "metrics" || !input.metrics.is_empty() { a href=(format!("#{id}")) { (name) } " " }
                }
            }
        }
    }
}

fn fact(name: &str, value: &str) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

/// Bytes as a `data:` address. RFC 2397 with RFC 4648's base64.
fn data_uri(media_type: &str, bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = format!("data:{media_type};base64,");
    for chunk in bytes.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * i)) as usize & 63];
            text.push(if i <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::data_uri;

    #[test]
    fn base64_of_rfc_4648() {
        for (bytes, expected) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(data_uri("a/b", bytes.as_bytes()), format!("data:a/b;base64,{expected}"));
        }
    }
}
