//! `DoctorPlan`: connection and topic of a check, made before anything is sent.

use std::time::Duration;

use dunlin_client::QoS;
use dunlin_codec::SubscriptionOptions;

use crate::args::{AuthorizerArgs, DoctorArgs, Sources};
use crate::config::{ConnectionConfig, Faults, check_topic};
use crate::diagnosis::Diagnosis;
use crate::message::{OutgoingMessage, encode_subscribe};
use crate::terminal::Console;

/// Connection to check, and the topic of the stages that need one.
#[derive(Debug)]
pub(super) struct DoctorPlan {
    pub(super) connection: ConnectionConfig,
    /// Topic of SUBSCRIBE, PUBLISH and RECEIVE; `None` to leave these stages out.
    pub(super) topic: Option<String>,
    /// Payload of the one message: random, so that only this run's message counts.
    pub(super) payload: String,
    /// Longest wait for the message to come back.
    pub(super) receive_timeout: Duration,
    /// True if other ways to connect are to be tried as well.
    pub(super) tries_all: bool,
}

impl DoctorPlan {
    /// Checks the flags and reads the files that they name.
    ///
    /// # Errors
    /// Ids of exit code 2, or [`Id::Refused`](crate::diagnosis::Id::Refused) if no sandbox is
    /// running; nothing was sent.
    pub(super) fn new(
        typed: DoctorArgs,
        sources: &Sources,
        console: Console,
    ) -> Result<Self, Diagnosis> {
        // Mistakes that can be found without reading a file are told together.
        let mut faults = Faults::default();
        if let Some(topic) = &typed.topic {
            faults.collect(check_topic("--topic", topic));
        }
        // Other servers may have users on the default topic, so it must be asked for there.
        let is_test_topic_fine = is_sandbox(typed.connection.endpoint.endpoint.as_deref())
            || has_authorizer(&typed.connection.authorizer);
        let connection =
            ConnectionConfig::new(typed.connection, "doctor", faults, sources, console)?;
        if connection.http.is_some() && typed.all {
            return Err(Diagnosis::usage(
                "--all tries ways to connect with MQTT; leave --transport http out for it",
            ));
        }
        let topic = typed
            .topic
            .or_else(|| is_test_topic_fine.then(|| TEST_TOPIC.to_owned()));
        // A message that doesn't come back is seldom only slow: without --timeout the wait is short.
        let receive_timeout = if sources.is_chosen("timeout") {
            connection.timeout
        } else {
            RECEIVE_TIMEOUT
        };
        Ok(Self {
            connection,
            topic,
            payload: format!("dunlin doctor {:016x}", fastrand::u64(..)),
            receive_timeout,
            tries_all: typed.all,
        })
    }

    /// Message that is published.
    ///
    /// # Errors
    /// [`Id::Usage`](crate::diagnosis::Id::Usage) without a topic.
    pub(super) fn message(&self) -> Result<OutgoingMessage, Diagnosis> {
        let Some(topic) = &self.topic else {
            return Err(Diagnosis::usage(
                "missing: --topic, to which doctor publishes one message over HTTP",
            ));
        };
        Ok(OutgoingMessage {
            topic: topic.clone(),
            payload: self.payload.clone().into(),
            qos: QoS::AtLeastOnce,
            ..OutgoingMessage::default()
        })
    }

    /// SUBSCRIBE and PUBLISH of the check, for `--dry-run`.
    ///
    /// # Errors
    /// [`Id::Usage`](crate::diagnosis::Id::Usage) for a topic that can't be sent.
    pub(super) fn packets(&self) -> Result<Vec<Vec<u8>>, Diagnosis> {
        let Some(topic) = &self.topic else {
            return Ok(Vec::new());
        };
        let options = SubscriptionOptions {
            qos: QoS::AtLeastOnce,
            ..SubscriptionOptions::default()
        };
        Ok(vec![
            encode_subscribe(&[(topic.clone(), options)], None)?,
            self.message()?.encode()?,
        ])
    }
}

/// True for `sandbox` and `sandbox:PORT`.
fn is_sandbox(endpoint: Option<&str>) -> bool {
    let endpoint = endpoint.unwrap_or_default();
    let host = endpoint
        .rsplit("://")
        .next()
        .unwrap_or_default()
        .split(':')
        .next();
    host.is_some_and(|host| host.eq_ignore_ascii_case("sandbox"))
}

/// True if the flags ask for a custom authorizer.
fn has_authorizer(typed: &AuthorizerArgs) -> bool {
    typed.authorizer_name.is_some()
        || typed.auth_username.is_some()
        || typed.auth_token_key_name.is_some()
}

/// Topic of AWS's samples, which the sandbox and the sample policy allow.
const TEST_TOPIC: &str = "test/topic";
/// Wait for the message to come back, unless `--timeout` is given.
const RECEIVE_TIMEOUT: Duration = Duration::from_secs(10);
