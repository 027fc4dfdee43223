//! The command line as it is meant: every default filled in, every file read, every fault found
//! that can be found before anything is sent.

mod authorizer;
mod connection;
mod context;
mod no_proxy;
mod proxy;
mod retry;
mod sample;
mod script;
mod secret;
mod server;
mod signature;

pub(crate) use authorizer::Credentials;
pub(crate) use connection::{keep_alive, transport};
pub(crate) use context::run_context;
pub(crate) use proxy::Detour;
pub(crate) use retry::reconnect;
pub(crate) use sample::SampleConfig;
pub(crate) use script::Script;
pub(crate) use secret::{SecretArgs, Secrets};
pub(crate) use server::Server;
pub(crate) use signature::check as check_signature;
