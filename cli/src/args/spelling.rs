//! Both spellings of every flag: `--auth-username`, and `--auth_username` as in the Python sample.

use clap::Command;

/// Gives every long flag with a dash a hidden alias with underscores, in `command` and all verbs
/// below it. The last one of a repeated flag wins, as in argparse.
pub(crate) fn both(command: Command) -> Command {
    command
        .args_override_self(true)
        .mut_args(|arg| {
            // A negative number reaches the parser of the value, which says what is wrong with it.
            if arg.get_action().takes_values() && arg.get_long().is_some() {
                arg.allow_negative_numbers(true)
            } else {
                arg
            }
        })
        .mut_args(
            |arg| match arg.get_long().map(|long| long.replace('-', "_")) {
                Some(twin) if arg.get_long() != Some(&twin) => arg.alias(twin),
                _ => arg,
            },
        )
        .mut_subcommands(both)
}
