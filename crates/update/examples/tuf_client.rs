//! The client that TUF's conformance suite runs (`bench/tuf/README.md`): `init`, `refresh`, `download`.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use ommatidia_update::disk::{self, RealDisk};
use ommatidia_update::http::Http;
use ommatidia_update::tuf::{Link, Repository, TargetFile, UtcTime, Watch};

struct Stopwatch(Instant);

impl Watch for Stopwatch {
    fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let (mut options, mut words) = (Vec::new(), Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.strip_prefix("--") {
            Some(name) => {
                options.push((name.to_owned(), arguments.next().ok_or("a value is missing")?))
            }
            None => words.push(argument),
        }
    }
    let option = |name: &str| {
        let found = options.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str()).ok_or(format!("--{name} is missing"))
    };
    let metadata = PathBuf::from(option("metadata-dir")?);
    let above = metadata.parent().ok_or("--metadata-dir is a root")?;
    let directory = metadata.file_name().and_then(|name| name.to_str()).ok_or("--metadata-dir")?;
    let kept = RealDisk::new(above);
    if words.first().is_some_and(|word| word == "init") {
        let root = fs::read(words.get(1).ok_or("the root file is missing")?)?;
        return Ok(disk::replace(&kept, &format!("{directory}/root.json"), &root)?);
    }
    let watch = Stopwatch(Instant::now());
    let server = Http::new(option("metadata-url")?);
    let link = Link { transport: &server, watch: &watch, slowest_bytes_per_s: 100, patience_s: 10 };
    let mut repository = Repository::open(link, &kept, directory)?;
    repository.refresh_root()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    repository.refresh(UtcTime(now.try_into()?))?;
    if words.first().is_some_and(|word| word == "download") {
        let server = Http::new(option("target-base-url")?);
        let link = Link { transport: &server, ..link };
        let consistent = repository.trusted().root().body.consistent_snapshot;
        for (_, name) in options.iter().filter(|(option, _)| option == "target-name") {
            let target = repository.find(name)?.ok_or(format!("there is no target {name}"))?;
            let path = PathBuf::from(option("target-dir")?).join(name.replace('/', "%2F"));
            if fs::read(&path).is_ok_and(|bytes| target.check(name, &bytes).is_ok()) {
                continue;
            }
            fs::write(path, download(&link, name, &target, consistent)?)?;
        }
    }
    Ok(())
}

fn download(
    link: &Link<'_>,
    name: &str,
    target: &TargetFile,
    consistent: bool,
) -> Result<Vec<u8>, Box<dyn Error>> {
    let path = target.path(name, consistent);
    let bytes = link.fetch(&path, target.length).map_err(|why| why.to_string())?;
    target.check(name, &bytes)?;
    Ok(bytes)
}
