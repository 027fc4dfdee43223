//! Flags of `dunlin auth`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Subcommand)]
pub(crate) enum AuthVerb {
    /// Print the base64 RS256 signature of a token
    Sign(SignArgs),
}

#[derive(Args)]
#[command(group = clap::ArgGroup::new("signer").args(["sandbox", "key"]).required(true))]
pub(crate) struct SignArgs {
    /// Token to sign (also: --token, --token-file, DUNLIN_AUTH_TOKEN)
    #[arg(value_name = "TOKEN")]
    pub(crate) value: Option<String>,
    /// Token to sign
    #[arg(long, value_name = "TOKEN", env = "DUNLIN_AUTH_TOKEN")]
    pub(crate) token: Option<String>,
    /// Read the token from a file ("-": standard input); one newline at its end is dropped
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Sign with the sandbox's signing key, which is created when there is none
    #[arg(long)]
    pub(crate) sandbox: bool,
    /// Sign with this RSA private key
    #[arg(long, value_name = "PEM")]
    pub(crate) key: Option<PathBuf>,
    /// Where the sandbox's signing key lives [default: $XDG_STATE_HOME/dunlin or ~/.local/state/dunlin]
    #[arg(long, value_name = "DIR", env = "DUNLIN_STATE_DIR")]
    pub(crate) state_dir: Option<PathBuf>,
}
