//! `Target`: server, proxy, TLS, credentials and reconnecting of every verb that connects.

use std::time::Duration;

use dunlin_client::aws::http_publish::HttpPublishOptions;
use dunlin_client::{CleanStart, ClientOptions, ConnectOptions, InvalidMessages};

use crate::args::{
    AccountArgs, AddressArgs, Alpn, AuthorizerArgs, ReliabilityArgs, Sources, TlsArgs,
};
use crate::config::auth_command::LONGEST_RUN;
use crate::config::connection::{keep_alive, transport};
use crate::config::context::run_context;
use crate::config::fresh::CommandCredentials;
use crate::config::http;
use crate::config::retry::reconnect;
use crate::config::standard_input::check_readers;
use crate::config::tls;
use crate::config::websocket;
use crate::config::{Credentials, ProxyChoice, Server};
use crate::diagnosis::{Diagnosis, RunContext, UserChoices};
use crate::terminal::Console;

/// Flags of a verb that connects, without those of the endpoint.
pub(crate) struct TargetArgs {
    pub(crate) authorizer: AuthorizerArgs,
    /// User name and password without an authorizer; `None` for verbs that always have one.
    pub(crate) account: Option<AccountArgs>,
    pub(crate) tls: TlsArgs,
    pub(crate) reliability: ReliabilityArgs,
    pub(crate) keep_alive: Duration,
    /// URL of `--proxy`; `None` if none was given.
    pub(crate) proxy: Option<String>,
    pub(crate) address: AddressArgs,
    /// Client identifier, or for a load test the start of all of them.
    pub(crate) client_id: String,
    /// True if the user chose the client identifier.
    pub(crate) is_client_id_given: bool,
    /// True for the sample, which always means an authorizer of AWS IoT.
    pub(crate) is_sample: bool,
    /// True for a load test, whose clients share the start of their identifiers.
    pub(crate) is_load: bool,
}

/// Options of the client, and the facts that its errors may show.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) client: ClientOptions,
    /// Options of HTTP requests; `None` for a connection of MQTT.
    pub(crate) http: Option<Box<HttpPublishOptions>>,
    pub(crate) context: RunContext,
}

impl Target {
    /// Reads credentials and certificates and makes the client's options of them.
    ///
    /// CONNECT has Clean Start 1 on every connection and asks for no session after it.
    ///
    /// # Errors
    /// [`Id::Usage`](crate::diagnosis::Id::Usage) or
    /// [`Id::Signature`](crate::diagnosis::Id::Signature) for flags and files that can't be used;
    /// nothing was sent.
    pub(crate) fn new(
        mut typed: TargetArgs,
        mut server: Server,
        sources: &Sources,
        console: Console,
    ) -> Result<Self, Diagnosis> {
        check_readers(sources)?;
        check_tls_flags(&server, sources)?;
        if server.is_http {
            http::leave_out(&mut typed);
        } else {
            websocket::check_flags(server.websocket.is_some(), sources)?;
        }
        let sent_in = typed.authorizer.authorizer_as;
        let proxy = ProxyChoice::new(
            typed.proxy.as_deref(),
            sources,
            &server,
            typed.tls.ca.as_deref(),
            console,
        )?;

        // A sandbox that was found by itself brings its CA; one from the environment is for other
        // servers. The secrets for a sandbox are those of a test, so nobody is warned about them.
        let is_sandbox = server.sandbox_ca.is_some();
        if is_sandbox && !sources.is_chosen("ca") {
            typed.tls.ca = server.sandbox_ca.take();
        }
        if let Some(suggested) = &server.suggested_endpoint {
            console.warning(format_args!(
                "an endpoint without -ats has a certificate that few systems trust; better: {suggested}"
            ));
        }
        // A command is asked by the client, before each connection.
        let (credentials, provider) = match typed.authorizer.auth_cmd.take() {
            Some(text) => {
                let (authorizer, account) = (typed.authorizer, typed.account);
                let shown = Credentials::before_command(&authorizer, account.as_ref());
                let provider = CommandCredentials::provider(&text, authorizer, account, sources)?;
                (shown, Some(provider))
            }
            None => {
                let credentials = Credentials::of_flags(
                    typed.authorizer,
                    typed.account,
                    sources,
                    console,
                    !is_sandbox,
                )?;
                (credentials, None)
            }
        };
        // Headers and query of WebSocket; a command adds its own to them, before each connection.
        let mut has_secret = credentials.has_secret() || provider.is_some();
        if let Some(options) = &mut server.websocket {
            let typed = std::mem::take(&mut server.typed);
            websocket::set_headers(options, typed, sources, console, !is_sandbox)?;
            has_secret |= !options.headers.is_empty();
            if provider.is_none() {
                websocket::add_parameters(options, &credentials, sent_in)?;
            }
        }
        let leaves_computer = typed.is_load || !server.is_local();
        if !server.is_tls && has_secret && leaves_computer {
            console.warning(format_args!(
                "{}:// is without TLS: password and token go over the network in clear text",
                server.scheme()
            ));
        }

        // The protocol to offer depends on the server, unless the user names one.
        let alpn = typed.tls.alpn.take().unwrap_or_else(|| {
            server
                .default_alpn
                .map_or(Alpn::None, |name| Alpn::Name(name.to_owned()))
        });

        // Collected before the values move into the options.
        let choices = UserChoices {
            ca: typed.tls.ca.is_some(),
            client_id: typed.is_client_id_given,
            alpn: sources.is_chosen("alpn"),
            is_tls: server.is_tls,
            is_websocket: server.websocket.is_some(),
            is_http: server.is_http,
            is_sample: typed.is_sample,
            is_load: typed.is_load,
            auth_cmd: provider.is_some(),
        };
        let context = run_context(
            &server,
            proxy.as_ref(),
            &credentials,
            &typed.client_id,
            &alpn,
            typed.tls.sni.as_deref(),
            choices,
        );

        let parameters = server.is_http.then(|| credentials.authorizer.clone());
        let keep_alive = keep_alive(typed.keep_alive, context.is_aws, console)?;
        let connect = connect(typed.client_id, credentials, keep_alive, &typed.reliability);
        // Files are read even for a server without TLS, so that a mistake in a profile is told.
        let tls = tls::connector(typed.tls, alpn, &server.host, sources, console)?;
        let tls = server.is_tls.then_some(tls);
        let transport = transport(server, proxy, typed.address, tls, &typed.reliability)?;
        let http = parameters
            .map(|authorizer| {
                let timeout = typed.reliability.timeout;
                http::options(transport.clone(), &authorizer, sent_in, timeout)
            })
            .transpose()?;
        let client = ClientOptions {
            reconnect: reconnect(typed.reliability.reconnect.0, typed.reliability.max_backoff),
            connect_within: typed.reliability.timeout,
            provider: provider.unwrap_or_default(),
            // A little longer than the command has, so that its own error comes first.
            provide_within: LONGEST_RUN + Duration::from_secs(5),
            ..ClientOptions::new(transport, connect)
        };
        Ok(Self {
            client,
            http: http.map(Box::new),
            context,
        })
    }
}

/// Checks that flags of TLS weren't typed for a server without it: ignored, they would let the password
/// go over the network in clear text. The environment and profiles may have them for other servers.
///
/// # Errors
/// [`Id::Usage`](crate::diagnosis::Id::Usage) with the flag.
fn check_tls_flags(server: &Server, sources: &Sources) -> Result<(), Diagnosis> {
    let flag = OF_TLS.into_iter().find(|id| sources.on_command_line(id));
    match flag {
        Some(flag) if !server.is_tls => Err(Diagnosis::usage(format!(
            "--{} is for TLS, and {scheme}:// is without: {scheme}s:// is with TLS",
            flag.replace('_', "-"),
            scheme = server.scheme()
        ))),
        _ => Ok(()),
    }
}

/// Ids of flags that have no meaning without TLS.
const OF_TLS: [&str; 11] = [
    "ca",
    "public_ca",
    "platform_roots",
    "allow_common_name",
    "cert",
    "key",
    "key_password_file",
    "insecure",
    "sni",
    "tls_min",
    "keylog",
];

/// CONNECT and the time-outs of the connection.
fn connect(
    client_id: String,
    credentials: Credentials,
    keep_alive: Duration,
    typed: &ReliabilityArgs,
) -> ConnectOptions {
    let mut connect = ConnectOptions::new(client_id);
    connect.username = credentials.user_name;
    connect.password = credentials.password;
    connect.keep_alive = keep_alive;
    connect.clean_start = CleanStart::Always;
    connect.session_expiry_interval = None;
    connect.connack_timeout = connect.connack_timeout.min(typed.timeout);
    connect.ping_timeout = typed.ping_timeout;
    connect.ack_timeout = typed.timeout;
    if typed.strict {
        connect.invalid_messages = InvalidMessages::CloseConnection;
    }
    connect
}
