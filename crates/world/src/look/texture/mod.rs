//! Textures, baked once for each kind and shared by all sites: their details do not depend on a seed, where
//! they lie on a thing does.

mod facade;
mod ground;
mod nature;
mod pattern;
mod sheet;
mod things;
mod tile;
mod walls;

pub(crate) use facade::{BAY_M, LOG2_BAYS, STYLES};
pub(crate) use things::PRINTS;
pub(crate) use tile::{Place, Sample, Taps, Tile};

use std::sync::OnceLock;

use super::Texture;

/// How a kind of texture lies on things.
#[derive(Clone, Copy)]
pub(crate) struct Lay {
    /// Structure of millimetres to metres.
    pub(crate) fine: &'static Tile,
    /// Structure of metres to tens of metres.
    pub(crate) coarse: &'static Tile,
    /// Each instance begins elsewhere on the tile. Ground does not: it goes on from one mesh to the next.
    pub(crate) shifts: bool,
    /// How much instances differ in brightness.
    pub(crate) spread: f32,
    /// Strength of the bent normals.
    pub(crate) bump: f32,
}

/// Bakes at first use.
macro_rules! baked {
    ($make:expr) => {{
        static TILE: OnceLock<Tile> = OnceLock::new();
        TILE.get_or_init(|| $make)
    }};
}

/// One of several tiles of a kind.
fn one_of<const N: usize>(
    tiles: &'static [OnceLock<Tile>; N],
    which: u32,
    make: fn(u32) -> Tile,
) -> &'static Tile {
    let index = which as usize % N;
    tiles[index].get_or_init(|| make(index as u32))
}

static FACADES: [OnceLock<Tile>; STYLES as usize] = [const { OnceLock::new() }; STYLES as usize];
static SIGNS: [OnceLock<Tile>; PRINTS as usize] = [const { OnceLock::new() }; PRINTS as usize];

/// Density of clouds as the mark, over 64 units.
pub(crate) fn clouds() -> &'static Tile {
    baked!(nature::clouds())
}

/// Fine grain for what is closer than a texture's own detail: brightness around 1.
pub(crate) fn grain() -> &'static Tile {
    baked!(ground::grain())
}

/// The texture of a kind; `style` chooses among those of facades and signs.
pub(crate) fn lay(texture: Texture, style: u32) -> Option<Lay> {
    let weathering = baked!(ground::weathering());
    let ground = |fine, coarse| Lay { fine, coarse, shifts: false, spread: 0.0, bump: 1.0 };
    let wall = |fine| Lay { fine, coarse: weathering, shifts: true, spread: 0.10, bump: 1.0 };
    Some(match texture {
        Texture::Plain => return None,
        Texture::Asphalt => ground(baked!(ground::asphalt()), baked!(ground::asphalt_wear())),
        Texture::RoadPaint => ground(baked!(ground::road_paint()), baked!(ground::asphalt_wear())),
        Texture::Concrete => ground(baked!(ground::concrete()), weathering),
        Texture::Paving => ground(baked!(ground::paving()), weathering),
        Texture::Grass => ground(baked!(nature::grass()), baked!(nature::meadow())),
        Texture::Soil => ground(baked!(ground::soil()), baked!(nature::meadow())),
        Texture::Brick => wall(baked!(walls::brick())),
        Texture::Plaster => wall(baked!(walls::plaster())),
        Texture::Facade => Lay { shifts: false, ..wall(one_of(&FACADES, style, facade::facade)) },
        Texture::Tiles => wall(baked!(walls::tiles())),
        Texture::Wood => wall(baked!(walls::wood())),
        Texture::Metal => wall(baked!(walls::metal())),
        Texture::Bark => wall(baked!(nature::bark())),
        Texture::Foliage => Lay { spread: 0.22, ..wall(baked!(nature::foliage())) },
        Texture::Lacquer => Lay { spread: 0.05, ..wall(baked!(things::lacquer())) },
        Texture::Glass => Lay { spread: 0.3, ..wall(baked!(things::glass())) },
        Texture::Rubber => wall(baked!(things::rubber())),
        Texture::Cloth => wall(baked!(things::cloth())),
        Texture::Skin => wall(baked!(things::skin())),
        Texture::Sign => {
            Lay { shifts: false, spread: 0.0, ..wall(one_of(&SIGNS, style, things::sign)) }
        }
    })
}
