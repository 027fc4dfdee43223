//! `Secrets`: secrets from flags, files, environment variables and profiles, in this order of
//! precedence.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use dunlin_client::secret::Secret;

use crate::args::{AuthorizerArgs, Origin, Sources};
use crate::config::ask::ask;
use crate::config::standard_input::two_readers;
use crate::diagnosis::{Diagnosis, Try};
use crate::terminal::Console;

/// Sources of one secret.
pub(crate) struct SecretArgs {
    /// Id of the flag in clap: its name with underscores.
    pub(crate) id: &'static str,
    /// Value of the flag or of its environment variable.
    pub(crate) value: Option<String>,
    /// File of the `*-file` flag.
    pub(crate) file: Option<PathBuf>,
    /// Permission to ask for this secret on the terminal.
    pub(crate) asks: Asking,
}

/// Permission to ask for a secret on the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asking {
    Never,
    /// `--ask`: unless the secret was given otherwise.
    IfMissing,
    /// `--ask` with `--no-input`: an error where the terminal would be asked.
    Refused,
}

impl Asking {
    /// Permission by the flags.
    pub(crate) const fn of(typed: &AuthorizerArgs) -> Self {
        Self::new(typed.ask, typed.no_input)
    }

    /// Permission where `--ask` and `--no-input` are given or not.
    pub(crate) const fn new(ask: bool, no_input: bool) -> Self {
        match (ask, no_input) {
            (false, _) => Self::Never,
            (true, false) => Self::IfMissing,
            (true, true) => Self::Refused,
        }
    }
}

/// Reads the secrets of one command line.
pub(crate) struct Secrets<'a> {
    sources: &'a Sources,
    console: Console,
    /// Flags whose secret everybody can see who can list processes.
    exposed: Vec<String>,
    /// Flag that reads standard input; only one can.
    stdin: Option<String>,
}

impl<'a> Secrets<'a> {
    pub(crate) fn new(sources: &'a Sources, console: Console) -> Self {
        Self {
            sources,
            console,
            exposed: Vec::new(),
            stdin: None,
        }
    }

    /// Reads one secret; `None` if it was not given.
    ///
    /// # Errors
    /// [`Id::Usage`](crate::diagnosis::Id::Usage) for a file that can't be read, or more than 65,535
    /// bytes.
    pub(crate) fn resolve(
        &mut self,
        typed: SecretArgs,
    ) -> Result<Option<Secret<Vec<u8>>>, Diagnosis> {
        let flag = format!("--{}", typed.id.replace('_', "-"));
        let on_command_line = self.sources.on_command_line(typed.id);
        let value = match typed.file {
            _ if typed.asks != Asking::Never && self.prefers_asking(typed.id) => {
                Some(ask_for(&flag, typed.asks)?)
            }
            Some(file) if self.prefers_file(typed.id) => {
                Some(self.read(&format!("{flag}-file"), &file)?)
            }
            _ => typed.value.map(|value| Secret::from(value.into_bytes())),
        };
        if value
            .as_ref()
            .is_some_and(|value| value.expose().len() > LONGEST)
        {
            return Err(Diagnosis::usage(format!(
                "the value for {flag} is longer than MQTT can carry ({LONGEST} bytes)"
            )));
        }
        if on_command_line {
            self.exposed.push(flag);
        }
        Ok(value)
    }

    /// Reads one secret that must be text.
    ///
    /// # Errors
    /// See [`resolve`](Self::resolve); also for bytes that are not UTF-8.
    pub(crate) fn resolve_text(
        &mut self,
        typed: SecretArgs,
    ) -> Result<Option<Secret<String>>, Diagnosis> {
        let id = typed.id.replace('_', "-");
        let bytes = self.resolve(typed)?;
        bytes
            .map(|bytes| str::from_utf8(bytes.expose()).map(Secret::from))
            .transpose()
            .map_err(|_| Diagnosis::usage(format!("the value for --{id} is not UTF-8 text")))
    }

    /// Prints one warning for all secrets on the command line.
    pub(crate) fn warn(&self) {
        if let Some(first) = self.exposed.first()
            && warns()
        {
            self.console.warning(format_args!(
                "other users of this computer can read {} in the process list (ps); use {first}-file or an environment variable",
                self.exposed.join(", ")
            ));
        }
    }

    /// True if the file of a secret goes before its value: where the value has a lower precedence, or
    /// there is none. clap merges the flag, its variable and its default, so the origin decides.
    fn prefers_file(&self, id: &str) -> bool {
        let file = self.sources.origin(&format!("{id}_file"));
        // A file without a flag is standard input, which a word asked for.
        let file = file.unwrap_or(Origin::CommandLine);
        let value = self.sources.origin(id);
        value.is_none_or(|value| file < value)
    }

    /// True if the terminal is asked: unless the flag or its file has at least the precedence of
    /// `--ask`.
    fn prefers_asking(&self, id: &str) -> bool {
        let asking = self.sources.origin("ask");
        let goes_before = |id: &str| {
            let origin = self.sources.origin(id);
            origin.is_some() && origin <= asking
        };
        !goes_before(id) && !goes_before(&format!("{id}_file"))
    }

    /// Reads the file of a flag, or standard input for `-`.
    fn read(&mut self, flag: &str, path: &Path) -> Result<Secret<Vec<u8>>, Diagnosis> {
        // Standard input has one end, so a second flag would read nothing.
        let read = if path == Path::new("-") {
            if let Some(other) = self.stdin.replace(flag.to_owned()) {
                return Err(two_readers(&other, flag));
            }
            read_without_line_end(io::stdin().lock())
        } else {
            File::open(path).and_then(|file| {
                if let Some(mode) = open_to_others(&file) {
                    self.console.warning(format_args!(
                        "{} can be read by other users (mode {mode:03o}); chmod 600 would hide it",
                        path.display()
                    ));
                }
                read_without_line_end(file)
            })
        };
        read.map_err(|error| Diagnosis::unreadable(flag, path, &error))
    }
}

/// Asks for a secret on the terminal, which doesn't show what is typed.
///
/// # Errors
/// [`Id::Usage`](crate::diagnosis::Id::Usage) if the process has no terminal, or `--no-input` forbids
/// to ask.
fn ask_for(flag: &str, asks: Asking) -> Result<Secret<Vec<u8>>, Diagnosis> {
    let refused = |why: String| Diagnosis {
        try_: vec![Try::advice(format!(
            "{flag}-file FILE, an environment variable, or --auth-cmd COMMAND"
        ))],
        ..Diagnosis::usage(why)
    };
    if asks == Asking::Refused {
        return Err(refused(format!(
            "--ask would ask for the value of {flag}, which --no-input forbids"
        )));
    }
    ask(&format!("value of {flag}: "), LONGEST)
        .map_err(|error| refused(format!("--ask needs a terminal to ask on: {error}")))
}

/// False if `DUNLIN_NO_ARGV_WARNING=1` turns warnings about the command line off.
pub(super) fn warns() -> bool {
    std::env::var_os("DUNLIN_NO_ARGV_WARNING").is_none_or(|value| value != "1")
}

/// Reads a secret without the line end that editors and `echo` add.
fn read_without_line_end(reader: impl Read) -> io::Result<Secret<Vec<u8>>> {
    // Allocated at full size: a buffer that grows would leave copies of the secret in memory.
    let mut bytes = Vec::with_capacity(LONGEST + 1);
    reader.take(LONGEST as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > LONGEST {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "more than MQTT can carry",
        ));
    }
    // One line end only: more of them may belong to the secret.
    let without = bytes
        .strip_suffix(b"\n")
        .map(|rest| rest.strip_suffix(b"\r").unwrap_or(rest));
    bytes.truncate(without.map_or(bytes.len(), <[u8]>::len));
    Ok(Secret::from(bytes))
}

#[cfg(unix)]
fn open_to_others(file: &File) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    let mode = metadata.permissions().mode() & 0o777;
    (mode & 0o044 != 0).then_some(mode)
}

#[cfg(not(unix))]
fn open_to_others(_: &File) -> Option<u32> {
    None
}

/// Longest string of MQTT, in bytes.
const LONGEST: usize = 65_535;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Vec<u8> {
        read_without_line_end(text).unwrap().expose().clone()
    }

    #[test]
    fn one_line_end_goes_and_nothing_else() {
        assert_eq!(read(b"s3cret\n"), b"s3cret");
        assert_eq!(read(b"s3cret\r\n"), b"s3cret");
        assert_eq!(read(b" s3cret \n\n"), b" s3cret \n");
        assert_eq!(read(b"\xff"), b"\xff");
        assert_eq!(read(b""), b"");
    }

    #[test]
    fn a_file_too_large_for_mqtt_is_refused_and_not_read_whole() {
        assert!(read_without_line_end(io::repeat(b'x')).is_err());
    }
}
