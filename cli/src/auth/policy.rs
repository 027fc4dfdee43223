//! `dunlin auth policy`: a policy to begin with.

use std::io::{self, Write};

use dunlin_codec::EscapedJson;
use serde_json::{Value, json};

use crate::args::PolicyArgs;
use crate::exit::Exit;
use crate::failure::Failure;

/// Prints the document: connect as these clients; publish, subscribe to and receive these topics.
pub(super) fn print(typed: &PolicyArgs) -> Result<Exit, Failure> {
    let arn = |name: String| match &typed.arns {
        Some(scope) => scope.arn(&name),
        None => format!("arn:aws:iot:*:*:{name}"),
    };
    let arns = |kind: &str, name: fn(&str) -> String| -> Vec<String> {
        typed
            .topic
            .iter()
            .map(|topic| arn(format!("{kind}/{}", name(topic))))
            .collect()
    };
    let document = json!({
        "Version": "2012-10-17",
        "Statement": [
            allow(&["iot:Connect"], &[arn(format!("client/{}", typed.client_id))]),
            allow(&["iot:Publish", "iot:Receive"], &arns("topic", with_stars)),
            allow(&["iot:Subscribe"], &arns("topicfilter", str::to_owned)),
        ],
    });
    let text = format!("{:#}", EscapedJson(format_args!("{document:#}")));
    // serde_json sorts keys; AWS's documentation begins a policy with its version.
    let text = with_version_first(&text);
    let text = if typed.answer { answer(&text) } else { text };
    writeln!(io::stdout(), "{text}")?;
    Ok(Exit::Done)
}

/// The same document, `Version` being its first key.
fn with_version_first(document: &str) -> String {
    const VERSION: &str = "  \"Version\": \"2012-10-17\"";
    match document
        .strip_suffix(&format!(",\n{VERSION}\n}}"))
        .and_then(|text| text.strip_prefix("{\n"))
    {
        Some(rest) => format!("{{\n{VERSION},\n{rest}\n}}"),
        None => document.to_owned(),
    }
}

/// Answer of a Lambda with the document; AWS takes documents as objects and as JSON texts.
fn answer(document: &str) -> String {
    let document = document.replace('\n', "\n    ");
    format!(
        "{{\n  \"isAuthenticated\": true,\n  \"principalId\": \"Device1\",\n  \"disconnectAfterInSeconds\": 3600,\n  \
         \"refreshAfterInSeconds\": 300,\n  \"policyDocuments\": [\n    {document}\n  ]\n}}"
    )
}

fn allow(actions: &[&str], resources: &[String]) -> Value {
    json!({"Effect": "Allow", "Action": actions, "Resource": resources})
}

/// Topics of a filter as a policy has them: with stars, as + and # are plain letters there.
fn with_stars(filter: &str) -> String {
    let levels = filter.split('/').map(|level| {
        if matches!(level, "+" | "#") {
            "*"
        } else {
            level
        }
    });
    levels.collect::<Vec<_>>().join("/")
}
