//! `run_context`: the facts of a configuration that an error may show.

use dunlin_client::aws;

use crate::args::Alpn;
use crate::config::{Credentials, ProxyChoice, Server};
use crate::diagnosis::{RunContext, UserChoices};

/// Collects what a diagnosis may show of server and credentials; no secret is among it.
pub(super) fn run_context(
    server: &Server,
    proxy: Option<&ProxyChoice>,
    credentials: &Credentials,
    client_id: &str,
    alpn: &Alpn,
    sni: Option<&str>,
    choices: UserChoices,
) -> RunContext {
    // A "?" of the user's own may be followed by a token, so only the text before it is shown.
    let before_query = |name: &str| name.split('?').next().unwrap_or_default().to_owned();
    let authorizer = &credentials.authorizer;
    RunContext {
        host: server.host.clone(),
        port: server.port,
        server_name: sni.unwrap_or(&server.host).to_owned(),
        is_aws: aws::is_aws_host(&server.host),
        suggested_endpoint: server.suggested_endpoint.clone(),
        proxy: proxy.map(|ProxyChoice { proxy, from }| format!("via {proxy} (from {from})")),
        authorizer: authorizer.authorizer_name.clone(),
        is_signed: credentials.is_signed(),
        has_token: authorizer.token.is_some(),
        client_id: client_id.to_owned(),
        alpn_offered: match alpn {
            Alpn::None => None,
            Alpn::Name(name) => Some(name.clone()),
        },
        choices,
        username: credentials.shown_user_name.as_deref().map(before_query),
        // The length of a password helps to find a newline too many, and tells nothing else.
        password_len: credentials
            .password
            .as_ref()
            .map(|password| password.expose().len()),
    }
}
