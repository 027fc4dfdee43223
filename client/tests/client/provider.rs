//! `ConnectProvider`, called before every attempt: credentials, endpoints, server references.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dunlin_client::aws::CustomAuthorizer;
use dunlin_client::codec::{ConnAck, ConnAckProperties, Packet, PacketBuf, ReasonCode, Utf8String};
use dunlin_client::{
    Client, ConnectError, EndCause, Event, NextAttempt, Provider, ProviderError, StopCause,
};

use dunlin_client::secret::Secret;

use crate::packets::{buf, connack, disconnect, refusal};
use crate::server::TestServer;
use crate::{event_names, millis, options, soon, until_connected};

fn credentials(connect: &PacketBuf) -> (Option<String>, Option<Vec<u8>>) {
    let Packet::Connect(connect) = connect.packet() else {
        panic!("{connect:?}")
    };
    let connect = connect.read();
    let username = connect.username.map(|name| name.as_str().to_owned());
    (
        username,
        connect
            .password
            .map(|password| password.as_bytes().to_vec()),
    )
}

/// Provider whose passwords count its calls, and the arguments of all calls.
fn numbering_provider() -> (Provider, Arc<Mutex<Vec<NextAttempt>>>) {
    let asked = Arc::new(Mutex::new(Vec::<NextAttempt>::new()));
    let questions = Arc::clone(&asked);
    let provider = Provider::new(move |attempt: NextAttempt| {
        let mut questions = questions.lock().unwrap();
        questions.push(attempt.clone());
        let mut target = attempt.target;
        target.password = Some(Secret::from(
            format!("token {}", questions.len()).into_bytes(),
        ));
        async move { Ok(target) }
    });
    (provider, asked)
}

#[tokio::test]
async fn the_options_are_what_a_client_connects_with_by_default() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.username = Some(Secret::from("alice"));
    options.connect.password = Some("s3cret".into());
    let _client = Client::start(options);
    let (_peer, connect) = server.accepts_connect(&connack()).await;
    assert_eq!(
        credentials(&connect),
        (Some("alice".to_owned()), Some(b"s3cret".to_vec()))
    );
}

#[tokio::test]
async fn a_provider_is_called_before_every_attempt_with_the_last_failure() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    let (provider, asked) = numbering_provider();
    options.provider = provider;
    options.connect.username = Some(Secret::from("alice"));
    let _client = Client::start(options);

    let mut passwords = Vec::new();

    // Two refusals, a connection that the server ends, and a second connection.
    let answers = [
        refusal(ReasonCode::ServerBusy),
        refusal(ReasonCode::BadUserNameOrPassword),
        connack(),
    ];
    for answer in answers {
        let (mut peer, connect) = server.accepts_connect(&answer).await;
        let (username, password) = credentials(&connect);
        assert_eq!(
            username.as_deref(),
            Some("alice"),
            "what it leaves alone stays"
        );
        passwords.push(String::from_utf8(password.unwrap()).unwrap());
        if answer == connack() {
            peer.sends(&disconnect(ReasonCode::ServerShuttingDown))
                .await;
        }
        peer.expects_end().await;
    }
    server.accepts_client().await;
    assert_eq!(passwords, ["token 1", "token 2", "token 3"]);

    // The number of the attempt begins again after a success.
    let asked = asked.lock().unwrap();
    let numbers: Vec<_> = asked.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, [1, 2, 3, 1]);
    let said: Vec<_> = asked
        .iter()
        .map(|attempt| {
            attempt
                .last
                .as_ref()
                .and_then(EndCause::server_reason)
                .map(|reason| reason.reason_code)
        })
        .collect();
    let expected = [
        None,
        Some(ReasonCode::ServerBusy),
        Some(ReasonCode::BadUserNameOrPassword),
        Some(ReasonCode::ServerShuttingDown),
    ];
    assert_eq!(said, expected);
}

/// A fatal failure ends the client unless the provider changes something.
#[tokio::test]
async fn the_same_credentials_after_a_fatal_refusal_are_final() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    let questions = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&questions);
    options.provider = Provider::new(move |attempt: NextAttempt| {
        counter.fetch_add(1, Ordering::Relaxed);
        async move { Ok(attempt.target) }
    });
    let client = Client::start(options);
    let mut events = client.events();
    server
        .accepts_client_with(&refusal(ReasonCode::NotAuthorized))
        .await
        .expects_end()
        .await;
    assert_eq!(
        event_names(&mut events).await,
        "attempt opened failed stopped"
    );
    assert_eq!(questions.load(Ordering::Relaxed), 2);
    let stopped = client.publish(dunlin_client::Message::new("a", "")).await;
    let Err(dunlin_client::RequestError::Stopped(StopCause::Final(EndCause::Attempt(cause)))) =
        stopped
    else {
        panic!()
    };
    assert!(
        matches!(&*cause, ConnectError::Refused(reason) if reason.reason_code == ReasonCode::NotAuthorized)
    );
}

/// Refused credentials aren't tried again only because the provider failed in between.
#[tokio::test]
async fn a_provider_error_does_not_make_a_refusal_retryable() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    let questions = AtomicU32::new(0);
    options.provider = Provider::new(move |attempt: NextAttempt| {
        let number = questions.fetch_add(1, Ordering::Relaxed);
        async move {
            if number == 1 {
                Err(ProviderError::retryable("busy"))
            } else {
                Ok(attempt.target)
            }
        }
    });
    let client = Client::start(options);
    let mut events = client.events();
    server
        .accepts_client_with(&refusal(ReasonCode::NotAuthorized))
        .await
        .expects_end()
        .await;
    assert_eq!(
        event_names(&mut events).await,
        "attempt opened failed attempt failed stopped"
    );
}

/// §4.11
#[tokio::test]
async fn a_server_reference_leads_to_another_server() {
    for code in [ReasonCode::UseAnotherServer, ReasonCode::ServerMoved] {
        let (old, new) = (TestServer::start().await, TestServer::start().await);
        let mut options = options(&old);
        options.provider = Provider::new(|attempt: NextAttempt| async move {
            let mut target = attempt.target.clone();
            if let Some(reference) = attempt.server_reference() {
                target.transport.connect_to =
                    Some(reference.parse().map_err(ProviderError::fatal)?);
            }
            Ok(target)
        });
        let client = Client::start(options);
        let mut events = client.events();
        let reference = new.address().to_string();
        let properties = ConnAckProperties {
            server_reference: Some(Utf8String::new(&reference).unwrap()),
            ..ConnAckProperties::default()
        };
        let moved = ConnAck {
            reason_code: code,
            properties,
            ..ConnAck::default()
        };
        old.accepts_client_with(&buf(Packet::from(&moved)))
            .await
            .expects_end()
            .await;
        let _peer = new.accepts_client().await;
        until_connected(&mut events).await;
    }
}

#[tokio::test]
async fn a_temporary_provider_error_is_retried_and_a_fatal_one_is_final() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    let questions = AtomicU32::new(0);
    options.provider = Provider::new(move |_: NextAttempt| {
        let number = questions.fetch_add(1, Ordering::Relaxed);
        async move {
            Err(match number {
                0 | 1 => ProviderError::retryable("no token yet"),
                _ => ProviderError::fatal("no such device"),
            })
        }
    });
    let client = Client::start(options);
    let mut events = client.events();
    let mut causes = Vec::new();
    while let Some(event) = soon(events.next()).await {
        match event {
            Event::Disconnected {
                cause: EndCause::Attempt(cause),
                retry_in,
            } => {
                causes.push((cause.to_string(), retry_in.is_some()));
            }
            Event::Attempt { .. } | Event::Stopped(_) => {}
            other => panic!("{other:?}"),
        }
    }
    let expected = [
        ("no token yet", true),
        ("no token yet", true),
        ("no such device", false),
    ];
    assert!(
        causes
            .iter()
            .map(|(text, again)| (text.as_str(), *again))
            .eq(expected),
        "{causes:?}"
    );
}

#[tokio::test(start_paused = true)]
#[expect(
    clippy::disallowed_methods,
    reason = "tokio's clock, which this test pauses"
)]
async fn a_provider_call_times_out() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.provide_within = Duration::from_secs(3);
    options.reconnect.max_attempts = Some(1);
    options.provider = Provider::new(|_: NextAttempt| std::future::pending());
    let began = tokio::time::Instant::now();
    let Err(StopCause::Final(EndCause::Attempt(cause))) = Client::connect(options).await else {
        panic!()
    };
    assert!(
        matches!(&*cause, ConnectError::Provider(error) if error.is_retryable),
        "{cause:?}"
    );
    assert!(
        (6..7).contains(&began.elapsed().as_secs()),
        "twice: {:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn a_stop_does_not_wait_for_the_provider() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.provider = Provider::new(|_: NextAttempt| std::future::pending());
    let client = Client::start(options);
    let mut events = client.events();
    tokio::time::timeout(millis(900), client.disconnect())
        .await
        .unwrap();
    assert_eq!(event_names(&mut events).await, "stopped");
}

#[tokio::test]
async fn a_custom_authorizer_is_a_provider() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.password = Some("s3cret".into());
    options.provider = Provider::new(CustomAuthorizer {
        username: Some("alice".to_owned()),
        authorizer_name: Some("MyAuth".to_owned()),
        ..CustomAuthorizer::default()
    });
    let _client = Client::start(options);
    let (_peer, connect) = server.accepts_connect(&connack()).await;
    let username = "alice?x-amz-customauthorizer-name=MyAuth".to_owned();
    assert_eq!(
        credentials(&connect),
        (Some(username), Some(b"s3cret".to_vec()))
    );
}

#[tokio::test]
async fn a_custom_authorizer_without_a_valid_user_name_is_final() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.provider = Provider::new(CustomAuthorizer {
        username: Some("a?b?c".to_owned()),
        ..CustomAuthorizer::default()
    });
    let Err(StopCause::Final(EndCause::Attempt(cause))) = soon(Client::connect(options)).await
    else {
        panic!()
    };
    assert!(
        matches!(&*cause, ConnectError::Provider(error) if !error.is_retryable),
        "{cause:?}"
    );
}
