//! Cross-sections: what lies beside what, by setting. Widths and dashes as in the German guidelines
//! RASt 06 (towns), RAL 2012 (country roads), RAA 2008 (motorways) and RMS (markings).

use crate::noise::Stream;
use crate::roads::road::{Mark, Section, Strip, StripKind};
use crate::roads::{NetworkOptions, Setting};

/// Height of kerbs, metres.
pub(crate) const KERB_M: f64 = 0.12;
const KERB_WIDTH_M: f64 = 0.15;
const VERGE_FALL_M: f64 = 0.5;
const VERGE_M: f64 = 4.5;

/// What was drawn for all roads of a network.
#[derive(Debug, Clone)]
pub(crate) struct Style {
    pub(crate) setting: Setting,
    pub(crate) lanes: usize,
    pub(crate) lane_m: f64,
    pub(crate) parking: bool,
    pub(crate) bicycle: bool,
    pub(crate) pavement_m: f64,
    pub(crate) grade: f64,
    pub(crate) speed_limit_m_s: f64,
    pub(crate) bank_per_curvature_m: f64,
}

impl Style {
    pub(crate) fn draw(options: &NetworkOptions, stream: &mut Stream) -> Self {
        let setting = options.setting;
        let chance = stream.range(0.0, 1.0);
        let by_setting = |urban, suburban, rural, motorway| match setting {
            Setting::Urban => urban,
            Setting::Suburban => suburban,
            Setting::Rural => rural,
            Setting::Motorway => motorway,
        };
        let lanes = match setting {
            Setting::Urban => 1 + usize::from(chance > 0.5),
            Setting::Suburban | Setting::Rural => 1,
            Setting::Motorway => 2 + usize::from(chance > 0.6),
        };
        let (parking, bicycle) = (stream.range(0.0, 1.0), stream.range(0.0, 1.0));
        let km_h = by_setting(50.0, 30.0, 100.0, 130.0);
        let largest_grade = by_setting(0.03, 0.06, 0.07, 0.04);
        Self {
            setting,
            lanes: options.lanes.map_or(lanes, |lanes| lanes as usize),
            lane_m: by_setting(3.25, 3.0, 3.5, 3.75),
            parking: options.parking.unwrap_or(parking < by_setting(0.7, 0.6, 0.0, 0.0)),
            bicycle: options.bicycle_lanes.unwrap_or(bicycle < by_setting(0.4, 0.1, 0.0, 0.0)),
            pavement_m: by_setting(3.0, 2.0, 0.0, 0.0) + stream.range(-0.3, 0.8),
            grade: options.grade.unwrap_or_else(|| largest_grade * stream.range(0.2, 1.0)),
            speed_limit_m_s: km_h / 3.6,
            bank_per_curvature_m: by_setting(0.5, 0.5, 8.0, 25.0),
        }
    }

    /// A street, the same on both sides.
    pub(crate) fn section(&self, lanes: usize, range_m: [f64; 2]) -> Section {
        let side = self.side(lanes);
        let centre = match (self.setting, lanes) {
            (Setting::Motorway, _) => Mark::none(),
            (Setting::Suburban, 1) => Mark::none(),
            (_, 1) => self.lane_line(),
            _ => Mark::double(0.12),
        };
        Section { range_m, left: side.clone(), right: side, centre: vec![(0.0, centre)] }
    }

    /// Half the width of the carriageway where no one parks, metres.
    pub(crate) fn half_m(&self, lanes: usize) -> f64 {
        let rolls =
            |strip: &&Strip| strip.kind.is_carriageway() && strip.kind != StripKind::Parking;
        self.side(lanes).iter().filter(rolls).map(|strip| strip.width.at(0.0)).sum()
    }

    /// Width of what lies beside the carriageway towards a junction, without the verge, metres.
    pub(crate) fn paved_m(&self) -> f64 {
        let parking = if self.parking { 2.1 } else { 0.0 };
        match self.setting {
            Setting::Urban | Setting::Suburban => KERB_WIDTH_M + self.pavement_m + parking,
            _ => 0.0,
        }
    }

    /// The broken line between lanes.
    pub(crate) fn lane_line(&self) -> Mark {
        match self.setting {
            Setting::Urban | Setting::Suburban => Mark::dashed(0.12, 3.0, 6.0),
            Setting::Rural => Mark::dashed(0.12, 4.0, 8.0),
            Setting::Motorway => Mark::dashed(0.15, 6.0, 12.0),
        }
    }

    /// Strips from the reference line outwards.
    pub(crate) fn side(&self, lanes: usize) -> Vec<Strip> {
        let mut strips = Vec::new();
        if self.setting == Setting::Motorway {
            strips.push(Strip::new(StripKind::Median, 1.75));
            strips.push(Strip::new(StripKind::Shoulder, 0.75).marked(Mark::solid(0.15)));
        }
        for lane in 0..lanes {
            let strip = Strip::new(StripKind::Driving, self.lane_m);
            let outermost = lane + 1 == lanes;
            strips.push(match (outermost, self.setting) {
                (false, _) => strip.marked(self.lane_line()),
                (true, Setting::Motorway) => strip.marked(Mark::solid(0.3)),
                (true, Setting::Rural) => strip.marked(Mark::solid(0.12)),
                (true, _) if self.bicycle => strip.marked(Mark::dashed(0.12, 1.0, 1.0)),
                (true, _) => strip,
            });
        }
        self.beside(&mut strips);
        strips
    }

    /// What lies beside the outermost driving lane.
    fn beside(&self, strips: &mut Vec<Strip>) {
        match self.setting {
            Setting::Motorway => {
                strips.push(Strip::new(StripKind::Shoulder, 2.5));
                strips.push(Strip::new(StripKind::Verge, VERGE_M).raised(0.0, -VERGE_FALL_M));
            }
            Setting::Rural => {
                strips.push(Strip::new(StripKind::Shoulder, 0.4));
                strips.push(Strip::new(StripKind::Verge, VERGE_M).raised(0.0, -VERGE_FALL_M));
            }
            Setting::Urban | Setting::Suburban => {
                if self.bicycle {
                    strips.push(Strip::new(StripKind::Bicycle, 1.85));
                }
                if self.parking {
                    strips.push(Strip::new(StripKind::Parking, 2.1));
                }
                strips.extend(self.kerbside());
            }
        }
    }

    /// Kerb, pavement and what falls off behind it.
    pub(crate) fn kerbside(&self) -> [Strip; 3] {
        [
            Strip::new(StripKind::Kerb, KERB_WIDTH_M).raised(KERB_M, KERB_M),
            Strip::new(StripKind::Pavement, self.pavement_m).raised(KERB_M, KERB_M),
            Strip::new(StripKind::Verge, VERGE_M).raised(KERB_M, KERB_M - VERGE_FALL_M),
        ]
    }
}
