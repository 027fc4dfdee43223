//! Hints in place of clap's errors: secrets that look like flags, negative numbers, flags of
//! mosquitto's tools.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue};

/// Hint about a command line that clap would misread, or whose error would print a secret; `None`
/// if there is nothing to say.
pub(super) fn before_parsing(line: &[OsString]) -> Option<String> {
    line.windows(2).find_map(|words| {
        // A word that is not UTF-8 is no flag, and clap explains it.
        let (flag, value) = (words.first()?.to_str()?, words.get(1)?.to_str()?);
        // A secret that begins with "-" would be read, and printed, as flags.
        if is_for_secret(flag) && value.len() > 1 && value.starts_with('-') {
            return Some(format!(
                "{flag} needs a value; one that begins with \"-\" is written with \"=\": {flag}=..."
            ));
        }
        // mosquitto's tools take the host with -h and the version of the protocol with -V.
        let has_value = !value.starts_with('-') && value.contains(['.', ':', 'm', 'l']);
        match flag {
            "-h" if has_value => Some(
                "-h prints the help here; what mosquitto's tools call -h is --endpoint".to_owned(),
            ),
            "-V" if has_value => {
                Some("-V prints the version here; the protocol is always MQTT 5".to_owned())
            }
            _ => None,
        }
    })
}

/// Hint in place of clap's error; `None` if clap's own text is fine.
pub(super) fn of(error: &clap::Error, line: &[OsString]) -> Option<String> {
    // The word that clap does not know: a flag, or a verb.
    let invalid = [ContextKind::InvalidArg, ContextKind::InvalidSubcommand]
        .into_iter()
        .find_map(|kind| match error.get(kind) {
            Some(ContextValue::String(text)) => Some(text.as_str()),
            _ => None,
        })?;
    // Words that are not UTF-8 keep their place, so that indexes stay those of the line.
    let words: Vec<&str> = line
        .iter()
        .map(|word| word.to_str().unwrap_or_default())
        .collect();
    // clap names a flag without its value, and a group of short flags by its first one.
    let at = words.iter().position(|word| {
        let is_attached = |rest: &str| rest.starts_with('=') || !invalid.starts_with("--");
        word.strip_prefix(invalid)
            .is_some_and(|rest| rest.is_empty() || (invalid.starts_with('-') && is_attached(rest)))
    })?;
    let before = at.checked_sub(1).and_then(|at| words.get(at));
    // Secrets first: their hints repeat no word, and later hints may.
    rest_of_secret(&words, at)
        .or_else(|| token_like_a_flag(error, &words, invalid))
        .or_else(|| negative_value(words.get(at)?, before))
        .or_else(|| of_mosquitto(invalid))
}

/// A word after the value of a secret is the rest of a secret with a blank, and isn't printed.
fn rest_of_secret(words: &[&str], at: usize) -> Option<String> {
    // Either `--flag=VALUE rest`, where the flag is one word before, or `--flag VALUE rest`, where
    // it is two words before.
    let attached = at
        .checked_sub(1)
        .and_then(|at| words.get(at)?.split_once('='));
    let apart = at.checked_sub(2).and_then(|at| words.get(at).copied());
    let flag = attached
        .map(|(flag, _)| flag)
        .filter(|flag| is_for_secret(flag))
        .or_else(|| apart.filter(|flag| is_for_secret(flag)))?;
    Some(format!(
        "the value of {flag} has a blank in it: put it in quotes, {flag}=\"...\""
    ))
}

/// An unknown flag of `auth sign` and `auth verify` may be a token, which isn't printed.
fn token_like_a_flag(error: &clap::Error, words: &[&str], invalid: &str) -> Option<String> {
    // Only these verbs take a token as a word without a flag.
    let takes_token = matches!(words.get(1..3), Some(["auth", "sign" | "verify"]));
    // With a similar flag it is a slip of the keyboard, unless it is only similar to --token.
    let is_slip = matches!(
        error.get(ContextKind::SuggestedArg),
        Some(ContextValue::String(flag)) if flag != "--token"
    );
    (takes_token && !is_slip && invalid.len() > 1).then(|| {
        "unknown flag; a token that begins with \"-\" is written with \"=\": --token=...".to_owned()
    })
}

/// A number below zero after a flag.
fn negative_value(word: &str, before: Option<&&str>) -> Option<String> {
    // A short flag such as -p8883 has a letter after the dash and is no number.
    let is_number = word
        .strip_prefix('-')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == '.'));
    let flag = before.filter(|flag| flag.starts_with('-'))?;
    is_number.then(|| format!("the value of {flag} can't be negative: {word}"))
}

/// A flag of mosquitto's tools.
fn of_mosquitto(invalid: &str) -> Option<String> {
    // A counterpart is named first; a flag without one is told why there is none.
    let ours = OF_MOSQUITTO.iter().find(|(theirs, _)| *theirs == invalid);
    let missing = NOT_HERE.iter().find(|(theirs, _)| *theirs == invalid);
    ours.map(|(_, ours)| {
        format!(
            "unexpected argument {invalid}; what mosquitto's tools call {invalid} is {ours} here"
        )
    })
    .or_else(|| missing.map(|(_, why)| format!("unexpected argument {invalid}; {why}")))
}

/// True if the value of `flag` is a secret, in either spelling of the flag.
fn is_for_secret(flag: &str) -> bool {
    // Python spells its flags with underscores; both spellings are accepted everywhere.
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

/// Flags of mosquitto_pub and mosquitto_sub, and the same flags here.
const OF_MOSQUITTO: [(&str, &str); 26] = [
    ("-p", "--port"),
    ("-u", "--auth-username"),
    ("-P", "--auth-password"),
    ("--pw", "--auth-password"),
    ("--username", "--auth-username"),
    ("--host", "--endpoint"),
    ("--id", "--client-id"),
    ("-I", "--client-id"),
    ("--id-prefix", "--client-id"),
    ("-L", "--endpoint with --topic"),
    ("--url", "--endpoint with --topic"),
    ("--cafile", "--ca"),
    ("--capath", "--ca"),
    ("--keepalive", "--keep-alive"),
    ("--tls-alpn", "--alpn"),
    ("-C", "--count"),
    ("--repeat", "--count"),
    ("--repeat-delay", "--interval"),
    ("-d", "-v"),
    ("--debug", "-v"),
    ("-W", "--timeout"),
    ("-M", "--in-flight of dunlin bench"),
    ("--max-inflight", "--in-flight of dunlin bench"),
    ("-q", "--qos of dunlin bench"),
    ("--qos", "--qos of dunlin bench"),
    ("-A", "--connect-to"),
];

/// Flags of mosquitto_pub and mosquitto_sub that have no counterpart here.
const NOT_HERE: [(&str, &str); 16] = [
    (
        "--insecure",
        "the certificate is always checked; --ca names the authority to trust",
    ),
    ("--protocol-version", "the protocol is always MQTT 5"),
    ("--tls-version", "TLS 1.2 and 1.3 are always offered"),
    ("--psk", "TLS with a pre-shared key is not supported"),
    ("--ws", "MQTT over WebSocket is not supported"),
    ("-c", "a run always begins with a new session"),
    (
        "--disable-clean-session",
        "a run always begins with a new session",
    ),
    ("-x", "a run always ends its session"),
    ("--session-expiry-interval", "a run always ends its session"),
    ("-r", "the sample publishes no retained messages"),
    ("--retain", "the sample publishes no retained messages"),
    ("-f", "the payload comes from --message"),
    ("--file", "the payload comes from --message"),
    ("-l", "the payload comes from --message"),
    ("-s", "the payload comes from --message"),
    ("--will-topic", "the sample has no will"),
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
    fn a_secret_that_looks_like_a_flag_is_not_printed() {
        for words in [
            "dunlin --auth_password -canary",
            "dunlin --auth-password my canary",
            "dunlin signed --auth_signature --canary",
            "dunlin --auth-password=my canary",
            "dunlin unsigned --auth-password my canary",
            "dunlin bench pub --auth-password=my canary",
            "dunlin auth sign --sandbox --canary",
            "dunlin auth verify -canary",
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
        assert!(refusal("dunlin --cafile=ca.pem").contains("is --ca here"));
        assert!(refusal("dunlin -p8883").contains("is --port here"));
        assert!(refusal("dunlin -L mqtt://h/t").contains("is --endpoint with --topic here"));
        assert!(refusal("dunlin -h host.example -t a").contains("-h is --endpoint"));
        assert!(refusal("dunlin -V mqttv5").contains("always MQTT 5"));
        assert!(refusal("dunlin --retain").contains("no retained messages"));
    }

    #[test]
    fn a_negative_number_is_called_that() {
        for words in [
            "dunlin bench pub --rate -5",
            "dunlin sandbox --time-scale -1",
            "dunlin --timeout -5s",
            "dunlin --keep-alive -1",
            "dunlin bench pub --count -5",
            "dunlin bench pub --drain -0.5",
        ] {
            let text = refusal(words);
            assert!(!text.contains("unexpected argument"), "{text}");
            let flag = words.split(' ').rev().nth(1).unwrap();
            assert!(text.contains(flag), "{text}");
        }
        assert!(refusal("dunlin --timeout -5s").contains("can't be negative: -5s"));
    }
}
