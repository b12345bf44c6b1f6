//! Road marks.

use super::reader::{Node, OpenDriveError};
use crate::roads::road::{Line, Mark};

/// Lengths of dashes and gaps where a file does not say, metres (RMS: 3 and 6 in towns).
const DASH_M: [f64; 2] = [3.0, 6.0];
/// Dashes and gaps have at least this length in all, metres.
const SHORTEST_M: f64 = 0.5;

/// Marks at the outer edge of a lane. `left`: it lies on the left of the reference line.
pub(super) fn marks(lane: &Node<'_>, left: bool) -> Result<Vec<(f64, Mark)>, OpenDriveError> {
    let mut marks: Vec<(f64, Mark)> = Vec::new();
    for node in lane.children("roadMark") {
        let start = node.amount("sOffset", 100_000.0)?;
        if marks.last().is_some_and(|last| start < last.0) {
            return Err(node.wrong("sOffset", "not before that of the mark before it"));
        }
        marks.push((start, mark(&node, left)?));
    }
    Ok(marks)
}

fn mark(node: &Node<'_>, left: bool) -> Result<Mark, OpenDriveError> {
    let bold = node.optional("weight") == Some("bold");
    let usual = if bold { 0.25 } else { 0.12 };
    let given = if node.optional("width").is_some() { node.amount("width", 2.0)? } else { usual };
    let width_m = if given < 0.01 { usual } else { given };
    let solid = Some(Line { width_m, dash_m: None });
    let broken = Some(Line { width_m, dash_m: Some(dashes(node)?) });
    // Two lines are named from the inner to the outer one, on the centre from left to right.
    let mut lines = match node.text("type")? {
        "solid" | "edge" | "custom" => [solid, None],
        "broken" | "botts dots" => [broken, None],
        "solid solid" => [solid, solid],
        "solid broken" => [solid, broken],
        "broken solid" => [broken, solid],
        "broken broken" => [broken, broken],
        // Without paint: `none`, `curb`, `grass`, and what later versions add.
        _ => [None, None],
    };
    if left && lines[1].is_some() {
        lines.swap(0, 1);
    }
    let yellow = matches!(node.optional("color"), Some("yellow" | "orange"));
    Ok(Mark { lines, yellow })
}

/// Length of dashes and gaps.
fn dashes(node: &Node<'_>) -> Result<[f64; 2], OpenDriveError> {
    let line = node.child("type").and_then(|kind| kind.child("line"));
    let Some(line) = line else { return Ok(DASH_M) };
    let dashes = [line.amount("length", 1000.0)?, line.amount("space", 1000.0)?];
    Ok(if dashes[0] + dashes[1] < SHORTEST_M { DASH_M } else { dashes })
}
