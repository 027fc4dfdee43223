//! Options of HTTP requests: flags that have no meaning for them, and the custom authorizer's
//! parameters.

use std::time::Duration;

use dunlin_client::aws::CustomAuthorizer;
use dunlin_client::aws::http_publish::HttpPublishOptions;
use dunlin_client::transport::TransportOptions;

use crate::args::{SentInArg, Sources};
use crate::config::TargetArgs;
use crate::diagnosis::Diagnosis;

/// Checks that no flag was typed that has no meaning for HTTP. The environment and profiles may have
/// them for other servers.
///
/// # Errors
/// [`Id::Usage`](crate::diagnosis::Id::Usage) with the flag and the reason.
pub(super) fn check_flags(sources: &Sources) -> Result<(), Diagnosis> {
    for (flags, reason) in WITHOUT_MEANING {
        if let Some(flag) = flags.iter().find(|id| sources.on_command_line(id)) {
            return Err(Diagnosis::usage(format!(
                "--{} has no meaning over HTTP: {reason}",
                flag.replace('_', "-")
            )));
        }
    }
    let sent_in = sources.values("authorizer_as");
    if sources.on_command_line("authorizer_as") && sent_in.iter().any(|value| value == "connect") {
        return Err(Diagnosis::usage(
            "--authorizer-as connect has no meaning over HTTP: there is no CONNECT; it is headers or query",
        ));
    }
    Ok(())
}

/// Leaves out what an environment or a profile has for connections of MQTT, and sends the authorizer's
/// parameters in headers, unless another place was chosen.
pub(super) fn leave_out(typed: &mut TargetArgs) {
    let authorizer = &mut typed.authorizer;
    authorizer.is_http = true;
    authorizer.auth_username = None;
    authorizer.auth_password = None;
    authorizer.auth_password_file = None;
    authorizer.auth_cmd = None;
    authorizer.ask = false;
    if authorizer.authorizer_as == SentInArg::Connect {
        authorizer.authorizer_as = SentInArg::Headers;
    }
    typed.account = None;
}

/// Options of HTTP requests with the parameters of a custom authorizer.
///
/// # Errors
/// [`Id::Usage`](crate::diagnosis::Id::Usage) for values that can't be sent there.
pub(super) fn options(
    transport: TransportOptions,
    authorizer: &CustomAuthorizer,
    sent_in: SentInArg,
    timeout: Duration,
) -> Result<HttpPublishOptions, Diagnosis> {
    let mut options = HttpPublishOptions::new(transport);
    options.answer_timeout = timeout;
    let set = match sent_in {
        SentInArg::Query => options.set_authorizer_query(authorizer),
        SentInArg::Headers | SentInArg::Connect => options.set_authorizer_headers(authorizer),
    };
    set.map_err(|error| Diagnosis::usage(error.to_string()))?;
    Ok(options)
}

/// Ids of flags without a meaning over HTTP, and the reason.
const WITHOUT_MEANING: [(&[&str], &str); 8] = [
    (
        &[
            "username",
            "password",
            "password_file",
            "auth_username",
            "auth_password",
            "auth_password_file",
            "ask",
            "metrics",
        ],
        "a request carries no user name and no password, only a token and a client certificate",
    ),
    (
        &["auth_cmd"],
        "credentials of a command are for CONNECT; --auth-token-key-value-file reads a token",
    ),
    (
        &[
            "client_id",
            "keep_alive",
            "clean_start",
            "session_expiry",
            "receive_maximum",
            "max_packet_size",
            "topic_alias_max",
            "request_problem_info",
            "request_response_info",
            "connect_user_property",
            "ping_timeout",
            "strict",
        ],
        "there is no CONNECT and no session",
    ),
    (
        &[
            "will_topic",
            "will_message",
            "will_qos",
            "will_retain",
            "will_delay",
            "will_expiry",
            "will_content_type",
            "will_payload_format",
            "will_response_topic",
            "will_correlation",
            "will_user_property",
        ],
        "there is no CONNECT, and so no will",
    ),
    (
        &["reconnect", "max_backoff"],
        "a request is sent once, because the message might be published twice",
    ),
    (
        &["in_flight", "topic_alias", "store"],
        "each message is a request of its own, and the next one follows its answer",
    ),
    (
        &["packets", "capture", "show_secrets"],
        "no packet of MQTT is sent; --dry-run shows the request, without secrets",
    ),
    (
        &["ws_header", "ws_header_file"],
        "it is a header of WebSocket",
    ),
];
