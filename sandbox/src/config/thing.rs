//! One `[[thing]]` of a config file: type and attributes of a thing.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use crate::config::error::{ConfigError, ConfigProblem, Source};
use crate::policy::Thing;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawThing {
    name: Spanned<String>,
    #[serde(rename = "type")]
    thing_type: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

/// Checks all things.
///
/// # Errors
/// [`ConfigError::Invalid`] for a thing that the registry of AWS IoT doesn't take, or the second one of
/// a name.
pub(super) fn things(raw: Vec<RawThing>, source: &Source<'_>) -> Result<Vec<Thing>, ConfigError> {
    let mut things: Vec<Thing> = Vec::with_capacity(raw.len());
    for raw in raw {
        let thing = Thing {
            name: raw.name.get_ref().clone(),
            thing_type: raw.thing_type,
            attributes: raw.attributes,
        };
        let problem = match thing.check() {
            Err(error) => Some(ConfigProblem::Thing(error)),
            Ok(()) if things.iter().any(|earlier| earlier.name == thing.name) => {
                Some(ConfigProblem::DuplicateThing)
            }
            Ok(()) => None,
        };
        if let Some(problem) = problem {
            return Err(source.error("name", &raw.name, problem));
        }
        things.push(thing);
    }
    Ok(things)
}
