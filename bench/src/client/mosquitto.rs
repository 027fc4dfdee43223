//! mosquitto as the server, for the second table: its own process, and one more that sends floods
//! through it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use std::{env, fs, thread};

use tempfile::TempDir;

use super::contestant::Target;
use super::flood::TRIGGER;
use super::{machine, null_server, tls, wire};

/// Argument that makes this program the one that sends floods, followed by the port.
pub const FLOODER: &str = "flooder";

/// A running mosquitto and its flooder; dropping this value ends both processes.
pub struct Mosquitto {
    server: Child,
    flooder: Option<Child>,
    pub target: Target,
    _folder: TempDir,
}

impl Mosquitto {
    /// Starts mosquitto; `None` if it isn't installed or doesn't accept connections within 2 s.
    pub fn start(encrypted: bool) -> Option<Self> {
        let folder = tempfile::tempdir().ok()?;
        let path = |name: &str| folder.path().join(name);
        let (plain, port) = (free_port()?, free_port()?);
        let identity = tls::Identity::new();
        // Its files: certificate, key, and limits that let a thousand messages wait.
        fs::write(path("certificate.pem"), &identity.certificate).ok()?;
        fs::write(path("key.pem"), &identity.key).ok()?;
        let files = format!(
            "certfile {}\nkeyfile {}\n",
            path("certificate.pem").display(),
            path("key.pem").display()
        );
        let options = format!(
            "per_listener_settings false\nallow_anonymous true\npersistence false\nlog_type none\nuser root\n\
             set_tcp_nodelay true\nmax_inflight_messages 1000\nmax_queued_messages 0\n\
             listener {plain} 127.0.0.1\nlistener {port} 127.0.0.1\n{files}"
        );
        fs::write(path("mosquitto.conf"), options).ok()?;
        let server = Command::new("mosquitto")
            .arg("-c")
            .arg(path("mosquitto.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        machine::pin_server(i32::try_from(server.id()).ok()?);
        let target = match encrypted {
            false => Target {
                port: plain,
                certificate: None,
                websocket: false,
            },
            true => Target {
                port,
                certificate: Some(identity.certificate),
                websocket: false,
            },
        };
        let mut mosquitto = Self {
            server,
            flooder: None,
            target,
            _folder: folder,
        };
        // Wait for the port, which opens some time after the start.
        (0..100).find(|_| {
            thread::sleep(Duration::from_millis(20));
            TcpStream::connect(("127.0.0.1", plain)).is_ok()
        })?;
        mosquitto.flooder = Some(start_flooder(plain).ok()?);
        Some(mosquitto)
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        for process in [Some(&mut self.server), self.flooder.as_mut()]
            .into_iter()
            .flatten()
        {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn start_flooder(port: u16) -> io::Result<Child> {
    let mut process = Command::new(env::current_exe()?)
        .args(["client", FLOODER, &port.to_string()])
        .stdout(Stdio::piped())
        .spawn()?;
    if let Some(stdout) = process.stdout.take() {
        BufReader::new(stdout).read_line(&mut String::new())?;
    }
    Ok(process)
}

/// Sends floods through the server on `port` whenever a message requests one.
///
/// # Errors
/// The error of the connection.
pub fn flood(port: u16) -> io::Result<()> {
    machine::pin_server(0);
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    stream.write_all(&wire::connect("flooder", 100))?;
    stream.write_all(&wire::subscribe(TRIGGER, 1))?;
    // Wait for CONNACK and SUBACK, byte by byte so that nothing after them is read.
    let mut input = Vec::new();
    let whole = |input: &[u8]| {
        let first = wire::packet(input)?;
        wire::packet(&input[first.len..]).map(drop)
    };
    while whole(&input).is_none() {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        input.push(byte[0]);
    }
    println!("ready");
    null_server::serve(stream, &AtomicU64::new(0))
}

fn free_port() -> Option<u16> {
    Some(
        TcpListener::bind("127.0.0.1:0")
            .ok()?
            .local_addr()
            .ok()?
            .port(),
    )
}
