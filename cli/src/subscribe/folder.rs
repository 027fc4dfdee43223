//! `Folder`: a new file for each message, for `--output-dir`.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use dunlin_client::ReceivedMessage;

use crate::diagnosis::{Diagnosis, Id, Try};

/// Folder whose files are numbered in the order of arrival.
pub(super) struct Folder {
    /// Absolute, so that a later change of a link doesn't lead elsewhere.
    path: PathBuf,
    /// Number of the next file.
    next: u64,
}

impl Folder {
    /// Opens the folder, or makes it. Numbers go on after those of files that are there.
    ///
    /// # Errors
    /// [`Id::Usage`] if it is no folder, or can't be read.
    pub(super) fn open(path: &Path) -> Result<Self, Diagnosis> {
        let unusable = |error| Diagnosis::unreadable("--output-dir", path, &error);
        fs::create_dir_all(path).map_err(unusable)?;
        let absolute = fs::canonicalize(path).map_err(unusable)?;
        let mut next = 1;
        for entry in fs::read_dir(&absolute).map_err(unusable)? {
            // Files of other programs have no number, or one that no run reaches, and don't count.
            let name = entry.map_err(unusable)?.file_name();
            let number = name.to_str().and_then(|name| name.split_once('-'));
            if let Some(number) = number.and_then(|(number, _)| number.parse::<u32>().ok()) {
                next = next.max(u64::from(number) + 1);
            }
        }
        Ok(Self {
            path: absolute,
            next,
        })
    }

    /// Writes the payload to a new file, and returns the name of the file.
    ///
    /// # Errors
    /// [`Id::Io`]: the disk is full, for example. Nothing is left of the file then.
    pub(super) fn write(&mut self, message: &ReceivedMessage) -> Result<String, Diagnosis> {
        loop {
            let name = file_name(self.next, message.topic());
            let path = self.path.join(&name);
            self.next += 1;
            // Only a new file: one that is there is never written to, and no link is followed.
            let mut file = match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(not_written(&path, &error)),
            };
            if let Err(error) = file.write_all(message.payload()) {
                // Half a payload must not look like a whole one.
                drop(file);
                let _ = fs::remove_file(&path);
                return Err(not_written(&path, &error));
            }
            return Ok(name);
        }
    }
}

/// Name of file `number`: the number and the topic, in which all but letters, digits, `-`, `_` and
/// `.` is written as `%` and two hexadecimal digits.
fn file_name(number: u64, topic: &str) -> String {
    let mut name = format!("{number:06}-");
    for byte in topic.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                name.push(char::from(byte));
            }
            other => name.push_str(&format!("%{other:02x}")),
        }
        // File systems allow 255 bytes; the number tells files apart.
        if name.len() > LONGEST_NAME {
            break;
        }
    }
    name
}

fn not_written(path: &Path, error: &io::Error) -> Diagnosis {
    Diagnosis {
        try_: vec![Try::advice(
            "the message was not acknowledged: with --clean-start false, --session-expiry and QoS 1 the \
             server sends it again",
        )],
        ..Diagnosis::new(
            Id::Io,
            format!("a message can't be written to {}: {error}", path.display()),
        )
    }
}

/// Length of a name after which the rest of the topic is left out, in bytes.
const LONGEST_NAME: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_in_its_folder_whatever_the_topic_is() {
        assert_eq!(file_name(1, "lamp/7"), "000001-lamp%2f7");
        assert_eq!(file_name(1, "../../etc"), "000001-..%2f..%2fetc");
        assert_eq!(file_name(12, "é\n"), "000012-%c3%a9%0a");
        assert!(file_name(1, &"/".repeat(1000)).len() < 255);
    }

    #[test]
    fn numbers_go_on_after_those_that_are_there() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("000041-a"), "x").unwrap();
        fs::write(folder.path().join("18446744073709551615-a"), "x").unwrap();
        assert_eq!(Folder::open(folder.path()).unwrap().next, 42);
    }
}
