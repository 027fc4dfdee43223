//! `inspect proxy`: foreign clients through it, their packets on standard output and in a capture.

use std::process::{Output, Stdio};
use std::time::Duration;

use dunlin_codec::{BinaryData, Connect, Packet, Repeated, UserProperty, Utf8String};
use dunlin_tests::{Finished, Mosquitto, Program, Tool, dunlin};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use super::{CANARY, Served, contains, tshark};

const PATIENCE: Duration = Duration::from_secs(40);

/// Proxy that runs until it is stopped.
struct Proxy {
    child: Child,
    lines: BufReader<ChildStdout>,
    /// Port that it listens on.
    port: u16,
    /// CA file of its listener; `None` without TLS.
    ca: Option<String>,
}

impl Proxy {
    /// Starts `inspect proxy --json` with these flags.
    async fn start(flags: impl FnOnce(Tool) -> Tool) -> Self {
        let tool = dunlin(["inspect", "proxy", "--listen", "127.0.0.1:0", "--json"]);
        let mut child = flags(tool).spawn();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        let read = lines.read_line(&mut first);
        timeout(PATIENCE, read).await.unwrap().unwrap();
        if first.is_empty() {
            panic!("{:?}", Finished::wait_for(child).await);
        }
        let first: Value = serde_json::from_str(&first).unwrap();
        let address = first["address"].as_str().unwrap();
        let port = address.rsplit_once(':').unwrap().1.parse().unwrap();
        let ca = first["ca"].as_str().map(str::to_owned);
        Self {
            child,
            lines,
            port,
            ca,
        }
    }

    /// Waits for the end of this number of connections, stops it with Ctrl-C, and returns the lines that
    /// it has printed.
    async fn stop_after(mut self, mut connections: usize) -> Vec<Value> {
        let mut text = String::new();
        while connections > 0 {
            let start = text.len();
            let read = self.lines.read_line(&mut text);
            assert_ne!(timeout(PATIENCE, read).await.unwrap().unwrap(), 0, "{text}");
            connections -= usize::from(text[start..].contains("\"event\":\"closed\""));
        }
        dunlin_tests::send_signal(self.child.id().unwrap(), dunlin_tests::Signal::INT);
        let read = self.lines.read_to_string(&mut text);
        timeout(PATIENCE, read).await.unwrap().unwrap();
        let run = Finished::wait_for(self.child).await;
        run.exits(0);
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).await.unwrap()
    }
}

async fn finished(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = timeout(PATIENCE, output).await.unwrap().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Types of packets with their senders.
fn packets(lines: &[Value]) -> Vec<(&str, &str)> {
    lines
        .iter()
        .filter(|line| line["event"] == "packet")
        .map(|line| {
            let from = line["from"].as_str().unwrap();
            (from, line["type"].as_str().unwrap())
        })
        .collect()
}

/// Texts of the notes.
fn notes(lines: &[Value]) -> Vec<&str> {
    lines
        .iter()
        .filter(|line| line["event"] == "note")
        .map(|line| line["text"].as_str().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn mosquitto_pub_reaches_mosquitto_with_tls_and_a_password_that_it_does_not_have() {
    let (Some(client), Some(broker)) = (Program::MosquittoClients.find(), Mosquitto::start().await)
    else {
        return;
    };
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("proxy.pcapng").display().to_string();
    let proxy = Proxy::start(|tool| {
        tool.args([
            "--endpoint",
            &format!("mqtts://localhost:{}", broker.address().port()),
        ])
        .args(["--ca", &broker.ca().display().to_string()])
        .args(["-u", Mosquitto::USER, "--capture", &file])
        .env("DUNLIN_PASSWORD", Mosquitto::PASSWORD)
    })
    .await;
    let port = proxy.port.to_string();
    for version in ["5", "311"] {
        let mut command = Command::new(&client);
        command.args(["-V", version, "-h", "127.0.0.1", "-p", &port]);
        command.args(["-t", "lamp/7", "-m", "on", "-q", "1", "-i", "me"]);
        finished(&mut command).await;
    }
    let lines = proxy.stop_after(2).await;
    let once = [
        ("client", "CONNECT"),
        ("server", "CONNACK"),
        ("client", "PUBLISH"),
        ("server", "PUBACK"),
        ("client", "DISCONNECT"),
    ];
    assert_eq!(packets(&lines), [once, once].concat());
    let puback = lines.iter().find(|line| line["type"] == "PUBACK").unwrap();
    let request = puback["answers"]["request"].as_str().unwrap();
    assert!(request.starts_with("PUBLISH \"lamp/7\" id "), "{puback}");
    assert!(puback["answers"]["ms"].as_f64().unwrap() > 0.0);
    let notes = notes(&lines);
    assert!(
        notes.iter().any(|note| note.contains("speaks MQTT 3.1.1")),
        "{notes:?}"
    );
    let summary = lines.last().unwrap();
    assert_eq!(summary["connections"], 2);
    assert_eq!(summary["packets"], 10);
    assert_eq!(summary["breaches"], 0, "{lines:?}");

    // The capture has both connections, and not the password that was put in.
    assert!(!contains(&file, Mosquitto::PASSWORD));
    let fields = ["tcp.stream", "mqtt.ver", "mqtt.username", "mqtt.passwd"];
    if let Some(lines) = tshark(&file, "mqtt.msgtype == 1", &fields).await {
        let filler = "*".repeat(Mosquitto::PASSWORD.len());
        assert_eq!(
            lines,
            [format!("0|5|alice|{filler}"), format!("1|4|alice|{filler}")]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_listener_has_tls_with_the_ca_of_the_sandbox_when_asked_for() {
    let Some(client) = Program::MosquittoClients.find() else {
        return;
    };
    let served = Served::start(None).await;
    let proxy = Proxy::start(|tool| {
        tool.args(["--endpoint", &served.url(), "--listen-tls"])
            .args(["--state-dir", &served.file("proxy")])
    })
    .await;
    let port = proxy.port.to_string();
    let mut command = Command::new(&client);
    command.args(["-V", "5", "-h", "localhost", "-p", &port]);
    command.args(["--cafile", proxy.ca.as_deref().unwrap()]);
    command.args(["-t", "lamp/7", "-m", "on", "-q", "1"]);
    finished(&mut command).await;
    // Without TLS the handshake fails, which is told.
    let mut plain = proxy.connect().await;
    plain.write_all(b"\x10\x00").await.unwrap();
    let mut rest = Vec::new();
    let _: Result<_, _> = timeout(PATIENCE, plain.read_to_end(&mut rest))
        .await
        .unwrap();
    let lines = proxy.stop_after(1).await;
    assert!(packets(&lines).contains(&("server", "PUBACK")), "{lines:?}");
    let notes = notes(&lines);
    assert!(
        notes
            .iter()
            .any(|note| note.starts_with("the TLS handshake with ")),
        "{notes:?}"
    );
}

/// Runs a script of `tests/foreign`, which knows neither TLS nor the authorizer, through the proxy.
async fn passes_the_authorizer(mut command: Command) {
    let served = Served::start(None).await;
    let file = served.file("foreign.pcapng");
    let proxy = Proxy::start(|tool| {
        tool.connecting_to(&served.sandbox)
            .args(["--authorizer-name=Canary", "--auth-username=demo"])
            .args(["--capture", &file])
            .env("DUNLIN_AUTH_PASSWORD", CANARY)
    })
    .await;
    command.args(["--port", &proxy.port.to_string(), "--qos", "1"]);
    let output = finished(&mut command).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.ends_with("retained: ok\nwill: ok\n"), "{said}");
    let lines = proxy.stop_after(0).await;
    assert!(packets(&lines).len() > 20, "{lines:?}");
    assert!(!contains(&file, CANARY));
    if let Some(captured) = tshark(&file, "mqtt", &["mqtt.msgtype"]).await {
        println!("{} frames with packets in the capture", captured.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn paho_passes_the_authorizer_through_the_proxy() {
    let Some(python) = Program::PahoMqtt.find() else {
        return;
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/foreign/paho_client.py");
    let mut command = Command::new(python);
    command.arg(script);
    passes_the_authorizer(command).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mqtt_js_passes_the_authorizer_through_the_proxy() {
    let (Some(node), Some(modules)) = (Program::Node.find(), Program::MqttJs.find()) else {
        return;
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/foreign/mqttjs_client.js");
    let mut command = Command::new(node);
    command.arg(script).arg("--modules").arg(modules);
    passes_the_authorizer(command).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_a_client_breaks_is_named() {
    let served = Served::start(None).await;
    let proxy = Proxy::start(|tool| tool.args(["--endpoint", &served.url()])).await;
    let mut client = proxy.connect().await;
    // CONNECT, and another one: the first answer is CONNACK, the second the end.
    let connect = b"\x10\x0d\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x00";
    client.write_all(connect).await.unwrap();
    let mut connack = [0; 2];
    client.read_exact(&mut connack).await.unwrap();
    client.write_all(connect).await.unwrap();
    let mut rest = Vec::new();
    let ended = timeout(PATIENCE, client.read_to_end(&mut rest)).await;
    // The server has closed the connection, or reset it.
    let _: Result<_, _> = ended.unwrap();
    drop(client);
    let lines = proxy.stop_after(1).await;
    let breaches: Vec<&Value> = lines
        .iter()
        .filter_map(|line| line["breaches"].as_array())
        .flatten()
        .map(|breach| &breach["statement"])
        .collect();
    assert_eq!(breaches, ["MQTT-3.1.0-2"]);
    assert_eq!(lines.last().unwrap()["breaches"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_mqtt_is_passed_on_and_told() {
    let served = Served::start(None).await;
    let proxy = Proxy::start(|tool| tool.args(["--endpoint", &served.url()])).await;
    let mut client = proxy.connect().await;
    let request = b"GET / HTTP/1.1\r\nAuthorization: canary\r\n\r\n";
    client.write_all(request).await.unwrap();
    let mut rest = Vec::new();
    let ended = timeout(PATIENCE, client.read_to_end(&mut rest)).await;
    // The server has closed the connection, or reset it.
    let _: Result<_, _> = ended.unwrap();
    let lines = proxy.stop_after(1).await;
    assert!(notes(&lines).contains(&"this is not MQTT"), "{lines:?}");
    assert_eq!(packets(&lines), []);
}

/// Server that takes any number of clients, reads all that they send, and answers nothing.
async fn silent_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move { tokio::io::copy(&mut stream, &mut tokio::io::sink()).await });
        }
    });
    format!("mqtt://{address}")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_capture_has_what_another_protocol_or_a_huge_connect_says() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("secrets.pcapng").display().to_string();
    let server = silent_server().await;
    let mut proxy =
        Proxy::start(|tool| tool.args(["--endpoint", &server, "--capture", &file])).await;

    // The second part begins like a PUBLISH, since "0" is 0x30.
    let mut client = proxy.connect().await;
    client.set_nodelay(true).unwrap();
    client.write_all(b"POST /").await.unwrap();
    let secret = format!("0m{CANARY}{}", "x".repeat(200));
    // The next part is read by itself once the proxy has told of the first.
    let mut line = String::new();
    while !line.contains("this is not MQTT") {
        line.clear();
        let read = proxy.lines.read_line(&mut line);
        assert_ne!(timeout(PATIENCE, read).await.unwrap().unwrap(), 0);
    }
    client.write_all(secret.as_bytes()).await.unwrap();
    drop(client);

    // A CONNECT above 1 MiB, whose password comes after what is kept of it.
    let value = "v".repeat(60_000);
    let pair = UserProperty::new("name", value.as_str()).unwrap();
    let pairs = vec![pair; 20];
    let mut connect = Connect {
        client_id: Utf8String::new("c").unwrap(),
        password: Some(BinaryData::new(CANARY.as_bytes()).unwrap()),
        ..Connect::default()
    };
    connect.properties.user_properties = Repeated::from(&pairs[..]);
    let mut bytes = Vec::new();
    Packet::from(&connect).encode(&mut bytes).unwrap();
    let mut client = proxy.connect().await;
    client.write_all(&bytes).await.unwrap();
    drop(client);

    proxy.stop_after(2).await;
    assert!(std::fs::metadata(&file).unwrap().len() > 1 << 20);
    assert!(!contains(&file, CANARY));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ends_of_open_connections_come_before_the_totals() {
    let server = silent_server().await;
    let mut proxy = Proxy::start(|tool| tool.args(["--endpoint", &server])).await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(proxy.connect().await);
    }
    for _ in 0..20 {
        let mut line = String::new();
        let read = proxy.lines.read_line(&mut line);
        timeout(PATIENCE, read).await.unwrap().unwrap();
        assert!(line.contains("\"event\":\"opened\""), "{line}");
    }
    let lines = proxy.stop_after(0).await;
    let events: Vec<_> = lines
        .iter()
        .map(|line| line["event"].as_str().unwrap())
        .collect();
    assert_eq!(events, [vec!["closed"; 20], vec!["summary"]].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_shown_if_they_are_asked_for() {
    let server = silent_server().await;
    let connect = b"\x10\x1a\x00\x04MQTT\x05\x42\x00\x00\x00\x00\x00\x00\x0bcanary-51d0";
    for flag in [&[][..], &["--show-secrets"]] {
        let tool = dunlin([
            "inspect",
            "proxy",
            "--listen",
            "127.0.0.1:0",
            "--packets=full",
        ]);
        let mut child = tool.args(["--endpoint", &server]).args(flag).spawn();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let next = lines.next_line();
        let first = timeout(PATIENCE, next).await.unwrap().unwrap().unwrap();
        let address = first.split([' ', ',']).nth(2).unwrap();
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(connect).await.unwrap();
        drop(client);
        let mut text = String::new();
        while !text.ends_with("closed\n") {
            let next = lines.next_line();
            text += &timeout(PATIENCE, next).await.unwrap().unwrap().unwrap();
            text.push('\n');
        }
        dunlin_tests::send_signal(child.id().unwrap(), dunlin_tests::Signal::INT);
        Finished::wait_for(child).await.exits(0);
        assert!(text.contains("CONNECT"), "{text}");
        assert_eq!(text.contains(CANARY), !flag.is_empty(), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_whose_server_cannot_be_reached_gets_a_connack() {
    let proxy = Proxy::start(|tool| tool.args(["--endpoint", "mqtt://127.0.0.1:1"])).await;
    let port = proxy.port.to_string();
    let run = dunlin(["connect", "-H", "mqtt://127.0.0.1", "-p", &port]);
    let run = run.args(["--reconnect=0"]).run().await;
    run.exits(6);
    assert!(run.stderr.contains("0x88"), "{}", run.stderr);
    let lines = proxy.stop_after(1).await;
    assert!(
        notes(&lines)
            .iter()
            .any(|note| note.contains("error[E-REFUSED]")),
        "{lines:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_others_reach_needs_yes() {
    let run = dunlin(["inspect", "proxy", "--listen", "0.0.0.0:0"])
        .args(["--endpoint", "mqtt://127.0.0.1:1"])
        .run()
        .await;
    run.exits(2);
    assert!(run.error_line().contains("add --yes"), "{}", run.stderr);
}
