//! `--lambda` and config files, with programs that do what no handler should.

use std::time::Duration;

use dunlin_tests::{Program, dunlin};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::{Process, wait_until_gone, write};

const ANSWER: &str = r#"{"isAuthenticated": true, "principalId": "p", "disconnectAfterInSeconds": 86400,
    "refreshAfterInSeconds": 300, "policyDocuments": [{"Version": "2012-10-17", "Statement":
    {"Effect": "Allow", "Action": "iot:*", "Resource": "arn:aws:iot:eu-west-1:123456789012:*"}}]}"#;

#[tokio::test]
async fn a_command_gets_the_event_of_aws_and_decides() {
    let dir = TempDir::new().unwrap();
    let (answer, event) = (
        write(&dir, "answer.json", ANSWER),
        write(&dir, "event.json", ""),
    );
    let command = format!("sh -c \"cat > {event}; cat {answer}\"");
    let process = Process::start_in(dir, &["--lambda", &command]).await;
    process
        .sample("Lambda", "alice", "s3cret")
        .run()
        .await
        .exits(0);
    let event: Value = serde_json::from_slice(&std::fs::read(&event).unwrap()).unwrap();
    let mqtt = &event["protocolData"]["mqtt"];
    assert_eq!(event["signatureVerified"], false);
    assert_eq!(event["protocols"], json!(["tls", "mqtt"]));
    assert_eq!(
        event["protocolData"]["tls"],
        json!({"serverName": "localhost"})
    );
    assert_eq!(mqtt["username"], "alice?x-amz-customauthorizer-name=Lambda");
    assert_eq!(mqtt["password"], "czNjcmV0");
    assert!(
        mqtt["clientId"]
            .as_str()
            .unwrap()
            .starts_with("mqtt5-sample-")
    );
    assert_eq!(
        event["connectionMetadata"]["id"].as_str().unwrap().len(),
        36
    );
    process.stop().await;
}

#[tokio::test]
async fn each_fault_of_a_lambda_is_one_clear_line() {
    let policies = |documents: usize| {
        let document = json!({"Version": "2012-10-17", "Statement": []});
        json!({"isAuthenticated": true, "principalId": "p", "policyDocuments": vec![document; documents],
            "disconnectAfterInSeconds": 300, "refreshAfterInSeconds": 300})
    };

    // One authorizer for each mistake of a Lambda.
    let dir = TempDir::new().unwrap();
    write(&dir, "eleven.json", &policies(11).to_string());
    let config = write(
        &dir,
        "sandbox.toml",
        r#"
        authorizer = [
            { name = "Exit", lambda.exec = ["sh", "-c", "echo 'no module named boto4' >&2; exit 3"] },
            { name = "Chatty", lambda.exec = ["sh", "-c", "echo hello; echo {}"] },
            { name = "Cut", lambda.exec = ["echo", '{"isAuthenticated": tru'] },
            { name = "Nothing", lambda.exec = ["echo", "null"] },
            { name = "Gateway", lambda.exec = ["echo", '{"principalId": "u", "policyDocument": {}}'] },
            { name = "Eleven", lambda.exec = ["cat", "eleven.json"] },
            { name = "Typed", lambda.exec = ["echo", '{"isAuthenticated": true, "principalId": 7}'] },
            { name = "Raised", lambda.exec = ["echo", '{"errorMessage": "boom", "errorType": "KeyError"}'] },
        ]
        "#,
    );
    let process = Process::start_in(dir, &["--config", &config]).await;
    let faults = [
        ("Exit", "its program ended with exit status: 3"),
        (
            "Chatty",
            "its answer isn't JSON (expected value at line 1 column 1)",
        ),
        ("Cut", "its answer ends early, at line 1 column 23"),
        (
            "Nothing",
            "it returned nothing (None in Python, undefined or null in Node)",
        ),
        (
            "Gateway",
            "it is an answer for API Gateway (policyDocument); AWS IoT wants isAuthenticated",
        ),
        (
            "Eleven",
            "policyDocuments has 11 documents; at most 10 are allowed",
        ),
        (
            "Typed",
            "principalId must be a string; policyDocuments is missing",
        ),
        ("Raised", "it failed with KeyError"),
    ];

    // Each of them refuses its client.
    for (authorizer, _) in faults {
        process
            .sample(authorizer, "alice", "s3cret")
            .run()
            .await
            .exits(5);
    }

    // The log names the mistake in one line.
    let log = process.stop().await.stdout;
    for (authorizer, fault) in faults {
        let line = log
            .lines()
            .find(|line| line.contains(&format!("{authorizer} → refuse 0x87 (")));
        assert!(
            line.is_some_and(|line| line.contains(fault)),
            "{fault}\n{log}"
        );
    }

    // What the Lambda printed or reported is logged as well.
    assert!(
        log.contains("lambda    Exit  no module named boto4\n"),
        "{log}"
    );
    assert!(log.contains("lambda    Raised  boom\n"), "{log}");
}

#[tokio::test]
async fn a_missing_program_is_reported_at_the_start_with_the_searched_path() {
    let dir = TempDir::new().unwrap();
    let here = dir.path().display();
    write(&dir, "plain.sh", "");
    let exec = "[[authorizer]]\nname = 'A'\nlambda.exec = ['./plain.sh']\n";
    let handler =
        "[[authorizer]]\nname = 'A'\nlambda.handler = 'gone.fn'\nlambda.runtime = 'node'\n";
    let program = write(&dir, "program.toml", exec);
    let module = write(&dir, "handler.toml", handler);
    write(
        &dir,
        "inactive.toml",
        &exec.replace("lambda", "status = 'inactive'\nlambda"),
    );
    let mut mistakes = vec![
        (
            ["--lambda", "no-such-program x"],
            "there is no program no-such-program in PATH (".to_owned(),
        ),
        (
            ["--lambda", "/no/such/run.sh"],
            "there is no program run.sh in /no/such".to_owned(),
        ),
        (
            ["--lambda", "/"],
            "/ is a folder; name a program, or the file of a handler in it".to_owned(),
        ),
        (
            ["--lambda", "/no/such/handler.py"],
            "--lambda: there is no folder /no/such".to_owned(),
        ),
        (
            ["--config", &program],
            format!("{here}/plain.sh can't be executed (chmod +x makes it a program)"),
        ),
    ];
    // A missing interpreter is told before a missing file.
    if Program::Python.is_installed() {
        let told = "there is no file run.py in /no/such".to_owned();
        mistakes.push((["--lambda", "python3 /no/such/run.py"], told));
    }
    if Program::Node.is_installed() {
        let told = format!("there is no gone.js or gone.mjs or gone.cjs in {here}");
        mistakes.push((["--config", &module], told));
    }
    for (words, told) in mistakes {
        let run = dunlin(["sandbox", "--port", "0"])
            .args(words)
            .env("DUNLIN_STATE_DIR", dir.path());
        let run = run.run().await;
        run.exits(2);
        assert!(run.error_line().contains(&told), "{told}\n{}", run.stderr);
    }
    // One that isn't active may be incomplete.
    let inactive = dir
        .path()
        .join("inactive.toml")
        .to_str()
        .unwrap()
        .to_owned();
    Process::start_in(dir, &["--config", &inactive])
        .await
        .stop()
        .await;
}

#[tokio::test]
async fn no_child_stays_after_sigkill() {
    let dir = TempDir::new().unwrap();
    let pids = write(&dir, "pids", "");
    let command = format!("sh -c \"sleep 600 & echo $$ $! > {pids}; wait\"");
    let mut process = Process::start_in(dir, &["--lambda", &command]).await;
    let waiting = process.sample("Lambda", "alice", "s3cret").spawn();
    let running = async {
        loop {
            let text = std::fs::read_to_string(&pids).unwrap();
            if text.ends_with('\n') {
                return text;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    let running = timeout(Duration::from_secs(10), running).await.unwrap();
    process.child.kill().await.unwrap();
    for pid in running.split_whitespace() {
        wait_until_gone(pid).await;
    }
    drop(waiting);
}

#[tokio::test]
async fn a_lambda_does_not_inherit_secrets_of_the_shell() {
    let dir = TempDir::new().unwrap();
    let (answer, environment) = (
        write(&dir, "answer.json", ANSWER),
        write(&dir, "environment", ""),
    );
    let command = format!("sh -c \"env > {environment}; cat {answer}\"");
    let words = [
        "--lambda",
        &command,
        "--lambda-env",
        "SHOWN",
        "--lambda-env",
        "TABLE=dev",
    ];
    let process = Process::start_with(dir, &words, |tool| {
        let tool = tool
            .env("AWS_SECRET_ACCESS_KEY", "canary-4711")
            .env("SHOWN", "x");
        tool.env("DUNLIN_AUTH_PASSWORD", "canary-4711")
    })
    .await;
    process
        .sample("Lambda", "alice", "s3cret")
        .run()
        .await
        .exits(0);
    let environment = std::fs::read_to_string(&environment).unwrap();
    assert!(!environment.contains("canary-4711"), "{environment}");
    for variable in ["SHOWN=x\n", "TABLE=dev\n", "PATH="] {
        assert!(environment.contains(variable), "{variable}: {environment}");
    }
    process.stop().await;
}

#[tokio::test]
async fn the_output_of_a_lambda_is_in_the_json_log_complete_and_by_line() {
    let dir = TempDir::new().unwrap();
    let answer = write(&dir, "answer.json", ANSWER);
    let command = format!("sh -c \"printf '%065536d\\nsecond' 0 >&2; cat {answer}\"");
    let process = Process::start_in(dir, &["--lambda", &command, "--json"]).await;
    process
        .sample("Lambda", "alice", "s3cret")
        .run()
        .await
        .exits(0);
    let events = process.events().await;
    let printed: Vec<&Value> = events
        .iter()
        .filter(|event| event["event"] == "lambda")
        .collect();
    assert_eq!(printed.len(), 2, "{printed:?}");
    assert_eq!(printed[0]["text"], "0".repeat(65_536));
    assert_eq!(
        (&printed[1]["text"], &printed[1]["authorizer"]),
        (&json!("second"), &json!("Lambda"))
    );
}

#[tokio::test]
async fn the_time_of_a_call_is_a_setting() {
    let process = Process::start(&["--lambda", "sleep 600", "--lambda-timeout", "300ms"]).await;
    process
        .sample("Lambda", "alice", "s3cret")
        .run()
        .await
        .exits(5);
    let log = process.stop().await.stdout;
    assert!(
        log.contains("failed: it gave no answer within 0.3 s"),
        "{log}"
    );
}

#[tokio::test]
async fn a_program_that_takes_too_long_is_ended_and_the_sandbox_stops_at_once_all_the_same() {
    let process = Process::start(&["--lambda", "sleep 600"]).await;
    let slow = process.sample("Lambda", "alice", "s3cret").run().await;
    slow.exits(5);
    assert!(
        slow.took > Duration::from_secs(4) && slow.took < Duration::from_secs(15),
        "{:?}",
        slow.took
    );
    let waiting = process.sample("Lambda", "alice", "s3cret").spawn();
    let run = process.stop().await;
    assert!(
        run.stdout.contains("failed: it gave no answer within 5 s"),
        "{}",
        run.stdout
    );
    assert!(run.took < Duration::from_secs(5), "{:?}", run.took);
    drop(waiting);
}

#[tokio::test]
async fn a_refresh_replaces_the_policy_and_a_denial_ends_the_connection() {
    let dir = TempDir::new().unwrap();
    write(&dir, "answer.json", ANSWER);
    // The first call allows, the second doesn't.
    let script = "cat > event; if [ -e again ]; then echo '{\"isAuthenticated\": false}'; fi; \
                  [ -e again ] || cat answer.json; touch again";
    let config = write(
        &dir,
        "sandbox.toml",
        &format!(
            "time_scale = 300\n[[authorizer]]\nname = 'A'\nlambda.exec = ['sh', '-c', '''{script}''']"
        ),
    );
    let process = Process::start_in(dir, &["--config", &config, "--json"]).await;
    let sample =
        process
            .sample("A", "alice", "s3cret")
            .args(["--count", "100", "--interval", "100ms"]);
    sample.args(["--reconnect", "0"]).run().await.exits(8);
    let events = process.events().await;
    let event = |name: &str| events.iter().find(|event| event["event"] == name).unwrap();
    assert_eq!(event("connect")["decision"]["effect"], "allow");
    assert_eq!(event("connect")["decision"]["statement"], 1);
    assert_eq!(event("refresh")["allowed"], false);
    assert!(
        event("disconnect")["reason"]
            .as_str()
            .unwrap()
            .starts_with("0x87: "),
        "{events:?}"
    );
}

#[tokio::test]
async fn strict_arns_compare_region_and_account() {
    let dir = TempDir::new().unwrap();
    write(&dir, "answer.json", ANSWER);
    let config = write(
        &dir,
        "sandbox.toml",
        "[[authorizer]]\nname = 'A'\nlambda.static = 'answer.json'",
    );
    let line = [
        "--config",
        config.as_str(),
        "--explain-decisions",
        "--strict-arns",
    ];
    let here = Process::start(&[&line[..], &["eu-west-1:123456789012"]].concat()).await;
    here.sample("A", "alice", "s3cret").run().await.exits(0);
    here.stop().await;
    let elsewhere = Process::start(&[&line[..], &["eu-west-1:000000000000"]].concat()).await;
    elsewhere
        .sample("A", "alice", "s3cret")
        .run()
        .await
        .exits(5);
    let log = elsewhere.stop().await.stdout;
    let why = "policy document 1, statement 1 is for another region or account than eu-west-1:000000000000";
    assert!(log.contains(why), "{log}");
    assert!(
        log.contains("policies       region and account must be eu-west-1:000000000000\n"),
        "{log}"
    );
}

#[tokio::test]
async fn a_config_file_that_is_wrong_is_refused_with_its_line_and_key() {
    let dir = TempDir::new().unwrap();
    let config = write(
        &dir,
        "sandbox.toml",
        "port = 0\n[[authorizer]]\nname = 'A'\nlambda.url = 'https://x'\n",
    );
    let run = dunlin(["sandbox", "--config", &config])
        .env("DUNLIN_STATE_DIR", dir.path())
        .run()
        .await;
    run.exits(2);
    let line = run.error_line();
    assert!(
        line.contains("sandbox.toml:4: lambda: write it as http://HOST:PORT"),
        "{line}"
    );

    // Without a file: a flag whose command is empty or has an open quote.
    for command in ["", "sh -c 'unclosed"] {
        let run = dunlin(["sandbox", "--lambda", command])
            .env("DUNLIN_STATE_DIR", dir.path())
            .run()
            .await;
        run.exits(2);
        assert!(
            run.error_line()
                .contains("--lambda needs a file with a handler"),
            "{}",
            run.stderr
        );
    }
}

#[tokio::test]
async fn a_token_may_be_signed_with_any_of_the_keys_and_with_no_other() {
    let dir = TempDir::new().unwrap();
    write(&dir, "answer.json", ANSWER);
    let mut keys = Vec::new();
    for name in ["old.pem", "new.pem", "other.pem"] {
        let key = dir.path().join(name).to_str().unwrap().to_owned();
        dunlin(["auth", "keygen", "--out", &key])
            .run()
            .await
            .exits(0);
        keys.push(key);
    }

    // Two of the three keys are the authorizer's.
    let config = write(
        &dir,
        "sandbox.toml",
        "[[authorizer]]\nname = 'Signed'\ntoken_key_name = 'tok'\npublic_key = 'old.pub.pem'\n\
         public_keys = ['new.pub.pem']\nlambda.static = 'answer.json'\n",
    );
    let process = Process::start_in(dir, &["--config", &config]).await;

    // Exit code 5 is a refusal.
    for (key, code) in keys.iter().zip([0, 0, 5]) {
        let signed = [
            "--auth_token_key_name",
            "tok",
            "--auth_token_key_value",
            "hello",
            "--auth-signing-key",
            key,
        ];
        process
            .sample("Signed", "alice", "s3cret")
            .args(signed)
            .run()
            .await
            .exits(code);
    }
    let log = process.stop().await.stdout;
    assert!(
        log.contains("refused the token signature: it doesn't match the token (RS256)"),
        "{log}"
    );
    assert!(
        log.contains("               Signed (token key \"tok\", signed)\n"),
        "{log}"
    );
}
