//! The surface of roads, pavements and terrain: triangles, and a grid to find them by.

use nalgebra::{Point3, Vector3};

/// What the ground is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum GroundClass {
    /// Carriageway.
    #[default]
    Road,
    /// Paint on it.
    Marking,
    /// Parking bays and hard standing.
    Parking,
    /// Pavement and kerbs.
    Sidewalk,
    /// Grass, soil.
    Terrain,
    /// Paved or gravelled, for neither wheels nor feet: islands, yards.
    Other,
}

impl GroundClass {
    /// Vehicles may be there.
    pub fn is_drivable(self) -> bool {
        matches!(self, Self::Road | Self::Marking | Self::Parking)
    }

    /// Its name in [`ommatidia_scene::Taxonomy::driving`].
    pub fn name(self) -> &'static str {
        match self {
            Self::Road => "road",
            Self::Marking => "lane_marking",
            Self::Parking => "parking",
            Self::Sidewalk => "sidewalk",
            Self::Terrain => "terrain",
            Self::Other => "other_ground",
        }
    }
}

/// The ground at one place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroundPoint {
    /// Height in `World`, metres.
    pub height_m: f64,
    /// Unit normal, upwards.
    pub normal: Vector3<f64>,
    /// What it is.
    pub class: GroundClass,
    /// Vehicles may be there.
    pub drivable: bool,
}

/// A triangle of the ground.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facet {
    /// Indices into [`Ground::vertices_m`], counter-clockwise from above.
    pub corners: [u32; 3],
    /// Index into [`Ground::finishes`].
    pub finish: u16,
}

/// What a facet is and looks like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finish {
    /// What it is.
    pub class: GroundClass,
    /// What it is made of.
    pub material: crate::look::Material,
}

/// All ground, as it is filmed: what [`Ground::at`] says is what the meshes show.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ground {
    /// Corners in `World`, metres.
    pub vertices_m: Vec<[f32; 3]>,
    /// Triangles.
    pub facets: Vec<Facet>,
    /// What facets look like.
    pub finishes: Vec<Finish>,
    grid: Grid,
}

/// Facets by cells of the plane, in compressed rows.
#[derive(Debug, Clone, PartialEq, Default)]
struct Grid {
    min_m: [f64; 2],
    size: [usize; 2],
    starts: Vec<u32>,
    facets: Vec<u32>,
}

const CELL_M: f64 = 2.0;

impl Ground {
    /// Ground from its triangles.
    pub fn new(vertices_m: Vec<[f32; 3]>, facets: Vec<Facet>, finishes: Vec<Finish>) -> Self {
        let grid = Grid::new(&vertices_m, &facets);
        Self { vertices_m, facets, finishes, grid }
    }

    /// The highest facet at a place.
    pub fn at(&self, x_m: f64, y_m: f64) -> Option<GroundPoint> {
        self.pick(x_m, y_m, |height_m| height_m)
    }

    /// The facet at a place whose height is nearest to `z_m`: under a bridge, the road under it.
    pub fn near(&self, x_m: f64, y_m: f64, z_m: f64) -> Option<GroundPoint> {
        self.pick(x_m, y_m, |height_m| -(height_m - z_m).abs())
    }

    /// The lowest facet at a place.
    pub fn lowest(&self, x_m: f64, y_m: f64) -> Option<GroundPoint> {
        self.pick(x_m, y_m, |height_m| -height_m)
    }

    /// Lowest and highest x and y, metres.
    pub fn extent_m(&self) -> [[f64; 2]; 2] {
        let [x, y] = self.grid.min_m;
        let [width, height] = self.grid.size.map(|cells| cells as f64 * CELL_M);
        [[x, x + width], [y, y + height]]
    }

    fn pick(&self, x_m: f64, y_m: f64, score: impl Fn(f64) -> f64) -> Option<GroundPoint> {
        let mut best: Option<(f64, f64, u32)> = None;
        for &index in self.grid.cell(x_m, y_m) {
            let Some(height_m) = self.height_in(index, x_m, y_m) else { continue };
            let rank = score(height_m);
            if best.is_none_or(|(known, _, _)| rank > known) {
                best = Some((rank, height_m, index));
            }
        }
        let (_, height_m, index) = best?;
        let facet = self.facets[index as usize];
        let [a, b, c] = self.corners_m(&facet);
        let class = self.finishes[usize::from(facet.finish)].class;
        let normal = (b - a).cross(&(c - a)).normalize();
        Some(GroundPoint { height_m, normal, class, drivable: class.is_drivable() })
    }

    /// Corners of a facet, metres.
    pub fn corners_m(&self, facet: &Facet) -> [Point3<f64>; 3] {
        facet.corners.map(|corner| {
            let [x, y, z] = self.vertices_m[corner as usize].map(f64::from);
            Point3::new(x, y, z)
        })
    }

    /// Height of a facet's plane if the point lies over it.
    fn height_in(&self, index: u32, x_m: f64, y_m: f64) -> Option<f64> {
        let [a, b, c] = self.corners_m(&self.facets[index as usize]);
        let cross = |p: &Point3<f64>, q: &Point3<f64>| {
            (p.x - x_m) * (q.y - y_m) - (q.x - x_m) * (p.y - y_m)
        };
        let (u, v, w) = (cross(&b, &c), cross(&c, &a), cross(&a, &b));
        let area = u + v + w;
        // Kerbs stand upright and have no area from above.
        if area < 1e-9 || u < -1e-9 * area || v < -1e-9 * area || w < -1e-9 * area {
            return None;
        }
        Some((u * a.z + v * b.z + w * c.z) / area)
    }
}

impl Grid {
    fn new(vertices_m: &[[f32; 3]], facets: &[Facet]) -> Self {
        let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
        for vertex in vertices_m {
            for axis in 0..2 {
                low[axis] = low[axis].min(f64::from(vertex[axis]));
                high[axis] = high[axis].max(f64::from(vertex[axis]));
            }
        }
        if vertices_m.is_empty() {
            return Self::default();
        }
        let size = [0, 1].map(|axis| ((high[axis] - low[axis]) / CELL_M).floor() as usize + 1);
        let mut grid = Self { min_m: low, size, ..Self::default() };
        let mut counts = vec![0u32; size[0] * size[1] + 1];
        for facet in facets {
            grid.covered(vertices_m, facet, |cell| counts[cell + 1] += 1);
        }
        for cell in 1..counts.len() {
            counts[cell] += counts[cell - 1];
        }
        let mut next = counts.clone();
        grid.facets = vec![0; *counts.last().unwrap_or(&0) as usize];
        let mut entries = std::mem::take(&mut grid.facets);
        for (index, facet) in facets.iter().enumerate() {
            grid.covered(vertices_m, facet, |cell| {
                entries[next[cell] as usize] = index as u32;
                next[cell] += 1;
            });
        }
        grid.facets = entries;
        grid.starts = counts;
        grid
    }

    /// Calls `visit` with each cell that the box around a facet touches.
    fn covered(&self, vertices_m: &[[f32; 3]], facet: &Facet, mut visit: impl FnMut(usize)) {
        let corners = facet.corners.map(|corner| vertices_m[corner as usize]);
        let range = |axis: usize| {
            let values = corners.map(|corner| f64::from(corner[axis]) - self.min_m[axis]);
            let low = values.iter().copied().fold(f64::INFINITY, f64::min);
            let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let last = self.size[axis] - 1;
            ((low / CELL_M) as usize).min(last)..=((high / CELL_M) as usize).min(last)
        };
        for y in range(1) {
            for x in range(0) {
                visit(y * self.size[0] + x);
            }
        }
    }

    fn cell(&self, x_m: f64, y_m: f64) -> &[u32] {
        let (x, y) = ((x_m - self.min_m[0]) / CELL_M, (y_m - self.min_m[1]) / CELL_M);
        let inside = |value: f64, count: usize| value >= 0.0 && value < count as f64;
        if !inside(x, self.size[0]) || !inside(y, self.size[1]) {
            return &[];
        }
        let cell = y as usize * self.size[0] + x as usize;
        &self.facets[self.starts[cell] as usize..self.starts[cell + 1] as usize]
    }
}
