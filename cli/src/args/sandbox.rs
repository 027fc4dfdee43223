//! Flags of `dunlin sandbox` and `dunlin demo`.

use std::path::PathBuf;

use clap::Args;
use dunlin_sandbox::{Denial, Fault, Profile, Sandbox};

use crate::args::sample::OutputArgs;

#[derive(Args)]
pub(crate) struct SandboxArgs {
    /// TCP port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = Sandbox::DEFAULT_PORT)]
    pub(crate) port: u16,
    /// When ready, write endpoint, port and CA there as one JSON object
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
    /// Where CA, signing key and traces of running sandboxes live [default: $XDG_STATE_HOME/dunlin or ~/.local/state/dunlin]
    #[arg(long, value_name = "DIR", env = "DUNLIN_STATE_DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// Misbehave on purpose, e.g. connack=0x87, no-puback, reset@2s (repeatable)
    #[arg(long, value_name = "FAULT", long_help = faults())]
    pub(crate) fault: Vec<Fault>,
    /// Whose server it is: aws, with the service's limits and differences, or mqtt5, with all of the standard
    #[arg(long, value_name = "NAME", default_value_t)]
    pub(crate) profile: Profile,
    /// How a CONNECT is told that it is denied: reason-code (CONNACK 0x87) or close (no CONNACK)
    #[arg(long, value_name = "HOW", default_value_t)]
    pub(crate) deny_connect: Denial,
    /// How a SUBSCRIBE or PUBLISH is told that the policy denies it: reason-code, disconnect or close
    #[arg(long, value_name = "HOW", default_value_t)]
    pub(crate) deny_operation: Denial,
    /// Let the sandbox's clocks (keep alive, expiry) run N times as fast
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) time_scale: u32,
    /// Print one JSON object a line instead of text
    #[arg(long)]
    pub(crate) json: bool,
    /// Stop when standard input ends
    #[arg(long)]
    pub(crate) until_eof: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Args)]
pub(crate) struct DemoArgs {
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

fn faults() -> String {
    let spellings: Vec<&str> = Fault::spellings().collect();
    format!(
        "Misbehave on purpose; may be given more than once. T is a time such as 500ms.\n\n{}",
        spellings.join(", ")
    )
}
