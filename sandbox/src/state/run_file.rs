//! `run/<pid>.json`: how a running sandbox is found, and how one that died isn't.
//!
//! The sandbox holds a lock on its file for as long as it runs. A lock ends with its process,
//! however that ended, and unlike a process id it is never given to somebody else.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::ready::Ready;
use crate::state::StateDir;
use crate::state::private_file::{
    HALF_WRITTEN, create_private, create_private_dir, refuse_writable,
};
use crate::state::state_error::StateError;

/// A sandbox that runs right now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunningSandbox {
    /// Process id.
    pub pid: u32,
    /// The host name to connect to.
    pub endpoint: String,
    /// Port of MQTT over TLS.
    pub port: u16,
    /// Port of MQTT over WebSocket and TLS; `None` if there is none.
    pub wss_port: Option<u16>,
    /// Port of MQTT over WebSocket without TLS; `None` if there is none.
    pub ws_port: Option<u16>,
    /// Port of HTTPS; `None` if there is none.
    pub https_port: Option<u16>,
    /// Port of HTTP without TLS; `None` if there is none.
    pub http_port: Option<u16>,
    /// The CA certificate to trust.
    pub ca: PathBuf,
}

/// The file of this process; removed when dropped.
#[derive(Debug)]
pub(crate) struct RunFile {
    path: PathBuf,
    _lock: File,
}

impl RunFile {
    pub(crate) fn create(state_dir: &StateDir, ready: &Ready) -> Result<Self, StateError> {
        let dir = state_dir.run_dir();
        create_private_dir(&dir)?;
        // Here and not in `find`: only a sandbox that starts may change the folder.
        remove_stale(&dir);
        let written = write_locked(&dir, ready);
        let (path, lock) = written.map_err(|source| StateError::Io { path: dir, source })?;
        Ok(Self { path, _lock: lock })
    }
}

impl Drop for RunFile {
    fn drop(&mut self) {
        // Left behind, it is ignored: nobody holds its lock.
        let _ = fs::remove_file(&self.path);
    }
}

pub(super) fn find(dir: &Path) -> Result<Vec<RunningSandbox>, StateError> {
    // Without the folder no sandbox has run yet, which isn't an error.
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => {
            return Err(StateError::Io {
                path: dir.into(),
                source,
            });
        }
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let found = paths
        .filter(|path| is_named(path))
        .filter_map(|path| read(&path).transpose());
    let mut running = found.collect::<Result<Vec<RunningSandbox>, StateError>>()?;
    running.sort_by_key(|sandbox| (sandbox.pid, sandbox.port));
    Ok(running)
}

/// `None` where its sandbox is gone, or it isn't whole.
///
/// # Errors
/// [`StateError::Writable`] or [`StateError::NotOwned`] if others could have written it.
fn read(path: &Path) -> Result<Option<RunningSandbox>, StateError> {
    let Ok(file) = File::open(path) else {
        return Ok(None);
    };
    // Whoever gets the lock shows that its owner is gone.
    if !matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)) {
        return Ok(None);
    }
    match refuse_writable(path) {
        // Its sandbox has just ended.
        Err(StateError::Io { .. }) => return Ok(None),
        checked => checked?,
    }
    let ready = fs::read_to_string(path)
        .ok()
        .and_then(|text| serde_json::from_str::<Ready>(&text).ok());
    Ok(ready.map(|ready| RunningSandbox {
        pid: ready.pid,
        endpoint: ready.endpoint,
        port: ready.port,
        wss_port: ready.wss_port,
        ws_port: ready.ws_port,
        https_port: ready.https_port,
        http_port: ready.http_port,
        ca: ready.ca,
    }))
}

/// The lock is taken before the file has its name, so that nobody finds it unlocked.
fn write_locked(dir: &Path, ready: &Ready) -> io::Result<(PathBuf, File)> {
    let own_name = format!("{}-{}", ready.pid, ready.port);
    let unnamed = dir.join(format!("{own_name}.{HALF_WRITTEN}"));
    let mut file = create_private(&unnamed)?;
    file.lock()?;
    serde_json::to_writer(&mut file, ready)?;
    file.flush()?;
    // A hard link fails if the name is taken, unlike a rename.
    let mut path = dir.join(format!("{}.json", ready.pid));
    if fs::hard_link(&unnamed, &path).is_ok() {
        fs::remove_file(&unnamed)?;
    } else {
        // A second sandbox of one process (a test, say) takes its port into the name.
        path = dir.join(format!("{own_name}.json"));
        fs::rename(&unnamed, &path)?;
    }
    Ok((path, file))
}

/// Takes away what sandboxes left behind that were killed. Whatever can't be taken away is ignored
/// by `find` anyway.
fn remove_stale(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        // Only files that a sandbox would have written, and only if nobody holds their lock.
        let is_ours = is_named(&path)
            || path
                .extension()
                .is_some_and(|extension| extension == HALF_WRITTEN);
        if is_ours && File::open(&path).is_ok_and(|file| file.try_lock_shared().is_ok()) {
            let _ = fs::remove_file(&path);
        }
    }
}

fn is_named(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(pid: u32, port: u16) -> Ready {
        Ready {
            endpoint: "localhost".into(),
            port,
            plain_port: None,
            wss_port: None,
            ws_port: None,
            https_port: None,
            http_port: None,
            anonymous: false,
            client_certificates: false,
            addresses: Vec::new(),
            faults: Vec::new(),
            ca: "/ca.pem".into(),
            signing_key: "/signing.pem".into(),
            pid,
            strict_arns: None,
            demo: true,
            authorizers: Vec::new(),
        }
    }

    #[test]
    fn a_sandbox_is_found_while_it_runs_and_not_after() {
        let dir = tempfile::tempdir().unwrap();
        let state_dir = StateDir::at(dir.path());
        assert_eq!(state_dir.running().unwrap(), []);
        // Two sandboxes of one process: the second has its port in the name of its file.
        let first = RunFile::create(&state_dir, &ready(7, 1)).unwrap();
        let second = RunFile::create(&state_dir, &ready(7, 2)).unwrap();
        let ports = || {
            state_dir
                .running()
                .unwrap()
                .iter()
                .map(|found| found.port)
                .collect::<Vec<_>>()
        };
        assert_eq!(ports(), [1, 2]);
        drop(first);
        assert_eq!(ports(), [2]);
        drop(second);
        assert!(ports().is_empty());
        assert_eq!(fs::read_dir(state_dir.run_dir()).unwrap().count(), 0);
    }

    #[test]
    fn the_file_of_a_process_that_died_is_ignored() {
        let dir = tempfile::tempdir().unwrap();
        let state_dir = StateDir::at(dir.path());
        create_private_dir(&state_dir.run_dir()).unwrap();
        fs::write(
            state_dir.run_dir().join("7.json"),
            serde_json::to_string(&ready(7, 1)).unwrap(),
        )
        .unwrap();
        // Not locked, as after SIGKILL, and not even whole.
        fs::write(state_dir.run_dir().join("8.json"), "half a f").unwrap();
        assert_eq!(state_dir.running().unwrap(), []);
        let _next = RunFile::create(&state_dir, &ready(9, 1)).unwrap();
        assert_eq!(fs::read_dir(state_dir.run_dir()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_sandbox_that_others_could_have_put_there_is_refused() {
        use crate::state::private_file::set_mode;
        let dir = tempfile::tempdir().unwrap();
        let state_dir = StateDir::at(dir.path());
        let running = RunFile::create(&state_dir, &ready(7, 1)).unwrap();
        for (path, mode) in [
            (state_dir.sandbox(), 0o700),
            (state_dir.run_dir(), 0o700),
            (running.path.clone(), 0o600),
        ] {
            set_mode(&path, mode | 0o020).unwrap();
            let told = state_dir.running().unwrap_err().to_string();
            assert!(
                told.ends_with(&format!("; to mend it: chmod {mode:o} {}", path.display())),
                "{told}"
            );
            set_mode(&path, mode).unwrap();
        }
        assert_eq!(state_dir.running().unwrap().len(), 1);
    }
}
