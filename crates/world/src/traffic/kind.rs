//! What takes part in traffic, as a key to its model.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::actors::{
    self, CarStyle, Item, Model, Outfit, Species, animal, bicycle, box_lorry, bus, car, motorcycle,
    object, pedestrian, semitrailer, tractor,
};
use crate::noise::Stream;

/// What an agent is. Agents of equal kind share their meshes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A car or van of a style and colour; `door` can open.
    Car {
        /// Body.
        style: CarStyle,
        /// Index of the colour.
        colour: u8,
        /// The left front door is a leaf of its own.
        door: bool,
    },
    /// A rigid lorry.
    Lorry {
        /// Index of the colour.
        colour: u8,
    },
    /// A tractor with a semitrailer.
    Semi {
        /// Index of the colour.
        colour: u8,
    },
    /// A city bus.
    Bus {
        /// Index of the colour.
        colour: u8,
    },
    /// A motorcycle with its rider.
    Motorcycle {
        /// Index of the colour.
        colour: u8,
    },
    /// A bicycle with its rider.
    Bicycle {
        /// Index of the rider's looks.
        look: u8,
    },
    /// Somebody on foot.
    Person {
        /// Stature, centimetres.
        stature_cm: u16,
        /// Index of the looks.
        look: u8,
    },
    /// An animal.
    Animal(Species),
    /// A thing.
    Thing(Item),
}

/// Colours of cars, linear; in the shares in which they were registered: mostly without hue.
const COLOURS: [[f32; 3]; 10] = [
    [0.62, 0.63, 0.64],
    [0.02, 0.02, 0.023],
    [0.16, 0.17, 0.18],
    [0.34, 0.35, 0.36],
    [0.03, 0.07, 0.24],
    [0.36, 0.02, 0.02],
    [0.05, 0.05, 0.06],
    [0.02, 0.13, 0.08],
    [0.1, 0.25, 0.42],
    [0.5, 0.33, 0.04],
];

/// How many looks of people there are.
pub(crate) const LOOKS: u8 = 12;

fn colour(index: u8) -> [f32; 3] {
    COLOURS[usize::from(index) % COLOURS.len()]
}

fn outfit(stature_cm: u16, look: u8) -> Outfit {
    let mut stream = Stream::new(0x0f17 + u64::from(look));
    let mut tint = |low: f64, high: f64| -> [f32; 3] {
        let grey = stream.range(low, high);
        [0, 1, 2].map(|_| (grey * stream.range(0.4, 1.4)).min(0.8) as f32)
    };
    let (top, legs) = (tint(0.04, 0.45), tint(0.02, 0.15));
    let tone = stream.range(0.12, 0.75) as f32;
    let hair = stream.range(0.01, 0.12) as f32;
    Outfit {
        stature_m: f64::from(stature_cm) * 0.01,
        top,
        legs,
        skin: [0.85 * tone, 0.6 * tone, 0.45 * tone],
        hair: [hair, 0.75 * hair, 0.5 * hair],
        backpack: look % 4 == 1,
        helmet: false,
        bare_arms: look.is_multiple_of(3),
    }
}

/// A driver's own vehicle and what it tows.
#[derive(Debug, Clone)]
pub(crate) struct Rig {
    pub(crate) main: Arc<Model>,
    pub(crate) towed: Option<Arc<Model>>,
}

/// Models that were asked for so far.
#[derive(Debug, Default)]
pub(crate) struct Library {
    lamps_on: bool,
    rigs: BTreeMap<Kind, Rig>,
}

impl Library {
    /// `lamps_on`: vehicles drive with their lights on.
    pub(crate) fn new(lamps_on: bool) -> Self {
        Self { lamps_on, rigs: BTreeMap::new() }
    }

    pub(crate) fn rig(&mut self, kind: Kind) -> Rig {
        let lamps_on = self.lamps_on;
        self.rigs.entry(kind).or_insert_with(|| build(kind, lamps_on)).clone()
    }
}

fn build(kind: Kind, on: bool) -> Rig {
    let single = |model: Model| Rig { main: Arc::new(model), towed: None };
    match kind {
        Kind::Car { style: CarStyle::Ambulance, .. } => {
            single(car(CarStyle::Ambulance, [0.7, 0.7, 0.62], true, false))
        }
        Kind::Car { style, colour: index, door } => single(car(style, colour(index), on, door)),
        Kind::Lorry { colour: index } => single(box_lorry(colour(index), on)),
        Kind::Semi { colour: index } => {
            let box_colour = colour(index / 2 * 3);
            Rig {
                main: Arc::new(tractor(colour(index), on)),
                towed: Some(Arc::new(semitrailer(box_colour, on))),
            }
        }
        Kind::Bus { colour: index } => single(bus(
            [[0.55, 0.36, 0.02], [0.45, 0.04, 0.03], [0.6, 0.6, 0.6]][usize::from(index) % 3],
            on,
        )),
        Kind::Motorcycle { colour: index } => {
            single(motorcycle(colour(index), &outfit(178, index % LOOKS), on))
        }
        Kind::Bicycle { look } => {
            let rider = Outfit { helmet: look % 2 == 0, hair: colour(look), ..outfit(174, look) };
            single(bicycle(colour(look.wrapping_mul(3)), &rider, on))
        }
        Kind::Person { stature_cm, look } => single(pedestrian(&outfit(stature_cm, look))),
        Kind::Animal(species) => single(animal(species, [0.24, 0.15, 0.08])),
        Kind::Thing(item) => single(object(item, thing_colour(item))),
    }
}

fn thing_colour(item: Item) -> [f32; 3] {
    match item {
        Item::Ball => [0.6, 0.08, 0.03],
        Item::Bin => [0.03, 0.12, 0.05],
        _ => [0.3, 0.22, 0.12],
    }
}

impl Kind {
    /// A private car.
    pub(crate) fn any_car(stream: &mut Stream) -> Self {
        let style = actors::CAR_STYLES[(stream.range(0.0, 4.0) as usize).min(3)];
        Self::Car { style, colour: stream.range(0.0, 10.0) as u8, door: false }
    }

    /// A vehicle of ordinary traffic; `heavy` is the share of lorries and buses.
    pub(crate) fn any_vehicle(heavy: f64, stream: &mut Stream) -> Self {
        let (dice, colour) = (stream.range(0.0, 1.0), stream.range(0.0, 10.0) as u8);
        match dice {
            d if d < 0.45 * heavy => Self::Semi { colour },
            d if d < 0.8 * heavy => Self::Lorry { colour },
            d if d < heavy => Self::Bus { colour },
            d if d < heavy + 0.1 => Self::Car { style: CarStyle::Van, colour, door: false },
            d if d < heavy + 0.14 => Self::Motorcycle { colour },
            _ => Self::any_car(stream),
        }
    }

    /// Somebody on foot; `children` is the share of children.
    pub(crate) fn any_person(children: f64, stream: &mut Stream) -> Self {
        let child = stream.range(0.0, 1.0) < children;
        let (low, high) = if child { (21.0, 30.0) } else { (32.0, 39.0) };
        // Steps of 5 cm, so that people share meshes.
        let stature_cm = 5 * stream.range(low, high) as u16;
        Self::Person { stature_cm, look: stream.range(0.0, f64::from(LOOKS)) as u8 }
    }

    /// Steered by a driver and heavier than a car.
    pub(crate) fn is_heavy(self) -> bool {
        matches!(self, Self::Lorry { .. } | Self::Semi { .. } | Self::Bus { .. })
    }

    /// On two wheels.
    pub(crate) fn is_two_wheeled(self) -> bool {
        matches!(self, Self::Motorcycle { .. } | Self::Bicycle { .. })
    }

    /// On legs.
    pub(crate) fn is_on_foot(self) -> bool {
        matches!(self, Self::Person { .. } | Self::Animal(_))
    }
}
