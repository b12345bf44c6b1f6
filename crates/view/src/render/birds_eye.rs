//! Occupancy and ground from above: driving direction up.

use ommatidia_scene::{ClassId, Drivable, Occupancy, RgbImage, Surface, Taxonomy, VectorSpace};

use super::colour::{HeightScale, Rgb, mix, scale};

/// Colours of what has no class of its own.
const UNOBSERVED: Rgb = [226, 229, 234];
const FREE: Rgb = [250, 250, 251];
const DRIVABLE: Rgb = [176, 218, 190];
const NOT_DRIVABLE: Rgb = [231, 212, 188];

/// A rectangle of the ego frame's x-y plane, metres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extent {
    /// Behind.
    pub min_x_m: f64,
    /// Ahead.
    pub max_x_m: f64,
    /// Right.
    pub min_y_m: f64,
    /// Left.
    pub max_y_m: f64,
}

impl Extent {
    /// The smallest rectangle around both.
    pub fn union(&self, other: &Self) -> Self {
        Self {
            min_x_m: self.min_x_m.min(other.min_x_m),
            max_x_m: self.max_x_m.max(other.max_x_m),
            min_y_m: self.min_y_m.min(other.min_y_m),
            max_y_m: self.max_y_m.max(other.max_y_m),
        }
    }

    /// Length along x, metres.
    pub fn length_m(&self) -> f64 {
        self.max_x_m - self.min_x_m
    }

    /// Width along y, metres.
    pub fn width_m(&self) -> f64 {
        self.max_y_m - self.min_y_m
    }
}

/// A bird's-eye picture.
#[derive(Debug, Clone, PartialEq)]
pub struct BirdsEye {
    /// One pixel per cell; up is ahead, left is left.
    pub image: RgbImage,
    /// What the picture shows.
    pub extent: Extent,
    /// Occupied cells are coloured by class; otherwise no class is known and height gives the colour.
    pub by_class: bool,
    /// The classes shown, ascending.
    pub classes: Vec<ClassId>,
}

/// The rectangle that holds everything labelled, the vehicle and a margin of 2 m; `None` where the
/// frame has nothing to be seen from above.
pub fn observed_extent(space: &VectorSpace) -> Option<Extent> {
    const MARGIN_M: f64 = 2.0;
    let mut extent = Extent { min_x_m: -4.0, max_x_m: 8.0, min_y_m: -6.0, max_y_m: 6.0 };
    let mut include = |x: f64, y: f64| {
        let cell = Extent {
            min_x_m: x - MARGIN_M,
            max_x_m: x + MARGIN_M,
            min_y_m: y - MARGIN_M,
            max_y_m: y + MARGIN_M,
        };
        extent = extent.union(&cell);
    };
    if let Some(occupancy) = &space.occupancy {
        for index in occupancy.observed.ones() {
            let centre = occupancy.grid.centre(occupancy.grid.cell(index));
            include(centre.x, centre.y);
        }
    }
    if let Some(surface) = &space.surface {
        for index in (0..surface.spec.len()).filter(|&i| surface.height_m[i].is_finite()) {
            let rows = surface.spec.size[1] as usize;
            let [x, y] = surface.spec.centre([(index / rows) as u32, (index % rows) as u32]);
            include(x, y);
        }
    }
    for object in space.objects.iter().flatten() {
        include(object.ego_from_object.translation.x, object.ego_from_object.translation.y);
    }
    for point in space.lanes.iter().flat_map(|g| &g.lanes).flat_map(|lane| &lane.centreline_m) {
        include(f64::from(point[0]), f64::from(point[1]));
    }
    // What was estimated and saw nothing is nothing to look at either.
    let voxels = space.occupancy.as_ref().is_some_and(|o| o.observed.ones().next().is_some());
    let ground = space.surface.as_ref().is_some_and(|s| s.height_m.iter().any(|h| h.is_finite()));
    let anything = voxels || ground || space.objects.is_some() || space.lanes.is_some();
    anything.then_some(extent)
}

/// What stands highest in one column of voxels.
#[derive(Debug, Clone, Copy, Default)]
struct Column {
    observed: bool,
    /// Upper face over the ego frame's origin, metres, and class.
    top: Option<(f32, ClassId)>,
}

/// Draws occupancy over the ground, as far as the frame has them.
pub fn birds_eye(space: &VectorSpace, taxonomy: &Taxonomy, extent: Extent) -> BirdsEye {
    let cell_m = match (&space.occupancy, &space.surface) {
        (Some(occupancy), _) => occupancy.grid.voxel_m,
        (None, Some(surface)) => surface.spec.cell_m,
        (None, None) => 0.2,
    };
    let columns = space.occupancy.as_ref().map(columns_of);
    let mut classes: Vec<ClassId> =
        space.occupancy.iter().flat_map(|o| o.classes.iter().copied()).collect();
    classes.sort_unstable();
    classes.dedup();
    classes.retain(|&class| class != ClassId::UNKNOWN);
    let by_class = !classes.is_empty();

    let height = (extent.length_m() / cell_m).round().max(1.0) as usize;
    let width = (extent.width_m() / cell_m).round().max(1.0) as usize;
    let mut data = Vec::with_capacity(3 * width * height);
    for row in 0..height {
        for column in 0..width {
            let x_m = extent.max_x_m - (row as f64 + 0.5) * cell_m;
            let y_m = extent.max_y_m - (column as f64 + 0.5) * cell_m;
            let ground = ground_colour(space.surface.as_ref(), x_m, y_m);
            let above = columns.as_ref().and_then(|(occupancy, columns)| {
                let p = nalgebra::Point3::new(x_m, y_m, occupancy.grid.min_corner_m[2]);
                let [cx, cy, _] = occupancy.grid.cell_at(&p)?;
                Some(columns[cx as usize * occupancy.grid.size[1] as usize + cy as usize])
            });
            data.extend(cell_colour(above, ground, by_class, taxonomy));
        }
    }
    BirdsEye { image: RgbImage::new(width, height, data), extent, by_class, classes }
}

fn columns_of(occupancy: &Occupancy) -> (&Occupancy, Vec<Column>) {
    let [nx, ny, nz] = occupancy.grid.size.map(|n| n as usize);
    let mut columns = vec![Column::default(); nx * ny];
    for index in occupancy.observed.ones() {
        columns[index / nz].observed = true;
    }
    // z runs fastest, so the last of a column is its highest.
    for (index, &class) in occupancy.occupied.ones().zip(&occupancy.classes) {
        let top =
            occupancy.grid.centre(occupancy.grid.cell(index)).z + occupancy.grid.voxel_m / 2.0;
        columns[index / nz].top = Some((top as f32, class));
    }
    (occupancy, columns)
}

fn ground_colour(surface: Option<&Surface>, x_m: f64, y_m: f64) -> Option<Rgb> {
    let surface = surface?;
    let index = surface.spec.index(surface.spec.cell_at(x_m, y_m)?);
    match surface.drivable[index] {
        Drivable::Yes => Some(DRIVABLE),
        Drivable::No => Some(NOT_DRIVABLE),
        Drivable::Unknown => None,
    }
}

fn cell_colour(
    column: Option<Column>,
    ground: Option<Rgb>,
    by_class: bool,
    taxonomy: &Taxonomy,
) -> Rgb {
    let column = column.unwrap_or_default();
    let Some((top_m, class)) = column.top else {
        return ground.unwrap_or(if column.observed { FREE } else { UNOBSERVED });
    };
    let class = taxonomy.classes.get(usize::from(class.0));
    match class.filter(|_| by_class) {
        // Ground that is also occupied keeps the quiet colour of ground.
        Some(class) if class.drivable => mix(class.rgb, ground.unwrap_or(FREE), 0.55),
        // A little light by height tells a kerb from a wall of the same class.
        Some(class) => scale(class.rgb, 0.8 + 0.06 * top_m.clamp(0.0, 4.0)),
        // Free to the height of a vehicle: what is occupied there is the ground itself.
        None if ground == Some(DRIVABLE) => DRIVABLE,
        None => HeightScale::default().colour(top_m),
    }
}

/// Swatches that explain [`birds_eye`], in the order they are drawn over each other.
pub(crate) fn legend() -> [(&'static str, Rgb); 4] {
    [
        ("drivable", DRIVABLE),
        ("not drivable", NOT_DRIVABLE),
        ("observed, empty", FREE),
        ("not observed", UNOBSERVED),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use ommatidia_scene::{GridSpec, SurfaceSpec};

    const EXTENT: Extent = Extent { min_x_m: -2.0, max_x_m: 2.0, min_y_m: -2.0, max_y_m: 2.0 };

    fn space() -> VectorSpace {
        let grid = GridSpec { min_corner_m: [-2.0, -2.0, 0.0], voxel_m: 1.0, size: [4, 4, 2] };
        let mut occupancy = Occupancy::unobserved(grid);
        // Ahead on the left, two voxels high; ahead on the right, free.
        for (cell, occupied) in [([3, 3, 0], true), ([3, 3, 1], true), ([3, 0, 0], false)] {
            occupancy.observed.set(grid.index(cell), true);
            occupancy.occupied.set(grid.index(cell), occupied);
        }
        occupancy.classes = vec![ClassId::UNKNOWN; 2];
        let spec = SurfaceSpec { min_corner_m: [-2.0, -2.0], cell_m: 1.0, size: [4, 4] };
        let mut surface = Surface::unobserved(spec);
        surface.drivable[spec.index([0, 0])] = Drivable::Yes;
        VectorSpace { occupancy: Some(occupancy), surface: Some(surface), ..VectorSpace::default() }
    }

    #[test]
    fn ahead_is_up_and_left_is_left() {
        let picture = birds_eye(&space(), &Taxonomy::driving(), EXTENT);
        assert_eq!((picture.image.width, picture.image.height, picture.by_class), (4, 4, false));
        assert_eq!(picture.image.at(0, 0), HeightScale::default().colour(2.0));
        assert_eq!(picture.image.at(3, 0), FREE);
        assert_eq!(picture.image.at(3, 3), DRIVABLE);
        assert_eq!(picture.image.at(1, 1), UNOBSERVED);
    }

    #[test]
    fn known_classes_give_the_colour() {
        let mut space = space();
        let taxonomy = Taxonomy::driving();
        let car = taxonomy.id("car").unwrap();
        space.occupancy.as_mut().unwrap().classes = vec![car; 2];
        let picture = birds_eye(&space, &taxonomy, EXTENT);
        assert_eq!((picture.by_class, picture.classes), (true, vec![car]));
        assert_eq!(picture.image.at(0, 0), scale(taxonomy.classes[usize::from(car.0)].rgb, 0.92));
    }

    #[test]
    fn the_extent_holds_what_was_observed() {
        assert_eq!(observed_extent(&VectorSpace::default()), None);
        let blind = Occupancy::unobserved(GridSpec::default());
        let blind = VectorSpace { occupancy: Some(blind), ..VectorSpace::default() };
        assert_eq!(observed_extent(&blind), None);
        let mut wide = space();
        wide.occupancy.as_mut().unwrap().grid.min_corner_m = [20.0, -2.0, 0.0];
        let extent = observed_extent(&wide).unwrap();
        assert_eq!((extent.max_x_m, extent.min_x_m), (25.5, -4.0));
    }
}
