//! Answers of Lambdas: those that AWS IoT takes, and the texts for all others.

use super::*;
use serde_json::json;

fn document() -> Value {
    json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}})
}

fn answer() -> Answer {
    Answer::allow("demo", document())
}

fn problem(answer: Answer) -> AnswerProblem {
    let error = answer.grant("A").unwrap_err();
    let [problem] = error.problems() else {
        panic!("one problem: {error}")
    };
    problem.clone()
}

fn refusal(json: Value) -> String {
    Answer::from_value(json).unwrap_err().to_string()
}

#[test]
fn a_document_may_be_an_object_or_its_text() {
    let text = Answer {
        policy_documents: vec![document().to_string().into()],
        ..answer()
    };
    assert_eq!(text.grant("A"), answer().grant("A"));
}

#[test]
fn an_answer_reads_the_json_of_aws() {
    // `context` is a field of API Gateway; AWS IoT ignores unknown fields.
    let json = json!({"isAuthenticated": true, "principalId": "p", "policyDocuments": [],
        "disconnectAfterInSeconds": 300, "refreshAfterInSeconds": 86400, "context": {}});
    let grant = Answer::from_value(json).unwrap().grant("A").unwrap();
    assert_eq!(grant.disconnect_after.as_secs(), 300);
    assert_eq!(grant.refresh_after, Some(Duration::from_secs(86_400)));
}

#[test]
fn the_text_of_an_answer_is_an_answer_too() {
    let json = json!({"isAuthenticated": true, "principalId": "p", "policyDocuments": [document().to_string()]});
    // AWS's own Node samples return JSON.stringify(..).
    let text = Value::String(json.to_string());
    assert_eq!(Answer::from_value(text), Answer::from_value(json));
    assert_eq!(
        Answer::from_value(json!("{\"isAuthenticated\":false}")),
        Ok(Answer::not_authenticated())
    );
    assert_eq!(
        refusal(json!("{\"isAuthenticated\": tr")),
        "it is a text that isn't JSON: it ends early, at line 1 column 22"
    );
    assert_eq!(
        refusal(json!("allow")),
        "it is a text that isn't JSON: expected value at line 1 column 1"
    );
}

#[test]
fn seconds_that_are_missing_mean_a_day_and_no_refresh() {
    let json = json!({"isAuthenticated": true, "principalId": "p", "policyDocuments": []});
    let grant = Answer::from_value(json).unwrap().grant("A").unwrap();
    assert_eq!(
        (grant.disconnect_after.as_secs(), grant.refresh_after),
        (86_400, None)
    );
}

#[test]
fn all_problems_are_reported_at_once() {
    // Two values out of range, one of the wrong type, and one document that can't be evaluated.
    let json = json!({"isAuthenticated": true, "principalId": "a-b", "disconnectAfterInSeconds": 5,
        "refreshAfterInSeconds": "300", "policyDocuments": [document(), {"Version": "1", "Statement": []}]});
    assert_eq!(
        refusal(json),
        "refreshAfterInSeconds must be a whole number of seconds; \
         principalId must be 1 to 128 ASCII letters and digits; \
         policy document 2: the policy version \"1\" isn't supported; write \"2012-10-17\"; \
         disconnectAfterInSeconds is 5; it must be 300 to 86400"
    );
}

#[test]
fn an_answer_with_hundreds_of_problems_has_a_bounded_text() {
    let document = json!({"Version": "2012-10-17", "Statement": vec![json!({}); 600]});
    let error = Answer {
        policy_documents: vec![document; 10],
        ..answer()
    }
    .grant("A")
    .unwrap_err();
    // Effect, Action and Resource of each statement.
    assert_eq!(error.problems().len(), 18_000);
    let text = error.to_string();
    assert!(
        text.ends_with("statement 7: \"Action\" is missing; and 17980 more"),
        "{text}"
    );
}

#[test]
fn common_wrong_answers_have_errors_of_their_own() {
    let gateway = json!({"principalId": "u", "policyDocument": {}, "context": {}});
    for (json, text) in [
        (
            // A handler without `return`, authorizers for API Gateway in both formats, and an HTTP
            // response.
            Value::Null,
            "it returned nothing (None in Python, undefined or null in Node)",
        ),
        (
            gateway,
            "it is an answer for API Gateway (policyDocument); AWS IoT wants isAuthenticated,",
        ),
        (
            json!({"isAuthorized": true}),
            "it is an answer for API Gateway (isAuthorized)",
        ),
        (
            json!({"statusCode": 200, "body": "{}"}),
            "it is an answer for API Gateway (statusCode)",
        ),
        (
            // Names in another case, in snake case and in the singular.
            json!({"IsAuthenticated": true, "principalId": "p", "policyDocuments": []}),
            "isAuthenticated is missing; \"IsAuthenticated\" isn't it: the names of fields must be exact",
        ),
        (
            json!({"isAuthenticated": true, "principal_id": "p", "policyDocument": []}),
            "principalId is missing; \"principal_id\" isn't it: the names of fields must be exact; \
             policyDocuments is missing; \"policyDocument\" isn't it",
        ),
        (
            json!({"isAuthenticated": true, "principalId": "p"}),
            "policyDocuments is missing",
        ),
    ] {
        let told = refusal(json);
        assert!(told.starts_with(text), "{told}\n{text}");
    }
}

#[test]
fn is_authenticated_false_ignores_all_other_fields() {
    let no = Answer::from_value(json!({"isAuthenticated": false, "principalId": 5})).unwrap();
    assert_eq!(no.check(), Ok(()));
    assert_eq!(problem(no), AnswerProblem::NotAuthenticated);
}

#[test]
fn a_field_of_the_wrong_type_is_named() {
    let wrong = |field: &str, value: Value| {
        let mut answer =
            json!({"isAuthenticated": true, "principalId": "p", "policyDocuments": []});
        answer[field] = value;
        refusal(answer)
    };
    assert_eq!(
        refusal(json!([])),
        "it must be a JSON object, or the JSON text of one"
    );
    assert_eq!(
        wrong("isAuthenticated", "true".into()),
        "isAuthenticated must be true or false"
    );
    assert_eq!(
        wrong("principalId", 7.into()),
        "principalId must be a string"
    );
    assert_eq!(
        wrong("policyDocuments", json!({})),
        "policyDocuments must be a list of policy documents"
    );
    assert_eq!(
        wrong("refreshAfterInSeconds", "300".into()),
        "refreshAfterInSeconds must be a whole number of seconds"
    );
}

#[test]
fn a_principal_id_is_letters_and_digits() {
    // Empty, a hyphen, a letter outside ASCII, and one character too many.
    for id in ["", "a-b", "ä", &"a".repeat(129)] {
        assert_eq!(
            problem(Answer {
                principal_id: Some(id.into()),
                ..answer()
            }),
            AnswerProblem::PrincipalId
        );
    }
    assert_eq!(
        problem(Answer {
            principal_id: None,
            ..answer()
        }),
        AnswerProblem::Missing("principalId")
    );
}

#[test]
fn more_or_longer_documents_than_aws_takes_are_refused() {
    let eleven = Answer {
        policy_documents: vec![document(); 11],
        ..answer()
    };
    assert_eq!(problem(eleven), AnswerProblem::TooManyDocuments(11));
    let long = Answer {
        policy_documents: vec![document(), "x".repeat(2049).into()],
        ..answer()
    };
    assert_eq!(
        problem(long),
        AnswerProblem::DocumentTooLong {
            number: 2,
            length: 2049
        }
    );
}

#[test]
fn a_document_that_cannot_be_evaluated_is_named_by_its_number() {
    let bad = Answer {
        policy_documents: vec![document(), json!({"Version": "1", "Statement": []})],
        ..answer()
    };
    assert!(problem(bad).to_string().starts_with("policy document 2: "));
}

#[test]
fn seconds_must_be_within_the_range_of_aws() {
    // The range is 300 to 86,400, both included.
    for seconds in [-1, 0, 299, 86_401] {
        let refresh = Answer {
            refresh_after_in_seconds: Some(seconds),
            ..answer()
        };
        assert_eq!(
            problem(refresh),
            AnswerProblem::Seconds {
                field: "refreshAfterInSeconds",
                seconds
            }
        );
    }
}
