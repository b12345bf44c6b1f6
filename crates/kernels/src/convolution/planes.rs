//! Images laid out so that a tap is a shift: rows with zeros between them, one after another.

use rayon::prelude::*;

use crate::simd::FLOATS;

/// Numbers past the last plane that runs of pixels may read.
const SLACK: usize = 4 * FLOATS;

/// How an image lies in its planes: its pixel `(y, x)` is number `(y + top) / step[0] * pitch + (x + left)
/// / step[1]` of the plane of its remainders `(y + top) % step[0], (x + left) % step[1]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) top: usize,
    pub(super) left: usize,
    /// Rows and columns of the image from one number of a plane to the next.
    pub(super) step: [usize; 2],
    /// Rows of a plane.
    pub(super) rows: usize,
    /// Numbers of a row.
    pub(super) pitch: usize,
}

impl Frame {
    fn planes(&self) -> usize {
        self.step[0] * self.step[1]
    }

    fn plane_len(&self) -> usize {
        self.rows * self.pitch
    }

    /// Numbers of all planes of one channel.
    pub(super) fn channel_len(&self) -> usize {
        self.planes() * self.plane_len()
    }

    /// Where the number that tap `(ky, kx)` multiplies lies, counted from that of tap `(0, 0)` of the same
    /// output, when outputs follow one another as a plane's numbers do.
    pub(super) fn shift(&self, [ky, kx]: [usize; 2]) -> usize {
        let plane = ky % self.step[0] * self.step[1] + kx % self.step[1];
        plane * self.plane_len() + ky / self.step[0] * self.pitch + kx / self.step[1]
    }
}

/// Images as planes: `[image][channel][plane][row][number]`.
pub(super) enum Planes<'a> {
    /// As they are.
    Given(&'a [f32]),
    /// With zeros around them.
    Framed(Vec<f32>),
}

impl<'a> Planes<'a> {
    /// Frames images of `[height, width]`, to be read by so many taps. What lies outside of the frame is
    /// cut off.
    pub(super) fn new(
        images: &'a [f32],
        [height, width]: [usize; 2],
        frame: &Frame,
        taps: usize,
    ) -> Self {
        // Whole runs of pixels end where the plane does: nothing needs to be moved. More taps than one read
        // beyond it.
        let same = *frame == Frame { top: 0, left: 0, step: [1, 1], rows: height, pitch: width };
        if taps == 1 && same && (height * width).is_multiple_of(FLOATS) {
            return Self::Given(images);
        }
        let channels = images.len() / (height * width);
        let mut framed = vec![0.0; channels * frame.channel_len() + SLACK];
        let (planes, [step_y, step_x]) = (frame.planes(), frame.step);
        let one_plane = |(index, plane): (usize, &mut [f32])| {
            let image = &images[index / planes * height * width..][..height * width];
            let (first_y, first_x) = (index % planes / step_x, index % step_x);
            for (row, out) in plane.chunks_exact_mut(frame.pitch).enumerate() {
                let Some(y) = (row * step_y + first_y).checked_sub(frame.top) else { continue };
                if y >= height {
                    break;
                }
                let source = &image[y * width..][..width];
                let skip = frame.left.saturating_sub(first_x).div_ceil(step_x);
                let begin = skip * step_x + first_x - frame.left;
                let out = out.iter_mut().skip(skip);
                if step_x == 1 {
                    out.zip(&source[begin.min(width)..]).for_each(|(out, value)| *out = *value);
                } else {
                    let values = source.iter().skip(begin).step_by(step_x);
                    out.zip(values).for_each(|(out, value)| *out = *value);
                }
            }
        };
        let all = framed.len() - SLACK;
        framed[..all]
            .par_chunks_mut(frame.plane_len())
            .with_min_len((1_usize << 14).div_ceil(frame.plane_len()))
            .enumerate()
            .for_each(one_plane);
        Self::Framed(framed)
    }

    pub(super) fn numbers(&self) -> &[f32] {
        match self {
            Self::Given(numbers) => numbers,
            Self::Framed(numbers) => numbers,
        }
    }
}
