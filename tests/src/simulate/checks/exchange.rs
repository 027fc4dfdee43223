//! Enhanced authentication as a client may do it: with the method of its CONNECT, and when it is
//! its turn.

use dunlin_client::codec::{Auth, Connect, Packet, ReasonCode};

use super::{Checked, ensure};

/// What a connection has seen of it.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    /// As CONNECT named it.
    method: Option<String>,
    /// Whether the server has asked for an answer.
    is_asked: bool,
    /// Whether a re-authentication is under way.
    again: bool,
}

impl Exchange {
    pub(super) fn of(connect: &Connect<'_>) -> Self {
        let method = connect
            .properties
            .authentication_method
            .map(|method| method.as_str().to_owned());
        Self {
            method,
            ..Self::default()
        }
    }

    /// The client sends AUTH.
    pub(super) fn sends(&mut self, auth: &Auth<'_>, is_open: bool) -> Checked {
        let told = || format!("{} after {self:?}", Packet::Auth(*auth));
        ensure(
            self.method.is_some(),
            "[MQTT-4.12.0-7] no AUTH without a method in CONNECT",
            told,
        )?;
        let method = auth
            .properties
            .authentication_method
            .map(|method| method.as_str());
        ensure(
            method == self.method.as_deref(),
            "[MQTT-4.12.0-5] one method for the whole connection",
            told,
        )?;
        if auth.reason_code == ReasonCode::ReAuthenticate {
            ensure(
                is_open && !self.again,
                "[MQTT-4.12.1-1] one re-authentication, when connected",
                told,
            )?;
            self.again = true;
        } else {
            let is_answer = auth.reason_code == ReasonCode::ContinueAuthentication && self.is_asked;
            ensure(is_answer, "[MQTT-4.12.0-3] AUTH answers AUTH", told)?;
            self.is_asked = false;
        }
        Ok(())
    }

    /// The client has read AUTH.
    pub(super) fn receives(&mut self, auth: &Auth<'_>) {
        match auth.reason_code {
            ReasonCode::ContinueAuthentication => self.is_asked = true,
            _ => self.again = false,
        }
    }
}
