//! Other people's clients over WebSocket at the sandbox, in each way that AWS documents for a custom
//! authorizer: MQTT.js in Node, MQTT.js in a headless Chromium, and AWS's SDK for Python.
//!
//! What isn't installed is skipped in one line; with `CI=true` it has to be.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can't be set up fails"
)]

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dunlin_sandbox::{AccessKey, EventLog, Sandbox, SandboxOptions};
use dunlin_tests::Program;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

const TIMEOUT: Duration = Duration::from_secs(60);
const NAME: &str = "x-amz-customauthorizer-name";
const SIGNATURE: &str = "x-amz-customauthorizer-signature";
/// Outcomes that the scripts print.
const RECEIVED: &str = "received: test/topic hello";
/// Reason code 0x87, Not authorized.
const REFUSED: &str = "refused: 135";

struct Served {
    sandbox: Sandbox,
    /// Signature of the token `hello`.
    signature: String,
    log: Arc<Mutex<Vec<String>>>,
    _state: TempDir,
}

impl Served {
    async fn start() -> Self {
        Self::with_keys(Vec::new()).await
    }

    /// Sandbox that checks signatures of SigV4 with these keys, or none if there are none.
    async fn with_keys(access_keys: Vec<AccessKey>) -> Self {
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&log);
        let state = TempDir::new().unwrap();
        let options = SandboxOptions {
            port: 0,
            wss_port: Some(0),
            access_keys,
            log: EventLog::new(move |line| lines.lock().unwrap().push(line.event.to_string())),
            state_dir: Some(state.path().into()),
            ..SandboxOptions::default()
        };
        let sandbox = Sandbox::start(options).await.unwrap();
        Self {
            signature: sandbox.sign("hello").unwrap(),
            sandbox,
            log,
            _state: state,
        }
    }

    fn port(&self) -> u16 {
        self.sandbox.wss_port().unwrap()
    }

    fn url(&self, query: &str) -> String {
        format!("wss://localhost:{}/mqtt{query}", self.port())
    }

    /// Parameters of `DemoSigned` with this token, percent-encoded for a query.
    fn signed_query(&self, token: &str) -> String {
        let signature = percent_encoded(&self.signature);
        format!("?{NAME}=DemoSigned&tok={token}&{SIGNATURE}={signature}")
    }
}

/// Percent-encodes everything but letters and digits.
fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("foreign")
        .join(name)
}

/// Last line that a script prints.
async fn outcome(mut command: Command) -> String {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = timeout(TIMEOUT, output).await.unwrap().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{printed}\n{errors}");
    printed.trim_end().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn mqtt_js_uses_each_way_and_a_wrong_token_is_refused() {
    let (Some(node), Some(modules)) = (Program::Node.find(), Program::MqttJs.find()) else {
        return;
    };
    let served = Served::start().await;
    for (token, expected) in [("hello", RECEIVED), ("other", REFUSED)] {
        let query = served.signed_query(token);
        let headers = [
            format!("{NAME}=DemoSigned"),
            format!("{SIGNATURE}={}", served.signature),
            format!("tok={token}"),
        ];
        for (way, query, headers, user_name) in [
            ("user name", "", &[][..], &*query),
            ("query", &query, &[], ""),
            ("headers", "", &headers, ""),
            // Browsers can't set headers: name and token in the query, the signature in CONNECT.
            (
                "mixed",
                &format!("?{NAME}=DemoSigned&tok={token}"),
                &[],
                &format!("?{SIGNATURE}={}", percent_encoded(&served.signature)),
            ),
        ] {
            let mut command = Command::new(&node);
            command
                .arg(script("mqttjs_websocket.js"))
                .arg("--modules")
                .arg(&modules)
                .args(["--url", &served.url(query)])
                .arg("--ca")
                .arg(served.sandbox.ca_path());
            if !user_name.is_empty() {
                command.args(["--username", user_name]);
            }
            for header in headers {
                command.args(["--header", header]);
            }
            assert_eq!(outcome(command).await, expected, "{way}, token {token}");
            println!("MQTT.js over wss, {way}, token {token}: {expected}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_of_aws_for_python_is_served_with_a_custom_authorizer() {
    let Some(python) = Program::AwsIotSdk.find() else {
        return;
    };
    let served = Served::start().await;
    let unsigned = |password| {
        [
            ["--authorizer", "DemoUnsigned"],
            ["--username", "demo"],
            ["--password", password],
        ]
    };
    let signed = |token| {
        [
            ["--authorizer", "DemoSigned"],
            ["--token-key", "tok"],
            ["--token", token],
        ]
    };
    for (parameters, expected) in [
        (unsigned("demo"), RECEIVED),
        (unsigned("wrong"), "refused: NOT_AUTHORIZED"),
        (signed("hello"), RECEIVED),
        (signed("other"), "refused: NOT_AUTHORIZED"),
    ] {
        let mut command = Command::new(&python);
        command
            .arg(script("awsiot_websocket.py"))
            .args(["--port", &served.port().to_string()])
            .arg("--ca")
            .arg(served.sandbox.ca_path())
            .args(parameters.as_flattened());
        if parameters.as_flattened().contains(&"DemoSigned") {
            command.args(["--signature", &served.signature]);
        }
        assert_eq!(outcome(command).await, expected, "{parameters:?}");
        println!("awsiotsdk over wss, {parameters:?}: {expected}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_of_aws_for_python_signs_its_upgrade_and_a_wrong_key_is_403() {
    let Some(python) = Program::AwsIotSdk.find() else {
        return;
    };
    let key = AccessKey {
        id: "AKIDEXAMPLE".into(),
        secret: "s3cret".into(),
    };
    let served = Served::with_keys(vec![key]).await;
    for (parameters, expected) in [
        (&[["--secret", "s3cret"]][..], "received: any/topic hello"),
        (
            &[["--secret", "s3cret"], ["--session-token", "a+b/c=="]],
            "received: any/topic hello",
        ),
        (
            &[["--secret", "wrong"]],
            "refused: AWS_ERROR_HTTP_WEBSOCKET_UPGRADE_FAILURE",
        ),
    ] {
        let mut command = Command::new(&python);
        command
            .arg(script("awsiot_signed.py"))
            .args(["--port", &served.port().to_string()])
            .args(["--key", "AKIDEXAMPLE"])
            .arg("--ca")
            .arg(served.sandbox.ca_path())
            .args(parameters.as_flattened());
        assert_eq!(outcome(command).await, expected, "{parameters:?}");
        println!("awsiotsdk over wss, {parameters:?}: {expected}");
    }
    let lines = served.log.lock().unwrap();
    for part in [
        "its signature is right",
        "wss  SigV4 of AKIDEXAMPLE → allow",
        "no upgrade to WebSocket (403): the signature isn't that of this request",
    ] {
        assert!(lines.iter().any(|line| line.contains(part)), "{part}");
    }
}

/// Text that the page shows when it has connected to this URL, or was refused.
async fn shown_by_chromium(chromium: &Path, modules: &Path, fragment: &str) -> String {
    let profile = TempDir::new().unwrap();
    let library = modules
        .join("mqtt/dist/mqtt.min.js")
        .canonicalize()
        .unwrap();
    let page = script("browser.html");
    let url = format!(
        "file://{}#script={}&{fragment}",
        page.display(),
        percent_encoded(&format!("file://{}", library.display()))
    );
    // The certificate is one of the sandbox's own CA, which the browser doesn't know.
    let mut child = Command::new(chromium)
        .args(["--headless=new", "--no-sandbox", "--disable-gpu"])
        .args(["--ignore-certificate-errors", "--enable-logging=stderr"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let shown = async {
        let mut all = Vec::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            // "[..:INFO:CONSOLE:7] "shown: received: ..", source: file://.."
            if let Some((_, text)) = line.split_once("\"shown: ") {
                return text.split('"').next().unwrap_or_default().to_owned();
            }
            all.push(line);
        }
        panic!("Chromium ended: {all:#?}")
    };
    let shown = timeout(TIMEOUT, shown).await.expect("a message in time");
    child.kill().await.unwrap();
    shown
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_in_chromium_shows_a_message() {
    let Some(modules) = Program::MqttJs.find() else {
        return;
    };
    let Some(chromium) = Program::Chromium.find() else {
        return;
    };
    let served = Served::start().await;
    for (way, query, user_name, password, expected) in [
        ("query", served.signed_query("hello"), None, None, RECEIVED),
        ("query", served.signed_query("other"), None, None, REFUSED),
        (
            "CONNECT",
            String::new(),
            Some(format!("demo?{NAME}=DemoUnsigned")),
            Some("demo"),
            RECEIVED,
        ),
        (
            "query and CONNECT",
            format!("?{NAME}=DemoUnsigned"),
            Some("demo".into()),
            Some("demo"),
            RECEIVED,
        ),
    ] {
        let mut fragment = format!("url={}", percent_encoded(&served.url(&query)));
        for (name, value) in [("username", user_name.as_deref()), ("password", password)] {
            if let Some(value) = value {
                fragment.push_str(&format!("&{name}={}", percent_encoded(value)));
            }
        }
        let shown = shown_by_chromium(&chromium, &modules, &fragment).await;
        assert_eq!(shown, expected, "{way}");
        println!("MQTT.js in Chromium over wss, {way}: {shown}");
        // One CONNECT a second for a client id, as at AWS.
        tokio::time::sleep(Duration::from_millis(1100)).await;
    }
}
