//! Enhanced authentication on one connection (§4.12): the exchange of CONNECT, and
//! re-authentication.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use dunlin_codec::{
    Auth, AuthProperties, BinaryData, ConnAck, Packet, PacketType, ReasonCode, Utf8String,
};

use super::core::Core;
use super::exit::Exit;
use super::outbound::accepted_request::OperationId;
use super::outbound::flow::Flow;
use super::outbound::outcome::Outcome;
use super::outbound::request::Request;
use super::violation::protocol_error;
use crate::authentication::{
    Authentication, AuthenticationError, Authenticator, ReauthenticationError,
};
use crate::error::{ConnectError, ConnectionError, RequestError, Violation};
use crate::message::text;
use crate::secret::Secret;

/// An exchange of AUTH packets, and the method that its connection is bound to. [MQTT-4.12.0-5]
pub(super) struct Exchange {
    method: Arc<str>,
    authenticator: Box<dyn Authenticator>,
}

/// Authentication of an open connection: its method, and the re-authentication that is under way.
#[derive(Debug)]
pub(super) struct Authenticated {
    method: Arc<str>,
    /// `None` while none is under way.
    reauthentication: Option<Reauthentication>,
}

#[derive(Debug)]
struct Reauthentication {
    exchange: Exchange,
    operation: OperationId,
    /// Error of a re-authentication that takes too long.
    timeout: ReauthenticationError,
    /// Time at which it has taken too long; `None` beyond the clock's range.
    due: Option<Instant>,
}

/// Authentication Data (§3.15.2.2.3); `None` without any.
type Data = Option<Secret<Vec<u8>>>;

/// Fault of AUTH and CONNACK for a connection without an authentication method.
const UNASKED: &str = "authentication that nobody asked for";

impl Exchange {
    /// Begins an exchange. Returns it with its first data.
    ///
    /// # Errors
    /// Error of the authenticator.
    pub(super) fn begin(
        authentication: &Authentication,
    ) -> Result<(Self, Data), AuthenticationError> {
        // Each exchange has an authenticator of its own, which may begin with data.
        let mut authenticator = authentication.exchange();
        let data = authenticator.begin()?;
        let method = authentication.method.as_str().into();
        Ok((
            Self {
                method,
                authenticator,
            },
            data,
        ))
    }

    /// Checks that a packet of the exchange names its method.
    fn check_method(
        &self,
        packet_type: PacketType,
        method: Option<Utf8String<'_>>,
    ) -> Result<(), Violation> {
        // Every packet of the exchange repeats the method.
        let fault = match method {
            Some(method) if method.as_str() == &*self.method => return Ok(()),
            Some(_) => "another authentication method",
            None => "no authentication method",
        };
        Err(protocol_error(packet_type, fault, "MQTT-4.12.0-5"))
    }

    /// Checks an AUTH of the exchange. Returns the data in it.
    fn check_auth<'a>(&self, auth: &'a Auth<'_>) -> Result<Option<&'a [u8]>, Violation> {
        self.check_method(PacketType::Auth, auth.properties.authentication_method)?;
        let data = auth.properties.authentication_data.as_ref();
        Ok(data.map(BinaryData::as_bytes))
    }

    /// Answers a step of the server.
    fn respond(
        &mut self,
        data: Option<&[u8]>,
        flow: Option<&Flow>,
        core: &mut Core,
    ) -> Result<(), AuthenticationError> {
        let answer = self.authenticator.respond(data)?;
        let reason_code = ReasonCode::ContinueAuthentication;
        write_auth(reason_code, &self.method, answer, flow, core)
            .map_err(|_| AuthenticationError::new("the answer is too large to send"))
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

impl From<Exchange> for Authenticated {
    fn from(exchange: Exchange) -> Self {
        Self {
            method: exchange.method,
            reauthentication: None,
        }
    }
}

/// Handles AUTH before CONNACK: a step of the exchange, which CONNACK ends. `exchange` is `None`
/// without an authentication method.
///
/// # Errors
/// A protocol violation; or this side can't go on, and the connection just ends. [U-4.12-1]
pub(super) fn handle_auth(
    exchange: Option<&mut Exchange>,
    auth: &Auth<'_>,
    core: &mut Core,
) -> Result<(), Exit> {
    check_explanation(auth, core)?;
    let Some(exchange) = exchange else {
        return Err(unasked().into());
    };
    // Every step names the method and may carry data.
    let data = exchange.check_auth(auth)?;
    if auth.reason_code != ReasonCode::ContinueAuthentication {
        return Err(success_before_connack().into());
    }
    exchange
        .respond(data, None, core)
        .map_err(|error| Exit::attempt(ConnectError::Authentication(error)))
}

/// Ends the exchange with the data of a success CONNACK.
///
/// # Errors
/// A protocol violation; or this side doesn't accept the data, and the connection just ends.
pub(super) fn finish(exchange: Option<&mut Exchange>, connack: &ConnAck<'_>) -> Result<(), Exit> {
    let properties = &connack.properties;
    let Some(exchange) = exchange else {
        return match properties.authentication_method {
            None => Ok(()),
            Some(_) => Err(protocol_error(PacketType::ConnAck, UNASKED, "MQTT-4.12.0-6").into()),
        };
    };
    exchange.check_method(PacketType::ConnAck, properties.authentication_method)?;
    let data = properties.authentication_data.as_ref();
    exchange
        .authenticator
        .finish(data.map(BinaryData::as_bytes))
        .map_err(|error| Exit::attempt(ConnectError::Authentication(error)))
}

impl Authenticated {
    /// Time at which the re-authentication has taken too long; `None` if it has no end, and while
    /// none is under way.
    pub(super) fn reauthentication_due(&self) -> Option<Instant> {
        self.reauthentication.as_ref()?.due
    }

    /// Begins a re-authentication with the method in the options. [MQTT-4.12.1-1]
    ///
    /// # Errors
    /// [`RequestError::Reauthentication`], or an error of the packet. Nothing was sent then.
    pub(super) fn reauthenticate(
        &mut self,
        now: Instant,
        flow: &Flow,
        core: &mut Core,
    ) -> Result<OperationId, RequestError> {
        // The method cannot change on a connection.
        let options = core.options.authentication.as_ref();
        let Some(authentication) = options.filter(|each| *self.method == *each.method) else {
            return Err(ReauthenticationError::OtherMethod.into());
        };
        // One at a time: AUTH packets have no identifier that would tell two apart.
        if self.reauthentication.is_some() {
            return Err(ReauthenticationError::UnderWay.into());
        }
        // AUTH is written first: if that fails, nothing has begun.
        let after = authentication.reauthenticate_within;
        let (exchange, data) =
            Exchange::begin(authentication).map_err(ReauthenticationError::Exchange)?;
        let reason_code = ReasonCode::ReAuthenticate;
        write_auth(reason_code, &exchange.method, data, Some(flow), core)?;

        // The application waits for the outcome as for that of any request.
        let operation = core
            .session
            .outbound
            .operations
            .insert(Request::Authenticate);
        self.reauthentication = Some(Reauthentication {
            exchange,
            operation,
            timeout: ReauthenticationError::Timeout { after },
            due: now.checked_add(after),
        });
        Ok(operation)
    }

    /// Handles AUTH on an open connection: a step of the re-authentication, or its end.
    ///
    /// # Errors
    /// A protocol violation; or this side can't go on, and the server is told. [MQTT-4.12.1-2]
    pub(super) fn handle_auth(
        &mut self,
        auth: &Auth<'_>,
        flow: &Flow,
        core: &mut Core,
    ) -> Result<(), Exit> {
        // Only clients begin a re-authentication.
        let Some(under_way) = &mut self.reauthentication else {
            return Err(protocol_error(PacketType::Auth, "out of turn", "MQTT-4.12.1-1").into());
        };
        let data = under_way.exchange.check_auth(auth)?;
        let result = match auth.reason_code {
            ReasonCode::ContinueAuthentication => {
                under_way.exchange.respond(data, Some(flow), core)
            }
            ReasonCode::Success => under_way.exchange.authenticator.finish(data),
            // The decoder refuses codes that only clients send.
            _ => return Err(success_before_connack().into()),
        };
        if let Err(error) = result {
            return Err(self.fail(error.into(), core));
        }
        if auth.reason_code == ReasonCode::Success {
            self.end(Ok(Outcome::Reauthenticated), core);
        }
        Ok(())
    }

    /// Ends the connection if its re-authentication has taken too long.
    ///
    /// # Errors
    /// The re-authentication has taken too long.
    pub(super) fn time_out(&mut self, now: Instant, core: &mut Core) -> Result<(), Exit> {
        match &self.reauthentication {
            Some(under_way) if under_way.due.is_some_and(|due| due <= now) => {
                let error = under_way.timeout;
                Err(self.fail(error, core))
            }
            _ => Ok(()),
        }
    }

    /// Fails the re-authentication. The connection ends with it; of the reason codes that fit, 0x87
    /// is the server's alone.
    fn fail(&mut self, error: ReauthenticationError, core: &mut Core) -> Exit {
        self.end(Err(error.into()), core);
        Exit::disconnect(
            ReasonCode::UnspecifiedError,
            ConnectionError::Reauthentication(error),
        )
    }

    fn end(&mut self, outcome: Result<Outcome, RequestError>, core: &mut Core) {
        if let Some(ended) = self.reauthentication.take() {
            let operations = &mut core.session.outbound.operations;
            operations.complete(ended.operation.key(), outcome, &mut core.statistics);
        }
    }
}

/// Violation of an AUTH on a connection without an authentication method.
pub(super) const fn unasked() -> Violation {
    protocol_error(PacketType::Auth, UNASKED, "MQTT-4.12.0-6")
}

/// Checks the texts of an AUTH, before anything else.
pub(super) fn check_explanation(auth: &Auth<'_>, core: &Core) -> Result<(), Violation> {
    let properties = &auth.properties;
    core.check_explanation(
        PacketType::Auth,
        &properties.reason_string,
        &properties.user_properties,
    )
}

/// Violation of an AUTH with a success code where only CONNACK may report success.
const fn success_before_connack() -> Violation {
    protocol_error(PacketType::Auth, "success before CONNACK", "MQTT-4.12.0-2")
}

/// Writes AUTH, without explanations that could make it too large. `flow` is that of the open
/// connection; before CONNACK the limits of the server are not known.
/// [MQTT-3.15.2-2] [MQTT-3.15.2-3]
fn write_auth(
    reason_code: ReasonCode,
    method: &str,
    data: Data,
    flow: Option<&Flow>,
    core: &mut Core,
) -> Result<(), RequestError> {
    // The authenticator may return more than a packet can carry.
    let data = data
        .as_ref()
        .map(|data| BinaryData::new(data.expose()))
        .transpose()
        .map_err(text("authentication data"))?;
    let method = Utf8String::new(method).map_err(text("authentication method"))?;
    // Neither reason string nor user properties: the server has to take the packet.
    let auth = Packet::Auth(Auth {
        reason_code,
        properties: AuthProperties {
            authentication_method: Some(method),
            authentication_data: data,
            ..AuthProperties::default()
        },
    });
    if let Some(flow) = flow {
        flow.check_size(auth.encoded_len()?)?;
    }
    auth.encode(core.output.buffer())?;
    core.statistics.packets_sent += 1;
    Ok(())
}
