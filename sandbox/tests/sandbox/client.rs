//! `TestSandbox`: a sandbox on a free port, and its clients.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use dunlin_codec::{
    Connect, ConnectProperties, Delivery, Packet, Publish, PublishProperties, QoS, ReasonCode,
    TopicName, Utf8String,
};
use dunlin_sandbox::{
    Answer, Authorizer, Denials, EventLog, Lambda, Profile, Sandbox, SandboxOptions,
};
pub(crate) use dunlin_test_support::packets::{id, puback};
pub(crate) use dunlin_test_support::values::{subscribe, subscription};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Timeout of each wait.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);

/// Sandbox with its own state directory and log.
pub(crate) struct TestSandbox {
    pub(crate) sandbox: Sandbox,
    pub(crate) log: Arc<Mutex<Vec<String>>>,
    _state: TempDir,
}

impl TestSandbox {
    pub(crate) async fn start() -> Self {
        Self::start_with(|options| options).await
    }

    pub(crate) async fn with_fault(fault: &str) -> Self {
        Self::start_with(|options| SandboxOptions {
            faults: vec![fault.parse().unwrap()],
            ..options
        })
        .await
    }

    pub(crate) async fn start_with(
        describe: impl FnOnce(SandboxOptions) -> SandboxOptions,
    ) -> Self {
        let state = state_dir();
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&log);
        let options = SandboxOptions {
            port: 0,
            state_dir: Some(state.path().into()),
            log: EventLog::new(move |line| lines.lock().unwrap().push(line.event.to_string())),
            ..SandboxOptions::default()
        };
        Self {
            sandbox: Sandbox::start(describe(options)).await.unwrap(),
            log,
            _state: state,
        }
    }

    /// Sandbox whose default authorizer gives this answer.
    pub(crate) async fn with_answer(answer: Answer) -> Self {
        Self::with_answer_and(answer, |options| options).await
    }

    pub(crate) async fn with_answer_and(
        answer: Answer,
        describe: impl FnOnce(SandboxOptions) -> SandboxOptions,
    ) -> Self {
        let authorizer = Authorizer::new("Test", Lambda::Static(answer));
        Self::start_with(|options| describe(with_default_authorizer(authorizer, options))).await
    }

    /// Sandbox whose default authorizer allows everything.
    pub(crate) async fn allowing_everything() -> Self {
        Self::with_answer(Answer::allow("anybody", allow("iot:*"))).await
    }

    /// Sandbox with the profile `mqtt5` whose default authorizer allows everything.
    pub(crate) async fn mqtt5() -> Self {
        Self::mqtt5_with(|options| options).await
    }

    pub(crate) async fn mqtt5_with(
        describe: impl FnOnce(SandboxOptions) -> SandboxOptions,
    ) -> Self {
        let answer = Answer::allow("anybody", allow("iot:*"));
        let mqtt5 = |options| SandboxOptions {
            profile: Profile::Mqtt5,
            ..options
        };
        Self::with_answer_and(answer, |options| describe(mqtt5(options))).await
    }

    /// Opens a connection on which nothing was sent yet.
    pub(crate) async fn open(&self) -> TestClient {
        let stream = handshake(&self.sandbox, "localhost", &[b"mqtt"]).await;
        TestClient::new(stream.unwrap())
    }

    /// Connects a client; returns it with the Session Present flag.
    pub(crate) async fn connects(&self, connect: Connect<'_>) -> (TestClient, bool) {
        let mut client = self.open().await;
        client.sends(connect).await;
        let packet = client.receives().await;
        let Packet::ConnAck(connack) = packet.packet() else {
            panic!("a CONNACK, not {packet:?}")
        };
        let connack = connack.read();
        assert_eq!(connack.reason_code, ReasonCode::Success);
        (client, connack.session_present)
    }

    /// Connects a client that names no authorizer.
    pub(crate) async fn connected_to_default(&self, client_id: &str) -> TestClient {
        let mut client = self.open().await;
        client.sends(connect(client_id, "", "")).await;
        assert_eq!(client.receives_connack().await, (ReasonCode::Success, None));
        client
    }

    /// Connects a client with the authorizer `DemoUnsigned`.
    pub(crate) async fn connected(&self, client_id: &str) -> TestClient {
        let mut client = self.open().await;
        client.sends(unsigned(client_id)).await;
        assert_eq!(client.receives_connack().await, (ReasonCode::Success, None));
        client
    }

    /// Waits for a log line that contains `part`.
    pub(crate) async fn wait_for_log(&self, part: &str) {
        let logged = async {
            while !self.logged(part) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(TIMEOUT, logged)
            .await
            .unwrap_or_else(|_| panic!("no line with {part:?}"));
    }

    /// Number of lines of the log with a part.
    pub(crate) fn count(&self, part: &str) -> usize {
        let log = self.log.lock().unwrap();
        log.iter().filter(|line| line.contains(part)).count()
    }

    pub(crate) fn logged(&self, part: &str) -> bool {
        self.log
            .lock()
            .unwrap()
            .iter()
            .any(|line| line.contains(part))
    }
}

/// Adds an authorizer and makes it the default.
pub(crate) fn with_default_authorizer(
    authorizer: Authorizer,
    options: SandboxOptions,
) -> SandboxOptions {
    SandboxOptions {
        default_authorizer: Some(authorizer.name.clone()),
        authorizers: vec![authorizer],
        ..options
    }
}

/// Changes the answers to denied requests.
pub(crate) fn with_denials(
    options: SandboxOptions,
    change: impl FnOnce(&mut Denials),
) -> SandboxOptions {
    let mut options = options;
    change(&mut options.denials);
    options
}

/// New state directory with keys that all tests share, since making keys is slow.
fn state_dir() -> TempDir {
    static KEYS: LazyLock<Vec<(&str, Vec<u8>)>> = LazyLock::new(|| {
        let dir = TempDir::new().unwrap();
        let pki = dunlin_sandbox::Pki::open(&dunlin_sandbox::StateDir::at(dir.path())).unwrap();
        let kept = pki.ca_path().parent().unwrap();
        ["ca.pem", "ca-key.pem", "signing.pem"]
            .map(|name| (name, fs::read(kept.join(name)).unwrap()))
            .into()
    });
    let dir = TempDir::new().unwrap();
    let sandbox = dir.path().join("sandbox");
    fs::create_dir(&sandbox).unwrap();
    private(&sandbox);
    for (name, content) in KEYS.iter() {
        fs::write(sandbox.join(name), content).unwrap();
        private(&sandbox.join(name));
    }
    dir
}

/// Removes the permissions of group and others.
fn private(path: &Path) {
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let _ = path;
}

/// Client of a sandbox.
pub(crate) type TestClient = dunlin_test_support::client::TestClient<TlsStream<TcpStream>>;

/// Opens a TLS connection with this server name and ALPN.
pub(crate) async fn handshake(
    sandbox: &Sandbox,
    server_name: &str,
    alpn: &[&[u8]],
) -> std::io::Result<TlsStream<TcpStream>> {
    handshake_at(sandbox.port(), sandbox.ca_path(), server_name, alpn).await
}

pub(crate) async fn handshake_at(
    port: u16,
    ca: &Path,
    server_name: &str,
    alpn: &[&[u8]],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots(ca))
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let name = ServerName::try_from(server_name.to_owned()).unwrap();
    timeout(
        TIMEOUT,
        TlsConnector::from(Arc::new(config)).connect(name, tcp),
    )
    .await
    .expect("a handshake in time")
}

fn roots(ca: &Path) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(ca).unwrap())
        .unwrap();
    roots
}

/// Policy that allows these actions on all resources.
pub(crate) fn allow(actions: impl Into<serde_json::Value>) -> serde_json::Value {
    let statement =
        serde_json::json!({"Effect": "Allow", "Action": actions.into(), "Resource": "*"});
    serde_json::json!({"Version": "2012-10-17", "Statement": statement})
}

/// CONNECT of the sample for `DemoUnsigned`.
pub(crate) fn unsigned(client_id: &str) -> Connect<'_> {
    connect(
        client_id,
        "demo?x-amz-customauthorizer-name=DemoUnsigned",
        "demo",
    )
}

pub(crate) fn connect<'a>(client_id: &'a str, username: &'a str, password: &'a str) -> Connect<'a> {
    Connect {
        clean_start: true,
        keep_alive: 1200,
        properties: ConnectProperties::default(),
        client_id: Utf8String::new(client_id).unwrap(),
        will: None,
        username: Some(Utf8String::new(username).unwrap()),
        password: Some(dunlin_codec::BinaryData::new(password.as_bytes()).unwrap()),
    }
}

pub(crate) fn publish<'a>(topic: &'a str, payload: &'a str, qos: QoS) -> Publish<'a> {
    Publish {
        delivery: Delivery::new(qos, id(2), false),
        retain: false,
        topic: Some(TopicName::new(topic).unwrap()),
        properties: PublishProperties::default(),
        payload: payload.as_bytes(),
    }
}
