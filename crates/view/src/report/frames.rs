//! Frames in full: occupancy in an oblique view and from above, depth over the cameras' images.

use maud::{Markup, html};

use super::input::ReportFrame;
use super::path::speed_at;
use super::{ReportInput, above, cameras, data_uri};
use crate::Error;
use crate::render::{Extent, ObliqueView, jpeg, oblique, observed_extent};

pub(super) fn section(input: &ReportInput) -> Result<Markup, Error> {
    // One extent for all frames, so that they compare.
    let extent = input
        .frames
        .iter()
        .filter_map(|frame| observed_extent(&frame.space))
        .reduce(|a, b| a.union(&b));
    let frames =
        input.frames.iter().map(|f| one_frame(input, f, extent)).collect::<Result<Vec<_>, _>>()?;
    Ok(html! {
        section #frames {
            h2 { "Vector space" }
            @if frames.is_empty() { p.none { "No frames to show." } }
            @for frame in &frames { (frame) }
        }
    })
}

fn one_frame(
    input: &ReportInput,
    frame: &ReportFrame,
    extent: Option<Extent>,
) -> Result<Markup, Error> {
    let start = input.frame_times.first().copied().unwrap_or_default();
    let time_s = (frame.space.timestamp - start).as_secs_f64();
    let speed = input.trajectory.as_ref().and_then(|t| speed_at(t, frame.space.timestamp));
    let space = &frame.space;
    let seen = observed_extent(space).is_some();
    let oblique_view = match &space.occupancy {
        Some(_) if seen => {
            let picture = oblique(space, &input.taxonomy, &ObliqueView::default());
            Some(data_uri("image/jpeg", &jpeg(&picture)?))
        }
        _ => None,
    };
    let from_above = match extent {
        Some(extent) if seen => Some(above::picture(input, space, extent)?),
        _ => None,
    };
    let cameras = cameras::pictures(input, frame)?;
    Ok(html! {
        article.frame {
            h3 { "Frame " (frame.index) small {
                " · t = " (format!("{time_s:.2}")) " s"
                @if let Some(speed) = speed { (format!(" · {speed:.1} m/s · {:.0} km/h", 3.6 * speed)) }
            } }
            @if let Some(uri) = &oblique_view {
                figure {
                    img src=(uri) alt="Occupancy from behind and above the vehicle";
                    figcaption { "Occupied voxels and ground, from behind and above; the vehicle is orange" }
                }
            }
            @if let Some(from_above) = &from_above { (from_above) }
            @if oblique_view.is_none() && from_above.is_none() { p.none { "Nothing around the vehicle was measured in this frame; the stages below say why." } }
            (cameras)
        }
    })
}
