//! One statement of a policy document.

use std::sync::Arc;

use crate::policy::condition::Condition;
use crate::policy::pattern::Pattern;
use crate::policy::resource::Resource;

/// Effect of a statement on the requests that it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Allows, unless another statement denies.
    Allow,
    /// Denies, whatever the other statements say.
    Deny,
}

/// One statement of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    /// Number of the statement in its document, from 1.
    pub(super) number: usize,
    pub(super) sid: Option<Arc<str>>,
    pub(super) effect: Effect,
    pub(super) actions: Vec<ActionPattern>,
    pub(super) resources: Vec<Resource>,
    pub(super) conditions: Vec<Condition>,
}

/// One of the actions that a statement is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ActionPattern {
    /// Action in the case of the document.
    pub(super) text: Box<str>,
    pub(super) pattern: Pattern,
}

impl ActionPattern {
    pub(super) fn new(text: &str) -> Self {
        Self {
            text: text.into(),
            pattern: Pattern::parse_action(text),
        }
    }
}
