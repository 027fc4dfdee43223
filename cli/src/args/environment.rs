//! Environment variables of flags: the long help names them, no page shows their values, and an
//! empty one counts as unset.

use clap::Command;
use clap::builder::Resettable;

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
