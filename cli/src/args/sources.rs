//! `Sources`: the origin of each value of a command line.

use std::collections::BTreeMap;

use clap::ArgMatches;
use clap::parser::ValueSource;

use crate::args::{environment, profile};

/// Origin of each value: the command line, which every user of the computer can read, the
/// environment, a profile, or a default. This is also the order of precedence.
///
/// clap counts a value from the environment as present, so precedence between a flag, a `*-file`
/// flag and an environment variable can't be left to its conflict rules.
#[derive(Clone, Debug)]
pub(crate) struct Sources {
    matches: ArgMatches,
    /// Profile whose values are defaults of the flags; `None` without one.
    profile: Option<Profile>,
}

/// Name of a profile, and its values by the id of the flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Profile {
    pub(crate) name: String,
    pub(crate) values: BTreeMap<String, Vec<String>>,
}

/// Origin of a value, the highest precedence first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    CommandLine,
    /// Environment variable with this name.
    Environment(String),
    /// Profile with this name.
    Profile(String),
    Default,
}

impl Sources {
    pub(super) const fn new(matches: ArgMatches) -> Self {
        Self {
            matches,
            profile: None,
        }
    }

    pub(super) fn set_profile(&mut self, profile: Profile) {
        self.profile = Some(profile);
    }

    /// True if the flag with this id was typed; false for ids that the verb doesn't have.
    pub(crate) fn on_command_line(&self, id: &str) -> bool {
        self.of(id) == Some(ValueSource::CommandLine)
    }

    /// True if the value came from an environment variable.
    pub(crate) fn in_environment(&self, id: &str) -> bool {
        self.of(id) == Some(ValueSource::EnvVariable)
    }

    /// True if the user chose the value for this connection: on the command line or in a profile.
    pub(crate) fn is_chosen(&self, id: &str) -> bool {
        matches!(
            self.origin(id),
            Some(Origin::CommandLine | Origin::Profile(_))
        )
    }

    /// Origin of the value of this flag; `None` if it has no value.
    pub(crate) fn origin(&self, id: &str) -> Option<Origin> {
        let origin = match self.of(id)? {
            ValueSource::CommandLine => Origin::CommandLine,
            ValueSource::EnvVariable => {
                Origin::Environment(environment::variable(id).unwrap_or_default())
            }
            _ => match &self.profile {
                Some(profile) if profile.values.contains_key(id) => {
                    Origin::Profile(profile.name.clone())
                }
                _ => Origin::Default,
            },
        };
        Some(origin)
    }

    /// Values of this flag as text; none for an id that the verb doesn't have.
    pub(crate) fn values(&self, id: &str) -> Vec<String> {
        let matches = self.innermost();
        if !matches.try_contains_id(id).unwrap_or(false) {
            return Vec::new();
        }
        let raw = matches.get_raw(id).into_iter().flatten();
        raw.map(|value| value.to_string_lossy().into_owned())
            .collect()
    }

    /// Name of the profile that the command line or the environment asks for; `None` for none.
    pub(crate) fn profile(&self) -> Option<String> {
        profile::name(self.innermost())
    }

    /// Words of the verb, such as `bench` and `pub`.
    pub(super) fn verbs(&self) -> Vec<String> {
        let (mut verbs, mut matches) = (Vec::new(), &self.matches);
        while let Some((verb, inner)) = matches.subcommand() {
            verbs.push(verb.to_owned());
            matches = inner;
        }
        verbs
    }

    fn of(&self, id: &str) -> Option<ValueSource> {
        let matches = self.innermost();
        // Asked for an id that the verb doesn't have, clap would panic.
        if matches.try_contains_id(id).unwrap_or(false) {
            matches.value_source(id)
        } else {
            None
        }
    }

    /// Values of the innermost verb: `auth sign` is two verbs deep, the sample without a verb none.
    fn innermost(&self) -> &ArgMatches {
        let mut matches = &self.matches;
        while let Some((_, inner)) = matches.subcommand() {
            matches = inner;
        }
        matches
    }
}
