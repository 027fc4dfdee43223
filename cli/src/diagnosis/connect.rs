//! The server was reached and the connection wasn't granted.

use std::time::Duration;

use dunlin_client::{ConnectError, ServerReason, Violation};
use dunlin_codec::ReasonCode;

use crate::diagnosis::scene::{Scene, Seen};
use crate::diagnosis::text::{duration, shell};
use crate::diagnosis::{Diagnosis, Id, Try, network, reason, tls};

/// Why an attempt failed; `elapsed` is the time since TLS was up.
pub(crate) fn failed(scene: &Scene, seen: &Seen, error: &ConnectError, elapsed: Duration) -> Diagnosis {
    let at = format!("CONNECT, {} after TLS · {}", duration(elapsed), seen.line(scene));
    let diagnosis = match error {
        ConnectError::Options(error) => return Diagnosis::usage(error.to_string()),
        ConnectError::Transport(error) => return network::transport(scene, error),
        ConnectError::Refused(refusal) => refused(scene, refusal),
        ConnectError::Closed { .. } if seen.lacks_alpn() => tls::alpn_missing(scene, elapsed),
        ConnectError::Closed { reset } => hangup(scene, *reset, elapsed),
        ConnectError::ConnAckTimeout { after } => return unanswered(scene, seen, *after),
        ConnectError::Protocol(violation) => blame_alpn(seen, broken(violation)),
        error => Diagnosis::new(Id::Lost, format!("the connection was not made: {error}")),
    };
    Diagnosis { at: Some(at), ..diagnosis }
}

/// No CONNACK.
pub(crate) fn unanswered(scene: &Scene, seen: &Seen, after: Duration) -> Diagnosis {
    let diagnosis = Diagnosis {
        at: Some(format!("CONNECT · {}", seen.line(scene))),
        saw: Some("TCP and TLS are up; CONNECT was sent".into()),
        likely: vec![
            "the server is overloaded, or waits for an authorizer that does not answer".into(),
            "something in between accepts connections and forwards nothing".into(),
        ],
        try_: vec![Try::advice("again in a minute · --timeout with more patience")],
        ..Diagnosis::new(
            Id::ConnackTimeout,
            format!("{} did not answer CONNECT within {}", scene.who(), duration(after)),
        )
    };
    blame_alpn(seen, diagnosis)
}

/// A server that selected no protocol may well speak another one.
fn blame_alpn(seen: &Seen, mut diagnosis: Diagnosis) -> Diagnosis {
    if seen.lacks_alpn() {
        let guess = "no ALPN protocol was selected, so this port may expect something else than MQTT";
        diagnosis.likely.insert(0, guess.into());
    }
    diagnosis
}

/// The server broke the protocol: the same whenever it does.
pub(crate) fn broken(violation: &Violation) -> Diagnosis {
    let likely = match violation {
        Violation::Packet(error) => match error.statement {
            Some(statement) => format!("a bug of the server: it breaks {statement} of the MQTT 5 standard"),
            None => "a bug of the server, or the port speaks something else than MQTT 5".into(),
        },
        _ => "a bug of the server".into(),
    };
    Diagnosis {
        likely: vec![likely, "something in between changes what passes".into()],
        try_: vec![Try::advice("tell who runs the server, with the line above")],
        ..Diagnosis::new(Id::Protocol, format!("the server broke the protocol: {violation}"))
    }
}

fn refused(scene: &Scene, refusal: &ServerReason) -> Diagnosis {
    let headline = format!(
        "{} refused the connection: {} ({})",
        scene.who(),
        refusal.reason_code.name(),
        reason::wire(refusal)
    );
    let saw = Some(format!("{}; {}", reason::words(refusal), scene.credentials()));
    match refusal.reason_code {
        ReasonCode::BadUserNameOrPassword
        | ReasonCode::NotAuthorized
        | ReasonCode::Banned
        | ReasonCode::BadAuthenticationMethod => Diagnosis {
            saw,
            likely: unauthorized(scene),
            try_: test_authorizer(scene, refusal.reason_string.is_some()),
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

fn unauthorized(scene: &Scene) -> Vec<String> {
    if scene.authorizer.is_none() && !scene.is_aws {
        return vec!["wrong user name or password".into(), "the server wants a client certificate".into()];
    }
    let mut likely = Vec::new();
    if scene.is_signed {
        likely.push("the token is not what the authorizer Lambda accepts (isAuthenticated=false)".into());
    } else {
        likely.push("the authorizer Lambda returned isAuthenticated=false (wrong username/password)".into());
    }
    if !scene.client_id.starts_with("mqtt5-sample-") {
        likely.push(format!(
            "its policy does not allow iot:Connect on client/{} (the sample policy only allows client/mqtt5-sample-*)",
            scene.client_id
        ));
    }
    if !scene.is_signed {
        likely.push("the authorizer has signing enabled, and no signature was sent".into());
    } else {
        likely.push(
            "the signature is by another key than the authorizer's, or the token key name is wrong".into(),
        );
    }
    likely.push("the authorizer name is wrong, INACTIVE, or the Lambda failed, timed out or may not be invoked by IoT".into());
    likely
}

/// AWS can be asked what the authorizer says, with the secrets left for the user to fill in.
fn test_authorizer(scene: &Scene, said_why: bool) -> Vec<Try> {
    let mut try_ = Vec::new();
    match &scene.authorizer {
        Some(name) if scene.is_aws => {
            let context =
                format!("username={},password=<base64>,clientId={}", scene.username(), scene.client_id);
            let token = if scene.is_signed { " --token <token> --token-signature <base64>" } else { "" };
            try_.push(Try::command(format!(
                "aws iot test-invoke-authorizer --authorizer-name {}{token} --mqtt-context {}",
                shell(name),
                shell(&context)
            )));
        }
        Some(_) if !said_why => try_.push(Try::advice("the server's log: a sandbox prints why it refused")),
        _ => {}
    }
    if !scene.client_id.starts_with("mqtt5-sample-") {
        try_.push(Try::advice("without --client-id, if the policy is the sample's"));
    }
    try_
}

fn hangup(scene: &Scene, reset: bool, elapsed: Duration) -> Diagnosis {
    let how = if reset { "reset" } else { "closed" };
    let mut likely =
        vec!["the authorizer or its policy denied (not every refusal is answered with a CONNACK)".to_owned()];
    if scene.is_signed {
        likely.push("the signature is by another key than the authorizer's".into());
    } else {
        likely.push("the authorizer has signing enabled, and no signature was sent".into());
    }
    likely.push("the authorizer name is wrong or INACTIVE, or the Lambda failed".into());
    likely.push("a client with the same id connected less than a second ago".into());
    Diagnosis {
        saw: Some(format!(
            "{how} {} after TLS, without a packet; {}",
            duration(elapsed),
            scene.credentials()
        )),
        likely,
        try_: test_authorizer(scene, false),
        ..Diagnosis::new(Id::Hangup, "the server closed the connection before answering CONNECT")
    }
}

fn other_refusal(code: ReasonCode) -> (&'static str, &'static str) {
    match code {
        ReasonCode::UnsupportedProtocolVersion => ("the server does not speak MQTT 5", "a server that does"),
        ReasonCode::ClientIdentifierNotValid => {
            ("the server does not take this client id", "another --client-id")
        }
        ReasonCode::ServerUnavailable | ReasonCode::ServerBusy => {
            ("the server is overloaded or starting", "again in a minute")
        }
        ReasonCode::QuotaExceeded => {
            ("an account or connection limit is reached", "fewer connections, or a higher limit")
        }
        ReasonCode::ConnectionRateExceeded => {
            ("this client id connects too often (AWS IoT: once a second)", "again in a few seconds")
        }
        ReasonCode::UseAnotherServer | ReasonCode::ServerMoved => (
            "the server has moved; what it refers to, if anything, stands above",
            "--endpoint with the new name",
        ),
        ReasonCode::PacketTooLarge => {
            ("user name, password or token are too long for the server", "shorter ones")
        }
        _ => ("the server's log or its documentation knows", "the same with another client id"),
    }
}

#[cfg(test)]
mod tests {
    use dunlin_codec::PacketType;

    use super::*;
    use crate::diagnosis::reason::refusal;
    use crate::diagnosis::render;
    use crate::diagnosis::scene::scene;

    #[test]
    fn a_refused_connection_reads_as_documented() {
        let refusal = refusal(PacketType::ConnAck, ReasonCode::NotAuthorized);
        let diagnosis = failed(
            &scene("x-ats.iot.eu-west-1.amazonaws.com"),
            &Seen { peer: "52.1.2.3:443".parse().ok(), tls: None },
            &ConnectError::Refused(refusal),
            Duration::from_millis(212),
        );
        let text = anstream::adapter::strip_str(&render(&diagnosis, 120)).to_string();
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
  try:    aws iot test-invoke-authorizer --authorizer-name MyAuth --mqtt-context 'username=u,password=<base64>,clientId=thing-7'
          without --client-id, if the policy is the sample's"
        );
    }

    #[test]
    fn other_codes_are_no_matter_of_authorisation() {
        for code in [ReasonCode::ServerBusy, ReasonCode::ServerMoved, ReasonCode::ClientIdentifierNotValid] {
            let diagnosis = refused(&scene("localhost"), &refusal(PacketType::ConnAck, code));
            assert_eq!(diagnosis.id, Id::ConnRefused);
            assert!(diagnosis.headline.contains(code.name()));
        }
    }
}
