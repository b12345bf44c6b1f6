//! Ground while it is being built.

use nalgebra::Point3;

use crate::look::{Material, Texture};
use crate::roads::Setting;
use crate::roads::ground::{Facet, Finish, Ground, GroundClass};
use crate::roads::road::StripKind;

/// What the ground is made of, in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Surface {
    Asphalt,
    /// Asphalt of bicycle lanes.
    Red,
    Bay,
    Kerb,
    Pavement,
    /// Land beside the road.
    Land,
    /// Islands and medians.
    Island,
    Grass,
    White,
    Yellow,
}

#[derive(Debug)]
pub(crate) struct GroundMesh {
    setting: Setting,
    vertices_m: Vec<[f32; 3]>,
    facets: Vec<Facet>,
    finishes: Vec<Finish>,
    /// Outer edges of what was paved: where the land begins.
    pub(crate) rim: Vec<Point3<f64>>,
}

impl GroundMesh {
    pub(crate) fn new(setting: Setting) -> Self {
        Self {
            setting,
            vertices_m: Vec::new(),
            facets: Vec::new(),
            finishes: Vec::new(),
            rim: Vec::new(),
        }
    }

    pub(crate) fn vertex(&mut self, p: &Point3<f64>) -> u32 {
        self.vertices_m.push([p.x as f32, p.y as f32, p.z as f32]);
        u32::try_from(self.vertices_m.len() - 1).expect("fewer than 2^32 vertices")
    }

    /// Adds a triangle, counter-clockwise from above.
    pub(crate) fn triangle(&mut self, corners: [u32; 3], surface: Surface) {
        let finish = self.finish_of(surface);
        self.facets.push(Facet { corners, finish });
    }

    /// Adds a quadrangle, counter-clockwise from above, split along its first corner.
    pub(crate) fn quad(&mut self, [a, b, c, d]: [u32; 4], surface: Surface) {
        self.triangle([a, b, c], surface);
        self.triangle([a, c, d], surface);
    }

    /// As [`Self::quad`], but without triangles that have no area.
    pub(crate) fn quad_if_wide(&mut self, [a, b, c, d]: [u32; 4], surface: Surface) {
        for [p, q, r] in [[a, b, c], [a, c, d]] {
            let [p_m, q_m, r_m] = [p, q, r].map(|corner| self.vertices_m[corner as usize]);
            let (u, v) = ([q_m[0] - p_m[0], q_m[1] - p_m[1]], [r_m[0] - p_m[0], r_m[1] - p_m[1]]);
            if u[0] * v[1] - u[1] * v[0] > 1e-6 {
                self.triangle([p, q, r], surface);
            }
        }
    }

    pub(crate) fn finish(self) -> Ground {
        Ground::new(self.vertices_m, self.facets, self.finishes)
    }

    /// Adds an upright quadrangle unless it has no height.
    pub(crate) fn upright(&mut self, corners: [u32; 4], surface: Surface) {
        let height = |corner: u32| self.vertices_m[corner as usize][2];
        let [a, b, c, d] = corners;
        if (height(a) - height(b)).abs() > 1e-6 || (height(c) - height(d)).abs() > 1e-6 {
            self.quad(corners, surface);
        }
    }

    /// What has been paved so far, without land.
    pub(crate) fn paved(&mut self) -> Ground {
        let land = self.finish_of(Surface::Land);
        let facets = self.facets.iter().filter(|facet| facet.finish != land).copied().collect();
        Ground::new(self.vertices_m.clone(), facets, self.finishes.clone())
    }

    fn finish_of(&mut self, surface: Surface) -> u16 {
        let wanted = finish(surface, self.setting);
        let found = self.finishes.iter().position(|known| *known == wanted);
        found.unwrap_or_else(|| {
            self.finishes.push(wanted);
            self.finishes.len() - 1
        }) as u16
    }
}

/// What a strip is paved with.
pub(crate) fn surface_of(kind: StripKind) -> Option<Surface> {
    Some(match kind {
        StripKind::Driving | StripKind::Shoulder => Surface::Asphalt,
        StripKind::Bicycle => Surface::Red,
        StripKind::Parking => Surface::Bay,
        StripKind::Kerb => Surface::Kerb,
        StripKind::Pavement => Surface::Pavement,
        StripKind::Verge => Surface::Land,
        StripKind::Median => Surface::Island,
        StripKind::Gap => return None,
    })
}

fn finish(surface: Surface, setting: Setting) -> Finish {
    let (class, texture, colour, gloss) = match surface {
        Surface::Asphalt => (GroundClass::Road, Texture::Asphalt, [0.085, 0.085, 0.09], 0.08),
        Surface::Red => (GroundClass::Road, Texture::Asphalt, [0.22, 0.09, 0.075], 0.08),
        Surface::Bay => (GroundClass::Parking, Texture::Paving, [0.17, 0.165, 0.16], 0.05),
        Surface::Kerb => (GroundClass::Sidewalk, Texture::Concrete, [0.36, 0.355, 0.34], 0.05),
        Surface::Pavement => (GroundClass::Sidewalk, Texture::Paving, [0.29, 0.28, 0.27], 0.05),
        Surface::Island => (GroundClass::Other, Texture::Concrete, [0.26, 0.25, 0.23], 0.05),
        Surface::Grass => (GroundClass::Terrain, Texture::Grass, [0.075, 0.115, 0.03], 0.0),
        Surface::White => (GroundClass::Marking, Texture::RoadPaint, [0.72, 0.72, 0.70], 0.2),
        Surface::Yellow => (GroundClass::Marking, Texture::RoadPaint, [0.70, 0.50, 0.06], 0.2),
        Surface::Land => match setting {
            Setting::Urban => (GroundClass::Other, Texture::Paving, [0.24, 0.23, 0.22], 0.05),
            _ => (GroundClass::Terrain, Texture::Grass, [0.075, 0.115, 0.03], 0.0),
        },
    };
    Finish { class, material: Material { texture, colour, gloss, emission: 0.0 } }
}
