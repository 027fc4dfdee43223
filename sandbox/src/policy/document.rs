//! One policy document: its JSON, checked and parsed.

use serde_json::Value;

use crate::policy::document_reader::DocumentReader;
use crate::policy::error::{JsonPlace, PolicyError, PolicyErrorKind};
use crate::policy::statement::Statement;
use crate::policy::unique_keys::UniqueKeys;

/// Policy document as AWS IoT reads it: `Version`, `Statement`, and no element that the sandbox
/// would have to ignore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyDocument {
    pub(super) statements: Vec<Statement>,
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
        let mut reader = DocumentReader::default();
        let statements = reader.document(value);
        (Self { statements }, reader.errors)
    }
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
