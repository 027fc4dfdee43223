//! Flags of `dunlin sandbox` and `dunlin demo`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use dunlin_sandbox::{
    ArnScope, Denial, Fault, LambdaLimits, Profile, SubscribeQoS2, WebSocketRefusal, WhenQueueFull,
};

use crate::args::sample::OutputArgs;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct SandboxArgs {
    #[command(subcommand)]
    pub(crate) command: Option<SandboxCommand>,
    /// TCP port on 127.0.0.1; 0 takes a free one [default: 8883]
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// Also listen without TLS on this port of 127.0.0.1, for clients of any kind; 0 takes a free
    /// one
    #[arg(long, value_name = "PORT")]
    pub(crate) plain: Option<u16>,
    /// Also serve MQTT over WebSocket and TLS; 0 takes a free port
    ///
    /// The URL is wss://localhost:PORT/mqtt. Authorizer, token and signature are taken from the user
    /// name, the query or the headers, in this order.
    #[arg(long, value_name = "PORT")]
    pub(crate) wss: Option<u16>,
    /// Also serve MQTT over WebSocket without TLS (ws://localhost:PORT/mqtt) on this port of
    /// 127.0.0.1; 0 takes a free one
    #[arg(long, hide_short_help = true, value_name = "PORT")]
    pub(crate) ws: Option<u16>,
    /// Also serve publishing over HTTPS; 0 takes a free port
    ///
    /// POST /topics/TOPIC publishes, with a custom authorizer, a client certificate
    /// (--client-certificates) or signed by SigV4. Signed requests also read retained messages (GET
    /// /retainedMessage), and describe and end connections (/connections/CLIENT_ID). The ports of
    /// --https and --wss serve both, as AWS's port 443 does.
    #[arg(long, value_name = "PORT")]
    pub(crate) https: Option<u16>,
    /// Also serve HTTP without TLS on this port of 127.0.0.1; 0 takes a free one
    #[arg(long, hide_short_help = true, value_name = "PORT")]
    pub(crate) http: Option<u16>,
    /// Serve everything with TLS at --port, as port 443 of AWS IoT Core does; implies
    /// --client-certificates
    ///
    /// ALPN tells the protocols apart: mqtt is MQTT with a custom authorizer, x-amzn-mqtt-ca MQTT with
    /// a client certificate, x-amzn-http-ca HTTPS with one, http/1.1 or none WebSocket and HTTPS.
    #[arg(long, hide_short_help = true)]
    pub(crate) all: bool,
    /// Take clients with a certificate of the sandbox's CA, by the ALPN protocol x-amzn-mqtt-ca or
    /// none, and at the port of --https ("dunlin sandbox cert" makes one)
    #[arg(long, hide_short_help = true)]
    pub(crate) client_certificates: bool,
    /// Ask clients of custom authorizers for a certificate as well, as a domain configuration with
    /// CUSTOM_AUTH_X509 does; implies --client-certificates
    #[arg(long, hide_short_help = true)]
    pub(crate) custom_auth_x509: bool,
    /// Accept clients that name no authorizer, with any user name and password, and allow them
    /// everything
    #[arg(long)]
    pub(crate) anonymous: bool,
    /// Read authorizers and settings from a TOML file; flags take precedence
    #[arg(long, value_name = "FILE", long_help = CONFIG)]
    pub(crate) config: Option<PathBuf>,
    /// Run this Lambda as the default authorizer, named Lambda: a handler (FILE or FILE:FUNCTION),
    /// or a command
    ///
    /// A file ending in .py, .mjs, .cjs or .js is a handler as AWS runs it: it stays loaded
    /// between calls, and gets AWS's event and context. FUNCTION is lambda_handler in Python
    /// and handler in Node if it isn't named.
    ///
    /// Anything else is a command, e.g. './authorizer --dev'. It is started for each call, gets
    /// AWS's event as JSON on standard input, and writes its answer to standard output. No
    /// shell reads it.
    ///
    /// The output of a Lambda is shown, up to 256 KiB and 4,096 lines a call. Processes that it starts
    /// end with it, unless they call setsid.
    #[arg(long, value_name = "LAMBDA")]
    pub(crate) lambda: Option<String>,
    /// Pass an environment variable on to the Lambda of --lambda, or set one (repeatable)
    ///
    /// Passed on in any case: PATH, HOME, LANG, TZ, TMPDIR, VIRTUAL_ENV, PYTHONPATH, NODE_PATH.
    /// Nothing else of this shell is.
    #[arg(
        long,
        hide_short_help = true,
        value_name = "NAME[=VALUE]",
        requires = "lambda"
    )]
    pub(crate) lambda_env: Vec<String>,
    /// Time that one call of the Lambda of --lambda may take, 100ms to 1h [default: 5s, as at AWS]
    #[arg(long, hide_short_help = true, value_name = "TIME", requires = "lambda", value_parser = lambda_timeout)]
    pub(crate) lambda_timeout: Option<Duration>,
    /// Print with each decision which statement of which policy document made it, and why
    #[arg(long)]
    pub(crate) explain_decisions: bool,
    /// Compare region and account of every ARN in a policy with these [default: any matches]
    #[arg(long, hide_short_help = true, value_name = "REGION:ACCOUNT")]
    pub(crate) strict_arns: Option<ArnScope>,
    /// Listen on this address instead of loopback's; needs --yes where others can reach it
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<IpAddr>,
    /// Confirm that other computers may connect
    #[arg(long)]
    pub(crate) yes: bool,
    /// Write endpoint, port and CA to this file as one JSON object when ready
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
    /// Folder of CA, signing key and files of running sandboxes [default: $XDG_STATE_HOME/dunlin
    /// or ~/.local/state/dunlin]
    #[arg(long, value_name = "DIR", env = "DUNLIN_STATE_DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// Provoke an error, e.g. connack=0x87, no-puback, reset@2s (repeatable)
    #[arg(long, value_name = "FAULT", long_help = faults())]
    pub(crate) fault: Vec<Fault>,
    /// Server to imitate: aws, with the limits and differences of AWS IoT Core, or mqtt5, with
    /// all of the standard [default: aws]
    ///
    /// The limits of mqtt5 are the sandbox's own: packets of 1 MiB, a Receive Maximum of 1,000,
    /// 1,000 subscriptions of a session, 1,000 filters of a SUBSCRIBE or UNSUBSCRIBE, 1,000 messages or 4 MiB that wait for a client, 1,000
    /// retained messages or 16 MiB of them.
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<Profile>,
    /// Answer to a denied CONNECT: reason-code (CONNACK 0x87) or close (no CONNACK)
    /// [default: reason-code]
    #[arg(long, hide_short_help = true, value_name = "HOW")]
    pub(crate) deny_connect: Option<Denial>,
    /// Answer to a client over WebSocket that the authorizers refuse, which AWS doesn't document:
    /// connack (101, then CONNACK 0x87), close (101, no CONNACK) or 403 (no upgrade, where the
    /// request alone can be judged) [default: connack]
    #[arg(long, hide_short_help = true, value_name = "HOW")]
    pub(crate) wss_refusal: Option<WebSocketRefusal>,
    /// Answer to a SUBSCRIBE or PUBLISH that the policy denies: reason-code, disconnect or
    /// close [default: reason-code]
    #[arg(long, hide_short_help = true, value_name = "HOW")]
    pub(crate) deny_operation: Option<Denial>,
    /// Answer to a SUBSCRIBE or PUBLISH whose topic begins with $ and isn't one of AWS:
    /// reason-code, disconnect or close [default: disconnect]
    #[arg(long, hide_short_help = true, value_name = "HOW")]
    pub(crate) deny_reserved_topic: Option<Denial>,
    /// Refuse a client that sends no server name (SNI), or another one than localhost [default:
    /// let it in, with a line of the log: AWS's pages disagree]
    #[arg(long, hide_short_help = true)]
    pub(crate) strict_sni: bool,
    /// Handling of a message of QoS 1 or 2 when 1,000 messages or 4 MiB wait for a subscriber:
    /// drop, end-session or refuse (the publisher gets 0x97) [default: drop with --profile
    /// aws, end-session with mqtt5]
    #[arg(long, hide_short_help = true, value_name = "WHAT")]
    pub(crate) when_queue_full: Option<WhenQueueFull>,
    /// Answer to a SUBSCRIBE at QoS 2 with --profile aws, which has QoS 0 and 1: no-answer as at
    /// AWS, disconnect (0x9B) or grant (QoS 1) [default: no-answer]
    #[arg(long, hide_short_help = true, value_name = "WHAT")]
    pub(crate) subscribe_qos2: Option<SubscribeQoS2>,
    /// Let the sandbox's clocks (keep alive, expiry, refresh) run N times as fast [default: 1]
    ///
    /// The keep alive shrinks with it: the CONNACK announces one that is N times shorter, at least
    /// 1 s, and the client must keep to it. So do session and message expiry, the will delay,
    /// the times of the authorizers and AWS's limits a second.
    #[arg(long, hide_short_help = true, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) time_scale: Option<u32>,
    /// Maximum number of connections at a time [default: 4096]
    #[arg(long, hide_short_help = true, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
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

#[derive(Subcommand)]
pub(crate) enum SandboxCommand {
    /// Make a certificate and a key for a thing, signed by the sandbox's CA
    ///
    /// They are for sandboxes with --client-certificates, and valid for a year. Files of an earlier
    /// certificate of the thing are replaced; only their owner can read them.
    Cert(CertArgs),
}

#[derive(Args)]
pub(crate) struct CertArgs {
    /// Name of the thing, which is also the client id that the demonstration's policy allows
    #[arg(value_name = "NAME")]
    pub(crate) thing: String,
    /// Folder of the sandbox's CA [default: $XDG_STATE_HOME/dunlin or ~/.local/state/dunlin]
    #[arg(long, value_name = "DIR", env = "DUNLIN_STATE_DIR")]
    pub(crate) state_dir: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct DemoArgs {
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

const CONFIG: &str = "\
Read authorizers and settings from a TOML file; a flag wins over what it says. Relative paths in it are taken from its folder.

  port = 8883                     time_scale = 1
  plain = 1883                    # also without TLS, on loopback
  ws = 8080                       # MQTT over WebSocket without TLS, on loopback
  wss = { port = 8443, refusal = \"connack\" } # MQTT over WebSocket; or \"close\", \"403\"
  http = 8081                     # HTTP publish without TLS, on loopback
  https = 8444                    # HTTP publish
  key = [{ id = \"AKID\", secret = \"..\" }] # checks signatures (SigV4); else any is taken
  all = true                      # everything with TLS at the one port, by ALPN
  client_certificates = true      # custom_auth_x509 = true: beside an authorizer
  certificate = [{ thing = \"lamp-7\", policies = [\"lamp.json\"] }] # \"*\": every thing
  thing = [{ name = \"lamp-7\", type = \"Lamp\", attributes = { site = \"north\" } }] # for policies
  anonymous = true                # who names no authorizer may do everything
  max_connections = 4096          demo = true       # DemoUnsigned and DemoSigned
  profile = \"aws\"                 # or \"mqtt5\"
  strict_arns = \"eu-west-1:123456789012\"
  deny = { connect = \"reason-code\", operation = \"reason-code\", reserved_topic = \"disconnect\" }
  strict_sni = false              # true: refuse a server name (SNI) that isn't localhost
  when_queue_full = \"drop\"        # or \"end-session\", \"refuse\"
  subscribe_qos2 = \"no-answer\"    # or \"disconnect\", \"grant\"
  faults = [\"delay=500ms\"]

  [[authorizer]]                  # any number of them
  name = \"MyAuth\"
  status = \"active\"               # or \"inactive\"
  default = true                  # answers where a client names none
  signing = true                  # on where public keys are given
  token_key_name = \"token\"
  public_key = \"public.pem\"       # a file or the PEM; several: public_keys = [..]
  lambda.handler = \"handler.lambda_handler\"  # or \"handler.py:lambda_handler\"
  lambda.runtime = \"python\"       # or \"node\"; needed if there are files for both
  lambda.code = \"authorizer\"      # the folder of the code
  lambda.env = [\"AWS_PROFILE\", \"TABLE=dev\"] # pass a variable on, or set it
  lambda.timeout = \"5s\"           # of one call, 100ms to 1h
  lambda.concurrency = 16         # calls at a time; 1024 more wait
  # or lambda.exec = [\"./authorizer\", \"--dev\"]: event on stdin, answer on stdout
  # or lambda.url = \"http://127.0.0.1:9000\" (runtime interface emulator)
  # or lambda.static = \"answer.json\"";

fn lambda_timeout(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    // The limits are the sandbox's own, which also hold in the config file.
    let is_valid = LambdaLimits::TIMEOUTS.contains(&time);
    if is_valid {
        Ok(time)
    } else {
        Err("it must be 100ms to 1h".into())
    }
}

fn faults() -> String {
    // Listed by the sandbox itself, so that the help names every fault that it knows.
    let spellings: Vec<&str> = Fault::spellings().collect();
    format!(
        "Misbehave on purpose; may be given more than once. T is a time such as 500ms.\n\n{}",
        spellings.join(", ")
    )
}
