//! Flag of every verb that connects: the capture file.

use std::path::PathBuf;

use clap::Args;

/// Capture file.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Output")]
pub(crate) struct CaptureArgs {
    /// Write the packets to a new pcapng file, without secrets
    ///
    /// The file holds MQTT as it is inside TLS, with made-up IP and TCP headers, so that Wireshark,
    /// tshark and "inspect decode" read it without settings. Passwords, tokens and the query of a user
    /// name are replaced by filler of the same length. A file that is there already is refused.
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub(crate) capture: Option<PathBuf>,
}
