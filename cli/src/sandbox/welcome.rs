//! The first lines of a sandbox: where it is, and what to type next.

use std::path::Path;

use dunlin_sandbox::Ready;

use crate::diagnosis::shell;

/// What the sandbox says when it is ready. `state_dir` is the one that was asked for, which other commands need as well.
pub(crate) fn text(ready: &Ready, state_dir: Option<&Path>) -> String {
    let Ready { endpoint, port, .. } = ready;
    let (ca, key) = (ready.ca.display(), ready.signing_key.display());
    let state =
        state_dir.map_or(String::new(), |dir| format!(" --state-dir {}", shell(&dir.to_string_lossy())));
    format!(
        "\
sandbox ready  mqtts://{endpoint}:{port}  (ALPN mqtt; CA {ca})
               not AWS: loopback only, data lost on exit; Ctrl-C stops it
authorizers    DemoUnsigned (user \"demo\", password \"demo\")
               DemoSigned (token key \"tok\", signing key {key})
try in another terminal:
  dunlin --endpoint sandbox{state} --authorizer_name DemoUnsigned --auth_username demo --auth_password demo
  dunlin --endpoint sandbox{state} --authorizer_name DemoSigned --auth_token_key_name tok --auth_token_key_value hello \
         --auth_signature \"$(dunlin auth sign --sandbox{state} hello)\"
"
    )
}
