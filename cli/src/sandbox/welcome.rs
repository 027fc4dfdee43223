//! The first lines of a sandbox: where it is, and what to type next.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use dunlin_codec::Escaped;
use dunlin_sandbox::{Ready, ReadyAuthorizer};

use crate::diagnosis::{quoted, shell};
use crate::wrap::wrap;

/// Banner of a sandbox that is ready. `state_dir` is the folder of `--state-dir`, which other
/// commands need as well.
pub(crate) fn text(ready: &Ready, state_dir: Option<&Path>) -> String {
    let Ready { endpoint, port, .. } = ready;
    // Paths may hold bytes that a terminal would obey.
    let (ca, key) = (
        Escaped(ready.ca.display()),
        Escaped(ready.signing_key.display()),
    );
    // Commands in another terminal find the sandbox by this folder, so each of them needs the flag.
    let state = state_dir.map_or(String::new(), |dir| {
        format!(" --state-dir {}", shell(&dir.to_string_lossy()))
    });
    // The command for the signature is long already, so the flag gets a line of its own.
    let folded = if state.is_empty() {
        String::new()
    } else {
        format!(" \\\n     {state}")
    };
    // The demo's authorizers have lines of their own; the list below shows those that were
    // configured.
    let demos = if ready.demo { DEMOS } else { 0 };
    let authorizers: String = ready
        .authorizers
        .iter()
        .skip(demos)
        .map(authorizer)
        .collect();
    // Commands that run as they stand where the demo is there; otherwise the first active
    // authorizer with placeholders for its credentials.
    let (demo, try_) = if ready.demo {
        let demo = format!(
            "{LIST}DemoUnsigned (user \"demo\", password \"demo\")\n\
             {LIST}DemoSigned (token key \"tok\", signed with the key\n{LIST}{key})\n"
        );
        let to = format!("  dunlin --endpoint sandbox{state} \\\n    --authorizer_name");
        let try_ = format!(
            "{to} DemoUnsigned --auth_username demo --auth_password demo\n\
             {to} DemoSigned --auth_token_key_name tok \\\n    --auth_token_key_value hello \\\n    \
             --auth_signature \"$(dunlin auth sign --sandbox{folded} hello)\"\n"
        );
        (demo, try_)
    } else {
        let name = ready
            .authorizers
            .iter()
            .find(|authorizer| authorizer.active);
        let name = name.map_or_else(|| "NAME".to_owned(), |authorizer| shell(&authorizer.name));
        let user = "--auth_username USER --auth_password PASSWORD";
        (
            String::new(),
            format!(
                "  dunlin --endpoint sandbox{state} \\\n    --authorizer_name {name} \\\n    {user}\n"
            ),
        )
    };
    // Optional lines; each one ends with its own line break.
    let plain = ready.plain_port.map_or_else(String::new, |port| {
        format!("without TLS    mqtt://{endpoint}:{port}  (loopback only)\n")
    });
    let wss = ready.wss_port.map_or_else(String::new, |port| {
        format!("WebSocket      wss://{endpoint}:{port}/mqtt  (subprotocol mqtt)\n")
    });
    let ws = ready.ws_port.map_or_else(String::new, |port| {
        format!("WebSocket      ws://{endpoint}:{port}/mqtt  (without TLS; loopback only)\n")
    });
    let https = ready.https_port.map_or_else(String::new, |port| {
        format!("HTTPS          https://{endpoint}:{port}/topics/TOPIC  (POST publishes)\n")
    });
    let http = ready.http_port.map_or_else(String::new, |port| {
        format!("HTTP           http://{endpoint}:{port}/topics/TOPIC  (loopback only)\n")
    });
    let anonymous = if ready.anonymous { ANONYMOUS } else { "" };
    let certificates = if ready.client_certificates {
        CERTIFICATES
    } else {
        ""
    };
    let addresses: Vec<String> = ready
        .addresses
        .iter()
        .map(|address| SocketAddr::from((*address, *port)).to_string())
        .collect();
    // One address that others can reach is enough to say so.
    let is_loopback = ready.addresses.iter().all(IpAddr::is_loopback);
    let reach = if is_loopback {
        "loopback only"
    } else {
        "others can reach it"
    };
    let listens = format!("{}  ({reach})", addresses.join(", "));
    let faults: String = ready
        .faults
        .iter()
        .map(|fault| format!("fault          {}\n", Escaped(fault)))
        .collect();
    let arns = ready.strict_arns.as_ref().map_or_else(
        || "any region and account matches (--strict-arns compares)".to_owned(),
        |scope| format!("region and account must be {scope}"),
    );
    let listed = format!("{demo}{authorizers}");
    // The heading stays even without authorizers.
    let listed = if listed.is_empty() {
        "               none\n"
    } else {
        &listed
    };
    format!(
        "\
sandbox ready  mqtts://{endpoint}:{port}  (ALPN mqtt)
               CA {ca}
               not AWS: data lost on exit; Ctrl-C stops it
listens on     {listens}
{plain}{wss}{ws}{https}{http}{certificates}{anonymous}{faults}authorizers    {}policies       {arns}
try in another terminal:
{try_}",
        listed.trim_start()
    )
}

/// One that was configured, and below it the command, handler or URL that decides.
fn authorizer(authorizer: &ReadyAuthorizer) -> String {
    // Only what differs from the usual: active, not the default, unsigned.
    let mut notes = Vec::new();
    notes.extend((!authorizer.active).then(|| "inactive".to_owned()));
    notes.extend(authorizer.default.then(|| "the default".to_owned()));
    notes.extend(
        authorizer
            .token_key_name
            .as_ref()
            .map(|key| format!("token key {}", quoted(key))),
    );
    notes.extend(authorizer.signing.then(|| "signed".to_owned()));
    let notes = if notes.is_empty() {
        String::new()
    } else {
        format!(" ({})", notes.join(", "))
    };
    let mut lines = vec![format!("{LIST}{}{notes}", Escaped(&authorizer.name))];
    if !authorizer.lambda.is_empty() {
        let lambda = format!("{LIST}  {}", Escaped(&authorizer.lambda));
        lines.extend(wrap(&lambda, WIDTH, MORE));
    }
    lines.join("\n") + "\n"
}

/// Indent of the second column.
const LIST: &str = "               ";
/// Indent of the lines that go on with a folded one.
const MORE: &str = "                   ";
/// Columns of every terminal.
const WIDTH: usize = 80;
const ANONYMOUS: &str = "\
anonymous      every client that names no authorizer is let in and may do
               everything
";
const CERTIFICATES: &str = "\
certificates   clients may have one of the CA: dunlin sandbox cert NAME
";
/// The two of the demo come first.
const DEMOS: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(more: &str) -> Ready {
        let text = format!(
            r#"{{"endpoint":"localhost","port":8883,"ca":"/home/user/.local/state/dunlin/sandbox/ca.pem",
            "signing_key":"/home/user/.local/state/dunlin/sandbox/signing.pem","pid":7,{more}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn the_banner_fits_80_columns_and_says_where_who_and_what_is_wrong() {
        let ready = ready(
            r#""addresses":["0.0.0.0"],"plain_port":1883,"wss_port":8443,"ws_port":8080,"https_port":8444,"http_port":8081,"anonymous":true,"faults":["delay=500ms","no-puback"],
            "authorizers":[{"name":"DemoUnsigned","active":true,"signing":false},
            {"name":"DemoSigned","active":true,"signing":true,"token_key_name":"tok"},
            {"name":"Mine","active":true,"signing":false,"default":true,
            "lambda":"python3 -m authorizers.lamps --table lamps-of-the-test --dev --and-more in /srv/lamps\u001b[2J"}]"#,
        );
        for state_dir in [None, Some(Path::new("/var/tmp/state"))] {
            let text = text(&ready, state_dir);
            assert!(
                text.lines().all(|line| line.chars().count() <= 80),
                "{text}"
            );
            for part in [
                "               Mine (the default)\n                 python3 -m authorizers.lamps --table ",
                "/srv/lamps\\u{1b}[2J\n",
                "fault          no-puback",
                "HTTPS          https://localhost:8444/topics/TOPIC",
                "HTTP           http://localhost:8081/topics/TOPIC",
                "WebSocket      wss://localhost:8443/mqtt  (subprotocol mqtt)\n",
                "WebSocket      ws://localhost:8080/mqtt  (without TLS; loopback only)\n",
                "0.0.0.0:8883  (others can reach it)",
            ] {
                assert!(text.contains(part), "{part}\n{text}");
            }
        }
    }

    #[test]
    fn loopback_is_said_where_it_is() {
        let text = text(
            &ready(r#""addresses":["127.0.0.1","::1"],"authorizers":[]"#),
            None,
        );
        assert!(
            text.contains("127.0.0.1:8883, [::1]:8883  (loopback only)"),
            "{text}"
        );
    }
}
