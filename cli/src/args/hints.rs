//! Hints in place of clap's errors: secrets that look like flags, negative numbers, flags of
//! mosquitto's tools.

use std::ffi::{OsStr, OsString};

use clap::error::{ContextKind, ContextValue};

/// Removes `-V 5` and `-V mqttv5`, which name the protocol that is always spoken.
///
/// A bare `-V` asks for the version, and other values are left for [`before_parsing`].
pub(super) fn without_protocol(line: Vec<OsString>) -> Vec<OsString> {
    let mut out: Vec<OsString> = Vec::with_capacity(line.len());
    let mut words = line.into_iter().peekable();
    while let Some(word) = words.next() {
        let is_value = out.last().is_some_and(|before| takes_any_text(before));
        let text = word.to_str().filter(|_| !is_value).unwrap_or_default();
        let attached = text
            .strip_prefix("-V")
            .or_else(|| text.strip_prefix("--protocol-version="));
        match attached {
            Some(value) if is_mqtt_5(value) => continue,
            Some("")
                if words
                    .peek()
                    .and_then(|next| next.to_str())
                    .is_some_and(is_mqtt_5) =>
            {
                words.next();
                continue;
            }
            _ => {}
        }
        let is_protocol = text == "--protocol-version";
        if is_protocol
            && words
                .peek()
                .and_then(|next| next.to_str())
                .is_some_and(is_mqtt_5)
        {
            words.next();
            continue;
        }
        out.push(word);
    }
    out
}

/// True for the names of MQTT 5 in mosquitto's tools.
fn is_mqtt_5(value: &str) -> bool {
    matches!(value, "5" | "mqttv5")
}

/// True for a flag whose value may begin with a dash.
fn takes_any_text(flag: &OsStr) -> bool {
    flag == "-m" || flag == "--message" || flag == "--will-message" || flag == "--will-payload"
}

/// Hint about a command line that clap would misread, or whose error would print a secret; `None`
/// if there is nothing to say.
pub(super) fn before_parsing(line: &[OsString]) -> Option<String> {
    // `dunlin -h pub` asks for the help of a verb.
    let is_help = line.len() == 3 && line.get(1).is_some_and(|word| word == "-h");
    let mut before: Option<&OsStr> = None;
    for (index, word) in line.iter().enumerate() {
        let is_value = before.replace(word).is_some_and(takes_any_text);
        if is_value {
            // A payload may be spelt like a flag, and takes no value.
            before = None;
        }
        // A word that is not UTF-8 is no flag, and clap explains it.
        let Some(flag) = word.to_str().filter(|_| !is_value) else {
            continue;
        };
        let value = line.get(index + 1).and_then(|value| value.to_str());
        // A secret that begins with "-" would be read, and printed, as flags.
        if let Some(value) = value
            && is_for_secret(flag)
            && value.len() > 1
            && value.starts_with('-')
        {
            return Some(if flag == "-P" {
                "-P needs a value; one that begins with \"-\" is written with \"=\": --password=..."
                    .to_owned()
            } else {
                format!(
                    "{flag} needs a value; one that begins with \"-\" is written with \"=\": {flag}=..."
                )
            });
        }
        // mosquitto's tools take the host with -h and the version of the protocol with -V. As help
        // and version they would end with exit code 0, and a script would lose its messages.
        let separate = value.filter(|value| !value.starts_with('-') && !value.is_empty());
        let attached = flag.get(2..).filter(|rest| !rest.is_empty());
        match (flag.get(..2), attached, separate) {
            (Some("-h"), Some(_), _) | (Some("-h"), None, Some(_)) if !is_help => {
                return Some("host is -H here: -h alone prints the help".to_owned());
            }
            (Some("-V"), Some(_), _) | (Some("-V"), None, Some(_)) => {
                return Some(ONLY_MQTT_5.to_owned());
            }
            _ if flag.starts_with("--protocol-version") => return Some(ONLY_MQTT_5.to_owned()),
            _ => {}
        }
    }
    None
}

/// Hint about another version of the protocol.
const ONLY_MQTT_5: &str = "the protocol is always MQTT 5 (-V 5): MQTT 3.1 and 3.1.1 can't be spoken; \
                           -V alone prints the version of dunlin";

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
    let is_invalid = |word: &str| {
        let is_attached = |rest: &str| rest.starts_with('=') || !invalid.starts_with("--");
        word.strip_prefix(invalid)
            .is_some_and(|rest| rest.is_empty() || (invalid.starts_with('-') && is_attached(rest)))
    };
    let at = words.iter().position(|word| is_invalid(word))?;
    let before = at.checked_sub(1).and_then(|at| words.get(at));
    // Secrets first: their hints repeat no word, and later hints may. The same word may stand twice, as
    // the beginning of a secret and as its rest.
    (at..words.len())
        .filter(|at| words.get(*at).is_some_and(|word| is_invalid(word)))
        .find_map(|at| rest_of_secret(&words, at))
        .or_else(|| token_like_a_flag(error, &words, invalid))
        .or_else(|| negative_value(words.get(at)?, before))
        .or_else(|| of_mosquitto(invalid, words.get(1).copied()))
}

/// A word after the value of a secret is the rest of a secret with a blank, and isn't printed.
fn rest_of_secret(words: &[&str], at: usize) -> Option<String> {
    // Either `--flag=VALUE rest` or `-PVALUE rest`, where the flag is one word before, or `--flag VALUE
    // rest`, where it is two words before.
    let attached = at.checked_sub(1).and_then(|at| {
        let word = words.get(at)?;
        match short_password(word) {
            Some(value) => (!value.is_empty()).then_some("-P"),
            None => word.split_once('=').map(|(flag, _)| flag),
        }
    });
    let apart = at.checked_sub(2).and_then(|at| {
        let word = words.get(at).copied()?;
        let is_short = short_password(word).is_some_and(str::is_empty);
        Some(if is_short { "-P" } else { word })
    });
    let flag = attached
        .filter(|flag| is_for_secret(flag))
        .or_else(|| apart.filter(|flag| is_for_secret(flag)))?;
    // The word may also be a flag that this verb doesn't have; with a secret it may look the same.
    Some(match words.get(at) {
        Some(word) if word.starts_with('-') => format!(
            "unknown flag after the value of {flag}; a value with a blank in it is put in quotes: {flag}=\"...\""
        ),
        _ => format!("the value of {flag} has a blank in it: put it in quotes, {flag}=\"...\""),
    })
}

/// Text after the `P` of `-P` and of a group such as `-rP`; `None` for another word.
fn short_password(word: &str) -> Option<&str> {
    // Short flags without a value, which may stand before it.
    let without_value = ['r', 'n', 's', 'l', 'v', 'E', '4', '6'];
    word.strip_prefix('-')?
        .trim_start_matches(without_value)
        .strip_prefix('P')
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

/// A flag of mosquitto's tools, with the verb it was given to.
fn of_mosquitto(invalid: &str, verb: Option<&str>) -> Option<String> {
    // The verbs for any server have more counterparts than the sample.
    let is_any_server = verb.is_some_and(|verb| ANY_SERVER.contains(&verb));
    let (ours, missing) = if is_any_server {
        (
            &OF_MOSQUITTO_FOR_ANY_SERVER[..],
            &NOT_HERE_FOR_ANY_SERVER[..],
        )
    } else {
        (&OF_MOSQUITTO[..], &NOT_HERE[..])
    };
    // A counterpart is named first; a flag without one is told why there is none.
    let ours = ours.iter().find(|(theirs, _)| *theirs == invalid);
    let missing = missing.iter().find(|(theirs, _)| *theirs == invalid);
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
    flag == "-P"
        || [
            "auth-password",
            "auth-signature",
            "auth-token-key-value",
            "password",
            "pw",
            "token",
            "ws-header",
        ]
        .contains(&name.as_str())
}

/// Flags of mosquitto_pub and mosquitto_sub, and the same flags here.
const OF_MOSQUITTO: [(&str, &str); 19] = [
    ("-u", "--auth-username"),
    ("-P", "--auth-password"),
    ("--pw", "--auth-password"),
    ("--username", "--auth-username"),
    ("--id", "--client-id"),
    ("-I", "--client-id"),
    ("--id-prefix", "--client-id"),
    ("-L", "--endpoint with --topic"),
    ("--url", "--endpoint with --topic"),
    ("--keepalive", "--keep-alive"),
    ("-C", "--count"),
    ("--repeat", "--count"),
    ("--repeat-delay", "--interval"),
    ("-d", "-v"),
    ("--debug", "-v"),
    ("-M", "--in-flight of dunlin bench"),
    ("--max-inflight", "--in-flight of dunlin bench"),
    ("-q", "--qos of dunlin bench"),
    ("--qos", "--qos of dunlin bench"),
];

/// Verbs for any MQTT 5 server.
const ANY_SERVER: [&str; 7] = [
    "connect",
    "pub",
    "publish",
    "sub",
    "subscribe",
    "request",
    "respond",
];

/// Flags of mosquitto's tools that are called otherwise in the verbs for any server.
const OF_MOSQUITTO_FOR_ANY_SERVER: [(&str, &str); 13] = [
    ("--unix", "-H unix:PATH"),
    ("-I", "--client-id"),
    ("--id-prefix", "--client-id"),
    ("-L", "--endpoint with --topic"),
    ("--url", "--endpoint with --topic"),
    ("-d", "-v or --packets"),
    ("--debug", "-v or --packets"),
    ("-c", "--clean-start false --session-expiry never"),
    (
        "--disable-clean-session",
        "--clean-start false --session-expiry never",
    ),
    ("-x", "--session-expiry"),
    (
        "-D",
        "--user-property, --content-type, --expiry, --response-topic, --correlation and the like",
    ),
    (
        "--property",
        "--user-property, --content-type, --expiry, --response-topic, --correlation and the like",
    ),
    ("--retained-only", "--until-retained"),
];

/// Flags of mosquitto's tools that have no counterpart in the verbs for any server.
const NOT_HERE_FOR_ANY_SERVER: [(&str, &str); 12] = [
    ("--capath", "--ca takes one file with all certificates"),
    (
        "--tls-version",
        "TLS 1.2 and 1.3 are offered, with --tls-min 1.3 only the latter",
    ),
    ("--ciphers", "the ciphers can't be chosen"),
    ("--keyform", "keys are PEM files"),
    ("--psk", "TLS with a pre-shared key is not supported"),
    (
        "--psk-identity",
        "TLS with a pre-shared key is not supported",
    ),
    (
        "--ws",
        "WebSocket is a URL, -H ws://HOST/PATH, or --transport ws",
    ),
    ("--nodelay", "TCP_NODELAY is always on"),
    (
        "-U",
        "a session begins without subscriptions; --clean-start ends the old ones",
    ),
    (
        "--remove-retained",
        "an empty retained message removes one: dunlin pub -n -r -t TOPIC",
    ),
    ("--random-filter", "all messages are printed"),
    ("--pretty", "JSON is one line a message; jq formats it"),
];

/// Flags of mosquitto_pub and mosquitto_sub that have no counterpart in the sample.
const NOT_HERE: [(&str, &str); 15] = [
    ("--capath", "--ca takes one file with all certificates"),
    (
        "--tls-version",
        "TLS 1.2 and 1.3 are offered, with --tls-min 1.3 only the latter",
    ),
    ("--psk", "TLS with a pre-shared key is not supported"),
    (
        "--ws",
        "WebSocket is a URL, --endpoint wss://HOST/PATH, or --transport wss",
    ),
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
            "dunlin pub -P -canary",
            "dunlin sub --password -canary",
            "dunlin pub -Pmy canary",
            "dunlin pub -rP my canary",
            "dunlin pub -P canary canary",
        ] {
            let text = refusal(words);
            assert!(!text.contains("canary"), "{text}");
            assert!(text.contains('='), "{text}");
        }
    }

    #[test]
    fn an_unknown_flag_after_a_secret_is_told_from_the_rest_of_a_secret() {
        let text = refusal("dunlin pub --password canary --unknown x");
        assert!(
            text.contains("unknown flag after the value of --password"),
            "{text}"
        );
        assert!(
            !text.contains("canary") && !text.contains("--unknown"),
            "{text}"
        );
        let text = refusal("dunlin pub --password my canary");
        assert!(text.contains("has a blank in it"), "{text}");
    }

    #[test]
    fn a_flag_of_mosquitto_is_answered_with_ours() {
        assert!(refusal("dunlin -u me").contains("is --auth-username here"));
        assert!(refusal("dunlin --username=me").contains("is --auth-username here"));
        assert!(refusal("dunlin -ume").contains("is --auth-username here"));
        assert!(refusal("dunlin -L mqtt://h/t").contains("is --endpoint with --topic here"));
        assert!(refusal("dunlin --retain").contains("no retained messages"));
    }

    #[test]
    fn a_flag_of_mosquitto_is_answered_for_the_verb_it_is_given_to() {
        assert!(refusal("dunlin sub -H h -t t -c").contains("is --clean-start false"));
        assert!(refusal("dunlin pub -H h -t t -n -D publish x").contains("--user-property"));
        assert!(refusal("dunlin sub -H h -t t --tls-version tlsv1.3").contains("--tls-min 1.3"));
    }

    #[test]
    fn a_host_after_the_flag_for_help_is_no_request_for_help() {
        for words in [
            "dunlin pub -h localhost -t x -m y",
            "dunlin sub -t x -h localhost",
            "dunlin pub -hlocalhost -t x -m y",
            "dunlin -h broker -t x",
        ] {
            assert!(refusal(words).contains("host is -H"), "{words}");
        }
        // Alone, or as a payload, the flag keeps its meaning.
        for words in [
            "dunlin -h",
            "dunlin -h pub",
            "dunlin pub -h",
            "dunlin pub -m -h x",
        ] {
            assert!(before_parsing(&line(words)).is_none(), "{words}");
        }
    }

    #[test]
    fn mqtt_5_is_accepted_as_the_protocol_and_nothing_else() {
        for words in [
            "dunlin pub -V 5 -n",
            "dunlin pub -V mqttv5 -n",
            "dunlin pub -V5 -n",
            "dunlin pub --protocol-version 5 -n",
            "dunlin pub --protocol-version=mqttv5 -n",
        ] {
            assert_eq!(
                without_protocol(line(words)),
                line("dunlin pub -n"),
                "{words}"
            );
        }
        for words in [
            "dunlin pub -V 31 -n",
            "dunlin pub -V mqttv311 -n",
            "dunlin pub -V311 -n",
            "dunlin pub --protocol-version 3 -n",
        ] {
            assert!(refusal(words).contains("always MQTT 5"), "{words}");
        }
        assert!(before_parsing(&line("dunlin -V")).is_none());
    }

    #[test]
    fn a_negative_number_is_reported_as_negative() {
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
