//! One run of the sample, ready to go.

use std::time::Duration;

use dunlin_client::{CleanStart, ClientOptions, ConnectOptions, InvalidMessages, aws};
use dunlin_codec::TopicName;

use crate::args::{Count, ReliabilityArgs, SampleArgs, Sources};
use crate::config::{
    Credentials, Detour, Script, Server, keep_alive, reconnect, run_context, transport,
};
use crate::diagnosis::{Diagnosis, RunContext, UserChoices, quoted};
use crate::sample::Kind;
use crate::terminal::Console;

/// One run of the sample, ready to go.
pub(crate) struct SampleConfig {
    pub(crate) kind: Kind,
    pub(crate) client: ClientOptions,
    /// What an error may tell of all this.
    pub(crate) context: RunContext,
    pub(crate) topic: String,
    pub(crate) message: String,
    /// `None`: until stopped.
    pub(crate) count: Option<u32>,
    pub(crate) interval: Duration,
    /// For the connection and for each answer.
    pub(crate) timeout: Duration,
    /// For missing messages, after the last acknowledgement.
    pub(crate) receive_timeout: Duration,
    /// Whether the user has set the number of attempts.
    pub(crate) is_reconnect_given: bool,
    /// A server that breaks the protocol ends the run.
    pub(crate) is_strict: bool,
}

impl SampleConfig {
    pub(crate) fn new(
        mut typed: SampleArgs,
        script: Script,
        sources: &Sources,
        console: Console,
    ) -> Result<Self, Diagnosis> {
        script.check(&mut typed, sources)?;
        let proxy = typed.endpoint.proxy.take();
        let mut server = Server::new(typed.endpoint)?;
        server.detour = Detour::new(proxy.as_deref(), sources, &server, console)?;
        // Its secrets are those of a test.
        let is_sandbox = server.sandbox_ca.is_some();
        if is_sandbox && !sources.on_command_line("ca") {
            // A CA from the environment is for other servers.
            typed.tls.ca = server.sandbox_ca.take();
        }
        if let Some(rather) = &server.rather {
            console.warning(format_args!(
                "an endpoint without -ats is a legacy one, trusted by few; better: {rather}"
            ));
        }
        let credentials = Credentials::new(typed.authorizer, sources, console, !is_sandbox)?;
        check_topic(&typed.message.topic)?;
        let client_id = client_id(typed.session.client_id.as_deref())?;
        let given = UserChoices {
            ca: typed.tls.ca.is_some(),
            client_id: typed.session.client_id.is_some(),
            alpn: sources.on_command_line("alpn"),
            is_tls: true,
            is_sample: true,
        };
        let context = run_context(&server, &credentials, &client_id, &typed.tls.alpn, given);

        let kind = if credentials.is_signed() {
            Kind::Signed
        } else {
            Kind::Unsigned
        };
        let keep_alive = keep_alive(typed.session.keep_alive, context.is_aws, console)?;
        let connect = connect(client_id, credentials, keep_alive, &typed.reliability);
        let transport = transport(server, typed.tls, &typed.reliability, console)?;
        let reconnect = reconnect(typed.reliability.reconnect.0);
        Ok(Self {
            kind,
            client: ClientOptions {
                reconnect,
                ..ClientOptions::new(transport, connect)
            },
            context,
            topic: typed.message.topic,
            message: typed.message.message,
            count: match typed.message.count {
                Count::Endless => None,
                Count::Exactly(count) => Some(count),
            },
            interval: typed.message.interval,
            timeout: typed.reliability.timeout,
            receive_timeout: if sources.on_command_line("timeout") {
                typed.reliability.timeout
            } else {
                RECEIVE_TIMEOUT
            },
            is_reconnect_given: sources.on_command_line("reconnect"),
            is_strict: typed.reliability.strict,
        })
    }
}

/// Wait for missing messages after the last acknowledgement, unless `--timeout` is given.
const RECEIVE_TIMEOUT: Duration = Duration::from_secs(10);

fn check_topic(topic: &str) -> Result<(), Diagnosis> {
    match TopicName::new(topic) {
        Ok(_) => Ok(()),
        Err(error) => Err(Diagnosis::usage(format!(
            "--topic {}: {error}",
            quoted(topic)
        ))),
    }
}

fn client_id(typed: Option<&str>) -> Result<String, Diagnosis> {
    match typed {
        Some(client_id) => {
            aws::check_client_id(client_id).map_err(|error| {
                Diagnosis::usage(format!("--client-id {}: {error}", quoted(client_id)))
            })?;
            Ok(client_id.to_owned())
        }
        None => Ok(format!("mqtt5-sample-{:08x}", fastrand::u32(..))),
    }
}

/// What the sample says in CONNECT, byte for byte: Clean Start 1 on every connection, no property.
fn connect(
    client_id: String,
    credentials: Credentials,
    keep_alive: Duration,
    typed: &ReliabilityArgs,
) -> ConnectOptions {
    let mut connect = ConnectOptions::new(client_id);
    connect.username = credentials.user_name;
    connect.password = credentials.password;
    connect.keep_alive = keep_alive;
    connect.clean_start = CleanStart::Always;
    send_no_property(&mut connect);
    connect.connack_timeout = connect.connack_timeout.min(typed.timeout);
    connect.ping_timeout = typed.ping_timeout;
    connect.ack_timeout = typed.timeout;
    connect.poison_guard = aws::POISON_GUARD;
    if typed.strict {
        connect.invalid_messages = InvalidMessages::CloseConnection;
    }
    connect
}

/// The bytes of AWS's sample; the memory budget limits what the server may send all the same.
const fn send_no_property(connect: &mut ConnectOptions) {
    connect.session_expiry_interval = None;
    connect.receive_maximum = None;
    connect.maximum_packet_size = None;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS's sample sends none; the bytes are compared in the client's tests.
    #[test]
    fn connect_has_no_property() {
        let mut connect = ConnectOptions::new("mqtt5-sample-0a1b2c3d");
        send_no_property(&mut connect);
        assert!(connect.session_expiry_interval.is_none() && connect.receive_maximum.is_none());
        assert!(connect.maximum_packet_size.is_none() && connect.topic_alias_maximum == 0);
        assert!(
            connect.request_problem_information.is_none() && connect.user_properties.is_empty()
        );
        assert!(connect.request_response_information.is_none() && connect.authentication.is_none());
    }
}
