//! Flags of `dunlin connect`.

use std::time::Duration;

use clap::Args;

use crate::args::any_server::ConnectionArgs;
use crate::args::value;

#[derive(Args)]
pub(crate) struct HoldArgs {
    /// Time for which the connection is held, from CONNACK on; 0 ends it at once [default: until stopped]
    #[arg(long, value_name = "TIME", value_parser = value::duration, help_heading = "Session")]
    pub(crate) duration: Option<Duration>,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}
