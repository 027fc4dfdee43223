//! Environment variables: named on the long help pages, their values never shown, and unset where
//! they are empty.

use clap::Command;
use clap::builder::Resettable;

/// Settles the variables of every flag of `command` and of the verbs below it.
///
/// clap would print their values, which may be passwords, and would leave the short help no room.
pub(super) fn settle(command: Command) -> Command {
    command
        .mut_args(|arg| {
            let Some(variable) = arg.get_env().map(ToOwned::to_owned) else {
                return arg;
            };
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
        .mut_subcommands(settle)
}

fn is_empty(variable: &std::ffi::OsStr) -> bool {
    std::env::var_os(variable).is_some_and(|value| value.is_empty())
}
