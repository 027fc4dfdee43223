//! `Thing`: type and attributes of a thing of the registry, for policy variables.

use std::collections::BTreeMap;

/// Thing of the registry of AWS IoT.
///
/// A certificate is attached to the thing whose name is its common name; policies see type and
/// attributes as `iot:Connection.Thing.ThingTypeName` and `iot:Connection.Thing.Attributes[NAME]`, as
/// long as the client id is the name of the thing.
///
/// ```
/// use dunlin_sandbox::{Thing, ThingError};
///
/// let mut thing = Thing::new("lamp-7");
/// thing.thing_type = Some("Lamp".into());
/// thing.attributes.insert("site".into(), "north".into());
/// assert_eq!(thing.check(), Ok(()));
///
/// thing.attributes.insert("site".into(), "a b".into());
/// assert_eq!(thing.check(), Err(ThingError::AttributeValue("site".into())));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thing {
    /// Name: 1 to 128 letters, digits and `:_-`.
    pub name: String,
    /// Name of the thing type, in the same form; `None`, the default, means none.
    pub thing_type: Option<String>,
    /// Attributes by name: at most 50 with a thing type, else 3. Default: none.
    pub attributes: BTreeMap<String, String>,
}

/// Part of a thing that the registry of AWS IoT doesn't take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ThingError {
    /// The name has another form.
    #[error("the name of a thing must be 1 to 128 letters, digits and :_-")]
    Name,
    /// The name of the thing type has another form.
    #[error("the type of a thing must be 1 to 128 letters, digits and :_-")]
    ThingType,
    /// Too many attributes; holds the maximum.
    #[error("the thing may have {0} attributes (50 with a type, 3 without)")]
    TooManyAttributes(usize),
    /// The name of an attribute has another form; holds the name.
    #[error("the attribute {0:?} must have a name of 1 to 128 letters, digits and _.,@/:#-")]
    AttributeName(String),
    /// The value of an attribute has another form; holds the name.
    #[error("the attribute {0:?} must have a value of at most 800 letters, digits and _.,@/:#-")]
    AttributeValue(String),
}

impl Thing {
    /// Thing of this name, without type and attributes.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            thing_type: None,
            attributes: BTreeMap::new(),
        }
    }

    /// Checks the forms and limits of AWS IoT.
    ///
    /// # Errors
    /// [`ThingError::Name`], [`ThingError::ThingType`], [`ThingError::TooManyAttributes`],
    /// [`ThingError::AttributeName`] or [`ThingError::AttributeValue`] for the first part that the
    /// registry doesn't take.
    pub fn check(&self) -> Result<(), ThingError> {
        if !is_name(&self.name, OF_NAMES) {
            return Err(ThingError::Name);
        }
        if self
            .thing_type
            .as_deref()
            .is_some_and(|name| !is_name(name, OF_NAMES))
        {
            return Err(ThingError::ThingType);
        }
        let most = if self.thing_type.is_some() { 50 } else { 3 };
        if self.attributes.len() > most {
            return Err(ThingError::TooManyAttributes(most));
        }
        for (name, value) in &self.attributes {
            if !is_name(name, OF_ATTRIBUTES) {
                return Err(ThingError::AttributeName(name.clone()));
            }
            if value.len() > MAX_VALUE || !consists_of(value, OF_ATTRIBUTES) {
                return Err(ThingError::AttributeValue(name.clone()));
            }
        }
        Ok(())
    }
}

fn is_name(name: &str, others: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len()) && consists_of(name, others)
}

/// Returns true if a text has ASCII letters, digits and `others` alone.
fn consists_of(text: &str, others: &str) -> bool {
    text.chars()
        .all(|letter| letter.is_ascii_alphanumeric() || others.contains(letter))
}

/// Characters of names besides letters and digits.
const OF_NAMES: &str = ":_-";
/// Characters of attributes besides letters and digits.
const OF_ATTRIBUTES: &str = "_.,@/:#-";
/// Maximum length of a name in bytes.
const MAX_NAME: usize = 128;
/// Maximum length of the value of an attribute in bytes.
const MAX_VALUE: usize = 800;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_has_the_form_and_the_limits_of_the_registry() {
        let with = |change: fn(&mut Thing)| {
            let mut thing = Thing::new("lamp-7");
            change(&mut thing);
            thing.check()
        };
        let many = |thing: &mut Thing, count: usize| {
            let attributes = (0..count).map(|number| (format!("a{number}"), String::new()));
            thing.attributes = attributes.collect();
        };
        assert_eq!(
            with(|thing| thing.name = "a/b".into()),
            Err(ThingError::Name)
        );
        assert_eq!(with(|thing| thing.name.clear()), Err(ThingError::Name));
        let wrong_type = with(|thing| thing.thing_type = Some("x".repeat(129)));
        assert_eq!(wrong_type, Err(ThingError::ThingType));
        let mut thing = Thing::new("lamp-7");
        for (count, thing_type, expected) in [
            (3, None, Ok(())),
            (4, None, Err(ThingError::TooManyAttributes(3))),
            (50, Some("Lamp"), Ok(())),
            (51, Some("Lamp"), Err(ThingError::TooManyAttributes(50))),
        ] {
            many(&mut thing, count);
            thing.thing_type = thing_type.map(Into::into);
            assert_eq!(thing.check(), expected, "{count}");
        }
        let wrong_name = with(|thing| _ = thing.attributes.insert("é".into(), String::new()));
        assert_eq!(wrong_name, Err(ThingError::AttributeName("é".into())));
        let long = with(|thing| _ = thing.attributes.insert("a".into(), "x".repeat(801)));
        assert_eq!(long, Err(ThingError::AttributeValue("a".into())));
    }
}
