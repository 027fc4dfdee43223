//! Reads the JSON of a policy document, and goes on after a mistake so that all are reported.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::policy::condition::Condition;
use crate::policy::error::{JsonPlace, PolicyError, PolicyErrorKind, type_name};
use crate::policy::resource::Resource;
use crate::policy::statement::{ActionPattern, Effect, Statement};

/// Parser that goes on after a mistake, so that all of them are found at once.
#[derive(Default)]
pub(super) struct DocumentReader {
    pub(super) errors: Vec<PolicyError>,
}

/// Elements of a document or a statement, by their right names.
struct Elements<'a> {
    place: JsonPlace,
    /// Right name, name in the document, value.
    found: Vec<(&'static str, &'a str, &'a Value)>,
}

impl DocumentReader {
    /// Reads a whole document; statements with a mistake are left out.
    pub(super) fn document(&mut self, value: &Value) -> Vec<Statement> {
        let place = JsonPlace::default();
        let elements = self.elements(value, place, "the policy document", &DOCUMENT_ELEMENTS);
        let Some(elements) = elements else {
            return Vec::new();
        };

        // Only the current policy language is understood.
        if let Some(version) = self.required_text(&elements, "Version")
            && version != "2012-10-17"
        {
            let kind = PolicyErrorKind::Version(version.into());
            self.errors.push(elements.place_of("Version").error(kind));
        }
        // The value of Id means nothing, but its type is checked.
        self.optional_text(&elements, "Id");

        // One statement may stand without a list.
        let Some(statements) = self.required(&elements, "Statement") else {
            return Vec::new();
        };
        let place = elements.place_of("Statement");
        one_or_many(statements, &place)
            // People count statements from 1; the pointer counts from 0.
            .zip(1..)
            .filter_map(|((value, place), number)| {
                self.statement(value, place.in_statement(number), number)
            })
            .collect()
    }

    /// Reads one statement; `None` if it has a mistake.
    fn statement(&mut self, value: &Value, place: JsonPlace, number: usize) -> Option<Statement> {
        // Compared at the end: any new error is one of this statement.
        let errors_before = self.errors.len();
        let elements = self.elements(value, place, "a statement", &STATEMENT_ELEMENTS)?;

        // Every element is read, whatever is wrong with the others.
        let sid = self.optional_text(&elements, "Sid");
        let effect = self.effect(&elements);
        let actions = self
            .texts(&elements, "Action")
            .into_iter()
            .map(|(text, _)| ActionPattern::new(text))
            .collect();

        // Each resource has a place of its own.
        let mut resources = Vec::new();
        for (text, place) in self.texts(&elements, "Resource") {
            match Resource::parse(text) {
                Ok(resource) => resources.push(resource),
                Err(kind) => self.errors.push(place.error(kind)),
            }
        }

        let mut conditions = Vec::new();
        if let Some(element) = elements.get("Condition") {
            let place = elements.place_of("Condition");
            if let Some(operators) = self.object(element, &place, "\"Condition\"") {
                conditions = Condition::parse_all(operators, &place, &mut self.errors);
            }
        }

        // A statement with a mistake is never evaluated.
        let statement = Statement {
            number,
            sid: sid.map(Arc::from),
            effect: effect?,
            actions,
            resources,
            conditions,
        };
        (self.errors.len() == errors_before).then_some(statement)
    }

    fn effect(&mut self, elements: &Elements<'_>) -> Option<Effect> {
        match self.required_text(elements, "Effect")? {
            // Case counts here, unlike in the names of actions.
            "Allow" => Some(Effect::Allow),
            "Deny" => Some(Effect::Deny),
            other => {
                let kind = PolicyErrorKind::Effect(other.into());
                self.errors.push(elements.place_of("Effect").error(kind));
                None
            }
        }
    }

    /// Elements of an object. A name that is right but for its case is a mistake, and taken as
    /// the right one, so that the mistakes of its value are found as well.
    fn elements<'a>(
        &mut self,
        value: &'a Value,
        place: JsonPlace,
        called: &str,
        known: &[&'static str],
    ) -> Option<Elements<'a>> {
        let object = self.object(value, &place, called)?;
        let mut found = Vec::with_capacity(object.len());
        // In the order of `known`, so that errors come in the order in which people write elements.
        for right in known.iter().copied() {
            let is_right = |(name, _): &(&String, &Value)| name.eq_ignore_ascii_case(right);
            for (name, value) in object.iter().filter(is_right) {
                found.push((right, name.as_str(), value));
                if name != right {
                    let kind = PolicyErrorKind::KeyCase {
                        found: name.as_str().into(),
                        wanted: right,
                    };
                    self.errors.push(place.member(name).error(kind));
                }
            }
        }

        // Everything else, such as NotAction, would have to be ignored.
        let is_known = |name: &str| known.iter().any(|known| known.eq_ignore_ascii_case(name));
        for name in object.keys().filter(|name| !is_known(name)) {
            let kind = PolicyErrorKind::UnknownElement(name.as_str().into());
            self.errors.push(place.member(name).error(kind));
        }
        Some(Elements { place, found })
    }

    fn object<'a>(
        &mut self,
        value: &'a Value,
        place: &JsonPlace,
        called: &str,
    ) -> Option<&'a Map<String, Value>> {
        let object = value.as_object();
        if object.is_none() {
            self.wrong_type(place, called, "an object", value);
        }
        object
    }

    fn required<'a>(&mut self, elements: &Elements<'a>, name: &'static str) -> Option<&'a Value> {
        // A missing element is an error of the object around it.
        let value = elements.get(name);
        if value.is_none() {
            let kind = PolicyErrorKind::Missing(name);
            self.errors.push(elements.place.error(kind));
        }
        value
    }

    fn required_text<'a>(
        &mut self,
        elements: &Elements<'a>,
        name: &'static str,
    ) -> Option<&'a str> {
        // One error each: a text that is missing isn't also of the wrong type.
        self.required(elements, name)?;
        self.optional_text(elements, name)
    }

    fn optional_text<'a>(
        &mut self,
        elements: &Elements<'a>,
        name: &'static str,
    ) -> Option<&'a str> {
        let value = elements.get(name)?;
        let text = value.as_str();
        if text.is_none() {
            let place = elements.place_of(name);
            self.wrong_type(&place, &quoted(name), "a string", value);
        }
        text
    }

    /// Strings of an element that policies write as one string or as a list of them.
    fn texts<'a>(
        &mut self,
        elements: &Elements<'a>,
        name: &'static str,
    ) -> Vec<(&'a str, JsonPlace)> {
        let Some(value) = self.required(elements, name) else {
            return Vec::new();
        };
        let mut texts = Vec::new();
        for (value, place) in one_or_many(value, &elements.place_of(name)) {
            match value.as_str() {
                // Each item has a place of its own, and a wrong one doesn't hide the others.
                Some(text) => texts.push((text, place)),
                None => {
                    self.wrong_type(
                        &place,
                        &quoted(name),
                        "a string or a list of strings",
                        value,
                    );
                }
            }
        }
        texts
    }

    fn wrong_type(
        &mut self,
        place: &JsonPlace,
        called: &str,
        expected: &'static str,
        value: &Value,
    ) {
        self.errors.push(place.error(PolicyErrorKind::Type {
            element: called.into(),
            expected,
            found: type_name(value),
        }));
    }
}

impl<'a> Elements<'a> {
    fn get(&self, name: &str) -> Option<&'a Value> {
        let found = self.found.iter().find(|(right, _, _)| *right == name);
        found.map(|(_, _, value)| *value)
    }

    fn place_of(&self, name: &'static str) -> JsonPlace {
        let found = self.found.iter().find(|(right, _, _)| *right == name);
        // The pointer has the name as the document writes it, or it would lead nowhere.
        self.place.member(found.map_or(name, |(_, found, _)| found))
    }
}

/// Items of a list, or the one value that policies write without a list.
fn one_or_many<'a>(
    value: &'a Value,
    place: &JsonPlace,
) -> impl Iterator<Item = (&'a Value, JsonPlace)> {
    // A value without a list has no index in its pointer.
    let items: Vec<(&Value, JsonPlace)> = match value {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| (item, place.item(index)))
            .collect(),
        one => vec![(one, place.clone())],
    };
    items.into_iter()
}

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

const DOCUMENT_ELEMENTS: [&str; 3] = ["Version", "Id", "Statement"];
const STATEMENT_ELEMENTS: [&str; 5] = ["Sid", "Effect", "Action", "Resource", "Condition"];
