//! Enhanced authentication, of CONNECT and on an open connection: challenges, as many as it likes,
//! and a decision.

use std::time::Instant;

use dunlin_client::codec::{Auth, AuthProperties, BinaryData, Packet, ReasonCode, Utf8String};

use super::{Connection, Response, Server, Stage};
use crate::simulate::auth_method::{self, BAD, HELLO, METHOD};
use crate::simulate::choices::Choices;
use crate::simulate::transcript::Transcript;
use crate::simulate::violation::{Checked, ensure};

/// State of an authentication exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Exchange {
    /// The server has to answer.
    Ours,
    /// The client is to answer this.
    Challenged(Vec<u8>),
}

impl Server {
    /// AUTH: the client answers a challenge, or begins again.
    pub(super) fn handle_auth(&mut self, auth: &Auth<'_>) -> Checked {
        let Some(connection) = &mut self.connection else {
            return Ok(());
        };
        let detail = || format!("{} to {:?}", Packet::Auth(*auth), connection.exchange);
        let data = auth
            .properties
            .authentication_data
            .map(|data| data.as_bytes());
        let due = if connection.stage == Stage::Open {
            Response::Auth
        } else {
            Response::ConnAck
        };
        match (auth.reason_code, &connection.exchange) {
            (ReasonCode::ContinueAuthentication, Some(Exchange::Challenged(challenge))) => {
                let expected = auth_method::answer(challenge);
                ensure(
                    data == Some(&expected),
                    "[MQTT-4.12.0-3] the client answers",
                    detail,
                )?;
            }
            (ReasonCode::ReAuthenticate, None) => {
                ensure(
                    data == Some(HELLO),
                    "[MQTT-4.12.1-1] the client begins",
                    detail,
                )?;
            }
            _ => return ensure(false, "[MQTT-4.12.0-6] AUTH has its turns", detail),
        }
        connection.exchange = Some(Exchange::Ours);
        connection.due.push(due);
        Ok(())
    }

    /// Answers what the client said last on an open connection.
    pub(super) fn continue_authentication(
        &mut self,
        choices: &mut Choices,
        transcript: &mut Transcript,
    ) {
        let Some(connection) = &mut self.connection else {
            return;
        };
        if connection.challenges(self.is_cooperative, choices, transcript) {
            return;
        }
        if !self.is_cooperative && choices.one_in(6) {
            self.disconnects(ReasonCode::NotAuthorized, transcript);
            return;
        }
        let last = connection.final_data(self.is_cooperative, choices);
        connection.send_auth(ReasonCode::Success, last, transcript);
        connection.exchange = None;
    }

    /// Answers CONNECT, or what the client said last before it is let in.
    pub(super) fn continue_connect(
        &mut self,
        now: Instant,
        choices: &mut Choices,
        transcript: &mut Transcript,
    ) {
        let Some(connection) = &mut self.connection else {
            return;
        };
        if connection.exchange.is_none()
            || !connection.challenges(self.is_cooperative, choices, transcript)
        {
            self.answer_connect(now, choices, transcript);
        }
    }
}

impl Connection {
    /// Sends one more challenge, or returns `false`.
    fn challenges(
        &mut self,
        is_cooperative: bool,
        choices: &mut Choices,
        transcript: &mut Transcript,
    ) -> bool {
        if !choices.one_in(2) {
            return false;
        }
        let challenge = match choices.below(12) {
            0 if !is_cooperative => BAD.to_vec(),
            number => format!("c{number}").into_bytes(),
        };
        self.send_auth(
            ReasonCode::ContinueAuthentication,
            Some(&challenge),
            transcript,
        );
        self.exchange = Some(Exchange::Challenged(challenge));
        true
    }

    /// Authentication Data that accompanies success.
    pub(super) fn final_data(
        &self,
        is_cooperative: bool,
        choices: &mut Choices,
    ) -> Option<&'static [u8]> {
        choices
            .pick(&[None, Some(&b"welcome"[..]), Some(BAD)])
            .flatten()
            .filter(|word| !is_cooperative || *word != BAD)
    }

    fn send_auth(
        &mut self,
        reason_code: ReasonCode,
        data: Option<&[u8]>,
        transcript: &mut Transcript,
    ) {
        let properties = AuthProperties {
            authentication_method: Utf8String::new(METHOD).ok(),
            authentication_data: data.and_then(|data| BinaryData::new(data).ok()),
            ..AuthProperties::default()
        };
        self.say(
            &Packet::Auth(Auth {
                reason_code,
                properties,
            }),
            transcript,
        );
    }
}
