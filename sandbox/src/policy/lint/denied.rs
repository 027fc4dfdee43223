//! Statements that allow what another statement always denies.

use crate::policy::decision::StatementRef;
use crate::policy::evaluation::Policy;
use crate::policy::lint::problem::PolicyProblem;
use crate::policy::lint::statement::Found;
use crate::policy::request::{Action, Request, Subject};
use crate::policy::resource::Resource;
use crate::policy::statement::{Effect, Statement};

/// Actions of a statement that an unconditional Deny beats on all resources of the statement,
/// grouped by the Deny.
pub(super) fn problems<'a>(statement: &Statement, policy: &Policy) -> Vec<Found<'a>> {
    // Several denials of the same are no mistake.
    if statement.effect == Effect::Deny {
        return Vec::new();
    }
    let mut denials: Vec<(StatementRef, Vec<Action>)> = Vec::new();
    for action in Action::ALL {
        let Some(by) = denied_by(statement, action, policy) else {
            continue;
        };
        // One finding for each denying statement, with all actions that it takes away.
        match denials.iter_mut().find(|(other, _)| *other == by) {
            Some((_, actions)) => actions.push(action),
            None => denials.push((by, vec![action])),
        }
    }
    let found = denials.into_iter().map(|(by, actions)| Found {
        text: None,
        problem: PolicyProblem::AlwaysDenied { actions, by },
    });
    found.collect()
}

/// Statement that denies an action on every resource on which `statement` allows it.
fn denied_by(statement: &Statement, action: Action, policy: &Policy) -> Option<StatementRef> {
    // Without a resource of the right kind the statement allows nothing, which is another finding.
    let mut allowed = statement.of_kind(action).peekable();
    if !statement.covers(action) || allowed.peek().is_none() {
        return None;
    }
    let allowed: Vec<Resource> = allowed.filter_map(|of| narrowed(of, action)).collect();
    // A Deny with conditions may not apply, so it proves nothing.
    let mut denying = policy.statements().filter(|(_, other)| {
        other.effect == Effect::Deny && other.conditions.is_empty() && other.covers(action)
    });
    denying.find_map(|(document, denying)| {
        // Each allowed resource must be covered by one denied resource. Several that only together
        // cover it aren't found: no finding is better than a wrong one.
        let covering = |allowed: &Resource| denying.resources.iter().find(|of| covers(of, allowed));
        let mut covering = allowed.iter().map(covering);
        let first = covering.next()??;
        covering
            .all(|found| found.is_some())
            .then(|| denying.reference(document, first.name()))
    })
}

/// Part of a resource that an action is evaluated on: `topic/*` of `*`.
fn narrowed(resource: &Resource, action: Action) -> Option<Resource> {
    match resource.name() {
        // `*` also stands for names of other kinds, on which the action is never evaluated.
        "*" => Resource::parse(&format!("arn:aws:iot:*:*:{}/*", action.resource_kind())).ok(),
        _ => Some(resource.clone()),
    }
}

/// `true` if a Deny on `denied` beats every Allow on `allowed`.
fn covers(denied: &Resource, allowed: &Resource) -> bool {
    // A variable of things or certificates has no value, so that the resource matches nothing.
    let subject = Subject::with_every_value();
    let request = Request::new(Action::Connect, "x", &subject, std::time::UNIX_EPOCH);
    !denied.lacks_a_value(&request) && denied.covers(allowed)
}
