//! `dunlin completions`: a script that makes a shell complete verbs, flags and values.

use std::io::{self, Write};

use crate::args::{self, CompletionsArgs};
use crate::exit::Exit;
use crate::failure::Failure;

/// Prints the script for one shell.
///
/// # Errors
/// [`Failure::Local`] if standard output can't be written.
pub(crate) fn print(typed: &CompletionsArgs) -> Result<Exit, Failure> {
    // Generated in memory: the generator panics where its writer fails, and a pipe may be closed.
    let mut script = Vec::new();
    let mut command = args::command();
    let name = command.get_name().to_owned();
    clap_complete::generate(typed.shell, &mut command, name, &mut script);
    let mut out = io::stdout().lock();
    out.write_all(&script)?;
    out.flush()?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use clap::{Command, ValueEnum};
    use clap_complete::Shell;

    use super::*;

    fn script(shell: Shell) -> String {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut args::command(), "dunlin", &mut script);
        String::from_utf8(script).unwrap()
    }

    /// Every verb that isn't hidden, with the words that lead to it.
    fn verbs(verb: &Command, words: &[&str], found: &mut Vec<(Vec<String>, Command)>) {
        for inner in verb.get_subcommands().filter(|inner| !inner.is_hide_set()) {
            let words = [words, &[inner.get_name()]].concat();
            found.push((
                words.iter().map(|word| (*word).to_owned()).collect(),
                inner.clone(),
            ));
            verbs(inner, &words, found);
        }
    }

    fn flags(verb: &Command) -> impl Iterator<Item = &str> {
        verb.get_arguments()
            .filter(|flag| !flag.is_hide_set())
            .filter_map(|flag| flag.get_long())
    }

    #[test]
    fn every_script_has_every_verb_and_every_flag() {
        let mut found = vec![(Vec::new(), args::command())];
        verbs(&args::command(), &[], &mut found);
        for shell in Shell::value_variants() {
            let script = script(*shell);
            for (words, verb) in &found {
                assert!(
                    words
                        .last()
                        .is_none_or(|word| script.contains(word.as_str())),
                    "{shell}: {words:?}"
                );
                for flag in flags(verb) {
                    // fish takes the names of flags without dashes.
                    let written = match shell {
                        Shell::Fish => format!("-l {flag} "),
                        _ => format!("--{flag}"),
                    };
                    // At the end of a line fish has no blank.
                    let script = script.replace('\n', " ");
                    assert!(script.contains(&written), "{shell}: {words:?} {written}");
                }
            }
        }
    }

    #[test]
    fn bash_completes_the_flags_of_each_verb() {
        let script = script(Shell::Bash);
        let mut found = Vec::new();
        verbs(&args::command(), &[], &mut found);
        for (words, verb) in &found {
            // One case for each verb, whose first line is all that may follow.
            let case = format!("\n        dunlin__subcmd__{})\n", words.join("__subcmd__"));
            let (_, rest) = script
                .split_once(&case)
                .unwrap_or_else(|| panic!("{case} is missing"));
            let offered = rest.lines().next().unwrap_or_default();
            for flag in flags(verb) {
                assert!(offered.contains(&format!("--{flag}")), "{words:?} --{flag}");
            }
            // The spellings of the Python sample are accepted, and not offered.
            assert!(!offered.contains("auth_password"), "{words:?}");
        }
    }
}
