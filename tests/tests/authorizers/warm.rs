//! Handlers as they run at AWS: unchanged, with AWS's event and context, in processes that stay for
//! the next call.

use std::path::{Path, PathBuf};

use dunlin_tests::{Program, dunlin};
use serde_json::Value;
use tempfile::TempDir;

use crate::{Process, write};

/// Handlers in the form of AWS's documented samples.
fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("foreign/lambdas")
}

async fn handler_runs_unchanged(file: &str) {
    let file = samples().join(file).to_str().unwrap().to_owned();
    let process = Process::start(&["--lambda", &file]).await;
    process
        .sample("Lambda", "alice", "open-sesame")
        .run()
        .await
        .exits(0);
    process
        .sample("Lambda", "mallory", "guess")
        .run()
        .await
        .exits(5);
    let log = process.stop().await.stdout;
    assert!(
        log.contains("Lambda → allow (policy: connect as mqtt5-sample-*"),
        "{log}"
    );
}

#[tokio::test]
async fn a_sample_of_aws_in_python_runs_unchanged() {
    if Program::Python.is_installed() {
        handler_runs_unchanged("lambda_function.py").await;
    }
}

#[tokio::test]
async fn a_sample_of_aws_with_a_callback_runs_unchanged() {
    if Program::Node.is_installed() {
        handler_runs_unchanged("index.js").await;
    }
}

#[tokio::test]
async fn an_es_module_runs_unchanged() {
    if Program::Node.is_installed() {
        handler_runs_unchanged("authorizer.mjs").await;
    }
}

/// Handler that counts its calls, and shows what AWS gives it.
pub(crate) const PYTHON: &str = r#"
import json, logging, os, subprocess, sys
logging.getLogger().setLevel(logging.INFO)
calls = 0

def lambda_handler(event, context):
    global calls
    calls += 1
    user = event["protocolData"]["mqtt"]["username"].split("?")[0]
    print(f"call {calls} of {user}")
    if user == "log":
        logging.info("to the log")
        sys.stdout.write("no line feed")
        subprocess.run(["echo", "from a child"])
        print("x" * 5000)
        for number in range(3000):
            print(f"line {number} of three thousand")
    if user == "facts":
        facts = {"left": context.get_remaining_time_in_millis(), "event": event, "env": dict(os.environ)}
        for name in ["aws_request_id", "function_name", "function_version", "invoked_function_arn",
                     "memory_limit_in_mb", "log_group_name", "log_stream_name"]:
            facts[name] = getattr(context, name)
        print("FACTS" + json.dumps(facts))
    if user == "raise":
        return event["no such key"]
    if user == "exit":
        sys.exit(3)
    if user == "none":
        return None
    if user == "set":
        return {1, 2}
    policy = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}}
    return {"isAuthenticated": True, "principalId": "p", "policyDocuments": [policy]}
"#;

#[tokio::test]
async fn a_python_handler_stays_and_has_what_aws_gives_it() {
    if !Program::Python.is_installed() {
        return;
    }
    let dir = TempDir::new().unwrap();
    let file = write(&dir, "handler.py", PYTHON);
    // A module of the same name as one of Python's must not break what runs the handler.
    write(
        &dir,
        "decimal.py",
        "raise RuntimeError('not for the runner')\n",
    );
    let process = Process::start_in(
        dir,
        &[
            "--lambda",
            &file,
            "--strict-arns",
            "eu-central-1:000000000042",
        ],
    )
    .await;
    for (user, code) in [
        ("log", 0),
        ("facts", 0),
        ("raise", 5),
        ("none", 5),
        ("set", 5),
        ("exit", 5),
        ("log", 0),
    ] {
        process.sample("Lambda", user, "x").run().await.exits(code);
    }
    let folder = process.dir.path().to_str().unwrap().to_owned();
    let log = process.stop().await.stdout;
    for line in [
        "lambda    Lambda  call 1 of log\n",
        "  to the log\n",
        "lambda    Lambda  no line feedfrom a child\n",
        &format!("lambda    Lambda  {}\n", "x".repeat(5000)),
        "lambda    Lambda  call 2 of facts\n",
        "lambda    Lambda  [ERROR] KeyError: 'no such key'\n",
        "handler.py\", line 25, in lambda_handler\n",
        "failed: it failed with KeyError)",
        "lambda    Lambda  call 4 of none\n",
        "it returned nothing (None in Python, undefined or null in Node)",
        "lambda    Lambda  [ERROR] Runtime.MarshalError: Unable to marshal response: Object of type set is not",
        "lambda    Lambda  call 6 of exit\n",
        "failed: its program ended with exit status: 3)",
    ] {
        assert!(log.contains(line), "{line}\n{log}");
    }
    assert_eq!(
        log.matches(" of three thousand\n").count(),
        2 * 3000,
        "{log}"
    );
    assert_eq!(
        log.matches("call 1 of log").count(),
        2,
        "a process that has ended is replaced\n{log}"
    );
    let facts = log
        .lines()
        .find_map(|line| line.split_once("FACTS"))
        .unwrap()
        .1;
    let facts: Value = serde_json::from_str(facts).unwrap();
    assert_eq!(facts["function_name"], "Lambda");
    assert_eq!(
        facts["invoked_function_arn"],
        "arn:aws:lambda:eu-central-1:000000000042:function:Lambda"
    );
    assert_eq!(facts["env"]["AWS_REGION"], "eu-central-1");
    assert_eq!(facts["env"]["AWS_LAMBDA_FUNCTION_NAME"], "Lambda");
    assert_eq!(facts["env"]["LAMBDA_TASK_ROOT"], folder);
    assert_eq!(facts["aws_request_id"].as_str().unwrap().len(), 36);
    assert_eq!(facts["event"]["protocolData"]["mqtt"]["password"], "eA==");
    assert!(
        (1..=5000).contains(&facts["left"].as_u64().unwrap()),
        "{facts}"
    );
}

const NODE: &str = r#"
let calls = 0;
const answer = { isAuthenticated: true, principalId: "p", policyDocuments: [
  { Version: "2012-10-17", Statement: { Effect: "Allow", Action: "iot:*", Resource: "*" } }] };
exports.one = { check(event, context, callback) {
  const user = event.protocolData.mqtt.username.split("?")[0];
  console.log(`call ${++calls} of ${user}`);
  switch (user) {
    case "later": return void setTimeout(() => callback(null, answer), 50);
    case "promise": return Promise.resolve(JSON.stringify(answer));
    case "done": return context.done(null, answer);
    case "fail": return callback(new TypeError("no"));
    case "throw": throw new RangeError("too far");
    case "never": return;
    case "exit": process.exit(4);
    case "print": process.stdout.write("no line feed"); require("child_process").execFileSync("echo", ["from a child"], { stdio: "inherit" });
  }
  callback(null, answer);
} };
exports.returned = () => answer;
// Each call that isn't the first settles the promise of the one before it, while its own answer is still to come.
let settle = () => {};
exports.overlapping = (event, context, callback) => {
  settle({ isAuthenticated: false });
  setTimeout(() => callback(null, answer), 50);
  return new Promise((resolve) => (settle = resolve));
};
"#;

#[tokio::test]
async fn a_node_handler_answers_by_callback_by_promise_or_by_returning() {
    if !Program::Node.is_installed() {
        return;
    }
    let dir = TempDir::new().unwrap();
    write(&dir, "handler.cjs", NODE);
    write(
        &dir,
        "broken.mjs",
        "import nothing from 'no-such-package'; export const handler = () => nothing;",
    );
    let config = r#"authorizer = [
        { name = "A", lambda.handler = "handler.one.check", lambda.runtime = "nodejs22.x" },
        { name = "B", lambda.handler = "handler.cjs:returned" },
        { name = "C", lambda.handler = "broken.mjs" },
        { name = "D", lambda.handler = "handler.cjs:gone" },
    ]"#;
    let config = write(&dir, "sandbox.toml", config);
    let process = Process::start_in(dir, &["--config", &config]).await;
    for (user, code) in [
        ("later", 0),
        ("promise", 0),
        ("done", 0),
        ("fail", 5),
        ("throw", 5),
        ("never", 5),
        ("print", 0),
        ("exit", 5),
        ("later", 0),
    ] {
        process.sample("A", user, "x").run().await.exits(code);
    }
    process.sample("B", "alice", "x").run().await.exits(0);
    process.sample("C", "alice", "x").run().await.exits(5);
    process.sample("D", "alice", "x").run().await.exits(5);
    let log = process.stop().await.stdout;
    for line in [
        "lambda    A  call 1 of later\n",
        "lambda    A  [ERROR] TypeError: no\n",
        "A → refuse 0x87 (the Lambda of the authorizer \"A\" failed: it failed with RangeError)",
        "A → refuse 0x87 (the answer of the Lambda of the authorizer \"A\" isn't usable: it returned nothing",
        "lambda    A  no line feedfrom a child\n",
        "lambda    A  call 8 of exit\n",
        "failed: its program ended with exit status: 4)",
        "failed: it failed with Runtime.ImportModuleError)",
        "lambda    C  [ERROR] Runtime.ImportModuleError: Cannot find package 'no-such-package'",
        "failed: it failed with Runtime.HandlerNotFound)",
    ] {
        assert!(log.contains(line), "{line}\n{log}");
    }
    assert_eq!(log.matches("call 1 of later").count(), 2, "{log}");
}

/// Both processes return from the handler, and both go on to answer requests.
#[tokio::test]
async fn a_second_answer_to_a_request_is_not_the_answer_to_the_next_one() {
    if !Program::Python.is_installed() {
        return;
    }
    let dir = TempDir::new().unwrap();
    let handler = "import os\n\ndef lambda_handler(event, context):\n    \
        user = event['protocolData']['mqtt']['username'].split('?')[0]\n    \
        if user == 'fork':\n        os.fork()\n    \
        return {'isAuthenticated': user != 'deny', 'principalId': 'p', 'policyDocuments': [{'Version': '2012-10-17', \
        'Statement': {'Effect': 'Allow', 'Action': 'iot:*', 'Resource': '*'}}]}\n";
    let file = write(&dir, "handler.py", handler);
    let process = Process::start_in(dir, &["--lambda", &file]).await;
    for (user, code) in [
        ("fork", 0),
        ("deny", 5),
        ("deny", 5),
        ("alice", 0),
        ("deny", 5),
        ("alice", 0),
    ] {
        process.sample("Lambda", user, "x").run().await.exits(code);
    }
    let log = process.stop().await.stdout;
    assert!(
        log.contains("[dunlin] a second answer to an earlier request is ignored"),
        "{log}"
    );
}

#[tokio::test]
async fn output_of_a_node_handler_after_its_answer_does_not_answer_the_next_call() {
    if !Program::Node.is_installed() {
        return;
    }
    let dir = TempDir::new().unwrap();
    let file = write(&dir, "handler.cjs", NODE);
    let process = Process::start_in(dir, &["--lambda", &format!("{file}:overlapping")]).await;
    process.sample("Lambda", "first", "x").run().await.exits(0);
    process.sample("Lambda", "second", "x").run().await.exits(0);
    process.stop().await;
}

/// 20 clients, or 200 with DUNLIN_FULL=1: all get in, by a handful of processes.
#[tokio::test]
async fn a_python_handler_accepts_many_clients_at_once() {
    if !Program::Python.is_installed() {
        return;
    }
    let is_full = std::env::var_os("DUNLIN_FULL").is_some_and(|full| full == "1");
    let clients = if is_full { 200 } else { 20 };
    let dir = TempDir::new().unwrap();
    let code = PYTHON.replace("call {calls}", "process {os.getpid()}, call {calls}");
    let file = write(&dir, "handler.py", &code);
    let process = Process::start_in(dir, &["--lambda", &file]).await;
    let bench = dunlin([
        "bench",
        "connect",
        "--endpoint",
        "sandbox",
        "--connect-rate",
        "0",
        "--json",
    ])
    .args([
        "--clients",
        &clients.to_string(),
        "--authorizer_name",
        "Lambda",
        "--auth_username",
        "device",
    ])
    .args(["--auth_password", "x"])
    .env("DUNLIN_STATE_DIR", process.dir.path());
    let run = bench.run().await;
    run.exits(0);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(
        (&report["connected"], &report["errors"]),
        (&clients.into(), &serde_json::json!({})),
        "{report}"
    );
    let log = process.stop().await.stdout;
    let mut processes: Vec<&str> = log
        .lines()
        .filter_map(|line| line.split_once("process "))
        .map(|(_, text)| text)
        .collect();
    assert_eq!(processes.len(), clients, "{log}");
    processes = processes
        .into_iter()
        .filter_map(|text| text.split(',').next())
        .collect();
    processes.sort_unstable();
    processes.dedup();
    assert!((1..=16).contains(&processes.len()), "{processes:?}");
    println!(
        "{clients} clients at once: all let in by {} processes in {:?}; until CONNACK {}",
        processes.len(),
        run.took,
        report["connect_ms"]
    );
}
