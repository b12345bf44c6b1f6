//! Sizes of a convolution.

use super::Error;

/// A two-dimensional convolution, as networks count it: `out[o][y][x]` is the sum over input channels
/// `i` and taps `(ky, kx)` of `weight[o][i][ky][kx] · in[i][stride·y + ky - padding][stride·x + kx -
/// padding]`, zero outside of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Images.
    pub batch: usize,
    /// Channels of the input.
    pub channels_in: usize,
    /// Channels of the output.
    pub channels_out: usize,
    /// Height and width of the input, pixels.
    pub size_in: [usize; 2],
    /// Height and width of the kernel, taps.
    pub kernel: [usize; 2],
    /// Rows and columns of the input from one output to the next.
    pub stride: [usize; 2],
    /// Rows and columns of zeros around the input.
    pub padding: [usize; 2],
}

/// Longest side of an image, and most channels: products of four of them stay within 64 bits.
const MAX: usize = 1 << 15;

impl Shape {
    /// Whether there is such a convolution.
    ///
    /// # Errors
    /// [`Error::Shape`] names the size that does not fit.
    pub fn check(&self) -> Result<(), Error> {
        let fail = |what: String| Err(Error::Shape(what));
        let sizes = [
            ("batch", self.batch),
            ("input channels", self.channels_in),
            ("output channels", self.channels_out),
            ("height", self.size_in[0]),
            ("width", self.size_in[1]),
            ("kernel height", self.kernel[0]),
            ("kernel width", self.kernel[1]),
            ("vertical stride", self.stride[0]),
            ("horizontal stride", self.stride[1]),
        ];
        for (name, size) in sizes {
            if !(1..=MAX).contains(&size) {
                return fail(format!("{name} is {size}; it must be 1 to {MAX}"));
            }
        }
        for axis in 0..2 {
            let padded = self.size_in[axis] + 2 * self.padding[axis];
            if self.padding[axis] >= self.kernel[axis] {
                return fail(format!(
                    "a padding of {} with {} taps; whole outputs would see nothing but padding",
                    self.padding[axis], self.kernel[axis]
                ));
            }
            if padded < self.kernel[axis] {
                return fail(format!(
                    "{} taps over {} padded pixels; there is no output",
                    self.kernel[axis], padded
                ));
            }
        }
        Ok(())
    }

    /// Height and width of the output, pixels.
    pub fn size_out(&self) -> [usize; 2] {
        [0, 1].map(|axis| {
            (self.size_in[axis] + 2 * self.padding[axis] - self.kernel[axis]) / self.stride[axis]
                + 1
        })
    }

    /// Numbers in the input, `[batch, channels_in, height, width]`.
    pub fn len_in(&self) -> usize {
        self.batch * self.channels_in * self.size_in[0] * self.size_in[1]
    }

    /// Numbers in the output, `[batch, channels_out, height, width]`.
    pub fn len_out(&self) -> usize {
        let [height, width] = self.size_out();
        self.batch * self.channels_out * height * width
    }

    /// Numbers in the weight, `[channels_out, channels_in, kernel height, kernel width]`.
    pub fn len_weight(&self) -> usize {
        self.channels_out * self.channels_in * self.taps()
    }

    /// Taps of the kernel.
    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Multiplications and additions of one pass: forward, or one of the two gradients.
    pub fn operations(&self) -> u64 {
        let [height, width] = self.size_out();
        2 * (self.len_weight() as u64) * (self.batch * height * width) as u64
    }
}
