//! `Mosquitto`: Debian's broker on a free port, with TLS and a password, ended with the test.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use crate::program::{Program, search};

/// A mosquitto. Its output is shown if the test fails.
#[derive(Debug)]
pub struct Mosquitto {
    folder: TempDir,
    memory: Memory,
    program: PathBuf,
    port: u16,
    /// Without TLS; the password is the same.
    plain_port: u16,
    /// WebSocket without TLS, and with it.
    websocket_ports: [u16; 2],
    process: Option<Child>,
}

/// State of a broker that a later start goes on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Memory {
    Nothing,
    /// Nothing either, but there is no limit to what it queues.
    LongQueues,
    /// Sessions and messages, as they were at the last change; there is no limit to what it queues.
    Everything,
}

impl Mosquitto {
    /// The one user that it knows.
    pub const USER: &str = "alice";
    /// Password of [`USER`](Self::USER).
    pub const PASSWORD: &str = "s3cret";

    /// Starts a broker that forgets everything when it is stopped. `None`, with a line on standard error, where
    /// mosquitto isn't installed. In CI it has to be.
    pub async fn start() -> Option<Self> {
        Self::start_with(Memory::Nothing).await
    }

    /// Starts a broker like [`start`](Self::start) does, which stores every change and goes on with that.
    pub async fn start_persistent() -> Option<Self> {
        Self::start_with(Memory::Everything).await
    }

    /// Starts a broker like [`start`](Self::start) does, without a limit to the messages that it queues for a client.
    pub async fn start_with_long_queues() -> Option<Self> {
        Self::start_with(Memory::LongQueues).await
    }

    async fn start_with(memory: Memory) -> Option<Self> {
        let program = Program::Mosquitto.find()?;
        let folder = tempfile::tempdir().expect("a folder");
        write_certificate(folder.path());
        write_passwords(folder.path());
        let mut broker = Self {
            folder,
            memory,
            program,
            port: free_port(),
            plain_port: free_port(),
            websocket_ports: [free_port(), free_port()],
            process: None,
        };
        broker.run().await;
        Some(broker)
    }

    /// Address of the TLS listener.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), self.port)
    }

    /// Address of the listener without TLS.
    #[must_use]
    pub const fn plain_address(&self) -> SocketAddr {
        SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), self.plain_port)
    }

    /// Path of the Unix domain socket, without TLS.
    #[must_use]
    pub fn unix_socket(&self) -> PathBuf {
        self.folder.path().join("mqtt.sock")
    }

    /// Address of the listener for WebSocket, with or without TLS.
    #[must_use]
    pub const fn websocket_address(&self, is_tls: bool) -> SocketAddr {
        let [plain, tls] = self.websocket_ports;
        let port = if is_tls { tls } else { plain };
        SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port)
    }

    /// CA file to trust; the certificate is for `localhost`.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join(CERTIFICATE)
    }

    /// Starts the broker again on the same port.
    pub async fn run(&mut self) {
        std::fs::write(self.folder.path().join(CONFIG), self.config()).expect("a file");
        let output = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log())
            .expect("a file");
        let process = Command::new(&self.program)
            .arg("-c")
            .arg(self.folder.path().join(CONFIG))
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a second handle"))
            .stderr(output)
            .spawn()
            .expect("mosquitto runs");
        self.process = Some(process);
        let until_it_listens = async {
            while TcpStream::connect(self.address()).is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let listens = tokio::time::timeout(Duration::from_secs(5), until_it_listens).await;
        assert!(
            listens.is_ok(),
            "mosquitto doesn't listen:\n{}",
            self.output()
        );
    }

    /// Stops the broker with a signal; it sends DISCONNECT to its clients.
    pub fn stop(&mut self) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        #[cfg(unix)]
        crate::send_signal(process.id(), crate::Signal::TERM);
        for _ in 0..if cfg!(unix) { 500 } else { 0 } {
            if process.try_wait().is_ok_and(|status| status.is_some()) {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        // One that has ended by now doesn't mind.
        let _ = process.kill();
        process.wait().expect("it was ours");
    }

    /// Kills the broker before it can store anything.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("it was ours");
            process.wait().expect("it was ours");
        }
    }

    fn config(&self) -> String {
        let folder = self.folder.path();
        let file = |name| folder.join(name).display().to_string();
        let memory = match self.memory {
            Memory::Nothing => "persistence false\nlog_type all\n".to_owned(),
            Memory::LongQueues => {
                "persistence false\nmax_queued_messages 0\nmax_queued_bytes 0\nlog_type error\nlog_type notice\n".to_owned()
            }
            Memory::Everything => format!(
                "persistence true\npersistence_location {}/\nautosave_on_changes true\nautosave_interval 1\n\
                 max_queued_messages 0\nmax_queued_bytes 0\nmax_inflight_messages 100\n\
                 log_type error\nlog_type warning\nlog_type notice\n",
                folder.display()
            ),
        };
        let [websocket, tls_websocket] = self.websocket_ports;
        let certificate = format!("certfile {}\nkeyfile {}\n", file(CERTIFICATE), file(KEY));
        // Started by root it would become another user, who can't read the folder.
        format!(
            "user root\nlog_dest stderr\n{memory}\
             allow_anonymous false\npassword_file {}\n\
             listener {plain} 127.0.0.1\n\
             listener 0 {socket}\n\
             listener {websocket} 127.0.0.1\nprotocol websockets\n\
             listener {tls_websocket} 127.0.0.1\nprotocol websockets\n{certificate}\
             listener {tls} 127.0.0.1\n{certificate}",
            file(PASSWORDS),
            plain = self.plain_port,
            socket = self.unix_socket().display(),
            tls = self.port,
        )
    }

    /// Output of the broker.
    #[must_use]
    pub fn output(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            eprintln!("mosquitto said:\n{}", self.output());
        }
    }
}

const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";
const PASSWORDS: &str = "passwords";
const CONFIG: &str = "mosquitto.conf";

fn write_certificate(folder: &Path) {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    std::fs::write(folder.join(CERTIFICATE), own.cert.pem()).expect("a file");
    std::fs::write(folder.join(KEY), own.signing_key.serialize_pem()).expect("a file");
}

fn write_passwords(folder: &Path) {
    let program = search("mosquitto_passwd").expect("it comes with mosquitto");
    let status = Command::new(program)
        .args(["-c", "-b"])
        .arg(folder.join(PASSWORDS))
        .args([Mosquitto::USER, Mosquitto::PASSWORD])
        .stderr(Stdio::null())
        .status()
        .expect("mosquitto_passwd runs");
    assert!(status.success());
}

/// Port outside the system's ephemeral range, so that it stays free while the broker is down.
pub(crate) fn free_port() -> u16 {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 10_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test programs that run at the same time begin at different ones.
    let offset = std::process::id() % u32::from(COUNT);
    let port = |number: u16| FIRST + (number + u16::try_from(offset).unwrap_or_default()) % COUNT;
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let mut ports = (0..COUNT).map(|_| port(NEXT.fetch_add(1, Ordering::Relaxed) % COUNT));
    ports.find(is_free).expect("a free port")
}
