//! Laws for every diagnosis of a connection, over all errors and several kinds of runs.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use dunlin_client::transport::{
    CertificateFault, CloseReason, FailedAttempt, FrameFault, IoFault, ProxyError, ResolveFault,
    RootsTried, Stage, TlsError, TransportError, UpgradeRefusal, WebSocketError,
};
use dunlin_client::{ConnectError, ConnectionError};
use dunlin_codec::{PacketType, ReasonCode, Sender};
use textwrap::core::display_width;

use super::context::context;
use super::reason::refusal;
use super::*;
use crate::printed::{check_command, every_flag, flags_in};

/// Runs that differ in what advice must respect.
fn contexts() -> Vec<RunContext> {
    let aws = context("x-ats.iot.eu-west-1.amazonaws.com");
    let mut contexts = vec![
        RunContext {
            authorizer: None,
            suggested_endpoint: Some("x-ats.iot.eu-west-1.amazonaws.com".into()),
            ..aws.clone()
        },
        RunContext {
            is_signed: true,
            has_token: true,
            alpn_offered: None,
            ..aws.clone().without_credentials()
        },
        RunContext {
            port: 8883,
            proxy: Some("via http://proxy.corp:3128 (from HTTPS_PROXY)".into()),
            ..context("broker.example.org")
        },
        // Text that means something to a shell.
        RunContext {
            authorizer: Some("it's \"mine\" & $(yours)".into()),
            username: Some("a b;c|d".into()),
            client_id: "thing 7 `x` \\".into(),
            ..context("::1")
        },
        RunContext {
            client_id: "日本語".repeat(20),
            ..aws.clone()
        },
        aws,
    ];
    let mut load_test = context("localhost");
    load_test.authorizer = None;
    load_test.choices = UserChoices {
        ca: false,
        client_id: false,
        alpn: false,
        is_tls: false,
        is_websocket: true,
        is_http: false,
        is_sample: false,
        is_load: true,
        auth_cmd: false,
    };
    contexts.push(load_test);
    // Each run once more with the opposite choices, which advice must not repeat.
    for context in contexts.clone() {
        let choices = UserChoices {
            ca: true,
            client_id: !context.choices.client_id,
            is_websocket: !context.choices.is_websocket,
            ..context.choices
        };
        contexts.push(RunContext { choices, ..context });
    }
    contexts
}

fn tls_errors(is_ca_given: bool) -> Vec<TlsError> {
    let roots = |file: Option<&str>| RootsTried {
        web: 0,
        own: 1,
        file: file.map(Into::into),
    };
    let name = || "a name".to_owned();
    let (then, now) = (
        SystemTime::UNIX_EPOCH,
        SystemTime::UNIX_EPOCH + Duration::from_secs(86_400),
    );
    let mut errors = vec![
        TlsError::Intercepted {
            host: name(),
            issuer: name(),
        },
        TlsError::NameMismatch {
            wanted: name(),
            presented: Vec::new(),
        },
        TlsError::NameMismatch {
            wanted: name(),
            presented: vec![name(); 9],
        },
        TlsError::Expired {
            not_before: None,
            not_after: then,
            now,
        },
        TlsError::NotYetValid {
            not_before: now,
            not_after: None,
            now: then,
        },
        TlsError::NoApplicationProtocol,
        TlsError::NotTls {
            received: b"HTTP/1.1 400".to_vec(),
        },
        TlsError::NotTls {
            received: Vec::new(),
        },
        TlsError::Closed,
        TlsError::Io(reset()),
        TlsError::InvalidServerName { host: name() },
        TlsError::Handshake { detail: name() },
    ];
    let file = Some("/etc/it's here/ca.pem");
    // With --ca there is always a file; without it one may come from SSL_CERT_FILE.
    let files = if is_ca_given {
        vec![file]
    } else {
        vec![None, file]
    };
    for file in files {
        errors.push(TlsError::UnknownIssuer {
            subject: name(),
            issuer: name(),
            roots: roots(file),
        });
        for fault in [
            CertificateFault::AuthorityAsServer,
            CertificateFault::IssuerNotAuthority,
            CertificateFault::Version,
            CertificateFault::Signature,
            CertificateFault::SignatureAlgorithm,
            CertificateFault::Malformed,
            CertificateFault::Purpose,
            CertificateFault::Constraint,
            CertificateFault::CriticalExtension,
            CertificateFault::Revoked,
            CertificateFault::Other {
                detail: "MaximumPathDepthExceeded".into(),
            },
        ] {
            errors.push(TlsError::BadCertificate {
                subject: Some("a name".into()),
                issuer: Some("a name".into()),
                fault,
                ca_file: file.map(|file| Path::new(file).into()),
            });
        }
    }
    errors
}

fn reset() -> IoFault {
    IoFault::from(&io::Error::from(io::ErrorKind::ConnectionReset))
}

fn transport_errors(is_ca_given: bool) -> Vec<TransportError> {
    let peer: SocketAddr = "192.0.2.1:8883".parse().unwrap();
    let attempts = || {
        vec![
            FailedAttempt {
                address: peer,
                fault: reset(),
            };
            6
        ]
    };
    let mut errors = vec![
        TransportError::Refused {
            attempts: attempts(),
        },
        TransportError::Unreachable {
            attempts: attempts(),
        },
        TransportError::Io(reset()),
    ];
    for fault in [ResolveFault::NotFound, ResolveFault::Temporary] {
        let host = "broker.example.org".to_owned();
        errors.push(TransportError::Resolve { host, fault });
    }
    for stage in [
        Stage::Resolve,
        Stage::Tcp,
        Stage::Proxy,
        Stage::Tls,
        Stage::WebSocket,
    ] {
        errors.push(TransportError::TimedOut {
            stage,
            after: Duration::from_secs(10),
            addresses: vec![peer; 6],
        });
    }
    // Refused, without credentials, and a gateway that can't reach the server.
    for status in [403, 407, 502] {
        errors.push(TransportError::Proxy {
            proxy: "http://proxy.corp:3128".into(),
            error: ProxyError::Refused {
                status,
                reason: "no".into(),
            },
        });
    }
    for error in [ProxyError::Closed, ProxyError::NotHttp] {
        let proxy = "http://proxy.corp:3128".into();
        errors.push(TransportError::Proxy { proxy, error });
    }
    errors.extend(websocket_errors().into_iter().map(|error| {
        let error = Box::new(error);
        TransportError::WebSocket {
            peer: peer.into(),
            error,
        }
    }));
    errors.extend(
        tls_errors(is_ca_given)
            .into_iter()
            .map(|error| TransportError::Tls {
                peer: peer.into(),
                error,
            }),
    );
    errors
}

fn websocket_errors() -> Vec<WebSocketError> {
    let mut errors = vec![
        WebSocketError::InvalidPath,
        WebSocketError::InvalidHeader { name: "a b".into() },
        WebSocketError::NotHttp,
        WebSocketError::AnswerTooLong,
        WebSocketError::NoAnswer,
        WebSocketError::WrongAnswer { header: "Upgrade" },
        WebSocketError::Subprotocol { selected: None },
        WebSocketError::Frame(FrameFault::Text),
        WebSocketError::Io(reset()),
    ];
    for status in [200, 302, 400, 401, 403, 404, 407, 418, 429, 503] {
        errors.push(WebSocketError::Refused(UpgradeRefusal {
            status,
            reason: "no".into(),
            error_type: Some("ForbiddenException:".into()),
            body: "x".repeat(1_024),
        }));
    }
    for code in [
        None,
        Some(1000),
        Some(1002),
        Some(1008),
        Some(1009),
        Some(1011),
        Some(4000),
    ] {
        let reason = "why".to_owned();
        errors.push(WebSocketError::Closed(CloseReason { code, reason }));
    }
    errors
}

fn codes(packet: PacketType) -> impl Iterator<Item = ReasonCode> {
    (0..=u8::MAX)
        .filter_map(ReasonCode::from_code)
        .filter(move |code| code.is_legal_in(packet, Sender::Server))
}

/// Every diagnosis of a connection in this kind of run.
fn diagnoses(context: &RunContext) -> Vec<Diagnosis> {
    let facts = ConnectionFacts::default();
    let (short, long) = (Duration::from_millis(300), Duration::from_secs(40));
    let mut all = Vec::new();
    for error in transport_errors(context.choices.ca) {
        all.push(network::transport(context, &error));
        let error = ConnectionError::Transport(error);
        all.push(lost::ended(context, &facts, &error, short));
    }
    // Reasons as AWS, the sandbox and other servers give them.
    let reasons = [
        None,
        Some("the Lambda gave no answer within 5 s"),
        Some("no statement allows iot:Connect on client/x"),
        Some("the signature does not match"),
        Some("there is no authorizer of that name"),
        Some("isAuthenticated=false"),
        Some("the user name has 2 \"?\""),
        Some("go away"),
    ];
    for code in codes(PacketType::ConnAck) {
        for reason in reasons {
            let mut words = refusal(PacketType::ConnAck, code);
            words.reason_string = reason.map(Into::into);
            let error = ConnectError::Refused(words);
            all.push(connect::failed(context, &facts, &error, short));
        }
    }
    for error in [
        ConnectError::Closed { reset: false },
        ConnectError::Closed { reset: true },
        ConnectError::ConnAckTimeout { after: long },
        ConnectError::Requested,
    ] {
        all.push(connect::failed(context, &facts, &error, short));
    }
    // Every code of the standard, not only those that AWS uses.
    for code in codes(PacketType::Disconnect) {
        let error = ConnectionError::Disconnected(refusal(PacketType::Disconnect, code));
        all.push(lost::ended(context, &facts, &error, short));
    }
    for error in [
        ConnectionError::Closed,
        ConnectionError::Reset,
        ConnectionError::KeepAliveTimeout {
            after: short,
            keep_alive: long,
            silent_for: long,
        },
    ] {
        all.push(lost::ended(context, &facts, &error, short));
    }
    for topic in ["test/topic", "it's/\"quoted\"/$x y"] {
        let progress = Progress {
            topic,
            sent: 5,
            acknowledged: 5,
            received: 0,
        };
        all.push(operation::not_received(context, progress, long));
        all.push(operation::no_response(context, progress, long));
        all.push(connect::slow_command(long));
        for (operation, packet) in [
            (Operation::Subscribe, PacketType::SubAck),
            (Operation::Publish, PacketType::PubAck),
            (Operation::Unsubscribe, PacketType::UnsubAck),
        ] {
            all.push(operation::unacknowledged(
                context, operation, progress, long,
            ));
            all.push(operation::dropped(context, operation, progress, 3, short));
            for code in codes(packet) {
                let refusal = refusal(packet, code);
                all.push(operation::refused(context, operation, progress, &refusal));
            }
        }
    }
    all.push(network::timed_out(context, long));
    all.push(tls::alpn_missing(context, short));
    all
}

#[test]
fn every_command_of_every_diagnosis_runs_as_it_is_printed() {
    let mut commands = BTreeSet::new();
    for context in contexts() {
        for diagnosis in diagnoses(&context) {
            for try_ in &diagnosis.try_ {
                match try_ {
                    Try::Command(command) => {
                        commands.insert(command.clone());
                        // Folded for a terminal, it is still the same command.
                        commands.insert(render::fold_command(command, 70).join("\n"));
                    }
                    // A policy statement must be valid JSON whatever the topic is.
                    Try::Paste(json) if json.starts_with('{') => {
                        let statement: serde_json::Value = serde_json::from_str(json).unwrap();
                        assert_eq!(statement["Effect"], "Allow");
                    }
                    Try::Paste(_) | Try::Advice(_) => {}
                }
            }
        }
    }
    // Otherwise the loops above have lost their contexts.
    assert!(commands.len() > 30, "{commands:#?}");
    for command in commands {
        check_command(&command);
    }
}

#[test]
fn every_flag_in_advice_exists_and_none_that_was_given_is_repeated() {
    let flags = every_flag();
    for context in contexts() {
        for diagnosis in diagnoses(&context) {
            for try_ in &diagnosis.try_ {
                let (Try::Advice(text) | Try::Paste(text)) = try_ else {
                    continue;
                };
                for flag in flags_in(text) {
                    assert!(flags.contains(flag), "--{flag} in: {text}");
                }
                assert!(
                    !context.choices.ca || !text.starts_with("--ca"),
                    "--ca was given: {text}"
                );
                assert!(
                    context.choices.client_id || !text.contains("without --client-id"),
                    "no --client-id was given: {text}"
                );
            }
        }
    }
}

#[test]
fn no_diagnosis_is_wider_or_longer_than_a_terminal() {
    for context in contexts() {
        for diagnosis in diagnoses(&context) {
            // Two widths, so that no text fits by chance.
            for columns in [80, 60] {
                let text = render(&diagnosis, Some(columns));
                let text = anstream::adapter::strip_str(&text).to_string();
                assert!(text.lines().count() <= 12, "{text}");
                for line in text.lines() {
                    // A single word, such as a path or an ARN, is never broken.
                    let is_word = line.trim().trim_end_matches(" \\").split(' ').count() <= 2;
                    assert!(
                        display_width(line) <= columns || is_word,
                        "{columns}: {line:?}\n{text}"
                    );
                }
            }
        }
    }
}

#[test]
fn every_diagnosis_has_a_cause_or_something_to_try() {
    for context in contexts() {
        for diagnosis in diagnoses(&context) {
            assert!(
                !diagnosis.likely.is_empty() || !diagnosis.try_.is_empty(),
                "{diagnosis:?}"
            );
            let text = format!("{diagnosis:?}");
            assert!(!text.contains("OtherError"), "{text}");
        }
    }
}
