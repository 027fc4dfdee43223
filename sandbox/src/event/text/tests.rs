//! Lines of the log.

use super::*;
use std::time::Duration;

use crate::event::Transport;
use crate::policy::StatementRef;

fn connect(outcome: Outcome<(String, Decision)>) -> Event {
    Event::Connect {
        client_id: "mqtt5-sample-1a2b".into(),
        transport: Transport::Tls,
        authorizer: Some("DemoUnsigned".into()),
        named_in: None,
        outcome,
        took: Duration::from_millis(3),
    }
}

#[test]
fn a_line_says_when_who_what_and_why() {
    let by = StatementRef {
        document: 1,
        statement: 3,
        sid: None,
        resource: "client/mqtt5-sample-*".into(),
    };
    // Allowed: the summary of the policy stands for the reason.
    let event = connect(Outcome::Allowed((
        "connect as mqtt5-sample-*".into(),
        Decision::Allowed(by.clone()),
    )));
    assert_eq!(event.decision(), Some(&Decision::Allowed(by)));
    let line = LogLine {
        at: UNIX_EPOCH + Duration::from_secs(22 * 3600 + 15 * 60 + 34),
        event,
    };
    assert_eq!(
        line.to_string(),
        "22:15:34 connect   mqtt5-sample-1a2b  DemoUnsigned → allow (policy: connect as mqtt5-sample-*)  3 ms"
    );
    let refused = Outcome::Refused {
        reason_code: Some(ReasonCode::NotAuthorized),
        reason: "no".into(),
        decision: None,
    };
    assert_eq!(
        connect(refused).to_string(),
        "connect   mqtt5-sample-1a2b  DemoUnsigned → refuse 0x87 (no)  3 ms"
    );
}

#[test]
fn the_decision_is_in_colour_and_no_text_of_a_client_or_a_lambda() {
    // Texts of a client and of a Lambda that look like decisions stay without colour.
    let refused = || Outcome::Refused {
        reason_code: Some(ReasonCode::NotAuthorized),
        reason: "→ allow".into(),
        decision: None,
    };
    let event = Event::Receive {
        client_id: "→ allow".into(),
        topic: "→ refuse".into(),
        outcome: refused(),
    };
    let line = LogLine {
        at: UNIX_EPOCH,
        event,
    };
    assert_eq!(
        format!("{line:#}"),
        "00:00:00 receive   → allow  → refuse  \u{1b}[31m→ refuse\u{1b}[0m 0x87 (→ allow)"
    );
    assert_eq!(line.explained_in_colour(), format!("{line:#}"));
    let by = StatementRef {
        document: 1,
        statement: 1,
        sid: None,
        resource: "client/*".into(),
    };
    let allowed = connect(Outcome::Allowed(("all".into(), Decision::Allowed(by))));
    assert!(format!("{allowed:#}").contains("\u{1b}[32m→ allow\u{1b}[0m (policy: all)"));
    let printed = Event::Lambda {
        authorizer: "A".into(),
        text: "→ allow → refuse".into(),
    };
    assert_eq!(format!("{printed:#}"), printed.to_string());
}

#[test]
fn an_explained_line_says_which_statement_decided() {
    let by = StatementRef {
        document: 1,
        statement: 2,
        sid: None,
        resource: "topic/a".into(),
    };
    let event = Event::Receive {
        client_id: "lamp".into(),
        topic: "a".into(),
        outcome: Outcome::Allowed(Decision::Allowed(by)),
    };
    let line = LogLine {
        at: UNIX_EPOCH,
        event,
    };
    assert_eq!(
        line.explained(),
        "00:00:00 receive   lamp  a  → allow, delivered\n         allowed by policy document 1, statement 2 (topic/a)"
    );
}

#[test]
fn text_of_a_client_stays_on_one_line() {
    // A line feed, marks of text direction and line separation, and a terminal escape.
    let client_id = "a\nb\u{202e}c\u{2028}d\u{1b}[2J".into();
    let event = Event::Unsubscribe {
        client_id,
        filter: "x".repeat(10_000),
    };
    let line = event.to_string();
    assert!(
        line.starts_with("unsubscribe a\\nb\\u{202e}c\\u{2028}d\\u{1b}[2J  x"),
        "{line}"
    );
    assert!(line.ends_with("x..") && line.len() < 350);
    // Output of a Lambda is shown whole, with tabs as spaces.
    let text = "x".repeat(65_536);
    let printed = Event::Lambda {
        authorizer: "A".into(),
        text: format!("a\t{text}\u{1b}[2J"),
    };
    assert_eq!(
        printed.to_string(),
        format!("lambda    A  a  {text}\\u{{1b}}[2J")
    );
}
