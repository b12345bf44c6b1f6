//! The database finds the vehicles that a filter means.

use ommatidia_fleet::filter::{Attributes, Filter, Value as Known};
use ommatidia_fleet::simulate::Random;
use serde_json::{Value, json};

use crate::stand::{Stand, databases};

const TEXTS: [&str; 5] = ["eu", "Eu", "é'ü", "eu-1", ""];

fn pick<'a, T>(random: &mut Random, all: &'a [T]) -> &'a T {
    &all[((random.unit() * all.len() as f64) as usize).min(all.len() - 1)]
}

fn comparison(random: &mut Random) -> String {
    let name = *pick(random, &["a", "b", "c", "id"]);
    let text = pick(random, &TEXTS).replace('\'', "''");
    let number = *pick(random, &["0", "1", "1.5", "-2e3"]);
    let compare = *pick(random, &["=", "!=", "<", "<=", ">", ">="]);
    match (random.unit() * 6.0) as u32 {
        0 => format!("{name} {compare} {number}"),
        1 => format!("{name} = '{text}'"),
        2 => format!("{name} <> '{text}'"),
        3 => format!("{name} LIKE '{text}%'"),
        4 => format!("{name} NOT IN ('{text}', {number}, 'VIN3')"),
        _ => format!("{name} IS NOT NULL"),
    }
}

fn filter(random: &mut Random, depth: u32) -> String {
    match (random.unit() * if depth < 3 { 6.0 } else { 2.0 }) as u32 {
        0 | 1 => comparison(random),
        2 => format!("NOT ({})", filter(random, depth + 1)),
        3 => format!("({} OR {})", filter(random, depth + 1), filter(random, depth + 1)),
        _ => format!("{} AND {}", filter(random, depth + 1), filter(random, depth + 1)),
    }
}

#[tokio::test]
async fn databases_and_vehicles_read_a_filter_alike() {
    for (database, _kept) in databases().await {
        let stand = Stand::new(&database).await;
        let mut random = Random::new(5, 0);
        let mut fleet = Vec::new();
        for number in 0..25 {
            let mut attributes = Vec::new();
            for name in ["a", "b", "c"] {
                match (random.unit() * 3.0) as u32 {
                    0 => {}
                    1 => attributes
                        .push((name, Known::Text((*pick(&mut random, &TEXTS)).to_owned()))),
                    _ => attributes
                        .push((name, Known::Number(*pick(&mut random, &[0.0, 1.0, 1.5, -2000.0])))),
                }
            }
            let name = format!("VIN{number}");
            stand.vehicle(&name, &attributes).await;
            let attributes: Attributes =
                attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            fleet.push((name, attributes));
        }
        fleet.sort_by(|a, b| a.0.cmp(&b.0));
        let (mut some, mut all) = (0, 0);
        for _ in 0..300 {
            let text = filter(&mut random, 0);
            let filter = Filter::parse(&text).unwrap();
            let expected: Vec<_> = fleet
                .iter()
                .filter(|(name, attributes)| filter.matches(name, attributes))
                .map(|(name, _)| name.as_str())
                .collect();
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let path = format!("/v1/vehicles?group=cars&limit=1000&filter={encoded}");
            let found =
                stand.ask(&stand.viewer, "GET", &path, Value::Null).await.expect(200).json();
            let names: Vec<_> = found["vehicles"]
                .as_array()
                .unwrap()
                .iter()
                .map(|vehicle| vehicle["vehicle"].as_str().unwrap())
                .collect();
            assert_eq!(names, expected, "{text}");
            assert_eq!(found["matching"], json!(expected.len()), "{text}");
            some += u32::from(!expected.is_empty());
            all += u32::from(expected.len() == fleet.len());
        }
        assert!(some > 100 && all < 200, "{some} {all}: the filters try nothing");
    }
}
