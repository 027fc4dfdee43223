//! The mistakes that the linter knows, one sentence each, with what to do about it.

use crate::policy::decision::Decision;
use crate::policy::document::PolicyError;
use crate::policy::request::Action;

/// A mistake in a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyProblem {
    /// The whole document is refused, and with it every connection that it comes for.
    #[error("{0}")]
    Refused(PolicyError),
    /// Holds how many.
    #[error("there are {0} documents; a Lambda may answer with 10: merge some")]
    TooManyDocuments(usize),
    /// Holds how many characters.
    #[error("it has {0} characters; a Lambda may answer with 2048 a document: split it")]
    TooLong(usize),
    /// Not an action of AWS IoT's data plane.
    #[error(
        "there is no action {0:?}: MQTT has iot:Connect, iot:Publish, iot:RetainPublish, iot:Receive and iot:Subscribe"
    )]
    UnknownAction(Box<str>),
    /// An action with resources of another kind only.
    #[error(
        "{action} is asked on {kind}/, so that {resource} never applies: write {kind}/{}", behind_kind(resource),
        kind = action.resource_kind()
    )]
    WrongKind {
        /// The action.
        action: Action,
        /// The first of its resources.
        resource: Box<str>,
    },
    /// A resource that no action of its statement is asked on.
    #[error("{0} never applies: no action of the statement is asked on {kind}/", kind = kind(.0))]
    UselessResource(Box<str>),
    /// `+` or `#` as a level of `topic/`.
    #[error("+ and # are plain letters in a policy, so that {0} matches no topic: write {instead}", instead = with_stars(.0))]
    MqttWildcard(Box<str>),
    /// A variable of things or certificates.
    #[error(
        "a variable in {0} has no value behind a custom authorizer, so that it matches nothing: use ${{iot:ClientId}}"
    )]
    NoValue(Box<str>),
    /// Every action of MQTT, on everything.
    #[error("* allows every MQTT action on everything: name what the client needs")]
    AllowsEverything,
    /// One action on everything that it can be asked on.
    #[error("{resource} allows {action} on every topic: name what the client needs")]
    AllowsEveryTopic {
        /// The action.
        action: Action,
        /// The resource.
        resource: Box<str>,
    },
    /// `iot:Connect` on whatever the client calls itself.
    #[error(
        "{0} allows every client id, and with it to take over the connection of another client: \
         write one id, or a prefix such as client/lamp-*"
    )]
    AllowsEveryClientId(Box<str>),
    /// Nobody can connect.
    #[error("no statement allows iot:Connect: nobody gets in; allow it on client/..")]
    NoConnect,
    /// The client id that should be able to connect isn't.
    #[error(
        "client id {client_id:?} can't connect ({decision}): allow iot:Connect on client/{client_id}"
    )]
    ClientId {
        /// The client id.
        client_id: Box<str>,
        /// Why not.
        decision: Decision,
    },
    /// Holds the filter that may be subscribed to.
    #[error(
        "iot:Subscribe is allowed on topicfilter/{0} and iot:Receive isn't, so that nothing is delivered: \
         allow iot:Receive on topic/{instead}", instead = with_stars(.0)
    )]
    NoReceive(Box<str>),
    /// The one needs the other.
    #[error("iot:RetainPublish is allowed and iot:Publish isn't: a retained message needs both")]
    RetainWithoutPublish,
    /// The client id becomes a wildcard.
    #[error(
        "a client that calls itself + could subscribe to {0} of every other: allow iot:Connect on fewer client ids"
    )]
    PlusClientId(Box<str>),
}

pub(super) fn kind(resource: &str) -> &str {
    resource.split_once('/').map_or(resource, |(kind, _)| kind)
}

pub(super) fn behind_kind(resource: &str) -> &str {
    resource.split_once('/').map_or(resource, |(_, name)| name)
}

/// Levels that are MQTT wildcards as a policy writes them.
fn with_stars(resource: &str) -> String {
    let levels: Vec<&str> = resource
        .split('/')
        .map(|level| {
            if matches!(level, "+" | "#") {
                "*"
            } else {
                level
            }
        })
        .collect();
    levels.join("/")
}
