//! Semi-global matching of rectified pairs.

use ommatidia_scene::GrayImage;
use rayon::prelude::*;

use super::census::census;
use super::cost::{CostRow, cost_row, gradient_row};
use super::path::{
    Horizontal, Penalties, Row, VerticalFronts, Visit, groups, groups_mut, with_groups,
};
use super::winner::Winners;
use crate::simd::{Isa, Kernel, LANES, Simd};

/// Disparities of the left image.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Disparity {
    /// Pixels along x.
    pub width: usize,
    /// Pixels along y.
    pub height: usize,
    /// In 1/256 pixel ([`super::UNITS`]), row-major; 0 where there is none.
    pub values: Vec<u16>,
    /// How much worse the best rival is, 0 as good to 255 twice as costly or more.
    pub lead: Vec<u8>,
    /// The right image agrees.
    pub consistent: Vec<bool>,
}

/// How to match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SgmConfig {
    /// Disparities searched, from 0: 64, 128, 192 or 256.
    pub disparities: usize,
    /// Penalties of disparity changes.
    pub penalties: Penalties,
    /// Largest difference between the two views' disparities, pixels.
    pub tolerance: u16,
    /// Disparities this close to the best are not its rivals.
    pub rival_gap: usize,
}

impl SgmConfig {
    /// The usual penalties for a search over at least `range` disparities.
    pub fn for_range(range: usize) -> Self {
        Self {
            disparities: range.next_multiple_of(LANES).clamp(LANES, 4 * LANES),
            penalties: Penalties::new(24, 60, 150, 1.0),
            tolerance: 1,
            rival_gap: 1,
        }
    }
}

/// Rows whose costs are computed side by side before the vertical paths cross them.
const BAND: usize = 4;

/// Gives the matching costs of row `y`, disparity fastest.
pub(crate) trait Costs: Sync {
    fn row(&self, y: usize, out: &mut [u8]);
}

/// Memory that is used again from one image to the next. Holds no result.
#[derive(Debug, Default)]
pub struct Matcher {
    left: Prepared,
    right: Prepared,
    scratch: Scratch,
}

#[derive(Debug, Default)]
pub(crate) struct Scratch {
    costs: Vec<u8>,
    sums: Vec<u16>,
    down: Pass,
    up: Pass,
}

/// What a pass over the rows in one order carries along.
#[derive(Debug, Default)]
struct Pass {
    vertical: VerticalFronts,
    winners: Winners,
    /// For the horizontal paths of each row of a band.
    first: Vec<Vec<u8>>,
}

/// Census words and gradients of an image.
#[derive(Debug, Default)]
struct Prepared {
    census: Vec<u64>,
    gradient: Vec<u8>,
}

impl Prepared {
    fn prepare(&mut self, simd: Simd, image: &GrayImage) {
        census(simd, image, &mut self.census);
        self.gradient.resize(image.data.len(), 0);
        if image.data.is_empty() {
            return;
        }
        self.gradient.par_chunks_exact_mut(image.width).enumerate().for_each(|(y, out)| {
            let (above, below) = (y.saturating_sub(1), (y + 1).min(image.height - 1));
            gradient_row([image.row(above), image.row(y), image.row(below)], out);
        });
    }

    /// Mirrors each row and appends `disparities` entries, so that partners of ascending disparity
    /// lie side by side.
    fn mirror(&mut self, width: usize, disparities: usize) {
        self.census = mirrored(&self.census, width, disparities);
        self.gradient = mirrored(&self.gradient, width, disparities);
    }
}

fn mirrored<T: Copy + Default + Send + Sync>(rows: &[T], width: usize, extra: usize) -> Vec<T> {
    let height = rows.len() / width.max(1);
    let mut out = vec![T::default(); (width + extra) * height];
    out.par_chunks_exact_mut((width + extra).max(1)).enumerate().for_each(|(y, line)| {
        let source = rows[y * width..(y + 1) * width].iter().rev();
        line.iter_mut().zip(source).for_each(|(to, from)| *to = *from);
    });
    out
}

struct PairCosts<'a> {
    simd: Simd,
    width: usize,
    disparities: usize,
    left: &'a Prepared,
    right: &'a Prepared,
}

impl Costs for PairCosts<'_> {
    fn row(&self, y: usize, out: &mut [u8]) {
        let left = y * self.width..(y + 1) * self.width;
        let stride = self.width + self.disparities;
        let right = y * stride..(y + 1) * stride;
        let left = CostRow {
            census: &self.left.census[left.clone()],
            gradient: &self.left.gradient[left],
        };
        let right = CostRow {
            census: &self.right.census[right.clone()],
            gradient: &self.right.gradient[right],
        };
        cost_row(self.simd, left, right, self.disparities, out);
    }
}

impl Matcher {
    /// Disparities of `left` against `right`, both rectified and of the same size.
    ///
    /// Census and gradient costs, eight paths, both horizontal ones per row, the others in two passes
    /// over the rows that run towards each other. Hirschmüller 2008.
    pub fn compute(
        &mut self,
        simd: Simd,
        left: &GrayImage,
        right: &GrayImage,
        config: &SgmConfig,
    ) -> Disparity {
        let size = (left.width, left.height);
        assert_eq!(size, (right.width, right.height), "both images of a pair have the same size");
        let disparities = config.disparities;
        let (prepared_left, prepared_right) = (&mut self.left, &mut self.right);
        rayon::join(
            || prepared_left.prepare(simd, left),
            || {
                prepared_right.prepare(simd, right);
                prepared_right.mirror(left.width, disparities);
            },
        );
        let costs = PairCosts {
            simd,
            width: left.width,
            disparities,
            left: &self.left,
            right: &self.right,
        };
        self.scratch.aggregate(simd, &costs, left, config)
    }
}

/// One half of the image during aggregation.
struct Half<'a> {
    first_row: usize,
    costs: &'a mut [u8],
    sums: &'a mut [u16],
    values: &'a mut [u16],
    lead: &'a mut [u8],
    consistent: &'a mut [bool],
}

impl Scratch {
    /// Matching cost at an index of the last volume aggregated.
    pub(super) fn cost(&self, index: usize) -> u8 {
        self.costs[index]
    }

    pub(crate) fn aggregate(
        &mut self,
        simd: Simd,
        costs: &impl Costs,
        guide: &GrayImage,
        config: &SgmConfig,
    ) -> Disparity {
        let (width, height) = (guide.width, guide.height);
        let mut result = Disparity {
            width,
            height,
            values: vec![0; width * height],
            lead: vec![0; width * height],
            consistent: vec![false; width * height],
        };
        if width == 0 || height == 0 {
            return result;
        }
        let disparities = config.disparities;
        let row = width * disparities;
        self.costs.resize(row * height, 0);
        self.sums.resize(row * height, 0);
        let middle = height / 2;
        let (costs_top, costs_bottom) = self.costs.split_at_mut(row * middle);
        let (sums_top, sums_bottom) = self.sums.split_at_mut(row * middle);
        let (values_top, values_bottom) = result.values.split_at_mut(width * middle);
        let (lead_top, lead_bottom) = result.lead.split_at_mut(width * middle);
        let (consistent_top, consistent_bottom) = result.consistent.split_at_mut(width * middle);
        let mut top = Half {
            first_row: 0,
            costs: costs_top,
            sums: sums_top,
            values: values_top,
            lead: lead_top,
            consistent: consistent_top,
        };
        let mut bottom = Half {
            first_row: middle,
            costs: costs_bottom,
            sums: sums_bottom,
            values: values_bottom,
            lead: lead_bottom,
            consistent: consistent_bottom,
        };
        let job = Job { simd, guide, config };
        let (down, up) = (&mut self.down, &mut self.up);
        rayon::join(
            || job.first(down, &mut top, costs, false),
            || job.first(up, &mut bottom, costs, true),
        );
        // Each pass now enters the half that the other one has left.
        rayon::join(|| job.second(down, &mut bottom, false), || job.second(up, &mut top, true));
        result
    }
}

struct Job<'a> {
    simd: Simd,
    guide: &'a GrayImage,
    config: &'a SgmConfig,
}

impl Job<'_> {
    /// Costs, horizontal paths and the first three vertical paths of one half.
    fn first(&self, pass: &mut Pass, half: &mut Half<'_>, costs: &impl Costs, upwards: bool) {
        let width = self.guide.width;
        let row = width * self.config.disparities;
        let rows = half.costs.len() / row;
        pass.vertical.reset(width, self.config.disparities);
        pass.first.resize(BAND, Vec::new());
        pass.first.iter_mut().for_each(|first| first.resize(row, 0));
        for start in (0..rows).step_by(BAND) {
            let count = BAND.min(rows - start);
            let band = if upwards { rows - start - count } else { start };
            let costs_band = &mut half.costs[band * row..(band + count) * row];
            let sums_band = &mut half.sums[band * row..(band + count) * row];
            let lines =
                costs_band.par_chunks_exact_mut(row).zip(sums_band.par_chunks_exact_mut(row));
            lines.zip(&mut pass.first).enumerate().for_each(|(i, ((matching, sums), first))| {
                let y = half.first_row + band + i;
                costs.row(y, matching);
                let row = self.row(y, matching, upwards);
                self.simd.run(Horizontal { row, first, sums });
            });
            for i in 0..count {
                let y = band + if upwards { count - 1 - i } else { i };
                let costs = &half.costs[y * row..(y + 1) * row];
                self.simd.run(AddVertical {
                    row: self.row(half.first_row + y, costs, upwards),
                    fronts: &mut pass.vertical,
                    sums: &mut half.sums[y * row..(y + 1) * row],
                });
            }
        }
    }

    /// The last three paths of the other half, and its winners.
    fn second(&self, pass: &mut Pass, half: &mut Half<'_>, upwards: bool) {
        let width = self.guide.width;
        let row = width * self.config.disparities;
        let rows = half.costs.len() / row;
        for i in 0..rows {
            let y = if upwards { rows - 1 - i } else { i };
            let costs = &half.costs[y * row..(y + 1) * row];
            let pixels = y * width..(y + 1) * width;
            pass.winners.start(width, self.config.disparities, self.config.rival_gap);
            self.simd.run(FinishRow {
                row: self.row(half.first_row + y, costs, upwards),
                fronts: &mut pass.vertical,
                out: Finish {
                    sums: &half.sums[y * row..(y + 1) * row],
                    winners: &mut pass.winners,
                    values: &mut half.values[pixels.clone()],
                    lead: &mut half.lead[pixels.clone()],
                },
            });
            for (x, consistent) in half.consistent[pixels].iter_mut().enumerate() {
                *consistent = pass.winners.is_consistent(x, self.config.tolerance);
            }
        }
    }

    /// Row `y` as a pass in this order sees it.
    fn row<'a>(&'a self, y: usize, matching: &'a [u8], upwards: bool) -> Row<'a> {
        let last = self.guide.height - 1;
        let before = if upwards { (y + 1).min(last) } else { y.saturating_sub(1) };
        Row {
            matching,
            guide: self.guide.row(y),
            previous_guide: self.guide.row(before),
            penalties: &self.config.penalties,
        }
    }
}

/// Three vertical paths of one row, added to the sums so far.
struct AddVertical<'a> {
    row: Row<'a>,
    fronts: &'a mut VerticalFronts,
    sums: &'a mut [u16],
}

impl Kernel for AddVertical<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Self { row, fronts, sums } = self;
        with_groups!(row.disparities(), GROUPS => {
            fronts.advance_row::<I, GROUPS>(isa, row, &mut Add(sums))
        })
    }
}

struct Add<'a>(&'a mut [u16]);

impl<const GROUPS: usize> Visit<GROUPS> for Add<'_> {
    #[inline(always)]
    fn visit<I: Isa>(&mut self, isa: I, x: usize, added: [I::Words; GROUPS]) {
        let sums = groups_mut::<u16, GROUPS>(self.0, x);
        for group in 0..GROUPS {
            let sum = isa.add_words(isa.load_words(&sums[group]), added[group]);
            isa.store_words(sum, &mut sums[group]);
        }
    }
}

/// The last three vertical paths of one row, and its winners.
struct FinishRow<'a> {
    row: Row<'a>,
    fronts: &'a mut VerticalFronts,
    out: Finish<'a>,
}

struct Finish<'a> {
    sums: &'a [u16],
    winners: &'a mut Winners,
    values: &'a mut [u16],
    lead: &'a mut [u8],
}

impl Kernel for FinishRow<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Self { row, fronts, mut out } = self;
        with_groups!(row.disparities(), GROUPS => {
            fronts.advance_row::<I, GROUPS>(isa, row, &mut out)
        })
    }
}

impl<const GROUPS: usize> Visit<GROUPS> for Finish<'_> {
    #[inline(always)]
    fn visit<I: Isa>(&mut self, isa: I, x: usize, added: [I::Words; GROUPS]) {
        let before = groups::<u16, GROUPS>(self.sums, x);
        let mut sums = added;
        for group in 0..GROUPS {
            sums[group] = isa.add_words(sums[group], isa.load_words(&before[group]));
        }
        let winner = self.winners.take(isa, x, &sums);
        self.values[x] = winner.disparity;
        self.lead[x] = winner.lead;
    }
}
