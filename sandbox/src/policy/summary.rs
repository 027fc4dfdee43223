//! Short description of a policy for a log line.

use std::collections::BTreeMap;

use crate::policy::evaluation::Policy;
use crate::policy::request::Action;
use crate::policy::statement::Effect;

impl Policy {
    /// Short description for a log line: `connect as lamp-*; publish, receive on lamp/on`.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut groups: BTreeMap<(Effect, bool, &str), Vec<Action>> = BTreeMap::new();

        // Actions are collected by effect, condition and resource.
        for (_, statement) in self.statements() {
            let conditional = !statement.conditions.is_empty();
            for resource in &statement.resources {
                let name = resource.name();
                let kind = name.split_once('/').map(|(kind, _)| kind);

                // Only actions that can be evaluated on this kind of resource.
                let covered = Action::ALL.into_iter().filter(|action| {
                    statement.covers(*action)
                        && kind.is_none_or(|kind| kind == action.resource_kind())
                });
                let name = name.split_once('/').map_or(name, |(_, name)| name);
                groups
                    .entry((statement.effect, conditional, name))
                    .or_default()
                    .extend(covered);
            }
        }

        // One phrase for each group; resources of other services have no action here.
        let said: Vec<String> = groups
            .into_iter()
            .filter(|(_, actions)| !actions.is_empty())
            .map(|((effect, conditional, name), mut actions)| {
                // Several statements may allow the same action on the same resource.
                actions.sort_unstable();
                actions.dedup();
                let on_condition = if conditional { " on condition" } else { "" };
                format!("{}{on_condition}", summarise(effect, &actions, name))
            })
            .collect();
        if said.is_empty() {
            "nothing allowed".into()
        } else {
            said.join("; ")
        }
    }
}

fn summarise(effect: Effect, actions: &[Action], name: &str) -> String {
    let words: Vec<&str> = actions.iter().map(|action| action.word()).collect();
    let deny = if effect == Effect::Deny { "never " } else { "" };
    // "connect as lamp-7", "publish on lamp/on", "send direct to lamp-7".
    let preposition = match actions {
        [Action::Connect] => "as",
        [Action::SendDirectMessage] => "to",
        _ => "on",
    };
    format!("{deny}{} {preposition} {name}", words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(statement: &str) -> String {
        Policy::parse(&format!(
            r#"{{"Version":"2012-10-17","Statement":{statement}}}"#
        ))
        .unwrap()
        .summary()
    }

    #[test]
    fn a_summary_fits_a_log_line() {
        let summary_of_sample = Policy::parse(crate::authorizer::DEMO_POLICY)
            .unwrap()
            .summary();
        assert_eq!(
            summary_of_sample,
            "connect as mqtt5-sample-*; publish, receive, subscribe on test/topic"
        );
        assert_eq!(Policy::default().summary(), "nothing allowed");
        assert_eq!(
            summary(r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#),
            "connect, publish, retain, receive, subscribe, send direct on *"
        );
    }

    #[test]
    fn a_denial_and_a_condition_are_shown() {
        let conditional = r#"{"Effect":"Deny","Action":"iot:Connect","Resource":"arn:aws:iot:r:a:client/x",
            "Condition":{"Bool":{"aws:SecureTransport":"false"}}}"#;
        assert_eq!(summary(conditional), "never connect as x on condition");
    }
}
