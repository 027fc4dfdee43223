//! `dunlin auth eval`: one request, decided by a policy as the sandbox decides it.

use std::fmt::Display;
use std::io::{self, Write};
use std::time::SystemTime;

use crate::terminal::escaped_lines;
use dunlin_codec::EscapedJson;
use dunlin_codec::{TopicFilter, TopicName};
use dunlin_sandbox::{
    Action, AnswerProblem, ConnectAttributes, Decision, Policy, PolicyDocument, Request, Subject,
};
use serde::Serialize;

use super::documents::{Documents, Placed};
use super::position::Position;
use crate::args::{ActionArg, EvalArgs};
use crate::decision::Decided;
use crate::diagnosis::{Diagnosis, Try, quoted, shell};
use crate::exit::Exit;
use crate::failure::Failure;

/// One decision as JSON; fields may be added.
#[derive(Serialize)]
struct EvaluatedAction<'a> {
    v: u8,
    action: String,
    resource: String,
    client_id: &'a str,
    allowed: bool,
    decision: Decided<'a>,
    /// Statements that deny the action and don't apply for want of a value.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    skipped_denials: Vec<String>,
}

#[expect(
    clippy::disallowed_methods,
    reason = "conditions on the time are about now, unless --time is given"
)]
/// Prints the decision about each action; the exit code is 0 if all are allowed, else 7.
pub(super) fn evaluate(typed: &EvalArgs) -> Result<Exit, Failure> {
    let read = Documents::read(&typed.policy)?;

    // A file that isn't JSON has no policy to evaluate.
    if let Some(malformed) = read.malformed.first() {
        let Placed { what, location } = malformed;
        let Position { line, column } = location.position;
        let file = &location.file;
        return Err(Diagnosis::usage(format!(
            "--policy {file} isn't JSON: {what}, at line {line} column {column}"
        ))
        .into());
    }

    // An answer that isn't authenticated is a denial, and no mistake.
    let is_denial = |fault: &Placed<AnswerProblem>| fault.what == AnswerProblem::NotAuthenticated;
    if read.faults.iter().any(is_denial) {
        let mut out = io::stdout().lock();
        writeln!(
            out,
            "denied   the Lambda's answer has isAuthenticated false: nothing is allowed"
        )?;
        return Ok(Exit::Denied);
    }

    // Everything that the requests have in common.
    let policy = policy(typed, read)?;
    let name = name(typed)?;
    let subject = subject(typed)?;
    let time = typed.time.unwrap_or_else(SystemTime::now);
    let mut out = io::stdout().lock();
    let mut exit = Exit::Done;
    for action in typed.action.actions() {
        // Publishing with RETAIN asks two actions; each is told.
        let request = Request::new(*action, name, &subject, time);
        let decision = policy.evaluate(request);
        let skipped: Vec<String> = policy
            .skipped_denials(request)
            .iter()
            .map(ToString::to_string)
            .collect();
        if !decision.is_allowed() {
            exit = Exit::Denied;
        }
        let text = if typed.json {
            json(typed, *action, name, &decision, skipped)
        } else {
            text(*action, name, &decision, &skipped)
        };
        writeln!(out, "{}", escaped_lines(&text))?;
    }
    Ok(exit)
}

fn subject(typed: &EvalArgs) -> Result<Subject, Diagnosis> {
    // Direct messages are sent over HTTP, where the sender has no client id.
    let is_direct = typed.action == ActionArg::SendDirectMessage;
    let client_id = if is_direct { "" } else { &*typed.client_id };
    let mut subject = Subject::new(client_id);
    subject.direct_topic = typed.topic.as_deref().map(Into::into);
    subject.source_ip = typed.source_ip;
    subject.domain_name = typed.domain_name.as_deref().map(Into::into);
    subject.connect = ConnectAttributes {
        persistent: typed.persistent,
        last_will: typed.last_will,
    };
    for pair in &typed.set {
        let refused =
            |error: &dyn Display| Diagnosis::usage(format!("--set {}: {error}", quoted(pair)));
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| refused(&"write it as KEY=VALUE"))?;
        subject.set(key, value).map_err(|error| refused(&error))?;
    }
    Ok(subject)
}

fn policy(typed: &EvalArgs, read: Documents) -> Result<Policy, Diagnosis> {
    // The service takes no answer with a fault, whatever its documents allow.
    if let Some(fault) = read.faults.first() {
        return Err(Diagnosis::usage(format!(
            "AWS IoT would not take the Lambda's answer: {}",
            fault.what
        )));
    }

    // Each document is an object, or the text of one.
    let values = read.documents.into_iter().map(|document| document.value);
    let parsed = values.zip(1..).map(|(document, number)| {
        let parsed = match document {
            serde_json::Value::String(text) => PolicyDocument::parse(&text),
            object => PolicyDocument::from_value(object),
        };
        parsed.map_err(|error| Diagnosis {
            try_: vec![Try::command(format!(
                "dunlin auth lint --policy {}",
                typed
                    .policy
                    .first()
                    .map_or_else(String::new, |file| shell(&file.to_string_lossy()))
            ))],
            ..Diagnosis::usage(format!("policy document {number} is refused: {error}"))
        })
    });
    let policy = Policy::new(parsed.collect::<Result<_, _>>()?);
    Ok(policy.within(typed.strict_arns.clone()))
}

/// Name that the request is about: the client id, a topic, or a filter.
fn name(typed: &EvalArgs) -> Result<&str, Diagnosis> {
    // The topic of a direct message is a condition key, which a policy needn't compare.
    match (typed.action, &typed.topic) {
        (ActionArg::Connect, _) | (ActionArg::SendDirectMessage, None) => {
            return Ok(&typed.client_id);
        }
        _ => {}
    }
    let topic = typed
        .topic
        .as_deref()
        .ok_or_else(|| Diagnosis::usage("missing: --topic"))?;
    let fault = match typed.action {
        ActionArg::Subscribe => TopicFilter::new(topic).err().map(|error| error.to_string()),
        _ => TopicName::new(topic).err().map(|error| error.to_string()),
    };
    match fault {
        Some(fault) => Err(Diagnosis::usage(format!(
            "--topic {}: {fault}",
            quoted(topic)
        ))),
        None if typed.action == ActionArg::SendDirectMessage => Ok(&typed.client_id),
        None => Ok(topic),
    }
}

fn text(action: Action, name: &str, decision: &Decision, skipped: &[String]) -> String {
    let verdict = if decision.is_allowed() {
        "allowed"
    } else {
        "denied"
    };
    let mut text = format!("{verdict:<8} {action} on {}/{name}", action.resource_kind());
    for reason in decision.explanation().iter().chain(skipped) {
        text.push_str("\n         ");
        text.push_str(reason);
    }
    text
}

fn json(
    typed: &EvalArgs,
    action: Action,
    name: &str,
    decision: &Decision,
    skipped_denials: Vec<String>,
) -> String {
    let line = EvaluatedAction {
        v: 1,
        action: action.to_string(),
        resource: format!("{}/{name}", action.resource_kind()),
        client_id: &typed.client_id,
        allowed: decision.is_allowed(),
        decision: Decided::of(decision),
        skipped_denials,
    };
    EscapedJson(serde_json::to_string(&line).unwrap_or_default()).to_string()
}
