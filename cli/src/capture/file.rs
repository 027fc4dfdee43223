//! `CaptureFile`: a capture file that is written while connections last.

use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use dunlin_client::Direction;
use dunlin_codec::PacketType;

use super::pcapng;
use super::tcp::TcpConnection;
use crate::args::CaptureArgs;
use crate::diagnosis::{Diagnosis, Try};
use crate::inspect::{FILLER, may_hold_secrets, without_secrets};
use crate::terminal::Console;

/// Capture file, shared by all connections of a run.
///
/// Each packet is written with one call and at once, so that the file can be read whatever ends the
/// process. Nothing is queued. An error of the file is told once and ends the capture, not the run.
#[derive(Clone, Debug)]
pub(crate) struct CaptureFile(Arc<Mutex<CaptureFileState>>);

#[derive(Debug)]
struct CaptureFileState {
    file: File,
    path: PathBuf,
    /// Bytes of whole blocks in the file.
    len: u64,
    /// Number of connections so far.
    connections: u32,
    /// The same moment by both clocks: packets have times of the first, files those of the second.
    started: (Instant, Duration),
    /// True if secrets are written as they are.
    shows_secrets: bool,
    /// True once an error was told; nothing is written any more.
    has_failed: bool,
    console: Console,
}

/// Connection in a capture file. Dropping it writes its end.
#[derive(Debug)]
pub(crate) struct CapturedConnection {
    file: CaptureFile,
    tcp: TcpConnection,
    /// Number and name of the connection, for comments.
    name: String,
    /// Time of the last packet, which the end has when the connection is dropped.
    last: Instant,
    is_open: bool,
}

impl CaptureFile {
    /// Creates the file of `--capture`, with secrets or without; `None` without the flag.
    ///
    /// # Errors
    /// See [`create`](Self::create).
    pub(crate) fn asked_for(
        typed: &CaptureArgs,
        shows_secrets: bool,
        console: Console,
    ) -> Result<Option<Self>, Diagnosis> {
        let path = typed.capture.as_deref();
        path.map(|path| Self::create(path, shows_secrets, console))
            .transpose()
    }

    /// Creates the file, which only its owner can read. With `shows_secrets` passwords and tokens are
    /// written as they are.
    ///
    /// # Errors
    /// [`Id::Usage`](crate::diagnosis::Id::Usage) if something is there already, or the file can't be
    /// created.
    #[expect(
        clippy::disallowed_methods,
        reason = "a capture has the time of day, and packets have that of the runtime"
    )]
    pub(crate) fn create(
        path: &Path,
        shows_secrets: bool,
        console: Console,
    ) -> Result<Self, Diagnosis> {
        let mut options = OpenOptions::new();
        // Only a new file: nothing is replaced, and no link is followed.
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options
            .open(path)
            .map_err(|error| not_created(path, &error))?;

        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let mut inner = CaptureFileState {
            file,
            path: path.to_owned(),
            len: 0,
            connections: 0,
            started: (Instant::now(), now.unwrap_or_default()),
            shows_secrets,
            has_failed: false,
            console,
        };
        inner
            .append(&pcapng::header())
            .map_err(|error| not_created(path, &error))?;
        Ok(Self(Arc::new(Mutex::new(inner))))
    }

    /// Writes the handshake of a new connection. `about` is added to its number in comments; it may be
    /// empty.
    pub(crate) fn open_connection(&self, about: &str, at: Instant) -> CapturedConnection {
        let mut inner = self.lock();
        inner.connections += 1;
        let number = inner.connections;
        drop(inner);
        let about = match about {
            "" => String::new(),
            about => format!(" ({about})"),
        };
        let mut connection = CapturedConnection {
            file: self.clone(),
            tcp: TcpConnection::new(number),
            name: format!("connection {number}{about}"),
            last: at,
            is_open: true,
        };
        let packets = connection.tcp.open();
        connection.write(packets, at, ": opened");
        connection
    }

    fn lock(&self) -> MutexGuard<'_, CaptureFileState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CapturedConnection {
    /// Writes a packet of MQTT, or its beginning; secrets are replaced by filler.
    pub(crate) fn record(&mut self, direction: Direction, packet: &[u8], at: Instant) {
        let bytes = if self.file.lock().shows_secrets {
            Cow::Borrowed(packet)
        } else {
            without_secrets(packet)
        };
        self.write_data(direction, &bytes, at);
    }

    /// Writes more bytes of a packet of this type whose beginning was recorded. Packets that may hold
    /// secrets get filler, because the place of a secret in the rest isn't known.
    pub(crate) fn record_rest(
        &mut self,
        direction: Direction,
        packet_type: PacketType,
        bytes: &[u8],
        at: Instant,
    ) {
        if may_hold_secrets(packet_type) {
            self.record_unknown(direction, bytes, at);
        } else {
            self.write_data(direction, bytes, at);
        }
    }

    /// Writes bytes of no packet: all of them are replaced by filler, because they may be credentials of
    /// another protocol.
    pub(crate) fn record_unknown(&mut self, direction: Direction, bytes: &[u8], at: Instant) {
        if self.file.lock().shows_secrets {
            self.write_data(direction, bytes, at);
        } else {
            self.write_data(direction, &vec![FILLER; bytes.len()], at);
        }
    }

    fn write_data(&mut self, direction: Direction, bytes: &[u8], at: Instant) {
        let packets = self.tcp.data(direction, bytes);
        let packets: Vec<_> = packets.map(|packet| (direction, packet)).collect();
        self.write(packets, at, "");
    }

    /// Writes the end of the connection, once.
    pub(crate) fn close(&mut self, at: Instant) {
        if std::mem::take(&mut self.is_open) {
            let packets = self.tcp.close();
            self.write(packets, at, ": closed");
        }
    }

    /// Writes IP packets, each with a comment that names the connection and the direction.
    fn write(&mut self, packets: Vec<(Direction, Vec<u8>)>, at: Instant, what: &str) {
        // Times go forward, as in the captures of other programs.
        let at = at.max(self.last);
        self.last = at;
        let mut block = Vec::new();
        let mut inner = self.file.lock();
        let time = inner.time(at);
        for (direction, packet) in packets {
            let direction = match direction {
                Direction::Sent => "client to server",
                Direction::Received => "server to client",
            };
            block.clear();
            let comment = format!("{}, {direction}{what}", self.name);
            pcapng::packet(&mut block, time, &packet, &comment);
            inner.append_or_fail(&block);
        }
    }
}

impl Drop for CapturedConnection {
    fn drop(&mut self) {
        self.close(self.last);
    }
}

impl CaptureFileState {
    /// Time of day of a moment.
    fn time(&self, at: Instant) -> Duration {
        let (started, time_of_day) = self.started;
        time_of_day + at.saturating_duration_since(started)
    }

    /// Appends a block; after the first error, which is told, nothing is written.
    fn append_or_fail(&mut self, block: &[u8]) {
        if self.has_failed {
            return;
        }
        if let Err(error) = self.append(block) {
            self.has_failed = true;
            self.console.warning(format_args!(
                "--capture: {}: {error}; the capture ends here, and the run goes on",
                self.path.display()
            ));
        }
    }

    fn append(&mut self, block: &[u8]) -> io::Result<()> {
        let written = self.file.write_all(block);
        match &written {
            Ok(()) => self.len += block.len() as u64,
            // Half a block would make readers stumble over the end of the file.
            Err(_) => {
                let _ = self.file.set_len(self.len);
            }
        }
        written
    }
}

fn not_created(path: &Path, error: &io::Error) -> Diagnosis {
    let is_there = error.kind() == io::ErrorKind::AlreadyExists;
    let advice = Try::advice("give another name, or remove the file: a capture replaces nothing");
    Diagnosis {
        try_: is_there.then_some(advice).into_iter().collect(),
        ..Diagnosis::usage(format!(
            "--capture: {} can't be created: {error}",
            path.display()
        ))
    }
}
