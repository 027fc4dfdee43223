//! JSON of a policy's decision, the same wherever it is printed. Later versions may add fields.

use dunlin_sandbox::{Decision, StatementRef};
use serde::Serialize;

/// Decision and the statement that made it. Without one (`implicit_deny`), `why` has a line for each
/// statement that almost matched.
#[derive(Serialize)]
pub(crate) struct Decided<'a> {
    effect: &'static str,
    #[serde(flatten)]
    by: Option<By<'a>>,
    why: Vec<String>,
}

#[derive(Serialize)]
struct By<'a> {
    document: usize,
    statement: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<&'a str>,
    resource: &'a str,
}

impl<'a> Decided<'a> {
    pub(crate) fn of(decision: &'a Decision) -> Self {
        let effect = match decision {
            Decision::Allowed(_) => "allow",
            Decision::ExplicitDeny(_) => "explicit_deny",
            Decision::ImplicitDeny(_) => "implicit_deny",
        };
        Self {
            effect,
            by: decision.statement().map(By::of),
            why: decision.explanation(),
        }
    }
}

impl<'a> By<'a> {
    fn of(by: &'a StatementRef) -> Self {
        Self {
            document: by.document,
            statement: by.statement,
            sid: by.sid.as_deref(),
            resource: &by.resource,
        }
    }
}
