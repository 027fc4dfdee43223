//! Mistakes that the linter knows, one sentence each, with the way to mend it.

use dunlin_codec::Escaped;

use crate::policy::decision::{Decision, StatementRef};
use crate::policy::error::PolicyError;
use crate::policy::request::Action;

/// Mistake in a policy. `Display` writes it on one line, without control characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyProblem {
    /// The whole document is refused, and with it every connection that it comes for.
    #[error("{0}")]
    Refused(PolicyError),
    /// More than 10 documents; holds their number.
    #[error("there are {0} documents; a Lambda may answer with 10: merge some")]
    TooManyDocuments(usize),
    /// A document of more than 2,048 characters; holds their number.
    #[error("it has {0} characters; a Lambda may answer with 2048 a document: split it")]
    TooLong(usize),
    /// An action that AWS IoT's data plane doesn't have.
    #[error(
        "there is no action {0:?}: MQTT has iot:Connect, iot:Publish, iot:RetainPublish, iot:Receive and iot:Subscribe"
    )]
    UnknownAction(Box<str>),
    /// An action with resources of another kind only.
    #[error(
        "{action} is asked on {kind}/, so that {resource} never applies: write {kind}/{name}",
        kind = action.resource_kind(), resource = Escaped(resource), name = Escaped(behind_kind(resource))
    )]
    WrongKind {
        /// Action of the statement.
        action: Action,
        /// First of the statement's resources.
        resource: Box<str>,
    },
    /// A resource that no action of its statement is evaluated on.
    #[error(
        "{} never applies: no action of the statement is asked on {}/",
        Escaped(.0),
        Escaped(kind(.0))
    )]
    UselessResource(Box<str>),
    /// A `+` or `#` in `topic/`: no topic name has one.
    #[error(
        "+ and # are plain letters in a policy, so that {} matches no topic: write {}",
        Escaped(.0),
        Escaped(with_stars(.0))
    )]
    MqttWildcard(Box<str>),
    /// A shared filter as a topic to publish on.
    #[error(
        "nobody publishes on {}: a shared subscription receives messages of topic/{}",
        Escaped(.0),
        Escaped(behind_share(.0))
    )]
    SharedTopic(Box<str>),
    /// An ARN that was copied from an example.
    #[error(
        "{} isn't filled in ({}): write what they are, or *",
        Escaped(arn),
        Escaped(faults)
    )]
    UnfilledArn {
        /// ARN of the policy.
        arn: Box<str>,
        /// Parts of the ARN that are placeholders, each with the reason.
        faults: Box<str>,
    },
    /// A variable of things or certificates.
    #[error(
        "a variable in {} has no value behind a custom authorizer, so that it matches nothing: use ${{iot:ClientId}}",
        Escaped(.0)
    )]
    NoValue(Box<str>),
    /// Actions that another statement denies on every resource that this one allows them on.
    #[error(
        "{} never allowed: {by} denies the same, and a Deny beats every Allow",
        are(actions)
    )]
    AlwaysDenied {
        /// Denied actions.
        actions: Vec<Action>,
        /// Statement that denies them.
        by: StatementRef,
    },
    /// Every action of MQTT, on everything.
    #[error("* allows every MQTT action on everything: name what the client needs")]
    AllowsEverything,
    /// One action on every topic.
    #[error(
        "{} allows {action} on every topic: name what the client needs",
        Escaped(resource)
    )]
    AllowsEveryTopic {
        /// Allowed action.
        action: Action,
        /// Resource that matches every topic.
        resource: Box<str>,
    },
    /// `iot:Connect` on every client id.
    #[error(
        "{} allows every client id, and with it to take over the connection of another client: \
         write one id, or a prefix such as client/lamp-*",
        Escaped(.0)
    )]
    AllowsEveryClientId(Box<str>),
    /// No statement allows `iot:Connect`.
    #[error("no statement allows iot:Connect: nobody gets in; allow it on client/..")]
    NoConnect,
    /// The client id that should be able to connect is denied.
    #[error(
        "client id {client_id:?} can't connect ({decision}): allow iot:Connect on client/{}",
        Escaped(client_id)
    )]
    ClientId {
        /// Client id that should be able to connect.
        client_id: Box<str>,
        /// Decision about its `iot:Connect`.
        decision: Decision,
    },
    /// `iot:Subscribe` without `iot:Receive`; holds the filter.
    #[error(
        "iot:Subscribe is allowed on topicfilter/{} and iot:Receive isn't, so that nothing is delivered: \
         allow iot:Receive on topic/{}",
        Escaped(.0),
        Escaped(with_stars(.0))
    )]
    NoReceive(Box<str>),
    /// `iot:RetainPublish` without `iot:Publish`.
    #[error("iot:RetainPublish is allowed and iot:Publish isn't: a retained message needs both")]
    RetainWithoutPublish,
    /// A client id that becomes a wildcard of a filter; holds the resource.
    #[error(
        "a client that calls itself + could subscribe to {} of every other: allow iot:Connect on fewer client ids",
        Escaped(.0)
    )]
    PlusClientId(Box<str>),
}

pub(super) fn kind(resource: &str) -> &str {
    resource.split_once('/').map_or(resource, |(kind, _)| kind)
}

pub(super) fn behind_kind(resource: &str) -> &str {
    resource.split_once('/').map_or(resource, |(_, name)| name)
}

/// Filter of a `topic/$share/<name>/<filter>`.
fn behind_share(resource: &str) -> &str {
    resource.splitn(4, '/').nth(3).unwrap_or_default()
}

/// Resource with `*` in place of each run of `+` and `#`.
fn with_stars(resource: &str) -> String {
    let mut text = String::with_capacity(resource.len());
    for c in resource.chars() {
        // `a/+/#` becomes `a/*/*`, and `c++` becomes `c*`.
        let c = if matches!(c, '+' | '#') { '*' } else { c };
        if c != '*' || !text.ends_with('*') {
            text.push(c);
        }
    }
    text
}

/// Actions with the verb that follows them: `iot:Publish is`.
fn are(actions: &[Action]) -> String {
    let names: Vec<String> = actions.iter().map(ToString::to_string).collect();
    // The verb agrees with the number of actions.
    let verb = if names.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", names.join(" and "))
}
