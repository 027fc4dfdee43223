//! Flags of standard output: JSON lines, packets, and runs that send nothing.

use clap::{Args, ValueEnum};

/// Form of the results, and of packets on standard error.
#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = "Output")]
pub(crate) struct ResultArgs {
    /// One JSON object a line on standard output
    #[arg(long)]
    pub(crate) json: bool,
    /// Print each packet on stderr, without secrets
    ///
    /// summary: one line a packet. full: each field with its bytes. hex: the bytes alone. Passwords
    /// and the query of a user name are left out.
    #[arg(long, value_enum, value_name = "FORM", num_args = 0..=1, require_equals = true, default_missing_value = "summary", hide_short_help = true)]
    pub(crate) packets: Option<PacketForm>,
    /// Print what would be sent, without secrets, and send nothing
    #[arg(long, hide_short_help = true)]
    pub(crate) dry_run: bool,
    /// Show passwords and tokens in what --packets and --dry-run print, and in --capture
    ///
    /// Without it they are left out everywhere. The log (-vvv) never has them.
    #[arg(long, hide_short_help = true)]
    pub(crate) show_secrets: bool,
}

/// Form in which packets are printed, and with which parts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PacketPrint {
    pub(crate) form: PacketForm,
    /// True if passwords and tokens are part of it.
    pub(crate) shows_secrets: bool,
}

impl ResultArgs {
    /// Print of the packets on the wire; `None` without `--packets`.
    pub(crate) fn packet_print(self) -> Option<PacketPrint> {
        self.packets.map(|form| PacketPrint {
            form,
            shows_secrets: self.show_secrets,
        })
    }

    /// Print of the packets of a run that sends nothing.
    pub(crate) fn dry_run_print(self) -> PacketPrint {
        PacketPrint {
            form: self.packets.unwrap_or(PacketForm::Summary),
            shows_secrets: self.show_secrets,
        }
    }
}

/// Form in which `--packets` prints a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PacketForm {
    /// One line a packet
    Summary,
    /// Each field with its bytes and its meaning
    Full,
    /// The bytes
    Hex,
}
