//! IoT policies: what an identity may do, decided as AWS IoT decides it.
//!
//! Everything is denied until a statement allows it, and a statement that denies beats every one
//! that allows. What the sandbox can't evaluate (an element, a condition operator, a key, a policy
//! variable) refuses the whole document by name: a policy that is silently half understood would
//! allow here what the service denies.
//!
//! Things and client certificates don't exist behind a custom authorizer: their variables have no
//! value, so that a resource with one matches nothing, and `iot:Connection.Thing.IsAttached` is
//! false.

mod condition;
mod decision;
mod document;
mod evaluation;
mod key;
mod lint;
mod pattern;
mod request;
mod resource;
mod summary;

pub use decision::{Decision, Miss, NearMisses, StatementRef};
pub use document::{Effect, PolicyDocument, PolicyError};
pub use evaluation::Policy;
pub use lint::{Finding, PolicyProblem, lint};
pub use request::{Action, ConnectAttributes, Request, SetKeyError, Subject};
pub use resource::{ArnScope, ArnScopeError};

/// Documents that the answer of a Lambda may have.
pub(crate) const MAX_DOCUMENTS: usize = 10;
/// Characters of each.
pub(crate) const MAX_DOCUMENT_LENGTH: usize = 2048;
