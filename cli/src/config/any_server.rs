//! `ConnectionConfig`: the connection of `connect`, `pub`, `sub`, `request` and `respond`, checked and
//! complete.

use std::time::Duration;

use dunlin_client::aws::http_publish::HttpPublishOptions;
use dunlin_client::{CleanStart, ClientOptions, ConnectOptions, Will};
use dunlin_codec::{TopicName, Utf8String};

use crate::args::{
    AuthorizerArgs, CaptureArgs, ConnectPacketArgs, ConnectionArgs, OF_WILL, ResultArgs, Sources,
    WillArgs, pairs,
};
use crate::config::http;
use crate::config::retry::patient;
use crate::config::{AskedFor, EndpointForm, Faults, Server, Target, TargetArgs, needs_mqtt};
use crate::diagnosis::{Diagnosis, RunContext, Try, quoted};
use crate::terminal::Console;

/// Connection to any MQTT 5 server.
#[derive(Debug)]
pub(crate) struct ConnectionConfig {
    pub(crate) client: ClientOptions,
    /// Options of HTTP requests; `None` for a connection of MQTT.
    pub(crate) http: Option<Box<HttpPublishOptions>>,
    /// Facts of the configuration that an error may show.
    pub(crate) context: RunContext,
    /// Longest wait for the connection and for each answer.
    pub(crate) timeout: Duration,
    /// True if the user gave the number of attempts.
    pub(crate) is_reconnect_given: bool,
    /// True if a server that breaks the protocol ends the run.
    pub(crate) is_strict: bool,
    /// True if the session outlives the run.
    pub(crate) keeps_session: bool,
    pub(crate) results: ResultArgs,
    pub(crate) capture: CaptureArgs,
}

impl ConnectionConfig {
    /// Checks the flags and reads the files that they name. `faults` holds the mistakes that were
    /// found in other flags; `verb` is named in the advice.
    ///
    /// # Errors
    /// Ids of exit code 2, or [`Id::Refused`](crate::diagnosis::Id::Refused) if no sandbox is
    /// running; nothing was sent. All mistakes that can be found without reading a secret are told
    /// together.
    pub(crate) fn new(
        mut typed: ConnectionArgs,
        verb: &str,
        mut faults: Faults,
        sources: &Sources,
        console: Console,
    ) -> Result<Self, Diagnosis> {
        // Mistakes that can be found without reading a secret are told together.
        let proxy = typed.endpoint.proxy.take();
        let address = typed.endpoint.address;
        let asked_for = asked_for(&typed, sources);
        // The policy of AWS's samples allows the client identifiers of the sample, and doctor checks
        // a connection of that kind.
        let prefix = match verb {
            "doctor" if asked_for.authorizer => "mqtt5-sample",
            _ => "dunlin",
        };
        let server = match typed.endpoint.endpoint {
            Some(_) => faults.collect(Server::new(
                typed.endpoint,
                EndpointForm::AnyServer(asked_for),
            )),
            None => faults.collect(Err(no_endpoint(verb))),
        };
        if server.as_ref().is_some_and(|server| server.is_http) {
            if !matches!(verb, "pub" | "doctor") {
                return Err(needs_mqtt());
            }
            // Before other mistakes, whose advice may be flags that HTTP doesn't have.
            http::check_flags(sources)?;
        }
        let will = faults.collect(will(typed.will, sources));
        let client_id = faults.collect(client_id(typed.session.client_id.as_deref(), prefix));
        faults.into_result()?;
        let (Some(server), Some(will), Some(client_id)) = (server, will, client_id) else {
            return Err(no_endpoint(verb));
        };

        // Server, credentials, TLS and reconnecting, as for every verb.
        let target = TargetArgs {
            authorizer: typed.authorizer,
            account: Some(typed.account),
            tls: typed.tls,
            keep_alive: typed.session.keep_alive,
            proxy,
            address,
            is_client_id_given: typed.session.client_id.is_some(),
            client_id,
            is_sample: false,
            is_load: false,
            reliability: typed.reliability,
        };
        let (timeout, is_strict) = (target.reliability.timeout, target.reliability.strict);
        let Target {
            mut client,
            http,
            context,
        } = Target::new(target, server, sources, console)?;

        // What is particular to these verbs: session, limits, user properties and will.
        let keeps_session = set_session(&mut client.connect, typed.session);
        client.connect.will = will;
        client
            .connect
            .check()
            .map_err(|error| Diagnosis::usage(format!("CONNECT can't be sent: {error}")))?;
        Ok(Self {
            client,
            http,
            context,
            timeout,
            is_reconnect_given: sources.is_chosen("reconnect"),
            is_strict,
            keeps_session,
            results: typed.results,
            capture: typed.capture,
        })
    }
}

impl ConnectionConfig {
    /// Makes every failure to reach the server one that passes: for a run whose messages wait in a
    /// file.
    pub(crate) fn wait_for_server(&mut self) {
        self.client.reconnect.policy = patient();
    }
}

/// Kind of server that the flags ask for, by which TLS, port and ALPN are chosen.
fn asked_for(typed: &ConnectionArgs, sources: &Sources) -> AskedFor {
    let AuthorizerArgs {
        authorizer_name,
        auth_username,
        auth_token_key_name,
        ..
    } = &typed.authorizer;
    AskedFor {
        authorizer: authorizer_name.is_some()
            || auth_username.is_some()
            || auth_token_key_name.is_some(),
        certificate: typed.tls.cert.is_some(),
        // A CA of the environment is for all servers, and doesn't ask for TLS with this one.
        ca: [
            "ca",
            "platform_roots",
            "allow_common_name",
            "insecure",
            "sni",
            "tls_min",
        ]
        .into_iter()
        .any(|id| sources.is_chosen(id)),
    }
}

/// Sets session, limits and user properties of CONNECT; true if the session outlives the run.
fn set_session(connect: &mut ConnectOptions, typed: ConnectPacketArgs) -> bool {
    // Session Expiry Interval 0 means that the session ends with the connection.
    let expiry = typed.session_expiry.filter(|seconds| *seconds > 0);
    connect.session_expiry_interval = typed.session_expiry;
    connect.clean_start = match (typed.clean_start, expiry) {
        // A client without a session of its own continues the one that the server has.
        (false, _) => CleanStart::Never,
        (true, Some(_)) => CleanStart::First,
        (true, None) => CleanStart::Always,
    };
    // DISCONNECT would end the session, which was asked to outlive it.
    connect.disconnect.session_expiry_interval = expiry;

    // Without a flag nothing is announced: mosquitto 2.0 exceeds a small Receive Maximum when the reader
    // is slow, and the connection would have to be closed. The memory budget is the limit then.
    connect.receive_maximum = typed.receive_maximum;
    // A limit would make the server discard larger messages, and nobody would learn of it.
    connect.maximum_packet_size = typed.max_packet_size;
    let largest = typed.max_packet_size.unwrap_or(PROTOCOL_MAXIMUM);
    connect.memory_budget = connect
        .memory_budget
        .max(usize::try_from(largest).unwrap_or(usize::MAX));
    connect.topic_alias_maximum = typed.topic_alias_max;
    connect.request_problem_information = typed.request_problem_info;
    connect.request_response_information = typed.request_response_info;
    connect.user_properties = pairs(typed.connect_user_property);
    expiry.is_some()
}

/// Size of the largest packet of the protocol, in bytes (§2.1.4).
const PROTOCOL_MAXIMUM: u32 = 268_435_460;

/// Makes the will; `None` without `--will-topic`.
fn will(typed: WillArgs, sources: &Sources) -> Result<Option<Will>, Diagnosis> {
    let Some(topic) = typed.will_topic else {
        let orphan = OF_WILL.iter().find(|id| sources.on_command_line(id));
        return match orphan {
            Some(id) => Err(Diagnosis::usage(format!(
                "--{} also needs --will-topic",
                id.replace('_', "-")
            ))),
            None => Ok(None),
        };
    };
    check_topic("--will-topic", &topic)?;
    Ok(Some(Will {
        payload: typed.will_message.unwrap_or_default().into_bytes(),
        qos: typed.will_qos.unwrap_or_default(),
        retain: typed.will_retain,
        delay_interval: typed.will_delay,
        payload_format_indicator: typed.will_payload_format.map(Into::into),
        message_expiry_interval: typed.will_expiry,
        content_type: typed.will_content_type,
        response_topic: typed.will_response_topic,
        correlation_data: typed.will_correlation.map(|data| data.0),
        user_properties: pairs(typed.will_user_property),
        topic,
    }))
}

/// Checks `--client-id`, or makes up an identifier that begins with `prefix`.
fn client_id(typed: Option<&str>, prefix: &str) -> Result<String, Diagnosis> {
    let Some(client_id) = typed else {
        return Ok(format!("{prefix}-{:08x}", fastrand::u32(..)));
    };
    match Utf8String::new(client_id) {
        Ok(_) => Ok(client_id.to_owned()),
        Err(error) => Err(Diagnosis::usage(format!(
            "--client-id {}: {error}",
            quoted(client_id)
        ))),
    }
}

/// Checks that `topic`, the value of `flag`, is a Topic Name.
///
/// # Errors
/// [`Id::Usage`](crate::diagnosis::Id::Usage) for an empty one, wildcards, or characters that MQTT
/// doesn't allow.
pub(crate) fn check_topic(flag: &str, topic: &str) -> Result<(), Diagnosis> {
    match TopicName::new(topic) {
        Ok(_) => Ok(()),
        Err(error) => Err(Diagnosis::usage(format!(
            "{flag} {}: {error}",
            quoted(topic)
        ))),
    }
}

/// Smallest command line of a verb that connects.
pub(crate) fn smallest_example(verb: &str) -> &'static str {
    match verb {
        "pub" => "dunlin pub -H mqtt://localhost -t lamp/7 -m on",
        "sub" => "dunlin sub -H mqtt://localhost -t 'lamp/#'",
        "request" => "dunlin request -H mqtt://localhost -t lamp/7/get -m state",
        "doctor" => "dunlin doctor -H mqtt://localhost",
        "respond" => "dunlin respond -H mqtt://localhost -t echo",
        _ => "dunlin connect -H mqtt://localhost",
    }
}

/// Error for a verb without a server.
fn no_endpoint(verb: &str) -> Diagnosis {
    Diagnosis {
        try_: vec![
            Try::command(smallest_example(verb)),
            Try::command("dunlin sandbox        # a local server, in another terminal"),
        ],
        ..Diagnosis::usage("missing: --endpoint")
    }
}
