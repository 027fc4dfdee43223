//! Connections to Unix domain sockets.

use std::path::Path;

use super::deadline::Deadline;
use super::socket::Socket;
use crate::error::{IoFault, Stage, TransportError};

/// Connects to the socket at `path`.
///
/// # Errors
/// [`TransportError::UnixSocket`] if it can't be connected to, or the system has no such sockets;
/// [`TransportError::TimedOut`] in the stage [`Stage::UnixSocket`].
pub(super) async fn connect(path: &Path, deadline: Deadline) -> Result<Socket, TransportError> {
    match deadline.run(open(path)).await {
        Some(Ok(socket)) => Ok(socket),
        Some(Err(error)) => Err(TransportError::UnixSocket {
            path: path.to_owned(),
            fault: IoFault::from(&error),
        }),
        None => Err(deadline.passed(Stage::UnixSocket, Vec::new())),
    }
}

#[cfg(unix)]
async fn open(path: &Path) -> std::io::Result<Socket> {
    tokio::net::UnixStream::connect(path)
        .await
        .map(Socket::Unix)
}

/// tokio has Unix domain sockets on Unix alone.
#[cfg(not(unix))]
async fn open(_: &Path) -> std::io::Result<Socket> {
    Err(std::io::ErrorKind::Unsupported.into())
}
