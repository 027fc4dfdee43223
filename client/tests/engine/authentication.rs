//! Enhanced authentication (§4.12): both sides convince each other before CONNACK, and again
//! whenever the client likes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dunlin_client::codec::{
    Auth, AuthProperties, BinaryData, ConnAck, ConnAckProperties, Packet, PacketBuf, ReasonCode,
    Utf8String,
};
use dunlin_client::engine::OperationId;
use dunlin_client::secret::Secret;
use dunlin_client::{
    Authentication, AuthenticationError, Authenticator, ConnectError, ConnectOptions,
    ConnectionError, Message, OptionsError, QoS, ReauthenticationError, RequestError, Violation,
};

use crate::harness::{Client, Ended, options};
use crate::packets::{at_least_once, buf, connack_with, disconnect, publish, refusal};

/// Says "1", answers "x" with "x!", and is content with "fine".
pub(crate) struct Echo;

pub(crate) const BAD_QUESTION: AuthenticationError = AuthenticationError::new("no question at all");
pub(crate) const BAD_END: AuthenticationError = AuthenticationError::new("the server isn't fine");

impl Authenticator for Echo {
    fn begin(&mut self) -> Result<Option<Secret<Vec<u8>>>, AuthenticationError> {
        Ok(Some(b"1".to_vec().into()))
    }

    fn respond(
        &mut self,
        data: Option<&[u8]>,
    ) -> Result<Option<Secret<Vec<u8>>>, AuthenticationError> {
        match data.ok_or(BAD_QUESTION)? {
            b"silence" => Ok(None),
            b"flood" => Ok(Some(vec![0; 70_000].into())),
            data => Ok(Some([data, b"!"].concat().into())),
        }
    }

    fn finish(&mut self, data: Option<&[u8]>) -> Result<(), AuthenticationError> {
        if data == Some(b"fine") {
            Ok(())
        } else {
            Err(BAD_END)
        }
    }
}

pub(crate) fn echo_options() -> ConnectOptions {
    let mut options = options();
    options.authentication = Some(Authentication::new("ECHO", || Echo));
    options
}

pub(crate) fn auth(reason_code: ReasonCode, method: &str, data: Option<&[u8]>) -> PacketBuf {
    let properties = AuthProperties {
        authentication_method: Utf8String::new(method).ok(),
        authentication_data: data.map(|data| BinaryData::new(data).unwrap()),
        ..AuthProperties::default()
    };
    buf(Packet::Auth(Auth {
        reason_code,
        properties,
    }))
}

/// AUTH with 0x18 (Continue authentication).
pub(crate) fn auth_continue(data: &[u8]) -> PacketBuf {
    auth(ReasonCode::ContinueAuthentication, "ECHO", Some(data))
}

pub(crate) fn auth_reauthenticate() -> PacketBuf {
    auth(ReasonCode::ReAuthenticate, "ECHO", Some(b"1"))
}

pub(crate) fn auth_success() -> PacketBuf {
    auth(ReasonCode::Success, "ECHO", Some(b"fine"))
}

pub(crate) fn connack_with_auth(method: Option<&str>, data: &[u8]) -> PacketBuf {
    connack_with(ConnAckProperties {
        authentication_method: method.map(|method| Utf8String::new(method).unwrap()),
        authentication_data: method.map(|_| BinaryData::new(data).unwrap()),
        ..ConnAckProperties::default()
    })
}

pub(crate) fn authenticated() -> Client {
    Client::connected_as(echo_options(), &connack_with_auth(Some("ECHO"), b"fine"))
}

pub(crate) fn reauthenticates(client: &mut Client) -> OperationId {
    let id = client.engine.reauthenticate(client.now()).unwrap();
    assert_eq!(client.sends(), [auth_reauthenticate()]);
    id
}

/// Statement that the server violated after CONNACK.
#[track_caller]
pub(crate) fn violated_statement(client: &mut Client) -> &'static str {
    assert_eq!(client.sends(), [disconnect(ReasonCode::ProtocolError)]);
    match client.closes() {
        Ended::Connection(ConnectionError::Protocol(Violation::Unexpected {
            statement, ..
        })) => statement,
        other => panic!("{other:?}"),
    }
}

/// Statement that the server violated before CONNACK; the client sends no DISCONNECT.
#[track_caller]
fn violated_statement_before_connack(client: &mut Client) -> &'static str {
    assert!(client.sends().is_empty());
    match client.closes() {
        Ended::Attempt(ConnectError::Protocol(Violation::Unexpected { statement, .. })) => {
            statement
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn connect_names_the_method_and_carries_what_it_begins_with() {
    let mut client = Client::new(echo_options());
    client.opens();
    let sent = client.sends();
    let Packet::Connect(connect) = sent[0].packet() else {
        panic!("{sent:?}")
    };
    let connect = connect.read();
    assert_eq!(
        connect.properties.authentication_method.unwrap().as_str(),
        "ECHO"
    );
    assert_eq!(
        connect.properties.authentication_data.unwrap().as_bytes(),
        b"1"
    );
}

/// gneiss_no_auth, rumqttc_no_auth [MQTT-4.12.0-3] [MQTT-4.12.0-5]
#[test]
fn every_question_is_answered_by_auth_0x18_with_the_method_of_connect() {
    let mut client = Client::connecting(echo_options());
    client.receives(&auth_continue(b"x"));
    assert_eq!(client.sends(), [auth_continue(b"x!")]);
    client.receives(&auth_continue(b"silence"));
    assert_eq!(
        client.sends(),
        [auth(ReasonCode::ContinueAuthentication, "ECHO", None)]
    );
    client.receives(&connack_with_auth(Some("ECHO"), b"fine"));
    assert!(client.engine.is_connected());
    assert!(client.sends().is_empty());
}

/// [MQTT-3.1.2-30]
#[test]
fn before_connack_nothing_leaves_but_auth() {
    let mut options = echo_options();
    options.keep_alive = Duration::from_secs(2);
    let mut client = Client::connecting(options);
    client.publishes("a", QoS::AtLeastOnce);
    client.try_publish(Message::new("b", "on")).unwrap();
    client.subscribes(&["c"]);
    client.advance(Duration::from_secs(3));
    assert!(client.sends().is_empty());
    client.receives(&auth_continue(b"x"));
    assert_eq!(client.sends(), [auth_continue(b"x!")]);
    client.receives(&connack_with_auth(Some("ECHO"), b"fine"));
    assert_eq!(client.sends().len(), 3);
}

/// [MQTT-4.12.0-5] [U-3.15-1]
#[test]
fn another_method_or_none_breaks_the_exchange() {
    let bare = buf(Packet::Auth(Auth::default()));
    let other = auth(ReasonCode::ContinueAuthentication, "OTHER", None);
    for answer in [
        other,
        bare,
        connack_with_auth(None, b""),
        connack_with_auth(Some("OTHER"), b"fine"),
    ] {
        let mut client = Client::connecting(echo_options());
        client.receives(&answer);
        assert_eq!(
            violated_statement_before_connack(&mut client),
            "MQTT-4.12.0-5",
            "{answer:?}"
        );
    }
}

/// [MQTT-4.12.0-2]
#[test]
fn auth_with_success_before_connack_is_a_protocol_error() {
    let mut client = Client::connecting(echo_options());
    client.receives(&auth_success());
    assert_eq!(
        violated_statement_before_connack(&mut client),
        "MQTT-4.12.0-2"
    );
}

/// [MQTT-3.15.2-1]
#[test]
fn a_server_never_asks_to_authenticate_again() {
    let mut client = Client::connecting(echo_options());
    client.receives(&auth_reauthenticate());
    assert!(client.sends().is_empty());
    assert!(matches!(
        client.closes(),
        Ended::Attempt(ConnectError::Protocol(Violation::Packet(_)))
    ));

    let mut client = authenticated();
    client.receives(&auth_reauthenticate());
    let sent = client.sends();
    let Ended::Connection(ConnectionError::Protocol(violation)) = client.closes() else {
        panic!()
    };
    assert_eq!(sent, [disconnect(violation.reason_code())]);
}

/// [MQTT-4.12.0-1] [MQTT-4.12.0-4]
#[test]
fn a_refusal_ends_the_exchange_whatever_method_it_names() {
    for code in [
        ReasonCode::BadAuthenticationMethod,
        ReasonCode::NotAuthorized,
    ] {
        let mut client = Client::connecting(echo_options());
        client.receives(&auth_continue(b"x"));
        client.sends();
        client.receives(&refusal(code));
        assert!(client.sends().is_empty());
        match client.closes() {
            Ended::Attempt(ConnectError::Refused(reason)) => assert_eq!(reason.reason_code, code),
            other => panic!("{other:?}"),
        }
    }
}

/// [U-4.12-1]
#[test]
fn an_authenticator_that_fails_ends_the_attempt_without_a_packet() {
    let question = auth(ReasonCode::ContinueAuthentication, "ECHO", None);
    let too_long = AuthenticationError::new("the answer is too large to send");
    for (answer, error) in [
        (question, BAD_QUESTION),
        (auth_continue(b"flood"), too_long),
        (connack_with_auth(Some("ECHO"), b"evil"), BAD_END),
    ] {
        let mut client = Client::connecting(echo_options());
        client.receives(&answer);
        assert!(client.sends().is_empty());
        assert!(
            client.events().is_empty(),
            "a server that isn't believed changes nothing"
        );
        assert_eq!(
            client.closes(),
            Ended::Attempt(ConnectError::Authentication(error))
        );
    }
}

#[test]
fn a_server_that_fails_authentication_leaves_the_session_unchanged() {
    let mut client = authenticated();
    client.publishes("a", QoS::AtLeastOnce);
    client.sends();
    client.loses_connection();
    client.opens();
    client.sends();
    client.receives(&connack_with_auth(Some("ECHO"), b"evil"));
    client.closes();
    client.opens();
    client.sends();
    let properties = ConnAckProperties {
        authentication_method: Utf8String::new("ECHO").ok(),
        authentication_data: BinaryData::new(b"fine").ok(),
        ..ConnAckProperties::default()
    };
    client.receives(&buf(Packet::from(&ConnAck {
        session_present: true,
        properties,
        ..ConnAck::default()
    })));
    assert_eq!(
        client.sends(),
        [publish("a", crate::packets::with_dup(at_least_once(1)))]
    );
}

#[test]
fn the_time_for_connack_bounds_the_exchange() {
    let mut client = Client::connecting(echo_options());
    for _ in 0..4 {
        client.advance(Duration::from_secs(4));
        client.receives(&auth_continue(b"x"));
    }
    client.advance(Duration::from_secs(4));
    let after = Duration::from_secs(20);
    assert_eq!(
        client.closes(),
        Ended::Attempt(ConnectError::ConnAckTimeout { after })
    );
}

#[test]
fn every_connection_begins_a_fresh_exchange() {
    let begun = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&begun);
    let mut options = options();
    options.authentication = Some(Authentication::new("ECHO", move || {
        counter.fetch_add(1, Ordering::Relaxed);
        Echo
    }));
    let mut client = Client::connected_as(options, &connack_with_auth(Some("ECHO"), b"fine"));
    client.reconnects(&connack_with_auth(Some("ECHO"), b"fine"));
    reauthenticates(&mut client);
    assert_eq!(begun.load(Ordering::Relaxed), 3);
}

#[test]
fn an_authenticator_that_cannot_begin_sends_nothing() {
    struct Dry;
    impl Authenticator for Dry {
        fn begin(&mut self) -> Result<Option<Secret<Vec<u8>>>, AuthenticationError> {
            Err(AuthenticationError::new("no token"))
        }
        fn respond(
            &mut self,
            _: Option<&[u8]>,
        ) -> Result<Option<Secret<Vec<u8>>>, AuthenticationError> {
            Ok(None)
        }
        fn finish(&mut self, _: Option<&[u8]>) -> Result<(), AuthenticationError> {
            Ok(())
        }
    }
    let mut dry = options();
    dry.authentication = Some(Authentication::new("DRY", || Dry));
    let mut client = Client::new(dry);
    let no_token = AuthenticationError::new("no token");
    assert_eq!(
        client.try_open(),
        Err(ConnectError::Authentication(no_token))
    );
    assert!(client.sends().is_empty());

    let mut unnamed = options();
    unnamed.authentication = Some(Authentication::new("nul\0", || Dry));
    assert!(matches!(
        unnamed.check(),
        Err(OptionsError::Text {
            field: "authentication method",
            ..
        })
    ));
}

/// [MQTT-4.12.0-5] [MQTT-4.12.1-1] [U-3.15-1]
#[test]
fn auth_of_another_method_or_out_of_turn_is_answered_with_0x82() {
    let other = auth(ReasonCode::Success, "OTHER", Some(b"fine"));
    for answer in [other, buf(Packet::Auth(Auth::default()))] {
        let mut client = authenticated();
        reauthenticates(&mut client);
        client.receives(&answer);
        assert_eq!(violated_statement(&mut client), "MQTT-4.12.0-5");
    }
    for unasked in [auth_continue(b"x"), auth_success()] {
        let mut client = authenticated();
        client.receives(&unasked);
        assert_eq!(violated_statement(&mut client), "MQTT-4.12.1-1");
    }
    let mut client = authenticated();
    reauthenticates(&mut client);
    client.receives_all(&[auth_success(), auth_success()]);
    assert_eq!(
        violated_statement(&mut client),
        "MQTT-4.12.1-1",
        "it was over"
    );
}

pub(crate) fn too_large() -> AuthenticationError {
    AuthenticationError::new("the answer is too large to send")
}

/// [MQTT-3.2.2-15]
#[test]
fn no_auth_is_larger_than_the_server_takes() {
    let properties = ConnAckProperties {
        authentication_method: Utf8String::new("ECHO").ok(),
        authentication_data: BinaryData::new(b"fine").ok(),
        maximum_packet_size: 20.try_into().ok(),
        ..ConnAckProperties::default()
    };
    let mut client = Client::connected_as(echo_options(), &connack_with(properties));
    let id = reauthenticates(&mut client);
    client.receives(&auth_continue(b"0123456789"));
    assert_eq!(client.sends(), [disconnect(ReasonCode::UnspecifiedError)]);
    client.closes();
    let error = ReauthenticationError::Exchange(too_large());
    assert_eq!(
        client.outcome(id),
        Some(Err(RequestError::Reauthentication(error)))
    );

    let mut client = Client::connected_as(
        echo_options(),
        &connack_with(ConnAckProperties {
            maximum_packet_size: 10.try_into().ok(),
            ..properties
        }),
    );
    let refused = client.engine.reauthenticate(client.now());
    assert!(matches!(
        refused,
        Err(RequestError::TooLarge { limit: 10, .. })
    ));
    assert!(client.sends().is_empty() && client.engine.is_connected() && client.engine.is_idle());
}

/// [MQTT-3.1.2-29]
#[test]
fn problem_information_in_auth_that_was_not_requested_is_a_violation() {
    let mut options = echo_options();
    options.request_problem_information = Some(false);
    let mut client = Client::connected_as(options, &connack_with_auth(Some("ECHO"), b"fine"));
    reauthenticates(&mut client);
    let properties = AuthProperties {
        authentication_method: Utf8String::new("ECHO").ok(),
        reason_string: Utf8String::new("because").ok(),
        ..AuthProperties::default()
    };
    client.receives(&buf(Packet::Auth(Auth {
        reason_code: ReasonCode::ContinueAuthentication,
        properties,
    })));
    assert_eq!(violated_statement(&mut client), "MQTT-3.1.2-29");
}

#[test]
fn nothing_of_an_exchange_is_printed() {
    const CANARY: &[u8] = b"canary-5e1f";
    struct Leaky;
    impl Authenticator for Leaky {
        fn begin(&mut self) -> Result<Option<Secret<Vec<u8>>>, AuthenticationError> {
            Ok(Some(CANARY.to_vec().into()))
        }
        fn respond(
            &mut self,
            _: Option<&[u8]>,
        ) -> Result<Option<Secret<Vec<u8>>>, AuthenticationError> {
            Ok(Some(CANARY.to_vec().into()))
        }
        fn finish(&mut self, _: Option<&[u8]>) -> Result<(), AuthenticationError> {
            Ok(())
        }
    }
    let mut options = options();
    options.authentication = Some(Authentication::new("LEAKY", || Leaky));
    let printed = format!("{options:?}");
    assert!(
        printed.contains("LEAKY") && !printed.contains("canary"),
        "{printed}"
    );
    options.password = Some(CANARY.to_vec().into());
    let mut client = Client::new(options);
    client.try_open().unwrap();
    let waiting = format!("{:?}", client.engine);
    client.sends();
    client.receives(&auth(ReasonCode::ContinueAuthentication, "LEAKY", None));
    for printed in [waiting, format!("{:?}", client.engine)] {
        assert!(!printed.contains("canary"), "{printed}");
    }
}
