//! Environment variables of flags: the long help names them, no page shows their values, and an
//! empty one counts as unset.

use std::collections::BTreeMap;

use clap::builder::Resettable;
use clap::{Command, CommandFactory};

use crate::args::{CommandLine, profile};

/// Environment variable of the flag with this id; `None` if it has none.
pub(super) fn variable(id: &str) -> Option<String> {
    let flag = format!("--{}", id.replace('_', "-"));
    variables()
        .into_iter()
        .find(|(_, flags)| flags.split(", ").any(|known| known == flag))
        .map(|(variable, _)| variable)
}

/// Environment variables of all flags, by name, with the flag of each.
pub(crate) fn variables() -> BTreeMap<String, String> {
    fn collect(command: &Command, found: &mut BTreeMap<String, String>) {
        for arg in command.get_arguments() {
            if let (Some(variable), Some(flag)) = (arg.get_env(), arg.get_long()) {
                let name = variable.to_string_lossy().into_owned();
                let flags = found.entry(name).or_default();
                // Some verbs have a shorter name for the same value.
                let flag = format!("--{flag}");
                if !flags.split(", ").any(|known| known == flag) {
                    let separator = if flags.is_empty() { "" } else { ", " };
                    flags.push_str(&format!("{separator}{flag}"));
                }
            }
        }
        for inner in command.get_subcommands() {
            collect(inner, found);
        }
    }
    let mut found = BTreeMap::new();
    // The definitions as they are written: `hide_values` drops variables that are set to nothing.
    collect(&profile::add_flag(CommandLine::command()), &mut found);
    found
}

/// Hides the values of the variables of `command` and of all verbs below it, and adds the names to
/// the long help.
///
/// clap would print the values, which may be passwords, and would fill the short help with them.
pub(super) fn hide_values(command: Command) -> Command {
    command
        .mut_args(|arg| {
            let Some(variable) = arg.get_env().map(ToOwned::to_owned) else {
                return arg;
            };
            // The long help is the short one where a flag has no other.
            let text = arg
                .get_long_help()
                .or_else(|| arg.get_help())
                .map(ToString::to_string)
                .unwrap_or_default();
            let name = variable.to_string_lossy();
            let arg = arg
                .hide_env(true)
                .hide_env_values(true)
                .long_help(format!("{text}\n\n[env: {name}]"));
            // Build systems set to nothing what they have no value for.
            if is_empty(&variable) {
                arg.env(Resettable::Reset)
            } else {
                arg
            }
        })
        .mut_subcommands(hide_values)
}

fn is_empty(variable: &std::ffi::OsStr) -> bool {
    std::env::var_os(variable).is_some_and(|value| value.is_empty())
}
