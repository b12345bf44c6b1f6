//! Line charts as inline SVG. Colours come from the page's style sheet, so they follow its theme.

use maud::{Markup, html};

/// One line.
pub(super) struct Series {
    /// CSS class that gives its colour.
    pub(super) class: &'static str,
    pub(super) name: &'static str,
    pub(super) points: Vec<[f64; 2]>,
}

/// What a chart shows.
pub(super) struct Chart<'a> {
    pub(super) x_label: &'a str,
    pub(super) y_label: &'a str,
    pub(super) series: &'a [Series],
    /// Levels to compare with, as dashed lines across.
    pub(super) levels: &'a [f64],
    /// A metre is as long along both axes; the chart's height follows.
    pub(super) true_scale: bool,
    /// Mark where the first series starts and ends.
    pub(super) mark_ends: bool,
    /// Mark every point: there are few.
    pub(super) mark_points: bool,
    /// Width of the drawing, in units of which text is 12 high.
    pub(super) width: f64,
    /// Smallest span of the y axis, in its unit: noise is not blown up to fill the picture.
    pub(super) least_span: f64,
}

const LEFT: f64 = 72.0;
const RIGHT: f64 = 18.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 40.0;

/// A linear axis: data range onto pixels.
struct Axis {
    min: f64,
    max: f64,
    from_px: f64,
    to_px: f64,
}

impl Axis {
    fn px(&self, value: f64) -> f64 {
        self.from_px + (value - self.min) / (self.max - self.min) * (self.to_px - self.from_px)
    }

    /// Round numbers (1, 2 or 5 times a power of ten), about `pixels` apart.
    fn ticks(&self, pixels: f64) -> Vec<f64> {
        let rough = (self.max - self.min) * pixels / (self.to_px - self.from_px).abs();
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|&s| s >= rough);
        let step = step.unwrap_or(10.0 * power);
        let (first, last) = ((self.min / step).ceil() as i64, (self.max / step).floor() as i64);
        (first..=last).map(|i| i as f64 * step).collect()
    }
}

/// A number as short as its size allows.
fn label(value: f64) -> String {
    let rounded = (value * 1e6).round() / 1e6;
    // No negative zero.
    (rounded + 0.0).to_string()
}

fn range(values: impl Iterator<Item = f64> + Clone, least: f64) -> (f64, f64) {
    let low = values.clone().fold(f64::INFINITY, f64::min);
    let high = values.fold(f64::NEG_INFINITY, f64::max);
    if low > high {
        return (0.0, least);
    }
    let spare = (0.04 * (high - low)).max((least - (high - low)) / 2.0).max(0.0);
    (low - spare, high + spare)
}

impl Chart<'_> {
    fn axes(&self) -> (Axis, Axis) {
        let along =
            |i: usize| self.series.iter().flat_map(move |s| s.points.iter().map(move |p| p[i]));
        // Few points, such as one, say where they are only beside the beginning.
        let origin = self.mark_points.then_some(0.0);
        let levels = self.levels.iter().copied().filter(|level| level.is_finite());
        let (mut x, mut y) =
            (range(along(0).chain(origin), 1e-3), range(along(1).chain(levels), self.least_span));
        let plot_px = self.width - LEFT - RIGHT;
        let mut height_px = 150.0;
        if self.true_scale {
            let (dx, dy) = ((x.1 - x.0).max(1.0), y.1 - y.0);
            let px_per_m = (plot_px / dx).min(430.0 / dy);
            height_px = (dy * px_per_m).max(130.0);
            let widen = |(low, high): (f64, f64), pixels: f64| {
                let (middle, half) = ((low + high) / 2.0, pixels / px_per_m / 2.0);
                (middle - half, middle + half)
            };
            (x, y) = (widen(x, plot_px), widen(y, height_px));
        }
        (
            Axis { min: x.0, max: x.1, from_px: LEFT, to_px: self.width - RIGHT },
            Axis { min: y.0, max: y.1, from_px: TOP + height_px, to_px: TOP },
        )
    }

    /// The chart as one `svg` element.
    pub(super) fn markup(&self) -> Markup {
        let (x, y) = self.axes();
        let height = y.from_px + BOTTOM;
        let path = |series: &Series| {
            let step = |p: &[f64; 2]| format!("{:.1},{:.1}", x.px(p[0]), y.px(p[1]));
            series.points.iter().map(step).collect::<Vec<_>>().join(" ")
        };
        let ends = self.series.first().filter(|_| self.mark_ends);
        html! {
            svg.chart viewBox=(format!("0 0 {:.0} {height:.0}", self.width)) role="img"
                aria-label=(format!("{} over {}", self.y_label, self.x_label)) {
                g.grid {
                    @for tick in x.ticks(90.0) {
                        line x1=(px(x.px(tick))) x2=(px(x.px(tick))) y1=(px(y.to_px)) y2=(px(y.from_px)) {}
                        text x=(px(x.px(tick))) y=(px(y.from_px + 16.0)) text-anchor="middle" { (label(tick)) }
                    }
                    @for tick in y.ticks(if self.true_scale { 60.0 } else { 42.0 }) {
                        line x1=(px(x.from_px)) x2=(px(x.to_px)) y1=(px(y.px(tick))) y2=(px(y.px(tick))) {}
                        text x=(px(LEFT - 8.0)) y=(px(y.px(tick) + 4.0)) text-anchor="end" { (label(tick)) }
                    }
                }
                text.axis x=(px((x.from_px + x.to_px) / 2.0)) y=(px(height - 6.0)) text-anchor="middle" { (self.x_label) }
                text.axis text-anchor="middle"
                    transform=(format!("translate(13 {:.1}) rotate(-90)", (y.from_px + y.to_px) / 2.0)) { (self.y_label) }
                @for level in self.levels.iter().filter(|level| level.is_finite()) {
                    line.level x1=(px(x.from_px)) x2=(px(x.to_px)) y1=(px(y.px(*level))) y2=(px(y.px(*level))) {}
                }
                @for series in self.series.iter().filter(|_| self.mark_points) {
                    @for point in &series.points {
                        circle.point.(series.class) cx=(px(x.px(point[0]))) cy=(px(y.px(point[1]))) r="3.2" {}
                    }
                }
                @for series in self.series {
                    polyline.line.(series.class) points=(path(series)) {}
                }
                @if let Some([first, .., last]) = ends.map(|s| s.points.as_slice()) {
                    circle.start cx=(px(x.px(first[0]))) cy=(px(y.px(first[1]))) r="5" {}
                    rect.end x=(px(x.px(last[0]) - 4.5)) y=(px(y.px(last[1]) - 4.5)) width="9" height="9" {}
                }
            }
        }
    }
}

fn px(value: f64) -> String {
    format!("{value:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let axis = Axis { min: -0.3, max: 10.2, from_px: 0.0, to_px: 500.0 };
        assert_eq!(axis.ticks(90.0), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        let axis = Axis { min: 0.0, max: 0.05, from_px: 100.0, to_px: 0.0 };
        assert_eq!(
            axis.ticks(30.0).iter().map(|&t| label(t)).collect::<Vec<_>>(),
            ["0", "0.02", "0.04"]
        );
    }

    #[test]
    fn a_metre_is_a_metre_both_ways() {
        let series = [Series { class: "a", name: "a", points: vec![[0.0, 0.0], [100.0, 3.0]] }];
        let chart = Chart {
            x_label: "x",
            y_label: "y",
            series: &series,
            levels: &[],
            true_scale: true,
            mark_ends: true,
            mark_points: false,
            width: 960.0,
            least_span: 1.0,
        };
        let (x, y) = chart.axes();
        let along_x = (x.px(1.0) - x.px(0.0)).abs();
        let along_y = (y.px(1.0) - y.px(0.0)).abs();
        assert!((along_x - along_y).abs() < 1e-9, "{along_x} {along_y}");
    }

    #[test]
    fn nothing_or_one_point_is_still_a_chart() {
        for points in [vec![], vec![[1.0, 2.0]]] {
            let series = [Series { class: "a", name: "a", points }];
            let chart = Chart {
                x_label: "x",
                y_label: "y",
                series: &series,
                levels: &[],
                true_scale: false,
                mark_ends: true,
                mark_points: false,
                width: 960.0,
                least_span: 1.0,
            };
            let svg = chart.markup().into_string();
            assert!(svg.contains("<svg") && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }
}
