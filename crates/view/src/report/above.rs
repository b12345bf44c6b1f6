//! One frame from above: the picture with rings, boxes, the vehicle, a legend and figures.

use maud::{Markup, html};
use ommatidia_scene::{ClassId, Drivable, Lane, Object, Occupancy, Surface, VectorSpace};

use super::{ReportInput, data_uri};
use crate::Error;
use crate::render::{Extent, HeightScale, Rgb, birds_eye, png};

pub(super) fn picture(
    input: &ReportInput,
    space: &VectorSpace,
    extent: Extent,
) -> Result<Markup, Error> {
    let picture = birds_eye(space, &input.taxonomy, extent);
    let uri = data_uri("image/png", &png(&picture.image)?);
    let px_per_m = (620.0 / extent.width_m()).min(620.0 / extent.length_m());
    let (width, height) = (extent.width_m() * px_per_m, extent.length_m() * px_per_m);
    let place =
        |x_m: f64, y_m: f64| [(extent.max_y_m - y_m) * px_per_m, (extent.max_x_m - x_m) * px_per_m];
    let [ego_x, ego_y] = place(0.0, 0.0);
    let bar_m = if extent.width_m() > 40.0 { 10.0 } else { 5.0 };
    let centreline = |lane: &Lane| {
        let point = |p: &[f32; 3]| place(f64::from(p[0]), f64::from(p[1]));
        let text = |[u, v]: [f64; 2]| format!("{u:.1},{v:.1}");
        lane.centreline_m.iter().map(|p| text(point(p))).collect::<Vec<_>>().join(" ")
    };
    let outline = |object: &Object| {
        corners(object).map(|[x, y]| place(x, y)).map(|[u, v]| format!("{u:.1},{v:.1}")).join(" ")
    };
    Ok(html! {
        div.above {
            figure {
                svg viewBox=(format!("0 0 {width:.0} {height:.0}")) role="img" aria-label="The surroundings from above" style=(format!("max-width:{width:.0}px")) {
                    image href=(uri) width=(format!("{width:.1}")) height=(format!("{height:.1}")) preserveAspectRatio="none" style="image-rendering:pixelated" {}
                    @for radius_m in (1..=10).map(|i| f64::from(i) * 10.0) {
                        @if radius_m < extent.max_x_m.max(extent.max_y_m) {
                            circle.ring cx=(r(ego_x)) cy=(r(ego_y)) r=(r(radius_m * px_per_m)) {}
                        }
                    }
                    @for lane in space.lanes.iter().flat_map(|graph| &graph.lanes) {
                        polyline.lane points=(centreline(lane)) {}
                    }
                    @for object in space.objects.iter().flatten() {
                        polygon.object points=(outline(object)) style=(stroke(input, object.class)) {}
                    }
                    (vehicle(ego_x, ego_y, px_per_m))
                    // Over everything, or voxels would hide them.
                    @for radius_m in (1..=10).map(|i| f64::from(i) * 10.0).filter(|m| *m < extent.max_x_m - 1.0) {
                        text.ring x=(r(ego_x + 3.0)) y=(r(ego_y - radius_m * px_per_m - 3.0)) { (radius_m) " m" }
                    }
                    g.bar {
                        rect x="10" y=(r(height - 16.0)) width=(r(bar_m * px_per_m)) height="4" {}
                        text x=(r(14.0 + bar_m * px_per_m)) y=(r(height - 10.0)) { (bar_m) " m" }
                    }
                }
                figcaption { "From above, driving direction up, one pixel per voxel column" }
            }
            div {
                (legend(input, space, picture.by_class, &picture.classes))
                (facts(space))
            }
        }
    })
}

fn r(value: f64) -> String {
    format!("{value:.1}")
}

/// Outline and heading of the vehicle; the ego frame's origin is below the rear axle.
fn vehicle(x: f64, y: f64, px_per_m: f64) -> Markup {
    let (length, width, behind) = (4.4 * px_per_m, 1.8 * px_per_m, 0.9 * px_per_m);
    html! {
        g.vehicle transform=(format!("translate({x:.1} {y:.1})")) {
            rect x=(r(-width / 2.0)) y=(r(behind - length)) width=(r(width)) height=(r(length)) rx=(r(width / 4.0)) {}
            path d=(format!("M0 {:.1} L{:.1} {:.1} L{:.1} {:.1} Z",
                behind - 0.92 * length, 0.36 * width, behind - 0.62 * length, -0.36 * width, behind - 0.62 * length)) {}
        }
    }
}

fn corners(object: &Object) -> [[f64; 2]; 4] {
    [[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0], [-1.0, 1.0]].map(|[a, b]| {
        let half =
            nalgebra::Point3::new(a * object.size_m[0] / 2.0, b * object.size_m[1] / 2.0, 0.0);
        let p = object.ego_from_object * half;
        [p.x, p.y]
    })
}

fn css([red, green, blue]: Rgb) -> String {
    format!("background:rgb({red},{green},{blue})")
}

/// Boxes have their class's colour.
fn stroke(input: &ReportInput, class: ClassId) -> String {
    let [red, green, blue] =
        input.taxonomy.classes.get(usize::from(class.0)).map_or([200; 3], |class| class.rgb);
    format!("stroke:rgb({red},{green},{blue});fill:rgba({red},{green},{blue},.18)")
}

fn legend(input: &ReportInput, space: &VectorSpace, by_class: bool, classes: &[ClassId]) -> Markup {
    let heights = HeightScale::default();
    let stops: Vec<String> = (0..=8)
        .map(|i| {
            let share = i as f32 / 8.0;
            let [red, green, blue] =
                heights.colour(heights.low_m + share * (heights.high_m - heights.low_m));
            format!("rgb({red},{green},{blue}) {:.0}%", 100.0 * share)
        })
        .collect();
    let mut shown: Vec<ClassId> = space.objects.iter().flatten().map(|o| o.class).collect();
    shown.extend(classes.iter().filter(|_| by_class));
    shown.sort_unstable();
    shown.dedup();
    html! {
        ul.legend {
            @for class in shown.iter().filter_map(|c| input.taxonomy.classes.get(usize::from(c.0))) {
                    li { span.box style=(css(class.rgb)) {} (class.name.replace('_', " ")) }
            }
            @if space.occupancy.is_some() && !by_class {
                li { "occupied, by height over the ego frame's origin (no class is known)"
                    div.ramp style=(format!("background:linear-gradient(90deg,{})", stops.join(","))) {}
                    div.ends { span { (heights.low_m) " m" } span { (heights.high_m) " m and more" } }
                }
            }
            @for (name, colour) in crate::render::legend() {
                li { span.box style=(css(colour)) {} (name) }
            }
        }
    }
}

fn facts(space: &VectorSpace) -> Markup {
    let occupancy = |o: &Occupancy| {
        let observed = o.observed.count();
        let share = 100.0 * observed as f64 / o.grid.len().max(1) as f64;
        let [x, y, z] = o.grid.size.map(|n| f64::from(n) * o.grid.voxel_m);
        html! {
            tr { th { "grid" } td { (format!("{x:.0} × {y:.0} × {z:.0} m at {} m", o.grid.voxel_m)) } }
            tr { th { "observed" } td { (format!("{share:.1} % of the voxels")) } }
            tr { th { "occupied" } td { (o.occupied.count()) " voxels" } }
            @if let Some(flow) = &o.flow { tr { th { "moving" } td { (flow.len()) " voxels" } } }
        }
    };
    let surface = |s: &Surface| {
        let cell = s.spec.cell_m * s.spec.cell_m;
        let area = |kind: Drivable| s.drivable.iter().filter(|&&d| d == kind).count() as f64 * cell;
        html! {
            tr { th { "drivable" } td { (format!("{:.0} m²", area(Drivable::Yes))) } }
            tr { th { "not drivable" } td { (format!("{:.0} m²", area(Drivable::No))) } }
        }
    };
    html! {
        table.facts { tbody {
            @if let Some(o) = &space.occupancy { (occupancy(o)) }
            @if let Some(s) = &space.surface { (surface(s)) }
            @if let Some(objects) = &space.objects { tr { th { "objects" } td { (objects.len()) } } }
            @if let Some(lanes) = &space.lanes { tr { th { "lanes" } td { (lanes.lanes.len()) } } }
        } }
    }
}
