//! IoT policies: what an identity may do, decided as AWS IoT decides it.
//!
//! Everything is denied until a statement allows it, and a statement that denies beats every one that allows.
//! What the sandbox can't evaluate (a condition operator, a policy variable) refuses the whole document by name:
//! a policy that is silently half understood would allow here what the service denies.

mod document;
mod evaluation;
mod pattern;
mod resource;

pub use document::{Effect, PolicyDocument, PolicyError};
pub use evaluation::{Action, Decision, Policy, Request, StatementRef};
