//! `dunlin auth policy`: a policy to begin with.

use std::io::{self, Write};

use dunlin_codec::EscapedJson;
use serde_json::{Value, json};

use crate::args::PolicyArgs;
use crate::exit::Exit;
use crate::verb::Failure;

/// Prints the document: connect as these clients; publish, subscribe to and receive these topics.
pub(super) fn print(typed: &PolicyArgs) -> Result<Exit, Failure> {
    let arn = |name: String| match &typed.arns {
        Some(scope) => scope.arn(&name),
        None => format!("arn:aws:iot:*:*:{name}"),
    };
    let arns = |kind: &str, name: fn(&str) -> String| -> Vec<String> {
        typed.topic.iter().map(|topic| arn(format!("{kind}/{}", name(topic)))).collect()
    };
    let document = json!({
        "Version": "2012-10-17",
        "Statement": [
            allow(&["iot:Connect"], &[arn(format!("client/{}", typed.client_id))]),
            allow(&["iot:Publish", "iot:Receive"], &arns("topic", with_stars)),
            allow(&["iot:Subscribe"], &arns("topicfilter", str::to_owned)),
        ],
    });
    writeln!(io::stdout(), "{:#}", EscapedJson(format_args!("{document:#}")))?;
    Ok(Exit::Done)
}

fn allow(actions: &[&str], resources: &[String]) -> Value {
    json!({"Effect": "Allow", "Action": actions, "Resource": resources})
}

/// In a policy, + and # are plain letters: what a filter receives is written with stars.
fn with_stars(filter: &str) -> String {
    let levels = filter.split('/').map(|level| if matches!(level, "+" | "#") { "*" } else { level });
    levels.collect::<Vec<_>>().join("/")
}
