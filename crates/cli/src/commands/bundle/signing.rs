//! `omma bundle keys OUT`, `omma bundle sign FILE… --key KEY`: all that a machine without a network does.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use ommatidia_store::atomic;
use ommatidia_update::tuf::{KeyPair, PublicKey, editor, key_id};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::args::Common;
use crate::failure::Failure;
use crate::output;

/// Make a key: FILE to keep secret, FILE.pub for everyone
#[derive(Debug, Args)]
pub(crate) struct KeysArguments {
    /// Where the secret goes; must not exist
    out: PathBuf,
}

/// Sign staged metadata; needs no network and nothing but the file and the key
#[derive(Debug, Args)]
pub(crate) struct SignArguments {
    /// Metadata files, signed in place
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Secret keys to sign with
    #[arg(long, value_name = "KEY", required = true)]
    key: Vec<PathBuf>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretFile {
    scheme: String,
    /// 32 bytes, hexadecimal.
    seed: String,
}

pub(super) fn keys(arguments: &KeysArguments, common: &Common) -> Result<ExitCode, Failure> {
    let key = KeyPair::generate()?;
    let seed = key.seed().iter().map(|byte| format!("{byte:02x}")).collect();
    let secret = SecretFile { scheme: "ed25519".to_owned(), seed };
    let text = serde_json::to_string_pretty(&secret).map_err(Failure::input)? + "\n";
    write_secret(&arguments.out, text.as_bytes()).map_err(|cause| {
        Failure::input(format!("cannot write {}: {cause}", arguments.out.display()))
    })?;
    let public = with_ending(&arguments.out, "pub");
    atomic::write_json(&public, &key.public())?;
    let result = json!({ "secret": arguments.out, "public": public, "keyid": key.id() });
    output::print(common, &result, || {
        format!(
            "{} is secret and is all there is of it; {} is for everyone\nkey {}",
            arguments.out.display(),
            public.display(),
            key.id()
        )
    })
}

/// Readable by its owner alone from the first byte.
fn write_secret(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

pub(super) fn sign(arguments: &SignArguments, common: &Common) -> Result<ExitCode, Failure> {
    let keys = arguments.key.iter().map(|path| read_key(path)).collect::<Result<Vec<_>, _>>()?;
    let mut signed = Vec::new();
    for path in &arguments.files {
        let about = |cause: &dyn std::fmt::Display| {
            Failure::input(format!("cannot sign {}: {cause}", path.display()))
        };
        let mut bytes = fs::read(path).map_err(|cause| about(&cause))?;
        for key in &keys {
            bytes = editor::sign(&bytes, key).map_err(|refusal| about(&refusal))?;
        }
        atomic::write_bytes(path, &bytes)?;
        let value: Value = serde_json::from_slice(&bytes).map_err(|cause| about(&cause))?;
        signed.push(json!({
            "file": path,
            "type": value["signed"]["_type"],
            "version": value["signed"]["version"],
            "expires": value["signed"]["expires"],
            "says": says(&value["signed"]),
            "signatures": value["signatures"].as_array().map_or(0, Vec::len),
        }));
    }
    let result =
        json!({ "signed": signed, "keyids": keys.iter().map(KeyPair::id).collect::<Vec<_>>() });
    output::print(common, &result, || {
        let lines = signed.iter().map(|file| {
            let text = |name: &str| file[name].as_str().unwrap_or("?").to_owned();
            let says = file["says"].as_array().into_iter().flatten();
            let says = says.map(|line| format!("  {}\n", line.as_str().unwrap_or("?")));
            format!(
                "{}: {} version {} until {}, {} signatures\n{}",
                text("file"),
                text("type"),
                file["version"],
                text("expires"),
                file["signatures"],
                says.collect::<String>()
            )
        });
        lines.collect()
    })
}

/// What one puts one's name to, a line each: whose keys make up which role, and what is listed.
fn says(signed: &Value) -> Vec<String> {
    let members = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let words = |value: &Value| {
        let words = value.as_array().into_iter().flatten().filter_map(Value::as_str);
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    let keys =
        |role: &Value| format!("{} of {}", role["threshold"], words(&role["keyids"]).join(", "));
    let roles = members(&signed["roles"]);
    let mut lines: Vec<String> =
        roles.iter().map(|(name, role)| format!("role {name}: {}", keys(role))).collect();
    if let Some(vehicle) = signed["vehicle"].as_str() {
        lines.push(format!("for vehicle {vehicle}"));
    }
    for (name, target) in members(&signed["targets"]) {
        let (sha256, custom) = (&target["hashes"]["sha256"], &target["custom"]);
        let sha256 = sha256.as_str().unwrap_or("no SHA-256");
        lines.push(format!("{name}: {sha256}, {} bytes, {custom}", target["length"]));
    }
    lines.extend(words(&signed["revoked"]).iter().map(|sha256| format!("revoked: {sha256}")));
    for role in signed["delegations"]["roles"].as_array().into_iter().flatten() {
        lines.push(format!("delegates to {}: {}", role["name"], keys(role)));
    }
    lines
}

/// A secret key.
pub(crate) fn read_key(path: &Path) -> Result<KeyPair, Failure> {
    let about = |cause: &dyn std::fmt::Display| {
        Failure::input(format!(
            "{} is no secret key: {cause}; omma bundle keys makes one",
            path.display()
        ))
    };
    let text = fs::read_to_string(path).map_err(|cause| about(&cause))?;
    let secret: SecretFile = serde_json::from_str(&text).map_err(|cause| about(&cause))?;
    let seed: Option<Vec<u8>> =
        (0..32).map(|i| u8::from_str_radix(secret.seed.get(2 * i..2 * i + 2)?, 16).ok()).collect();
    let seed = seed.filter(|_| secret.seed.len() == 64 && secret.scheme == "ed25519");
    let seed = seed.and_then(|seed| seed.try_into().ok());
    Ok(KeyPair::from_seed(seed.ok_or_else(|| about(&"its seed is not 64 hexadecimal digits"))?))
}

/// A public key.
pub(super) fn read_public(path: &Path) -> Result<PublicKey, Failure> {
    let about = |cause: &dyn std::fmt::Display| {
        Failure::input(format!("{} is no public key: {cause}", path.display()))
    };
    let text = fs::read_to_string(path).map_err(|cause| about(&cause))?;
    let key: PublicKey = serde_json::from_str(&text).map_err(|cause| about(&cause))?;
    tracing::info!("{}: key {}", path.display(), key_id(&key));
    Ok(key)
}
