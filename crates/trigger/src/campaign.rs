//! Campaigns: what is asked for, of whom, and how much of it.

use ommatidia_geometry::{Duration, Timestamp};
use ommatidia_scene::Taxonomy;
use serde::{Deserialize, Serialize};

use crate::{Error, Signals, State, Trigger};

/// Most campaigns that a vehicle watches for at a time.
const MAX_CAMPAIGNS: usize = 64;
/// Longest time before and after, seconds: what a vehicle keeps in memory.
const MAX_AROUND_S: f64 = 60.0;
/// Longest name.
const MAX_NAME: usize = 64;

/// What is asked for, as written in TOML.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Campaign {
    /// Unique in the file: letters, digits, `-` and `_`.
    pub name: String,
    /// The trigger.
    pub when: String,
    /// Of the clip, before the frame that fires, seconds.
    #[serde(default = "five")]
    pub before_s: f64,
    /// And after it.
    #[serde(default = "three")]
    pub after_s: f64,
    /// Most clips of one vehicle.
    #[serde(default = "five_clips")]
    pub per_vehicle: u32,
    /// Least time from one clip's frame to the next one's, seconds.
    #[serde(default = "minute")]
    pub spacing_s: f64,
    /// Share of the vehicles that take part, by a hash of their names.
    #[serde(default = "whole")]
    pub share: f64,
    /// Clips of the whole fleet after which it ends: counted where they arrive.
    #[serde(default = "thousand")]
    pub wanted: u32,
}

fn five() -> f64 {
    5.0
}

fn three() -> f64 {
    3.0
}

fn five_clips() -> u32 {
    5
}

fn minute() -> f64 {
    60.0
}

fn whole() -> f64 {
    1.0
}

fn thousand() -> u32 {
    1000
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    campaign: Vec<Campaign>,
}

/// A checked file of campaigns.
#[derive(Debug, Clone, PartialEq)]
pub struct Campaigns {
    all: Vec<(Campaign, Trigger)>,
}

impl Campaigns {
    /// Reads and checks `[[campaign]]` tables.
    ///
    /// # Errors
    /// Names the campaign, and what is wrong with which setting, or where in its trigger.
    pub fn parse(text: &str, taxonomy: &Taxonomy) -> Result<Self, Error> {
        let file: File = toml::from_str(text).map_err(|cause| Error::Parse(cause.to_string()))?;
        if file.campaign.len() > MAX_CAMPAIGNS {
            let count = file.campaign.len();
            return Err(Error::Parse(format!(
                "{count} campaigns; a file has at most {MAX_CAMPAIGNS}"
            )));
        }
        let mut all: Vec<(Campaign, Trigger)> = Vec::new();
        for (place, campaign) in file.campaign.into_iter().enumerate() {
            let fail = |what: String| {
                let campaign = match campaign.name.is_empty() {
                    true => (place + 1).to_string(),
                    false => campaign.name.clone(),
                };
                Error::Campaign { campaign, what }
            };
            campaign.check().map_err(&fail)?;
            if all.iter().any(|(other, _)| other.name == campaign.name) {
                return Err(fail("there are two of that name; give each its own".to_owned()));
            }
            let trigger = Trigger::parse(&campaign.when, taxonomy)
                .map_err(|cause| fail(format!("when: {cause}")))?;
            all.push((campaign, trigger));
        }
        Ok(Self { all })
    }

    /// Each with its trigger.
    pub fn iter(&self) -> impl Iterator<Item = (&Campaign, &Trigger)> {
        self.all.iter().map(|(campaign, trigger)| (campaign, trigger))
    }

    /// Parts that one frame evaluates at most.
    pub fn cost(&self) -> usize {
        self.iter().map(|(_, trigger)| trigger.cost()).sum()
    }

    /// Longest time before a frame that is asked for, seconds: how far back a vehicle keeps its frames.
    pub fn longest_before_s(&self) -> f64 {
        self.iter().map(|(campaign, _)| campaign.before_s).fold(0.0, f64::max)
    }
}

impl Campaign {
    fn check(&self) -> Result<(), String> {
        let letter = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if self.name.is_empty() || self.name.len() > MAX_NAME || !self.name.chars().all(letter) {
            return Err(format!("name: give 1 to {MAX_NAME} letters, digits, - and _"));
        }
        let within = |name: &str, value: f64, most: f64| match (0.0..=most).contains(&value) {
            true => Ok(()),
            false => Err(format!("{name} is {value}; give 0 to {most}")),
        };
        within("before_s", self.before_s, MAX_AROUND_S)?;
        within("after_s", self.after_s, MAX_AROUND_S)?;
        within("share", self.share, 1.0)?;
        within("spacing_s", self.spacing_s, f64::MAX)?;
        if self.per_vehicle == 0 || self.wanted == 0 {
            return Err("per_vehicle and wanted: give at least 1".to_owned());
        }
        Ok(())
    }

    /// Whether this vehicle takes part: the same answer everywhere, another one for each campaign.
    pub fn includes(&self, vehicle: &str) -> bool {
        let mut hasher = blake3::Hasher::new();
        for part in [self.name.as_bytes(), vehicle.as_bytes()] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let mut first = [0; 8];
        first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        // The 53 bits that a float holds.
        let place = (u64::from_le_bytes(first) >> 11) as f64 / (1_u64 << 53) as f64;
        place < self.share
    }
}

/// A clip that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The campaign's name.
    pub campaign: String,
    /// First frame.
    pub from: Timestamp,
    /// The frame that fired.
    pub at: Timestamp,
    /// Last frame.
    pub to: Timestamp,
}

/// What a vehicle has given so far, by campaign; kept over restarts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Clips.
    pub clips: std::collections::BTreeMap<String, u32>,
}

/// One vehicle on the look-out.
#[derive(Debug)]
pub struct Watch<'a> {
    /// Of the campaigns that include this vehicle.
    parts: Vec<Part<'a>>,
    counts: Counts,
}

#[derive(Debug)]
struct Part<'a> {
    campaign: &'a Campaign,
    trigger: &'a Trigger,
    state: State,
    last: Option<Timestamp>,
}

impl<'a> Watch<'a> {
    /// Before the first frame, with what was given before.
    pub fn new(campaigns: &'a Campaigns, vehicle: &str, counts: Counts) -> Self {
        let mine = campaigns.iter().filter(|(campaign, _)| campaign.includes(vehicle));
        let part = |(campaign, trigger): (&'a Campaign, &'a Trigger)| Part {
            campaign,
            trigger,
            state: trigger.start(),
            last: None,
        };
        Self { parts: mine.map(part).collect(), counts }
    }

    /// What the next frame asks for, in the order of the campaigns.
    pub fn step(&mut self, at: Timestamp, signals: &Signals) -> Vec<Ask> {
        let counts = &mut self.counts.clips;
        let asks = self.parts.iter_mut().filter_map(|part| {
            let campaign = part.campaign;
            let fires = part.trigger.step(&mut part.state, at, signals) == Some(true);
            let given = counts.get(&campaign.name).copied().unwrap_or(0);
            let spacing = Duration::from_secs_f64(campaign.spacing_s);
            let near = part.last.is_some_and(|last| at >= last && at < last + spacing);
            if !fires || near || given >= campaign.per_vehicle {
                return None;
            }
            part.last = Some(at);
            counts.insert(campaign.name.clone(), given + 1);
            Some(Ask {
                campaign: campaign.name.clone(),
                from: at - Duration::from_secs_f64(campaign.before_s),
                at,
                to: at + Duration::from_secs_f64(campaign.after_s),
            })
        });
        asks.collect()
    }

    /// What was given, to be kept.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }
}
