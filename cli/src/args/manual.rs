//! Flags of the verbs that print what the tool knows about itself: completions, man pages, help and
//! explanations.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

#[derive(Args)]
pub(crate) struct CompletionsArgs {
    /// Shell to complete commands in
    #[arg(value_enum, value_name = "SHELL")]
    pub(crate) shell: Shell,
}

#[derive(Args)]
pub(crate) struct ManArgs {
    /// Verb of the page, e.g. "bench pub" [default: the page of the whole tool]
    #[arg(value_name = "VERB", conflicts_with = "output_dir")]
    pub(crate) verb: Vec<String>,
    /// Write the pages of all verbs to this folder, which is created if it is missing
    #[arg(long, value_name = "DIR")]
    pub(crate) output_dir: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct HelpArgs {
    /// Verb, e.g. "bench pub", or topic [default: the help of the whole tool]
    #[arg(value_name = "VERB|TOPIC")]
    pub(crate) words: Vec<String>,
}

#[derive(Args)]
pub(crate) struct ExplainArgs {
    /// Error id, reason code, packet and reason code, "exit" and an exit code, statement id, limit of
    /// AWS IoT, "limits" for all of them, or "schema" for the JSON Schema of all output
    /// [default: a list of all errors]
    #[arg(value_name = "SUBJECT")]
    pub(crate) words: Vec<String>,
    /// One JSON object on standard output
    #[arg(long)]
    pub(crate) json: bool,
}
