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
    let authorizers: String = ready.authorizers.iter().skip(DEMOS).map(authorizer).collect();
    let arns = ready.strict_arns.as_ref().map_or_else(
        || "any region and account matches; --strict-arns compares them".to_owned(),
        |scope| format!("region and account must be {scope}"),
    );
    format!(
        "\
sandbox ready  mqtts://{endpoint}:{port}  (ALPN mqtt; CA {ca})
               not AWS: loopback only, data lost on exit; Ctrl-C stops it
authorizers    DemoUnsigned (user \"demo\", password \"demo\")
               DemoSigned (token key \"tok\", signing key {key})
{authorizers}policies       {arns}
try in another terminal:
  dunlin --endpoint sandbox{state} --authorizer_name DemoUnsigned --auth_username demo --auth_password demo
  dunlin --endpoint sandbox{state} --authorizer_name DemoSigned --auth_token_key_name tok --auth_token_key_value hello \
         --auth_signature \"$(dunlin auth sign --sandbox{state} hello)\"
"
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

/// The two that every sandbox has come first.
const DEMOS: usize = 2;
