//! The first lines of a sandbox: where it is, and what to type next.

use std::path::Path;

use dunlin_sandbox::{Ready, ReadyAuthorizer};

use crate::diagnosis::{quoted, shell};

/// What the sandbox says when it is ready. `state_dir` is the one that was asked for, which other commands need as well.
pub(crate) fn text(ready: &Ready, state_dir: Option<&Path>) -> String {
    let Ready { endpoint, port, .. } = ready;
    let (ca, key) = (ready.ca.display(), ready.signing_key.display());
    let state =
        state_dir.map_or(String::new(), |dir| format!(" --state-dir {}", shell(&dir.to_string_lossy())));
    let demos = if ready.demo { DEMOS } else { 0 };
    let authorizers: String = ready.authorizers.iter().skip(demos).map(authorizer).collect();
    let (demo, try_) = if ready.demo {
        let indent = " ".repeat(15);
        let demo = format!(
            "{indent}DemoUnsigned (user \"demo\", password \"demo\")\n{indent}DemoSigned (token key \"tok\", signing key {key})\n"
        );
        let to = format!("  dunlin --endpoint sandbox{state} --authorizer_name");
        let try_ = format!(
            "{to} DemoUnsigned --auth_username demo --auth_password demo\n\
             {to} DemoSigned --auth_token_key_name tok --auth_token_key_value hello \
             --auth_signature \"$(dunlin auth sign --sandbox{state} hello)\"\n"
        );
        (demo, try_)
    } else {
        let name = ready.authorizers.iter().find(|authorizer| authorizer.active);
        let name = name.map_or_else(|| "NAME".to_owned(), |authorizer| shell(&authorizer.name));
        let user = "--auth_username USER --auth_password PASSWORD";
        (String::new(), format!("  dunlin --endpoint sandbox{state} --authorizer_name {name} {user}\n"))
    };
    let plain = ready.plain_port.map_or_else(String::new, |port| {
        format!("without TLS    mqtt://{endpoint}:{port}  (loopback only)\n")
    });
    let anonymous = if ready.anonymous { ANONYMOUS } else { "" };
    let arns = ready.strict_arns.as_ref().map_or_else(
        || "any region and account matches; --strict-arns compares them".to_owned(),
        |scope| format!("region and account must be {scope}"),
    );
    let listed = format!("{demo}{authorizers}");
    let listed = if listed.is_empty() { "               none\n" } else { &listed };
    format!(
        "\
sandbox ready  mqtts://{endpoint}:{port}  (ALPN mqtt; CA {ca})
               not AWS: loopback only, data lost on exit; Ctrl-C stops it
{plain}{anonymous}authorizers    {}policies       {arns}
try in another terminal:
{try_}",
        listed.trim_start()
    )
}

/// One that was configured.
fn authorizer(authorizer: &ReadyAuthorizer) -> String {
    let mut notes = Vec::new();
    notes.extend((!authorizer.active).then(|| "inactive".to_owned()));
    notes.extend(authorizer.default.then(|| "the default".to_owned()));
    notes.extend(authorizer.token_key_name.as_ref().map(|key| format!("token key {}", quoted(key))));
    notes.extend(authorizer.signing.then(|| "signed".to_owned()));
    let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) };
    format!("               {}{notes}\n", authorizer.name)
}

const ANONYMOUS: &str = "\
anonymous      every client that names no authorizer is let in and may do
               everything
";
/// The two of the demo come first.
const DEMOS: usize = 2;
