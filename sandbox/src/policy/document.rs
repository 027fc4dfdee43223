//! One policy document: its JSON, checked and parsed.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::policy::condition::Condition;
use crate::policy::error::{JsonPlace, PolicyError, PolicyErrorKind, type_name};
use crate::policy::pattern::Pattern;
use crate::policy::resource::Resource;
use crate::policy::unique_keys::UniqueKeys;

/// Policy document as AWS IoT reads it: `Version`, `Statement`, and no element that the sandbox
/// would have to ignore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyDocument {
    pub(super) statements: Vec<Statement>,
}

/// Effect of a statement on the requests that it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Allows, unless another statement denies.
    Allow,
    /// Denies, whatever the other statements say.
    Deny,
}

/// One statement of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    /// Number of the statement in its document, from 1.
    pub(super) number: usize,
    pub(super) sid: Option<Arc<str>>,
    pub(super) effect: Effect,
    pub(super) actions: Vec<ActionPattern>,
    pub(super) resources: Vec<Resource>,
    pub(super) conditions: Vec<Condition>,
}

/// One of the actions that a statement is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ActionPattern {
    /// Action in the case of the document.
    pub(super) text: Box<str>,
    pub(super) pattern: Pattern,
}

impl PolicyDocument {
    /// Parses the JSON text of a document.
    ///
    /// # Errors
    /// The first [`PolicyError`] of the document.
    pub fn parse(json: &str) -> Result<Self, PolicyError> {
        let (document, errors) = Self::read(json);
        errors.into_iter().next().map_or(Ok(document), Err)
    }

    /// Parses a document that is JSON already, as the answer of a Lambda has it.
    ///
    /// # Errors
    /// The first [`PolicyError`] of the document.
    pub fn from_value(value: Value) -> Result<Self, PolicyError> {
        let (document, errors) = Self::read_value(&value);
        errors.into_iter().next().map_or(Ok(document), Err)
    }

    /// Parses the JSON text of a document.
    ///
    /// # Errors
    /// All mistakes of the document, in its order.
    pub(crate) fn parse_all(json: &str) -> Result<Self, Vec<PolicyError>> {
        let (document, errors) = Self::read(json);
        if errors.is_empty() {
            Ok(document)
        } else {
            Err(errors)
        }
    }

    /// Parses the JSON text of a document: the statements without a mistake, and all mistakes.
    pub(super) fn read(json: &str) -> (Self, Vec<PolicyError>) {
        match serde_json::from_str(json) {
            Ok(UniqueKeys(value)) => Self::read_value(&value),
            Err(error) => {
                // Without JSON, or with two values to choose from, there is nothing else to find.
                let kind = if error.is_data() {
                    PolicyErrorKind::RepeatedKey(error.to_string().into())
                } else {
                    PolicyErrorKind::Json(json_problem(&error).into())
                };
                (
                    Self { statements: vec![] },
                    vec![JsonPlace::default().error(kind)],
                )
            }
        }
    }

    fn read_value(value: &Value) -> (Self, Vec<PolicyError>) {
        let mut reader = Reader::default();
        let statements = reader.document(value);
        (Self { statements }, reader.errors)
    }
}

/// Parser that goes on after a mistake, so that all of them are found at once.
#[derive(Default)]
struct Reader {
    errors: Vec<PolicyError>,
}

/// Elements of a document or a statement, by their right names.
struct Elements<'a> {
    place: JsonPlace,
    /// Right name, name in the document, value.
    found: Vec<(&'static str, &'a str, &'a Value)>,
}

impl Reader {
    /// Reads a whole document; statements with a mistake are left out.
    fn document(&mut self, value: &Value) -> Vec<Statement> {
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

impl ActionPattern {
    fn new(text: &str) -> Self {
        Self {
            text: text.into(),
            pattern: Pattern::parse_action(text),
        }
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

/// Reason why a text isn't JSON, with line and column.
fn json_problem(error: &serde_json::Error) -> String {
    if error.is_eof() {
        // serde_json calls this an EOF; people know it as a text that was cut off.
        let (line, column) = (error.line(), error.column());
        format!("it ends early, at line {line} column {column}")
    } else {
        error.to_string()
    }
}

const DOCUMENT_ELEMENTS: [&str; 3] = ["Version", "Id", "Statement"];
const STATEMENT_ELEMENTS: [&str; 5] = ["Sid", "Effect", "Action", "Resource", "Condition"];

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(json: &str) -> String {
        PolicyDocument::parse(json).unwrap_err().to_string()
    }

    #[test]
    fn a_key_that_is_there_twice_refuses_the_document() {
        let json = r#"{"Version":"2012-10-17","Statement":
            {"Effect":"Deny","Effect":"Allow","Action":"iot:Connect","Resource":"*"}}"#;
        assert_eq!(
            refusal(json),
            "the policy document names a key more than once: \"Effect\" is there twice at line 2 \
             column 37"
        );
    }

    #[test]
    fn one_statement_and_a_list_of_statements_are_the_same() {
        let statement = r#"{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}"#;
        let listed = r#"{"Effect":"Allow","Action":["iot:Connect"],"Resource":["*"]}"#;
        assert_eq!(
            PolicyDocument::parse(&format!(
                r#"{{"Version":"2012-10-17","Statement":{statement}}}"#
            )),
            PolicyDocument::parse(&format!(
                r#"{{"Version":"2012-10-17","Statement":[{listed}]}}"#
            )),
        );
    }

    #[test]
    fn an_unknown_condition_refuses_the_document_by_the_name_of_its_operator() {
        let json = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"*",
            "Condition":{"BinaryEquals":{"iot:ClientId":["x"]}}}]}"#;
        assert_eq!(
            refusal(json),
            "statement 1: the condition operator \"BinaryEquals\" isn't supported by this sandbox"
        );
    }

    #[test]
    fn an_unknown_field_is_named() {
        let json = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","NotAction":"iot:Connect","Resource":"*"}}"#;
        let refused =
            "statement 1: AWS IoT policies have no element \"NotAction\": list the actions";
        assert!(refusal(json).starts_with(refused), "{}", refusal(json));
    }

    #[test]
    fn a_key_in_another_case_is_told_with_its_statement() {
        let statement = r#"{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}"#;
        let json = format!(
            r#"{{"Version":"2012-10-17","Statement":[{statement},{}]}}"#,
            statement.replace("Resource", "resource")
        );
        assert_eq!(
            refusal(&json),
            r#"statement 2: "resource" must be written "Resource""#
        );
        let json = format!(r#"{{"version":"2012-10-17","Statement":{statement}}}"#);
        assert_eq!(refusal(&json), r#""version" must be written "Version""#);
        let json =
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect"}]}"#;
        assert_eq!(refusal(json), "statement 1: \"Resource\" is missing");
    }

    #[test]
    fn all_mistakes_of_a_document_are_reported_together() {
        // Every name in lower case: the values are checked all the same.
        let json = r#"{"version":"2012-10-17","statement":[{"effect":"Allow","action":"iot:Connect","Resource":"*"},
            {"Effect":"Allow","Action":"iot:Connect"}]}"#;
        let errors = PolicyDocument::parse_all(json).unwrap_err();
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                r#""version" must be written "Version""#,
                r#""statement" must be written "Statement""#,
                r#"statement 1: "effect" must be written "Effect""#,
                r#"statement 1: "action" must be written "Action""#,
                r#"statement 2: "Resource" is missing"#,
            ]
        );
    }

    #[test]
    fn an_effect_is_allow_or_deny_exactly() {
        let json = r#"{"Version":"2012-10-17","Statement":{"Effect":"allow","Action":"iot:*","Resource":"*"}}"#;
        assert_eq!(
            refusal(json),
            r#"statement 1: "Effect" must be "Allow" or "Deny", not "allow""#
        );
    }

    #[test]
    fn another_version_is_named() {
        assert_eq!(
            refusal(r#"{"Version":"2008-10-17","Statement":[]}"#),
            "the policy version \"2008-10-17\" isn't supported; write \"2012-10-17\""
        );
    }

    #[test]
    fn every_mistake_is_found_at_once_with_its_place_in_the_json() {
        let json = r#"{"Version":"2012-10-17","Statement":[
            {"Effect":"allow","Action":7,"Resource":["*","a","arn:aws:iot:r:1:topic/${x}"],
             "Condition":{"StringEquals":{"aws:x/y":"z"},"Foo":{},"Bool":7}},
            {"Effect":["Deny"],"Action":["iot:*",{}],"Resource":"*","NotResource":"*"}, 5]}"#;
        let errors = PolicyDocument::parse_all(json).unwrap_err();
        let found: Vec<String> = errors
            .iter()
            .map(|error| format!("{} {error}", error.pointer))
            .collect();
        for (found, expected) in found.iter().zip([
            r#"/Statement/0/Effect statement 1: "Effect" must be "Allow" or "Deny", not "allow""#,
            r#"/Statement/0/Action statement 1: "Action" must be a string or a list of strings, not a number"#,
            r#"/Statement/0/Resource/1 statement 1: the resource "a" isn't an ARN"#,
            "/Statement/0/Resource/2 statement 1: the policy variable ${x} isn't supported",
            r#"/Statement/0/Condition/Bool statement 1: "Bool" must be an object, not a number"#,
            r#"/Statement/0/Condition/Foo statement 1: the condition operator "Foo" isn't supported"#,
            r#"/Statement/0/Condition/StringEquals/aws:x~1y statement 1: the condition key "aws:x/y" isn't"#,
            r#"/Statement/1/NotResource statement 2: AWS IoT policies have no element "NotResource": list the"#,
            r#"/Statement/1/Effect statement 2: "Effect" must be a string, not a list"#,
            r#"/Statement/1/Action/1 statement 2: "Action" must be a string or a list of strings, not an object"#,
            "/Statement/2 statement 3: a statement must be an object, not a number",
        ]) {
            assert!(found.starts_with(expected), "{found}\n{expected}");
        }
        assert_eq!(found.len(), 11, "{found:#?}");
    }

    #[test]
    fn a_text_that_is_not_json_is_refused_with_the_place_where_it_goes_wrong() {
        assert_eq!(
            refusal("{\"Version\":"),
            "the policy document isn't JSON: it ends early, at line 1 column 11"
        );
        assert_eq!(
            refusal("{\n \"Version\": \"2012-10-17\",\n}"),
            "the policy document isn't JSON: trailing comma at line 3 column 1"
        );
    }
}
