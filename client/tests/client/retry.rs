//! Causes that are final and causes that are retried: each row of the table in the documentation of
//! `Reconnect`.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use dunlin_client::codec::{PacketType, ReasonCode};
use dunlin_client::transport::{
    CaBundle, Roots, TlsConnector, TlsError, TlsOptions, TransportError,
};
use dunlin_client::{
    Client, ClientOptions, ConnectError, ConnectionError, EndCause, Event, Events, NextAttempt,
    Provider, RepeatedViolation, Retry, RetryPolicy, ServerReason, StopCause, Violation,
};

use crate::authority::Authority;
use crate::certificate_files::CertificateFiles;
use crate::packets::{connack, disconnect, refusal};
use crate::server::{Peer, TestServer};
use crate::tls_front::{TlsFront, server_config};
use crate::{
    connected, connected_as, disconnect_ending_session, event_names, millis, options, soon,
    until_connected,
};

const SLOW: std::ops::RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(900);

pub(crate) fn reason(packet_type: PacketType, reason_code: ReasonCode) -> ServerReason {
    ServerReason {
        packet_type,
        reason_code,
        reason_string: None,
        user_properties: Vec::new(),
        server_reference: None,
        omitted: dunlin_client::Omitted::default(),
    }
}

pub(crate) fn refused(code: u8) -> ConnectError {
    ConnectError::Refused(reason(
        PacketType::ConnAck,
        ReasonCode::from_code(code).unwrap(),
    ))
}

pub(crate) fn violation() -> Violation {
    Violation::Unexpected {
        packet_type: PacketType::PubAck,
        fault: "of another kind",
        statement: "MQTT-4.3.2-1",
        reason_code: ReasonCode::ProtocolError,
    }
}

/// Cause of the end of the last attempt or connection, and the delay before the next attempt.
async fn next_failure(events: &mut Events) -> (EndCause, Option<Duration>) {
    loop {
        if let Event::Disconnected { cause, retry_in } = soon(events.next()).await.unwrap() {
            return (cause, retry_in);
        }
    }
}

/// A failed or throttled Lambda function looks like refused credentials.
#[tokio::test]
async fn refused_credentials_are_followed_by_slow_attempts_once_a_connection_has_worked() {
    for code in [ReasonCode::BadUserNameOrPassword, ReasonCode::NotAuthorized] {
        let server = TestServer::start().await;
        let (client, mut events, peer) = connected(&server).await;
        drop(peer);
        next_failure(&mut events).await;
        for longest in [120, 240] {
            server
                .accepts_client_with(&refusal(code))
                .await
                .expects_end()
                .await;
            let (failed, retry_in) = next_failure(&mut events).await;
            assert_eq!(failed.reason_code(), Some(code));
            let retry_in = retry_in.unwrap();
            assert!(
                SLOW.contains(&retry_in) && retry_in.as_secs() <= longest,
                "{retry_in:?}"
            );
            // Each starts the delays over, so this one counts what came since.
            client.reconnect_now();
        }
        server.accepts_client().await;
        until_connected(&mut events).await;
    }
}

#[tokio::test]
async fn refusals_of_a_server_in_trouble_are_followed_by_soon_attempts() {
    for code in [
        ReasonCode::UnspecifiedError,
        ReasonCode::ImplementationSpecificError,
    ] {
        let server = TestServer::start().await;
        let (_client, mut events, peer) = connected(&server).await;
        drop(peer);
        next_failure(&mut events).await;
        server
            .accepts_client_with(&refusal(code))
            .await
            .expects_end()
            .await;
        let (failed, retry_in) = next_failure(&mut events).await;
        assert_eq!(
            (failed.reason_code(), retry_in.is_some()),
            (Some(code), true)
        );
        server.accepts_client().await;
        until_connected(&mut events).await;
    }
}

#[tokio::test]
async fn a_host_name_that_disappears_is_resolved_again() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.provider = Provider::new(|attempt: NextAttempt| async move {
        let mut target = attempt.target;
        if let Some(EndCause::Connection(_)) = attempt.last {
            // Longer than a name can be: no resolver has to be asked.
            target.transport = dunlin_client::transport::TransportOptions {
                host: "a".repeat(300),
                connect_to: None,
                ..target.transport
            };
        }
        Ok(target)
    });
    let (_client, mut events, peer) = connected_as(&server, options).await;
    drop(peer);
    next_failure(&mut events).await;
    let (failed, retry_in) = next_failure(&mut events).await;
    let EndCause::Attempt(cause) = failed else {
        panic!("{failed:?}")
    };
    let ConnectError::Transport(TransportError::Resolve { .. }) = &*cause else {
        panic!("{cause:?}")
    };
    assert!(retry_in.is_some());
    server.accepts_client().await;
    until_connected(&mut events).await;
}

/// Options of a client that reaches `front` by TLS and trusts `authority`.
fn tls_options(server: &TestServer, front: &TlsFront, authority: &Authority) -> ClientOptions {
    let tls = TlsOptions {
        roots: Roots::Only(CaBundle::from_der([authority.certificate()]).unwrap()),
        ..TlsOptions::default()
    };
    let mut options = options(server);
    options.transport.connect_to = Some(front.address);
    options.transport.tls = Some(Arc::new(TlsConnector::new(&tls).unwrap()));
    options
}

async fn tls_failure(events: &mut Events) -> TlsError {
    let (failed, retry_in) = next_failure(events).await;
    assert!(retry_in.is_some(), "{failed:?}");
    let EndCause::Attempt(cause) = failed else {
        panic!("{failed:?}")
    };
    let ConnectError::Transport(TransportError::Tls { error, .. }) = &*cause else {
        panic!("{cause:?}")
    };
    error.clone()
}

/// Before the first connection as well: this computer's clock may not be set yet.
#[tokio::test]
async fn an_attempt_with_an_expired_certificate_is_retried() {
    let authority = Authority::new("Test CA");
    let good = server_config(&authority.issues(&["localhost"]), None);
    for year in [2001, 2101] {
        let bad = server_config(&authority.issues_for_year(&["localhost"], year), None);
        let server = TestServer::start().await;
        let front = TlsFront::start(&server, Arc::clone(&bad)).await;
        let client = Client::start(tls_options(&server, &front, &authority));
        let mut events = client.events();
        for _ in 0..2 {
            let error = tls_failure(&mut events).await;
            assert!(
                matches!(
                    error,
                    TlsError::Expired { .. } | TlsError::NotYetValid { .. }
                ),
                "{error:?}"
            );
            front.replace_config(Arc::clone(&good));
            let peer = server.accepts_client().await;
            until_connected(&mut events).await;
            front.replace_config(Arc::clone(&bad));
            drop(peer);
            next_failure(&mut events).await;
        }
    }
}

#[tokio::test]
async fn a_server_certificate_that_is_not_trusted_is_final_only_before_the_first_connection() {
    let (authority, stranger) = (Authority::new("Test CA"), Authority::new("Another CA"));
    let good = server_config(&authority.issues(&["localhost"]), None);
    let bad = server_config(&stranger.issues(&["localhost"]), None);
    let server = TestServer::start().await;
    let front = TlsFront::start(&server, good).await;
    let (_client, mut events, peer) =
        connected_as(&server, tls_options(&server, &front, &authority)).await;
    front.replace_config(bad);
    drop(peer);
    next_failure(&mut events).await;
    assert!(matches!(
        tls_failure(&mut events).await,
        TlsError::UnknownIssuer { .. }
    ));

    let new = Client::start(tls_options(&server, &front, &authority));
    assert_eq!(
        event_names(&mut new.events()).await,
        "attempt failed stopped"
    );
}

/// The server swaps the authority of its clients, and for a while refuses the certificate; then the
/// file is replaced.
#[tokio::test]
async fn a_client_certificate_that_is_replaced_on_disk_is_picked_up() {
    let (authority, old, new) = (
        Authority::new("Test CA"),
        Authority::new("Old"),
        Authority::new("New"),
    );
    let identity = authority.issues(&["localhost"]);
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (
        folder.path().join("client.crt"),
        folder.path().join("client.key"),
    );
    let write = |authority: &Authority| {
        let identity = authority.issues(&["lamp-7"]);
        std::fs::write(&certificate, identity.certificate_pem()).unwrap();
        std::fs::write(&key, identity.key_pem()).unwrap();
    };
    write(&old);
    let server = TestServer::start().await;
    let front = TlsFront::start(&server, server_config(&identity, Some(&old))).await;
    let mut files = CertificateFiles::new(&certificate, &key);
    files.roots = Roots::Only(CaBundle::from_der([authority.certificate()]).unwrap());
    let mut options = tls_options(&server, &front, &authority);
    options.provider = Provider::new(files);
    let (_client, mut events, peer) = connected_as(&server, options).await;

    front.replace_config(server_config(&identity, Some(&new)));
    drop(peer);
    next_failure(&mut events).await;
    for _ in 0..2 {
        let error = tls_failure(&mut events).await;
        assert!(matches!(error, TlsError::Alert(_)), "{error:?}");
    }
    write(&new);
    server.accepts_client().await;
    until_connected(&mut events).await;
}

#[tokio::test]
async fn the_policy_changes_what_is_final() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.reconnect.policy = RetryPolicy::new(|context| match context.failure.reason_code() {
        Some(ReasonCode::NotAuthorized) => Retry::Final,
        Some(ReasonCode::SessionTakenOver) => Retry::Transient,
        _ => context.default_retry(),
    });
    let (client, mut events, mut peer) = connected_as(&server, options).await;
    peer.sends(&disconnect(ReasonCode::SessionTakenOver)).await;
    let mut peer = server.accepts_client().await;
    until_connected(&mut events).await;
    peer.sends(&disconnect(ReasonCode::NotAuthorized)).await;
    assert_eq!(event_names(&mut events).await, "disconnected stopped");
    // What the application asks for is out of the policy's reach.
    drop(client);
}

#[tokio::test]
async fn a_stop_is_final_whatever_the_policy_says() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.reconnect.policy = RetryPolicy::new(|_| Retry::Transient);
    let (client, mut events, mut peer) = connected_as(&server, options).await;
    soon(client.disconnect()).await;
    peer.expects(disconnect_ending_session()).await;
    assert_eq!(event_names(&mut events).await, "disconnected stopped");
}

/// Other credentials change nothing about a take-over: two clients would disconnect each other for
/// ever.
#[tokio::test]
async fn a_take_over_is_final_with_a_provider_that_brings_other_credentials_each_time() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.provider = Provider::new(|attempt: NextAttempt| async move {
        let mut target = attempt.target;
        target.password = Some(fastrand::u128(..).to_be_bytes().to_vec().into());
        Ok(target)
    });
    let (_client, mut events, mut peer) = connected_as(&server, options).await;
    peer.sends(&disconnect(ReasonCode::SessionTakenOver)).await;
    assert_eq!(event_names(&mut events).await, "disconnected stopped");
}

/// Sends a malformed PUBACK, with reserved bits set in its header, and receives the DISCONNECT.
async fn break_protocol(mut peer: Peer) {
    peer.sends_bytes(&[0x41, 0x02, 0x00, 0x01]).await;
    peer.expects(disconnect(ReasonCode::MalformedPacket)).await;
}

#[tokio::test]
async fn the_same_violation_five_times_in_a_row_is_followed_by_slow_attempts() {
    let server = TestServer::start().await;
    let (client, mut events, mut peer) = connected(&server).await;
    for number in 1..=6 {
        break_protocol(peer).await;
        let (failed, retry_in) = next_failure(&mut events).await;
        assert!(failed.violation().is_some(), "{failed:?}");
        assert_eq!(
            SLOW.contains(&retry_in.unwrap()),
            number >= 5,
            "{number}: {retry_in:?}"
        );
        client.reconnect_now();
        peer = server.accepts_client().await;
    }
    // Another end in between, and the counting starts again.
    drop(peer);
    next_failure(&mut events).await;
    break_protocol(server.accepts_client().await).await;
    let (_, retry_in) = next_failure(&mut events).await;
    assert!(!SLOW.contains(&retry_in.unwrap()), "{retry_in:?}");
}

#[tokio::test]
async fn the_same_violation_is_final_after_as_many_times_as_the_application_says() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.reconnect.violation_limit = NonZeroU32::new(2).unwrap();
    options.reconnect.on_repeated_violation = RepeatedViolation::Stop;
    let (client, mut events, peer) = connected_as(&server, options).await;
    break_protocol(peer).await;
    break_protocol(server.accepts_client().await).await;
    let expected = "disconnected attempt opened connected disconnected stopped";
    assert_eq!(event_names(&mut events).await, expected);
    let Err(StopCause::Final(EndCause::Connection(cause))) =
        client.until_connected(millis(1)).await
    else {
        panic!()
    };
    assert!(matches!(&*cause, ConnectionError::Protocol(_)), "{cause:?}");
}

#[tokio::test]
async fn connections_that_lasted_end_a_row_of_violations() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.reconnect.violation_limit = NonZeroU32::new(2).unwrap();
    options.reconnect.on_repeated_violation = RepeatedViolation::Stop;
    options.reconnect.stable_after = Duration::ZERO;
    let (_client, mut events, mut peer) = connected_as(&server, options).await;
    for _ in 0..4 {
        break_protocol(peer).await;
        let (_, retry_in) = next_failure(&mut events).await;
        assert!(retry_in.is_some());
        peer = server.accepts_client().await;
    }
}

#[tokio::test]
async fn an_attempt_can_be_asked_for_at_once() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.reconnect.min_delay = Duration::from_secs(3600);
    options.reconnect.max_delay = Duration::from_secs(3600);
    let (client, mut events, peer) = connected_as(&server, options).await;
    // Nothing to do while there is a connection, and nothing that is remembered.
    client.reconnect_now();
    drop(peer);
    next_failure(&mut events).await;
    assert!(
        tokio::time::timeout(millis(100), server.accepts_without_timeout())
            .await
            .is_err()
    );
    client.reconnect_now();

    // During an attempt it stands for the one that follows.
    let mut peer = server.accepts().await;
    peer.receives().await;
    client.reconnect_now();
    drop(peer);
    server.accepts_connect(&connack()).await;
    until_connected(&mut events).await;
}

/// AWS IoT Core allows one CONNECT per second and client identifier.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "this test measures real time")]
async fn an_attempt_at_once_keeps_the_interval_of_the_service() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.limits = Some(dunlin_client::aws::ServiceLimits::default());
    options.connect.keep_alive = Duration::from_secs(60);
    let interval = options.connect.limits.unwrap().connect_interval;
    let (client, mut events, peer) = connected_as(&server, options).await;
    drop(peer);
    next_failure(&mut events).await;
    let began = tokio::time::Instant::now();
    client.reconnect_now();
    server.accepts().await;
    assert!(
        began.elapsed() >= interval - millis(20),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn a_refused_name_or_port_before_the_first_connection_does_not_end_a_started_client() {
    let server = TestServer::start().await;
    let address = server.address();
    let options = options(&server);
    drop(server);
    let client = Client::start(options);
    let mut events = client.events();
    for _ in 0..3 {
        let (failed, retry_in) = next_failure(&mut events).await;
        assert!(
            matches!(failed, EndCause::Attempt(_)) && retry_in.is_some(),
            "{failed:?}"
        );
    }
    let server = TestServer::at(address).await;
    server.accepts_client().await;
    until_connected(&mut events).await;
}
