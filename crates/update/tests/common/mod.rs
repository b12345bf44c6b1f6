//! A small world for tests: two repositories with their keys, a time server, a vehicle with two computers.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::{self, Read};

use ommatidia_scene::{ContentHash, Input, Provenance};
use ommatidia_update::Error;
use ommatidia_update::bundle::{
    self, Bundle, Expected, Metric, Plan, PlannedFile, ReplayCase, Requirements, Role, Version,
};
use ommatidia_update::delta;
use ommatidia_update::disk::simulated::SimulatedDisk;
use ommatidia_update::disk::{self, Disk};
use ommatidia_update::tuf::editor::{self, Edition};
use ommatidia_update::tuf::{
    KeyPair, Link, Root, Snapshot, TargetFile, Targets, Timestamp, Transport, Unavailable, UtcTime,
    Watch,
};
use ommatidia_update::uptane::{
    Attestation, DirectorCustom, Ecu, Identity, Image, ImageCustom, Installed, TimeSource,
    delta_target,
};
use ommatidia_update::vehicle::{self, Gate, Outcome, Sources, Terms};
use serde_json::Value;

pub const START: UtcTime = UtcTime(1_900_000_000);
pub const ECUS: [&str; 2] = ["cameras", "radar"];

pub fn key(seed: u8) -> KeyPair {
    KeyPair::from_seed([seed; 32])
}

/// A server that serves files from memory, and what an attacker between may do.
#[derive(Default)]
pub struct Server {
    pub files: RefCell<BTreeMap<String, Vec<u8>>>,
    pub mischief: RefCell<Mischief>,
    pub served_bytes: Cell<u64>,
    pub seconds: Cell<f64>,
}

#[derive(Clone, Default, PartialEq)]
pub enum Mischief {
    #[default]
    None,
    /// Nothing is answered.
    Drop,
    /// Every body goes on for ever.
    Endless,
    /// A byte a second.
    Slow,
    /// Every body ends after so many bytes.
    CutAfter(u64),
    /// Files are given from their start alone, and every body ends after so many bytes.
    NoRanges(u64),
}

struct Body<'a> {
    server: &'a Server,
    bytes: Vec<u8>,
    at: usize,
}

impl Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mischief = self.server.mischief.borrow();
        let mut count = buffer.len().min(self.bytes.len() - self.at);
        match *mischief {
            Mischief::Endless if count == 0 => {
                buffer.fill(0);
                return Ok(buffer.len());
            }
            Mischief::Slow => {
                self.server.seconds.set(self.server.seconds.get() + 1.0);
                count = count.min(1);
            }
            Mischief::CutAfter(bytes) | Mischief::NoRanges(bytes) if self.at as u64 >= bytes => {
                return Err(io::Error::other("the connection was cut"));
            }
            Mischief::CutAfter(bytes) | Mischief::NoRanges(bytes) => {
                count = count.min(usize::try_from(bytes - self.at as u64).unwrap_or(usize::MAX))
            }
            _ => {}
        }
        buffer[..count].copy_from_slice(&self.bytes[self.at..self.at + count]);
        self.at += count;
        self.server.served_bytes.set(self.server.served_bytes.get() + count as u64);
        Ok(count)
    }
}

impl Transport for Server {
    fn get(&self, path: &str, offset: u64) -> Result<Box<dyn Read + '_>, Unavailable> {
        if *self.mischief.borrow() == Mischief::Drop {
            return Err(Unavailable::Failed("no answer".to_owned()));
        }
        if offset > 0 && matches!(*self.mischief.borrow(), Mischief::NoRanges(_)) {
            return Err(Unavailable::NoRanges);
        }
        let files = self.files.borrow();
        let bytes = files.get(path).ok_or(Unavailable::Missing)?;
        let bytes = bytes[(offset as usize).min(bytes.len())..].to_vec();
        Ok(Box::new(Body { server: self, bytes, at: 0 }))
    }
}

impl Watch for Server {
    fn seconds(&self) -> f64 {
        self.seconds.get()
    }
}

impl Server {
    pub fn put(&self, path: &str, bytes: Vec<u8>) {
        self.files.borrow_mut().insert(path.to_owned(), bytes);
    }

    pub fn link(&self) -> Link<'_> {
        Link { transport: self, watch: self, slowest_bytes_per_s: 1000, patience_s: 30 }
    }
}

/// One repository: its keys, what it published last, and the server it is on.
pub struct Repo {
    pub server: Server,
    pub seeds: BTreeMap<&'static str, u8>,
    pub targets: Targets,
    pub versions: BTreeMap<&'static str, u64>,
    pub root: Vec<u8>,
    pub expires: UtcTime,
}

pub const ROLES: [&str; 5] = ["root", "timestamp", "snapshot", "targets", "time"];

impl Repo {
    pub fn new(first_seed: u8, vehicle: Option<&str>) -> Self {
        let seeds = ROLES.iter().zip(first_seed..).map(|(role, seed)| (*role, seed)).collect();
        let targets = Targets {
            targets: BTreeMap::new(),
            delegations: None,
            vehicle: vehicle.map(str::to_owned),
            revoked: Vec::new(),
        };
        let versions = ROLES.iter().map(|role| (*role, 0)).collect();
        let (server, root, expires) = (Server::default(), Vec::new(), START.plus_days(30));
        let mut repo = Self { server, seeds, targets, versions, root, expires };
        repo.rotate(&[]);
        repo
    }

    fn bump(&mut self, role: &'static str) -> Edition {
        let version = self.versions.get_mut(role).unwrap();
        *version += 1;
        Edition { version: *version, expires: self.expires }
    }

    /// Publishes a new root with new keys for some roles.
    pub fn rotate(&mut self, replaced: &[(&'static str, u8)]) {
        let old_root_key = key(self.seeds["root"]);
        self.seeds.extend(replaced.iter().copied());
        let publics: Vec<_> = ROLES.iter().map(|role| [key(self.seeds[role]).public()]).collect();
        let assignments: Vec<_> =
            ROLES.iter().zip(&publics).map(|(role, keys)| (*role, 1, keys.as_slice())).collect();
        let (keys, roles) = editor::roles(&assignments);
        let Edition { version, expires } = self.bump("root");
        let edition = Edition { version, expires: expires.plus_days(335) };
        let root = Root { consistent_snapshot: true, keys, roles };
        let bytes = editor::unsigned("root", edition, &root);
        let bytes = editor::sign(&bytes, &old_root_key).unwrap();
        self.root = editor::sign(&bytes, &key(self.seeds["root"])).unwrap();
        self.server.put(&format!("{}.root.json", edition.version), self.root.clone());
    }

    /// Publishes the targets as they are, with snapshot and timestamp.
    pub fn publish(&mut self) {
        let edition = self.bump("targets");
        let targets = self.signed("targets", edition, &self.targets.clone());
        self.server.put(&format!("{}.targets.json", edition.version), targets.clone());
        let snapshot = Snapshot {
            meta: [("targets.json".to_owned(), editor::listing(&targets, edition.version))].into(),
        };
        let edition = self.bump("snapshot");
        let snapshot = self.signed("snapshot", edition, &snapshot);
        self.server.put(&format!("{}.snapshot.json", edition.version), snapshot.clone());
        self.publish_timestamp(&snapshot);
    }

    pub fn publish_timestamp(&mut self, snapshot: &[u8]) {
        let version = self.versions["snapshot"];
        let timestamp = Timestamp {
            meta: [("snapshot.json".to_owned(), editor::listing(snapshot, version))].into(),
        };
        let edition = self.bump("timestamp");
        let timestamp = self.signed("timestamp", edition, &timestamp);
        self.server.put("timestamp.json", timestamp);
    }

    pub fn signed<T: serde::Serialize>(
        &self,
        role: &'static str,
        edition: Edition,
        body: &T,
    ) -> Vec<u8> {
        editor::sign(&editor::unsigned(role, edition, body), &key(self.seeds[role])).unwrap()
    }

    pub fn list(&mut self, name: &str, bytes: &[u8], custom: Value) -> TargetFile {
        let target = TargetFile {
            length: bytes.len() as u64,
            hashes: editor::hashes(bytes),
            custom: (!custom.is_null()).then_some(custom),
        };
        self.targets.targets.insert(name.to_owned(), target.clone());
        target
    }
}

pub struct Clock {
    pub now: Cell<UtcTime>,
    pub seed: Cell<u8>,
    /// An old answer that is given instead.
    pub replayed: RefCell<Option<Vec<u8>>>,
}

impl TimeSource for Clock {
    fn attest(&self, nonce: &str) -> Result<Vec<u8>, String> {
        if let Some(old) = &*self.replayed.borrow() {
            return Ok(old.clone());
        }
        let body = Attestation { time: self.now.get(), nonces: vec![nonce.to_owned()] };
        let edition = Edition { version: 1, expires: UtcTime(253_000_000_000) };
        Ok(editor::sign(&editor::unsigned("time", edition, &body), &key(self.seed.get())).unwrap())
    }
}

/// Lets everything through whose weights do not begin with `bad!`.
pub struct WeightsGate;

impl Gate for WeightsGate {
    fn check(&mut self, _: &Ecu, bundle: &Bundle<'_>) -> Result<(), Error> {
        let mut start = [0; 4];
        bundle.read("weights.bin")?.read_exact(&mut start).unwrap();
        let reason = "the outputs drifted".to_owned();
        if &start == b"bad!" { Err(Error::Gate { reason }) } else { Ok(()) }
    }
}

pub struct World {
    pub director: Repo,
    pub image: Repo,
    pub files: Server,
    pub clock: Clock,
    pub bundles: BTreeMap<String, Vec<u8>>,
    nonce: Cell<u64>,
    pub use_deltas: bool,
}

pub fn weights(release: u64) -> Vec<u8> {
    (0..1500u32)
        .flat_map(|i| (i as f32 * 0.37 + 1e-3 * release as f32).sin().to_le_bytes())
        .collect()
}

/// A bundle for one computer.
pub fn make_bundle(product: &str, release: u64, weights: Vec<u8>) -> Vec<u8> {
    packed(make_plan(product, release, weights))
}

pub fn packed(plan: Plan) -> Vec<u8> {
    let mut bytes = Vec::new();
    bundle::write(plan, &mut bytes).unwrap();
    bytes
}

pub fn make_plan(product: &str, release: u64, weights: Vec<u8>) -> Plan {
    let file = |path: &str, role, bytes: Vec<u8>| PlannedFile {
        path: path.to_owned(),
        role,
        source: Box::new(bytes),
    };
    Plan {
        name: product.to_owned(),
        release,
        files: vec![
            file("weights.bin", Role::Weights, weights),
            file("x.bin", Role::Replay, vec![0; 8]),
        ],
        requires: Requirements {
            runtime: Version([0, 1, 0]),
            hardware: vec![product.to_owned()],
            memory_bytes: 1000,
        },
        needs: Vec::new(),
        metrics: vec![Metric {
            name: "miou".to_owned(),
            value: 0.5,
            low: 0.4,
            high: 0.6,
            confidence: 0.95,
        }],
        replay: vec![ReplayCase {
            name: "one".to_owned(),
            inputs: BTreeMap::new(),
            expected: vec![Expected {
                output: "y".to_owned(),
                path: "x.bin".to_owned(),
                absolute: 0.1,
                relative: 0.0,
            }],
        }],
        provenance: Provenance::new(
            vec![Input { name: "clip".to_owned(), blake3: ContentHash([1; 32]) }],
            Value::Null,
        ),
    }
}

impl World {
    pub fn new() -> Self {
        let (director, image) = (Repo::new(10, Some("VIN1")), Repo::new(20, None));
        let clock = Clock {
            now: Cell::new(START),
            seed: Cell::new(director.seeds["time"]),
            replayed: RefCell::default(),
        };
        let mut world = Self {
            director,
            image,
            files: Server::default(),
            clock,
            bundles: BTreeMap::new(),
            nonce: Cell::new(0),
            use_deltas: false,
        };
        world.release(1);
        world
    }

    pub fn target(product: &str, release: u64) -> String {
        format!("{product}-{release}.omma")
    }

    /// Puts a release of both products into the image repository and tells the vehicle to run it.
    pub fn release(&mut self, release: u64) {
        for product in ECUS {
            self.offer(make_bundle(product, release, weights(release)));
        }
        self.image.publish();
        self.assign(&ECUS.map(|product| (product, release)));
    }

    /// Lists a bundle in the image repository, with the delta from the release before where wanted.
    pub fn offer(&mut self, bytes: Vec<u8>) {
        let custom = ImageCustom::of(Bundle::open(&bytes).unwrap().manifest());
        let (product, release) = (&custom.product, custom.release);
        let name = Self::target(product, release);
        let before = self.bundles.get(&Self::target(product, release.saturating_sub(1))).cloned();
        let target = self.image.list(&name, &bytes, serde_json::to_value(custom).unwrap());
        self.files.put(&target.path(&name, true), bytes.clone());
        if let Some(old) = before.filter(|_| self.use_deltas) {
            let mut delta = Vec::new();
            delta::create(&old, &bytes, delta::Methods::default(), &mut delta).unwrap();
            let hash = |bytes: &Vec<u8>| vehicle::sha256_of(bytes).unwrap();
            let name = delta_target(&hash(&old), &hash(&bytes));
            let target = self.image.list(&name, &delta, Value::Null);
            self.files.put(&target.path(&name, true), delta);
        }
        self.bundles.insert(name, bytes);
    }

    /// The director tells the vehicle what to run.
    pub fn assign(&mut self, what: &[(&str, u64)]) {
        self.director.targets.targets.clear();
        for (product, release) in what {
            self.assign_to(product, *release, &[product]);
        }
        self.director.publish();
    }

    /// The director lists a release for computers, without publishing yet.
    pub fn assign_to(&mut self, product: &str, release: u64, ecus: &[&str]) {
        let name = Self::target(product, release);
        let custom = DirectorCustom::new(ecus.iter().map(|ecu| (*ecu).to_owned()).collect());
        let bytes = self.bundles[&name].clone();
        self.director.list(&name, &bytes, serde_json::to_value(custom).unwrap());
    }

    /// The director says that a release must not be run.
    pub fn revoke(&mut self, product: &str, release: u64) {
        let sha256 = self.sha256(product, release);
        self.director.targets.revoked.push(sha256);
    }

    pub fn sha256(&self, product: &str, release: u64) -> String {
        vehicle::sha256_of(&self.bundles[&Self::target(product, release)]).unwrap()
    }

    /// Where a release's bundle lies on the vehicle.
    pub fn place(&self, product: &str, release: u64) -> String {
        vehicle::bundle_path(&self.sha256(product, release))
    }

    /// A vehicle that leaves the factory with release 1.
    pub fn vehicle(&self) -> SimulatedDisk {
        let disk = SimulatedDisk::default();
        let mut images = Installed::new();
        for product in ECUS {
            let target = Self::target(product, 1);
            let bytes = &self.bundles[&target];
            let sha256 = vehicle::sha256_of(bytes).unwrap();
            disk::replace(&disk, &vehicle::bundle_path(&sha256), bytes).unwrap();
            let bytes = bytes.len() as u64;
            let image = Image {
                target,
                product: product.to_owned(),
                release: 1,
                sha256,
                bytes,
                needs: vec![],
            };
            images.insert(product.to_owned(), image);
        }
        let ecu = |id: &str| Ecu { id: id.to_owned(), hardware: id.to_owned() };
        let identity = Identity { vehicle: "VIN1".to_owned(), ecus: ECUS.map(ecu).to_vec() };
        let (director, image) = (&self.director.server, &self.image.server);
        let root = |server: &Server| server.files.borrow()["1.root.json"].clone();
        vehicle::provision(&disk, &identity, &root(director), &root(image), &images).unwrap();
        disk.copy()
    }

    pub fn terms(&self) -> Terms {
        self.nonce.set(self.nonce.get() + 1);
        Terms {
            runtime: Version([0, 1, 0]),
            memory_bytes: 1 << 20,
            nonce: self.nonce.get().to_string(),
            trial_starts: 2,
            piece_bytes: 1000,
        }
    }

    pub fn update(&self, disk: &dyn Disk) -> Result<Outcome, Error> {
        self.update_with(disk, &self.clock, &mut WeightsGate)
    }

    pub fn update_with(
        &self,
        disk: &dyn Disk,
        time: &dyn TimeSource,
        gate: &mut dyn Gate,
    ) -> Result<Outcome, Error> {
        let sources = Sources {
            director: self.director.server.link(),
            image: self.image.server.link(),
            targets: self.files.link(),
            time,
        };
        vehicle::update(disk, &sources, &self.terms(), gate)
    }

    /// What the vehicle runs after a start, by computer. Fails the test if it runs nothing.
    pub fn running(&self, disk: &dyn Disk) -> Vec<u64> {
        let started = vehicle::start(disk).expect("a vehicle always starts");
        started.images.values().map(|image| image.release).collect()
    }

    /// Updates, starts and confirms; what runs then.
    pub fn update_and_confirm(&self, disk: &dyn Disk) -> Vec<u64> {
        let outcome = self.update(disk).unwrap();
        assert!(matches!(outcome, Outcome::Activated(_)), "{outcome:?}");
        let running = self.running(disk);
        assert!(vehicle::confirm(disk).unwrap());
        running
    }
}
