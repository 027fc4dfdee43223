//! Enhanced authentication on one connection (§4.12): the exchange of CONNECT, and
//! re-authentication.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use dunlin_codec::{
    AckProperties, Auth, AuthProperties, BinaryData, ConnAck, Disconnect, Packet, PacketType,
    ReasonCode, Utf8String,
};

use crate::authentication::{
    Authentication, AuthenticationError, Authenticator, ReauthenticationError,
};
use crate::engine::link::conduct;
use crate::engine::open::Connection;
use crate::engine::outbound::operation::{Kind, Operation, OperationId, Outcome, Phase};
use crate::engine::{Ended, Engine, State};
use crate::error::{ConnectError, ConnectionError, RequestError, Violation};
use crate::message::text;
use crate::secret::Secret;

/// An exchange under way, and the method that its connection is bound to. [MQTT-4.12.0-5]
pub(super) struct Exchange {
    method: Arc<str>,
    authenticator: Box<dyn Authenticator>,
}

/// A connection's method, and its re-authentication if one is under way.
#[derive(Debug)]
pub(super) struct Authenticated {
    method: Arc<str>,
    again: Option<Reauthentication>,
}

#[derive(Debug)]
struct Reauthentication {
    exchange: Exchange,
    operation: OperationId,
    error: ReauthenticationError,
    /// When `error` has come true; a time beyond the clock's range is never.
    due: Option<Instant>,
}

type Data = Option<Secret<Vec<u8>>>;

impl Exchange {
    /// A fresh one, with what it begins with.
    pub(super) fn begin(
        authentication: &Authentication,
    ) -> Result<(Self, Data), AuthenticationError> {
        let mut authenticator = authentication.exchange();
        let data = authenticator.begin()?;
        Ok((
            Self {
                method: authentication.method.as_str().into(),
                authenticator,
            },
            data,
        ))
    }

    /// All that belongs to it names its method.
    fn check_method(
        &self,
        packet_type: PacketType,
        method: Option<Utf8String<'_>>,
    ) -> Result<(), Violation> {
        match method {
            Some(method) if method.as_str() == &*self.method => Ok(()),
            Some(_) => Err(conduct(
                packet_type,
                "another authentication method",
                "MQTT-4.12.0-5",
            )),
            None => Err(conduct(
                packet_type,
                "no authentication method",
                "MQTT-4.12.0-5",
            )),
        }
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// When the re-authentication is too late.
    pub(super) fn reauthentication_due(&self) -> Option<Instant> {
        self.authenticated.as_ref()?.again.as_ref()?.due
    }
}

impl Engine {
    /// Authenticates again on the connection that there is, with a fresh exchange of the method in
    /// the options; other packets flow on. Its outcome is [`Outcome::Reauthenticated`]; where
    /// it fails, the connection ends. [MQTT-4.12.1-1]
    ///
    /// # Errors
    /// There is no connection, or one without this method; another one is under way; the exchange
    /// has nothing to begin with. Nothing was sent.
    pub fn reauthenticate(&mut self, now: Instant) -> Result<OperationId, RequestError> {
        let State::Open(connection) = &mut self.state else {
            return Err(ReauthenticationError::NotConnected.into());
        };
        // Without a method in CONNECT there is no AUTH. [MQTT-4.12.0-7]
        let Some((authentication, authenticated)) = self
            .options
            .authentication
            .as_ref()
            .zip(connection.authenticated.as_mut())
        else {
            return Err(ReauthenticationError::OtherMethod.into());
        };
        if *authenticated.method != *authentication.method {
            return Err(ReauthenticationError::OtherMethod.into());
        }
        if authenticated.again.is_some() {
            return Err(ReauthenticationError::UnderWay.into());
        }
        let after = authentication.reauthenticate_within;
        let (exchange, data) =
            Exchange::begin(authentication).map_err(ReauthenticationError::Exchange)?;
        let method = Arc::clone(&exchange.method);
        self.send_auth(ReasonCode::ReAuthenticate, &method, data)?;
        let operation = self
            .session
            .operations
            .insert(Kind::Reauthenticate, Vec::new());
        if let State::Open(connection) = &mut self.state
            && let Some(authenticated) = &mut connection.authenticated
        {
            let (error, due) = (
                ReauthenticationError::Timeout { after },
                now.checked_add(after),
            );
            authenticated.again = Some(Reauthentication {
                exchange,
                operation,
                error,
                due,
            });
        }
        Ok(operation)
    }

    /// A step of the exchange; before CONNACK it isn't over.
    pub(super) fn handle_auth(&mut self, auth: &Auth<'_>) -> Result<(), Violation> {
        let AuthProperties {
            authentication_method,
            authentication_data,
            reason_string,
            user_properties,
        } = auth.properties;
        self.check_explanation(
            PacketType::Auth,
            &AckProperties {
                reason_string,
                user_properties,
            },
        )?;
        let connecting = matches!(self.state, State::Connecting { .. });
        let exchange = self.exchange()?;
        exchange.check_method(PacketType::Auth, authentication_method)?;
        let data = authentication_data.as_ref().map(BinaryData::as_bytes);
        match auth.reason_code {
            ReasonCode::ContinueAuthentication => {
                let method = Arc::clone(&exchange.method);
                match exchange.authenticator.respond(data) {
                    Ok(answer) => self.continue_exchange(&method, answer),
                    Err(error) => self.fail_exchange(error),
                }
            }
            ReasonCode::Success if !connecting => match exchange.authenticator.finish(data) {
                Ok(()) => self.end_reauthentication(Ok(Outcome::Reauthenticated)),
                Err(error) => self.fail_exchange(error),
            },
            // The decoder refuses what only clients say; success before CONNACK is CONNACK's to
            // say.
            _ => {
                return Err(conduct(
                    PacketType::Auth,
                    "success before CONNACK",
                    "MQTT-4.12.0-2",
                ));
            }
        }
        Ok(())
    }

    /// What a success CONNACK says of the exchange; whether it ended well. Nothing has changed so
    /// far.
    pub(super) fn authenticate(&mut self, connack: &ConnAck<'_>) -> Result<bool, Violation> {
        let said = &connack.properties;
        let State::Connecting { exchange, .. } = &mut self.state else {
            return Ok(false);
        };
        let Some(exchange) = exchange else {
            return match said.authentication_method {
                None => Ok(true),
                Some(_) => Err(conduct(PacketType::ConnAck, UNASKED, "MQTT-4.12.0-6")),
            };
        };
        exchange.check_method(PacketType::ConnAck, said.authentication_method)?;
        match exchange
            .authenticator
            .finish(said.authentication_data.as_ref().map(BinaryData::as_bytes))
        {
            Ok(()) => Ok(true),
            Err(error) => {
                self.fail_exchange(error);
                Ok(false)
            }
        }
    }

    /// A re-authentication that takes too long ends the connection.
    pub(super) fn time_out_reauthentication(&mut self, now: Instant) {
        if let State::Open(connection) = &self.state
            && let Some(again) = connection
                .authenticated
                .as_ref()
                .and_then(|each| each.again.as_ref())
            && again.due.is_some_and(|due| due <= now)
        {
            let error = again.error;
            self.fail_reauthentication(error);
        }
    }

    /// The connection is gone, and a re-authentication with it.
    pub(super) fn abandon_reauthentication(&mut self) {
        let operations = &mut self.session.operations;
        let is_pending =
            |each: &Operation| each.kind == Kind::Reauthenticate && each.phase != Phase::Done;
        let pending = operations
            .iter()
            .find(|(_, each)| is_pending(each))
            .map(|(id, _)| id);
        if let Some(id) = pending {
            operations.finish(id.key(), Err(ReauthenticationError::ConnectionLost.into()));
        }
    }

    /// The exchange that an AUTH belongs to.
    fn exchange(&mut self) -> Result<&mut Exchange, Violation> {
        let unasked = || conduct(PacketType::Auth, UNASKED, "MQTT-4.12.0-6");
        match &mut self.state {
            State::Connecting { exchange, .. } => exchange.as_mut().ok_or_else(unasked),
            State::Open(Connection {
                authenticated: Some(authenticated),
                ..
            }) => {
                let again = authenticated
                    .again
                    .as_mut()
                    .map(|again| &mut again.exchange);
                // Only clients begin one.
                again.ok_or_else(|| conduct(PacketType::Auth, "out of turn", "MQTT-4.12.1-1"))
            }
            State::Open(_) | State::Closing { .. } | State::Disconnected => Err(unasked()),
        }
    }

    fn continue_exchange(&mut self, method: &str, answer: Data) {
        if self
            .send_auth(ReasonCode::ContinueAuthentication, method, answer)
            .is_err()
        {
            self.fail_exchange(AuthenticationError::new("the answer is too large to send"));
        }
    }

    /// Says AUTH, without explanations that could make it too large. [MQTT-3.15.2-2]
    /// [MQTT-3.15.2-3]
    fn send_auth(
        &mut self,
        reason_code: ReasonCode,
        method: &str,
        data: Data,
    ) -> Result<(), RequestError> {
        let data = data
            .as_ref()
            .map(|data| BinaryData::new(data.expose()))
            .transpose()
            .map_err(text("authentication data"))?;
        let properties = AuthProperties {
            authentication_method: Some(
                Utf8String::new(method).map_err(text("authentication method"))?,
            ),
            authentication_data: data,
            ..AuthProperties::default()
        };
        let auth = Packet::Auth(Auth {
            reason_code,
            properties,
        });
        if let State::Open(connection) = &self.state {
            connection.check_size(auth.encoded_len()?)?;
        }
        auth.encode(&mut self.output)?;
        self.counts().packets_sent += 1;
        Ok(())
    }

    /// This side won't go on: before CONNACK the connection just ends [U-4.12-1], after it the
    /// server is told.
    fn fail_exchange(&mut self, error: AuthenticationError) {
        if self.is_connected() {
            self.fail_reauthentication(error.into());
        } else {
            self.close(Ended::Attempt(ConnectError::Authentication(error)));
        }
    }

    /// [MQTT-4.12.1-2] Of the codes that say why, 0x87 is the server's alone.
    fn fail_reauthentication(&mut self, error: ReauthenticationError) {
        self.end_reauthentication(Err(error.into()));
        let reason_code = ReasonCode::UnspecifiedError;
        self.send_packet(&Packet::Disconnect(Disconnect {
            reason_code,
            ..Disconnect::default()
        }));
        self.close(Ended::Connection(ConnectionError::Reauthentication(error)));
    }

    fn end_reauthentication(&mut self, outcome: Result<Outcome, RequestError>) {
        let State::Open(connection) = &mut self.state else {
            return;
        };
        if let Some(again) = connection
            .authenticated
            .as_mut()
            .and_then(|each| each.again.take())
        {
            self.session
                .operations
                .finish(again.operation.key(), outcome);
        }
    }
}

impl From<Exchange> for Authenticated {
    fn from(exchange: Exchange) -> Self {
        Self {
            method: exchange.method,
            again: None,
        }
    }
}

const UNASKED: &str = "authentication that nobody asked for";
