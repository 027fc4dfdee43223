//! What a sandbox is to be: the config file first, then the flags, which win.

use std::path::{Path, PathBuf};

use dunlin_sandbox::{
    Authorizer, Config, ConfigError, Handler, Lambda, LambdaEnvironment, Program, SandboxBuilder,
};

use crate::args::{SandboxArgs, WATCHDOG};
use crate::diagnosis::{Diagnosis, Try};

/// The settings of the config file and of the flags.
///
/// # Errors
/// A usage error if the file or the Lambda of `--lambda` can't be used.
pub(super) fn config(typed: &SandboxArgs) -> Result<Config, Diagnosis> {
    let config = typed
        .config
        .as_ref()
        .map(Config::read)
        .transpose()
        .map_err(|error| refused(&error))?;
    let mut config = config.unwrap_or_default();
    config.port = typed.port.or(config.port);
    config.plain_port = typed.plain.or(config.plain_port);
    config.anonymous |= typed.anonymous;
    config.profile = typed.profile.unwrap_or(config.profile);
    config.time_scale = typed.time_scale.or(config.time_scale);
    config.max_connections = typed
        .max_connections
        .map(|count| count as usize)
        .or(config.max_connections);
    config.when_queue_full = typed.when_queue_full.or(config.when_queue_full);
    config.subscribe_qos2 = typed.subscribe_qos2.unwrap_or(config.subscribe_qos2);
    config.demo = if typed.no_demo {
        Some(false)
    } else {
        config.demo
    };
    config.scope = typed.strict_arns.clone().or(config.scope);
    config.denials.connect = typed.deny_connect.unwrap_or(config.denials.connect);
    config.denials.operation = typed.deny_operation.unwrap_or(config.denials.operation);
    config.denials.reserved_topic = typed
        .deny_reserved_topic
        .unwrap_or(config.denials.reserved_topic);
    config.strict_sni |= typed.strict_sni;
    config.faults.extend_from_slice(&typed.fault);
    if let Some(command) = &typed.lambda {
        let authorizer = of_lambda(command, typed)?;
        config.default_authorizer = Some(authorizer.name.clone());
        config.authorizers.push(authorizer);
    }
    Ok(config)
}

/// The builder of these settings, with what only flags say.
pub(super) fn builder(config: Config, typed: &SandboxArgs) -> SandboxBuilder {
    let mut builder = SandboxBuilder::from(config);
    // Without this program's own path there is no watchdog, and everything else works.
    if let Ok(program) = std::env::current_exe() {
        builder = builder.watchdog(program, [WATCHDOG]);
    }
    match &typed.state_dir {
        Some(dir) => builder.state_dir(dir),
        None => builder,
    }
}

/// The authorizer of `--lambda`: a handler, or a command, split into words as a shell does it and
/// run without one.
fn of_lambda(lambda: &str, typed: &SandboxArgs) -> Result<Authorizer, Diagnosis> {
    let mut environment = LambdaEnvironment::default();
    for variable in &typed.lambda_env {
        let added = environment.add(variable);
        added.map_err(|error| Diagnosis::usage(format!("--lambda-env {variable:?}: {error}")))?;
    }
    let words = shlex::split(lambda).filter(|words| !words.is_empty()).ok_or_else(|| {
        Diagnosis::usage(
            "--lambda needs a file with a handler, or a program and its arguments, with quotes that close",
        )
    })?;
    let lambda = match words.as_slice() {
        [word] if Handler::is_file_name(word) => {
            let handler = Handler::from_file(word, Path::new(""));
            let mut handler =
                handler.map_err(|error| Diagnosis::usage(format!("--lambda: {error}")))?;
            handler.environment = environment;
            Lambda::Handler(handler)
        }
        words => {
            let mut words = words.iter();
            let program = words.next().map(PathBuf::from).unwrap_or_default();
            let arguments = words.map(Into::into).collect();
            Lambda::Exec(Program {
                arguments,
                environment,
                ..Program::new(program)
            })
        }
    };
    let mut authorizer = Authorizer::new(super::LAMBDA, lambda);
    authorizer.limits.timeout = typed.lambda_timeout.unwrap_or(authorizer.limits.timeout);
    Ok(authorizer)
}

fn refused(error: &ConfigError) -> Diagnosis {
    Diagnosis {
        try_: vec![Try::command(
            "dunlin sandbox --help        # the keys of the file",
        )],
        ..Diagnosis::usage(format!("--config: {error}"))
    }
}
