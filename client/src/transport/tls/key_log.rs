//! `KeyLog`: TLS secrets written to a file, with which Wireshark decrypts a recording.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use tokio_rustls::rustls;
use zeroize::Zeroizing;

use super::options_error::TlsOptionsError;
use crate::error::IoFault;

/// File for the secrets of TLS connections, in the format of `SSLKEYLOGFILE`.
///
/// Anybody who has this file and a recording of the network can read the connections: it is for
/// debugging alone. Several programs may append to the same file. Each handshake writes a few lines
/// from the task that runs it, so the file should be on a local disk.
///
/// ```no_run
/// use dunlin_client::transport::{KeyLog, TlsOptions};
///
/// let options = TlsOptions {
///     key_log: Some(KeyLog::to_file("keys.log")?),
///     ..Default::default()
/// };
/// # Ok::<(), dunlin_client::transport::TlsOptionsError>(())
/// ```
#[derive(Clone)]
pub struct KeyLog(Arc<LogFile>);

struct LogFile {
    file: File,
    path: PathBuf,
    /// First failure to write.
    fault: OnceLock<IoFault>,
    on_failure: Option<Box<dyn Fn(IoFault) + Send + Sync>>,
}

impl KeyLog {
    /// Opens `path` and appends to it. A new file can be read and written by its owner alone (mode
    /// 0600 on Unix); the mode of an existing one is left as it is.
    ///
    /// A named pipe (FIFO) is written to as well, without ever waiting for its reader: what doesn't fit
    /// into the pipe is lost, and reported as a [`fault`](Self::fault).
    ///
    /// # Errors
    /// [`TlsOptionsError::KeyLog`] if the file can't be opened, or is a named pipe that no program has
    /// open for reading.
    pub fn to_file(path: impl AsRef<Path>) -> Result<Self, TlsOptionsError> {
        Self::open(path.as_ref(), None)
    }

    /// Like [`to_file`](Self::to_file); also calls `on_failure` for the first line that can't be
    /// written. The connection is not affected by such a failure.
    ///
    /// `on_failure` runs on the client's task and must not block.
    ///
    /// # Errors
    /// [`TlsOptionsError::KeyLog`] if the file can't be opened.
    pub fn to_file_or_else(
        path: impl AsRef<Path>,
        on_failure: impl Fn(IoFault) + Send + Sync + 'static,
    ) -> Result<Self, TlsOptionsError> {
        Self::open(path.as_ref(), Some(Box::new(on_failure)))
    }

    /// Opens the file that the environment variable `SSLKEYLOGFILE` names; `None` if the variable
    /// is not set, or empty.
    ///
    /// # Errors
    /// [`TlsOptionsError::KeyLog`] if the file can't be opened.
    pub fn from_environment() -> Result<Option<Self>, TlsOptionsError> {
        let path = std::env::var_os("SSLKEYLOGFILE").filter(|path| !path.is_empty());
        path.map(Self::to_file).transpose()
    }

    /// First failure to write to the file; `None` as long as every line was written.
    #[must_use]
    pub fn fault(&self) -> Option<IoFault> {
        self.0.fault.get().copied()
    }

    fn open(
        path: &Path,
        on_failure: Option<Box<dyn Fn(IoFault) + Send + Sync>>,
    ) -> Result<Self, TlsOptionsError> {
        // Appending, because other connections and programs may write to the same file.
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
            // Opening a named pipe would wait for its reader, and a full one would block the runtime.
            options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
        }
        match options.open(path) {
            Ok(file) => Ok(Self(Arc::new(LogFile {
                file,
                path: path.to_owned(),
                fault: OnceLock::new(),
                on_failure,
            }))),
            Err(error) => Err(TlsOptionsError::KeyLog {
                path: path.to_owned(),
                fault: IoFault::from(&error),
            }),
        }
    }

    pub(super) fn to_rustls(&self) -> Arc<dyn rustls::KeyLog> {
        self.0.clone()
    }
}

impl fmt::Debug for KeyLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyLog").field(&self.0.path).finish()
    }
}

impl LogFile {
    fn write_failed(&self, error: &io::Error) {
        let fault = IoFault::from(error);
        // A full disk fails every line; one report is enough.
        if self.fault.set(fault).is_err() {
            return;
        }
        tracing::warn!(
            target: "dunlin_client::connection",
            path = %dunlin_codec::Escaped(self.path.display()),
            %fault,
            "cannot write to the key log"
        );
        if let Some(on_failure) = &self.on_failure {
            on_failure(fault);
        }
    }
}

impl rustls::KeyLog for LogFile {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let line = line(label, client_random, secret);
        // One call for the whole line: lines of other connections don't come between its parts.
        if let Err(error) = (&self.file).write_all(&line) {
            self.write_failed(&error);
        }
    }
}

impl fmt::Debug for LogFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LogFile").field(&self.path).finish()
    }
}

/// Label, client random and secret, the last two in hexadecimal, separated by spaces; zeroed after
/// use.
fn line(label: &str, client_random: &[u8], secret: &[u8]) -> Zeroizing<Vec<u8>> {
    // Allocated at full size: a buffer that grows would leave copies of the secret in memory.
    let length = label.len() + 2 * (client_random.len() + secret.len()) + 3;
    let mut line = Zeroizing::new(Vec::with_capacity(length));
    line.extend_from_slice(label.as_bytes());
    for bytes in [client_random, secret] {
        line.push(b' ');
        for byte in bytes {
            line.extend([byte >> 4, byte & 0xf].map(hex_digit));
        }
    }
    line.push(b'\n');
    line
}

/// Hexadecimal digit of a number from 0 to 15.
const fn hex_digit(number: u8) -> u8 {
    match number {
        0..=9 => b'0' + number,
        _ => b'a' + number - 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_label_random_and_secret() {
        let line = line("CLIENT_RANDOM", &[0, 0x9f, 0xa0], &[0xff]);
        assert_eq!(line.as_slice(), b"CLIENT_RANDOM 009fa0 ff\n");
        assert_eq!(line.len(), line.capacity());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_named_pipe_is_written_to_without_a_wait_for_its_reader() {
        use std::io::Read as _;
        use std::os::unix::fs::OpenOptionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::from(0o600)).unwrap();
        let refused = KeyLog::to_file(&path).unwrap_err();
        assert!(matches!(refused, TlsOptionsError::KeyLog { .. }));

        let mut reader = OpenOptions::new()
            .read(true)
            .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed())
            .open(&path)
            .unwrap();
        let log = KeyLog::to_file(&path).unwrap();
        let rustls = log.to_rustls();
        rustls.log("CLIENT_RANDOM", &[1], &[2]);
        let mut read = [0; 64];
        let len = reader.read(&mut read).unwrap();
        assert_eq!(&read[..len], b"CLIENT_RANDOM 01 02\n");

        // A full pipe is a fault, and no wait.
        rustls.log("CLIENT_RANDOM", &[1; 600_000], &[2]);
        assert_eq!(log.fault().unwrap().kind, io::ErrorKind::WouldBlock);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_line_that_cannot_be_written_is_reported_once() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        let reports = Arc::new(AtomicUsize::new(0));
        let counter = reports.clone();
        let log = KeyLog::to_file_or_else("/dev/full", move |fault| {
            assert_eq!(fault.kind, io::ErrorKind::StorageFull);
            counter.fetch_add(1, Ordering::Relaxed);
        })
        .unwrap();
        assert_eq!(log.fault(), None);

        let rustls = log.to_rustls();
        rustls.log("CLIENT_RANDOM", &[1], &[2]);
        rustls.log("CLIENT_RANDOM", &[1], &[2]);

        assert_eq!(reports.load(Ordering::Relaxed), 1);
        assert_eq!(log.fault().unwrap().kind, io::ErrorKind::StorageFull);
    }
}
