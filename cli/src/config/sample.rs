//! `SampleConfig`: one run of the sample, checked and complete.

use std::time::Duration;

use dunlin_client::{ClientOptions, ConnectOptions, QoS, aws};
use dunlin_codec::SubscriptionOptions;

use crate::args::{CaptureArgs, Count, ResultArgs, SampleArgs, Sources};
use crate::config::{EndpointForm, Faults, Script, Server, Target, TargetArgs, check_topic};
use crate::diagnosis::{Diagnosis, RunContext, quoted};
use crate::message::{OutgoingMessage, encode_subscribe};
use crate::sample::Kind;
use crate::terminal::Console;

/// One run of the sample.
pub(crate) struct SampleConfig {
    pub(crate) kind: Kind,
    pub(crate) client: ClientOptions,
    /// Facts of the configuration that an error may show.
    pub(crate) context: RunContext,
    /// Topic Name to subscribe and publish to.
    pub(crate) topic: String,
    /// Start of every payload.
    pub(crate) message: String,
    /// Number of messages; `None` publishes until the run is stopped.
    pub(crate) count: Option<u32>,
    /// Pause between two messages.
    pub(crate) interval: Duration,
    /// Longest wait for the connection and for each answer.
    pub(crate) timeout: Duration,
    /// Longest wait for missing messages after the last acknowledgement.
    pub(crate) receive_timeout: Duration,
    /// True if the user gave the number of attempts.
    pub(crate) is_reconnect_given: bool,
    /// True if a server that breaks the protocol ends the run.
    pub(crate) is_strict: bool,
    pub(crate) results: ResultArgs,
    pub(crate) capture: CaptureArgs,
}

impl SampleConfig {
    /// Checks the flags and reads the files that they name.
    ///
    /// # Errors
    /// Ids of exit code 2, or [`Id::Refused`](crate::diagnosis::Id::Refused) if no sandbox is
    /// running; nothing was sent. All mistakes that can be found without reading a secret are told
    /// together.
    pub(crate) fn new(
        mut typed: SampleArgs,
        script: Script,
        sources: &Sources,
        console: Console,
    ) -> Result<Self, Diagnosis> {
        // An endpoint that is there and wrong is told before the flags that are missing.
        let mut faults = Faults::default();
        let proxy = typed.endpoint.proxy.take();
        let address = typed.endpoint.address;
        let endpoint_is_given = typed.endpoint.endpoint.is_some();
        // Every check runs, so that one run tells all mistakes of the command line.
        let checked = script.check(&mut typed, sources);
        let server = endpoint_is_given
            .then(|| faults.collect(Server::new(typed.endpoint, EndpointForm::Host)))
            .flatten();
        faults.collect(checked);
        faults.collect(check_topic("--topic", &typed.message.topic));
        let client_id = faults.collect(client_id(typed.session.client_id.as_deref()));
        faults.into_result()?;
        // Both are there, or the collected faults have ended this already.
        let (Some(server), Some(client_id)) = (server, client_id) else {
            return Err(Diagnosis::usage("missing: --endpoint"));
        };

        let target = TargetArgs {
            is_client_id_given: typed.session.client_id.is_some(),
            client_id,
            authorizer: typed.authorizer,
            tls: typed.tls,
            keep_alive: typed.session.keep_alive,
            proxy,
            address,
            account: None,
            is_sample: true,
            is_load: false,
            reliability: typed.reliability,
        };
        // The default of --timeout is long for an answer and too long for a message that the policy
        // keeps back.
        let receive_timeout = if sources.is_chosen("timeout") {
            target.reliability.timeout
        } else {
            RECEIVE_TIMEOUT
        };
        let (timeout, is_strict) = (target.reliability.timeout, target.reliability.strict);
        let Target {
            mut client,
            context,
            ..
        } = Target::new(target, server, sources, console)?;
        // CONNECT must have the bytes of the Python scripts.
        send_no_property(&mut client.connect);
        client.connect.poison_guard = aws::POISON_GUARD;
        Ok(Self {
            kind: if context.is_signed || script == Script::Signed {
                Kind::Signed
            } else {
                Kind::Unsigned
            },
            client,
            context,
            topic: typed.message.topic,
            message: typed.message.message,
            count: match typed.message.count {
                Count::Endless => None,
                Count::Exactly(count) => Some(count),
            },
            interval: typed.message.interval,
            timeout,
            receive_timeout,
            is_reconnect_given: sources.is_chosen("reconnect"),
            is_strict,
            results: typed.results,
            capture: typed.capture,
        })
    }
}

impl SampleConfig {
    /// SUBSCRIBE and the first PUBLISH of the run, for `--dry-run`.
    ///
    /// # Errors
    /// [`Id::Usage`](crate::diagnosis::Id::Usage) for a topic or a message that can't be sent.
    pub(crate) fn packets(&self) -> Result<Vec<Vec<u8>>, Diagnosis> {
        let options = SubscriptionOptions {
            qos: QoS::AtLeastOnce,
            ..SubscriptionOptions::default()
        };
        let message = OutgoingMessage {
            topic: self.topic.clone(),
            payload: format!("{} [1]", self.message).into(),
            qos: QoS::AtLeastOnce,
            ..OutgoingMessage::default()
        };
        Ok(vec![
            encode_subscribe(&[(self.topic.clone(), options)], None)?,
            message.encode()?,
        ])
    }
}

/// Wait for missing messages after the last acknowledgement, unless `--timeout` is given.
const RECEIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Checks `--client-id`, or makes up an identifier.
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

/// Leaves all properties out of CONNECT, whose bytes are those of AWS's sample.
///
/// The memory budget limits received data without them, too.
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
