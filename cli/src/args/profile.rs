//! `--profile`, flags of `dunlin profile`, and the flags that a profile may hold.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::builder::Resettable;
use clap::{Arg, ArgMatches, Args, Command, Subcommand};

use crate::args::any_server::{AccountArgs, ConnectPacketArgs, ConnectionArgs};
use crate::args::connection::{AuthorizerArgs, EndpointArgs, ReliabilityArgs, TlsArgs};
use crate::args::will::WillArgs;

#[derive(Subcommand)]
pub(crate) enum ProfileVerb {
    /// Save the flags of a connection under a name
    ///
    /// Only what is on the command line is saved, nothing of the environment. The file can be read
    /// by its owner alone. Paths are saved from the root on.
    Save(Box<ProfileSaveArgs>),
    /// List the profiles with their endpoints
    List,
    /// Show the flags of a profile, without secrets
    Show(Box<ProfileShowArgs>),
    /// Connect with a profile, and print the source of each value
    ///
    /// Prints all values that the connection uses, with the source of each, and then the connection
    /// itself: its attempts, and the limits that the server sets. It ends with DISCONNECT. The exit
    /// code is that of the connection.
    Check(Box<ProfileCheckArgs>),
    /// Print the file of a profile, or the folder of all profiles
    Path(ProfilePathArgs),
}

#[derive(Args)]
pub(crate) struct ProfileSaveArgs {
    /// Name of the profile
    #[arg(id = "saved_name", value_name = "NAME")]
    pub(crate) name: String,
    /// Replace a profile of this name
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) connection: RecordedArgs,
}

#[derive(Args)]
pub(crate) struct ProfileShowArgs {
    /// Name of the profile [default: that of --profile]
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Show all values that a verb would use, those of flags, environment and defaults too, with
    /// the source of each
    #[arg(long)]
    pub(crate) effective: bool,
    #[command(flatten)]
    pub(crate) connection: RecordedArgs,
}

#[derive(Args)]
pub(crate) struct ProfileCheckArgs {
    /// Name of the profile [default: that of --profile]
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}

#[derive(Args)]
pub(crate) struct ProfilePathArgs {
    /// Name of the profile [default: the folder of all]
    #[arg(id = "path_name", value_name = "NAME")]
    pub(crate) name: Option<String>,
}

/// Flags of a connection, which a profile may hold.
#[derive(Args)]
pub(crate) struct RecordedArgs {
    #[command(flatten)]
    endpoint: EndpointArgs,
    #[command(flatten)]
    account: AccountArgs,
    #[command(flatten)]
    session: ConnectPacketArgs,
    #[command(flatten)]
    will: WillArgs,
    #[command(flatten)]
    authorizer: AuthorizerArgs,
    #[command(flatten)]
    tls: TlsArgs,
    #[command(flatten)]
    reliability: ReliabilityArgs,
}

/// Flag that a profile may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecordedFlag {
    /// Id in clap: the name with underscores.
    pub(crate) id: String,
    /// True if the value is the path of a file or folder.
    pub(crate) is_path: bool,
    /// True if the value may not be shown.
    pub(crate) is_secret: bool,
}

/// All flags that a profile may hold, in the order of the help.
pub(crate) fn recorded_flags() -> Vec<RecordedFlag> {
    let group = RecordedArgs::augment_args(Command::new("group"));
    group
        .get_arguments()
        .map(|flag| {
            let id = flag.get_id().to_string();
            RecordedFlag {
                is_path: flag.get_value_parser().type_id() == TypeId::of::<PathBuf>(),
                is_secret: SECRETS.contains(&id.as_str()),
                id,
            }
        })
        .collect()
}

/// True if the flag with this id takes no value.
pub(crate) fn is_switch(id: &str) -> bool {
    let group = RecordedArgs::augment_args(Command::new("group"));
    group
        .get_arguments()
        .any(|flag| flag.get_id() == id && !flag.get_action().takes_values())
}

/// Adds `--profile` to each verb with an endpoint, except for the one that saves profiles.
pub(super) fn add_flag(command: Command) -> Command {
    let has = |id: &str| command.get_arguments().any(|flag| flag.get_id() == id);
    let uses_profile = has("endpoint") && !has("saved_name");
    let command = match uses_profile {
        true => command.arg(
            Arg::new(PROFILE)
                .long("profile")
                .value_name("NAME")
                .env("DUNLIN_PROFILE")
                .help_heading("Endpoint")
                .hide_short_help(true)
                .help("Take flags that aren't given from this profile (dunlin help profiles)"),
        ),
        false => command,
    };
    command.mut_subcommands(add_flag)
}

/// Name of the profile of a command line; `None` if none was asked for.
pub(super) fn name(matches: &ArgMatches) -> Option<String> {
    // The sandbox has a flag of this name with another meaning, and other types of values.
    let of = |id| matches.try_get_one::<String>(id).ok().flatten().cloned();
    of(SHOWN).or_else(|| of(PROFILE))
}

/// Gives the flags of the verb that `verbs` leads to these defaults. Flags that the verb doesn't have
/// are left out.
pub(super) fn with_defaults(
    command: Command,
    verbs: &[String],
    defaults: &BTreeMap<String, Vec<String>>,
) -> Command {
    match verbs.split_first() {
        Some((verb, rest)) => {
            command.mut_subcommand(verb, |inner| with_defaults(inner, rest, defaults))
        }
        None => command.mut_args(|flag| match defaults.get(flag.get_id().as_str()) {
            // A profile replaces the default of the flag.
            Some(values) => flag
                .default_value(Resettable::Reset)
                .default_values(values.clone()),
            None => flag,
        }),
    }
}

/// Id of `--profile`.
const PROFILE: &str = "profile";
/// Id of the name of a profile as a word, for verbs that read it. Names of profiles that needn't exist
/// have other ids.
const SHOWN: &str = "name";

/// Ids of flags whose values are secrets.
const SECRETS: [&str; 5] = [
    "auth_password",
    "auth_signature",
    "auth_token_key_value",
    "password",
    "ws_header",
];
