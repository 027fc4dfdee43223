//! Flags of `dunlin sandbox` and `dunlin demo`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use dunlin_sandbox::{ArnScope, Denial, Fault, Profile, WhenQueueFull};

use crate::args::sample::OutputArgs;

#[derive(Args)]
pub(crate) struct SandboxArgs {
    /// TCP port on 127.0.0.1; 0 takes a free one [default: 8883]
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// Read authorizers and settings from a TOML file; a flag wins over what it says
    #[arg(long, value_name = "FILE", long_help = CONFIG)]
    pub(crate) config: Option<PathBuf>,
    /// Let a program answer in place of a Lambda, e.g. 'python3 run.py': the default authorizer, named Lambda
    ///
    /// It is started for each CONNECT, gets AWS's event as JSON on standard input, and has 5 s to write its answer to
    /// standard output. What it writes to standard error is shown. No shell reads the command.
    #[arg(long, value_name = "COMMAND")]
    pub(crate) lambda: Option<String>,
    /// Say with each decision which statement of which policy document made it, and why
    #[arg(long)]
    pub(crate) explain_decisions: bool,
    /// Compare region and account of every ARN in a policy with these [default: any matches]
    #[arg(long, value_name = "REGION:ACCOUNT")]
    pub(crate) strict_arns: Option<ArnScope>,
    /// Listen on this address instead of loopback's; needs --yes where others can reach it
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<IpAddr>,
    /// Yes, others may connect
    #[arg(long)]
    pub(crate) yes: bool,
    /// When ready, write endpoint, port and CA there as one JSON object
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
    /// Where CA, signing key and traces of running sandboxes live [default: $XDG_STATE_HOME/dunlin or ~/.local/state/dunlin]
    #[arg(long, value_name = "DIR", env = "DUNLIN_STATE_DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// Misbehave on purpose, e.g. connack=0x87, no-puback, reset@2s (repeatable)
    #[arg(long, value_name = "FAULT", long_help = faults())]
    pub(crate) fault: Vec<Fault>,
    /// Whose server it is: aws, with the service's limits and differences, or mqtt5, with all of the standard [default: aws]
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<Profile>,
    /// How a CONNECT is told that it is denied: reason-code (CONNACK 0x87) or close (no CONNACK) [default: reason-code]
    #[arg(long, value_name = "HOW")]
    pub(crate) deny_connect: Option<Denial>,
    /// How a SUBSCRIBE or PUBLISH is told that the policy denies it: reason-code, disconnect or close [default: reason-code]
    #[arg(long, value_name = "HOW")]
    pub(crate) deny_operation: Option<Denial>,
    /// What happens to a message of QoS 1 or 2 when 1,000 messages or 4 MiB wait for a subscriber: drop, end-session or
    /// refuse (the publisher gets 0x97) [default: drop with --profile aws, end-session with mqtt5]
    #[arg(long, value_name = "WHAT")]
    pub(crate) when_queue_full: Option<WhenQueueFull>,
    /// Let the sandbox's clocks (keep alive, expiry, refresh) run N times as fast [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) time_scale: Option<u32>,
    /// Hold so many connections at a time [default: 4096]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) max_connections: Option<u32>,
    /// Without the authorizers DemoUnsigned and DemoSigned
    #[arg(long)]
    pub(crate) no_demo: bool,
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

const CONFIG: &str = "\
Read authorizers and settings from a TOML file; a flag wins over what it says. Relative paths in it are taken from its folder.

  port = 8883                     time_scale = 1
  max_connections = 4096          demo = true       # DemoUnsigned and DemoSigned
  profile = \"aws\"                 # or \"mqtt5\"
  strict_arns = \"eu-west-1:123456789012\"
  deny = { connect = \"reason-code\", operation = \"reason-code\" }
  when_queue_full = \"drop\"        # or \"end-session\", \"refuse\"
  faults = [\"delay=500ms\"]

  [[authorizer]]                  # any number of them
  name = \"MyAuth\"
  status = \"active\"               # or \"inactive\"
  default = true                  # answers where a client names none
  signing = true                  # on where public keys are given
  token_key_name = \"token\"
  public_key = \"public.pem\"       # a file or the PEM; several: public_keys = [..]
  lambda.exec = [\"python3\", \"run.py\"]    # event on stdin, answer on stdout
  # or lambda.url = \"http://127.0.0.1:9000\" (runtime interface emulator)
  # or lambda.static = \"answer.json\"";

fn faults() -> String {
    let spellings: Vec<&str> = Fault::spellings().collect();
    format!(
        "Misbehave on purpose; may be given more than once. T is a time such as 500ms.\n\n{}",
        spellings.join(", ")
    )
}
