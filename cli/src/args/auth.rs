//! Flags of `dunlin auth`.

use core::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand, ValueEnum};
use dunlin_sandbox::{Action, ArnScope};

use crate::args::connection::AuthorizerArgs;

#[derive(Subcommand)]
pub(crate) enum AuthVerb {
    /// Print the user name that carries authorizer, token and signature
    ///
    /// For tools that can't build it, e.g.
    /// mosquitto_pub -u "$(dunlin auth username --auth-username NAME)". It holds token and
    /// signature; with --redacted it prints their lengths instead.
    Username(UsernameArgs),
    /// Print the base64 RS256 signature of a token
    Sign(SignArgs),
    /// Check the signature of a token with a public key
    ///
    /// Exit code 0 if it matches, 2 with an explanation if it doesn't.
    Verify(VerifyArgs),
    /// Make an RSA-2048 key pair for an authorizer that wants signed tokens
    ///
    /// The public key is for AWS IoT (aws iot create-authorizer --token-signing-public-keys) or for
    /// the config file of the sandbox. Existing files are not overwritten, and only their owner can
    /// read the private key.
    Keygen(KeygenArgs),
    /// Print a policy that allows what the sample does, for the answer of a Lambda
    Policy(PolicyArgs),
    /// Decide one request by a policy, and say which statement decided and why
    ///
    /// Exit code 0 if it is allowed, 7 if it is denied, 2 if policy or request can't be read.
    Eval(EvalArgs),
    /// Look for the usual mistakes in a policy, or in the whole answer of a Lambda
    ///
    /// Prints one line for each mistake, with its remedy. Exit code 0 if there are none, 7 if there are,
    /// 2 if the file can't be read.
    Lint(LintArgs),
}

#[derive(Args)]
#[command(mut_arg("authorizer_as", |flag| flag.visible_alias("as").hide_short_help(false)
    .help("Print what this part of a WebSocket connection carries")
    .long_help(PRINTED_AS)))]
pub(crate) struct UsernameArgs {
    #[command(flatten)]
    pub(crate) authorizer: AuthorizerArgs,
    /// Print lengths in place of token and signature
    #[arg(long)]
    pub(crate) redacted: bool,
}

#[derive(Args)]
#[command(group = clap::ArgGroup::new("signer").args(["sandbox", "key"]).required(true))]
pub(crate) struct SignArgs {
    #[command(flatten)]
    pub(crate) token: TokenArgs,
    /// Sign with the sandbox's signing key, which is created when there is none
    #[arg(long)]
    pub(crate) sandbox: bool,
    /// Sign with this RSA private key
    #[arg(long, value_name = "PEM")]
    pub(crate) key: Option<PathBuf>,
    /// Folder of the sandbox's signing key [default: $XDG_STATE_HOME/dunlin or
    /// ~/.local/state/dunlin]
    #[arg(long, value_name = "DIR", env = "DUNLIN_STATE_DIR")]
    pub(crate) state_dir: Option<PathBuf>,
}

/// Token, from an argument, a flag, a file or the environment.
#[derive(Args)]
pub(crate) struct TokenArgs {
    /// Token; "-" reads standard input (also: --token, --token-file, DUNLIN_AUTH_TOKEN)
    #[arg(value_name = "TOKEN")]
    pub(crate) value: Option<String>,
    /// The token
    #[arg(long, value_name = "TOKEN", env = "DUNLIN_AUTH_TOKEN")]
    pub(crate) token: Option<String>,
    /// Read the token from a file ("-": standard input); one newline at its end is dropped
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) token: TokenArgs,
    /// The signature, base64
    #[arg(long, value_name = "BASE64", env = "DUNLIN_AUTH_SIGNATURE")]
    pub(crate) auth_signature: Option<String>,
    /// Read the signature from a file ("-": standard input)
    #[arg(long, value_name = "FILE")]
    pub(crate) auth_signature_file: Option<PathBuf>,
    /// The RSA public key to check it with
    #[arg(long, value_name = "PEM")]
    pub(crate) auth_public_key: PathBuf,
}

#[derive(Args)]
pub(crate) struct KeygenArgs {
    /// File for the private key; the public key is written beside it (token.pem, token.pub.pem)
    #[arg(long, value_name = "PEM")]
    pub(crate) out: PathBuf,
}

#[derive(Args)]
pub(crate) struct PolicyArgs {
    /// The client ids that may connect; * and ? are wildcards
    #[arg(long, value_name = "ID", default_value = "mqtt5-sample-*")]
    pub(crate) client_id: String,
    /// The topic to publish, subscribe to and receive (repeatable); +, # and * are wildcards
    #[arg(long, value_name = "TOPIC", default_value = "test/topic")]
    pub(crate) topic: Vec<String>,
    /// Region and account of its ARNs [default: any]
    #[arg(long, value_name = "REGION:ACCOUNT")]
    pub(crate) arns: Option<ArnScope>,
    /// Print a whole answer of a Lambda, with the policy in it
    #[arg(long)]
    pub(crate) answer: bool,
}

#[derive(Args)]
pub(crate) struct EvalArgs {
    /// Policy document, list of them, or answer of a Lambda, in JSON ("-": standard input;
    /// repeatable)
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) policy: Vec<PathBuf>,
    /// Action to decide on
    ///
    /// Also as policies write it (iot:Subscribe), in any case.
    #[arg(long, value_enum, value_name = "ACTION", ignore_case = true)]
    pub(crate) action: ActionArg,
    /// The topic, or the topic filter of a subscription
    #[arg(long, value_name = "TOPIC")]
    pub(crate) topic: Option<String>,
    /// Client id of the request; for send-direct-message that of the receiver
    #[arg(long, value_name = "ID", default_value = "mqtt5-sample-test")]
    pub(crate) client_id: String,
    /// Address of the client, for conditions on aws:SourceIp
    #[arg(long, value_name = "IP")]
    pub(crate) source_ip: Option<IpAddr>,
    /// Time of the request, for conditions on aws:CurrentTime and aws:EpochTime:
    /// 2026-11-30T22:00:00Z, or seconds since 1970 [default: now]
    #[arg(long, value_name = "TIME", value_parser = point_in_time)]
    pub(crate) time: Option<SystemTime>,
    /// A value of a condition key, e.g. aws:SourceVpce=vpce-1a2b3c4d or
    /// iot:LastWillTopic=arn:aws:iot:eu-west-1:123456789012:topic/gone (repeatable)
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Endpoint that the client connects to, for iot:DomainName
    #[arg(long, value_name = "HOST")]
    pub(crate) domain_name: Option<String>,
    /// CONNECT asks for a session that outlives the connection (PersistentConnect)
    #[arg(long)]
    pub(crate) persistent: bool,
    /// CONNECT has a will (LastWill)
    #[arg(long)]
    pub(crate) last_will: bool,
    /// Compare region and account of every ARN with these [default: any matches]
    #[arg(long, value_name = "REGION:ACCOUNT")]
    pub(crate) strict_arns: Option<ArnScope>,
    /// Print one JSON object for each action
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct LintArgs {
    /// Policy document, list of them, or answer of a Lambda, in JSON ("-": standard input;
    /// repeatable)
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) policy: Vec<PathBuf>,
    /// A client id that should be able to connect
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: Option<String>,
    /// Print one JSON object for each mistake
    #[arg(long)]
    pub(crate) json: bool,
}

/// Action that a policy decides about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ActionArg {
    #[value(alias = "iot:connect")]
    Connect,
    #[value(alias = "iot:publish")]
    Publish,
    /// Publish with RETAIN, which needs iot:Publish as well
    #[value(
        alias = "iot:retainpublish",
        alias = "retainpublish",
        alias = "retain_publish"
    )]
    RetainPublish,
    #[value(alias = "iot:subscribe")]
    Subscribe,
    #[value(alias = "iot:receive")]
    Receive,
    /// Direct message over HTTP to the client with the id --client-id; --topic is iot:Topic
    #[value(
        alias = "iot:senddirectmessage",
        alias = "senddirectmessage",
        alias = "send_direct_message"
    )]
    SendDirectMessage,
}

impl ActionArg {
    /// Actions of policies that must all be allowed.
    pub(crate) const fn actions(self) -> &'static [Action] {
        match self {
            Self::Connect => &[Action::Connect],
            Self::Publish => &[Action::Publish],
            // AWS requires both actions for a PUBLISH with the Retain flag.
            Self::RetainPublish => &[Action::Publish, Action::RetainPublish],
            Self::Subscribe => &[Action::Subscribe],
            Self::Receive => &[Action::Receive],
            Self::SendDirectMessage => &[Action::SendDirectMessage],
        }
    }
}

/// Parses a date of RFC 3339, or seconds since 1970.
fn point_in_time(text: &str) -> Result<SystemTime, String> {
    // A number is seconds since 1970 before it is tried as a date.
    let seconds = text
        .parse()
        .ok()
        .and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
    let date = || humantime::parse_rfc3339_weak(text).ok();
    seconds
        .or_else(date)
        .ok_or_else(|| "write it as 2026-11-30T22:00:00Z, or in seconds since 1970".into())
}

const PRINTED_AS: &str = "\
Print what this part of a WebSocket connection carries

\"headers\" prints a line \"name: value\" for each header, as curl -H @FILE takes them. \"query\" prints path and query, which stand \
after wss://HOST in the URL of a browser. User name and password are sent in CONNECT in both.";
