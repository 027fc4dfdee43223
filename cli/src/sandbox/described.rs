//! Settings of the sandbox: the config file first, then the flags, which win.

use std::path::{Path, PathBuf};

use dunlin_sandbox::{
    Authorizer, ConfigError, Handler, Lambda, LambdaEnvironment, Program, SandboxOptions,
    WatchdogProgram,
};

use crate::args::{SandboxArgs, WATCHDOG};
use crate::diagnosis::{Diagnosis, Try};

/// Reads the config file and lets each flag win over it.
///
/// # Errors
/// A usage error if the file, the Lambda of `--lambda` or a variable of `--lambda-env` can't be
/// used.
pub(super) fn options(typed: &SandboxArgs) -> Result<SandboxOptions, Diagnosis> {
    let read = typed.config.as_ref().map(SandboxOptions::from_file);
    let mut options = read
        .transpose()
        .map_err(|error| refused(&error))?
        .unwrap_or_default();

    // Flags with a value.
    let to = &mut options;
    to.port = typed.port.unwrap_or(to.port);
    to.plain_port = typed.plain.or(to.plain_port);
    to.wss_port = typed.wss.or(to.wss_port);
    to.ws_port = typed.ws.or(to.ws_port);
    to.https_port = typed.https.or(to.https_port);
    to.http_port = typed.http.or(to.http_port);
    to.websocket_refusal = typed.wss_refusal.unwrap_or(to.websocket_refusal);
    to.address = typed.listen;
    to.state_dir.clone_from(&typed.state_dir);
    to.profile = typed.profile.unwrap_or(to.profile);
    to.time_scale = typed.time_scale.unwrap_or(to.time_scale);
    to.max_connections = typed
        .max_connections
        .map_or(to.max_connections, |count| count as usize);
    to.when_queue_full = typed.when_queue_full.or(to.when_queue_full);
    to.subscribe_qos2 = typed.subscribe_qos2.unwrap_or(to.subscribe_qos2);
    to.strict_arns = typed.strict_arns.clone().or_else(|| to.strict_arns.take());
    to.faults.extend_from_slice(&typed.fault);
    let denials = &mut to.denials;
    denials.connect = typed.deny_connect.unwrap_or(denials.connect);
    denials.operation = typed.deny_operation.unwrap_or(denials.operation);
    denials.reserved_topic = typed.deny_reserved_topic.unwrap_or(denials.reserved_topic);

    // Switches: none of them can be switched off again.
    to.all_on_one_port |= typed.all;
    if typed.client_certificates || typed.custom_auth_x509 || typed.all {
        let certificates = to.client_certificates.get_or_insert_default();
        certificates.with_authorizer |= typed.custom_auth_x509;
    }
    to.anonymous |= typed.anonymous;
    to.strict_sni |= typed.strict_sni;
    to.demo &= !typed.no_demo;

    if let Some(command) = &typed.lambda {
        let authorizer = of_lambda(command, typed)?;
        to.default_authorizer = Some(authorizer.name.clone());
        to.authorizers.push(authorizer);
    }
    // Without this program's own path there is no watchdog, and everything else works.
    to.watchdog = std::env::current_exe().ok().map(|program| WatchdogProgram {
        program,
        arguments: vec![WATCHDOG.into()],
    });
    Ok(options)
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
