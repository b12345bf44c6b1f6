//! Polygons to pixels, as COCO draws them.

/// Outlines are drawn this much finer than pixels.
const FINER: f64 = 5.0;
/// Corners may lie this many images outside.
const FAR: f64 = 4.0;

/// What keeps a polygon from being drawn.
pub(super) fn check(polygon: &[f64], width: u32, height: u32) -> Result<(), String> {
    if polygon.len() < 6 || polygon.len() % 2 == 1 {
        return Err(format!(
            "has {} numbers; needs x and y of three corners or more",
            polygon.len()
        ));
    }
    for (i, &number) in polygon.iter().enumerate() {
        let size = f64::from(if i % 2 == 0 { width } else { height });
        if !number.is_finite() {
            return Err(format!("corner {} is not finite", i / 2));
        }
        if !(-FAR * size..=(1.0 + FAR) * size).contains(&number) {
            return Err(format!("corner {} is far outside the image", i / 2));
        }
    }
    Ok(())
}

/// First and one past last pixel of each run inside, counted down the columns. Even-odd, as the outline's crossings
/// of each column toggle.
pub(super) fn inside(polygon: &[f64], width: u32, height: u32) -> Vec<(u32, u32)> {
    let outline = outline(polygon);
    let mut crossings = Vec::new();
    for pair in outline.windows(2) {
        let [(u0, v0), (u1, v1)] = [pair[0], pair[1]];
        if u0 == u1 {
            continue;
        }
        let fine_x = if u1 < u0 { u1 } else { u1 - 1 };
        let x = (fine_x as f64 + 0.5) / FINER - 0.5;
        if x.floor() != x || x < 0.0 || x > f64::from(width) - 1.0 {
            continue;
        }
        let y = (v0.min(v1) as f64 + 0.5) / FINER - 0.5;
        let y = y.clamp(0.0, f64::from(height)).ceil();
        crossings.push(x as u32 * height + y as u32);
    }
    crossings.push(width * height);
    crossings.sort_unstable();
    crossings.chunks_exact(2).filter(|c| c[0] < c[1]).map(|c| (c[0], c[1])).collect()
}

/// Dense points along the closed outline, in units of a fifth of a pixel.
fn outline(polygon: &[f64]) -> Vec<(i64, i64)> {
    let fine = |number: f64| (FINER * number + 0.5) as i64;
    let mut corners: Vec<(i64, i64)> =
        polygon.as_chunks::<2>().0.iter().map(|&[x, y]| (fine(x), fine(y))).collect();
    corners.extend(corners.first().copied());
    let mut points = Vec::new();
    for pair in corners.windows(2) {
        let [(mut xs, mut ys), (mut xe, mut ye)] = [pair[0], pair[1]];
        let (dx, dy) = ((xe - xs).abs(), (ye - ys).abs());
        let turned = (dx >= dy && xs > xe) || (dx < dy && ys > ye);
        if turned {
            ((xs, ys), (xe, ye)) = ((xe, ye), (xs, ys));
        }
        let steps = dx.max(dy);
        let at = |d: i64| {
            let t = if turned { steps - d } else { d };
            if dx >= dy {
                let slope = if dx > 0 { (ye - ys) as f64 / dx as f64 } else { 0.0 };
                (xs + t, (ys as f64 + slope * t as f64 + 0.5) as i64)
            } else {
                let slope = (xe - xs) as f64 / dy as f64;
                ((xs as f64 + slope * t as f64 + 0.5) as i64, ys + t)
            }
        };
        points.extend((0..=steps).map(at));
    }
    points
}
