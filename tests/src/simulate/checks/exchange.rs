//! Enhanced authentication as a client may do it: with the method of its CONNECT, and when it is
//! its turn.

use dunlin_client::codec::{Auth, Connect, Packet, ReasonCode};

use crate::simulate::violation::{Checked, ensure};

/// State of the authentication exchange of one connection.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    /// Authentication Method of CONNECT.
    method: Option<String>,
    /// The server has sent a challenge that isn't answered.
    is_challenged: bool,
    /// A re-authentication is under way.
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
        let detail = || format!("{} after {self:?}", Packet::Auth(*auth));
        ensure(
            self.method.is_some(),
            "[MQTT-4.12.0-7] no AUTH without a method in CONNECT",
            detail,
        )?;
        let method = auth
            .properties
            .authentication_method
            .map(|method| method.as_str());
        ensure(
            method == self.method.as_deref(),
            "[MQTT-4.12.0-5] one method for the whole connection",
            detail,
        )?;
        if auth.reason_code == ReasonCode::ReAuthenticate {
            ensure(
                is_open && !self.again,
                "[MQTT-4.12.1-1] one re-authentication, when connected",
                detail,
            )?;
            self.again = true;
        } else {
            let is_answer =
                auth.reason_code == ReasonCode::ContinueAuthentication && self.is_challenged;
            ensure(is_answer, "[MQTT-4.12.0-3] AUTH answers AUTH", detail)?;
            self.is_challenged = false;
        }
        Ok(())
    }

    /// The client has read AUTH.
    pub(super) fn receives(&mut self, auth: &Auth<'_>) {
        match auth.reason_code {
            ReasonCode::ContinueAuthentication => self.is_challenged = true,
            _ => self.again = false,
        }
    }
}
