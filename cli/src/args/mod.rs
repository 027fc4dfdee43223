//! The command line as it was typed: the tree of verbs and their flags, before any checks.

mod any_server;
mod auth;
mod bench;
mod capture;
mod connect;
mod connection;
mod doctor;
mod environment;
mod examples;
mod help;
mod hints;
mod inspect;
mod manual;
mod message;
mod output;
mod profile;
mod publish;
mod request;
mod sample;
mod sandbox;
mod sources;
mod spelling;
mod subscribe;
mod userinfo;
mod value;
mod websocket;
mod will;

use std::ffi::OsString;
use std::io::{self, Write};

use crate::failure::local;
use crate::terminal::{Console, escaped_styled, fitted};
use clap::builder::Styles;
use clap::builder::styling::Style;
use clap::error::ErrorKind;
use clap::{FromArgMatches, Parser, Subcommand};

use crate::diagnosis::Id;
use crate::exit::Exit;

pub(crate) use any_server::{AccountArgs, ConnectPacketArgs, ConnectionArgs};
pub(crate) use auth::{
    ActionArg, AuthVerb, EvalArgs, KeygenArgs, LintArgs, PolicyArgs, SignArgs, TokenArgs,
    UsernameArgs, VerifyArgs,
};
pub(crate) use bench::{
    BenchMergeArgs, BenchVerb, FleetArgs, LoadArgs, LoadTargetArgs, TrafficArgs,
};
pub(crate) use capture::CaptureArgs;
pub(crate) use connect::HoldArgs;
pub(crate) use connection::{
    AddressArgs, AuthorizerArgs, EndpointArgs, OF_SIGNING, OF_TOKEN, ReliabilityArgs, TlsArgs,
};
pub(crate) use doctor::DoctorArgs;
pub(crate) use environment::variables;
pub(crate) use help::exit_codes;
pub(crate) use inspect::{DecodeArgs, InspectVerb, ProxyArgs, ReplayArgs, UpstreamArgs};
pub(crate) use manual::{CompletionsArgs, ExplainArgs, HelpArgs, ManArgs};
pub(crate) use message::{MessagePropertyArgs, PayloadArgs};
pub(crate) use output::{PacketForm, PacketPrint, ResultArgs};
pub(crate) use profile::{
    ProfileCheckArgs, ProfilePathArgs, ProfileSaveArgs, ProfileShowArgs, ProfileVerb, RecordedFlag,
    is_switch, recorded_flags,
};
pub(crate) use publish::PublishArgs;
pub(crate) use request::{RequestArgs, RespondArgs};
pub(crate) use sample::{OutputArgs, SampleArgs};
pub(crate) use sandbox::{CertArgs, DemoArgs, SandboxArgs, SandboxCommand};
pub(crate) use sources::{Origin, Profile, Sources};
pub(crate) use subscribe::{RetainHandlingArg, SubscribeArgs, SubscriptionArgs};
pub(crate) use userinfo::{userinfo, without_userinfo};
pub(crate) use value::{
    Alpn, Attempts, Count, Encode, SentInArg, TlsMinimum, TransportArg, base64, hex, pairs,
};
pub(crate) use websocket::WebSocketArgs;
pub(crate) use will::{OF_WILL, WillArgs};

/// Whole command line.
#[derive(Parser)]
#[command(name = "dunlin", version, about = help::ABOUT, long_about = help::LONG_ABOUT)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,
    #[command(flatten)]
    pub(crate) sample: SampleArgs,
}

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Run both samples here, without an AWS account
    Demo(DemoArgs),
    /// Connect, subscribe, publish, receive, stop (the default)
    Sample(SampleArgs),
    /// The same as mqtt5_custom_auth_unsigned.py
    Unsigned(SampleArgs),
    /// The same as mqtt5_custom_auth_signed.py
    Signed(SampleArgs),
    /// Hold a connection; print its limits and what happens to it
    ///
    /// Every attempt, connection and end is printed, with the limits that the server sets.
    Connect(Box<HoldArgs>),
    /// Check a connection stage by stage, and say what is wrong
    ///
    /// Flags, DNS, TCP, proxy, TLS, CONNECT, SUBSCRIBE, PUBLISH, RECEIVE and PING: each stage prints a
    /// line with its evidence and its time. The first failure ends the check, with its error and exit
    /// code. SUBSCRIBE, PUBLISH and RECEIVE use --topic; nothing is retained.
    Doctor(Box<DoctorArgs>),
    /// Publish messages to any MQTT 5 server
    ///
    /// At QoS 1 and 2 exit code 0 means that the server has acknowledged every message; at QoS 0 it
    /// means that they were sent.
    #[command(visible_alias = "publish")]
    Pub(Box<PublishArgs>),
    /// Subscribe, and print messages
    ///
    /// Standard output has the payloads, one a line, until the verb is stopped.
    #[command(visible_alias = "subscribe")]
    Sub(Box<SubscribeArgs>),
    /// Send a request, and print its response
    ///
    /// The request has a response topic and correlation data; messages with other correlation data
    /// are no responses. Standard output has the payload of the response. Without a response in time
    /// the exit code is 9.
    Request(Box<RequestArgs>),
    /// Answer requests with their own payload, a text, or the output of a program
    Respond(Box<RespondArgs>),
    /// Run a local stand-in for AWS IoT Core
    ///
    /// The sandbox listens on loopback only, prints the commands to type next, and then one line for
    /// each decision. Ctrl-C and SIGTERM end it with exit code 0.
    Sandbox(SandboxArgs),
    /// Put load on a server, and measure
    ///
    /// --endpoint takes mqtt://HOST (without TLS) and mqtts://HOST here, too. Latencies are those
    /// of this program, connections and all. The report is a table, or with --json one object.
    #[command(subcommand)]
    Bench(BenchVerb),
    /// Work on credentials offline
    #[command(subcommand)]
    Auth(AuthVerb),
    /// Look into packets, offline and between a client and a server
    #[command(subcommand)]
    Inspect(InspectVerb),
    /// Save the flags of a connection under a name, and use them again
    #[command(subcommand)]
    Profile(ProfileVerb),
    /// Explain an error, a reason code or a statement of the standard
    Explain(ExplainArgs),
    /// Print a script that makes a shell complete verbs and flags
    Completions(CompletionsArgs),
    /// Print a man page, or write all of them to a folder
    Man(ManArgs),
    /// Print the help of a verb, or about a topic
    Help(HelpArgs),
    /// Print the version
    Version,
    /// Started by the sandbox: ends the processes of its Lambdas when standard input ends
    #[command(name = WATCHDOG, hide = true)]
    LambdaWatchdog,
}

/// Verb with which the sandbox starts its watchdog.
pub(crate) const WATCHDOG: &str = "lambda-watchdog";

/// Parsed command line, and the source of each value.
pub(crate) struct Typed {
    pub(crate) line: CommandLine,
    pub(crate) sources: Sources,
}

/// Parses the command line.
///
/// # Errors
/// clap's error, which also stands for a request for help or for the version.
pub(crate) fn parse(line: impl IntoIterator<Item = OsString>) -> Result<Typed, clap::Error> {
    let line: Vec<OsString> = line.into_iter().collect();
    parse_by(help::without_list(command()), &line)
}

/// Parses a command line that [`parse`] has accepted, with the values of `profile` as defaults.
///
/// # Errors
/// clap's error for a value that the flag doesn't take.
pub(crate) fn parse_with(
    line: &[OsString],
    first: &Sources,
    profile: Profile,
) -> Result<Typed, clap::Error> {
    let command = help::without_list(command());
    let mut typed = parse_by(
        profile::with_defaults(command, &first.verbs(), &profile.values),
        line,
    )?;
    typed.sources.set_profile(profile);
    Ok(typed)
}

fn parse_by(mut command: clap::Command, line: &[OsString]) -> Result<Typed, clap::Error> {
    // Take out what says nothing, and refuse what clap would misread.
    let line = hints::without_protocol(line.to_vec());
    if let Some(hint) = hints::before_parsing(&line) {
        return Err(refusal(&mut command, &line, ErrorKind::InvalidValue, hint));
    }
    // An error keeps its kind and gets our hint where there is one.
    let matches = command.try_get_matches_from_mut(&line).map_err(|error| {
        match hints::of(&error, &line) {
            Some(hint) => refusal(&mut command, &line, error.kind(), hint),
            None => error,
        }
    })?;
    let line =
        CommandLine::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    Ok(Typed {
        line,
        sources: Sources::new(matches),
    })
}

/// Error with a hint, and with the usage of the verb of `line`.
fn refusal(
    command: &mut clap::Command,
    line: &[OsString],
    kind: ErrorKind,
    hint: String,
) -> clap::Error {
    // clap gives the verbs their names, such as "dunlin bench pub", when it builds the tree.
    command.build();
    let mut verb = &*command;
    for word in line.iter().skip(1) {
        match word.to_str().and_then(|word| verb.find_subcommand(word)) {
            Some(inner) => verb = inner,
            None => break,
        }
    }
    verb.clone().error(kind, hint)
}

/// Prints clap's text in place of a run: help and version on standard output, mistakes on standard
/// error. User names and passwords in URLs of `line` are left out.
pub(crate) fn answer(error: &clap::Error, line: impl IntoIterator<Item = OsString>) -> Exit {
    if !error.use_stderr() {
        // Help and version were asked for: they go to standard output, with exit code 0.
        return match error.print() {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                // The help was asked for and can't be written.
                let console = Console { quiet: false };
                console.error(&local(&error));
                Exit::Internal
            }
            _ => Exit::Done,
        };
    }
    let mut text = error.render().ansi().to_string();
    // clap repeats words of the command line, and a URL may hold a password.
    for word in line {
        if let Some(userinfo) = word.to_str().and_then(userinfo) {
            text = text.replace(userinfo, "...@");
        }
    }
    // clap begins with a coloured "error:"; ours carries an id. Help after no arguments begins with
    // neither.
    let text = fitted(&escaped_styled(&text));
    let text = text.replacen("error:", &format!("error[{}]:", Id::Usage.name()), 1);
    let _ = anstream::stderr().write_all(text.as_bytes());
    Exit::Usage
}

/// Complete tree of verbs, with both spellings of each flag and all help pages.
pub(crate) fn command() -> clap::Command {
    let command = <CommandLine as clap::CommandFactory>::command()
        // Without a verb the sample runs, so its flags stand beside the verbs and exclude them.
        .args_conflicts_with_subcommands(true)
        .subcommand_negates_reqs(true)
        // Prefixes are accepted as argparse does, which the Python scripts use.
        .infer_long_args(true)
        .arg_required_else_help(true)
        // clap's yellow for a wrong word would vanish on a white background.
        .styles(Styles::styled().invalid(Style::new().bold()));
    let command = profile::add_flag(command);
    help::complete(environment::hide_values(spelling::both(command)))
}

#[cfg(test)]
mod tests;
