//! What a sandbox is to be: the config file first, then the flags, which win.

use dunlin_sandbox::{Authorizer, Config, ConfigError, Lambda, Program, SandboxBuilder};

use crate::args::SandboxArgs;
use crate::diagnosis::{Diagnosis, Try};

pub(super) fn builder(typed: &SandboxArgs) -> Result<SandboxBuilder, Diagnosis> {
    let config = typed.config.as_ref().map(Config::read).transpose().map_err(|error| refused(&error))?;
    let mut config = config.unwrap_or_default();
    config.port = typed.port.or(config.port);
    config.profile = typed.profile.unwrap_or(config.profile);
    config.time_scale = typed.time_scale.or(config.time_scale);
    config.max_connections = typed.max_connections.map(|count| count as usize).or(config.max_connections);
    config.when_queue_full = typed.when_queue_full.or(config.when_queue_full);
    config.demo = if typed.no_demo { Some(false) } else { config.demo };
    config.scope = typed.strict_arns.clone().or(config.scope);
    config.denials.connect = typed.deny_connect.unwrap_or(config.denials.connect);
    config.denials.operation = typed.deny_operation.unwrap_or(config.denials.operation);
    config.faults.extend_from_slice(&typed.fault);
    if let Some(command) = &typed.lambda {
        let authorizer = of_command(command)?;
        config.default_authorizer = Some(authorizer.name.clone());
        config.authorizers.push(authorizer);
    }
    let builder = SandboxBuilder::from(config);
    Ok(match &typed.state_dir {
        Some(dir) => builder.state_dir(dir),
        None => builder,
    })
}

/// The authorizer of `--lambda`: split into words as a shell does it, and run without one.
fn of_command(command: &str) -> Result<Authorizer, Diagnosis> {
    let words = shlex::split(command).filter(|words| !words.is_empty());
    let mut words = words
        .ok_or_else(|| {
            Diagnosis::usage("--lambda needs a program and its arguments, with quotes that close")
        })?
        .into_iter();
    let program = Program {
        program: words.next().unwrap_or_default().into(),
        arguments: words.map(Into::into).collect(),
        folder: None,
    };
    Ok(Authorizer::new("Lambda", Lambda::Exec(program)))
}

fn refused(error: &ConfigError) -> Diagnosis {
    Diagnosis {
        try_: vec![Try::command("dunlin sandbox --help        (the keys of the file)")],
        ..Diagnosis::usage(format!("--config: {error}"))
    }
}
