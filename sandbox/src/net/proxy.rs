//! A fault: an HTTP proxy that refuses every tunnel.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Reads one request and refuses it. Returns the request line for the log.
///
/// # Errors
/// The error of the connection, or `TimedOut` after 10 seconds.
pub(crate) async fn refuse(mut stream: TcpStream, status: u16) -> io::Result<String> {
    let served = timeout(PATIENCE, async {
        let request = read_head(&mut stream).await?;
        let authenticate = if status == 407 {
            "Proxy-Authenticate: Basic realm=\"sandbox\"\r\n"
        } else {
            ""
        };
        let head = format!("HTTP/1.1 {status} {}\r\n{authenticate}", phrase(status));
        let rest = "Content-Length: 0\r\nConnection: close\r\n\r\n";
        stream.write_all(format!("{head}{rest}").as_bytes()).await?;
        stream.shutdown().await?;
        Ok(request)
    });
    served
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// The request line; everything up to the empty line is read.
async fn read_head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        if head.len() > LONGEST_HEAD || stream.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    Ok(line.escape_ascii().to_string())
}

const fn phrase(status: u16) -> &'static str {
    match status {
        403 => "Forbidden",
        407 => "Proxy Authentication Required",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Refused",
    }
}

const LONGEST_HEAD: usize = 8 * 1024;
const PATIENCE: Duration = Duration::from_secs(10);
