//! From files to a vehicle that runs them: keys, bundles, both repositories, an update over HTTP.

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use common::{json, refused, run, text};
use serde_json::Value;

struct Workshop {
    folder: tempfile::TempDir,
}

impl Workshop {
    fn new() -> Self {
        let workshop = Self { folder: tempfile::tempdir().unwrap() };
        for key in ["root1", "root2", "targets", "online", "time"] {
            json(&["bundle", "keys", text(&workshop.at(key))]);
        }
        workshop
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A bundle whose weights are near those of every other release.
    fn bundle(&self, release: u64) -> PathBuf {
        let weights: Vec<u8> = (0..20_000u32)
            .flat_map(|i| ((i as f32).sin() * (1.0 + release as f32 * 1e-5)).to_le_bytes())
            .collect();
        fs::write(self.at("weights"), weights).unwrap();
        fs::write(self.at("zeros"), [0; 4]).unwrap();
        fs::write(self.at("text"), "what is in it does not matter here").unwrap();
        let plan = format!(
            r#"
            name = "net"
            release = {release}
            requires = {{ runtime = "0.1.0", hardware = ["bench"], memory_bytes = 1000 }}
            files = [
                {{ path = "weights.bin", role = "weights", from = "weights" }},
                {{ path = "model.onnx", role = "onnx", from = "text" }},
                {{ path = "taxonomy.toml", role = "taxonomy", from = "text" }},
                {{ path = "replay/y.bin", role = "replay", from = "zeros" }},
            ]
            metrics = [{{ name = "miou", value = 0.5, low = 0.4, high = 0.6, confidence = 0.95 }}]
            replay = [{{ name = "a", inputs = {{}}, expected = [
                {{ output = "y", path = "replay/y.bin", absolute = 0.1, relative = 0.0 }},
            ] }}]
            "#
        );
        fs::write(self.at("plan.toml"), plan).unwrap();
        let out = self.at(&format!("net-{release}.omma"));
        let made = json(&["bundle", "create", text(&self.at("plan.toml")), "--out", text(&out)]);
        assert_eq!((&made["name"], &made["release"]), (&Value::from("net"), &Value::from(release)));
        out
    }

    fn public(&self, key: &str) -> String {
        format!("{}.pub", text(&self.at(key)))
    }

    fn root(&self, repository: &str) {
        let both = format!("root=2:{},{}", self.public("root1"), self.public("root2"));
        let role = |role: &str, key: &str| format!("{role}={}", self.public(key));
        let (targets, time) = (role("targets", "targets"), role("time", "time"));
        let (snapshot, timestamp) = (role("snapshot", "online"), role("timestamp", "online"));
        let mut arguments = vec!["bundle", "root", repository];
        for role in [&both, &targets, &snapshot, &timestamp, &time] {
            arguments.extend(["--role", role]);
        }
        let staged = json(&arguments);
        let staged = staged["staged"].as_str().unwrap();
        json(&[
            "bundle",
            "sign",
            staged,
            "--key",
            text(&self.at("root1")),
            "--key",
            text(&self.at("root2")),
        ]);
    }

    /// Stages targets, signs them with the offline key and publishes.
    fn publish(&self, repository: &str, change: &[&str]) {
        let staged = json(&[&["bundle", "targets", repository], change].concat());
        let staged = staged["staged"].as_str().unwrap().to_owned();
        json(&["bundle", "sign", &staged, "--key", text(&self.at("targets"))]);
        json(&["bundle", "publish", repository, "--key", text(&self.at("online"))]);
    }
}

/// Serves a folder for as long as the test runs.
fn serve(folder: &Path) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let folder = folder.to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let request = lines.next().unwrap().unwrap();
            while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            let path = request.split(' ').nth(1).unwrap().trim_start_matches('/');
            let (status, body) = match fs::read(folder.join(path)) {
                Ok(body) => ("200 OK", body),
                Err(_) => ("404 Not Found", Vec::new()),
            };
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            stream.write_all(&[head.as_bytes(), &body].concat()).unwrap();
        }
    });
    address
}

#[test]
fn a_vehicle_updates_itself_from_two_repositories() {
    let workshop = Workshop::new();
    let (first, second) = (workshop.bundle(1), workshop.bundle(2));
    let (images, director) = (workshop.at("images"), workshop.at("director"));
    let (images_text, director_text) = (text(&images), text(&director));
    workshop.root(images_text);
    workshop.root(director_text);
    let add = ["--add", text(&first), "--add", text(&second), "--delta-from", text(&first)];
    workshop.publish(images_text, &add);
    let assign = ["--vehicle", "VIN1", "--images", images_text, "--assign", "front=net-2.omma"];
    workshop.publish(director_text, &assign);

    let (vehicle, gate) = (workshop.at("vehicle"), workshop.at("gate.sh"));
    let vehicle = text(&vehicle);
    let ecu = format!("front:bench={}", text(&first));
    let director_root = director.join("metadata/1.root.json");
    let images_root = images.join("metadata/1.root.json");
    let (director_root, images_root) = (text(&director_root), text(&images_root));
    let roots = ["--director-root", director_root, "--image-root", images_root];
    let provision = ["vehicle", "provision", vehicle, "--name", "VIN1", "--ecu", &ecu];
    let status = json(&[&provision[..], &roots].concat());
    assert_eq!(status["active"]["images"]["front"]["release"], 1);

    fs::write(&gate, "#!/bin/sh\ntest \"$1\" = front && test -s \"$2/weights.bin\" && test -s \"$2/replay/y.bin\"\n").unwrap();
    #[cfg(unix)]
    fs::set_permissions(&gate, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let (director_url, images_url) = (serve(&director), serve(&images));
    let time_key = workshop.at("time");
    let update = |gate: &[&str]| {
        let mut arguments = vec!["vehicle", "update", vehicle, "--director", &director_url];
        arguments.extend(["--image", &images_url, "--time-key", text(&time_key)]);
        arguments.extend(gate);
        run(&[&arguments[..], &["--json", "--quiet"]].concat())
    };
    // A gate that says no is a failed comparison, and nothing changes.
    let refusal = update(&["--gate", "/bin/false"]);
    let message = String::from_utf8_lossy(&refusal.stdout);
    assert!(refusal.status.code() == Some(1) && message.contains("replay gate"), "{message}");
    #[cfg(feature = "export")]
    {
        let refusal = update(&["--gate", "builtin"]);
        let message = String::from_utf8_lossy(&refusal.stdout);
        assert!(
            refusal.status.code() == Some(1) && message.contains("no exported network"),
            "{message}"
        );
    }
    assert_eq!(json(&["vehicle", "start", vehicle])["images"]["front"]["release"], 1);
    let done = update(&["--gate", text(&gate)]);
    let message = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && message.contains("activated"), "{message}");
    let started = json(&["vehicle", "start", vehicle]);
    assert_eq!(
        (&started["images"]["front"]["release"], &started["on_trial"]),
        (&Value::from(2), &Value::from(true))
    );
    let bundle = started["bundles"]["front"].as_str().unwrap();
    assert_eq!(fs::read(bundle).unwrap(), fs::read(&second).unwrap());
    assert_eq!(json(&["vehicle", "confirm", vehicle])["confirmed"], true);
    assert_eq!(json(&["vehicle", "status", vehicle])["active"]["status"], "good");
    assert!(String::from_utf8_lossy(&update(&["--no-gate"]).stdout).contains("up_to_date"));
    // A network that fails and a gate that cannot be run are no refusals.
    let unreachable = "http://127.0.0.1:9";
    let update_from = |director: &str| {
        let sources = ["--director", director, "--image", &images_url, "--no-gate"];
        let time = ["--time-key", text(&time_key)];
        run(&[&["vehicle", "update", vehicle], &sources[..], &time[..]].concat())
    };
    assert_eq!(update_from(unreachable).status.code(), Some(4));
    // Revoked, it is left for the release before it.
    let back = ["--images", images_text, "--assign", "front=net-1.omma", "--revoke", "net-2.omma"];
    workshop.publish(director_text, &back);
    let returned = update_from(&director_url);
    let message = String::from_utf8_lossy(&returned.stdout);
    assert!(returned.status.success() && message.contains("revoked net-2.omma"), "{message}");
    assert_eq!(json(&["vehicle", "start", vehicle])["images"]["front"]["release"], 1);
    let fail = ["vehicle", "fail", vehicle, "--reason", "it hung"];
    refused(&fail, &["holds no good release"]);
    refused(&[&provision[..], &roots].concat(), &["provisioned before"]);
}

#[test]
fn a_failure_returns_to_the_release_before() {
    let workshop = Workshop::new();
    let (first, second) = (workshop.bundle(1), workshop.bundle(2));
    let (images, director) = (workshop.at("images"), workshop.at("director"));
    let (images, director) = (text(&images), text(&director));
    workshop.root(images);
    workshop.root(director);
    workshop.publish(images, &["--add", text(&first), "--add", text(&second)]);
    let assign = ["--vehicle", "VIN1", "--images", images, "--assign", "front=net-2.omma"];
    workshop.publish(director, &assign);
    let vehicle = workshop.at("vehicle");
    let vehicle = text(&vehicle);
    let provision = |ecus: &[&str], roots: [&str; 2]| {
        let mut arguments = vec!["vehicle", "provision", vehicle, "--name", "VIN1"];
        ecus.iter().for_each(|ecu| arguments.extend(["--ecu", ecu]));
        arguments.extend(["--director-root", roots[0], "--image-root", roots[1]]);
        arguments.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let refuse = |ecus: &[&str], words: &[&str]| {
        let arguments = provision(ecus, ["none", "none"]);
        refused(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), words);
    };
    refuse(&["a:bench=none", "a:bench=none"], &["two computers called a"]);
    refuse(&[&format!("a:orin={}", text(&first))], &["it is for bench, and this is orin"]);
    let root = |repository: &str| format!("{repository}/metadata/1.root.json");
    let front = format!("front:bench={}", text(&first));
    let arguments = provision(&[&front], [&root(director), &root(images)]);
    json(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let time = workshop.at("time");
    let update = ["vehicle", "update", vehicle, "--director", director, "--image", images];
    let update = [&update[..], &["--time-key", text(&time)]].concat();
    refused(&[&update[..], &["--no-gate", "--trial-starts", "0"]].concat(), &["trial-starts"]);
    let missing = run(&[&update[..], &["--gate", "/nowhere/gate"]].concat());
    assert_eq!(missing.status.code(), Some(4), "a missing program is no refusal");
    let unfit = run(&[&update[..], &["--no-gate", "--memory", "10"]].concat());
    assert_eq!(unfit.status.code(), Some(1));
    json(&[&update[..], &["--no-gate"]].concat());
    assert_eq!(json(&["vehicle", "start", vehicle])["images"]["front"]["release"], 2);
    assert_eq!(json(&["vehicle", "confirm", vehicle])["confirmed"], true);
    json(&["vehicle", "fail", vehicle, "--reason", "it hung"]);
    assert_eq!(json(&["vehicle", "start", vehicle])["images"]["front"]["release"], 1);
}

#[test]
fn releases_are_complete_and_stay_as_they_are() {
    let workshop = Workshop::new();
    let first = workshop.bundle(1);
    let images = workshop.at("images");
    let images = text(&images);
    workshop.root(images);
    let staged = json(&["bundle", "targets", images, "--add", text(&first)]);
    let staged = staged["staged"].as_str().unwrap();
    // Whoever signs sees what.
    let key = workshop.at("targets");
    let signed = json(&["bundle", "sign", staged, "--key", text(&key)]);
    let says = signed["signed"][0]["says"][0].as_str().unwrap();
    let sha256 = json(&["bundle", "verify", text(&first)])["sha256"].clone();
    assert!(says.contains("net-1.omma") && says.contains(sha256.as_str().unwrap()), "{says}");
    let root = format!("{images}/staging/root.json");
    let signed = json(&["bundle", "sign", &root, "--key", text(&workshop.at("root1"))]);
    let says = signed["signed"][0]["says"].to_string();
    assert!(says.contains("role root: 2 of ") && says.contains("role targets: 1 of "), "{says}");
    json(&["bundle", "publish", images, "--key", text(&workshop.at("online"))]);
    // Made again with other weights, release 1 is another file.
    let plan = fs::read_to_string(workshop.at("plan.toml")).unwrap();
    fs::write(workshop.at("weights"), [7; 80]).unwrap();
    let create = |plan: &str| {
        fs::write(workshop.at("plan.toml"), plan).unwrap();
        json(&["bundle", "create", text(&workshop.at("plan.toml")), "--out", text(&first)]);
    };
    create(&plan);
    let add = ["bundle", "targets", images, "--add", text(&first)];
    refused(&add, &["net-1.omma is public with other content"]);
    create(&plan.replace("\"onnx\"", "\"document\"").replace("release = 1", "release = 2"));
    refused(&add, &["a file of role onnx"]);
    refused(&[&add[..], &["--expires", "2020-01-01T00:00:00Z"]].concat(), &["would expire"]);
}

#[test]
fn bundles_are_reproducible_checked_and_compared() {
    let workshop = Workshop::new();
    let (first, second) = (workshop.bundle(1), workshop.bundle(2));
    let bytes = fs::read(&second).unwrap();
    workshop.bundle(2);
    assert_eq!(fs::read(&second).unwrap(), bytes);
    let out = workshop.at("delta");
    let delta =
        json(&["bundle", "delta", text(&first), text(&second), "--out", text(&out), "--compare"]);
    assert_eq!(delta["bytes"], fs::metadata(&out).unwrap().len());
    assert!(delta["share"].as_f64().unwrap() < 0.7, "{delta}");
    let extracted = workshop.at("extracted");
    let verified = json(&["bundle", "verify", text(&second), "--extract", text(&extracted)]);
    assert_eq!(verified["manifest"]["release"], 2);
    assert_eq!(fs::read(extracted.join("replay/y.bin")).unwrap(), [0; 4]);
    let mut bad = bytes;
    let at = bad.len() - 5000;
    bad[at] ^= 1;
    fs::write(&second, bad).unwrap();
    refused(&["bundle", "verify", text(&second)], &["weights.bin", "damaged or forged"]);
}

#[test]
fn what_cannot_be_is_refused_in_words() {
    let workshop = Workshop::new();
    let (key, plan) = (workshop.at("root1"), workshop.at("plan.toml"));
    refused(&["bundle", "keys", text(&key)], &["root1", "exists"]);
    fs::write(&plan, "name = 3").unwrap();
    let out = workshop.at("out.omma");
    refused(
        &["bundle", "create", text(&plan), "--out", text(&out)],
        &["plan.toml", "expected a string"],
    );
    refused(&["bundle", "verify", text(&plan)], &["no bundle"]);
    refused(&["bundle", "sign", text(&plan), "--key", text(&key)], &["cannot sign"]);
    let repository = workshop.at("repository");
    let role = format!("boss={}", workshop.public("root1"));
    refused(&["bundle", "root", text(&repository), "--role", &role], &["no role boss"]);
    refused(&["bundle", "root", text(&repository)], &["root has no key"]);
    refused(&["bundle", "publish", text(&repository), "--key", text(&key)], &["stage one first"]);
    refused(&["vehicle", "status", text(&repository)], &["provision the vehicle first"]);
    fs::write(&plan, "seed = 3").unwrap();
    refused(&["fleet", "simulate", text(&plan)], &["plan.toml", "--seed"]);
}
