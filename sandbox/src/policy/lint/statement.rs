//! What one statement shows to be wrong by itself.

use crate::policy::document::{ActionPattern, Effect, Statement};
use crate::policy::lint::problem::{self, PolicyProblem};
use crate::policy::request::{Action, Request, Subject};
use crate::policy::resource::Resource;

pub(super) fn problems(statement: &Statement) -> Vec<PolicyProblem> {
    let mut problems: Vec<PolicyProblem> = statement
        .actions
        .iter()
        .filter(|action| !is_known(action))
        .map(|action| PolicyProblem::UnknownAction(action.text.clone()))
        .collect();
    let wrong_kinds: Vec<PolicyProblem> = Action::ALL
        .into_iter()
        .filter_map(|action| wrong_kind(statement, action))
        .collect();
    if wrong_kinds.is_empty() {
        problems.extend(
            statement
                .resources
                .iter()
                .filter_map(|resource| useless(statement, resource)),
        );
        problems.extend(statement.resources.iter().filter_map(mqtt_wildcard));
    }
    problems.extend(wrong_kinds);
    problems.extend(statement.resources.iter().filter_map(no_value));
    if statement.effect == Effect::Allow && statement.conditions.is_empty() {
        problems.extend(
            statement
                .resources
                .iter()
                .filter_map(|resource| too_much(statement, resource)),
        );
    }
    problems
}

fn is_known(action: &ActionPattern) -> bool {
    let is_of_jobs = action.text.to_ascii_lowercase().starts_with("iotjobsdata:");
    is_of_jobs
        || ACTIONS
            .iter()
            .any(|known| action.pattern.matches_action(&known.to_ascii_lowercase()))
}

/// An action that the statement names, and whose kind of resource it doesn't.
fn wrong_kind(statement: &Statement, action: Action) -> Option<PolicyProblem> {
    let name = action.to_string();
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
    let resource = statement.resources.first()?.name().into();
    Some(PolicyProblem::WrongKind { action, resource })
}

/// A resource of MQTT that no action of the statement is asked on.
fn useless(statement: &Statement, resource: &Resource) -> Option<PolicyProblem> {
    let kind = resource
        .kind()
        .filter(|kind| matches!(*kind, "client" | "topic" | "topicfilter"))?;
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
    let has_one = topic.split('/').any(|level| matches!(level, "+" | "#"));
    has_one.then(|| PolicyProblem::MqttWildcard(resource.name().into()))
}

fn no_value(resource: &Resource) -> Option<PolicyProblem> {
    let subject = Subject {
        source_ip: Some([127, 0, 0, 1].into()),
        domain_name: Some("localhost".into()),
        ..Subject::new("x")
    };
    let lacks = resource.lacks_a_value(&Request::new(Action::Connect, "x", &subject));
    lacks.then(|| PolicyProblem::NoValue(resource.name().into()))
}

/// A wildcard that leaves nothing out.
fn too_much(statement: &Statement, resource: &Resource) -> Option<PolicyProblem> {
    let name = resource.name();
    let is_all = |name: &str| matches!(name, "*" | "#" | "**");
    let first_covered = |actions: &[Action]| {
        actions
            .iter()
            .copied()
            .find(|action| statement.covers(*action))
    };
    if is_all(name) && Action::ALL.iter().all(|action| statement.covers(*action)) {
        return Some(PolicyProblem::AllowsEverything);
    }
    let of_clients = is_all(name) || name == "client/*" || name == "client/${iot:ClientId}";
    if of_clients && statement.covers(Action::Connect) {
        return Some(PolicyProblem::AllowsEveryClientId(name.into()));
    }
    let (kind, behind) = (problem::kind(name), problem::behind_kind(name));
    let asked = if is_all(name) {
        &Action::ALL[..]
    } else {
        of_kind(kind)
    };
    let action = first_covered(asked).filter(|_| is_all(behind))?;
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

/// The data plane of AWS IoT, besides jobs.
const ACTIONS: [&str; 16] = [
    "iot:Connect",
    "iot:Publish",
    "iot:RetainPublish",
    "iot:Receive",
    "iot:Subscribe",
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
