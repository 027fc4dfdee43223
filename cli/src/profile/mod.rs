//! Profiles: saved connections, whose flags count where neither the command line nor the environment
//! has a value.

mod effective;
mod file;
mod folder;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use dunlin_codec::Escaped;

use crate::args::{
    self, HoldArgs, Profile, ProfileCheckArgs, ProfilePathArgs, ProfileSaveArgs, ProfileShowArgs,
    ProfileVerb, Sources, Typed, recorded_flags,
};
use crate::connect;
use crate::diagnosis::{Diagnosis, Try, quoted};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::Console;
use file::{ProfileFile, absolute};
use folder::ProfileFolder;

/// Parses `line` again with the values of its profile as defaults; `typed` itself if it has none.
///
/// # Errors
/// [`Id::Usage`](crate::diagnosis::Id::Usage) for a profile that doesn't exist or can't be used.
pub(crate) fn apply(typed: Typed, line: &[OsString]) -> Result<Typed, Diagnosis> {
    let Some(name) = typed.sources.profile() else {
        return Ok(typed);
    };
    let values = read(&name)?.values;
    check_values(&name, &values)?;
    let profile = Profile {
        name: name.clone(),
        values,
    };
    args::parse_with(line, &typed.sources, profile)
        .map_err(|error| invalid(&name, &error.to_string()))
}

/// Runs one of the verbs about profiles.
///
/// # Errors
/// [`Id::Usage`](crate::diagnosis::Id::Usage) for a profile that doesn't exist, can't be used or
/// can't be written; [`Failure::Local`] if standard output can't be written.
pub(crate) fn run(verb: ProfileVerb, sources: &Sources, console: Console) -> Result<Exit, Failure> {
    match verb {
        ProfileVerb::Save(typed) => save(&typed, sources, console),
        ProfileVerb::List => list(),
        ProfileVerb::Show(typed) => show(&typed, sources),
        ProfileVerb::Check(typed) => check(*typed, sources, console),
        ProfileVerb::Path(typed) => path(&typed),
    }
}

fn save(typed: &ProfileSaveArgs, sources: &Sources, console: Console) -> Result<Exit, Failure> {
    let path = ProfileFolder::find()?.file(&typed.name)?;

    // The flags of the command line alone: what the environment holds may be a secret that was
    // meant for one run.
    let mut file = ProfileFile::default();
    let mut secrets = Vec::new();
    for flag in recorded_flags() {
        if !sources.on_command_line(&flag.id) {
            continue;
        }
        let values = sources.values(&flag.id).into_iter();
        let values: Vec<String> = values
            .map(|value| match flag.is_path && value != "-" {
                true => absolute(&value),
                false => value,
            })
            .collect();
        if ProfileFile::is_secret(&flag, &values) {
            secrets.push(format!("--{}", flag.id.replace('_', "-")));
        }
        file.values.insert(flag.id, values);
    }
    if file.values.is_empty() {
        return Err(nothing_to_save(&typed.name).into());
    }

    file.write(&path, typed.force)
        .map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => exists(&typed.name),
            _ => not_written(&path, &error),
        })?;
    if !secrets.is_empty() {
        console.warning(format_args!(
            "{} holds the secret of {}; only you can read the file, and a *-file flag would keep \
             the secret out of it",
            path.display(),
            secrets.join(", ")
        ));
    }
    console.note(format_args!("saved: {}", path.display()));
    Ok(Exit::Done)
}

fn list() -> Result<Exit, Failure> {
    let folder = ProfileFolder::find()?;
    let names = folder
        .names()
        .map_err(|error| Diagnosis::unreadable("the folder of profiles", folder.path(), &error))?;
    let flags = recorded_flags();
    let endpoint = flags.iter().find(|flag| flag.id == "endpoint");
    let mut out = io::stdout().lock();
    for name in names {
        // A profile that can't be used is listed all the same, with its fault.
        let about = match ProfileFile::read(&folder.file(&name)?, &flags) {
            Ok(file) => match (endpoint, file.values.get("endpoint")) {
                (Some(flag), Some(values)) => effective::shown(flag, values),
                _ => "-".to_owned(),
            },
            Err(fault) => format!("can't be used: {}", Escaped(&fault.headline)),
        };
        writeln!(out, "{name:<20} {about}")?;
    }
    out.flush()?;
    Ok(Exit::Done)
}

fn show(typed: &ProfileShowArgs, sources: &Sources) -> Result<Exit, Failure> {
    let lines = if typed.effective {
        effective::lines(sources)
    } else {
        let name = sources.profile().ok_or_else(no_name)?;
        effective::lines_of(&read(&name)?)
    };
    let mut out = io::stdout().lock();
    out.write_all(lines.as_bytes())?;
    out.flush()?;
    Ok(Exit::Done)
}

/// Prints the values of the connection with their sources, then connects and disconnects.
fn check(typed: ProfileCheckArgs, sources: &Sources, console: Console) -> Result<Exit, Failure> {
    // With --json standard output has objects alone.
    if !typed.connection.results.json {
        let mut out = io::stdout().lock();
        out.write_all(effective::lines(sources).as_bytes())?;
        out.flush()?;
    }
    let held = HoldArgs {
        duration: Some(Duration::ZERO),
        connection: typed.connection,
    };
    connect::run(held, sources, console)
}

fn path(typed: &ProfilePathArgs) -> Result<Exit, Failure> {
    let folder = ProfileFolder::find()?;
    let path = match &typed.name {
        Some(name) => folder.file(name)?,
        None => folder.path().to_owned(),
    };
    let mut out = io::stdout().lock();
    writeln!(out, "{}", path.display())?;
    out.flush()?;
    Ok(Exit::Done)
}

/// Profile with this name.
fn read(name: &str) -> Result<ProfileFile, Diagnosis> {
    let folder = ProfileFolder::find()?;
    let path = folder.file(name)?;
    if path.exists() {
        ProfileFile::read(&path, &recorded_flags())
    } else {
        Err(unknown(name, &folder))
    }
}

/// Parses the values of a profile as if they were typed: clap panics about a default that it can't
/// parse.
fn check_values(name: &str, values: &BTreeMap<String, Vec<String>>) -> Result<(), Diagnosis> {
    let flags = values.iter().flat_map(|(id, values)| {
        let flag = id.replace('_', "-");
        values.iter().map(move |value| match value.as_str() {
            // A switch takes no value.
            "true" if args::is_switch(id) => format!("--{flag}"),
            value => format!("--{flag}={value}"),
        })
    });
    let line = ["dunlin", "profile", "show"]
        .map(str::to_owned)
        .into_iter()
        .chain(flags)
        .map(OsString::from);
    match args::parse(line) {
        Ok(_) => Ok(()),
        Err(error) => Err(invalid(name, &error.to_string())),
    }
}

fn invalid(name: &str, error: &str) -> Diagnosis {
    // clap's first line names the flag and its value; usage and hints follow.
    let first = error.lines().next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    Diagnosis::usage(format!("the profile {}: {first}", quoted(name)))
}

fn unknown(name: &str, folder: &ProfileFolder) -> Diagnosis {
    let known = folder.names().unwrap_or_default();
    let nearest = known
        .iter()
        .map(|known| (strsim::jaro_winkler(name, known), known))
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|one, two| one.0.total_cmp(&two.0));
    let mut try_: Vec<Try> = nearest
        .map(|(_, near)| Try::paste(format!("--profile {near}")))
        .into_iter()
        .collect();
    try_.push(Try::command("dunlin profile list"));
    Diagnosis {
        saw: Some(format!("profiles are in {}", folder.path().display())),
        try_,
        ..Diagnosis::usage(format!("there is no profile {}", quoted(name)))
    }
}

fn no_name() -> Diagnosis {
    Diagnosis {
        try_: vec![Try::command("dunlin profile list")],
        ..Diagnosis::usage("missing: the name of a profile")
    }
}

fn nothing_to_save(name: &str) -> Diagnosis {
    Diagnosis {
        try_: vec![Try::command(format!(
            "dunlin profile save {name} --endpoint mqtt://localhost:1883"
        ))],
        ..Diagnosis::usage("missing: the flags to save")
    }
}

fn exists(name: &str) -> Diagnosis {
    Diagnosis {
        try_: vec![
            Try::advice("--force replaces it"),
            Try::command(format!("dunlin profile show {name}")),
        ],
        ..Diagnosis::usage(format!("the profile {} exists already", quoted(name)))
    }
}

fn not_written(path: &Path, error: &io::Error) -> Diagnosis {
    Diagnosis::usage(format!(
        "the profile can't be written: {}: {error}",
        path.display()
    ))
}
