//! Custom authorizers: from the credentials of a client to a policy, or to a refusal that says why.
//!
//! [`Refusal`] is what [`Authorizers::authorize`] returns. It has the errors of its parts:
//! [`SignatureError`] of a token signature, and [`LambdaError`] of a Lambda, which has [`QueueError`]
//! for calls that weren't made and [`AnswerError`] for answers that AWS IoT doesn't accept.

mod answer;
mod answer_error;
mod calls;
mod credentials;
mod definition;
mod demo;
mod grant;
mod lambda;
mod list;
mod parameter_source;
mod parameters;
mod refusal;
mod token;

pub use answer::Answer;
pub use answer_error::{AnswerError, AnswerProblem};
pub use calls::{LambdaLimits, QueueError};
pub use credentials::{ConnectFields, Credentials, RequestHead, TlsFacts};
pub use definition::{Authorizer, Signing};
pub use demo::{DEMO_POLICY, demo_signed, demo_unsigned};
pub use grant::Grant;
pub(crate) use lambda::Watchdog;
pub use lambda::{
    Handler, HandlerError, Lambda, LambdaEnvironment, LambdaEnvironmentError, LambdaError,
    LambdaEvent, LambdaMissing, LambdaRuntime, LambdaUrl, LambdaUrlError, Program,
    watch_process_groups,
};
pub use list::Authorizers;
pub use parameter_source::ParameterSource;
pub(crate) use parameters::percent_decoded;
pub use refusal::Refusal;
pub use token::{PublicKey, PublicKeyError, SignatureError};
