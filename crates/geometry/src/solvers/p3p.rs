//! Absolute pose from three points: the perspective-three-point problem.
//!
//! The three depths are the intersections of two conics. As in Persson & Nordberg, *Lambda Twist*,
//! ECCV 2018, one root of a cubic gives the degenerate conic of their pencil, a pair of lines, and
//! the depths are polished by Newton's method; the lines are split off by Richter-Gebert,
//! *Perspectives on projective geometry*, 2011, section 11.1, as Ding et al., *Revisiting the P3P
//! problem*, CVPR 2023, suggest.

use nalgebra::{Matrix3, Rotation3, Unit, UnitQuaternion, Vector3};

use super::{PointBearing, check_data, linear::tangent_basis, polynomial::real_roots};
use crate::{Camera, Error, Pose, so3};

const NAME: &str = "p3p";
/// A triangle is degenerate whose height is below this share of its longest side.
const COLLINEAR: f64 = 1e-9;
/// A discriminant this much below zero, relative to its terms, is a double root.
const DOUBLE_ROOT: f64 = 1e-12;

/// Up to four poses `camera_from_world` under which three points, metres in the frame `W`, lie on
/// their bearings with positive depth. Empty if there is none.
///
/// # Errors
/// Numbers that are not finite; points that are collinear; bearings that coincide.
pub fn p3p<W>(data: &[PointBearing; 3]) -> Result<Vec<Pose<Camera, W>>, Error> {
    check_data(NAME, data, 3, PointBearing::is_finite)?;
    let degenerate = |reason| Error::Degenerate { estimator: NAME, reason };
    let points = data.map(|d| d.point.coords);
    let rays = data.map(|d| d.bearing.into_inner());
    let world = triad(&points).ok_or_else(|| degenerate("the three points are collinear"))?;
    if [(0, 1), (0, 2), (1, 2)].iter().any(|&(i, j)| (rays[i] - rays[j]).norm() < COLLINEAR) {
        return Err(degenerate("two bearings coincide"));
    }
    let problem = Distances::new(&points, &rays);
    let Some(lines) = problem.line_pair() else { return Ok(Vec::new()) };
    let mut poses = Vec::with_capacity(4);
    for line in lines {
        for depths in problem.on_line(&line).into_iter().flatten() {
            let in_camera: [_; 3] = std::array::from_fn(|i| rays[i] * (depths[i] * problem.unit_m));
            let Some(camera) = triad(&in_camera) else { continue };
            let rotation = camera * world.transpose();
            let centroid = |p: &[Vector3<f64>; 3]| (p[0] + p[1] + p[2]) / 3.0;
            let translation = centroid(&in_camera) - rotation * centroid(&points);
            let rotation =
                UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(rotation));
            poses.push(Pose::new(rotation, translation));
        }
    }
    Ok(poses)
}

/// Right-handed orthonormal axes carried by a triangle. `None` if it has no area.
fn triad(p: &[Vector3<f64>; 3]) -> Option<Matrix3<f64>> {
    let (d1, d2) = (p[1] - p[0], p[2] - p[0]);
    let normal = d1.cross(&d2);
    let longest = d1.norm().max(d2.norm()).max((d2 - d1).norm());
    let has_area = normal.norm() > COLLINEAR * longest * longest;
    if !has_area {
        return None;
    }
    let (x, z) = (d1.normalize(), normal.normalize());
    Some(Matrix3::from_columns(&[x, z.cross(&x), z]))
}

/// The squared distances between the points as quadratic forms of the three depths:
/// `l^T M_ij l = a_ij`. Lengths are in units of the longest side.
struct Distances {
    unit_m: f64,
    /// Cosines between rays 12, 13, 23.
    cosine: [f64; 3],
    /// Squared distances 12, 13, 23.
    squared: [f64; 3],
    /// The two conics `l^T D l = 0`.
    conics: [Matrix3<f64>; 2],
}

impl Distances {
    fn new(points: &[Vector3<f64>; 3], rays: &[Vector3<f64>; 3]) -> Self {
        const PAIRS: [(usize, usize); 3] = [(0, 1), (0, 2), (1, 2)];
        let distance = PAIRS.map(|(i, j)| (points[i] - points[j]).norm());
        let unit_m = distance.iter().fold(0.0_f64, |m, &d| m.max(d));
        let squared = distance.map(|d| (d / unit_m).powi(2));
        let cosine = PAIRS.map(|(i, j)| rays[i].dot(&rays[j]));
        let form = |pair: usize| {
            let (i, j) = PAIRS[pair];
            let mut m = Matrix3::zeros();
            (m[(i, i)], m[(j, j)]) = (1.0, 1.0);
            (m[(i, j)], m[(j, i)]) = (-cosine[pair], -cosine[pair]);
            m
        };
        // Eq. (7): the right-hand sides cancel.
        let conics = [
            form(0) * squared[2] - form(2) * squared[0],
            form(1) * squared[2] - form(2) * squared[1],
        ];
        Self { unit_m, cosine, squared, conics }
    }

    /// The best conditioned degenerate conic of the pencil, as two lines through the intersections.
    fn line_pair(&self) -> Option<[Vector3<f64>; 2]> {
        let [a, b] = &self.conics;
        let (adj_a, adj_b) = (adjugate(a), adjugate(b));
        // det(A + g B) = 0.
        let cubic = [a.determinant(), (adj_a * b).trace(), (a * adj_b).trace(), b.determinant()];
        let mut best: Option<(f64, Matrix3<f64>, Vector3<f64>)> = None;
        for g in real_roots(&cubic) {
            let conic = if g.abs() > 1.0 { a / g + b } else { a + b * g };
            let negative_adjugate = -adjugate(&conic);
            let i = negative_adjugate.diagonal().imax();
            let squared = negative_adjugate[(i, i)];
            let quality = squared / conic.norm_squared();
            if squared > 0.0 && best.as_ref().is_none_or(|(q, ..)| quality > *q) {
                best = Some((quality, conic, negative_adjugate.column(i) / squared.sqrt()));
            }
        }
        let (_, conic, meet) = best?;
        let product = conic + so3::hat(&meet);
        let (row, column) = product.abs().iamax_full();
        Some([product.row(row).transpose().normalize(), product.column(column).normalize()])
    }

    /// Depths on a line of the pair: at most two.
    fn on_line(&self, line: &Vector3<f64>) -> [Option<Vector3<f64>>; 2] {
        let basis = tangent_basis(&Unit::new_unchecked(*line));
        let [first, second] = self.conics.map(|conic| basis.transpose() * conic * basis);
        let q = if first.norm() > second.norm() { first } else { second };
        let (q0, half, q2) = (q[(0, 0)], q[(0, 1)], q[(1, 1)]);
        let discriminant = half * half - q0 * q2;
        if discriminant < -DOUBLE_ROOT * (half * half + (q0 * q2).abs()) {
            return [None; 2];
        }
        let h = half + discriminant.max(0.0).sqrt().copysign(half);
        [(-h, q0), (-q2, h)].map(|(s, t)| self.polish(basis.column(0) * s + basis.column(1) * t))
    }

    /// Scales depths to the triangle's size and solves the three distances by Newton's method.
    fn polish(&self, direction: Vector3<f64>) -> Option<Vector3<f64>> {
        let mut l = direction * direction.sum().signum();
        let in_front = l.min() > 0.0;
        if !in_front {
            return None;
        }
        let [c12, c13, c23] = self.cosine;
        let lengths = |l: &Vector3<f64>| {
            Vector3::new(
                l.x * l.x + l.y * l.y - 2.0 * c12 * l.x * l.y,
                l.x * l.x + l.z * l.z - 2.0 * c13 * l.x * l.z,
                l.y * l.y + l.z * l.z - 2.0 * c23 * l.y * l.z,
            )
        };
        let target = Vector3::from(self.squared);
        l *= (target.sum() / lengths(&l).sum()).sqrt();
        let mut error = lengths(&l) - target;
        for _ in 0..4 {
            let jacobian = 2.0
                * Matrix3::new(
                    l.x - c12 * l.y,
                    l.y - c12 * l.x,
                    0.0,
                    l.x - c13 * l.z,
                    0.0,
                    l.z - c13 * l.x,
                    0.0,
                    l.y - c23 * l.z,
                    l.z - c23 * l.y,
                );
            let Some(inverse) = jacobian.try_inverse() else { break };
            let next = l - inverse * error;
            let next_error = lengths(&next) - target;
            let improves = next_error.norm() < error.norm();
            if !improves {
                break;
            }
            (l, error) = (next, next_error);
        }
        (l.min() > 0.0 && l.iter().all(|x| x.is_finite())).then_some(l)
    }
}

/// `adj(M) M = det(M) I`, for symmetric M.
fn adjugate(m: &Matrix3<f64>) -> Matrix3<f64> {
    let (a, b, c) = (m.column(0), m.column(1), m.column(2));
    Matrix3::from_columns(&[b.cross(&c), c.cross(&a), a.cross(&b)])
}

#[cfg(test)]
mod tests {
    use nalgebra::Point3;

    use super::*;
    use crate::World;
    use crate::solvers::testing::{Random, spread};

    fn worst_angle(pose: &Pose<Camera, World>, data: &[PointBearing]) -> f64 {
        let angle = |d: &PointBearing| (*pose * d.point).coords.angle(&d.bearing);
        data.iter().map(angle).fold(0.0, f64::max)
    }

    #[test]
    fn exact_on_random_configurations() {
        let mut random = Random::new(11);
        let mut errors = Vec::new();
        for _ in 0..20_000 {
            let truth: Pose<Camera, World> = random.pose(std::f64::consts::PI);
            let data: [PointBearing; 3] =
                random.point_bearings(&truth, 3).try_into().expect("three");
            let found = p3p::<World>(&data).expect("general position");
            assert!(found.len() <= 4);
            errors.push(
                found.iter().map(|p| (truth.inverse() * *p).log().norm()).fold(f64::MAX, f64::min),
            );
        }
        errors.sort_by(f64::total_cmp);
        let lost = errors.iter().filter(|e| **e > 1e-5).count();
        let (median, worst) = spread(&mut errors);
        println!("p3p: median {median:.1e}, worst {worst:.1e}, {lost} of 20000 above 1e-5");
        assert!(median < 1e-13 && lost <= 2, "median {median}, {lost} lost");
    }

    #[test]
    fn every_solution_reprojects() {
        let mut random = Random::new(12);
        let mut angles = Vec::new();
        for _ in 0..5_000 {
            let truth: Pose<Camera, World> = random.pose(1.0);
            let data: [PointBearing; 3] =
                random.point_bearings(&truth, 3).try_into().expect("three");
            angles.extend(p3p(&data).unwrap().iter().map(|p| worst_angle(p, &data)));
        }
        let (median, worst) = spread(&mut angles);
        println!("p3p reprojection: median {median:.1e} rad, worst {worst:.1e} rad");
        assert!(median < 1e-14 && worst < 1e-6, "{median} {worst}");
    }

    #[test]
    fn rays_in_every_direction() {
        let mut random = Random::new(13);
        let mut errors = Vec::new();
        for _ in 0..5_000 {
            let truth: Pose<Camera, World> = random.pose(3.0);
            let data = std::array::from_fn(|_| {
                let p_in_camera =
                    Point3::from(random.direction().into_inner() * random.between(1.0, 9.0));
                PointBearing {
                    point: truth.inverse() * p_in_camera,
                    bearing: Unit::new_normalize(p_in_camera.coords),
                }
            });
            let found = p3p::<World>(&data).unwrap();
            errors.push(
                found.iter().map(|p| (truth.inverse() * *p).log().norm()).fold(f64::MAX, f64::min),
            );
        }
        let (median, worst) = spread(&mut errors);
        println!("p3p, all directions: median {median:.1e}, worst {worst:.1e}");
        assert!(median < 1e-13 && worst < 1e-3, "{median} {worst}");
    }

    #[test]
    fn degenerate_and_bad_input() {
        let mut random = Random::new(14);
        let truth: Pose<Camera, World> = random.pose(1.0);
        let good: [PointBearing; 3] = random.point_bearings(&truth, 3).try_into().unwrap();
        let mut collinear = good;
        collinear[2].point = collinear[0].point + (collinear[1].point - collinear[0].point) * 2.0;
        assert!(matches!(p3p::<World>(&collinear), Err(Error::Degenerate { .. })));
        let mut same = good;
        same[1].bearing = same[0].bearing;
        assert!(matches!(p3p::<World>(&same), Err(Error::Degenerate { .. })));
        let mut nan = good;
        nan[1].point.y = f64::NAN;
        assert_eq!(p3p::<World>(&nan), Err(Error::NotFinite { estimator: "p3p", index: 1 }));
    }
}
