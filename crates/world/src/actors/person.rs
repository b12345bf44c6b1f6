//! Meshes of people, hung on their skeletons.

use nalgebra::{Point3, Vector3};

use super::build::{Builder, Paints};
use super::model::{Bone, Joint, Model, class, material};
use super::skeleton::{ANKLE, BONES, Build, FOREARM, SHIN, THIGH, UPPER_ARM};
use crate::look::Texture;
use crate::site::MaterialId;

type P = Point3<f64>;

/// How a person looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outfit {
    /// Stature, metres; below 1.45 m the proportions are a child's.
    pub stature_m: f64,
    /// Jacket or shirt.
    pub top: [f32; 3],
    /// Trousers.
    pub legs: [f32; 3],
    /// Skin.
    pub skin: [f32; 3],
    /// Hair, cap or helmet.
    pub hair: [f32; 3],
    /// Carries a backpack.
    pub backpack: bool,
    /// Wears a helmet.
    pub helmet: bool,
    /// Arms are bare below the sleeve.
    pub bare_arms: bool,
}

#[derive(Clone, Copy)]
struct Cloth {
    top: MaterialId,
    legs: MaterialId,
    skin: MaterialId,
    hair: MaterialId,
    shoes: MaterialId,
}

impl Cloth {
    fn new(outfit: &Outfit, paints: &mut Paints) -> Self {
        Self {
            top: paints.id(material(Texture::Cloth, outfit.top, 0.05)),
            legs: paints.id(material(Texture::Cloth, outfit.legs, 0.05)),
            skin: paints.id(material(Texture::Skin, outfit.skin, 0.15)),
            hair: paints.id(material(
                Texture::Cloth,
                outfit.hair,
                if outfit.helmet { 0.5 } else { 0.1 },
            )),
            shoes: paints.id(material(Texture::Rubber, [0.05, 0.045, 0.04], 0.2)),
        }
    }
}

/// A person on foot.
pub fn pedestrian(outfit: &Outfit) -> Model {
    let h = outfit.stature_m;
    let mut model = Model::empty("pedestrian", [0.36 * h, 0.36 * h, h + 0.01]);
    let mut paints = Paints::default();
    add_person(&mut model, outfit, &mut paints, "pedestrian");
    model.materials = paints.0;
    model
}

/// Adds limbs and keypoints of a person to a model.
pub(crate) fn add_person(
    model: &mut Model,
    outfit: &Outfit,
    paints: &mut Paints,
    class_name: &str,
) {
    let cloth = Cloth::new(outfit, paints);
    let first = model.pieces.len();
    for bone in BONES {
        let mut builder = Builder::new(class(class_name), cloth.top);
        shape(&mut builder, bone, outfit, &cloth);
        model.push(builder, Joint::Bone(bone));
    }
    let index =
        |bone: Bone| first + BONES.iter().position(|b| *b == bone).expect("a bone of the list");
    model.keypoints =
        keypoints(outfit.stature_m).into_iter().map(|(bone, p)| (index(bone), p.into())).collect();
    model.person = Some(Build { stature_m: outfit.stature_m });
}

/// COCO's 17 keypoints (Lin et al. 2014), in its order: each on a limb.
fn keypoints(h: f64) -> Vec<(Bone, Vector3<f64>)> {
    let head = |x: f64, y: f64, z: f64| (Bone::Head, Vector3::new(x, y, z) * h);
    let mut points = vec![
        head(0.062, 0.0, 0.085),
        head(0.052, 0.019, 0.105),
        head(0.052, -0.019, 0.105),
        head(0.004, 0.044, 0.09),
        head(0.004, -0.044, 0.09),
    ];
    let limbs = |left: bool| {
        [
            (Bone::UpperArm(left), 0.0),
            (Bone::Forearm(left), 0.0),
            (Bone::Forearm(left), -FOREARM),
            (Bone::Thigh(left), 0.0),
            (Bone::Shin(left), 0.0),
            (Bone::Foot(left), 0.0),
        ]
    };
    for (left, right) in limbs(true).into_iter().zip(limbs(false)) {
        points.extend([left, right].map(|(bone, z)| (bone, Vector3::new(0.0, 0.0, z * h))));
    }
    points
}

/// The mesh of one limb. Radii are shares of the stature, after common garment tables.
fn shape(b: &mut Builder, bone: Bone, outfit: &Outfit, cloth: &Cloth) {
    let h = outfit.stature_m;
    let down = |z: f64| P::new(0.0, 0.0, -z * h);
    let up = |z: f64| P::new(0.0, 0.0, z * h);
    match bone {
        Bone::Pelvis => {
            b.paint(cloth.legs);
            let spine = [(down(0.015), 0.085 * h), (up(0.02), 0.092 * h), (up(0.06), 0.083 * h)];
            b.limb(&flat_ends(&spine), [1.0, 0.75], 14);
        }
        Bone::Torso => torso(b, outfit, cloth),
        Bone::Head => head(b, outfit, cloth),
        Bone::UpperArm(_) => {
            b.paint(cloth.top);
            let spine =
                [(down(0.0), 0.034 * h), (down(0.08), 0.03 * h), (down(UPPER_ARM), 0.025 * h)];
            b.limb(&spine, [1.0, 1.0], 10);
        }
        Bone::Forearm(_) => {
            b.paint(if outfit.bare_arms { cloth.skin } else { cloth.top });
            b.limb(
                &[(down(0.0), 0.0255 * h), (down(0.05), 0.026 * h), (down(FOREARM), 0.019 * h)],
                [1.0, 1.0],
                10,
            );
            b.paint(cloth.skin);
            let palm = down(FOREARM + 0.045);
            b.ellipsoid(palm, Vector3::new(0.026, 0.014, 0.05) * h, 10);
        }
        Bone::Thigh(_) => {
            b.paint(cloth.legs);
            let spine = [(down(0.0), 0.052 * h), (down(0.08), 0.05 * h), (down(THIGH), 0.036 * h)];
            b.limb(&spine, [1.0, 1.0], 12);
        }
        Bone::Shin(_) => {
            b.paint(cloth.legs);
            let spine =
                [(down(0.0), 0.036 * h), (down(0.08), 0.037 * h), (down(SHIN - 0.01), 0.028 * h)];
            b.limb(&spine, [1.0, 1.0], 12);
        }
        Bone::Foot(_) => {
            b.paint(cloth.shoes);
            let sole = -ANKLE * h;
            let foot = |x: f64, y: f64, top: f64| {
                let z = sole;
                vec![
                    P::new(x * h, 0.0, z),
                    P::new(x * h, y * h, z),
                    P::new(x * h, y * h, z + 0.5 * top * h),
                    P::new(x * h, 0.4 * y * h, z + top * h),
                    P::new(x * h, -0.4 * y * h, z + top * h),
                    P::new(x * h, -y * h, z + 0.5 * top * h),
                    P::new(x * h, -y * h, z),
                ]
            };
            let rings = [
                foot(0.115, 0.016, 0.014),
                foot(0.1, 0.026, 0.022),
                foot(0.06, 0.029, 0.03),
                foot(0.02, 0.026, 0.052),
                foot(-0.02, 0.025, 0.055),
                foot(-0.037, 0.018, 0.04),
            ];
            let paint = cloth.shoes;
            b.loft(&rings, |_, _| paint);
            b.cap(&rings[0]);
            let back: Vec<P> = rings[5].iter().rev().copied().collect();
            b.cap(&back);
        }
    }
}

/// A spine whose domes are small: for pieces whose ends lie inside of others.
fn flat_ends(spine: &[(P, f64)]) -> Vec<(P, f64)> {
    let first = spine[0];
    let last = spine[spine.len() - 1];
    let inner = |end: (P, f64)| (end.0, 0.6 * end.1);
    std::iter::once(inner(first)).chain(spine.iter().copied()).chain([inner(last)]).collect()
}

fn torso(b: &mut Builder, outfit: &Outfit, cloth: &Cloth) {
    let h = outfit.stature_m;
    let at = |x: f64, z: f64| P::new(x * h, 0.0, z * h);
    b.paint(cloth.top);
    // Below the waist the jacket covers the hips; the shoulders are widest.
    let spine = [
        (at(0.0, -0.07), 0.094 * h),
        (at(0.0, 0.0), 0.088 * h),
        (at(0.005, 0.09), 0.097 * h),
        (at(0.005, 0.17), 0.108 * h),
        (at(0.0, 0.225), 0.112 * h),
        (at(-0.003, 0.25), 0.08 * h),
        (at(-0.003, 0.262), 0.045 * h),
    ];
    // `limb` takes its first cross axis from x: an upright spine is deep along it and wide along y.
    b.limb(&spine, [1.0, 0.64], 16);
    if outfit.backpack {
        b.paint(cloth.hair).ellipsoid(at(-0.1, 0.13), Vector3::new(0.06, 0.085, 0.12) * h, 12);
    }
}

fn head(b: &mut Builder, outfit: &Outfit, cloth: &Cloth) {
    let h = outfit.stature_m;
    // Children's heads are larger against their bodies.
    let size: f64 = if h < 1.45 { 1.12 } else { 1.0 };
    let at = |x: f64, z: f64| P::new(x * h, 0.0, z * h);
    b.paint(cloth.skin);
    b.capsule(at(-0.004, -0.035), at(0.0, 0.04), [0.034 * h, 0.032 * h], 10);
    b.ellipsoid(at(0.01, 0.088), Vector3::new(0.053, 0.042, 0.066) * (h * size.min(1.06)), 16);
    b.ellipsoid(at(0.06, 0.085), Vector3::new(0.012, 0.009, 0.013) * h, 6);
    for side in [1.0, -1.0] {
        b.ellipsoid(
            P::new(0.004 * h, side * 0.042 * h, 0.09 * h),
            Vector3::new(0.01, 0.006, 0.017) * h,
            6,
        );
    }
    b.paint(cloth.hair);
    let cover = if outfit.helmet {
        Vector3::new(0.064, 0.054, 0.05)
    } else {
        Vector3::new(0.056, 0.047, 0.045)
    };
    b.ellipsoid(at(-0.006, if outfit.helmet { 0.122 } else { 0.117 }), cover * h, 16);
    if !outfit.helmet {
        b.ellipsoid(at(-0.026, 0.085), Vector3::new(0.03, 0.042, 0.05) * h, 12);
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::Joint;
    use super::super::skeleton::Stride;
    use super::*;

    fn outfit(stature_m: f64) -> Outfit {
        Outfit {
            stature_m,
            top: [0.3, 0.1, 0.1],
            legs: [0.05, 0.06, 0.1],
            skin: [0.5, 0.35, 0.25],
            hair: [0.05, 0.04, 0.03],
            backpack: false,
            helmet: false,
            bare_arms: true,
        }
    }

    #[test]
    fn keypoints_lie_in_their_limbs_and_in_the_box() {
        for stature in [1.0, 1.3, 1.62, 1.9] {
            let model = pedestrian(&outfit(stature));
            assert_eq!(model.keypoints.len(), 17);
            let stand = Stride { phase: 0.0, swing: 0.0, run: 0.0, head_rad: 0.0 };
            let placed = model.person.unwrap().on_foot(&stand);
            for (index, (piece, p)) in model.keypoints.iter().enumerate() {
                let mesh = &model.pieces[*piece].mesh;
                for axis in 0..3 {
                    let values = mesh.vertices_m.iter().map(|v| f64::from(v[axis]));
                    let (low, high) =
                        values.fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v), h.max(v)));
                    let tolerance = 0.01;
                    let inside = (low - tolerance..=high + tolerance).contains(&p[axis]);
                    assert!(inside, "keypoint {index} on axis {axis} of {stature} m: {p:?}");
                }
                let Joint::Bone(bone) = model.pieces[*piece].joint else { panic!("on a limb") };
                let pose = placed.iter().find(|(b, _)| *b == bone).unwrap().1;
                let q = pose * Point3::from(*p);
                assert!(q.x.abs() < 0.5 * model.size_m[0] && q.y.abs() < 0.5 * model.size_m[1]);
                assert!((0.0..model.size_m[2]).contains(&q.z), "{index}: {q}");
            }
        }
    }

    #[test]
    fn nose_leads_and_left_is_left() {
        let points = keypoints(1.7);
        assert!(points[0].1.x > points[3].1.x, "the nose is ahead of the ears");
        assert!(points[1].1.y > points[2].1.y, "the left eye is on the left");
        assert_eq!(points[9].0, Bone::Forearm(true));
        assert_eq!(points[16].0, Bone::Foot(false));
    }
}
