use super::*;
use crate::roads::{LaneId, LaneKind};
use ommatidia_scene::BoundaryKind;

/// A file with the given roads and junctions.
fn file(body: &str) -> String {
    format!("<OpenDRIVE>\n<header revMajor=\"1\" revMinor=\"7\"/>\n{body}\n</OpenDRIVE>")
}

const LANES: &str = r#"<lanes><laneSection s="0">
  <left><lane id="1" type="driving"><width sOffset="0" a="3.5" b="0" c="0" d="0"/></lane></left>
  <center><lane id="0" type="none"><roadMark sOffset="0" type="broken" width="0.12"/></lane></center>
  <right>
    <lane id="-1" type="driving"><width sOffset="0" a="3.25" b="0" c="0" d="0"/>
      <roadMark sOffset="0" type="solid"/><speed sOffset="0" max="72" unit="km/h"/></lane>
    <lane id="-2" type="sidewalk"><width sOffset="0" a="2" b="0" c="0" d="0"/>
      <height sOffset="0" inner="0.12" outer="0.12"/></lane>
  </right></laneSection></lanes>"#;

/// A road of one piece from the origin along x.
fn road(length: f64, shape: &str) -> String {
    file(&format!(
        r#"<road id="7" length="{length}" junction="-1"><planView>
        <geometry s="0" x="0" y="0" hdg="0" length="{length}">{shape}</geometry></planView>{LANES}</road>"#
    ))
}

/// Checks where the reference line of a road of one piece ends.
fn check_end(length: f64, shape: &str, expected: [f64; 3]) {
    let (plan, _) = read(&road(length, shape), Setting::Urban).unwrap();
    let end = plan.roads[0].curve.at(length);
    let found = [end.p_m.x, end.p_m.y, end.heading_rad];
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-3, "{shape}: {found}, not {expected}");
    }
}

#[test]
fn reference_lines_match_their_closed_forms() {
    check_end(40.0, "<line/>", [40.0, 0.0, 0.0]);
    let quarter = std::f64::consts::FRAC_PI_2;
    check_end(50.0 * quarter, r#"<arc curvature="0.02"/>"#, [50.0, 50.0, quarter]);
    // Fresnel integrals at 1 (Abramowitz & Stegun, table 7.7), scaled: curvature pi s / 100^2.
    let spiral = r#"<spiral curvStart="0" curvEnd="0.031415926535898"/>"#;
    check_end(100.0, spiral, [77.989_340, 43.825_915, quarter]);
    let back = r#"<spiral curvStart="0.01" curvEnd="-0.01"/>"#;
    let (plan, _) = read(&road(60.0, back), Setting::Urban).unwrap();
    assert!(plan.roads[0].curve.at(60.0).heading_rad.abs() < 1e-12, "it turns back");
    let parametric = r#"<paramPoly3 pRange="normalized" aU="0" bU="30" cU="0" dU="0"
        aV="0" bV="0" cV="10" dV="-4"/>"#;
    check_end(30.9, parametric, [30.0, 6.0, (8.0f64 / 30.0).atan()]);
    // A parabola v = u^2 / 40 up to u = 20: arc length by its closed form.
    let length = 10.0 * 2f64.sqrt() + 10.0 * 1f64.asinh();
    check_end(length, r#"<poly3 a="0" b="0" c="0.025" d="0"/>"#, [20.0, 10.0, 1f64.atan()]);
}

#[test]
fn lanes_marks_and_heights_are_read() {
    let network = Network::from_opendrive(&road(40.0, "<line/>"), Setting::Urban).unwrap();
    let [left, right] = [0, 1].map(|id| network.lane(LaneId(id)));
    assert_eq!((left.kind, right.kind), (LaneKind::Driving, LaneKind::Driving));
    assert!((right.stations[0].p_m.y + 1.625).abs() < 1e-9, "{:?}", right.stations[0]);
    assert!((left.stations[0].p_m.x - 40.0).abs() < 1e-9, "the left lane runs back");
    assert_eq!(right.left.kind, BoundaryKind::Dashed);
    assert_eq!(right.right.kind, BoundaryKind::Solid);
    assert_eq!(left.right.kind, BoundaryKind::RoadEdge);
    assert_eq!(right.opposite, Some(left.id));
    assert!((right.speed_limit_m_s - 20.0).abs() < 1e-9);
    let pavement = network.ground(20.0, -4.0).unwrap();
    assert!((pavement.height_m - 0.12).abs() < 1e-6 && !pavement.drivable, "{pavement:?}");
    assert_eq!(network.walks.len(), 1);
}

#[test]
fn height_and_roll_follow_their_profiles() {
    let profile = r#"<elevationProfile><elevation s="0" a="2" b="0.05" c="0" d="0"/></elevationProfile>
        <lateralProfile><superelevation s="0" a="0.1" b="0" c="0" d="0"/></lateralProfile>"#;
    let xml = road(40.0, "<line/>").replace("<lanes>", &format!("{profile}<lanes>"));
    let (plan, _) = read(&xml, Setting::Rural).unwrap();
    let p = plan.roads[0].point(20.0, 3.0, 0.0);
    assert!((p.z - (3.0 + 3.0 * 0.1f64.sin())).abs() < 1e-9, "{p}");
    assert!((p.y - 3.0 * 0.1f64.cos()).abs() < 1e-9, "{p}");
    let network = Network::from_opendrive(&xml, Setting::Rural).unwrap();
    let station = network.lanes[1].at(20.0);
    assert!((station.grade - 0.05).abs() < 1e-6 && (station.bank - 0.1f64.tan()).abs() < 1e-3);
    let ground = network.ground(station.p_m.x, station.p_m.y).unwrap();
    assert!((ground.height_m - station.p_m.z).abs() < 0.005);
}

/// Four roads along x, 90 m in all; the third crosses a junction.
fn joined() -> String {
    let straight = |id: &str, x: f64, length: f64, junction: &str, link: &str| {
        let lanes = LANES.replace(
            r#"type="driving">"#,
            r#"type="driving"><link><predecessor id="SIGN"/><successor id="SIGN"/></link>"#,
        );
        let lanes = lanes.replacen("SIGN", "1", 2).replace("SIGN", "-1");
        format!(
            r#"<road id="{id}" length="{length}" junction="{junction}"><link>{link}</link><planView>
            <geometry s="0" x="{x}" y="0" hdg="0" length="{length}"><line/></geometry>
            </planView>{lanes}</road>"#
        )
    };
    let to = |tag: &str, kind: &str, id: &str, contact: &str| {
        format!(r#"<{tag} elementType="{kind}" elementId="{id}" {contact}/>"#)
    };
    let (start, end) = (r#"contactPoint="start""#, r#"contactPoint="end""#);
    let body = [
        straight("a", 0.0, 30.0, "-1", &to("successor", "road", "b", start)),
        straight("b", 30.0, 20.0, "-1", &(to("predecessor", "road", "a", end) + &to("successor", "junction", "j", ""))),
        straight("c", 50.0, 10.0, "j", &(to("predecessor", "road", "b", end) + &to("successor", "road", "d", start))),
        straight("d", 60.0, 30.0, "-1", &to("predecessor", "junction", "j", "")),
        r#"<junction id="j"><connection id="0" incomingRoad="b" connectingRoad="c" contactPoint="start">
            <laneLink from="-1" to="-1"/></connection></junction>"#.to_owned(),
    ];
    file(&body.concat())
}

#[test]
fn roads_join_directly_and_through_junctions() {
    let network = Network::from_opendrive(&joined(), Setting::Urban).unwrap();
    let mut lane = network.lanes.iter().find(|lane| lane.id == LaneId(1)).unwrap();
    let mut length = lane.length_m();
    let mut crossed = 0;
    while let Some(next) = lane.successors.first() {
        lane = network.lane(*next);
        length += lane.length_m();
        crossed += usize::from(lane.in_intersection());
    }
    assert!((length - 90.0).abs() < 1e-6, "from end to end, not {length}");
    assert_eq!(crossed, 1);
    assert_eq!(network.junctions.len(), 1);
    let back = network.lanes.iter().filter(|lane| lane.heading_back()).count();
    assert_eq!(back, 4, "left lanes run against the road");
}

impl crate::roads::Lane {
    fn heading_back(&self) -> bool {
        self.stations[0].heading_rad.cos() < 0.0
    }
}

#[test]
fn errors_name_element_and_line() {
    let check = |xml: &str, expected: &str| {
        let message = Network::from_opendrive(xml, Setting::Urban).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    };
    check("<OpenDRIVE>", "not readable as XML");
    check("<osm/>", "line 1: the root element is <osm>");
    check(&file(""), "line 1: <OpenDRIVE> has no `road`");
    let good = road(40.0, "<line/>");
    check(&good.replace("hdg=\"0\"", ""), "line 4: <geometry> has no `hdg`");
    check(
        &good.replace("x=\"0\"", "x=\"east\""),
        "line 4: `x` of <geometry> is `east`; it has to be",
    );
    check(&good.replace("a=\"3.25\"", "a=\"1e300\""), "`a` of <width> is `1e300`");
    check(&good.replace("id=\"-2\"", "id=\"-5\""), "`id` of <lane> is `-5`; it has to be -2");
    check(&good.replace("length=\"40\"", "length=\"1e9\""), "`length` of <geometry>");
    check(&good.replace("<line/>", "<bezier/>"), "<geometry> has no `line, arc, spiral");
    check(&good.replace("s=\"0\" x", "s=\"5\" x"), "`s` of <geometry> is `5`");
    let least = format!("id=\"{}\"", i32::MIN);
    check(&good.replace("id=\"-2\"", &least), "`id` of <lane> is `-2147483648`; it has to be");
    check(&good.replace("<road id", "<road rule=\"LHT\" id"), "`rule` of <road> is `LHT`");
    let single = good.replace("<laneSection", "<laneSection singleSide=\"true\"");
    check(&single, "`singleSide` of <laneSection> is `true`");
    let twice = joined().replace("</OpenDRIVE>", "<junction id=\"j\"/></OpenDRIVE>");
    check(&twice, "`id` of <junction> is `j`; it has to be another");
    let twice = joined().replace("id=\"b\"", "id=\"a\"");
    check(&twice, "`id` of <road> is `a`; it has to be another");
}

#[test]
fn files_beyond_bounds_are_refused() {
    let check = |xml: &str, expected: &str| {
        let message = read(xml, Setting::Urban).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    };
    let good = road(40.0, "<line/>");
    let second = |x: f64, y: f64| {
        let start = good.find("<road").unwrap();
        let other = good[start..].replace("id=\"7\"", "id=\"8\"");
        let place = format!("x=\"{x}\" y=\"{y}\"");
        good.replace("</OpenDRIVE>", &other.replace("x=\"0\" y=\"0\"", &place))
    };
    assert!(read(&second(9000.0, 9000.0), Setting::Urban).is_ok());
    check(&second(15_000.0, 15_000.0), "square kilometres of land to 22");
    check(&second(0.0, 500_000.0), "metres from the origin to 5000");
    check(&road(25_000.0, "<line/>"), "metres from the origin to 250");
    check(&good.replace("a=\"3.25\"", "a=\"5000\""), "to the outermost lane to 5002");
    check(&road(1000.0, r#"<arc curvature="1"/>"#), "<arc> brings the turn in radians to 1000");
    let spiral = r#"<spiral curvStart="0" curvEnd="-1"/>"#;
    check(&road(1000.0, spiral), "<spiral> brings the turn in radians to 1000");
    let many = "<userData/>".repeat(100_001);
    let expected = "<laneSection> brings the number of elements in it to 100004";
    check(&good.replace("<left>", &format!("{many}<left>")), expected);
}

/// The places of all attribute values.
fn values(xml: &str) -> Vec<std::ops::Range<usize>> {
    let quotes: Vec<usize> = xml.match_indices('"').map(|(at, _)| at).collect();
    quotes.chunks_exact(2).map(|pair| pair[0] + 1..pair[1]).collect()
}

/// Puts another value in the place of one, or something into it.
fn damage_value(xml: &mut String, stream: &mut crate::noise::Stream) {
    const PIECES: [&str; 16] = [
        "1e9",
        "-1",
        "nan",
        "0",
        "left",
        "-2",
        "1e-9",
        "spiral",
        "inf",
        "a",
        "b",
        "j",
        "end",
        "3",
        "-2147483648",
        "",
    ];
    let mut pick = |count: usize| stream.range(0.0, count as f64) as usize;
    let values = values(xml);
    let place = values[pick(values.len())].clone();
    let piece = PIECES[pick(PIECES.len())];
    match pick(3) {
        0 => xml.insert_str(place.start, piece),
        1 => xml.insert_str(place.end, piece),
        _ => xml.replace_range(place, piece),
    }
}

/// Damages the text anywhere.
fn damage_text(xml: &mut String, stream: &mut crate::noise::Stream) {
    let mut pick = |count: usize| stream.range(0.0, count as f64) as usize;
    let at = pick(xml.len());
    let with = [pick(18), pick(18)].map(|i| char::from(b"0123456789.-e<>/\"a"[i]));
    let end = (at + pick(20)).min(xml.len());
    xml.replace_range(at..end, &with[..pick(3)].iter().collect::<String>());
}

#[test]
fn damaged_files_are_refused_or_read_but_never_panic() {
    const ROUNDS: usize = 240;
    let mut stream = crate::noise::Stream::new(5);
    let sources = [
        road(30.0, r#"<arc curvature="0.02"/>"#),
        road(25.0, r#"<poly3 a="0" b="0" c="0.02" d="0"/>"#),
        joined(),
    ];
    let (mut parsed, mut read_well) = (0, 0);
    for round in 0..ROUNDS {
        let mut xml = sources[round % 3].clone();
        for _ in 0..=round % 4 {
            let damage = if round % 5 == 0 { damage_text } else { damage_value };
            damage(&mut xml, &mut stream);
        }
        let result = Network::from_opendrive(&xml, Setting::Urban);
        parsed += usize::from(!matches!(result, Err(OpenDriveError::Xml { .. })));
        if let Ok(network) = result {
            read_well += 1;
            assert!(network.lanes.iter().all(|lane| lane.length_m().is_finite()));
        }
    }
    assert!(2 * parsed > ROUNDS, "{parsed} of {ROUNDS} were still XML");
    assert!(read_well > 20, "{read_well} of {ROUNDS} were still readable");
}
