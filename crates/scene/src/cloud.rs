//! Lidar sweeps.

/// Points of one sweep in the `Lidar` frame. Optional columns are empty or as long as `xyz_m`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PointCloud {
    /// Positions, metres.
    pub xyz_m: Vec<[f32; 3]>,
    /// Reflectance, in the sensor's own scale.
    pub intensity: Vec<f32>,
    /// Laser that fired.
    pub ring: Vec<u16>,
    /// Time of each return after the sweep's timestamp, nanoseconds.
    pub offset_ns: Vec<i32>,
    /// Annotated class of each return, in the taxonomy the clip names.
    pub class: Vec<u8>,
    /// Annotated instance of each return; 0 is none.
    pub instance: Vec<u16>,
}

impl PointCloud {
    /// Number of returns.
    pub fn len(&self) -> usize {
        self.xyz_m.len()
    }

    /// There are no returns.
    pub fn is_empty(&self) -> bool {
        self.xyz_m.is_empty()
    }

    /// Each optional column is empty or as long as the positions.
    pub fn is_consistent(&self) -> bool {
        let fits = |len: usize| len == 0 || len == self.len();
        fits(self.intensity.len())
            && fits(self.ring.len())
            && fits(self.offset_ns.len())
            && fits(self.class.len())
            && fits(self.instance.len())
    }
}
