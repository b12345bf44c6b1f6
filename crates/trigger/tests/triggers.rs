//! The language and campaigns from outside.

use nalgebra::{UnitQuaternion, Vector3};
use ommatidia_geometry::{Ego, Pose, Timestamp, World};
use ommatidia_scene::{ClassId, Object, Taxonomy, VectorSpace};
use ommatidia_trigger::{
    Campaigns, Counts, FRAME_SIGNALS, MAX_COST, MAX_OBJECTS, OBJECT_SIGNALS, ObjectSignals,
    Signals, Trigger, Watch,
};
use proptest::prelude::*;

fn class(name: &str) -> ClassId {
    Taxonomy::driving().id(name).unwrap()
}

fn object(name: &str, centre_m: [f64; 2], speed: Option<f64>) -> ObjectSignals {
    ObjectSignals { class: class(name), confidence: 0.9, centre_m, speed, size_m: [1.0, 0.6, 1.7] }
}

/// A car far ahead, a person near to the right, one of unknown speed to the left.
fn street() -> Signals {
    Signals {
        speed: Some(10.0),
        take_over: Some(false),
        objects: Some(vec![
            object("car", [40.0, 0.0], Some(12.0)),
            object("pedestrian", [3.0, -4.0], Some(1.5)),
            object("pedestrian", [6.0, 8.0], None),
        ]),
        ..Signals::default()
    }
}

fn said(text: &str) -> Option<bool> {
    let trigger =
        Trigger::parse(text, &Taxonomy::driving()).unwrap_or_else(|e| panic!("{text}: {e}"));
    trigger.step(&mut trigger.start(), Timestamp(0), &street())
}

#[test]
fn of_one_frame() {
    let check = |text: &str, expected: Option<bool>| assert_eq!(said(text), expected, "{text}");
    check("speed > 30 km/h", Some(true));
    check("speed > 36 km/h", Some(false));
    check("speed * 2 s = 20 m and speed / 2 = 5 m/s", Some(true));
    check("-speed + 10 m/s = 0 m/s", Some(true));
    check("abs(3 m - 5 m) = 2 m", Some(true));
    check("1 + 2 * 3 = 7 and (1 + 2) * 3 = 9 and 8 / 4 / 2 = 1", Some(true));
    check("count(true) = 3", Some(true));
    check("count(class = pedestrian and distance <= 5 m) = 1", Some(true));
    check("any(class != car and left < 0 m)", Some(true));
    check("any(speed > ego_speed)", Some(true));
    check("any(class = bus)", Some(false));
    check("least(distance) = 5 m", Some(true));
    check("most(distance where class = pedestrian) = 10 m", Some(true));
    // The one of unknown speed is not among the slow, nor among those that are not.
    check("count(speed < 2 m/s) = 1 and count(not speed < 2 m/s) = 1", Some(true));
    check("not take_over", Some(true));
    check("180 deg > 3.14 and 180 deg < 3.15", Some(true));
}

#[test]
fn what_is_not_known_stays_unknown() {
    let check = |text: &str, expected: Option<bool>| assert_eq!(said(text), expected, "{text}");
    check("disagreement > 0.1", None);
    check("not disagreement > 0.1", None);
    check("disagreement > 0.1 and speed < 1 m/s", Some(false));
    check("disagreement > 0.1 or speed > 1 m/s", Some(true));
    check("disagreement > 0.1 and speed > 1 m/s", None);
    check("least(distance where class = bus) < 5 m", None);
    check("speed / (speed - 10 m/s) > 1", None);
    let nobody_looked = Trigger::parse("count(class = bus) = 0", &Taxonomy::driving()).unwrap();
    let said = nobody_looked.step(&mut nobody_looked.start(), Timestamp(0), &Signals::default());
    assert_eq!(said, None);
}

#[test]
fn over_time() {
    let run = |text: &str, speeds: &[Option<f64>], expected: &[Option<bool>]| {
        let trigger = Trigger::parse(text, &Taxonomy::driving()).unwrap();
        let mut state = trigger.start();
        for (second, (speed, expected)) in speeds.iter().zip(expected).enumerate() {
            let signals = Signals { speed: *speed, ..Signals::default() };
            let at = Timestamp::from_secs_f64(second as f64);
            assert_eq!(
                trigger.step(&mut state, at, &signals),
                *expected,
                "{text}, second {second}"
            );
        }
    };
    let (y, n) = (Some(true), Some(false));
    let speeds = [
        Some(0.0),
        Some(9.0),
        Some(9.0),
        Some(9.0),
        None,
        Some(9.0),
        Some(0.0),
        Some(0.0),
        Some(0.0),
    ];
    run("held(speed > 5 m/s, 2 s)", &speeds, &[n, n, n, y, None, n, n, n, n]);
    run("lately(speed > 5 m/s, 2 s)", &speeds, &[n, y, y, y, y, y, y, y, n]);
    run("rose(speed > 5 m/s)", &speeds, &[n, y, n, n, None, None, n, n, n]);
    // A memory does not depend on what stands beside it.
    run("speed < 0 m/s or held(speed > 5 m/s, 2 s)", &speeds, &[n, n, n, y, None, n, n, n, n]);
}

#[test]
fn time_that_goes_back_starts_anew() {
    let trigger = Trigger::parse("held(speed > 5 m/s, 2 s)", &Taxonomy::driving()).unwrap();
    let mut state = trigger.start();
    let fast = Signals { speed: Some(9.0), ..Signals::default() };
    for (at, expected) in [(0.0, false), (3.0, true), (1.0, false), (2.0, false), (3.0, true)] {
        assert_eq!(
            trigger.step(&mut state, Timestamp::from_secs_f64(at), &fast),
            Some(expected),
            "{at}"
        );
    }
}

#[test]
fn what_means_nothing_is_refused() {
    let check = |text: &str, column: usize, words: &str| {
        let error = Trigger::parse(text, &Taxonomy::driving()).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("column {column}: ")) && error.contains(words),
            "{text}: {error}"
        );
    };
    check("", 1, "expected a name");
    check("speed", 1, "this is m/s; it must be true or false");
    check("speed > 3", 7, "m/s is compared with a plain number");
    check("speed > 3 m", 7, "m/s is compared with m");
    check("speed + 1 m > 2 m", 7, "are added");
    check("take_over > take_over", 11, "has no order");
    check("class = car", 1, "ask within count");
    check("any(class = dinosaur)", 13, "no signal, no class");
    check("any(class = distance)", 11, "a class is compared with m");
    check("any(count(true) > 1)", 5, "within another");
    check("any(held(speed > 1 m/s, 1 s))", 5, "put it around");
    check("held(take_over, 2 m)", 17, "expected a time");
    check("held(take_over, 2000 s)", 17, "at most 600 s");
    check("take_over and", 14, "expected a name");
    check("take_over take_over", 11, "expected and, or, or the end");
    check("(take_over", 11, "expected )");
    check("1 < 2 < 3", 7, "do not chain");
    check("speed > 3 m/s and 4", 19, "join what is true or false");
    check("not 4", 5, "turns what is true or false");
    check("speed > 3kg", 10, "kg is no unit");
    check("speed > 1.2.3 m/s", 9, "is no number");
    check("speed ~ 3 m/s", 7, "means nothing");
    check("spéed > 3 m/s", 3, "means nothing");
    check("speed <> 3 m/s", 7, "no comparison");
    check(&"(".repeat(40), 33, "nested more than 32");
    check(&["take_over"; 200].join(" and "), 1, "more than 256 parts");
}

#[test]
fn cost_is_known_and_bounded() {
    let cost =
        |text: &str| Trigger::parse(text, &Taxonomy::driving()).map(|trigger| trigger.cost());
    assert_eq!(cost("speed > 3 m/s").unwrap(), 3);
    assert_eq!(cost("count(class = car) > 1").unwrap(), 3 * MAX_OBJECTS + 3);
    let many = ["any(class = car and distance < 9 m)"; 20].join(" or ");
    assert!(cost(&many).unwrap_err().to_string().contains(&MAX_COST.to_string()));
}

/// Names do not collide, so that each means one thing.
#[test]
fn names_are_told_apart() {
    let taxonomy = Taxonomy::driving();
    let frames = FRAME_SIGNALS.iter().map(|signal| signal.name);
    for name in frames.chain(OBJECT_SIGNALS.iter().map(|signal| signal.name)) {
        assert!(taxonomy.id(name).is_none(), "{name} is a class too");
    }
}

#[test]
fn signals_of_a_space() {
    let object = |x: f64, confidence: f32| Object {
        track: None,
        class: class("car"),
        ego_from_object: Pose::new(UnitQuaternion::identity(), Vector3::new(x, 0.0, 0.5)),
        size_m: [4.0, 2.0, 1.5],
        velocity_m_s: Some([3.0, 4.0, 0.0]),
        keypoints: Vec::new(),
        confidence,
        lidar_points: None,
    };
    let many = (0..300).map(|i| object(f64::from(i), i as f32 / 300.0)).collect();
    let space = VectorSpace { objects: Some(many), ..VectorSpace::default() };
    let signals = Signals::of(&space);
    let objects = signals.objects.unwrap();
    assert_eq!(objects.len(), MAX_OBJECTS);
    assert_eq!(Signals::of(&VectorSpace::default()).objects, None);
    assert_eq!((objects[0].centre_m, objects[0].speed), ([299.0, 0.0], Some(5.0)));
    assert_eq!(signals.occupied, None);
}

#[test]
fn motion_between_frames() {
    let turn = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), 0.1);
    let start: Pose<World, Ego> = Pose::new(turn, Vector3::new(5.0, 6.0, 0.0));
    let end = Pose::new(turn * turn, Vector3::new(8.0, 10.0, 0.0));
    let (first, then) = (Timestamp(0), Timestamp::from_secs_f64(0.5));
    let mut signals = Signals::default();
    signals.moved((then, start), (then, end));
    assert_eq!(signals.speed, None);
    signals.moved((first, start), (then, end));
    assert!((signals.speed.unwrap() - 10.0).abs() < 1e-9);
    assert!((signals.yaw_rate.unwrap() - 0.2).abs() < 1e-9);
}

const CAMPAIGNS: &str = r#"
[[campaign]]
name = "fast"
when = "speed > 5 m/s"
before_s = 2.0
after_s = 1.0
per_vehicle = 3
spacing_s = 2.0

[[campaign]]
name = "people"
when = "rose(any(class = pedestrian))"
share = 0.5
"#;

#[test]
fn campaigns_ask_and_stop() {
    let campaigns = Campaigns::parse(CAMPAIGNS, &Taxonomy::driving()).unwrap();
    assert_eq!(campaigns.longest_before_s(), 5.0);
    let fast = Signals { speed: Some(9.0), ..Signals::default() };
    let run = |counts: Counts, seconds: std::ops::Range<u32>| {
        let mut watch = Watch::new(&campaigns, "VIN1", counts);
        let mut asked = Vec::new();
        for second in seconds {
            let at = Timestamp::from_secs_f64(f64::from(second));
            asked.extend(
                watch.step(at, &fast).into_iter().map(|ask| (ask.from.0, ask.at.0, ask.to.0)),
            );
        }
        (asked, watch.counts().clone())
    };
    let s = |seconds: i64| seconds * 1_000_000_000;
    let ask = |at: i64| (s(at - 2), s(at), s(at + 1));
    let (asked, counts) = run(Counts::default(), 10..14);
    assert_eq!(asked, [ask(10), ask(12)]);
    // After a restart the third, and no more.
    let (asked, counts) = run(counts, 20..40);
    assert_eq!(asked, [ask(20)]);
    assert_eq!(counts.clips["fast"], 3);
}

#[test]
fn a_share_of_the_fleet_takes_part() {
    let campaigns = Campaigns::parse(CAMPAIGNS, &Taxonomy::driving()).unwrap();
    let (all, half) = (campaigns.iter().next().unwrap().0, campaigns.iter().nth(1).unwrap().0);
    let names: Vec<String> = (0..10_000).map(|i| format!("VIN{i}")).collect();
    let share = |campaign: &ommatidia_trigger::Campaign| {
        names.iter().filter(|name| campaign.includes(name)).count()
    };
    assert_eq!(share(all), names.len());
    // Four deviations of a fair coin.
    assert!(share(half).abs_diff(5000) < 200, "{}", share(half));
}

#[test]
fn bad_campaigns_are_refused() {
    let check = |from: &str, to: &str, words: &str| {
        assert!(CAMPAIGNS.contains(from));
        let error = Campaigns::parse(&CAMPAIGNS.replacen(from, to, 1), &Taxonomy::driving());
        let error = error.unwrap_err().to_string();
        assert!(error.contains(words), "{to}: {error}");
    };
    check("name = \"people\"", "name = \"fast\"", "campaign fast: there are two");
    check("name = \"people\"", "name = \"\"", "campaign 2: name");
    check("speed > 5 m/s", "speed > 5", "campaign fast: when: column 7");
    check("share = 0.5", "share = 1.5", "campaign people: share is 1.5");
    check("share = 0.5", "share = nan", "campaign people: share is NaN");
    check("before_s = 2.0", "before_s = 61.0", "give 0 to 60");
    check("per_vehicle = 3", "per_vehicle = 0", "at least 1");
    check("share = 0.5", "chance = 0.5", "unknown field");
}

/// Pieces of the language, so that random texts come near to meaning something.
const PIECES: &[&str] = &[
    "speed",
    "take_over",
    "class",
    "distance",
    "car",
    "pedestrian",
    "count(",
    "any(",
    "least(",
    "most(",
    "held(",
    "lately(",
    "rose(",
    "abs(",
    " where ",
    " and ",
    " or ",
    "not ",
    ")",
    "(",
    ",",
    "3",
    "2.5",
    " m",
    " s",
    " m/s",
    "km/h",
    "+",
    "-",
    "*",
    "/",
    "=",
    "<",
    ">=",
    "!=",
    "true",
    " ",
    "é",
    "~",
];

proptest! {
    #[test]
    fn no_text_panics(text in ".{0,200}") {
        let _ = Trigger::parse(&text, &Taxonomy::driving());
    }

    #[test]
    fn what_is_accepted_is_evaluated(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..24)) {
        if let Ok(trigger) = Trigger::parse(&pieces.concat(), &Taxonomy::driving()) {
            prop_assert!(trigger.cost() <= MAX_COST);
            let mut state = trigger.start();
            for at in 0..3 {
                trigger.step(&mut state, Timestamp(at), &street());
                trigger.step(&mut state, Timestamp(at), &Signals::default());
            }
        }
    }
}
