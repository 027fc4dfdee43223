//! Enhanced authentication, of CONNECT and on an open connection: challenges, as many as it likes,
//! and a verdict.

use std::time::Instant;

use dunlin_client::codec::{Auth, AuthProperties, BinaryData, Packet, ReasonCode, Utf8String};

use super::{Connection, Due, Server, Stage};
use crate::simulate::chance::Chance;
use crate::simulate::checks::{Checked, ensure};
use crate::simulate::proof::{self, FOUL, HELLO, METHOD};
use crate::simulate::transcript::Transcript;

/// How an exchange stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Exchange {
    /// It is the server's turn.
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
        let told = || format!("{} to {:?}", Packet::Auth(*auth), connection.exchange);
        let data = auth
            .properties
            .authentication_data
            .map(|data| data.as_bytes());
        let due = if connection.stage == Stage::Open {
            Due::Auth
        } else {
            Due::ConnAck
        };
        match (auth.reason_code, &connection.exchange) {
            (ReasonCode::ContinueAuthentication, Some(Exchange::Challenged(challenge))) => {
                let expected = proof::answer(challenge);
                ensure(
                    data == Some(&expected),
                    "[MQTT-4.12.0-3] the client answers",
                    told,
                )?;
            }
            (ReasonCode::ReAuthenticate, None) => {
                ensure(
                    data == Some(HELLO),
                    "[MQTT-4.12.1-1] the client begins",
                    told,
                )?;
            }
            _ => return ensure(false, "[MQTT-4.12.0-6] AUTH has its turns", told),
        }
        connection.exchange = Some(Exchange::Ours);
        connection.due.push(due);
        Ok(())
    }

    /// Answers what the client said last on an open connection.
    pub(super) fn judges(&mut self, chance: &mut Chance, transcript: &mut Transcript) {
        let Some(connection) = &mut self.connection else {
            return;
        };
        if connection.challenges(self.is_calm, chance, transcript) {
            return;
        }
        if !self.is_calm && chance.one_in(6) {
            self.disconnects(ReasonCode::NotAuthorized, transcript);
            return;
        }
        let last = connection.last_word(self.is_calm, chance);
        connection.say_auth(ReasonCode::Success, last, transcript);
        connection.exchange = None;
    }

    /// Answers CONNECT, or what the client said last before it is let in.
    pub(super) fn judges_connect(
        &mut self,
        now: Instant,
        chance: &mut Chance,
        transcript: &mut Transcript,
    ) {
        let Some(connection) = &mut self.connection else {
            return;
        };
        if connection.exchange.is_none() || !connection.challenges(self.is_calm, chance, transcript)
        {
            self.decides(now, chance, transcript);
        }
    }
}

impl Connection {
    /// Whether it has one more challenge, which it then says.
    fn challenges(
        &mut self,
        is_calm: bool,
        chance: &mut Chance,
        transcript: &mut Transcript,
    ) -> bool {
        if !chance.one_in(2) {
            return false;
        }
        let challenge = match chance.below(12) {
            0 if !is_calm => FOUL.to_vec(),
            number => format!("c{number}").into_bytes(),
        };
        self.say_auth(
            ReasonCode::ContinueAuthentication,
            Some(&challenge),
            transcript,
        );
        self.exchange = Some(Exchange::Challenged(challenge));
        true
    }

    /// What goes along with a success.
    pub(super) fn last_word(&self, is_calm: bool, chance: &mut Chance) -> Option<&'static [u8]> {
        chance
            .of(&[None, Some(&b"welcome"[..]), Some(FOUL)])
            .flatten()
            .filter(|word| !is_calm || *word != FOUL)
    }

    fn say_auth(
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
