//! Policy wildcards and variables: `*`, `?`, `${iot:ClientId}` and the literals `${*}`, `${?}`,
//! `${$}`.

use core::str::Chars;
use std::borrow::Cow;

use crate::policy::error::PolicyErrorKind;
use crate::policy::key::ConditionKey;
use crate::policy::request::Request;

/// One pattern of a policy, parsed once. A variable's value is literal text: a client id of `*`
/// matches only itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    tokens: Vec<PatternToken>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum PatternToken {
    Literal(char),
    AnyOne,
    AnyRun,
    Variable(ConditionKey),
}

impl Pattern {
    /// Parses wildcards and variables, as `Resource` and `StringLike` have them.
    pub(super) fn parse(text: &str) -> Result<Self, PolicyErrorKind> {
        Self::parse_with(text, wildcard)
    }

    /// Parses variables only, as `StringEquals` has them.
    pub(super) fn parse_text(text: &str) -> Result<Self, PolicyErrorKind> {
        Self::parse_with(text, PatternToken::Literal)
    }

    /// Parses wildcards only, as `Action` has them; letters match in either case, as in IAM.
    pub(super) fn parse_action(text: &str) -> Self {
        Self {
            // Request names are lower case already, so only the pattern is folded.
            tokens: text
                .chars()
                .map(|c| wildcard(c.to_ascii_lowercase()))
                .collect(),
        }
    }

    fn parse_with(
        text: &str,
        plain: impl Fn(char) -> PatternToken,
    ) -> Result<Self, PolicyErrorKind> {
        let mut tokens = Vec::with_capacity(text.len());
        let mut rest = text;
        // A variable is one token, whatever characters its name has.
        while let Some(c) = rest.chars().next() {
            if let Some(after) = rest.strip_prefix("${") {
                let (name, after) = after
                    .split_once('}')
                    .ok_or_else(|| PolicyErrorKind::UnclosedVariable(text.into()))?;
                tokens.push(variable(name)?);
                rest = after;
                continue;
            }
            tokens.push(plain(c));
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
        Ok(Self { tokens })
    }

    /// A variable without a value makes it match nothing, as in IAM.
    pub(super) fn matches(&self, text: &str, request: &Request<'_>) -> bool {
        self.resolved(request)
            .is_some_and(|tokens| matches(&tokens, text))
    }

    /// Matching as in [`Self::matches`], with upper and lower case alike.
    pub(super) fn matches_in_any_case(&self, text: &str, request: &Request<'_>) -> bool {
        // Folded after the variables have their values, which may have upper case, too.
        let lowercase = |tokens: Cow<'_, [PatternToken]>| -> Vec<PatternToken> {
            tokens
                .iter()
                .flat_map(|token| lowercase(token.clone()))
                .collect()
        };
        self.resolved(request)
            .is_some_and(|tokens| matches(&lowercase(tokens), &text.to_lowercase()))
    }

    /// `true` if every text that `other` matches is matched by this pattern, too, whatever the
    /// values of variables are. A pattern for which this can't be shown counts as not covered.
    pub(super) fn covers(&self, other: &Self) -> bool {
        covers(&self.tokens, &other.tokens)
    }

    pub(super) fn matches_action(&self, lowercase_name: &str) -> bool {
        matches(&self.tokens, lowercase_name)
    }

    /// `true` if one of its variables has no value here.
    pub(super) fn lacks_a_value(&self, request: &Request<'_>) -> bool {
        self.resolved(request).is_none()
    }

    /// Tokens with each variable replaced by the letters of its value; `None` if one has no value.
    fn resolved(&self, request: &Request<'_>) -> Option<Cow<'_, [PatternToken]>> {
        // Most patterns have no variable: they are borrowed and cost no allocation.
        if !self
            .tokens
            .iter()
            .any(|token| matches!(token, PatternToken::Variable(_)))
        {
            return Some(Cow::Borrowed(&self.tokens));
        }
        let mut resolved = Vec::with_capacity(self.tokens.len());
        for token in &self.tokens {
            match token {
                PatternToken::Variable(key) => {
                    let values = request.values(key);
                    // Each letter becomes a literal: a `*` in a client id must not widen the
                    // policy.
                    resolved.extend(values.first()?.chars().map(PatternToken::Literal));
                }
                other => resolved.push(other.clone()),
            }
        }
        Some(Cow::Owned(resolved))
    }
}

fn wildcard(c: char) -> PatternToken {
    match c {
        '*' => PatternToken::AnyRun,
        '?' => PatternToken::AnyOne,
        other => PatternToken::Literal(other),
    }
}

fn lowercase(token: PatternToken) -> Vec<PatternToken> {
    match token {
        PatternToken::Literal(c) => c.to_lowercase().map(PatternToken::Literal).collect(),
        other => vec![other],
    }
}

fn variable(name: &str) -> Result<PatternToken, PolicyErrorKind> {
    match (name, ConditionKey::named(name)) {
        // `${*}`, `${?}` and `${$}` are IAM's way to write the character itself.
        ("*" | "?" | "$", _) => Ok(name
            .chars()
            .next()
            .map_or(PatternToken::AnyOne, PatternToken::Literal)),
        // A key with several values can't stand for one text.
        (_, Some(key)) if !key.is_list() => Ok(PatternToken::Variable(key)),
        _ => Err(PolicyErrorKind::UnsupportedVariable(name.into())),
    }
}

/// Greedy matching that backtracks to the last `*` only: its cost is the product of both lengths at
/// worst.
fn matches(pattern: &[PatternToken], text: &str) -> bool {
    let mut at = 0;
    let mut rest = text.chars();
    // The place after the last `*`, and the text that it doesn't cover yet. An earlier `*` never
    // has to be tried again: whatever it could cover in addition, the last one can cover as well.
    let mut last_run: Option<(usize, Chars<'_>)> = None;
    loop {
        // Go on as long as pattern and text agree.
        let mut ahead = rest.clone();
        match (pattern.get(at), ahead.next()) {
            // Both are at their end.
            (None, None) => return true,
            (Some(PatternToken::AnyRun), _) => {
                at += 1;
                last_run = Some((at, rest.clone()));
                continue;
            }
            // The text is too short for the rest of the pattern. A longer `*` would only make it
            // shorter.
            (Some(_), None) => return false,
            (Some(PatternToken::AnyOne), Some(_)) => {
                at += 1;
                rest = ahead;
                continue;
            }
            (Some(PatternToken::Literal(wanted)), Some(found)) if *wanted == found => {
                at += 1;
                rest = ahead;
                continue;
            }
            (Some(PatternToken::Literal(_) | PatternToken::Variable(_)) | None, Some(_)) => {}
        }

        // They differ: give the last `*` one letter more, and try the rest again.
        let Some((after_run, run_end)) = last_run.as_mut() else {
            return false;
        };
        // `*` covers the whole rest already.
        if run_end.next().is_none() {
            return false;
        }
        at = *after_run;
        rest = run_end.clone();
    }
}

/// Matching of a pattern with the tokens of another one, token by token, as [`matches`] does with
/// letters: `*` covers any tokens, `?` one letter or another `?`, everything else only its like.
fn covers(pattern: &[PatternToken], other: &[PatternToken]) -> bool {
    let (mut at, mut position) = (0, 0);
    let mut last_run: Option<(usize, usize)> = None;
    loop {
        match (pattern.get(at), other.get(position)) {
            (None, None) => return true,

            // `*` covers nothing at first, and one token more at each retry.
            (Some(PatternToken::AnyRun), _) => {
                at += 1;
                last_run = Some((at, position));
                continue;
            }
            // A variable is no single letter, so `?` doesn't cover it.
            (Some(PatternToken::AnyOne), Some(PatternToken::AnyOne | PatternToken::Literal(_))) => {
                (at, position) = (at + 1, position + 1);
                continue;
            }
            // The same letter, or the same variable: it has the same value on both sides.
            (Some(wanted), Some(found)) if wanted == found => {
                (at, position) = (at + 1, position + 1);
                continue;
            }
            (Some(_), None) => return false,
            (_, Some(_)) => {}
        }
        // Give the last `*` one token more, and try the rest of the pattern again.
        let Some((after_run, run_end)) = last_run.as_mut() else {
            return false;
        };
        *run_end += 1;
        (at, position) = (*after_run, *run_end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::request::{Action, Subject};
    use std::time::UNIX_EPOCH;

    fn matches_as(pattern: &str, text: &str, client_id: &str) -> bool {
        // Every variable in the cases has a value.
        let subject = Subject {
            source_ip: Some([10, 0, 0, 7].into()),
            domain_name: Some("localhost".into()),
            ..Subject::new(client_id)
        };
        let request = Request::new(Action::Publish, text, &subject, UNIX_EPOCH);
        Pattern::parse(pattern).unwrap().matches(text, &request)
    }

    #[test]
    fn wildcards_match_as_in_iam() {
        for (pattern, text, expected) in [
            ("topic/a", "topic/a", true),
            ("topic/a", "topic/ab", false),
            ("topic/*", "topic/a/b/c", true),
            // `*` may match nothing, `?` matches exactly one character, not one byte.
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
            assert_eq!(
                matches_as(pattern, text, ""),
                expected,
                "{pattern} on {text}"
            );
        }
    }

    #[test]
    fn mqtt_wildcards_are_literals() {
        assert!(matches_as("topicfilter/a/#", "topicfilter/a/#", ""));
        assert!(!matches_as("topicfilter/a/#", "topicfilter/a/b", ""));
        assert!(!matches_as("topicfilter/+", "topicfilter/a", ""));
    }

    #[test]
    fn variables_are_substituted_as_literal_text() {
        assert!(matches_as(
            "topic/my/${iot:ClientId}/x",
            "topic/my/lamp-7/x",
            "lamp-7"
        ));
        assert!(!matches_as(
            "topic/my/${iot:ClientId}/x",
            "topic/my/lamp-7/x",
            "*"
        ));
        assert!(matches_as(
            "topic/my/${iot:ClientId}/x",
            "topic/my/*/x",
            "*"
        ));
        assert!(matches_as(
            "topic/${aws:SourceIp}/${iot:DomainName}",
            "topic/10.0.0.7/localhost",
            "c"
        ));
    }

    #[test]
    fn a_variable_without_a_value_matches_nothing() {
        // Things and certificates don't exist behind a custom authorizer, so these never match.
        for variable in [
            "iot:Connection.Thing.ThingName",
            "iot:Certificate.Subject.CommonName",
        ] {
            let pattern = format!("topic/${{{variable}}}");
            for text in ["topic/", "topic/lamp-7", &pattern] {
                assert!(!matches_as(&pattern, text, "lamp-7"), "{pattern} on {text}");
            }
        }
        assert!(matches_as(
            "topic/${iot:Connection.Thing.IsAttached}",
            "topic/false",
            "c"
        ));
    }

    #[test]
    fn escaped_wildcards_match_themselves() {
        assert!(matches_as("topic/${*}${?}${$}", "topic/*?$", ""));
        assert!(!matches_as("topic/${*}", "topic/a", ""));
    }

    #[test]
    fn text_patterns_have_variables_and_no_wildcards() {
        let subject = Subject::new("lamp-7");
        let request = Request::new(Action::Connect, "x", &subject, UNIX_EPOCH);
        let text = |text| Pattern::parse_text(text).unwrap();
        assert!(text("a*?").matches("a*?", &request));
        assert!(!text("a*").matches("ab", &request));
        assert!(text("${iot:ClientId}*").matches("lamp-7*", &request));
        assert!(text("ÄB").matches_in_any_case("äb", &request));
    }

    #[test]
    fn an_unknown_variable_refuses_the_pattern_by_name() {
        assert_eq!(
            Pattern::parse("topic/${aws:username}")
                .unwrap_err()
                .to_string(),
            "the policy variable ${aws:username} isn't supported by this sandbox"
        );
        assert!(Pattern::parse("topic/${iot:ConnectAttributes}").is_err());
        assert!(Pattern::parse("topic/${iot:ClientId").is_err());
    }

    #[test]
    fn many_stars_in_a_pattern_match_in_bounded_time() {
        // With backtracking to every `*` the time would grow exponentially with their number.
        let pattern = "*a".repeat(200);
        assert!(!matches_as(&pattern, &"a".repeat(199), ""));
    }

    #[test]
    fn actions_match_in_either_case() {
        assert!(Pattern::parse_action("iot:*").matches_action("iot:publish"));
        assert!(Pattern::parse_action("iot:PUB*").matches_action("iot:publish"));
        assert!(!Pattern::parse_action("iot:Publish").matches_action("iot:retainpublish"));
    }

    #[test]
    fn a_pattern_covers_another_only_if_it_matches_all_that_the_other_does() {
        let pattern = |text| Pattern::parse(text).unwrap();
        for (wide, narrow, expected) in [
            // Covered: each text of the right pattern is one of the left pattern.
            ("*", "topic/*", true),
            ("topic/*", "topic/a", true),
            ("topic/*", "topic/a/*", true),
            ("topic/*", "topic/${iot:ClientId}/x", true),
            ("topic/*/x", "topic/${iot:ClientId}/x", true),
            ("topic/${iot:ClientId}", "topic/${iot:ClientId}", true),
            ("topic/?", "topic/a", true),
            ("topic/?", "topic/?", true),
            ("topic/*b*c", "topic/ab*c", true),
            // Not covered, or not provable without the values of variables.
            ("topic/a", "topic/*", false),
            ("topic/?", "topic/*", false),
            ("topic/?", "topic/${iot:ClientId}", false),
            ("topic/a/*", "topic/*", false),
            ("topic/${*}", "topic/*", false),
            ("topic/${iot:ClientId}", "topic/${aws:SourceIp}", false),
        ] {
            let covers = pattern(wide).covers(&pattern(narrow));
            assert_eq!(covers, expected, "{wide} on {narrow}");
        }
    }
}
