//! Both spellings of every flag: `--auth-username` as shells have it, `--auth_username` as the
//! Python sample has it.

use clap::Command;

/// Gives every long flag with a dash a hidden twin with underscores, in `command` and all verbs
/// below it, and lets the last of a repeated flag win, as argparse does.
pub(crate) fn both(command: Command) -> Command {
    command
        .args_override_self(true)
        .mut_args(
            |arg| match arg.get_long().map(|long| long.replace('-', "_")) {
                Some(twin) if arg.get_long() != Some(&twin) => arg.alias(twin),
                _ => arg,
            },
        )
        .mut_subcommands(both)
}
