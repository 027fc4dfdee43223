//! Other people's HTTP clients at the sandbox: boto3, AWS's SDK for JavaScript, and curl; what they
//! publish reaches a subscriber of MQTT.
//!
//! What isn't installed is skipped in one line; with `CI=true` it has to be.

#![expect(clippy::unwrap_used, reason = "a test that can't be set up fails")]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dunlin_sandbox::{
    AccessKey, Answer, Authorizer, ClientCertificates, EventLog, Lambda, Pki, Sandbox,
    SandboxOptions, StateDir,
};
use dunlin_tests::{Program, dunlin};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

const TIMEOUT: Duration = Duration::from_secs(60);

struct Served {
    sandbox: Sandbox,
    log: Arc<Mutex<Vec<String>>>,
    state: TempDir,
}

impl Served {
    async fn start() -> Self {
        let state = TempDir::new().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&log);
        let policy = serde_json::json!({
            "Version": "2012-10-17",
            "Statement": {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}
        });
        let authorizer = Authorizer::new("All", Lambda::Static(Answer::allow("all", policy)));
        let options = SandboxOptions {
            port: 0,
            https_port: Some(0),
            state_dir: Some(state.path().into()),
            authorizers: vec![authorizer],
            default_authorizer: Some("All".into()),
            client_certificates: Some(ClientCertificates::default()),
            access_keys: vec![AccessKey {
                id: "AKIDEXAMPLE".into(),
                secret: "s3cret".into(),
            }],
            log: EventLog::new(move |line| lines.lock().unwrap().push(line.event.to_string())),
            ..SandboxOptions::default()
        };
        Self {
            sandbox: Sandbox::start(options).await.unwrap(),
            log,
            state,
        }
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.sandbox.https_port().unwrap())
    }

    fn logged(&self, part: &str) -> bool {
        self.log
            .lock()
            .unwrap()
            .iter()
            .any(|line| line.contains(part))
    }

    /// Subscriber of MQTT, which prints topic and payload of its messages.
    async fn subscriber(
        &self,
        filter: &str,
        flags: &[&str],
    ) -> (Child, Lines<BufReader<ChildStdout>>) {
        let command = dunlin([
            "sub", "-H", "sandbox", "-q", "1", "-t", filter, "-F", "%t %p",
        ]);
        let mut sub = command
            .args(flags)
            .args([OsStr::new("--state-dir"), self.state.path().as_os_str()])
            .spawn();
        let lines = BufReader::new(sub.stdout.take().unwrap()).lines();
        let subscribed = async {
            while !self.logged(&format!("{filter}  → allow")) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(TIMEOUT, subscribed).await.unwrap();
        (sub, lines)
    }

    /// Adds URL, CA and access key to the arguments of a script.
    fn with_key(&self, mut command: Command, secret: &str) -> Command {
        command
            .args([
                "--url",
                &self.url(),
                "--key",
                "AKIDEXAMPLE",
                "--secret",
                secret,
            ])
            .arg("--ca")
            .arg(self.sandbox.ca_path());
        command
    }
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("foreign")
        .join(name)
}

/// Text that a command prints; it has to succeed.
async fn printed(mut command: Command) -> String {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let Output {
        status,
        stdout,
        stderr,
    } = timeout(TIMEOUT, output).await.unwrap().unwrap();
    let (stdout, stderr) = (
        String::from_utf8_lossy(&stdout).into_owned(),
        String::from_utf8_lossy(&stderr).into_owned(),
    );
    assert!(status.success(), "{stdout}\n{stderr}");
    stdout
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_publishes_reads_and_lists_and_its_errors_have_names() {
    let Some(python) = Program::Boto3.find() else {
        return;
    };
    let served = Served::start().await;
    let boto3 = || {
        let mut command = Command::new(&python);
        command.arg(script("boto3_data_plane.py"));
        command
    };
    assert_eq!(
        printed(served.with_key(boto3(), "s3cret")).await,
        "publish: boto/1\n\
         publish: boto/2\n\
         get_retained_message: [\"boto/1\", \"hello\", 1, [{\"k\": \"v\"}]]\n\
         list_retained_messages: [[\"boto/1\"], [\"boto/2\"]]\n\
         get_retained_message: ResourceNotFoundException 404\n\
         publish: InvalidRequestException 400\n\
         publish: RequestEntityTooLargeException 413\n"
    );
    assert!(served.logged("its signature is right; no IoT policy applies"));
    assert!(served.logged("x-amz-mqtt5-user-properties is encoded twice"));
    assert_eq!(
        printed(served.with_key(boto3(), "wrong")).await,
        "publish: ForbiddenException 403\n"
    );
    assert!(served.logged("403 (the signature isn't that of this request"));
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_describes_and_ends_a_connection_and_sends_its_client_a_message() {
    let Some(python) = Program::Boto3.find() else {
        return;
    };
    let served = Served::start().await;
    let (_sub, mut lines) = served
        .subscriber("direct/#", &["--client-id", "lamp/7"])
        .await;
    let mut command = Command::new(&python);
    command
        .arg(script("boto3_connections.py"))
        .args(["--client", "lamp/7"]);
    let told = printed(served.with_key(command, "s3cret")).await;
    if told == "no connection API\n" {
        // The model of an older boto3 doesn't have these operations.
        return Program::Boto3.skip_as_too_old();
    }
    assert_eq!(
        told,
        "get_connection: [true, \"lamp/7\", true, \"127.0.0.1\", \"127.0.0.1\"]\n\
         list_subscriptions: [[{\"topicFilter\": \"direct/#\", \"qos\": 1}]]\n\
         send_direct_message: [\"OK\"]\n\
         send_direct_message: InvalidRequestException 400\n\
         delete_connection: []\n\
         get_connection: [false, \"API_INITIATED_DISCONNECT\"]\n\
         delete_connection: ResourceNotFoundException 404\n\
         list_subscriptions: ResourceNotFoundException 404\n\
         send_direct_message: ResourceNotFoundException 404\n"
    );
    let line = timeout(TIMEOUT, lines.next_line()).await.unwrap().unwrap();
    assert_eq!(line.as_deref(), Some("direct/1 hello"));
    assert!(served.logged("disconnect lamp/7  0x98"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_of_aws_for_javascript_publishes_and_reads() {
    let (Some(node), Some(modules)) = (Program::Node.find(), Program::AwsSdkForJavaScript.find())
    else {
        return;
    };
    let served = Served::start().await;
    let sdk = || {
        let mut command = Command::new(&node);
        command.arg(script("aws_sdk_data_plane.js"));
        command.arg("--modules").arg(&modules);
        command
    };
    assert_eq!(
        printed(served.with_key(sdk(), "s3cret")).await,
        "retained: js/1 hello [{\"k\":\"v\"}]\nerror: ResourceNotFoundException 404\n"
    );
    assert_eq!(
        printed(served.with_key(sdk(), "wrong")).await,
        "error: ForbiddenException 403\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_publishes_with_an_authorizer_and_a_subscriber_gets_it() {
    let Some(curl) = Program::Curl.find() else {
        return;
    };
    let served = Served::start().await;
    let (_sub, mut lines) = served.subscriber("curl/#", &["--count", "1"]).await;

    let signature = served.sandbox.sign("hello").unwrap();
    let publish = |token: &str, topic: &str| {
        let mut command = Command::new(&curl);
        command
            .args(["--silent", "--show-error", "--write-out", " %{http_code}"])
            .arg("--cacert")
            .arg(served.sandbox.ca_path())
            .args(["-H", "x-amz-customauthorizer-name: DemoSigned"])
            .args([
                "-H",
                &format!("x-amz-customauthorizer-signature: {signature}"),
            ])
            .args(["-H", &format!("tok: {token}"), "--data", "hello"])
            .arg(format!("{}/topics/{topic}?qos=1", served.url()));
        command
    };
    // The policy of the demonstration allows this topic alone.
    let answer = printed(publish("hello", "test/topic")).await;
    assert!(
        answer.contains("\"message\":\"OK\"") && answer.ends_with(" 200"),
        "{answer}"
    );
    for (token, topic) in [("other", "test/topic"), ("hello", "another")] {
        let answer = printed(publish(token, topic)).await;
        assert!(
            answer.contains("\"message\":\"Forbidden\"") && answer.ends_with(" 403"),
            "{answer}"
        );
    }
    let mut command = Command::new(&curl);
    command
        .args(["--silent", "--data", "hello", "--cacert"])
        .arg(served.sandbox.ca_path())
        .arg(format!("{}/topics/curl/1?qos=1", served.url()));
    printed(command).await;
    let line = timeout(TIMEOUT, lines.next_line()).await.unwrap().unwrap();
    assert_eq!(line.as_deref(), Some("curl/1 hello"));
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_publishes_with_a_client_certificate_by_its_policy() {
    let Some(curl) = Program::Curl.find() else {
        return;
    };
    let served = Served::start().await;
    let pki = Pki::open(&StateDir::at(served.state.path())).unwrap();
    let files = pki.write_client("lamp-7").unwrap();
    let (_sub, mut lines) = served.subscriber("test/#", &["--count", "1"]).await;
    // With ALPN, which offers `http/1.1`, and without.
    for alpn in ["--alpn", "--no-alpn"] {
        for (topic, status) in [("other", 403), ("test/topic", 200)] {
            let mut command = Command::new(&curl);
            command
                .args(["--silent", "--show-error", "--write-out", " %{http_code}"])
                .args([alpn, "--data", "hello", "--cacert"])
                .arg(served.sandbox.ca_path())
                .arg("--cert")
                .arg(&files.certificate)
                .arg("--key")
                .arg(&files.key)
                .arg(format!("{}/topics/{topic}?qos=1", served.url()));
            let answer = printed(command).await;
            assert!(answer.ends_with(&format!(" {status}")), "{alpn}: {answer}");
        }
    }
    let line = timeout(TIMEOUT, lines.next_line()).await.unwrap().unwrap();
    assert_eq!(line.as_deref(), Some("test/topic hello"));
    assert!(served.logged("http certificate of lamp-7 → allow"));
}
