//! `ClientCapture`: the connections of one client in a capture file.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use dunlin_client::{Direction, ObservedPacket};

use super::file::{CaptureFile, CapturedConnection};

/// Capture of a client, shared by its observer and its run. A CONNECT begins a new connection.
#[derive(Clone, Debug)]
pub(crate) struct ClientCapture(Arc<Mutex<ClientCaptureState>>);

#[derive(Debug)]
struct ClientCaptureState {
    file: CaptureFile,
    /// Connection that is open; `None` before the first CONNECT and after its end.
    connection: Option<CapturedConnection>,
}

impl ClientCapture {
    pub(crate) fn new(file: CaptureFile) -> Self {
        Self(Arc::new(Mutex::new(ClientCaptureState {
            file,
            connection: None,
        })))
    }

    /// Writes a packet that the client's observer has seen.
    pub(crate) fn record(&self, seen: &ObservedPacket<'_>) {
        let mut inner = self.lock();
        let is_connect = seen.bytes.first() == Some(&CONNECT);
        if seen.direction == Direction::Sent && is_connect {
            // Dropping the last connection writes its end.
            inner.connection = None;
        }
        let ClientCaptureState { file, connection } = &mut *inner;
        connection
            .get_or_insert_with(|| file.open_connection("", seen.at))
            .record(seen.direction, seen.bytes, seen.at);
    }

    /// Writes the end of the connection, if one is open.
    pub(crate) fn close(&self, at: Instant) {
        if let Some(mut connection) = self.lock().connection.take() {
            connection.close(at);
        }
    }

    fn lock(&self) -> MutexGuard<'_, ClientCaptureState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// First byte of CONNECT.
const CONNECT: u8 = 0x10;
