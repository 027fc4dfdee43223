//! Help pages: the texts that clap can't take from the flags.

use clap::Command;

use crate::args::connection::{OF_SIGNING, OF_TOKEN};
use crate::args::examples;
use crate::diagnosis::Id;
use crate::exit::Exit;
use crate::wrap::wrap;

pub(crate) const ABOUT: &str =
    "The AWS IoT custom-authorizer sample, and a tool to debug MQTT 5 connections";

pub(crate) const LONG_ABOUT: &str = "\
The AWS IoT custom-authorizer sample, and a tool to debug MQTT 5 connections.

Without a verb it is a drop-in for mqtt5_custom_auth_unsigned.py and mqtt5_custom_auth_signed.py: the same flags in both \
spellings (--auth_username, --auth-username), unambiguous prefixes (--auth_user), and the same lines on standard output. \
Everything else goes to standard error. The run is a signed one exactly when a signature or a signing key is given. A signature needs the token's key name and \
value; a key name needs a value.";

const USAGE_UNSIGNED: &str = "dunlin unsigned --endpoint HOST --authorizer-name NAME
           --auth-username NAME --auth-password PASSWORD [OPTIONS]";

const USAGE_SIGNED: &str = "dunlin signed --endpoint HOST --authorizer-name NAME
           --auth-token-key-name NAME --auth-token-key-value TOKEN
           --auth-signature BASE64 [OPTIONS]";

const REQUIRED_UNSIGNED: &str = "\
Required: --endpoint, --authorizer-name, --auth-username, and --auth-password or --auth-password-file; an environment \
variable will do as well.";

const REQUIRED_SIGNED: &str = "\
Required: --endpoint, --authorizer-name, --auth-token-key-name, --auth-token-key-value, and --auth-signature or \
--auth-signing-key; a *-file flag or an environment variable will do as well.";

const EXAMPLES: &str = "\
Examples:
  dunlin demo
  dunlin --endpoint HOST --authorizer-name A --auth-username U --auth-password P
  dunlin signed --endpoint HOST --authorizer-name A --auth-token-key-name K \\
    --auth-token-key-value \"$TOKEN\" --auth-signature \"$SIGNATURE\"";

/// Verbs of the tool by their subject; each verb that isn't hidden is in one group.
const GROUPS: &[(&str, &[&str])] = &[
    ("AWS IoT samples", &["demo", "sample", "unsigned", "signed"]),
    (
        "Any MQTT 5 server",
        &["connect", "doctor", "pub", "sub", "request", "respond"],
    ),
    ("A local server", &["sandbox"]),
    ("Load", &["bench"]),
    ("Offline", &["auth", "inspect", "explain"]),
    ("Saved connections", &["profile"]),
    ("This tool", &["completions", "man", "help", "version"]),
];

/// clap's own order of a page, but for the list of verbs, which follows the usage.
const TEMPLATE: &str = "\
{about-with-newline}
{usage-heading} {usage}

{before-help}{all-args}{after-help}";

/// One line, so that the short help fits on a screen.
const USAGE: &str = "dunlin [OPTIONS] | dunlin <COMMAND> [OPTIONS]";

const DEVIATIONS: &str = "\
Where it differs from the Python scripts:
  A failure ends the run at once unless it may pass, with an error on stderr and an exit code.
  Only this run's own messages are counted. There is no pause after the last one.
  DISCONNECT is sent at the end, also after Ctrl-C. No SDK name is sent unless --metrics is given.
  A time is 30s, 1500ms or 2m; a bare number is seconds.
  Prefixes must be unambiguous among all flags here: --auth_p is not, --auth_password is.";

const SECRETS: &str = "\
Secrets: a flag wins over its *-file flag, and that over its environment variable. A secret on the command line can be \
read by other users of this computer, so there is a warning; DUNLIN_NO_ARGV_WARNING=1 turns it off.";

/// Adds examples, requirements and exit codes, and hides flags that a verb doesn't take.
pub(super) fn complete(command: Command) -> Command {
    let command = with_short_sample(command)
        .mut_subcommand("unsigned", |unsigned| {
            without_signing(unsigned)
                .override_usage(USAGE_UNSIGNED)
                .after_help(REQUIRED_UNSIGNED)
        })
        .mut_subcommand("signed", |signed| {
            signed
                .override_usage(USAGE_SIGNED)
                .after_help(REQUIRED_SIGNED)
        })
        // The verb `help` is our own: it knows topics as well.
        .disable_help_subcommand(true)
        .override_usage(USAGE)
        .help_template(TEMPLATE)
        .before_help(short_list())
        // The short page has the examples; everything else is on the long page only.
        .after_help(EXAMPLES)
        .after_long_help(format!(
            "{EXAMPLES}\n\n{DEVIATIONS}\n\n{SECRETS}\n\n{}",
            exit_codes()
        ));
    let list = long_list(&command);
    examples::add(command.before_long_help(list), "")
}

/// Takes the verbs out of clap's own list, which is one line a verb, in favour of [`GROUPS`].
///
/// Not part of [`complete`], because completions and man pages leave hidden verbs out.
pub(super) fn without_list(command: Command) -> Command {
    command.mut_subcommands(|verb| verb.hide(true))
}

/// Names of all verbs, one line a group, which leaves the short page space for flags.
fn short_list() -> String {
    let mut text = String::from("Commands (dunlin help COMMAND explains one):\n");
    for (about, verbs) in GROUPS {
        text.push_str(&format!("  {about:<22}{}\n", verbs.join(", ")));
    }
    text.pop();
    text
}

/// Verbs of `command` with what they do, by group.
fn long_list(command: &Command) -> String {
    let mut text = String::from("Commands:\n");
    for (about, verbs) in GROUPS {
        text.push_str(&format!("  {about}\n"));
        for name in *verbs {
            let verb = command.find_subcommand(name);
            let about = verb.and_then(Command::get_about).map(ToString::to_string);
            text.push_str(&format!("    {name:<13}{}\n", about.unwrap_or_default()));
        }
    }
    text.pop();
    text
}

/// Hides the flags of a token, which the examples show, from the short page.
fn with_short_sample(command: Command) -> Command {
    command.mut_args(|arg| {
        let id = arg.get_id().as_str();
        if OF_SIGNING.contains(&id) || OF_TOKEN.contains(&id) {
            arg.hide_short_help(true)
        } else {
            arg
        }
    })
}

/// Hides the flags for signing, which `unsigned` refuses.
fn without_signing(unsigned: Command) -> Command {
    unsigned.mut_args(|arg| {
        let id = arg.get_id().as_str();
        // A signature is refused by this verb. A token alone is rare, so the long page names it.
        let (signs, is_token) = (OF_SIGNING.contains(&id), OF_TOKEN.contains(&id));
        if signs {
            arg.hide(true)
        } else if is_token {
            arg.hide_short_help(true)
        } else {
            arg
        }
    })
}

/// Table of exit codes: code, meaning, and the errors that end with it.
pub(crate) fn exit_codes() -> String {
    let mut text = String::from("Exit codes:\n");
    for (exit, meaning) in Exit::TABLE {
        // Read from the catalogue of errors, so that the page can't differ from the exit codes.
        let ids: Vec<&str> = Id::ALL
            .iter()
            .filter(|id| id.exit() == exit)
            .map(|id| id.name())
            .collect();
        text.push_str(&format!("  {:>3}  {meaning}\n", exit.code()));
        if !ids.is_empty() {
            let lines = wrap(&format!("       {}", ids.join(" ")), 80, "       ");
            text.push_str(&format!("{}\n", lines.join("\n")));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_is_in_one_group_of_the_list() {
        let tool = crate::args::command();
        let mut listed: Vec<&str> = GROUPS
            .iter()
            .flat_map(|(_, verbs)| *verbs)
            .copied()
            .collect();
        let mut verbs: Vec<&str> = tool
            .get_subcommands()
            .filter(|verb| !verb.is_hide_set())
            .map(Command::get_name)
            .collect();
        listed.sort_unstable();
        verbs.sort_unstable();
        assert_eq!(listed, verbs);
    }

    #[test]
    fn the_table_is_in_order_and_lists_every_error_once() {
        assert!(Exit::TABLE.is_sorted_by_key(|(exit, _)| exit.code()));
        let help = exit_codes();
        assert!(
            Exit::TABLE.iter().all(|(_, meaning)| meaning.len() <= 73),
            "a row fits on 80 columns"
        );
        for id in Id::ALL {
            assert_eq!(
                help.split_whitespace()
                    .filter(|word| *word == id.name())
                    .count(),
                1,
                "{}",
                id.name()
            );
        }
    }
}
