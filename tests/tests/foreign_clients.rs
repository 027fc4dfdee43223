//! Other people's clients at the sandbox's door: the custom authorizer by user name, TLS with ALPN,
//! and messages.
//!
//! mosquitto's tools come from Debian; paho-mqtt and MQTT.js are looked for in `target/foreign`,
//! where `.ci/run` puts them. What isn't there is skipped in one line; with `CI=true` it has to be.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that can't be set up fails"
)]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use dunlin_sandbox::{Answer, Authorizer, Lambda, Profile, Sandbox, SandboxOptions};
use dunlin_tests::{Program, dunlin};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(40);
/// User name with the name of the authorizer, as AWS IoT Core defines it.
const USERNAME: &str = "alice?x-amz-customauthorizer-name=Foreign";
const PASSWORD: &str = "s3cret";
const PROFILES: [(Profile, &str); 2] = [(Profile::Aws, "1"), (Profile::Mqtt5, "2")];

struct Served {
    sandbox: Sandbox,
    _state: TempDir,
}

async fn serve(profile: Profile) -> Served {
    let state = TempDir::new().unwrap();
    let policy = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}
    });
    let lambda = Lambda::Password {
        username: "alice".into(),
        password: PASSWORD.into(),
        answer: Answer::allow("alice", policy),
    };
    let authorizer = Authorizer::new("Foreign", lambda);
    let options = SandboxOptions {
        port: 0,
        state_dir: Some(state.path().into()),
        profile,
        authorizers: vec![authorizer],
        ..SandboxOptions::default()
    };
    Served {
        sandbox: Sandbox::start(options).await.unwrap(),
        _state: state,
    }
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("foreign")
        .join(name)
}

async fn finished(mut command: Command) -> Output {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    timeout(PATIENCE, output).await.unwrap().unwrap()
}

/// Runs a script against both profiles and checks the lines that it prints.
async fn run_against_both_profiles(what: &str, command: impl Fn() -> Command) {
    for (profile, qos) in PROFILES {
        let served = serve(profile).await;
        let mut command = command();
        command.args(["--port", &served.sandbox.port().to_string()]);
        command.arg("--ca").arg(served.sandbox.ca_path());
        command.args(["--username", USERNAME, "--password", PASSWORD, "--qos", qos]);
        run_script(command, qos).await;
        println!(
            "{what}, profile {profile}: connected, subscribed, QoS 0 to {qos}, retained, will"
        );
    }
    let served = PlainServer::start().await;
    let mut command = command();
    command.args(["--port", &served.port.to_string(), "--qos", "2"]);
    run_script(command, "2").await;
    println!(
        "{what}, without TLS and credentials: connected, subscribed, QoS 0 to 2, retained, will"
    );
}

/// Runs a script that uses every QoS up to `qos`.
async fn run_script(command: Command, qos: &str) {
    let output = finished(command).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let steps: String = (0..=qos.parse().unwrap())
        .map(|qos: u8| format!("qos {qos}: ok\n"))
        .collect();
    assert_eq!(said, format!("{steps}retained: ok\nwill: ok\n"));
}

/// The one line that any MQTT 5 client or test suite needs: `dunlin sandbox --plain 0 --anonymous
/// --profile mqtt5`.
struct PlainServer {
    port: u16,
    _process: Child,
    _state: TempDir,
}

impl PlainServer {
    async fn start() -> Self {
        let state = TempDir::new().unwrap();
        let file = state.path().join("ready.json");
        let words = [
            "sandbox",
            "--port",
            "0",
            "--plain",
            "0",
            "--anonymous",
            "--profile",
            "mqtt5",
            "--until-eof",
        ];
        let tool = dunlin(words).args([OsStr::new("--ready-file"), file.as_os_str()]);
        let tool = tool.args([OsStr::new("--state-dir"), state.path().as_os_str()]);
        let process = tool.with_stdin().spawn();
        let written = async {
            while !file.exists() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, written).await.unwrap();
        let ready: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let port = ready
            .get("plain_port")
            .and_then(serde_json::Value::as_u64)
            .unwrap();
        Self {
            port: u16::try_from(port).unwrap(),
            _process: process,
            _state: state,
        }
    }
}

/// Without TLS and credentials: a retained message of each QoS comes back.
#[tokio::test(flavor = "multi_thread")]
async fn mosquittos_tools_are_served_on_the_plain_port() {
    if !Program::MosquittoClients.is_installed() {
        return;
    }
    let served = PlainServer::start().await;
    let port = served.port.to_string();
    let to = ["-V", "5", "-h", "127.0.0.1", "-p", &port, "-t"];
    for qos in ["0", "1", "2"] {
        let topic = format!("plain/{qos}");
        let mut publish = Command::new("mosquitto_pub");
        publish
            .args(to)
            .args([&topic, "-q", qos, "-m", "hello", "-r"]);
        assert!(finished(publish).await.status.success());
        let mut subscribe = Command::new("mosquitto_sub");
        subscribe.args(to).args([
            &topic,
            "-q",
            qos,
            "-C",
            "1",
            "-W",
            "10",
            "-F",
            "%t %q %r %p",
        ]);
        let output = finished(subscribe).await;
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            format!("{topic} {qos} 1 hello\n")
        );
    }
    let mut old = Command::new("mosquitto_pub");
    old.args([
        "-V",
        "311",
        "-h",
        "127.0.0.1",
        "-p",
        &port,
        "-t",
        "t",
        "-m",
        "x",
    ]);
    let output = finished(old).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && said.contains("unacceptable protocol version"),
        "{said}"
    );
    println!(
        "mosquitto, without TLS and credentials: QoS 0 to 2, retained; MQTT 3.1.1 is told what it may not"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn paho_mqtt_is_served() {
    let Some(python) = Program::PahoMqtt.find() else {
        return;
    };
    run_against_both_profiles("paho-mqtt", || {
        let mut command = Command::new(&python);
        command.arg(script("paho_client.py"));
        command
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mqtt_js_is_served() {
    let (Some(node), Some(modules)) = (Program::Node.find(), Program::MqttJs.find()) else {
        return;
    };
    run_against_both_profiles("MQTT.js", || {
        let mut command = Command::new(&node);
        command
            .arg(script("mqttjs_client.js"))
            .arg("--modules")
            .arg(&modules);
        command
    })
    .await;
}

/// One of mosquitto's tools with credentials that the authorizer accepts.
fn mosquitto(tool: &str, served: &Served, words: &[&str]) -> Command {
    let publisher = Program::MosquittoClients.find().expect("asked before");
    let mut command = Command::new(publisher.with_file_name(tool));
    command.args([
        "-V",
        "5",
        "-h",
        "localhost",
        "-p",
        &served.sandbox.port().to_string(),
    ]);
    command
        .args(["--tls-alpn", "mqtt", "--cafile"])
        .arg(served.sandbox.ca_path());
    command
        .args(["-u", USERNAME, "-P", PASSWORD])
        .args(words)
        .kill_on_drop(true);
    command
}

struct Subscriber {
    child: Child,
    lines: tokio::io::Lines<BufReader<tokio::process::ChildStdout>>,
}

/// `mosquitto_sub` that has its SUBACK, since it has printed a retained message.
async fn subscriber(served: &Served, topic: &str, qos: &str) -> Subscriber {
    publishes(served, &["-t", "ready", "-m", "ready", "-r"]).await;
    let words = [
        "-i",
        "mosq-sub",
        "-q",
        qos,
        "-F",
        "%t %q %r %p",
        "-t",
        topic,
        "-t",
        "ready",
    ];
    let mut child = mosquitto("mosquitto_sub", served, &words)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(
        timeout(PATIENCE, lines.next_line())
            .await
            .unwrap()
            .unwrap()
            .unwrap(),
        "ready 0 1 ready"
    );
    Subscriber { child, lines }
}

async fn publishes(served: &Served, words: &[&str]) {
    let output = finished(mosquitto("mosquitto_pub", served, words)).await;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

impl Subscriber {
    async fn expect_line(&mut self, line: &str) {
        let next = timeout(PATIENCE, self.lines.next_line())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(next.as_deref(), Some(line));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mosquittos_tools_are_served() {
    if !Program::MosquittoClients.is_installed() {
        return;
    }
    for (profile, most) in PROFILES {
        let served = serve(profile).await;
        for qos in ["0", "1", "2"].into_iter().filter(|qos| *qos <= most) {
            // The retained message of `subscriber` has arrived, so the subscription is made.
            let topic = format!("mosq/{qos}");
            let mut subscriber = subscriber(&served, &topic, qos).await;
            publishes(
                &served,
                &[
                    "-t",
                    &topic,
                    "-m",
                    "hello",
                    "-q",
                    qos,
                    "-D",
                    "publish",
                    "user-property",
                    "k",
                    "v",
                ],
            )
            .await;
            subscriber
                .expect_line(&format!("{topic} {qos} 0 hello"))
                .await;
            subscriber.child.kill().await.unwrap();
            tokio::time::sleep(Duration::from_millis(1100)).await;
        }

        // A client with a will is killed, so its will is published.
        let mut watcher = subscriber(&served, "mosq/will", "1").await;
        let will = [
            "-i",
            "mosq-mortal",
            "-t",
            "nothing",
            "--will-topic",
            "mosq/will",
            "--will-payload",
            "gone",
        ];
        let mut mortal = mosquitto(
            "mosquitto_sub",
            &served,
            &[&will[..], &["-t", "ready", "--will-qos", "1"]].concat(),
        )
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
        let mut shown = [0; 5];
        timeout(
            PATIENCE,
            mortal.stdout.take().unwrap().read_exact(&mut shown),
        )
        .await
        .unwrap()
        .unwrap();
        mortal.kill().await.unwrap();
        watcher.expect_line("mosq/will 1 0 gone").await;
        watcher.child.kill().await.unwrap();
        println!(
            "mosquitto, profile {profile}: connected, subscribed, QoS 0 to {most}, retained, will"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mosquittos_tools_report_a_wrong_password() {
    if !Program::MosquittoClients.is_installed() {
        return;
    }
    let served = serve(Profile::Aws).await;
    let output = finished(mosquitto(
        "mosquitto_pub",
        &served,
        &["-t", "t", "-m", "x", "-P", "wrong"],
    ))
    .await;
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.to_lowercase().contains("not authorized"), "{said}");
}
