//! Reference lines and functions of `s`.

use nalgebra::Point2;

use super::reader::{Node, OpenDriveError};
use crate::roads::curve::{Curve, Shape, by_arc_length};
use crate::roads::road::Cubics;

/// Largest coordinate, length of one piece (m), and curvature (1/m).
const LARGEST_COORDINATE_M: f64 = 1e8;
const LONGEST_M: f64 = 100_000.0;
const LARGEST_CURVATURE: f64 = 5.0;
/// Largest coefficient of a cubic.
const LARGEST_COEFFICIENT: f64 = 1e6;
/// Most that one piece may turn, radians: some thirty times around.
const MOST_TURN_RAD: f64 = 200.0;
/// Most pieces of one reference line.
const MOST_PIECES: usize = 20_000;
/// A piece has to begin where the pieces before it end, metres of `s`.
const GAP_M: f64 = 0.1;

/// Where a road's reference line begins.
pub(super) fn start(road: &Node<'_>) -> Result<[f64; 2], OpenDriveError> {
    let first = road.needs("planView")?.needs("geometry")?;
    Ok([first.number("x", LARGEST_COORDINATE_M)?, first.number("y", LARGEST_COORDINATE_M)?])
}

/// A road's reference line.
pub(super) fn curve(road: &Node<'_>, moved_m: [f64; 2]) -> Result<Curve, OpenDriveError> {
    let mut curve = Curve::default();
    let view = road.needs("planView")?;
    for (index, node) in view.children("geometry").enumerate() {
        if index >= MOST_PIECES {
            let count = view.children("geometry").count();
            return Err(view.too_much("number of <geometry>", count as f64, MOST_PIECES as f64));
        }
        let length_m = node.amount("length", LONGEST_M)?;
        if (node.number("s", LONGEST_M)? - curve.length_m()).abs() > GAP_M {
            return Err(
                node.wrong("s", &format!("{:.3}, the end of the piece before", curve.length_m()))
            );
        }
        if length_m < 1e-6 {
            continue;
        }
        if curve.length_m() + length_m > LONGEST_M {
            return Err(node.too_much("road's length", curve.length_m() + length_m, LONGEST_M));
        }
        let p_m = Point2::new(
            node.number("x", LARGEST_COORDINATE_M)? - moved_m[0],
            node.number("y", LARGEST_COORDINATE_M)? - moved_m[1],
        );
        curve.push(p_m, node.number("hdg", 1000.0)?, length_m, shape(&node, length_m)?);
    }
    if curve.length_m() == 0.0 {
        return Err(view.missing("geometry of any length"));
    }
    Ok(curve)
}

fn shape(node: &Node<'_>, length_m: f64) -> Result<Shape, OpenDriveError> {
    let Some(form) = node.elements().find(|child| child.name() != "userData") else {
        return Err(node.missing("line, arc, spiral, poly3 or paramPoly3"));
    };
    match form.name() {
        "line" => Ok(Shape::Clothoid { start_per_m: 0.0, rate_per_m2: 0.0 }),
        "arc" => clothoid(&form, ["curvature"; 2], length_m),
        "spiral" => clothoid(&form, ["curvStart", "curvEnd"], length_m),
        "poly3" => {
            let (u, v) = ([0.0, 1.0, 0.0, 0.0], coefficients(&form, ["a", "b", "c", "d"])?);
            // The end of `u` whose arc has the given length, by Newton's method.
            let mut end = length_m;
            for _ in 0..6 {
                let slope = v[1] + end * (2.0 * v[2] + end * 3.0 * v[3]);
                end -= (by_arc_length(&u, &v, end).1 - length_m) / slope.hypot(1.0);
                end = end.clamp(0.0, length_m);
            }
            Ok(Shape::Cubic { u, v, p_by_s: by_arc_length(&u, &v, end).0 })
        }
        "paramPoly3" => {
            let u = coefficients(&form, ["aU", "bU", "cU", "dU"])?;
            let v = coefficients(&form, ["aV", "bV", "cV", "dV"])?;
            let end = match form.optional("pRange") {
                Some("arcLength") => length_m,
                None | Some("normalized") => 1.0,
                Some(_) => return Err(form.wrong("pRange", "`arcLength` or `normalized`")),
            };
            Ok(Shape::Cubic { u, v, p_by_s: by_arc_length(&u, &v, end).0 })
        }
        _ => Err(node.missing("line, arc, spiral, poly3 or paramPoly3")),
    }
}

/// A piece whose curvature goes from one attribute to the other.
fn clothoid(
    form: &Node<'_>,
    [start, end]: [&str; 2],
    length_m: f64,
) -> Result<Shape, OpenDriveError> {
    let start_per_m = form.number(start, LARGEST_CURVATURE)?;
    let end_per_m = form.number(end, LARGEST_CURVATURE)?;
    let turn_rad = start_per_m.abs().max(end_per_m.abs()) * length_m;
    if turn_rad > MOST_TURN_RAD {
        return Err(form.too_much("turn in radians", turn_rad, MOST_TURN_RAD));
    }
    Ok(Shape::Clothoid { start_per_m, rate_per_m2: (end_per_m - start_per_m) / length_m })
}

fn coefficients(node: &Node<'_>, names: [&str; 4]) -> Result<[f64; 4], OpenDriveError> {
    let mut all = [0.0; 4];
    for (value, name) in all.iter_mut().zip(names) {
        *value = node.number(name, LARGEST_COEFFICIENT)?;
    }
    Ok(all)
}

/// A function of `s` from elements with `a` to `d`; `at` names the attribute with their start.
pub(super) fn cubics<'a>(
    nodes: impl Iterator<Item = Node<'a>>,
    at: &str,
) -> Result<Cubics, OpenDriveError> {
    let mut pieces: Vec<(f64, [f64; 4])> = Vec::new();
    for node in nodes {
        let start = node.amount(at, LONGEST_M)?;
        if pieces.last().is_some_and(|last| start < last.0) {
            return Err(node.wrong(at, "not before that of the element before it"));
        }
        pieces.push((start, coefficients(&node, ["a", "b", "c", "d"])?));
    }
    Ok(Cubics(pieces))
}
