//! Argoverse 2 detection of sweeps given as rows.

use ommatidia_metrics::Protocol;
use ommatidia_metrics::detection::argoverse2::{
    Argoverse2Protocol, CdsFigures, Cuboid, Sweep, evaluate,
};
use ommatidia_metrics::detection::nuscenes::yaw_of;
use serde::Deserialize;
use serde_json::Value;

use super::{Figures, parse};

#[derive(Deserialize)]
struct Input {
    sweeps: Vec<Given>,
}

#[derive(Deserialize)]
struct Given {
    log: String,
    timestamp: i64,
    truth: Vec<Row>,
    predicted: Vec<Row>,
}

/// Category, centre, size (l w h), quaternion (w x y z), score or interior points.
type Row = (String, [f64; 3], [f64; 3], [f64; 4], f64);

pub(super) fn run(input: Value) -> Result<Figures, String> {
    let input: Input = parse(input)?;
    let protocol = Argoverse2Protocol::named("argoverse2").map_err(|e| e.to_string())?;
    let cuboids = |rows: Vec<Row>| -> Result<Vec<Cuboid>, String> {
        rows.into_iter().map(|row| cuboid(row, &protocol)).collect()
    };
    let mut sweeps = Vec::new();
    for given in input.sweeps {
        sweeps.push(Sweep {
            log: given.log,
            timestamp_ns: given.timestamp,
            truth: cuboids(given.truth)?,
            predicted: cuboids(given.predicted)?,
        });
    }
    let report = evaluate(&sweeps, &protocol).map_err(|cause| cause.to_string())?;
    let mut figures = Figures::new();
    add("AVERAGE", &report.average, &mut figures);
    for (name, found) in &report.per_category {
        add(name, found, &mut figures);
    }
    Ok(figures)
}

fn cuboid(row: Row, protocol: &Argoverse2Protocol) -> Result<Cuboid, String> {
    let (category, center_m, size_m, wxyz, last) = row;
    let place = protocol.categories.iter().position(|name| *name == category);
    Ok(Cuboid {
        category: place.ok_or_else(|| format!("no category {category}"))? as u16,
        center_m,
        size_m,
        yaw_rad: yaw_of(wxyz),
        score: last,
        interior_points: last.max(0.0) as u32,
        in_region: true,
    })
}

fn add(of: &str, found: &CdsFigures, figures: &mut Figures) {
    let rows = [
        ("AP", found.ap),
        ("ATE", found.ate),
        ("ASE", found.ase),
        ("AOE", found.aoe),
        ("CDS", found.cds),
    ];
    figures.extend(rows.map(|(name, value)| (format!("{of} {name}"), value)));
}
