//! The first connection: made, refused, or given up.

use std::sync::Arc;
use std::time::Duration;

use dunlin_client::codec::{PacketType, ReasonCode};
use dunlin_client::transport::{CaBundle, Roots, Stage, TlsConnector, TlsOptions, TransportError};
use dunlin_client::{Client, ConnectError, EndCause, Event, Reconnect, StopCause};

use crate::packets::{connack, disconnect, pingresp, refusal};
use crate::server::TestServer;
use crate::{disconnect_ending_session, event_names, millis, options, soon, until_connected};

async fn refused(client: impl Future<Output = Result<Client, StopCause>>) -> ConnectError {
    match soon(client).await.unwrap_err() {
        StopCause::Final(EndCause::Attempt(cause)) => (*cause).clone(),
        other => panic!("{other:?}"),
    }
}

/// direct_connect_success
#[tokio::test]
async fn connect_returns_when_the_server_has_accepted() {
    let server = TestServer::start().await;
    let (client, mut peer) =
        tokio::join!(Client::connect(options(&server)), server.accepts_client());
    drop(client.unwrap());
    peer.expects(disconnect_ending_session()).await;
    peer.expects_end().await;
}

/// direct_connect_connack_refusal
#[tokio::test]
async fn a_fatal_refusal_is_reported_and_not_retried() {
    let server = TestServer::start().await;
    for code in [
        0x81, 0x82, 0x84, 0x85, 0x86, 0x87, 0x8A, 0x8C, 0x95, 0x99, 0x9C, 0x9D,
    ] {
        let code = ReasonCode::from_code(code).unwrap();
        let client = Client::start(options(&server));
        let mut events = client.events();
        let mut peer = server.accepts_client_with(&refusal(code)).await;
        peer.expects_end().await;
        assert_eq!(
            event_names(&mut events).await,
            "attempt opened failed stopped",
            "{code}"
        );
        let StopCause::Final(EndCause::Attempt(cause)) = client
            .publish(dunlin_client::Message::new("a", ""))
            .await
            .map_or_else(
                |error| match error {
                    dunlin_client::RequestError::Stopped(cause) => cause,
                    other => panic!("{other:?}"),
                },
                |_| panic!(),
            )
        else {
            panic!()
        };
        let ConnectError::Refused(reason) = &*cause else {
            panic!("{cause:?}")
        };
        assert_eq!(
            (reason.packet_type, reason.reason_code),
            (PacketType::ConnAck, code)
        );
    }
}

#[tokio::test]
async fn a_temporary_refusal_is_retried() {
    for code in [0x80, 0x83, 0x88, 0x89, 0x97, 0x9F] {
        let code = ReasonCode::from_code(code).unwrap();
        let server = TestServer::start().await;
        let client = Client::start(options(&server));
        let mut events = client.events();
        server.accepts_client_with(&refusal(code)).await;
        server.accepts_client().await;
        until_connected(&mut events).await;
        soon(client.disconnect()).await;
        assert_eq!(
            event_names(&mut events).await,
            "disconnected stopped",
            "{code}"
        );
    }
}

#[tokio::test]
async fn attempts_are_counted_and_the_last_cause_is_given() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.reconnect.max_attempts = Some(2);
    let busy = refusal(ReasonCode::ServerBusy);
    let refusals = async {
        for _ in 0..3 {
            server.accepts_client_with(&busy).await;
        }
    };
    let (error, ()) = tokio::join!(refused(Client::connect(options)), refusals);
    assert!(
        matches!(error, ConnectError::Refused(reason) if reason.reason_code == ReasonCode::ServerBusy)
    );
}

#[tokio::test]
async fn a_single_attempt_is_not_retried() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.reconnect = Reconnect::never();
    let busy = refusal(ReasonCode::ServerBusy);
    let (error, _) = tokio::join!(
        refused(Client::connect(options)),
        server.accepts_client_with(&busy)
    );
    assert!(matches!(error, ConnectError::Refused(_)));
}

/// Error of the last attempt of a client that reached `connect_within`.
async fn timed_out(client: impl Future<Output = Result<Client, StopCause>>) -> ConnectError {
    match soon(client).await.unwrap_err() {
        StopCause::TimedOut {
            last: Some(last), ..
        } => (*last).clone(),
        other => panic!("{other:?}"),
    }
}

/// sync_channel_failure
#[tokio::test]
async fn a_refused_port_is_tried_until_the_time_for_connecting_is_over() {
    let server = TestServer::start().await;
    let options = dunlin_client::ClientOptions {
        connect_within: millis(150),
        ..options(&server)
    };
    drop(server);
    let error = timed_out(Client::connect(options)).await;
    assert!(
        matches!(
            error,
            ConnectError::Transport(TransportError::Refused { .. })
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_server_that_hangs_up_on_connect_is_tried_again() {
    let server = TestServer::start().await;
    let client = Client::start(options(&server));
    let mut events = client.events();
    let mut failures = Vec::new();
    for reset in [false, true] {
        let mut peer = server.accepts().await;
        peer.receives().await;
        if reset {
            peer.resets();
        }
    }
    let _peer = server.accepts_client().await;
    loop {
        match soon(events.next()).await.unwrap() {
            Event::Disconnected {
                cause: EndCause::Attempt(cause),
                retry_in: Some(_),
            } => failures.push((*cause).clone()),
            Event::Connected(_) => break,
            _ => {}
        }
    }
    assert_eq!(
        failures,
        [false, true].map(|reset| ConnectError::Closed { reset })
    );
}

#[tokio::test]
async fn a_packet_other_than_connack_first_is_a_protocol_error() {
    let server = TestServer::start().await;
    for early in [pingresp(), disconnect(ReasonCode::ServerBusy)] {
        let (error, mut peer) = tokio::join!(
            refused(Client::connect(options(&server))),
            server.accepts_client_with(&early)
        );
        assert!(matches!(error, ConnectError::Protocol(_)), "{error:?}");
        peer.expects_end().await;
    }
}

#[tokio::test]
async fn a_missing_connack_times_out_and_is_retried() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.connack_timeout = millis(50);
    let client = Client::start(options);
    let mut events = client.events();
    let mut silent = server.accepts().await;
    silent.receives().await;
    silent.expects_end().await;
    let failed = loop {
        if let Event::Disconnected {
            cause: EndCause::Attempt(cause),
            retry_in,
        } = soon(events.next()).await.unwrap()
        {
            break (cause, retry_in.is_some());
        }
    };
    assert_eq!(
        failed,
        (
            Arc::new(ConnectError::ConnAckTimeout { after: millis(50) }),
            true
        )
    );
}

/// async_channel_failure
#[tokio::test]
async fn a_transport_that_does_not_open_in_time_fails_with_its_stage() {
    let server = TestServer::start().await;
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), own.cert.pem()).unwrap();
    let roots = Roots::Only(CaBundle::from_pem_file(folder.path().join("ca.pem")).unwrap());
    let tls = TlsOptions {
        roots,
        ..TlsOptions::default()
    };
    let mut options = options(&server);
    options.transport.tls = Some(Arc::new(TlsConnector::new(&tls).unwrap()));
    options.transport.timeout = millis(50);
    options.reconnect = Reconnect::never();
    let (error, _silent) = tokio::join!(refused(Client::connect(options)), server.accepts());
    assert!(
        matches!(
            error,
            ConnectError::Transport(TransportError::TimedOut {
                stage: Stage::Tls,
                ..
            })
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn connect_gives_the_last_cause_when_its_time_is_over() {
    let server = TestServer::start().await;
    let options = dunlin_client::ClientOptions {
        connect_within: millis(150),
        ..options(&server)
    };
    let busy = async {
        loop {
            server
                .accepts_client_with(&refusal(ReasonCode::ServerBusy))
                .await
                .expects_end()
                .await;
        }
    };
    let cause = tokio::select! {
        connected = soon(Client::connect(options)) => connected.unwrap_err(),
        () = busy => panic!("a server doesn't end"),
    };
    let StopCause::TimedOut {
        after,
        last: Some(last),
    } = cause
    else {
        panic!("{cause:?}")
    };
    let ConnectError::Refused(reason) = &*last else {
        panic!("{last:?}")
    };
    assert_eq!(
        (after, reason.reason_code),
        (millis(150), ReasonCode::ServerBusy)
    );
}

#[tokio::test]
async fn a_dropped_connect_ends_the_client() {
    let server = TestServer::start().await;
    let connecting = tokio::spawn(Client::connect(options(&server)));
    let mut peer = server.accepts().await;
    peer.receives().await;
    connecting.abort();
    peer.expects_end().await;
}

#[tokio::test]
async fn options_that_make_no_valid_connect_are_an_options_error() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.client_id = "x".repeat(70_000);
    let error = refused(Client::connect(options)).await;
    assert!(matches!(error, ConnectError::Options(_)), "{error:?}");
}

#[tokio::test]
async fn a_connack_may_arrive_in_pieces() {
    let server = TestServer::start().await;
    let client = Client::start(options(&server));
    let mut events = client.events();
    let mut peer = server.accepts().await;
    peer.receives().await;
    for byte in connack().as_bytes() {
        peer.sends_bytes(&[*byte]).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    until_connected(&mut events).await;
}
