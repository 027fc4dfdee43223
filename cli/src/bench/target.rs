//! `LoadTarget`: the server that all clients of a load test connect to, and how.

use std::time::Duration;

use dunlin_client::ClientOptions;

use super::descriptors;
use crate::args::{LoadTargetArgs, Sources};
use crate::config::{EndpointForm, Faults, Server, Target, TargetArgs};
use crate::diagnosis::{Diagnosis, RunContext, Try};
use crate::terminal::Console;

/// Server, options of every client, and the number of clients.
#[derive(Debug)]
pub(super) struct LoadTarget {
    options: ClientOptions,
    /// Facts of the configuration that errors may show; the client identifier in it is the prefix.
    pub(super) context: RunContext,
    /// Start of every client identifier.
    pub(super) prefix: String,
    pub(super) clients: u32,
    /// Connections that are opened in a second; 0 means no limit.
    pub(super) connect_rate: u32,
    /// True to print the report as JSON.
    pub(super) json: bool,
    pub(super) shows_progress: bool,
    accepts_charges: bool,
}

impl LoadTarget {
    /// Checks the flags and reads the files that they name. `faults` holds the mistakes that were
    /// found in other flags.
    ///
    /// # Errors
    /// Ids of exit code 2, or [`Id::Refused`](crate::diagnosis::Id::Refused) if no sandbox is
    /// running; nothing was sent.
    pub(super) fn new(
        mut typed: LoadTargetArgs,
        mut faults: Faults,
        sources: &Sources,
        console: Console,
    ) -> Result<Self, Diagnosis> {
        // All mistakes that can be found without reading a secret are told together.
        let proxy = typed.endpoint.proxy.take();
        let address = typed.endpoint.address;
        let server = match typed.endpoint.endpoint {
            Some(_) => faults.collect(Server::new(typed.endpoint, EndpointForm::HostOrUrl)),
            None => faults.collect(Err(no_endpoint())),
        };
        faults.into_result()?;
        let server = server.ok_or_else(no_endpoint)?;
        let is_client_id_given = typed.client_id.is_some();
        let prefix = typed
            .client_id
            .unwrap_or_else(|| format!("dunlin-bench-{:08x}", fastrand::u32(..)));
        // The prefix stands for the client identifier of every client.
        let target = TargetArgs {
            authorizer: typed.authorizer,
            tls: typed.tls,
            reliability: typed.reliability,
            keep_alive: typed.keep_alive,
            proxy,
            address,
            client_id: prefix.clone(),
            is_client_id_given,
            account: None,
            is_sample: false,
            is_load: true,
        };
        let Target {
            client, context, ..
        } = Target::new(target, server, sources, console)?;
        Ok(Self {
            options: client,
            context,
            prefix,
            clients: typed.clients,
            connect_rate: typed.connect_rate,
            json: typed.json,
            shows_progress: !typed.json && !typed.no_progress && !console.quiet,
            accepts_charges: typed.i_accept_charges,
        })
    }

    /// Limits the time in which a client must have connected to that of the load, but not below the
    /// time of one attempt: a server that is not there is no reason to run for longer than
    /// `--duration`.
    pub(super) fn limit_connecting(&mut self, load: Duration) {
        // Shorter than one attempt, the limit would blame a server that is only slow.
        let attempt = self.options.transport.timeout;
        self.options.connect_within = self.options.connect_within.min(load.max(attempt));
    }

    /// Checks the price of the load: file descriptors for `connections`, and the bill of AWS for
    /// `messages`, where `None` stands for a load without an end.
    ///
    /// # Errors
    /// [`Id::Usage`](crate::diagnosis::Id::Usage) if the user has not accepted the bill, or if the
    /// system allows too few file descriptors.
    pub(super) fn check(&self, connections: u32, messages: Option<u64>) -> Result<(), Diagnosis> {
        if self.context.is_aws && !self.accepts_charges {
            let estimate = messages.map_or_else(
                || "messages for as long as it runs".to_owned(),
                |messages| format!("about {messages} messages"),
            );
            return Err(Diagnosis {
                saw: Some(format!(
                    "{connections} connections and {estimate}, in and out"
                )),
                try_: vec![
                    Try::advice("--i-accept-charges, if that is meant"),
                    Try::command("dunlin sandbox        # a local server, in another terminal"),
                ],
                ..Diagnosis::usage("AWS IoT bills connections and messages; nothing was sent")
            });
        }
        descriptors::reserve(connections.into())
    }

    /// Options of client `number`.
    pub(super) fn options(&self, number: u32) -> ClientOptions {
        let mut options = self.options.clone();
        options.connect.client_id = format!("{}-{number}", self.prefix);
        options
    }
}

/// Error for a load without an endpoint.
fn no_endpoint() -> Diagnosis {
    Diagnosis {
        try_: vec![Try::command(
            "dunlin bench pubsub --endpoint mqtt://localhost:1883",
        )],
        ..Diagnosis::usage("missing: --endpoint")
    }
}
