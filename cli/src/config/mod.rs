//! The configuration of a run: defaults filled in, files read, and every mistake found that can be
//! found before anything is sent.

mod address;
mod any_server;
mod ask;
mod auth_command;
mod authorizer;
mod connection;
mod context;
mod faults;
mod fresh;
mod http;
mod no_proxy;
mod proxy;
mod retry;
mod sample;
mod script;
mod secret;
mod server;
mod signature;
mod standard_input;
mod target;
mod tls;
mod websocket;

pub(crate) use any_server::{ConnectionConfig, check_topic, smallest_example};
pub(crate) use authorizer::Credentials;
pub(crate) use faults::Faults;
pub(crate) use proxy::ProxyChoice;
pub(crate) use sample::SampleConfig;
pub(crate) use script::Script;
pub(crate) use secret::{Asking, SecretArgs, Secrets};
pub(crate) use server::{AskedFor, EndpointForm, Server, needs_mqtt};
pub(crate) use signature::check as check_signature;
pub(crate) use target::{Target, TargetArgs};
