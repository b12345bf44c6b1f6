//! Every family of metrics against its official tool. `bench/metrics/table.py --write` made the inputs and the
//! tool's figures, `tests/parity/FAMILY.json`.

#[path = "../../examples/parity/families/mod.rs"]
mod families;

use std::collections::BTreeMap;
use std::path::Path;

use families::{FAMILIES, Number};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Fixture {
    tool: String,
    tolerance: f64,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    input: Value,
    expected: BTreeMap<String, Number>,
}

fn agree(ours: f64, theirs: f64, tolerance: f64) -> bool {
    let same = ours == theirs || (ours.is_nan() && theirs.is_nan());
    same || (ours - theirs).abs() <= tolerance * theirs.abs().max(1.0)
}

fn check(family: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity");
    let path = folder.join(format!("{family}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
    let fixture: Fixture = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path:?}: {e}"));
    assert!(!fixture.cases.is_empty(), "{path:?}: has no cases; write it with table.py");
    let mut wrong = Vec::new();
    for case in fixture.cases {
        assert!(!case.expected.is_empty(), "{family}, {}: expects nothing", case.name);
        let figures = families::run(family, case.input)
            .unwrap_or_else(|why| panic!("{family}, {}: {why}", case.name));
        for (figure, Number(theirs)) in case.expected {
            let ours = figures.get(&figure).copied();
            if !ours.is_some_and(|ours| agree(ours, theirs, fixture.tolerance)) {
                let at = format!("{family}, {}, {figure}", case.name);
                wrong.push(format!("{at}: {} says {theirs}, we say {ours:?}", fixture.tool));
            }
        }
    }
    wrong
}

#[test]
fn every_family_agrees_with_its_tool() {
    let wrong: Vec<String> = FAMILIES.iter().flat_map(|(family, _)| check(family)).collect();
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}
