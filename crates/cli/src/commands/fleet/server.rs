//! `omma fleet serve | rollout | vehicles | people | load`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use ommatidia_fleet::rollout::Plan;
use ommatidia_fleet_server::client::{Client, encode};
use ommatidia_fleet_server::console::{self, system_clock};
use ommatidia_fleet_server::load::{self, Figures, Load};
use ommatidia_fleet_server::people::Role;
use ommatidia_fleet_server::{Error, Settings};
use serde_json::{Map, Value, json};

use crate::args::Common;
use crate::failure::Failure;
use crate::interrupt::{Resumable, asked};
use crate::output;

#[derive(Debug, Subcommand)]
pub(super) enum ServerCommand {
    Serve(ServeArguments),
    #[command(subcommand)]
    People(PeopleCommand),
    Rollout(RolloutArguments),
    Vehicles(VehiclesArguments),
    Load(LoadArguments),
}

/// Serve a fleet until Ctrl-C: enrolment, polls, reports, rollouts (docs/fleet.md)
#[derive(Debug, Args)]
pub(super) struct ServeArguments {
    #[command(flatten)]
    settings: SettingsArguments,
    /// Address and port; 0 takes a free one
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct SettingsArguments {
    /// Settings (TOML); what it does not say is as by default: everything in ./fleet
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// sqlite:FILE?mode=rwc or postgres://USER:PASSWORD@HOST/NAME
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Folder of the server's key, files and, by default, database
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

impl SettingsArguments {
    fn read(&self) -> Result<Settings, Failure> {
        let mut settings = match &self.settings {
            None => Settings::default(),
            Some(path) => {
                let about = |cause: &dyn std::fmt::Display| {
                    Failure::input(format!("{}: {cause}", path.display()))
                };
                let text = std::fs::read_to_string(path).map_err(|cause| about(&cause))?;
                toml::from_str(&text).map_err(|cause| about(&cause))?
            }
        };
        if let Some(folder) = &self.folder {
            settings.key = folder.join("server.key");
            settings.files = folder.join("files");
            settings.database = format!("sqlite:{}?mode=rwc", folder.join("fleet.db").display());
        }
        settings.database = self.database.clone().unwrap_or(settings.database);
        Ok(settings)
    }
}

/// Say who may do what, on the server's machine; tokens are shown once
#[derive(Debug, Subcommand)]
pub(super) enum PeopleCommand {
    /// Let a person in; prints their token
    Add {
        /// Name
        name: String,
        /// viewer, operator (rollouts, vehicles) or signer (files)
        #[arg(long)]
        role: String,
        #[command(flatten)]
        settings: SettingsArguments,
    },
    /// Take a person's token away
    Remove {
        /// Name
        name: String,
        #[command(flatten)]
        settings: SettingsArguments,
    },
    /// List who may call
    List {
        #[command(flatten)]
        settings: SettingsArguments,
    },
}

#[derive(Debug, Args)]
struct ServerArguments {
    /// The server
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8460", global = true)]
    server: String,
    /// File with your token
    #[arg(long, value_name = "FILE", default_value = "omma.token", global = true)]
    token: PathBuf,
}

impl ServerArguments {
    fn token(&self) -> Result<String, Failure> {
        let text = std::fs::read_to_string(&self.token).map_err(|cause| {
            Failure::input(format!(
                "{}: {cause}; `omma fleet people add` prints a token, --token names its file",
                self.token.display()
            ))
        })?;
        Ok(text.trim().to_owned())
    }

    fn client(&self) -> Result<Client, Failure> {
        Ok(Client::new(&self.server, &self.token()?))
    }
}

/// Begin, pause, resume and stop rollouts, and see how they stand
#[derive(Debug, Args)]
pub(super) struct RolloutArguments {
    #[command(flatten)]
    server: ServerArguments,
    #[command(subcommand)]
    command: RolloutCommand,
}

#[derive(Debug, Subcommand)]
enum RolloutCommand {
    /// All rollouts
    List,
    /// Begin one
    Begin {
        /// Its name, used once
        name: String,
        /// Whose vehicles
        #[arg(long)]
        group: String,
        /// Which of them: region IN ('eu', 'uk') AND memory_gb >= 8
        #[arg(long = "where", value_name = "FILTER", default_value = "TRUE")]
        filter: String,
        /// What they get
        #[arg(long)]
        release: String,
        /// Stages and gates (TOML) [default: 0.1, 1, 10, 100 %]
        #[arg(long, value_name = "FILE")]
        plan: Option<PathBuf>,
    },
    /// Reach no vehicle more until it is resumed
    Pause(Act),
    /// Go on, from the beginning of the stage
    Resume(Act),
    /// Stop for good: vehicles go back to the release before
    Stop(Act),
    /// Who changed what
    Log {
        /// Lines behind that number
        #[arg(long, default_value_t = 0)]
        after: u64,
    },
}

#[derive(Debug, Args)]
struct Act {
    /// Which rollout
    name: String,
    /// For the log
    #[arg(long)]
    reason: String,
}

/// List vehicles, let them in, and stop believing them
#[derive(Debug, Args)]
pub(super) struct VehiclesArguments {
    #[command(flatten)]
    server: ServerArguments,
    #[command(subcommand)]
    command: VehiclesCommand,
}

#[derive(Debug, Subcommand)]
enum VehiclesCommand {
    /// Vehicles of a group
    List {
        /// Group
        #[arg(long)]
        group: String,
        /// Which of them: region = 'eu'
        #[arg(long = "where", value_name = "FILTER", default_value = "TRUE")]
        filter: String,
        /// Those behind that name
        #[arg(long, default_value = "")]
        after: String,
        /// Most lines
        #[arg(long, default_value_t = 100)]
        limit: u64,
    },
    /// A vehicle and its last reports
    Show {
        /// Name
        vehicle: String,
    },
    /// Make tokens that let one vehicle each into a group
    Tokens {
        /// Group; made if it is new
        #[arg(long)]
        group: String,
        /// How many
        #[arg(long, default_value_t = 1)]
        count: u64,
        /// How long they let in
        #[arg(long, default_value_t = 24)]
        hours: u64,
        /// What is known of the vehicles: region=eu, memory_gb=8
        #[arg(long, value_name = "NAME=VALUE")]
        attribute: Vec<String>,
    },
    /// Stop believing a vehicle
    Revoke {
        /// Name
        vehicle: String,
    },
    /// Reports by group and release
    Reports,
}

/// Put load on a running server: enrolments, polls, reports
#[derive(Debug, Args)]
pub(super) struct LoadArguments {
    #[command(flatten)]
    server: ServerArguments,
    /// Vehicles that enrol
    #[arg(long, default_value_t = 1000)]
    vehicles: usize,
    /// Group that they enrol in
    #[arg(long, default_value = "load")]
    group: String,
    /// Begins their names; one that was not used before [default: from the seed]
    #[arg(long)]
    prefix: Option<String>,
    /// Connections at a time, each waiting for its answer
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Length of the polls, and of the reports, s
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Reports in a batch
    #[arg(long, default_value_t = 32)]
    batch: usize,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let report = miette::miette!("{error}");
        if error.is_environment() { Self::Environment(report) } else { Self::Input(report) }
    }
}

pub(super) fn run(command: &ServerCommand, common: &Common) -> Result<ExitCode, Failure> {
    match command {
        ServerCommand::Serve(arguments) => serve(arguments, common),
        ServerCommand::People(command) => people(command, common),
        ServerCommand::Rollout(arguments) => rollout(arguments, common),
        ServerCommand::Vehicles(arguments) => vehicles(arguments, common),
        ServerCommand::Load(arguments) => put_load(arguments, common),
    }
}

fn serve(arguments: &ServeArguments, common: &Common) -> Result<ExitCode, Failure> {
    let mut settings = arguments.settings.read()?;
    settings.listen = arguments.listen.clone().unwrap_or(settings.listen);
    let working = Resumable::begin();
    let mut printed = Ok(ExitCode::SUCCESS);
    let started = |started: &console::Started| {
        let text =
            || format!("listening at {}\nserver key {}", started.address, started.server_key);
        printed = output::print(common, started, text);
    };
    console::serve(settings, common.threads, started, asked)?;
    drop(working);
    printed
}

fn people(command: &PeopleCommand, common: &Common) -> Result<ExitCode, Failure> {
    match command {
        PeopleCommand::Add { name, role, settings } => {
            let role = Role::parse(role).ok_or_else(|| {
                let names = Role::ALL.map(Role::name).join(", ");
                Failure::input(format!("--role {role}: give one of {names}"))
            })?;
            let settings = settings.read()?;
            let token =
                console::with_server(settings, async |server| server.add_person(name, role).await)?;
            let result = json!({ "name": name, "role": role, "token": token });
            output::print(common, &result, || token)
        }
        PeopleCommand::Remove { name, settings } => {
            let settings = settings.read()?;
            console::with_server(settings, async |server| server.remove_person(name).await)?;
            output::print(common, &json!({ "removed": name }), || format!("removed {name}"))
        }
        PeopleCommand::List { settings } => {
            let people =
                console::with_server(settings.read()?, async |server| server.people().await)?;
            output::print(common, &json!({ "people": people }), || {
                let rows =
                    people.iter().map(|person| vec![person.name.clone(), person.role.to_string()]);
                output::table(&["name", "role"], rows)
            })
        }
    }
}

fn rollout(arguments: &RolloutArguments, common: &Common) -> Result<ExitCode, Failure> {
    let client = arguments.server.client()?;
    let act = |act: &str, which: &Act| {
        let path = format!("/v1/rollouts/{}/{act}", encode(&which.name));
        let answer = client.post(&path, &json!({ "reason": which.reason }))?;
        output::print(common, &answer, || format!("{}: {act}", which.name))
    };
    match &arguments.command {
        RolloutCommand::List => {
            let answer = client.get("/v1/rollouts")?;
            output::print(common, &answer, || standings(&answer))
        }
        RolloutCommand::Begin { name, group, filter, release, plan } => {
            let plan = plan.as_ref().map(read_plan).transpose()?.unwrap_or_default();
            let begin = json!({
                "name": name, "group": group, "filter": filter, "release": release, "plan": plan,
            });
            let answer = client.post("/v1/rollouts", &begin)?;
            output::print(common, &answer, || {
                format!("{name} began; it is for {} vehicles", answer["vehicles"])
            })
        }
        RolloutCommand::Pause(which) => act("pause", which),
        RolloutCommand::Resume(which) => act("resume", which),
        RolloutCommand::Stop(which) => act("stop", which),
        RolloutCommand::Log { after } => {
            let answer = client.get(&format!("/v1/audit?limit=1000&after={after}"))?;
            output::print(common, &answer, || {
                let columns = ["number", "at", "who", "action", "subject", "detail"];
                let mut text = rows(&answer["lines"], &columns);
                if answer["chained"] != true {
                    text += "THE CHAIN IS BROKEN: somebody changed or removed lines\n";
                }
                text
            })
        }
    }
}

fn read_plan(path: &PathBuf) -> Result<Plan, Failure> {
    let about =
        |cause: &dyn std::fmt::Display| Failure::input(format!("{}: {cause}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|cause| about(&cause))?;
    toml::from_str(&text).map_err(|cause| about(&cause))
}

fn standings(answer: &Value) -> String {
    let line = |rollout: &Value| {
        let phase = match rollout["phase"].as_object().and_then(|phase| phase.iter().next()) {
            Some((name, why)) => format!("{name}: {}", cell(&why["reason"])),
            None => cell(&rollout["phase"]),
        };
        let reach = rollout["reach"].as_f64().unwrap_or(0.0) / 1e4;
        vec![
            cell(&rollout["name"]),
            cell(&rollout["group"]),
            cell(&rollout["release"]),
            format!("{}/{} ({reach} %)", rollout["stage"], rollout["stages"]),
            cell(&rollout["new"]["reports"]),
            cell(&rollout["old"]["reports"]),
            phase,
        ]
    };
    let rollouts = answer["rollouts"].as_array().into_iter().flatten().map(line);
    let header = ["rollout", "group", "release", "stage", "reports, new", "reports, old", "phase"];
    output::table(&header, rollouts)
}

/// Columns of a list of objects.
fn rows(list: &Value, columns: &[&str]) -> String {
    let line = |row: &Value| columns.iter().map(|column| cell(&row[*column])).collect();
    output::table(columns, list.as_array().into_iter().flatten().map(line))
}

fn cell(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn vehicles(arguments: &VehiclesArguments, common: &Common) -> Result<ExitCode, Failure> {
    let client = arguments.server.client()?;
    match &arguments.command {
        VehiclesCommand::List { group, filter, after, limit } => {
            let (group, filter, after) = (encode(group), encode(filter), encode(after));
            let path =
                format!("/v1/vehicles?group={group}&filter={filter}&after={after}&limit={limit}");
            let answer = client.get(&path)?;
            output::print(common, &answer, || {
                let columns = ["vehicle", "generation", "revoked", "enrolled", "attributes"];
                format!("{} match\n{}", answer["matching"], rows(&answer["vehicles"], &columns))
            })
        }
        VehiclesCommand::Show { vehicle } => {
            let answer = client.get(&format!("/v1/vehicles/{}", encode(vehicle)))?;
            output::print(common, &answer, || {
                let columns = ["sequence", "at", "release", "seconds", "events"];
                format!("{}\n{}", answer["vehicle"], rows(&answer["last_reports"], &columns))
            })
        }
        VehiclesCommand::Tokens { group, count, hours, attribute } => {
            let attributes = attributes(attribute)?;
            let body =
                json!({ "group": group, "count": count, "hours": hours, "attributes": attributes });
            let answer = client.post("/v1/tokens", &body)?;
            output::print(common, &answer, || {
                answer["tokens"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|token| cell(token) + "\n")
                    .collect()
            })
        }
        VehiclesCommand::Revoke { vehicle } => {
            let answer =
                client.post(&format!("/v1/vehicles/{}/revoke", encode(vehicle)), &json!({}))?;
            output::print(common, &answer, || format!("revoked {vehicle}"))
        }
        VehiclesCommand::Reports => {
            let answer = client.get("/v1/tallies")?;
            output::print(common, &answer, || {
                rows(&answer["tallies"], &["group", "release", "reports", "seconds", "events"])
            })
        }
    }
}

/// Numbers where they are, else texts.
fn attributes(given: &[String]) -> Result<Map<String, Value>, Failure> {
    let one = |text: &String| {
        let usage = || Failure::input(format!("--attribute {text}: give NAME=VALUE"));
        let (name, value) = text.split_once('=').ok_or_else(usage)?;
        let number = value.parse::<f64>().ok().filter(|number| number.is_finite());
        Ok((name.to_owned(), number.map_or_else(|| Value::from(value), Value::from)))
    };
    given.iter().map(one).collect()
}

fn put_load(arguments: &LoadArguments, common: &Common) -> Result<ExitCode, Failure> {
    if !(0.1..=3600.0).contains(&arguments.seconds) {
        return Err(Failure::input("--seconds: give 0.1 to 3600"));
    }
    let load = Load {
        server: arguments.server.server.clone(),
        token: arguments.server.token()?,
        group: arguments.group.clone(),
        prefix: arguments.prefix.clone().unwrap_or_else(|| format!("load{}-", common.seed)),
        vehicles: arguments.vehicles,
        connections: arguments.connections,
        time: Duration::from_secs_f64(arguments.seconds),
        batch: arguments.batch,
    };
    let outcome = load::run(&load, &system_clock())?;
    output::print(common, &outcome, || {
        let line = |what: &str, figures: &Figures| {
            vec![
                what.to_owned(),
                figures.answered.to_string(),
                figures.failed.to_string(),
                format!("{:.0}", figures.per_s),
                format!("{:.2}", figures.p50_ms),
                format!("{:.2}", figures.p99_ms),
                format!("{:.2}", figures.max_ms),
            ]
        };
        let rows = [
            line("enrolments", &outcome.enrolments),
            line("unchanged polls", &outcome.polls),
            line("batches of reports", &outcome.batches),
        ];
        let header = ["", "answered", "failed", "per s", "p50, ms", "p99, ms", "max, ms"];
        format!(
            "{}{:.0} reports/s; {} database statements during the polls\n",
            output::table(&header, rows),
            outcome.reports_per_s,
            outcome.statements_during_polls
        )
    })
}
