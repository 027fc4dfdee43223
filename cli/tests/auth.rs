//! `dunlin auth`: what it prints, with which exit code, and no secret where none was asked for.

#![expect(clippy::unwrap_used, reason = "a test that can't be set up fails")]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

const CANARY: &str = "canary-7f3a";
const SAMPLE_ID: &str = "mqtt5-sample-1a2b";

fn auth(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dunlin"));
    let inherited = std::env::vars_os().map(|(name, _)| name);
    for name in inherited.filter(|name| name.to_string_lossy().starts_with("DUNLIN_")) {
        command.env_remove(name);
    }
    command.env_remove("CLICOLOR_FORCE").arg("auth").args(words);
    command
}

/// The exit code, standard output and standard error in one line.
fn run(words: &[&str]) -> (Option<i32>, String, String) {
    result_of(&auth(words).output().unwrap())
}

fn result_of(output: &Output) -> (Option<i32>, String, String) {
    let stderr = String::from_utf8_lossy(&output.stderr)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    (
        output.status.code(),
        String::from_utf8(output.stdout.clone()).unwrap(),
        stderr,
    )
}

fn write(dir: &TempDir, name: &str, value: &Value) -> String {
    let path = dir.path().join(name);
    fs::write(&path, value.to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}

fn sample_policy(dir: &TempDir) -> String {
    let (code, document, _) = run(&["policy", "--arns", "eu-west-1:123456789012"]);
    assert_eq!(code, Some(0));
    write(
        dir,
        "policy.json",
        &serde_json::from_str(&document).unwrap(),
    )
}

#[test]
fn the_printed_policy_allows_what_the_sample_does_and_has_no_mistakes() {
    let dir = TempDir::new().unwrap();
    let policy = sample_policy(&dir);
    assert!(
        fs::read_to_string(&policy)
            .unwrap()
            .contains("arn:aws:iot:eu-west-1:123456789012:topicfilter/test/topic")
    );
    for action in ["connect", "publish", "subscribe", "receive"] {
        let line = [
            "eval",
            "--policy",
            &policy,
            "--action",
            action,
            "--topic",
            "test/topic",
            "--client-id",
            SAMPLE_ID,
        ];
        let (code, stdout, stderr) = run(&line);
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
        assert!(stdout.starts_with("allowed  iot:"), "{stdout}");
    }
    let (code, stdout, _) = run(&["lint", "--policy", &policy, "--client-id", SAMPLE_ID]);
    assert_eq!(
        (code, stdout.as_str()),
        (Some(0), "no mistakes found in 1 document\n")
    );
    let (_, with_wildcards, _) = run(&["policy", "--topic", "a/+/b", "--topic", "c/#"]);
    for part in [
        "topic/a/*/b",
        "topicfilter/a/+/b",
        "topic/c/*",
        "topicfilter/c/#",
    ] {
        assert!(with_wildcards.contains(part), "{with_wildcards}");
    }
}

#[test]
fn a_denial_names_the_nearest_statement_and_exits_with_7() {
    let dir = TempDir::new().unwrap();
    let policy = sample_policy(&dir);
    let (code, stdout, _) = run(&[
        "eval",
        "--policy",
        &policy,
        "--action",
        "subscribe",
        "--topic",
        "test/#",
    ]);
    assert_eq!(code, Some(7));
    assert_eq!(
        stdout,
        "denied   iot:Subscribe on topicfilter/test/#\n\
         \x20        no statement allows iot:Subscribe on topicfilter/test/#\n\
         \x20        policy document 1, statement 3 allows it on topicfilter/test/topic only\n"
    );
    let elsewhere = [
        "eval",
        "--policy",
        &policy,
        "--action",
        "publish",
        "--topic",
        "test/topic",
        "--strict-arns",
    ];
    let (code, stdout, _) = run(&[&elsewhere[..], &["us-east-1:123456789012"]].concat());
    assert_eq!(code, Some(7));
    assert!(
        stdout.contains("is for another region or account than us-east-1:123456789012"),
        "{stdout}"
    );
}

#[test]
fn a_retained_message_needs_both_actions() {
    let dir = TempDir::new().unwrap();
    let policy = sample_policy(&dir);
    let line = [
        "eval",
        "--policy",
        &policy,
        "--action",
        "retain-publish",
        "--topic",
        "test/topic",
    ];
    let (code, stdout, _) = run(&line);
    assert_eq!(code, Some(7));
    assert!(
        stdout.starts_with("allowed  iot:Publish on topic/test/topic\n"),
        "{stdout}"
    );
    assert!(
        stdout.contains("denied   iot:RetainPublish on topic/test/topic\n"),
        "{stdout}"
    );
}

#[test]
fn a_direct_message_is_decided_on_its_receiver_and_its_topic() {
    let dir = TempDir::new().unwrap();
    let policy = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iot:SendDirectMessage",
        "Resource": "arn:aws:iot:*:*:client/lamp", "Condition": {"StringEquals": {"iot:Topic": "a"}}}});
    let policy = write(&dir, "policy.json", &policy);
    let line = [
        "eval",
        "--policy",
        &policy,
        "--action",
        "iot:SendDirectMessage",
    ];
    for (more, expected) in [
        (&["--client-id", "lamp", "--topic", "a"][..], 0),
        (&["--client-id", "lamp", "--topic", "b"], 7),
        (&["--client-id", "lamp"], 7),
        (&["--client-id", "other", "--topic", "a"], 7),
    ] {
        let (code, stdout, _) = run(&[&line[..], more].concat());
        assert_eq!(code, Some(expected), "{more:?}: {stdout}");
        let told = format!("iot:SendDirectMessage on client/{}\n", more[1]);
        assert!(stdout.contains(&told), "{stdout}");
    }
}

#[test]
fn conditions_read_the_address_the_time_and_any_given_key() {
    let dir = TempDir::new().unwrap();
    let policy = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iot:Connect", "Resource": "*",
        "Condition": {
            "IpAddress": {"aws:SourceIp": "10.0.0.0/8"},
            "DateLessThan": {"aws:CurrentTime": "2027-01-01T00:00:00Z"},
            "StringEquals": {"aws:SourceVpce": "vpce-1a2b3c4d"},
            "ArnEquals": {"iot:LastWillTopic": "arn:aws:iot:*:*:topic/gone"}}}});
    let policy = write(&dir, "policy.json", &policy);
    let line = ["eval", "--policy", &policy, "--action", "connect"];
    let will = "iot:LastWillTopic=arn:aws:iot:eu-west-1:123456789012:topic/gone";
    let all = [
        "--source-ip",
        "10.1.2.3",
        "--time",
        "2026-11-30T22:00:00Z",
        "--set",
        "aws:sourcevpce=vpce-1a2b3c4d",
        "--set",
        will,
    ];
    let code = |more: &[&str]| run(&[&line[..], more].concat()).0;
    assert_eq!(code(&all), Some(0));
    for missing in [0, 4, 6] {
        let mut less = all.to_vec();
        less.drain(missing..missing + 2);
        assert_eq!(code(&less), Some(7), "{less:?}");
    }
    let mut late = all;
    late[3] = "1798761600";
    assert_eq!(code(&late), Some(7));
    for (pair, told) in [
        ("nonsense", "write it as KEY=VALUE"),
        ("aws:Nonsense=1", "isn't a condition key"),
        ("iot:CertificateId=1", "no client certificates"),
    ] {
        let (code, _, stderr) = run(&[&line[..], &["--set", pair]].concat());
        assert!(code == Some(2) && stderr.contains(told), "{stderr}");
    }
}

#[test]
fn json_has_the_decision_with_document_statement_and_why() {
    let dir = TempDir::new().unwrap();
    let allow = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}});
    let deny = json!({"Version": "2012-10-17", "Statement": {"Sid": "NoWill", "Effect": "Deny",
        "Action": "iot:Connect", "Resource": "*",
        "Condition": {"ForAnyValue:StringEquals": {"iot:ConnectAttributes": "LastWill"}}}});
    let (allow, deny) = (
        write(&dir, "allow.json", &allow),
        write(&dir, "deny.json", &deny),
    );
    let line = [
        "eval",
        "--policy",
        &allow,
        "--policy",
        &deny,
        "--action",
        "connect",
        "--client-id",
        "lamp",
        "--json",
    ];
    let decision = |more: &[&str]| {
        let (code, stdout, _) = run(&[&line[..], more].concat());
        (code, serde_json::from_str::<Value>(&stdout).unwrap())
    };
    let (code, allowed) = decision(&[]);
    assert_eq!(
        (code, &allowed["allowed"], &allowed["resource"]),
        (Some(0), &json!(true), &json!("client/lamp"))
    );
    let (code, denied) = decision(&["--last-will"]);
    assert_eq!(code, Some(7));
    assert_eq!(
        denied["decision"],
        json!({"effect": "explicit_deny", "document": 2, "statement": 1, "sid": "NoWill", "resource": "*",
            "why": ["denied by policy document 2, statement 1 \"NoWill\" (*)"]})
    );
}

#[test]
fn unreadable_input_exits_with_2() {
    let dir = TempDir::new().unwrap();
    let policy = sample_policy(&dir);
    let unknown = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iot:Connect",
        "Resource": "*", "Condition": {"StringMatches": {"iot:ClientId": "x"}}}});
    let unknown = write(&dir, "unknown.json", &unknown);
    let answer = write(
        &dir,
        "answer.json",
        &json!({"isAuthenticated": true, "policyDocuments": []}),
    );
    let text = dir.path().join("text");
    fs::write(&text, "{").unwrap();
    for (line, why) in [
        (
            vec!["--policy", &unknown, "--action", "connect"],
            "condition operator \"StringMatches\" isn't supported",
        ),
        (
            vec!["--policy", &answer, "--action", "connect"],
            "would not take the Lambda's answer: principalId is missing",
        ),
        (
            vec!["--policy", "/no/such", "--action", "connect"],
            "/no/such: No such file",
        ),
        (
            vec!["--policy", text.to_str().unwrap(), "--action", "connect"],
            "isn't JSON",
        ),
        (
            vec!["--policy", &policy, "--action", "publish"],
            "missing: --topic",
        ),
        (
            vec!["--policy", &policy, "--action", "publish", "--topic", "a/+"],
            "--topic \"a/+\"",
        ),
        (
            vec!["--policy", &policy, "--action", "fly"],
            "invalid value 'fly'",
        ),
        (vec!["--action", "connect"], "--policy"),
    ] {
        let (code, stdout, stderr) = run(&[&["eval"], &line[..]].concat());
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{line:?}");
        assert!(stderr.contains(why), "{why}\n{stderr}");
    }
    assert_eq!(run(&["lint", "--policy", "/no/such"]).0, Some(2));
}

#[test]
fn the_linter_finds_the_usual_mistakes_and_exits_with_7() {
    let dir = TempDir::new().unwrap();
    let arn = |name: &str| format!("arn:aws:iot:eu-west-1:123456789012:{name}");
    let answer = json!({"isAuthenticated": true, "principalId": "a-b", "disconnectAfterInSeconds": 300,
    "refreshAfterInSeconds": 300, "policyDocuments": [{"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": arn("topic/a")},
        {"Effect": "Allow", "Action": "iot:Publish", "Resource": arn("topic/*")},
        {"Effect": "Allow", "Action": "iot:Connect", "Resource": arn("client/lamp-*")},
    ]}]});
    let answer = write(&dir, "answer.json", &answer);
    let line = ["lint", "--policy", &answer, "--client-id", "door-1"];
    let (code, stdout, stderr) = run(&line);
    assert_eq!((code, stderr.as_str()), (Some(7), ""));
    let lines: Vec<&str> = stdout.lines().collect();
    // In the order of the file, which serde_json writes by the names of its members; then those of
    // all documents together.
    for (line, start) in lines.iter().zip([
        "policy document 1, statement 1: iot:Subscribe is asked on topicfilter/, so that topic/a never applies: write topicfilter/a",
        "policy document 1, statement 2: topic/* allows iot:Publish on every topic",
        "the Lambda's answer: principalId must be 1 to 128 ASCII letters and digits",
        "policy: client id \"door-1\" can't connect",
    ]) {
        let text = fs::read_to_string(&answer).unwrap();
        let message = match line.strip_prefix(&format!("{answer}:1:")) {
            Some(placed) => {
                let (column, message) = placed.split_once(": ").unwrap();
                let column: usize = column.parse().unwrap();
                assert!(text[column - 1..].starts_with('"'), "{line}");
                message
            }
            None => line,
        };
        assert!(message.starts_with(start), "{stdout}");
    }
    assert_eq!(lines.len(), 5, "{stdout}");
    assert!(
        lines.iter().any(|line| line.contains("iot:Receive isn't")),
        "{stdout}"
    );
    let (code, stdout, _) = run(&[&line[..], &["--json"]].concat());
    assert_eq!(code, Some(7));
    let objects: Vec<Value> = stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        (&objects[0]["document"], &objects[0]["statement"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        (&objects[0]["file"], &objects[0]["line"]),
        (&json!(answer), &json!(1))
    );
}

/// One run finds every mistake of every file, each with its own line and column.
#[test]
fn the_linter_tells_the_line_and_column_of_each_mistake_in_the_words_of_policies() {
    let dir = TempDir::new().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let policy = file(
        "policy.json",
        r#"{
  "Version": "2012-10-17",
  "Statement": [
    {"Effect": "allow", "Action": "iot:Connect",
     "Resource": "arn:aws:iot:eu-west-1:123456789012:client/a"},
    {"Effect": "Allow", "action": "iot:Publish",
     "Resource": ["arn:aws:iot:eu-west-1:123456789012:topic/a",
                  "lamp/#"],
     "Condition": {"StringMatches": {"iot:ClientId": "x"}}},
    {"Effect": "Allow", "Action": "iot:Publish",
     "Resource": "arn:aws:iot:region:account:topic/a/#"},
    {"Effect": "Deny", "Action": "iot:Publish", "Resource": "*"}
  ]
}"#,
    );
    let broken = file("broken.json", "{\n  \"Version\": \"2012-10-17\",\n}");
    let early = file("early.json", "{\n  \"Version\"\n\n");
    let files = ["--policy", &policy, "--policy", &broken, "--policy", &early];
    let (code, stdout, stderr) = run(&[&["lint"], &files[..]].concat());
    assert_eq!((code, stderr.as_str()), (Some(7), ""));
    let expected = [
        format!(
            r#"{policy}:4:6: policy document 1: statement 1: "Effect" must be "Allow" or "Deny", not "allow""#
        ),
        format!(
            r#"{policy}:6:25: policy document 1: statement 2: "action" must be written "Action""#
        ),
        format!(
            r#"{policy}:8:19: policy document 1: statement 2: the resource "lamp/#" isn't an ARN of AWS IoT (arn:aws:iot:region:account:topic/name)"#
        ),
        format!(
            r#"{policy}:9:20: policy document 1: statement 2: the condition operator "StringMatches" isn't supported by this sandbox"#
        ),
        format!(
            "{policy}:10:5: policy document 1, statement 3: iot:Publish is never allowed: policy document 1, statement 4 (*) denies the same, and a Deny beats every Allow"
        ),
        format!(
            "{policy}:11:6: policy document 1, statement 3: + and # are plain letters in a policy, so that topic/a/# matches no topic: write topic/a/*"
        ),
        format!(
            r#"{policy}:11:6: policy document 1, statement 3: arn:aws:iot:region:account:topic/a/# isn't filled in ("region" is no region, "account" is no account of 12 digits): write what they are, or *"#
        ),
        format!("{broken}:3:1: the file isn't JSON: trailing comma"),
        format!("{early}:2:12: the file isn't JSON: it ends early"),
    ];
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines, expected, "{stdout}");
}

/// A document that an answer holds as its JSON text is told by the place of that text.
#[test]
fn the_linter_reads_documents_that_are_texts() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("answer.json");
    let text = r#"{"isAuthenticated": true, "principalId": "a",
 "policyDocuments": [
  "{\"Version\": \"2012-10-17\", \"Statement\": {\"Effect\": \"Maybe\", \"Action\": \"iot:Connect\", \"Resource\": \"*\"}}"]}"#;
    fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap();
    let (code, stdout, _) = run(&["lint", "--policy", path]);
    assert_eq!(code, Some(7));
    let expected = format!(
        r#"{path}:3:3: policy document 1: statement 1: "Effect" must be "Allow" or "Deny", not "Maybe""#
    );
    assert_eq!(stdout, expected + "\n");
}

#[test]
fn a_deny_without_a_value_is_reported_as_skipped() {
    let dir = TempDir::new().unwrap();
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "iot:Publish", "Resource": "*"},
        {"Effect": "Deny", "Action": "iot:Publish",
         "Resource": "arn:aws:iot:eu-west-1:123456789012:topic/${iot:Connection.Thing.ThingName}"}]});
    let policy = write(&dir, "policy.json", &policy);
    let line = [
        "eval",
        "--policy",
        &policy,
        "--action",
        "iot:Publish",
        "--topic",
        "a",
    ];
    let (code, stdout, _) = run(&line);
    assert_eq!(code, Some(0));
    let skipped = "policy document 1, statement 2 is skipped, though it denies that action: a variable in \
                   topic/${iot:Connection.Thing.ThingName} has no value here";
    assert!(
        stdout.starts_with("allowed ") && stdout.contains(skipped),
        "{stdout}"
    );
    let (_, stdout, _) = run(&[&line[..], &["--json"]].concat());
    let object: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(object["skipped_denials"], json!([skipped]));
}

#[test]
fn a_policy_may_come_from_standard_input() {
    let mut command = auth(&[
        "eval",
        "--policy",
        "-",
        "--action",
        "connect",
        "--client-id",
        SAMPLE_ID,
    ]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let policy = run(&["policy"]).1;
    child
        .stdin
        .take()
        .unwrap()
        .write_all(policy.as_bytes())
        .unwrap();
    assert_eq!(result_of(&child.wait_with_output().unwrap()).0, Some(0));
}

#[test]
fn a_made_key_signs_verifies_and_is_never_overwritten() {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (private, public) = (path("token.pem"), path("token.pub.pem"));
    let (code, stdout, _) = run(&["keygen", "--out", &private]);
    assert_eq!(code, Some(0));
    assert!(
        stdout.contains(&private) && stdout.contains(&public),
        "{stdout}"
    );
    assert!(
        fs::read_to_string(&public)
            .unwrap()
            .starts_with("-----BEGIN PUBLIC KEY-----")
    );
    assert!(is_private(Path::new(&private)));
    let before = fs::read(&private).unwrap();
    let (code, _, stderr) = run(&["keygen", "--out", &private]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("exists already"), "{stderr}");
    assert_eq!(fs::read(&private).unwrap(), before);

    let (_, signature, _) = run(&["sign", "--key", &private, "hello"]);
    let verify = |token: &str, signature: &str| {
        run(&[
            "verify",
            token,
            "--auth-signature",
            signature,
            "--auth-public-key",
            &public,
        ])
    };
    let (code, stdout, _) = verify("hello", signature.trim());
    assert_eq!(code, Some(0));
    assert!(stdout.starts_with("the signature matches"), "{stdout}");
    let (code, _, stderr) = verify("hallo", signature.trim());
    assert_eq!(code, Some(2));
    assert!(
        stderr.contains("error[E-SIGNATURE]: the signature does not match the token"),
        "{stderr}"
    );
    assert_eq!(verify("hello", "AA-_").0, Some(2));
}

#[cfg(unix)]
fn is_private(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).unwrap().permissions().mode() & 0o777 == 0o600
}

#[cfg(not(unix))]
fn is_private(_: &Path) -> bool {
    true
}

#[test]
fn the_user_name_is_that_of_the_sample_and_redacted_on_request() {
    let line = [
        "username",
        "--authorizer-name",
        "MyAuth",
        "--auth-username",
        "alice",
    ];
    let (code, stdout, stderr) = run(&line);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert_eq!(stdout, "alice?x-amz-customauthorizer-name=MyAuth\n");

    let signature = "A".repeat(342) + "==";
    let signed = [
        "--auth-token-key-name",
        "tok",
        "--auth-token-key-value",
        CANARY,
        "--auth-signature",
        &signature,
    ];
    let (code, stdout, stderr) = run(&[&line[..], &signed].concat());
    assert_eq!(code, Some(0));
    assert!(
        stdout.ends_with(&format!("&tok={CANARY}\n")) && !stderr.contains(CANARY),
        "{stdout}{stderr}"
    );
    let (code, stdout, stderr) = run(&[&line[..], &signed, &["--redacted"]].concat());
    assert_eq!(code, Some(0));
    assert_eq!(
        stdout,
        "alice?x-amz-customauthorizer-name=MyAuth&x-amz-customauthorizer-signature=redacted-344-bytes\
         &tok=redacted-11-bytes\n"
    );
    assert!(!stderr.contains(CANARY), "{stderr}");
    assert_eq!(run(&["username"]).0, Some(2));
}
