//! `Upstream`: the server of `inspect proxy` and `inspect replay`, with its transport and credentials.

use std::time::Duration;

use dunlin_client::secret::Secret;
use dunlin_client::transport::{self, Transport, TransportError, TransportOptions};
use dunlin_codec::{BinaryData, Connect, Packet, Repeated, UserProperty, Utf8String};

use crate::args::{Attempts, ReliabilityArgs, Sources, UpstreamArgs};
use crate::config::{AskedFor, EndpointForm, Server, Target, TargetArgs};
use crate::diagnosis::{Diagnosis, RunContext, Try, network};
use crate::inspect::older_version::OlderConnect;
use crate::inspect::secrets;
use crate::terminal::Console;

/// Server, and the credentials that replace those of a CONNECT.
#[derive(Debug)]
pub(super) struct Upstream {
    transport: TransportOptions,
    /// User Name of the flags; `None` if they have none.
    username: Option<Secret<String>>,
    /// Password of the flags; `None` if they have none.
    password: Option<Secret<Vec<u8>>>,
    context: RunContext,
}

impl Upstream {
    /// Checks the flags and reads the files that they name.
    ///
    /// # Errors
    /// Ids of exit code 2, or [`Id::Refused`](crate::diagnosis::Id::Refused) if no sandbox is running.
    pub(super) fn new(
        mut typed: UpstreamArgs,
        verb: &str,
        sources: &Sources,
        console: Console,
    ) -> Result<Self, Diagnosis> {
        if typed.endpoint.endpoint.is_none() {
            return Err(Diagnosis {
                try_: vec![Try::paste("--endpoint mqtt://localhost:1884")],
                ..Diagnosis::usage("missing: --endpoint")
            });
        }
        if typed.authorizer.auth_cmd.is_some() {
            return Err(Diagnosis::usage(format!(
                "--auth-cmd is not for {verb}: give its output in --auth-password-file"
            )));
        }
        let proxy = typed.endpoint.proxy.take();
        let address = typed.endpoint.address;
        let asked_for = AskedFor {
            authorizer: typed.authorizer.is_given(),
            certificate: typed.tls.cert.is_some(),
            ca: sources.is_chosen("ca"),
        };
        let server = Server::new(typed.endpoint, EndpointForm::AnyServer(asked_for))?;
        let reliability = ReliabilityArgs {
            timeout: typed.connect_timeout,
            connect_timeout: typed.connect_timeout,
            ping_timeout: typed.connect_timeout,
            reconnect: Attempts(None),
            max_backoff: None,
            strict: false,
        };
        let target = TargetArgs {
            authorizer: typed.authorizer,
            account: Some(typed.account),
            tls: typed.tls,
            reliability,
            // Each client has its own keep alive and identifier.
            keep_alive: Duration::from_secs(60),
            proxy,
            address,
            client_id: String::new(),
            is_client_id_given: false,
            is_sample: false,
            is_load: false,
        };
        let Target {
            client, context, ..
        } = Target::new(target, server, sources, console)?;
        Ok(Self {
            transport: client.transport,
            username: client.connect.username,
            password: client.connect.password,
            context,
        })
    }

    /// Host and port.
    pub(super) fn address(&self) -> String {
        self.context.address()
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// See [`transport::open`].
    pub(super) async fn open(&self) -> Result<Transport, TransportError> {
        let (transport, _) = transport::open(&self.transport).await?;
        Ok(transport)
    }

    /// Explanation of a connection that wasn't opened.
    pub(super) fn explain(&self, error: &TransportError) -> Diagnosis {
        network::transport(&self.context, error)
    }

    /// CONNECT with the credentials of the flags in place of its own; what the flags don't have stays.
    /// `None` if they have nothing, or the packet can't be read.
    pub(super) fn with_credentials(&self, packet: &[u8]) -> Option<Vec<u8>> {
        if self.username.is_none() && self.password.is_none() {
            return None;
        }
        if let Some(older) = OlderConnect::read(packet) {
            let username = self.user_name_for(older.username());
            return older.with_credentials(
                username.as_deref(),
                self.password().or_else(|| older.password()),
            );
        }
        let Ok(Some((Packet::Connect(connect), _))) = Packet::decode(packet) else {
            return None;
        };
        let connect = connect.read();
        let username = self.user_name_for(connect.username.as_deref());
        let connect = Connect {
            username: username.as_deref().map(Utf8String::new).transpose().ok()?,
            password: match self.password() {
                Some(password) => Some(BinaryData::new(password).ok()?),
                None => connect.password,
            },
            ..connect
        };
        encoded(&connect)
    }

    /// CONNECT of a capture with the credentials of the flags alone: those of a capture are filler.
    /// `None` if they are too long.
    pub(super) fn with_own_credentials(&self, connect: Connect<'_>) -> Option<Vec<u8>> {
        // User Properties with credentials are left out.
        let properties: Vec<UserProperty<'_>> = connect
            .properties
            .user_properties
            .iter()
            .filter(|property| !secrets::is_credential(property.name.as_bytes()))
            .collect();
        let username = self.username.as_ref();
        let username = username.map(|username| username.expose().as_str());
        let mut connect = Connect {
            username: username.map(Utf8String::new).transpose().ok()?,
            password: self.password().map(BinaryData::new).transpose().ok()?,
            ..connect
        };
        connect.properties.user_properties = Repeated::from(properties.as_slice());
        encoded(&connect)
    }

    fn password(&self) -> Option<&[u8]> {
        let password = self.password.as_ref()?;
        Some(password.expose().as_slice())
    }

    /// User Name to send: that of the flags, or that of the client. A query of the flags alone, which
    /// names a custom authorizer, is added to the name of the client.
    fn user_name_for(&self, client: Option<&str>) -> Option<String> {
        let Some(own) = &self.username else {
            return client.map(str::to_owned);
        };
        let own = own.expose();
        match client {
            Some(client) if own.starts_with('?') && !client.contains('?') => {
                Some(format!("{client}{own}"))
            }
            _ => Some(own.clone()),
        }
    }
}

fn encoded(connect: &Connect<'_>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    Packet::from(connect).encode(&mut bytes).ok()?;
    Some(bytes)
}
