//! Re-authentication: one exchange on an open connection (§4.12.1).

use std::time::Duration;

use dunlin_client::codec::{PacketType, ReasonCode};
use dunlin_client::engine::Outcome;
use dunlin_client::{Authentication, ConnectionError, QoS, ReauthenticationError, RequestError};

use crate::harness::{Client, Ended, options};
use crate::packets::{at_least_once, connack, disconnect, pingreq, puback, publish};

use crate::authentication::{
    BAD_END, Echo, auth, auth_continue, auth_success, authenticated, connack_with_auth,
    echo_options, reauthenticates, too_large,
};

/// [MQTT-4.12.1-1] [U-4.12.1-1]
#[test]
fn a_client_authenticates_again_while_everything_else_goes_on() {
    let mut client = authenticated();
    let id = reauthenticates(&mut client);
    let message = client.publishes("a", QoS::AtLeastOnce);
    assert_eq!(client.sends(), [publish("a", at_least_once(1))]);
    client.receives_all(&[
        auth_continue(b"x"),
        puback(1),
        publish("b", at_least_once(1)),
    ]);
    assert!(client.outcome(message).unwrap().is_ok());
    assert_eq!(client.consumes_all(), ["b"]);
    assert_eq!(client.sends(), [auth_continue(b"x!"), puback(1)]);
    assert_eq!(client.outcome(id), None);
    client.receives(&auth_success());
    assert_eq!(client.outcome(id), Some(Ok(Outcome::Reauthenticated)));
    assert!(client.engine.is_idle());
    reauthenticates(&mut client);
}

/// [MQTT-4.12.0-7] [MQTT-4.12.1-1]
#[test]
fn re_authentication_needs_a_connection_with_a_method_and_one_at_a_time() {
    let error = |client: &mut Client| {
        let refused = client.engine.reauthenticate(client.now());
        assert!(client.sends().is_empty());
        match refused {
            Err(RequestError::Reauthentication(error)) => error,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        error(&mut Client::new(echo_options())),
        ReauthenticationError::NotConnected
    );
    assert_eq!(
        error(&mut Client::connecting(echo_options())),
        ReauthenticationError::NotConnected
    );
    let mut without = Client::connected_as(options(), &connack());
    assert_eq!(error(&mut without), ReauthenticationError::OtherMethod);
    without.engine.options_mut().authentication = echo_options().authentication;
    assert_eq!(error(&mut without), ReauthenticationError::OtherMethod);
    let mut client = authenticated();
    reauthenticates(&mut client);
    assert_eq!(error(&mut client), ReauthenticationError::UnderWay);
    client.engine.options_mut().authentication = Some(Authentication::new("OTHER", || Echo));
    assert_eq!(error(&mut client), ReauthenticationError::OtherMethod);
}

/// [MQTT-4.12.1-2]
#[test]
fn a_re_authentication_that_the_client_rejects_ends_with_disconnect() {
    for (answer, error) in [
        (auth(ReasonCode::Success, "ECHO", Some(b"evil")), BAD_END),
        (auth_continue(b"flood"), too_large()),
    ] {
        let mut client = authenticated();
        let id = reauthenticates(&mut client);
        client.receives(&answer);
        assert_eq!(client.sends(), [disconnect(ReasonCode::UnspecifiedError)]);
        let error = ReauthenticationError::Exchange(error);
        assert_eq!(
            client.closes(),
            Ended::Connection(ConnectionError::Reauthentication(error))
        );
        assert_eq!(
            client.outcome(id),
            Some(Err(RequestError::Reauthentication(error)))
        );
    }
}

/// [MQTT-4.12.1-2]
#[test]
fn a_re_authentication_has_its_own_time() {
    let mut options = echo_options();
    options
        .authentication
        .as_mut()
        .unwrap()
        .reauthenticate_within = Duration::from_secs(5);
    let mut client = Client::connected_as(options, &connack_with_auth(Some("ECHO"), b"fine"));
    client.advance(Duration::from_secs(60));
    let id = reauthenticates(&mut client);
    client.advance(Duration::from_secs(4));
    client.receives(&auth_continue(b"x"));
    client.sends();
    client.advance(Duration::from_secs(1));
    assert_eq!(client.sends(), [disconnect(ReasonCode::UnspecifiedError)]);
    let error = ReauthenticationError::Timeout {
        after: Duration::from_secs(5),
    };
    assert_eq!(
        client.closes(),
        Ended::Connection(ConnectionError::Reauthentication(error))
    );
    assert_eq!(
        client.outcome(id),
        Some(Err(RequestError::Reauthentication(error)))
    );
}

#[test]
fn a_re_authentication_may_have_no_timeout() {
    let mut options = echo_options();
    options
        .authentication
        .as_mut()
        .unwrap()
        .reauthenticate_within = Duration::MAX;
    let mut client = Client::connected_as(options, &connack_with_auth(Some("ECHO"), b"fine"));
    reauthenticates(&mut client);
    assert_eq!(client.engine.poll_timeout(), None);
}

/// [MQTT-4.12.1-2]
#[test]
fn a_re_authentication_ends_with_its_connection_and_is_not_repeated() {
    let lost = Some(Err(RequestError::Reauthentication(
        ReauthenticationError::ConnectionLost,
    )));
    let mut client = authenticated();
    let id = reauthenticates(&mut client);
    client.receives(&disconnect(ReasonCode::NotAuthorized));
    let Ended::Connection(ConnectionError::Disconnected(reason)) = client.closes() else {
        panic!()
    };
    assert_eq!(
        (reason.packet_type, reason.reason_code),
        (PacketType::Disconnect, ReasonCode::NotAuthorized)
    );
    assert_eq!(client.outcome(id), lost);

    client.opens();
    client.sends();
    client.receives(&connack_with_auth(Some("ECHO"), b"fine"));
    assert!(client.sends().is_empty());
    let id = reauthenticates(&mut client);
    client.reconnects(&connack_with_auth(Some("ECHO"), b"fine"));
    assert_eq!(client.outcome(id), lost);
    assert!(client.sends().is_empty());
    assert_eq!(client.engine.load(), (0, 0));
}

#[test]
fn a_ping_and_a_re_authentication_keep_out_of_each_others_way() {
    let mut options = echo_options();
    options.keep_alive = Duration::from_secs(8);
    let mut client = Client::connected_as(options, &connack_with_auth(Some("ECHO"), b"fine"));
    client.advance(Duration::from_secs(1));
    let id = reauthenticates(&mut client);
    client.advance(Duration::from_secs(6));
    assert_eq!(
        client.sends(),
        [pingreq()],
        "AUTH was sent, and 6 s of silence followed"
    );
    client.receives(&auth_success());
    assert!(client.outcome(id).unwrap().is_ok());
    client.advance(Duration::from_secs(4));
    let Ended::Connection(ConnectionError::KeepAliveTimeout { .. }) = client.closes() else {
        panic!()
    };
}

#[test]
fn a_re_authentication_ends_with_its_connection_though_nobody_looked_at_the_one_before() {
    let mut client = authenticated();
    let first = reauthenticates(&mut client);
    client.receives(&auth_success());
    let second = reauthenticates(&mut client);
    client.loses_connection();
    let lost = RequestError::Reauthentication(ReauthenticationError::ConnectionLost);
    assert_eq!(client.outcome(second), Some(Err(lost)));
    assert_eq!(client.outcome(first), Some(Ok(Outcome::Reauthenticated)));
    assert!(client.engine.has_all_outcomes());
}
