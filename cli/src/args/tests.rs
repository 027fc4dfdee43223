//! The tree of verbs and flags: spellings, prefixes, sources.

use clap::Command;

use super::*;

/// The eleven flags of the Python scripts, as they spell them.
const OF_THE_SAMPLE: [(&str, &str); 11] = [
    ("endpoint", "localhost"),
    ("authorizer_name", "A"),
    ("auth_username", "u"),
    ("auth_password", "p"),
    ("auth_signature", "s"),
    ("auth_token_key_name", "k"),
    ("auth_token_key_value", "v"),
    ("client_id", "mqtt5-sample-1"),
    ("topic", "test/topic"),
    ("message", "hi"),
    ("count", "2"),
];

fn parse_words(words: &[&str]) -> Result<Typed, clap::Error> {
    parse(
        std::iter::once("dunlin")
            .chain(words.iter().copied())
            .map(OsString::from),
    )
}

fn every_verb(command: &Command) -> Vec<Command> {
    let mut verbs = vec![command.clone()];
    verbs.extend(command.get_subcommands().flat_map(every_verb));
    verbs
}

#[test]
fn the_tree_of_arguments_is_valid() {
    command().debug_assert();
}

#[test]
fn every_flag_of_every_verb_has_both_spellings() {
    for verb in every_verb(&command()) {
        for flag in verb
            .get_arguments()
            .filter(|arg| arg.get_long().is_some_and(|long| long.contains('-')))
        {
            let twin = flag.get_long().unwrap().replace('-', "_");
            let aliases = flag.get_all_aliases().unwrap_or_default();
            assert!(
                aliases.contains(&twin.as_str()),
                "{} --{twin}",
                verb.get_name()
            );
        }
    }
}

#[test]
fn the_flags_of_the_sample_are_taken_in_both_spellings_with_every_verb_that_plays_it() {
    for (flag, value) in OF_THE_SAMPLE {
        // Both ways to attach a value, with each verb that runs the sample.
        for verb in [&[][..], &["sample"], &["unsigned"], &["signed"]] {
            for flag in [format!("--{flag}"), format!("--{}", flag.replace('_', "-"))] {
                for words in [vec![flag.as_str(), value], vec![&format!("{flag}={value}")]] {
                    let line = [verb, words.as_slice()].concat();
                    assert!(parse_words(&line).is_ok(), "{line:?}");
                }
            }
        }
    }
}

#[test]
fn a_prefix_is_enough_where_it_is_unambiguous_as_in_argparse() {
    let typed = parse_words(&[
        "--end",
        "localhost",
        "--auth_u",
        "u",
        "--autho",
        "A",
        "--top=t",
    ])
    .unwrap()
    .line
    .sample;
    assert_eq!(typed.endpoint.endpoint.as_deref(), Some("localhost"));
    assert_eq!(typed.authorizer.auth_username.as_deref(), Some("u"));
    assert_eq!(typed.authorizer.authorizer_name.as_deref(), Some("A"));
    assert_eq!(typed.message.topic, "t");
    // Two flags here begin so: argparse has one, and the help names the difference.
    assert!(parse_words(&["--auth_p", "p"]).is_err());
}

#[test]
fn the_last_of_a_repeated_flag_counts_with_every_verb() {
    for verb in [&[][..], &["signed"]] {
        let typed = parse_words(&[verb, &["--topic", "a", "--topic", "b"]].concat()).unwrap();
        let sample = match typed.line.verb {
            Some(Verb::Signed(sample)) => sample,
            _ => typed.line.sample,
        };
        assert_eq!(sample.message.topic, "b");
    }
}

#[test]
fn a_source_is_found_below_every_verb() {
    for line in [
        &["--auth_password", "p"][..],
        &["unsigned", "--auth-password=p"],
        &["auth", "sign", "--sandbox", "x"],
    ] {
        let sources = parse_words(line).unwrap().sources;
        assert_eq!(
            sources.on_command_line("auth_password"),
            line[0] != "auth",
            "{line:?}"
        );
        assert!(!sources.on_command_line("auth_signature"));
        assert!(!sources.on_command_line("no_such_flag"));
    }
}

#[test]
fn no_page_of_help_shows_the_value_of_a_variable() {
    for verb in every_verb(&command()) {
        for flag in verb.get_arguments().filter(|arg| arg.get_env().is_some()) {
            assert!(
                flag.is_hide_env_values_set() && flag.is_hide_env_set(),
                "{} {}",
                verb.get_name(),
                flag.get_id()
            );
            // The long page names the variable, so that it can be found.
            let variable = flag.get_env().unwrap().to_string_lossy();
            assert!(
                flag.get_long_help()
                    .unwrap()
                    .to_string()
                    .contains(&*variable),
                "{variable}"
            );
        }
    }
}

#[test]
fn every_short_page_fits_on_a_small_screen() {
    for mut verb in every_verb(&help::without_list(command())) {
        let page = verb.render_help().to_string();
        assert!(page.lines().count() <= 40, "{page}");
    }
}
