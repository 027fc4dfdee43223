//! Enhanced authentication on one connection (§4.12): the exchange of CONNECT, and
//! re-authentication.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use dunlin_codec::{
    Auth, AuthProperties, BinaryData, ConnAck, Packet, PacketType, ReasonCode, Utf8String,
};

use super::connecting::Connecting;
use super::core::Core;
use super::open::Open;
use super::outbound::flow::Flow;
use super::outbound::operation::OperationId;
use super::outbound::outcome::Outcome;
use super::outbound::request::Request;
use super::state::Exit;
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

impl Authenticated {
    /// Time at which the re-authentication has taken too long; `None` if it has no end, and while
    /// none is under way.
    pub(super) fn reauthentication_due(&self) -> Option<Instant> {
        self.reauthentication.as_ref()?.due
    }
}

impl Connecting {
    /// Handles AUTH before CONNACK: a step of the exchange, which CONNACK ends.
    ///
    /// # Errors
    /// A protocol violation; or this side can't go on, and the connection just ends. [U-4.12-1]
    pub(super) fn handle_auth(&mut self, auth: &Auth<'_>, core: &mut Core) -> Result<(), Exit> {
        let properties = &auth.properties;
        core.check_explanation(
            PacketType::Auth,
            &properties.reason_string,
            &properties.user_properties,
        )?;
        let Some(exchange) = &mut self.exchange else {
            return Err(protocol_error(PacketType::Auth, UNASKED, "MQTT-4.12.0-6").into());
        };
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
    pub(super) fn finish_authentication(&mut self, connack: &ConnAck<'_>) -> Result<(), Exit> {
        let properties = &connack.properties;
        let Some(exchange) = &mut self.exchange else {
            return match properties.authentication_method {
                None => Ok(()),
                Some(_) => {
                    Err(protocol_error(PacketType::ConnAck, UNASKED, "MQTT-4.12.0-6").into())
                }
            };
        };
        exchange.check_method(PacketType::ConnAck, properties.authentication_method)?;
        let data = properties.authentication_data.as_ref();
        exchange
            .authenticator
            .finish(data.map(BinaryData::as_bytes))
            .map_err(|error| Exit::attempt(ConnectError::Authentication(error)))
    }
}

impl Open {
    /// Begins a re-authentication with the method in the options. [MQTT-4.12.1-1]
    ///
    /// # Errors
    /// [`RequestError::Reauthentication`], or an error of the packet. Nothing was sent then.
    pub(super) fn reauthenticate(
        &mut self,
        now: Instant,
        core: &mut Core,
    ) -> Result<OperationId, RequestError> {
        // Without a method in CONNECT there is no AUTH. [MQTT-4.12.0-7]
        let options = core.options.authentication.as_ref();
        let Some((authentication, authenticated)) = options.zip(self.authenticated.as_ref()) else {
            return Err(ReauthenticationError::OtherMethod.into());
        };
        if *authenticated.method != *authentication.method {
            return Err(ReauthenticationError::OtherMethod.into());
        }
        if authenticated.reauthentication.is_some() {
            return Err(ReauthenticationError::UnderWay.into());
        }
        let after = authentication.reauthenticate_within;
        let (exchange, data) =
            Exchange::begin(authentication).map_err(ReauthenticationError::Exchange)?;
        let reason_code = ReasonCode::ReAuthenticate;
        write_auth(reason_code, &exchange.method, data, Some(&self.flow), core)?;

        let operation = core
            .session
            .outbound
            .operations
            .insert(Request::Authenticate);
        if let Some(authenticated) = &mut self.authenticated {
            authenticated.reauthentication = Some(Reauthentication {
                exchange,
                operation,
                timeout: ReauthenticationError::Timeout { after },
                due: now.checked_add(after),
            });
        }
        Ok(operation)
    }

    /// Handles AUTH on an open connection: a step of the re-authentication, or its end.
    ///
    /// # Errors
    /// A protocol violation; or this side can't go on, and the server is told. [MQTT-4.12.1-2]
    pub(super) fn handle_auth(&mut self, auth: &Auth<'_>, core: &mut Core) -> Result<(), Exit> {
        let properties = &auth.properties;
        core.check_explanation(
            PacketType::Auth,
            &properties.reason_string,
            &properties.user_properties,
        )?;
        let Self {
            authenticated,
            flow,
            ..
        } = self;
        let Some(authenticated) = authenticated else {
            return Err(protocol_error(PacketType::Auth, UNASKED, "MQTT-4.12.0-6").into());
        };
        // Only clients begin a re-authentication.
        let Some(under_way) = &mut authenticated.reauthentication else {
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
            return Err(self.fail_reauthentication(error.into(), core));
        }
        if auth.reason_code == ReasonCode::Success {
            self.end_reauthentication(Ok(Outcome::Reauthenticated), core);
        }
        Ok(())
    }

    /// Ends the connection if its re-authentication has taken too long.
    ///
    /// # Errors
    /// It has.
    pub(super) fn time_out_reauthentication(
        &mut self,
        now: Instant,
        core: &mut Core,
    ) -> Result<(), Exit> {
        let under_way = self
            .authenticated
            .as_ref()
            .and_then(|each| each.reauthentication.as_ref());
        match under_way {
            Some(under_way) if under_way.due.is_some_and(|due| due <= now) => {
                let error = under_way.timeout;
                Err(self.fail_reauthentication(error, core))
            }
            _ => Ok(()),
        }
    }

    /// Fails the re-authentication. The connection ends with it; of the reason codes that fit, 0x87
    /// is the server's alone.
    fn fail_reauthentication(&mut self, error: ReauthenticationError, core: &mut Core) -> Exit {
        self.end_reauthentication(Err(error.into()), core);
        Exit::disconnect(
            ReasonCode::UnspecifiedError,
            ConnectionError::Reauthentication(error),
        )
    }

    fn end_reauthentication(&mut self, outcome: Result<Outcome, RequestError>, core: &mut Core) {
        let ended = self
            .authenticated
            .as_mut()
            .and_then(|each| each.reauthentication.take());
        if let Some(ended) = ended {
            let operations = &mut core.session.outbound.operations;
            operations.complete(ended.operation.key(), outcome, &mut core.statistics);
        }
    }
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
    let data = data
        .as_ref()
        .map(|data| BinaryData::new(data.expose()))
        .transpose()
        .map_err(text("authentication data"))?;
    let method = Utf8String::new(method).map_err(text("authentication method"))?;
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
