//! Diagnoses of connections that fail between CONNECT and CONNACK.

use std::time::Duration;

use dunlin_client::{ConnectError, ServerReason};
use dunlin_codec::ReasonCode;

use crate::diagnosis::context::{ConnectionFacts, RunContext};
use crate::diagnosis::text::duration;
use crate::diagnosis::{Diagnosis, Id, Try, denial, network, protocol, reason, tls};

/// Diagnosis of a failed attempt to connect; `elapsed` is the time since TLS, or TCP, was up.
pub(crate) fn failed(
    context: &RunContext,
    facts: &ConnectionFacts,
    error: &ConnectError,
    elapsed: Duration,
) -> Diagnosis {
    let at = format!(
        "CONNECT, {} after {} · {}",
        duration(elapsed),
        context.last_stage(),
        facts.summary(context)
    );
    let diagnosis = match error {
        ConnectError::Options(error) => return Diagnosis::usage(error.to_string()),
        ConnectError::Provider(error) => return no_credentials(&error.detail),
        // These two have an address and a stage of their own for the line `at:`.
        ConnectError::Transport(error) => return network::transport(context, error),
        ConnectError::Refused(refusal) => refused(context, refusal),
        // On port 443, AWS IoT closes the connection of a client that it expects to speak HTTP.
        ConnectError::Closed { .. } if facts.lacks_alpn() && !context.choices.is_websocket => {
            tls::alpn_missing(context, elapsed)
        }
        ConnectError::Closed { reset } => hangup(context, *reset, elapsed),
        ConnectError::ConnAckTimeout { after } => return unanswered(context, facts, *after),
        ConnectError::Protocol(violation) => blame_alpn(
            context,
            facts,
            protocol::broken(context, violation, &facts.malformed()),
        ),
        error => Diagnosis {
            try_: vec![Try::advice("again; -v prints each step")],
            ..Diagnosis::new(Id::Lost, format!("the connection was not made: {error}"))
        },
    };
    Diagnosis {
        at: Some(at),
        ..diagnosis
    }
}

/// Diagnosis of a command of `--auth-cmd` that still runs when the time of the run is over, after
/// `timeout`. Nothing was sent.
pub(crate) fn slow_command(timeout: Duration) -> Diagnosis {
    no_credentials(&format!("it still ran after {}", duration(timeout)))
}

/// Diagnosis of a command that has printed no credentials. Nothing was sent.
fn no_credentials(detail: &str) -> Diagnosis {
    Diagnosis {
        try_: vec![Try::advice(
            "run the command by itself: it prints the password, or a JSON object with username, \
             password, token and signature",
        )],
        ..Diagnosis::new(
            Id::AuthCommand,
            format!("--auth-cmd brought no credentials: {detail}"),
        )
    }
}

/// Diagnosis of a server that sends no CONNACK within `after`.
pub(crate) fn unanswered(
    context: &RunContext,
    facts: &ConnectionFacts,
    after: Duration,
) -> Diagnosis {
    let diagnosis = Diagnosis {
        at: Some(format!("CONNECT · {}", facts.summary(context))),
        saw: Some(format!(
            "{} up; CONNECT was sent",
            match context.transport() {
                "wss" => "TCP, TLS and WebSocket are",
                "ws" => "TCP and WebSocket are",
                "tls" => "TCP and TLS are",
                _ => "TCP is",
            }
        )),
        likely: vec![
            // A Lambda may take 5 s at AWS, so that a slow authorizer is the first guess.
            "the server is overloaded, or waits for an authorizer that does not answer".into(),
            "something in between accepts connections and forwards nothing".into(),
        ],
        try_: vec![Try::advice("again in a minute · a longer --timeout")],
        ..Diagnosis::new(
            Id::ConnackTimeout,
            format!(
                "{} did not answer CONNECT within {}",
                context.server_noun(),
                duration(after)
            ),
        )
    };
    blame_alpn(context, facts, diagnosis)
}

/// Adds the guess that the port expects another protocol, if the server selected none by ALPN.
fn blame_alpn(
    context: &RunContext,
    facts: &ConnectionFacts,
    mut diagnosis: Diagnosis,
) -> Diagnosis {
    // WebSocket is told by its request, not by ALPN.
    if facts.lacks_alpn() && !context.choices.is_websocket {
        // Put first: it explains the silence better than an overloaded server.
        let guess =
            "no ALPN protocol was selected, so this port may expect something else than MQTT";
        diagnosis.likely.insert(0, guess.into());
    }
    diagnosis
}

/// Diagnosis of a CONNACK with a reason code of 0x80 or more.
fn refused(context: &RunContext, refusal: &ServerReason) -> Diagnosis {
    let headline = format!(
        "{} refused the connection: {} ({}){}",
        context.server_noun(),
        refusal.reason_code.name(),
        reason::wire(refusal),
        reason::own_words(refusal)
    );
    // Evidence: user properties, server reference, and the credentials without secrets.
    let mut evidence = reason::evidence(refusal);
    evidence.push(context.credentials());
    let saw = Some(evidence.join("; "));
    match refusal.reason_code {
        // Codes of authorisation: AWS uses one code for several causes, so the reason string
        // decides.
        ReasonCode::BadUserNameOrPassword
        | ReasonCode::NotAuthorized
        | ReasonCode::Banned
        | ReasonCode::BadAuthenticationMethod => Diagnosis {
            saw,
            likely: denial::likely(context, Some(refusal)),
            try_: denial::advice(context, Some(refusal)),
            ..Diagnosis::new(Id::AuthDenied, headline)
        },
        code => {
            let (likely, advice) = other_refusal(code);
            Diagnosis {
                saw,
                likely: vec![likely.into()],
                try_: vec![Try::advice(advice)],
                ..Diagnosis::new(Id::ConnRefused, headline)
            }
        }
    }
}

/// Diagnosis of a connection that the server closed without a CONNACK.
fn hangup(context: &RunContext, reset: bool, elapsed: Duration) -> Diagnosis {
    let how = if reset { "reset" } else { "closed" };
    let mut likely = denial::likely(context, None);
    if context.uses_authorizers() {
        // AWS IoT allows one connection of a client id in a second.
        likely.push("a client with the same id connected less than a second ago".into());
    }
    let mut try_ = denial::advice(context, None);
    // CONNECT is no request of HTTP, and without TLS no TLS record; many servers close without a word.
    // A Unix domain socket has port 0.
    let is_usual = PORTS_OF_MQTT.contains(&context.port) || context.is_aws;
    if !is_usual && context.port != 0 && matches!(context.transport(), "tcp" | "tls") {
        let scheme = if context.choices.is_tls { "wss" } else { "ws" };
        likely.insert(
            0,
            format!("this port speaks MQTT over WebSocket: use {scheme}://"),
        );
        try_.insert(0, protocol::over_websocket(context));
    }
    if context.transport() == "tcp" && !matches!(context.port, 0 | PLAIN_MQTT_PORT) {
        likely.insert(0, "this port speaks TLS: use mqtts://".into());
        try_.insert(0, protocol::with_tls(context));
    }
    Diagnosis {
        saw: Some(format!(
            "{how} {} after {}, without a packet; {}",
            duration(elapsed),
            context.last_stage(),
            context.credentials()
        )),
        likely,
        try_,
        ..Diagnosis::new(
            Id::Hangup,
            "the server closed the connection before answering CONNECT",
        )
    }
}

/// Likely cause and advice for a CONNACK code that isn't about authorisation.
fn other_refusal(code: ReasonCode) -> (&'static str, &'static str) {
    match code {
        // Codes that only another server, client id or version mends.
        ReasonCode::UnsupportedProtocolVersion => (
            "the server does not support MQTT 5",
            "a server that supports MQTT 5, or a newer version of this one",
        ),
        ReasonCode::ClientIdentifierNotValid => (
            "the server does not accept this client id",
            "another --client-id",
        ),
        // Codes that pass by themselves.
        ReasonCode::ServerUnavailable | ReasonCode::ServerBusy => {
            ("the server is overloaded or starting", "again in a minute")
        }
        ReasonCode::QuotaExceeded => (
            "an account or connection limit is reached",
            "fewer connections, or a higher limit",
        ),
        ReasonCode::ConnectionRateExceeded => (
            "this client id connects too often (AWS IoT: once a second)",
            "again in a few seconds",
        ),
        // Codes with a Server Reference (§3.2.2.3.16), which is part of the evidence.
        ReasonCode::UseAnotherServer | ReasonCode::ServerMoved => (
            "the server has moved; the name that it refers to, if any, is above",
            "--endpoint with the new name",
        ),
        // Codes about the content of CONNECT.
        ReasonCode::PacketTooLarge => (
            "user name, password or token are too long for the server",
            "shorter ones",
        ),
        ReasonCode::MalformedPacket | ReasonCode::ProtocolError => (
            "the server could not read CONNECT: it may support another version of MQTT only",
            "the server's log, which should say what it did not accept",
        ),
        ReasonCode::ImplementationSpecificError => (
            "CONNECT is valid, and this server does not accept it",
            "the server's log or its documentation",
        ),
        _ => (
            "the server did not say more than the code",
            "the server's log",
        ),
    }
}

/// Port that is registered for MQTT without TLS.
const PLAIN_MQTT_PORT: u16 = 1883;
/// Ports at which servers have MQTT without WebSocket: the registered ones, and those of AWS IoT Core.
const PORTS_OF_MQTT: [u16; 3] = [PLAIN_MQTT_PORT, 8883, 443];

#[cfg(test)]
mod tests {
    use dunlin_codec::PacketType;

    use super::*;
    use crate::diagnosis::context::context;
    use crate::diagnosis::reason::refusal;
    use crate::diagnosis::render;

    #[test]
    fn a_refused_connection_reads_as_documented() {
        let refusal = refusal(PacketType::ConnAck, ReasonCode::NotAuthorized);
        let diagnosis = failed(
            &context("x-ats.iot.eu-west-1.amazonaws.com"),
            &ConnectionFacts {
                peer: "52.1.2.3:443".parse().ok(),
                ..ConnectionFacts::default()
            },
            &ConnectError::Refused(refusal),
            Duration::from_millis(212),
        );
        let text = anstream::adapter::strip_str(&render(&diagnosis, Some(120))).to_string();
        assert_eq!(
            text,
            "\
error[E-AUTH-DENIED]: AWS IoT refused the connection: Not authorized (CONNACK 0x87)
  at:     CONNECT, 212 ms after TLS · x-ats.iot.eu-west-1.amazonaws.com:443 (52.1.2.3)
  saw:    server gave no reason string; authorizer \"MyAuth\", username \"u\", password 8 bytes, client id \"thing-7\"
  likely: 1. the authorizer Lambda returned isAuthenticated=false (wrong username/password)
          2. its policy does not allow iot:Connect on client/thing-7 (the sample policy only allows
          client/mqtt5-sample-*)
          3. the authorizer has signing enabled, and no signature was sent
          4. the authorizer name is wrong, INACTIVE, or the Lambda failed, timed out or may not be invoked by IoT
  try:    aws iot test-invoke-authorizer --authorizer-name MyAuth --mqtt-context \\
          username=u,password=\"$PASSWORD_BASE64\",clientId=thing-7
          again without --client-id, if the policy is the sample's
  help:   dunlin explain E-AUTH-DENIED"
        );
    }

    #[test]
    fn other_codes_have_no_advice_on_authorisation() {
        for code in [
            ReasonCode::ServerBusy,
            ReasonCode::ServerMoved,
            ReasonCode::ClientIdentifierNotValid,
        ] {
            let diagnosis = refused(&context("localhost"), &refusal(PacketType::ConnAck, code));
            assert_eq!(diagnosis.id, Id::ConnRefused);
            assert!(diagnosis.headline.contains(code.name()));
        }
    }

    #[test]
    fn a_close_without_tls_may_mean_that_the_port_speaks_tls() {
        let guesses = |is_tls, port| {
            let mut context = context("localhost");
            context.choices.is_tls = is_tls;
            context.port = port;
            let diagnosis = hangup(&context, true, Duration::ZERO);
            (diagnosis.likely, diagnosis.try_)
        };
        let (likely, try_) = guesses(false, 8883);
        assert_eq!(likely[0], "this port speaks TLS: use mqtts://");
        assert_eq!(try_[0], Try::paste("--endpoint mqtts://localhost:8883"));
        // MQTT over WebSocket has no port of its own: any other port may be one.
        let (likely, try_) = guesses(false, 8080);
        assert_eq!(likely[1], "this port speaks MQTT over WebSocket: use ws://");
        assert_eq!(try_[1], Try::paste("--endpoint ws://localhost:8080"));
        let (likely, _) = guesses(true, 8443);
        assert_eq!(
            likely[0],
            "this port speaks MQTT over WebSocket: use wss://"
        );
        // Neither port 1883 nor a connection with TLS gives reason for that guess.
        for (is_tls, port) in [(false, 1883), (true, 8883)] {
            let (likely, try_) = guesses(is_tls, port);
            assert!(
                !["mqtts://", "WebSocket"]
                    .iter()
                    .any(|word| format!("{likely:?}{try_:?}").contains(word)),
                "{port}"
            );
        }
    }
}
