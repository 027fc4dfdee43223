//! Hints for words that are not flags here: secrets that look like flags, flags of mosquitto's
//! tools, `help` and `version`.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue};

/// `dunlin help VERB` and `dunlin version` as the flags that do the same.
pub(super) fn spelled_out(mut line: Vec<OsString>) -> Vec<OsString> {
    match line.get(1).and_then(|word| word.to_str()) {
        Some("help") => {
            line.remove(1);
            line.push("--help".into());
        }
        Some("version") if line.len() == 2 => {
            line.remove(1);
            line.push("--version".into());
        }
        _ => {}
    }
    line
}

/// A flag for a secret, followed by a word that begins with `-`: it would be taken, and printed, as
/// flags.
pub(super) fn of_secret_like_a_flag(line: &[OsString]) -> Option<String> {
    line.windows(2).find_map(|words| {
        let (flag, value) = (words.first()?.to_str()?, words.get(1)?.to_str()?);
        (is_for_secret(flag) && value.len() > 1 && value.starts_with('-')).then(|| {
            format!(
                "{flag} needs a value; one that begins with \"-\" is written with \"=\": {flag}=..."
            )
        })
    })
}

/// What to say instead of clap's error; `None` if that is fine.
pub(super) fn of(error: &clap::Error, line: &[OsString]) -> Option<String> {
    let invalid = [ContextKind::InvalidArg, ContextKind::InvalidSubcommand]
        .into_iter()
        .find_map(|kind| match error.get(kind) {
            Some(ContextValue::String(text)) => Some(text.as_str()),
            _ => None,
        })?;
    // A word behind the value of a secret is the rest of a secret with a blank, and isn't printed.
    let at = line
        .iter()
        .position(|word| word.to_str() == Some(invalid))?;
    if let Some(flag) = at
        .checked_sub(2)
        .and_then(|at| line.get(at)?.to_str())
        .filter(|flag| is_for_secret(flag))
    {
        return Some(format!(
            "the value of {flag} has a blank in it: put it in quotes, {flag}=\"...\""
        ));
    }
    let (_, ours) = OF_MOSQUITTO.iter().find(|(theirs, _)| *theirs == invalid)?;
    Some(format!(
        "unexpected argument {invalid}; what mosquitto's tools call {invalid} is {ours} here"
    ))
}

/// Whether the value of a flag is secret, in either spelling.
fn is_for_secret(flag: &str) -> bool {
    let name = flag
        .strip_prefix("--")
        .unwrap_or_default()
        .replace('_', "-");
    [
        "auth-password",
        "auth-signature",
        "auth-token-key-value",
        "token",
    ]
    .contains(&name.as_str())
}

/// Flags of mosquitto_pub and mosquitto_sub, and ours.
const OF_MOSQUITTO: [(&str, &str); 14] = [
    ("-p", "--port"),
    ("-u", "--auth-username"),
    ("-P", "--auth-password"),
    ("--pw", "--auth-password"),
    ("--username", "--auth-username"),
    ("--host", "--endpoint"),
    ("--id", "--client-id"),
    ("--cafile", "--ca"),
    ("--keepalive", "--keep-alive"),
    ("--tls-alpn", "--alpn"),
    ("-C", "--count"),
    ("-d", "-v"),
    ("--debug", "-v"),
    ("-W", "--timeout"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn line(words: &str) -> Vec<OsString> {
        words.split(' ').map(OsString::from).collect()
    }

    fn refusal(words: &str) -> String {
        super::super::parse(line(words)).err().unwrap().to_string()
    }

    #[test]
    fn help_and_version_are_verbs_too() {
        assert_eq!(
            spelled_out(line("dunlin help bench")),
            line("dunlin bench --help")
        );
        assert_eq!(
            spelled_out(line("dunlin version")),
            line("dunlin --version")
        );
        assert_eq!(
            spelled_out(line("dunlin --topic help")),
            line("dunlin --topic help")
        );
    }

    #[test]
    fn a_secret_that_looks_like_a_flag_is_not_printed() {
        for words in [
            "dunlin --auth_password -canary",
            "dunlin --auth-password my canary",
            "dunlin signed --auth_signature --canary",
        ] {
            let text = refusal(words);
            assert!(!text.contains("canary"), "{text}");
            assert!(text.contains('='), "{text}");
        }
    }

    #[test]
    fn a_flag_of_mosquitto_is_answered_with_ours() {
        assert!(refusal("dunlin --cafile ca.pem").contains("is --ca here"));
        assert!(refusal("dunlin -p 8883").contains("is --port here"));
        assert!(refusal("dunlin -u me").contains("is --auth-username here"));
    }
}
