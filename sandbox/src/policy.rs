//! AWS IoT policies, evaluated as AWS IoT does.
//!
//! Every request is denied until a statement allows it, and a statement that denies beats every one
//! that allows. An element, condition operator, key or policy variable that the sandbox can't
//! evaluate refuses the whole document by name: ignoring it could allow here what the service
//! denies.
//!
//! Variables of things and of client certificates have a value for a client with a certificate alone.
//! Behind a custom authorizer a resource with one matches nothing, and
//! `iot:Connection.Thing.IsAttached` is false.

mod certificate_key;
mod client_certificate;
mod condition;
mod decision;
mod document;
mod document_reader;
mod error;
mod evaluation;
mod key;
mod lint;
mod pattern;
mod request;
mod resource;
mod statement;
mod summary;
mod thing;
mod unique_keys;

pub use client_certificate::ClientCertificate;
pub use decision::{Decision, Miss, NearMisses, SkippedDenial, StatementRef};
pub use document::PolicyDocument;
pub use error::{PolicyError, PolicyErrorKind};
pub(crate) use evaluation::ALLOW_ALL;
pub use evaluation::Policy;
pub use lint::{Finding, PolicyProblem, lint};
pub use request::{Action, ConnectAttributes, Request, SetKeyError, Subject};
pub use resource::{ArnScope, ArnScopeError};
pub use statement::Effect;
pub use thing::{Thing, ThingError};

/// Maximum number of documents in the answer of a Lambda.
pub(crate) const MAX_DOCUMENTS: usize = 10;
/// Maximum number of characters of a document.
pub(crate) const MAX_DOCUMENT_LENGTH: usize = 2048;
