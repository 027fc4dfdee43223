//! Policy wildcards and variables: `*`, `?`, `${iot:ClientId}` and the literals `${*}`, `${?}`, `${$}`.

use core::str::Chars;

use crate::policy::document::PolicyError;

/// One pattern of a policy, parsed once. A variable's value is literal text: a client id of `*` matches only itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Literal(char),
    AnyOne,
    AnyRun,
    ClientId,
}

impl Pattern {
    /// Parses wildcards and variables, as `Resource` has them.
    pub(super) fn parse(text: &str) -> Result<Self, PolicyError> {
        let mut tokens = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if let Some(after) = rest.strip_prefix("${") {
                let (name, after) =
                    after.split_once('}').ok_or_else(|| PolicyError::UnclosedVariable(text.into()))?;
                tokens.push(variable(name)?);
                rest = after;
                continue;
            }
            tokens.push(wildcard(c));
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
        Ok(Self { tokens })
    }

    /// Parses wildcards only, as `Action` has them; letters match in either case, as in IAM.
    pub(super) fn parse_action(text: &str) -> Self {
        Self { tokens: text.chars().map(|c| wildcard(c.to_ascii_lowercase())).collect() }
    }

    pub(super) fn matches(&self, text: &str, client_id: &str) -> bool {
        if !self.tokens.contains(&Token::ClientId) {
            return matches(&self.tokens, text);
        }
        let substituted: Vec<Token> = self
            .tokens
            .iter()
            .flat_map(|token| match token {
                Token::ClientId => client_id.chars().map(Token::Literal).collect(),
                other => vec![*other],
            })
            .collect();
        matches(&substituted, text)
    }
}

fn wildcard(c: char) -> Token {
    match c {
        '*' => Token::AnyRun,
        '?' => Token::AnyOne,
        other => Token::Literal(other),
    }
}

fn variable(name: &str) -> Result<Token, PolicyError> {
    match name {
        "*" => Ok(Token::Literal('*')),
        "?" => Ok(Token::Literal('?')),
        "$" => Ok(Token::Literal('$')),
        "iot:ClientId" => Ok(Token::ClientId),
        other => Err(PolicyError::UnsupportedVariable(other.into())),
    }
}

/// Greedy matching that backtracks to the last `*` only: its cost is the product of both lengths at worst.
fn matches(pattern: &[Token], text: &str) -> bool {
    let mut at = 0;
    let mut rest = text.chars();
    let mut last_run: Option<(usize, Chars<'_>)> = None;
    loop {
        let mut ahead = rest.clone();
        match (pattern.get(at), ahead.next()) {
            (None, None) => return true,
            (Some(Token::AnyRun), _) => {
                at += 1;
                last_run = Some((at, rest.clone()));
                continue;
            }
            (Some(_), None) => return false,
            (Some(Token::AnyOne), Some(_)) => {
                at += 1;
                rest = ahead;
                continue;
            }
            (Some(Token::Literal(wanted)), Some(found)) if *wanted == found => {
                at += 1;
                rest = ahead;
                continue;
            }
            (Some(Token::Literal(_) | Token::ClientId) | None, Some(_)) => {}
        }
        let Some((after_run, run_end)) = last_run.as_mut() else { return false };
        if run_end.next().is_none() {
            return false;
        }
        at = *after_run;
        rest = run_end.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches_as(pattern: &str, text: &str, client_id: &str) -> bool {
        Pattern::parse(pattern).unwrap().matches(text, client_id)
    }

    #[test]
    fn wildcards_match_as_in_iam() {
        for (pattern, text, expected) in [
            ("topic/a", "topic/a", true),
            ("topic/a", "topic/ab", false),
            ("topic/*", "topic/a/b/c", true),
            ("topic/*", "topic/", true),
            ("topic/*/c", "topic/a/b/c", true),
            ("topic/*/c", "topic/a/b/d", false),
            ("*a*b", "xxaxxab", true),
            ("topic/?", "topic/é", true),
            ("topic/?", "topic/", false),
            ("topic/?", "topic/ab", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(matches_as(pattern, text, ""), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn mqtt_wildcards_are_literals() {
        assert!(matches_as("topicfilter/a/#", "topicfilter/a/#", ""));
        assert!(!matches_as("topicfilter/a/#", "topicfilter/a/b", ""));
        assert!(!matches_as("topicfilter/+", "topicfilter/a", ""));
    }

    #[test]
    fn the_client_id_is_substituted_as_literal_text() {
        assert!(matches_as("topic/my/${iot:ClientId}/x", "topic/my/lamp-7/x", "lamp-7"));
        assert!(!matches_as("topic/my/${iot:ClientId}/x", "topic/my/lamp-7/x", "*"));
        assert!(matches_as("topic/my/${iot:ClientId}/x", "topic/my/*/x", "*"));
    }

    #[test]
    fn literals_stand_for_themselves() {
        assert!(matches_as("topic/${*}${?}${$}", "topic/*?$", ""));
        assert!(!matches_as("topic/${*}", "topic/a", ""));
    }

    #[test]
    fn an_unknown_variable_refuses_the_pattern_by_name() {
        assert_eq!(
            Pattern::parse("topic/${iot:Connection.Thing.ThingName}").unwrap_err().to_string(),
            "the policy variable ${iot:Connection.Thing.ThingName} isn't supported by this sandbox"
        );
        assert!(Pattern::parse("topic/${iot:ClientId").is_err());
    }

    #[test]
    fn many_stars_stay_affordable() {
        let pattern = "*a".repeat(200);
        assert!(!matches_as(&pattern, &"a".repeat(199), ""));
    }

    #[test]
    fn actions_match_in_either_case() {
        assert!(Pattern::parse_action("iot:*").matches("iot:publish", ""));
        assert!(Pattern::parse_action("iot:PUB*").matches("iot:publish", ""));
        assert!(!Pattern::parse_action("iot:Publish").matches("iot:retainpublish", ""));
    }
}
