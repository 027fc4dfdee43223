//! Mistakes of a single statement.

use std::time::UNIX_EPOCH;

use crate::policy::lint::arn;
use crate::policy::lint::problem::{self, PolicyProblem};
use crate::policy::request::{Action, Request, Subject};
use crate::policy::resource::Resource;
use crate::policy::statement::{ActionPattern, Effect, Statement};

/// A mistake, and the text of the policy that shows it.
pub(super) struct Found<'a> {
    /// Action or ARN as the policy writes it; `None` for the statement itself.
    pub(super) text: Option<&'a str>,
    pub(super) problem: PolicyProblem,
}

/// All mistakes of a statement.
pub(super) fn problems(statement: &Statement) -> Vec<Found<'_>> {
    // Actions.
    let mut problems = Vec::new();
    for action in statement.actions.iter().filter(|action| !is_known(action)) {
        problems.push(Found {
            text: Some(&action.text),
            problem: PolicyProblem::UnknownAction(action.text.clone()),
        });
    }

    // A resource of the wrong kind is reported once, for the action that it was meant for.
    let wrong_kinds: Vec<Found<'_>> = Action::ALL
        .into_iter()
        .filter_map(|action| wrong_kind(statement, action))
        .collect();
    if wrong_kinds.is_empty() {
        problems.extend(of_resources(statement, |resource| {
            useless(statement, resource)
        }));
        problems.extend(of_resources(statement, mqtt_wildcard));
        problems.extend(of_resources(statement, |resource| {
            shared_topic(statement, resource)
        }));
    }
    problems.extend(wrong_kinds);

    // ARNs that never match, or that were never filled in.
    problems.extend(of_resources(statement, no_value));
    let arns = statement.resources.iter().map(Resource::text);
    let of_conditions = statement.conditions.iter().flat_map(|of| of.arns());
    problems.extend(arns.chain(of_conditions).filter_map(|text| {
        let problem = arn::unfilled(text)?;
        let text = Some(text);
        Some(Found { text, problem })
    }));

    // An Allow without a condition that leaves nothing out.
    if statement.effect == Effect::Allow && statement.conditions.is_empty() {
        problems.extend(of_resources(statement, |resource| {
            too_much(statement, resource)
        }));
    }
    problems
}

/// Mistakes of each resource.
fn of_resources(
    statement: &Statement,
    problem: impl Fn(&Resource) -> Option<PolicyProblem>,
) -> impl Iterator<Item = Found<'_>> {
    statement.resources.iter().filter_map(move |resource| {
        let problem = problem(resource)?;
        let text = Some(resource.text());
        Some(Found { text, problem })
    })
}

fn is_known(action: &ActionPattern) -> bool {
    let text = action.text.to_ascii_lowercase();
    OTHER_SERVICES
        .iter()
        .any(|service| text.starts_with(service))
        || ACTIONS
            .iter()
            .any(|known| action.pattern.matches_action(&known.to_ascii_lowercase()))
}

/// An action that the statement names without a resource of its kind.
fn wrong_kind(statement: &Statement, action: Action) -> Option<Found<'_>> {
    let name = action.to_string();
    // Only actions that are written out: `iot:*` is meant for whatever the resources are.
    let is_named = statement
        .actions
        .iter()
        .any(|pattern| pattern.text.eq_ignore_ascii_case(&name));
    let fits = |resource: &Resource| {
        resource
            .kind()
            .is_none_or(|kind| kind == action.resource_kind())
    };
    if !is_named || statement.resources.iter().any(fits) {
        return None;
    }
    let first = statement.resources.first()?;
    let resource = first.name().into();
    Some(Found {
        text: Some(first.text()),
        problem: PolicyProblem::WrongKind { action, resource },
    })
}

/// A resource of MQTT that no action of the statement is evaluated on.
fn useless(statement: &Statement, resource: &Resource) -> Option<PolicyProblem> {
    let kind = resource
        .kind()
        .filter(|kind| matches!(*kind, "client" | "topic" | "topicfilter"))?;
    // A statement without actions of MQTT is for another service.
    let mut covered = Action::ALL
        .into_iter()
        .filter(|action| statement.covers(*action))
        .peekable();
    covered.peek()?;
    let is_wanted = covered.any(|action| action.resource_kind() == kind);
    (!is_wanted).then(|| PolicyProblem::UselessResource(resource.name().into()))
}

fn mqtt_wildcard(resource: &Resource) -> Option<PolicyProblem> {
    let topic = resource.name().strip_prefix("topic/")?;
    // No topic name has either of them, at any place. §4.7.1
    topic
        .contains(['+', '#'])
        .then(|| PolicyProblem::MqttWildcard(resource.name().into()))
}

/// A shared filter that clients are to publish on. AWS's samples grant `iot:Receive` on it.
fn shared_topic(statement: &Statement, resource: &Resource) -> Option<PolicyProblem> {
    let publishes = [Action::Publish, Action::RetainPublish]
        .into_iter()
        .any(|action| statement.covers(action));
    // With iot:Receive in the same statement the resource is meant for that.
    let is_meant = publishes && !statement.covers(Action::Receive);
    let is_shared = resource.name().starts_with("topic/$share/");
    (is_meant && is_shared).then(|| PolicyProblem::SharedTopic(resource.name().into()))
}

fn no_value(resource: &Resource) -> Option<PolicyProblem> {
    // Every other key has a value, so one that is lacking belongs to things or certificates.
    let subject = Subject::with_every_value();
    let request = Request::new(Action::Connect, "x", &subject, UNIX_EPOCH);
    let lacks = resource.lacks_a_value(&request);
    lacks.then(|| PolicyProblem::NoValue(resource.name().into()))
}

/// A wildcard that allows everything.
fn too_much(statement: &Statement, resource: &Resource) -> Option<PolicyProblem> {
    let name = resource.name();
    let is_all = |name: &str| matches!(name, "*" | "**");
    let first_covered = |actions: &[Action]| {
        actions
            .iter()
            .copied()
            .find(|action| statement.covers(*action))
    };

    // The widest grant is reported, and not every part of it. Direct messages are no action of MQTT.
    if is_all(name) && MQTT.iter().all(|action| statement.covers(*action)) {
        return Some(PolicyProblem::AllowsEverything);
    }
    // `client/${iot:ClientId}` looks like a restriction, but every client id matches itself.
    let of_clients = is_all(name) || name == "client/*" || name == "client/${iot:ClientId}";
    if of_clients && statement.covers(Action::Connect) {
        return Some(PolicyProblem::AllowsEveryClientId(name.into()));
    }

    // Everything of one kind.
    let (kind, behind) = (problem::kind(name), problem::behind_kind(name));
    let asked = if is_all(name) {
        &MQTT[..]
    } else {
        of_kind(kind)
    };
    // Subscribing to # is subscribing to everything; in a topic # is a letter.
    let is_every_topic = is_all(behind) || (kind == "topicfilter" && behind == "#");
    let action = first_covered(asked).filter(|_| is_every_topic)?;
    Some(PolicyProblem::AllowsEveryTopic {
        action,
        resource: name.into(),
    })
}

const fn of_kind(kind: &str) -> &'static [Action] {
    match kind.as_bytes() {
        b"topic" => &[Action::Publish, Action::RetainPublish, Action::Receive],
        b"topicfilter" => &[Action::Subscribe],
        _ => &[],
    }
}

/// Actions of MQTT.
const MQTT: [Action; 5] = [
    Action::Connect,
    Action::Publish,
    Action::RetainPublish,
    Action::Receive,
    Action::Subscribe,
];

/// Prefixes of the actions of other services that AWS IoT policies may have.
const OTHER_SERVICES: [&str; 2] = ["iotjobsdata:", "greengrass:"];

/// Actions of AWS IoT's data plane.
const ACTIONS: [&str; 20] = [
    "iot:Connect",
    "iot:Publish",
    "iot:RetainPublish",
    "iot:Receive",
    "iot:Subscribe",
    "iot:SendDirectMessage",
    "iot:GetConnection",
    "iot:DeleteConnection",
    "iot:ListSubscriptions",
    "iot:GetRetainedMessage",
    "iot:ListRetainedMessages",
    "iot:GetThingShadow",
    "iot:UpdateThingShadow",
    "iot:DeleteThingShadow",
    "iot:ListNamedShadowsForThing",
    "iot:DescribeJobExecution",
    "iot:GetPendingJobExecutions",
    "iot:StartNextPendingJobExecution",
    "iot:UpdateJobExecution",
    "iot:AssumeRoleWithCertificate",
];
