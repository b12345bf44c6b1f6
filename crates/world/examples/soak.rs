//! Builds sites of many seeds without filming them and looks for people and vehicles that pass through
//! one another: `cargo run --release -p ommatidia-world --example soak -- [FIRST] [COUNT] [SCENARIO]`.
//! Without a scenario, seed and library take turns.

use std::time::Instant;

use ommatidia_world::scenario::{NAMED, Scenario};
use ommatidia_world::site::Site;
use ommatidia_world::traffic::first_overlap;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize, default: u64| {
        arguments.get(index).and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let (first, count) = (number(0, 0), number(1, 1000));
    let only = arguments.get(2);
    let (mut failures, mut overlaps, mut agents, mut left_out) = (0u64, 0u64, 0usize, 0usize);
    let begin = Instant::now();
    for seed in first..first + count {
        // Every second seed is a free one, the others walk through the library.
        let name = match only {
            Some(name) => Some(name.as_str()),
            None if seed % 2 == 0 => None,
            None => Some(NAMED[(seed / 2) as usize % NAMED.len()].name),
        };
        let scenario = name.map_or_else(|| Ok(Scenario::default()), Scenario::named);
        let built = scenario.and_then(|s| Ok((Site::build_with_report(&s, seed)?, s.duration_s())));
        match built {
            Ok(((site, report), duration_s)) => {
                agents += report.agents;
                left_out += report.left_out;
                if let Some(overlap) = first_overlap(&site, duration_s) {
                    overlaps += 1;
                    println!("seed {seed} {name:?}: {overlap:?}");
                }
            }
            Err(error) => {
                failures += 1;
                println!("seed {seed} {name:?}: {error}");
            }
        }
    }
    let seconds = begin.elapsed().as_secs_f64();
    println!(
        "{count} seeds in {seconds:.1} s ({:.0} ms each): {failures} failures, {overlaps} overlaps, \
         {:.1} participants a site, {:.2} left out a site",
        1000.0 * seconds / count as f64,
        agents as f64 / count as f64,
        left_out as f64 / count as f64,
    );
}
