//! Outlines of body styles, after common models of each class.

use super::car::CarStyle;
use super::hull::Hull;

const HATCHBACK: Hull = Hull {
    length_m: 4.06,
    width_m: 1.76,
    top_m: &[
        (0.0, 0.66),
        (0.03, 0.74),
        (0.1, 0.82),
        (0.24, 0.95),
        (0.43, 1.38),
        (0.52, 1.445),
        (0.7, 1.44),
        (0.83, 1.37),
        (0.95, 1.02),
        (1.0, 0.96),
    ],
    belt_m: 0.92,
    clearance_m: 0.17,
    roof_share: 0.68,
    windscreen: (0.25, 0.43),
    rear_window: Some((0.84, 0.94)),
    side_windows: (0.33, 0.87),
    pillars: &[0.56, 0.76],
    axles: (1.24, -1.32),
    wheel_m: 0.31,
    taper: 0.17,
};

const SALOON: Hull = Hull {
    length_m: 4.72,
    width_m: 1.84,
    top_m: &[
        (0.0, 0.62),
        (0.03, 0.7),
        (0.1, 0.79),
        (0.27, 0.94),
        (0.44, 1.34),
        (0.52, 1.415),
        (0.62, 1.41),
        (0.7, 1.34),
        (0.83, 1.06),
        (0.97, 1.02),
        (1.0, 0.95),
    ],
    belt_m: 0.93,
    clearance_m: 0.16,
    windscreen: (0.28, 0.44),
    rear_window: Some((0.7, 0.82)),
    side_windows: (0.34, 0.78),
    pillars: &[0.53, 0.695],
    axles: (1.47, -1.37),
    wheel_m: 0.325,
    ..HATCHBACK
};

const ESTATE: Hull = Hull {
    length_m: 4.66,
    width_m: 1.83,
    top_m: &[
        (0.0, 0.64),
        (0.03, 0.71),
        (0.1, 0.8),
        (0.26, 0.95),
        (0.42, 1.36),
        (0.5, 1.44),
        (0.75, 1.45),
        (0.9, 1.41),
        (0.97, 1.03),
        (1.0, 0.97),
    ],
    belt_m: 0.94,
    windscreen: (0.27, 0.42),
    rear_window: Some((0.905, 0.965)),
    side_windows: (0.33, 0.9),
    pillars: &[0.53, 0.69, 0.83],
    axles: (1.42, -1.3),
    wheel_m: 0.32,
    ..HATCHBACK
};

const SUV: Hull = Hull {
    length_m: 4.6,
    width_m: 1.88,
    top_m: &[
        (0.0, 0.85),
        (0.03, 0.93),
        (0.1, 1.0),
        (0.25, 1.09),
        (0.39, 1.55),
        (0.47, 1.65),
        (0.7, 1.66),
        (0.88, 1.6),
        (0.96, 1.13),
        (1.0, 1.05),
    ],
    belt_m: 1.08,
    clearance_m: 0.21,
    roof_share: 0.72,
    windscreen: (0.26, 0.395),
    rear_window: Some((0.89, 0.95)),
    side_windows: (0.31, 0.89),
    pillars: &[0.51, 0.68, 0.82],
    axles: (1.38, -1.3),
    wheel_m: 0.365,
    taper: 0.13,
};

const VAN: Hull = Hull {
    length_m: 5.5,
    width_m: 2.02,
    top_m: &[
        (0.0, 0.88),
        (0.03, 1.02),
        (0.15, 1.28),
        (0.28, 1.95),
        (0.33, 2.08),
        (0.97, 2.12),
        (1.0, 2.06),
    ],
    belt_m: 1.22,
    clearance_m: 0.22,
    roof_share: 0.86,
    windscreen: (0.16, 0.285),
    rear_window: None,
    side_windows: (0.22, 0.4),
    pillars: &[],
    axles: (1.76, -1.64),
    wheel_m: 0.34,
    taper: 0.1,
};

const AMBULANCE: Hull = Hull {
    top_m: &[
        (0.0, 0.88),
        (0.03, 1.02),
        (0.15, 1.28),
        (0.28, 2.05),
        (0.35, 2.5),
        (0.97, 2.58),
        (1.0, 2.5),
    ],
    ..VAN
};

pub(crate) fn outline(style: CarStyle) -> Hull {
    match style {
        CarStyle::Hatchback => HATCHBACK,
        CarStyle::Saloon => SALOON,
        CarStyle::Estate => ESTATE,
        CarStyle::Suv => SUV,
        CarStyle::Van => VAN,
        CarStyle::Ambulance => AMBULANCE,
    }
}
