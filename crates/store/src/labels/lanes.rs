//! `lanes.parquet`.

use arrow_array::RecordBatch;
use arrow_array::types::{Float32Type, Int64Type, UInt8Type, UInt64Type};
use arrow_schema::{DataType, SchemaRef};
use ommatidia_geometry::Timestamp;
use ommatidia_scene::{Boundary, BoundaryKind, ClassId, Crossing, Lane, LaneGraph};

use super::columns::{Columns, Reading, list_of, optional, present, required, same_times, schema};
use super::{Row, Table};

const LANE: &str = "lane";
const CROSSING: &str = "crossing";

/// The lane graph of one frame: a row per lane and per crossing, or one row of nulls where there are none.
#[derive(Debug, Clone, PartialEq)]
pub struct LanesRow {
    /// When.
    pub timestamp: Timestamp,
    /// Lanes and crossings.
    pub lanes: LaneGraph,
}

/// What a row holds.
#[derive(Clone, Copy)]
enum Entry<'a> {
    Lane(&'a Lane),
    Crossing(&'a Crossing),
    Nothing,
}

impl Entry<'_> {
    fn lane(&self) -> Option<&Lane> {
        match self {
            Self::Lane(lane) => Some(lane),
            _ => None,
        }
    }

    fn crossing(&self) -> Option<&Crossing> {
        match self {
            Self::Crossing(crossing) => Some(crossing),
            _ => None,
        }
    }
}

impl Row for LanesRow {
    const TABLE: Table = Table::Lanes;
    const LARGE: bool = false;

    fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    fn schema() -> SchemaRef {
        let line = || list_of(DataType::Float32);
        schema(vec![
            required("timestamp_ns", DataType::Int64),
            optional("kind", DataType::Utf8),
            optional("id", DataType::UInt64),
            optional("centreline_xyz_m", line()),
            optional("left_xyz_m", line()),
            optional("left_kind", DataType::Utf8),
            optional("right_xyz_m", line()),
            optional("right_kind", DataType::Utf8),
            optional("class", DataType::UInt8),
            optional("in_intersection", DataType::Boolean),
            optional("successors", list_of(DataType::UInt64)),
            optional("left_neighbour", DataType::UInt64),
            optional("right_neighbour", DataType::UInt64),
            optional("polygon_xyz_m", line()),
        ])
    }

    fn encode(&self) -> Result<RecordBatch, String> {
        let lanes = self.lanes.lanes.iter().map(Entry::Lane);
        let mut rows: Vec<Entry<'_>> =
            lanes.chain(self.lanes.crossings.iter().map(Entry::Crossing)).collect();
        if rows.is_empty() {
            rows.push(Entry::Nothing);
        }
        let id = |row: &Entry<'_>| row.lane().map(|l| l.id).or(row.crossing().map(|c| c.id));
        let kind = |row: &Entry<'_>| match row {
            Entry::Lane(_) => Some(LANE),
            Entry::Crossing(_) => Some(CROSSING),
            Entry::Nothing => None,
        };
        let mut columns = Columns::new();
        columns.values::<Int64Type>(rows.iter().map(|_| self.timestamp.0));
        columns.texts(rows.iter().map(kind));
        columns.options::<UInt64Type>(rows.iter().map(id));
        let lane = |row: &Entry<'_>, line: fn(&Lane) -> &Vec<[f32; 3]>| {
            row.lane().map(|l| line(l).clone())
        };
        self.push_lines(&mut columns, rows.iter().map(|r| lane(r, |l| &l.centreline_m)).collect())?;
        self.push_lines(
            &mut columns,
            rows.iter().map(|r| lane(r, |l| &l.left.points_m)).collect(),
        )?;
        columns.texts(rows.iter().map(|r| r.lane().map(|l| kind_name(l.left.kind))));
        self.push_lines(
            &mut columns,
            rows.iter().map(|r| lane(r, |l| &l.right.points_m)).collect(),
        )?;
        columns.texts(rows.iter().map(|r| r.lane().map(|l| kind_name(l.right.kind))));
        columns.options::<UInt8Type>(rows.iter().map(|r| r.lane().map(|l| l.class.0)));
        columns.booleans(rows.iter().map(|r| r.lane().map(|l| l.in_intersection)));
        columns.lists::<UInt64Type>(rows.iter().map(|r| r.lane().map(|l| l.successors.as_slice())));
        columns.options::<UInt64Type>(rows.iter().map(|r| r.lane().and_then(|l| l.left_neighbour)));
        columns
            .options::<UInt64Type>(rows.iter().map(|r| r.lane().and_then(|l| l.right_neighbour)));
        let polygons = rows.iter().map(|r| r.crossing().map(|c| c.polygon_m.clone())).collect();
        self.push_lines(&mut columns, polygons)?;
        columns.batch(Self::schema())
    }

    fn decode(batch: &RecordBatch) -> Result<Vec<Self>, String> {
        let rows = Reading(batch);
        let times = rows.values::<Int64Type>("timestamp_ns")?;
        let ids = rows.options::<UInt64Type>("id")?;
        let mut frames = Vec::new();
        for range in same_times(times) {
            let timestamp = Timestamp(times[range.start]);
            let mut lanes = LaneGraph::default();
            for row in range {
                match (rows.text("kind", row)?, ids[row]) {
                    (None, _) => {}
                    (Some(LANE), Some(id)) => lanes.lanes.push(lane(&rows, row, id)?),
                    (Some(CROSSING), Some(id)) => {
                        let polygon_m = line(&rows, "polygon_xyz_m", row)?;
                        lanes.crossings.push(Crossing { id, polygon_m });
                    }
                    (Some(other), _) => return Err(format!("column kind holds {other}, or no id")),
                }
            }
            frames.push(Self { timestamp, lanes });
        }
        Ok(frames)
    }
}

impl LanesRow {
    fn push_lines(
        &self,
        columns: &mut Columns,
        lines: Vec<Option<Vec<[f32; 3]>>>,
    ) -> Result<(), String> {
        let flat: Vec<Option<Vec<f32>>> =
            lines.into_iter().map(|line| line.map(|points| points.concat())).collect();
        if flat.iter().flatten().flatten().any(|value| !value.is_finite()) {
            return Err(format!("lanes at {} s: a point is not finite", self.timestamp));
        }
        columns.lists::<Float32Type>(flat.iter().map(Option::as_deref));
        Ok(())
    }
}

fn lane(rows: &Reading<'_>, row: usize, id: u64) -> Result<Lane, String> {
    let neighbour = |name: &str| Ok::<_, String>(rows.options::<UInt64Type>(name)?[row]);
    let boundary = |points: &str, kind: &str| {
        let kind = kind_of(present(rows.text(kind, row)?, kind)?)?;
        Ok::<_, String>(Boundary { points_m: line(rows, points, row)?, kind })
    };
    Ok(Lane {
        id,
        centreline_m: line(rows, "centreline_xyz_m", row)?,
        left: boundary("left_xyz_m", "left_kind")?,
        right: boundary("right_xyz_m", "right_kind")?,
        class: ClassId(present(rows.options::<UInt8Type>("class")?[row], "class")?),
        in_intersection: present(rows.boolean("in_intersection", row)?, "in_intersection")?,
        successors: present(rows.list::<UInt64Type>("successors", row)?, "successors")?,
        left_neighbour: neighbour("left_neighbour")?,
        right_neighbour: neighbour("right_neighbour")?,
    })
}

fn line(rows: &Reading<'_>, name: &str, row: usize) -> Result<Vec<[f32; 3]>, String> {
    let flat = present(rows.list::<Float32Type>(name, row)?, name)?;
    let (points, rest) = flat.as_chunks::<3>();
    if !rest.is_empty() || flat.iter().any(|value| !value.is_finite()) {
        return Err(format!("column {name} holds no whole, finite points"));
    }
    Ok(points.to_vec())
}

const KINDS: [(BoundaryKind, &str); 6] = [
    (BoundaryKind::Unknown, "unknown"),
    (BoundaryKind::Solid, "solid"),
    (BoundaryKind::Dashed, "dashed"),
    (BoundaryKind::Double, "double"),
    (BoundaryKind::Kerb, "kerb"),
    (BoundaryKind::RoadEdge, "road_edge"),
];

fn kind_name(kind: BoundaryKind) -> &'static str {
    KINDS.iter().find(|(other, _)| *other == kind).map_or("unknown", |(_, name)| name)
}

fn kind_of(name: &str) -> Result<BoundaryKind, String> {
    let found = KINDS.iter().find(|(_, other)| *other == name);
    found.map(|(kind, _)| *kind).ok_or_else(|| format!("a boundary is {name}"))
}
