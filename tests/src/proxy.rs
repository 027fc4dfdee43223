//! `LocalProxy`: a proxy of Debian's on a free port of this computer, ended with the test.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::mosquitto::free_port;
use crate::program::Program;

/// A running proxy.
#[derive(Debug)]
pub struct LocalProxy {
    address: SocketAddr,
    process: Child,
    /// Folder of its configuration.
    _folder: TempDir,
}

impl LocalProxy {
    /// The one user that a proxy with credentials knows.
    pub const USER: &str = "alice";
    /// Password of [`USER`](Self::USER).
    pub const PASSWORD: &str = "s3cret";

    /// Starts microsocks, a SOCKS5 proxy, with or without credentials. `None`, with a line on
    /// standard error, where it isn't installed.
    pub async fn microsocks(has_credentials: bool) -> Option<Self> {
        let program = Program::Microsocks.find()?;
        let port = free_port();
        let mut command = Command::new(program);
        command.args(["-i", "127.0.0.1", "-p", &port.to_string()]);
        if has_credentials {
            command.args(["-u", Self::USER, "-P", Self::PASSWORD]);
        }
        Some(Self::start(command, port, tempfile::tempdir().expect("a folder")).await)
    }

    /// Starts tinyproxy, an HTTP proxy, with or without credentials. `None`, with a line on
    /// standard error, where it isn't installed.
    pub async fn tinyproxy(has_credentials: bool) -> Option<Self> {
        let program = Program::Tinyproxy.find()?;
        let port = free_port();
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = format!("Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 20\n");
        if has_credentials {
            config += &format!("BasicAuth {} {}\n", Self::USER, Self::PASSWORD);
        }
        let path = folder.path().join("tinyproxy.conf");
        fs::write(&path, config).expect("the configuration is written");
        let mut command = Command::new(program);
        command.arg("-d").arg("-c").arg(path);
        Some(Self::start(command, port, folder).await)
    }

    /// Starts haproxy with this configuration, in which `PORT` stands for the port to listen on.
    /// `None`, with a line on standard error, where it isn't installed.
    pub async fn haproxy(config: &str) -> Option<Self> {
        let program = Program::Haproxy.find()?;
        let port = free_port();
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("haproxy.cfg");
        let config = config.replace("PORT", &port.to_string());
        fs::write(&path, config).expect("the configuration is written");
        let mut command = Command::new(program);
        // In the foreground, so that it ends with the test.
        command.arg("-db").arg("-f").arg(path);
        Some(Self::start(command, port, folder).await)
    }

    /// Address of the proxy.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts the program and waits until it accepts connections.
    async fn start(mut command: Command, port: u16, folder: TempDir) -> Self {
        let process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the proxy starts");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let proxy = Self {
            address,
            process,
            _folder: folder,
        };
        for _ in 0..100 {
            if TcpStream::connect(address).is_ok() {
                return proxy;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the proxy accepts no connection at {address}");
    }
}

impl Drop for LocalProxy {
    fn drop(&mut self) {
        // A process that has ended can't be killed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
