//! From a scenario and a seed to a site.

use super::Scenario;
use crate::Error;
use crate::noise::{Stream, mix};
use crate::roads::Network;
use crate::site::Site;
use crate::surroundings::{SurroundingsOptions, furnish};
use crate::traffic::{Cast, Course, Obstacles, film, settle};

/// Seeds are varied this often until events fit on the roads that they give.
const ATTEMPTS: u64 = 12;

/// What came of building a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Report {
    /// Variations of the seed until everything fitted.
    pub attempts: u64,
    /// Vehicles and people on the move.
    pub agents: usize,
    /// Vehicles and people who were left out because they would have run into somebody.
    pub left_out: usize,
}

impl Site {
    /// A site with roads, surroundings and traffic. The same scenario and seed give the same site.
    ///
    /// # Errors
    /// Impossible values, or events for which the seed's roads have no room.
    pub fn build(scenario: &Scenario, seed: u64) -> Result<Self, Error> {
        Self::build_with_report(scenario, seed).map(|(site, _)| site)
    }

    /// [`Site::build`], and what it took.
    ///
    /// # Errors
    /// As [`Site::build`].
    pub fn build_with_report(scenario: &Scenario, seed: u64) -> Result<(Self, Report), Error> {
        Self::staged(scenario, None, seed)
    }

    /// A site on roads that are given, as [`Network::from_opendrive`] reads them. Of the scenario's place the works
    /// alone count.
    ///
    /// # Errors
    /// As [`Site::build`].
    pub fn build_on(roads: &Network, scenario: &Scenario, seed: u64) -> Result<Self, Error> {
        Self::staged(scenario, Some(roads), seed).map(|(site, _)| site)
    }

    fn staged(
        scenario: &Scenario,
        roads: Option<&Network>,
        seed: u64,
    ) -> Result<(Self, Report), Error> {
        let (mut site, course, report) = stage_on(scenario, roads, seed)?;
        let (lamps_on, dark) = (is_dim(&site), site_is_dark(&site));
        film(&mut site, &course, lamps_on, dark);
        Ok((site, report))
    }
}

/// Vehicles drive with lights on.
pub(crate) fn is_dim(site: &Site) -> bool {
    let light = &site.environment;
    light.sun_elevation_rad < 0.05 || light.rain_mm_h > 2.0 || light.visibility_m < 800.0
}

/// Headlamps light the road visibly.
fn site_is_dark(site: &Site) -> bool {
    site.environment.sun_elevation_rad < 0.02
}

/// Roads and surroundings of a site, and the course of its traffic before it is filmed.
#[cfg(test)]
pub(crate) fn stage(scenario: &Scenario, seed: u64) -> Result<(Site, Course, Report), Error> {
    stage_on(scenario, None, seed)
}

fn stage_on(
    scenario: &Scenario,
    roads: Option<&Network>,
    seed: u64,
) -> Result<(Site, Course, Report), Error> {
    scenario.check()?;
    let mut last = None;
    for attempt in 0..ATTEMPTS {
        let varied = mix(seed.wrapping_mul(ATTEMPTS).wrapping_add(attempt));
        match try_stage(scenario, roads, varied, seed) {
            Ok((site, course)) => {
                let report = Report {
                    attempts: attempt + 1,
                    agents: course.agents.len(),
                    left_out: course.left_out,
                };
                return Ok((site, course, report));
            }
            Err(error @ Error::NoRoom { .. }) => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(last.expect("at least one attempt was made"))
}

fn try_stage(
    scenario: &Scenario,
    roads: Option<&Network>,
    seed: u64,
    given: u64,
) -> Result<(Site, Course), Error> {
    let network = match roads {
        Some(roads) => roads.clone(),
        None => Network::generate(&scenario.network(seed), seed)?,
    };
    let mut site = Site { environment: scenario.environment(seed, 0.0), ..Site::default() };
    site.roads = network;
    let roads = site.roads.clone();
    roads.add_ground(&mut site);
    let options = SurroundingsOptions {
        works: scenario.place.works.unwrap_or(u32::from(seed.is_multiple_of(3))),
        duration_s: scenario.duration_s(),
        ..SurroundingsOptions::default()
    };
    let standing = furnish(&roads, &options, seed, &mut site);
    let obstacles = Obstacles::of(&standing.footprints);
    let mut stream = Stream::new(mix(seed ^ 0x7472_6166));
    let mut cast = Cast::new(&roads, scenario, &obstacles, is_dim(&site), given);
    cast.place_ego(&mut stream)?;
    let ahead_rad = cast.agents[0].heading_rad();
    site.environment = scenario.environment(seed, ahead_rad);
    for event in &scenario.events {
        cast.stage(event, &mut stream)?;
    }
    cast.place_parked(&mut stream);
    cast.place_vehicles(&mut stream);
    cast.place_people(&mut stream);
    let course =
        settle(&roads, &obstacles, cast.agents, scenario.duration_s()).map_err(|contact| {
            Error::NoRoom {
                event: "traffic",
                seed: given,
                reason: format!(
                    "participants {} and {} of the pinned events would touch after {:.1} s",
                    contact.pair[0],
                    contact.pair[1],
                    contact.step as f64 * crate::traffic::STEP_S
                ),
            }
        })?;
    Ok((site, course))
}
