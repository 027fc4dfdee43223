//! Three examples for each verb, as its help shows them.

use clap::Command;

/// Words of a verb, and its examples: commands that a shell and this tool accept as they stand.
type ExampleRow = (&'static str, [&'static str; 3]);

/// Adds the examples to the help of `verb` and of all verbs below it; `words` are those that lead to
/// it, such as `bench pub`.
pub(super) fn add(verb: Command, words: &str) -> Command {
    let verb = match of(words) {
        Some(examples) => {
            // A verb may have a text of its own already, which comes first.
            let before = verb.get_after_help().map(ToString::to_string);
            let before = before.map_or_else(String::new, |text| format!("{text}\n\n"));
            verb.after_help(format!("{before}Examples:\n  {}", examples.join("\n  ")))
        }
        None => verb,
    };
    verb.mut_subcommands(|inner| {
        let words = format!("{words} {}", inner.get_name());
        add(inner, words.trim_start())
    })
}

/// Examples of the verb with these words; `None` for a verb that only groups others.
fn of(words: &str) -> Option<&'static [&'static str; 3]> {
    EXAMPLES
        .iter()
        .find(|(verb, _)| *verb == words)
        .map(|(_, examples)| examples)
}

const EXAMPLES: &[ExampleRow] = &[
    (
        "demo",
        ["dunlin demo", "dunlin demo -v", "dunlin demo --quiet"],
    ),
    (
        "sample",
        [
            "dunlin sample --endpoint sandbox --auth-username me --count 1",
            "dunlin sample --auth-password-file secret.txt",
            "dunlin sample --topic my/topic --message hello --count 0",
        ],
    ),
    (
        "unsigned",
        [
            "dunlin unsigned --endpoint sandbox --authorizer-name DemoUnsigned",
            "dunlin unsigned --auth-password-file secret.txt --count 1",
            "dunlin unsigned --client-id my-device --topic my/topic",
        ],
    ),
    (
        "signed",
        [
            "dunlin signed --endpoint sandbox --authorizer-name DemoSigned",
            "dunlin signed --auth-token-key-value-file token.txt",
            "dunlin signed --auth-signing-key private.pem --count 1",
        ],
    ),
    (
        "connect",
        [
            "dunlin connect -H mqtt://localhost",
            "dunlin connect -H mqtts://localhost --ca ca.pem --duration 1m",
            "dunlin connect -H sandbox --auth-username me --packets=full --json",
        ],
    ),
    (
        "doctor",
        [
            "dunlin doctor -H sandbox --auth-username demo",
            "dunlin doctor -H mqtts://localhost --ca ca.pem -t my/topic",
            "dunlin doctor -H localhost:8883 --all --json",
        ],
    ),
    (
        "pub",
        [
            "dunlin pub -H mqtt://localhost -t lamp/7 -m on -q 1 -r",
            "dunlin pub -H localhost -u me --password-file secret.txt -t log -l",
            "dunlin pub -H localhost -t t -m '{{now}}' --template --repeat 9 --interval 1s",
        ],
    ),
    (
        "sub",
        [
            "dunlin sub -H mqtt://localhost -t 'lamp/#' -F '%t %p'",
            "dunlin sub -H localhost -t 'a/#' -t 'b/#' -q 1 --json",
            "dunlin sub -H localhost -t 'config/#' --until-retained --output-dir config",
        ],
    ),
    (
        "request",
        [
            "dunlin request -H mqtt://localhost -t lamp/7/get -m state",
            "dunlin request -H localhost -t search -m lamps -C 3 -W 5s",
            "dunlin request -H localhost -t time -n --response-topic my/answers --json",
        ],
    ),
    (
        "respond",
        [
            "dunlin respond -H mqtt://localhost -t echo",
            "dunlin respond -H localhost -t 'lamp/+/get' -m on -q 1",
            "dunlin respond -H localhost -t time --exec 'date -u' --exec-timeout 2s",
        ],
    ),
    (
        "sandbox",
        [
            "dunlin sandbox --explain-decisions",
            "dunlin sandbox --lambda handler.py --port 8884",
            "dunlin sandbox --plain 1883 --anonymous --profile mqtt5",
        ],
    ),
    (
        "sandbox cert",
        [
            "dunlin sandbox cert lamp-7",
            "dunlin sandbox cert lamp-7 --state-dir state",
            "dunlin sandbox --client-certificates",
        ],
    ),
    (
        "bench connect",
        [
            "dunlin bench connect --endpoint mqtt://localhost:1883 --clients 1000",
            "dunlin bench connect --endpoint sandbox --connect-rate 100",
            "dunlin bench connect --endpoint mqtts://localhost --duration 1m --json",
        ],
    ),
    (
        "bench pub",
        [
            "dunlin bench pub --endpoint mqtt://localhost:1883 --rate 500",
            "dunlin bench pub --endpoint mqtt://localhost --clients 10 --size 1024",
            "dunlin bench pub --endpoint mqtt://localhost --duration 1m --json",
        ],
    ),
    (
        "bench sub",
        [
            "dunlin bench sub --endpoint mqtt://localhost:1883 --topic my/topic",
            "dunlin bench sub --endpoint mqtt://localhost --duration 1m",
            "dunlin bench sub --endpoint mqtt://localhost --count 10000 --json",
        ],
    ),
    (
        "bench pubsub",
        [
            "dunlin bench pubsub --endpoint mqtt://localhost:1883 --clients 10",
            "dunlin bench pubsub --endpoint mqtt://localhost --rate 1000 --qos 2",
            "dunlin bench pubsub --endpoint sandbox --count 10000 --json",
        ],
    ),
    (
        "bench request",
        [
            "dunlin bench request --endpoint mqtt://localhost:1883",
            "dunlin bench request --endpoint mqtt://localhost --in-flight 16",
            "dunlin bench request --endpoint mqtt://localhost --count 1000 --json",
        ],
    ),
    (
        "bench fleet",
        [
            "dunlin bench fleet --clients 1000",
            "dunlin bench fleet --clients 1000 --duration 5m --interval 30s",
            "dunlin bench fleet --endpoint mqtts://localhost:8883 --json",
        ],
    ),
    (
        "bench merge",
        [
            "dunlin bench merge a.json b.json",
            "dunlin bench merge a.json b.json --json",
            "dunlin bench pub --endpoint mqtt://localhost --json > a.json",
        ],
    ),
    (
        "auth username",
        [
            "dunlin auth username --authorizer-name MyAuth --auth-username me",
            "dunlin auth username --auth-token-key-value-file token.txt --redacted",
            "dunlin auth username --auth-signing-key private.pem",
        ],
    ),
    (
        "auth sign",
        [
            "dunlin auth sign --sandbox hello",
            "dunlin auth sign --key private.pem --token-file token.txt",
            "printf %s \"$TOKEN\" | dunlin auth sign --key private.pem -",
        ],
    ),
    (
        "auth verify",
        [
            "dunlin auth verify --auth-public-key token.pub.pem hello",
            "dunlin auth verify --auth-public-key k.pem --token-file token.txt",
            "dunlin auth verify --auth-public-key k.pem --auth-signature-file s.txt",
        ],
    ),
    (
        "auth keygen",
        [
            "dunlin auth keygen --out token.pem",
            "dunlin auth keygen --out keys/device.pem",
            "dunlin auth sign --key token.pem hello",
        ],
    ),
    (
        "auth policy",
        [
            "dunlin auth policy --client-id 'my-device-*' --topic 'my/#'",
            "dunlin auth policy --arns eu-west-1:123456789012",
            "dunlin auth policy --answer > answer.json",
        ],
    ),
    (
        "auth eval",
        [
            "dunlin auth eval --policy p.json --action publish --topic my/topic",
            "dunlin auth eval --policy p.json --action connect --client-id my-device",
            "dunlin auth eval --policy p.json --action subscribe --topic 'my/#' --json",
        ],
    ),
    (
        "auth lint",
        [
            "dunlin auth lint --policy policy.json",
            "dunlin auth lint --policy answer.json --client-id my-device",
            "dunlin auth policy | dunlin auth lint --policy - --json",
        ],
    ),
    (
        "inspect decode",
        [
            "dunlin inspect decode 30 04 00 01 61 00",
            "dunlin inspect decode --file packets.bin --raw --json",
            "dunlin inspect decode --base64 --from client MAQAAWEA",
        ],
    ),
    (
        "inspect proxy",
        [
            "dunlin inspect proxy --endpoint mqtts://localhost:8883 --ca ca.pem",
            "dunlin inspect proxy --endpoint sandbox --auth-username me --packets=full",
            "dunlin inspect proxy --listen 127.0.0.1:0 -H localhost --capture all.pcapng",
        ],
    ),
    (
        "inspect replay",
        [
            "dunlin inspect replay run.pcapng --endpoint mqtt://localhost --fast",
            "dunlin inspect replay run.pcapng -H localhost -u me --password-file p.txt",
            "dunlin inspect replay run.pcapng --endpoint sandbox --json",
        ],
    ),
    (
        "profile save",
        [
            "dunlin profile save local --endpoint localhost:8883 --ca ca.pem",
            "dunlin profile save prod --auth-password-file secret.txt",
            "dunlin profile save prod --keep-alive 60s --force",
        ],
    ),
    (
        "profile list",
        [
            "dunlin profile list",
            "dunlin --profile local --count 1",
            "dunlin bench pub --profile local",
        ],
    ),
    (
        "profile show",
        [
            "dunlin profile show local",
            "dunlin profile show local --effective",
            "dunlin profile show --effective --keep-alive 30s",
        ],
    ),
    (
        "profile check",
        [
            "dunlin profile check local",
            "dunlin profile check local --reconnect 0 -W 5s",
            "dunlin profile check --profile local --json",
        ],
    ),
    (
        "profile path",
        [
            "dunlin profile path local",
            "dunlin profile path",
            "cat \"$(dunlin profile path local)\"",
        ],
    ),
    (
        "explain",
        [
            "dunlin explain E-AUTH-DENIED",
            "dunlin explain suback 0x87",
            "dunlin explain MQTT-3.3.1-4",
        ],
    ),
    (
        "completions",
        [
            "dunlin completions bash > ~/.local/share/bash-completion/completions/dunlin",
            "dunlin completions fish > ~/.config/fish/completions/dunlin.fish",
            "dunlin completions zsh > ~/.zfunc/_dunlin # a folder of $fpath",
        ],
    ),
    (
        "man",
        [
            "dunlin man | man -l -",
            "dunlin man bench pub | man -l -",
            "dunlin man --output-dir ~/.local/share/man/man1",
        ],
    ),
    (
        "help",
        [
            "dunlin help bench pub",
            "dunlin help credentials",
            "dunlin help environment",
        ],
    ),
    (
        "version",
        ["dunlin version", "dunlin --version", "dunlin -V"],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::command;
    use crate::printed::check_command;

    /// Words of each verb that runs something, and its help.
    fn verbs(verb: &Command, words: &str, found: &mut Vec<(String, String)>) {
        for inner in verb.get_subcommands().filter(|inner| !inner.is_hide_set()) {
            let words = format!("{words} {}", inner.get_name());
            let words = words.trim_start();
            // The sandbox runs without its subcommand, too.
            if !inner.is_subcommand_required_set() {
                let page = inner.clone().render_long_help().to_string();
                found.push((words.to_owned(), page));
            }
            verbs(inner, words, found);
        }
    }

    #[test]
    fn every_verb_shows_its_examples() {
        let mut found = Vec::new();
        verbs(&command(), "", &mut found);
        for (words, page) in &found {
            let examples = of(words).unwrap_or_else(|| panic!("no examples for {words}"));
            for example in examples {
                assert!(page.contains(example), "{example}\n{page}");
            }
            assert!(
                examples[0].contains(&format!("dunlin {words}")),
                "{words}: {}",
                examples[0]
            );
        }
        assert_eq!(EXAMPLES.len(), found.len(), "an example without a verb");
    }

    #[test]
    fn every_example_is_accepted_by_the_shell_and_by_the_tool() {
        for example in EXAMPLES.iter().flat_map(|(_, examples)| examples) {
            check_command(example);
            assert!(example.len() <= 78, "{example}");
            // The part of a pipeline that runs this tool, up to a redirection.
            for part in example.split('|').map(str::trim) {
                let command = part.split(" > ").next().unwrap_or_default();
                let command = command.split(" # ").next().unwrap_or_default();
                let words = shlex::split(command).unwrap();
                if words.first().is_some_and(|word| word == "dunlin") {
                    let outcome = crate::args::parse(words.into_iter().map(Into::into));
                    let accepts = outcome
                        .as_ref()
                        .err()
                        .is_none_or(|error| !error.use_stderr());
                    assert!(accepts, "{example}: {}", outcome.err().unwrap());
                }
            }
        }
    }
}
