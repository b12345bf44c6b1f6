//! Solids that rays can hit, each in its own body frame (x forward, y left, z up, origin at the centre).

use nalgebra::{Point3, Vector3};

/// A solid centred on the origin of its body frame. Lengths in metres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    /// Half the edge lengths along x, y, z.
    Cuboid(Vector3<f64>),
    /// The semi-axes along x, y, z.
    Ellipsoid(Vector3<f64>),
    /// An upright cylinder.
    Cylinder {
        /// Radius.
        radius: f64,
        /// Half the height.
        half_height: f64,
    },
}

/// Where a ray enters a solid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// Distance along the ray in units of its direction's length.
    pub distance: f64,
    /// Outward unit normal in the body frame.
    pub normal: Vector3<f64>,
}

impl Shape {
    /// Half the edges of the bounding box.
    pub fn half_extent(&self) -> Vector3<f64> {
        match *self {
            Self::Cuboid(half) | Self::Ellipsoid(half) => half,
            Self::Cylinder { radius, half_height } => Vector3::new(radius, radius, half_height),
        }
    }

    /// First entry of a ray into the solid, ahead of its origin. A ray that starts inside does not hit.
    pub fn hit(&self, origin: &Point3<f64>, direction: &Vector3<f64>) -> Option<Hit> {
        match self {
            Self::Cuboid(half) => hit_cuboid(half, origin, direction),
            Self::Ellipsoid(axes) => hit_ellipsoid(axes, origin, direction),
            Self::Cylinder { radius, half_height } => {
                hit_cylinder(*radius, *half_height, origin, direction)
            }
        }
    }
}

/// The slab method (Kay and Kajiya 1986).
fn hit_cuboid(half: &Vector3<f64>, origin: &Point3<f64>, direction: &Vector3<f64>) -> Option<Hit> {
    let (mut enter, mut leave, mut axis) = (0.0, f64::INFINITY, None);
    for i in 0..3 {
        if direction[i] == 0.0 {
            if origin[i].abs() > half[i] {
                return None;
            }
            continue;
        }
        let inverse = 1.0 / direction[i];
        let (a, b) = ((-half[i] - origin[i]) * inverse, (half[i] - origin[i]) * inverse);
        let (near, far) = (a.min(b), a.max(b));
        if near > enter {
            (enter, axis) = (near, Some(i));
        }
        leave = leave.min(far);
    }
    let axis = axis.filter(|_| enter <= leave)?;
    let mut normal = Vector3::zeros();
    normal[axis] = -direction[axis].signum();
    Some(Hit { distance: enter, normal })
}

/// Smaller root of `a t^2 + 2 b t + c = 0` ahead of zero.
fn first_root(a: f64, b: f64, c: f64) -> Option<f64> {
    let discriminant = b * b - a * c;
    let root = (-b - discriminant.max(0.0).sqrt()) / a;
    (discriminant >= 0.0 && a > 0.0 && root > 0.0).then_some(root)
}

fn hit_ellipsoid(
    axes: &Vector3<f64>,
    origin: &Point3<f64>,
    direction: &Vector3<f64>,
) -> Option<Hit> {
    // In coordinates scaled by the semi-axes the ellipsoid is the unit sphere.
    let o = origin.coords.component_div(axes);
    let d = direction.component_div(axes);
    let distance = first_root(d.dot(&d), o.dot(&d), o.dot(&o) - 1.0)?;
    let normal = (o + d * distance).component_div(axes).normalize();
    Some(Hit { distance, normal })
}

fn hit_cylinder(
    radius: f64,
    half_height: f64,
    origin: &Point3<f64>,
    direction: &Vector3<f64>,
) -> Option<Hit> {
    let (o, d) = (origin.coords.xy(), direction.xy());
    let side = first_root(d.dot(&d), o.dot(&d), o.dot(&o) - radius * radius)
        .filter(|t| (origin.z + t * direction.z).abs() <= half_height)
        .map(|distance| {
            let p = (o + d * distance) / radius;
            Hit { distance, normal: Vector3::new(p.x, p.y, 0.0) }
        });
    let cap_z = half_height * origin.z.signum();
    let cap = ((cap_z - origin.z) / direction.z).max(0.0);
    let on_cap = origin.z.abs() > half_height
        && cap > 0.0
        && cap.is_finite()
        && (o + d * cap).norm() <= radius;
    let cap =
        on_cap.then(|| Hit { distance: cap, normal: Vector3::new(0.0, 0.0, origin.z.signum()) });
    match (side, cap) {
        (Some(a), Some(b)) => Some(if a.distance < b.distance { a } else { b }),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPES: [Shape; 3] = [
        Shape::Cuboid(Vector3::new(1.0, 2.0, 0.5)),
        Shape::Ellipsoid(Vector3::new(1.0, 2.0, 0.5)),
        Shape::Cylinder { radius: 0.7, half_height: 1.5 },
    ];

    #[test]
    fn rays_along_the_axes_stop_at_the_half_extent() {
        for shape in SHAPES {
            for axis in 0..3 {
                for sign in [-1.0, 1.0] {
                    let mut direction = Vector3::zeros();
                    direction[axis] = -sign;
                    let origin = Point3::from(-direction * 10.0);
                    let hit = shape.hit(&origin, &direction).unwrap();
                    let expected = 10.0 - shape.half_extent()[axis];
                    assert!((hit.distance - expected).abs() < 1e-12, "{shape:?} axis {axis}");
                    assert!(
                        (hit.normal + direction).norm() < 1e-12,
                        "{shape:?} axis {axis}: {}",
                        hit.normal
                    );
                }
            }
        }
    }

    #[test]
    fn rays_that_miss_or_start_inside_do_not_hit() {
        for shape in SHAPES {
            let ahead = Vector3::new(1.0, 0.1, 0.05);
            assert_eq!(shape.hit(&Point3::origin(), &ahead), None, "{shape:?} from inside");
            assert_eq!(shape.hit(&Point3::new(5.0, 0.0, 0.0), &ahead), None, "{shape:?} behind");
            assert_eq!(
                shape.hit(&Point3::new(-5.0, 0.0, 3.0), &Vector3::x()),
                None,
                "{shape:?} above"
            );
        }
    }
}
