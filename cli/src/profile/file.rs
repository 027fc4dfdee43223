//! `ProfileFile`: the flags of a saved connection, in TOML: one key for each flag.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::args::{RecordedFlag, userinfo};
#[cfg(unix)]
use crate::diagnosis::shell;
use crate::diagnosis::{Diagnosis, Try, quoted};

/// Flags of a saved connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ProfileFile {
    /// Values of each flag by its id, which is its name with underscores.
    pub(super) values: BTreeMap<String, Vec<String>>,
}

impl ProfileFile {
    /// Reads the profile in `path`; `flags` are those that a profile may hold.
    ///
    /// Relative paths in it are taken from its folder.
    ///
    /// # Errors
    /// [`Id::Usage`](crate::diagnosis::Id::Usage) for a file that can't be read or isn't TOML, for a
    /// key that is no flag, for a value of a wrong type, for a file that others can write, and for
    /// a secret in a file that others can read. No value is repeated: it may be a secret.
    pub(super) fn read(path: &Path, flags: &[RecordedFlag]) -> Result<Self, Diagnosis> {
        let unusable = |what: &str| Diagnosis::usage(format!("{}: {what}", path.display()));
        let text = fs::read_to_string(path)
            .map_err(|error| Diagnosis::unreadable("the profile", path, &error))?;
        // The message of the error has no part of the text, its display has.
        let table: toml::Table = toml::from_str(&text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let line = 1 + text.get(..start).unwrap_or_default().matches('\n').count();
            unusable(&format!("line {line} isn't TOML: {}", error.message()))
        })?;

        let mut file = Self::default();
        for (key, value) in &table {
            let id = key.replace('-', "_");
            let Some(flag) = flags.iter().find(|flag| flag.id == id) else {
                return Err(unknown_key(path, key, flags));
            };
            let values = values_of(value).ok_or_else(|| {
                unusable(&format!(
                    "{key} needs a string, a number, true or false, or a list of strings"
                ))
            })?;
            let values = values.into_iter().map(|value| {
                if flag.is_path && value != "-" {
                    let folder = path.parent().unwrap_or_else(|| Path::new(""));
                    folder.join(value).to_string_lossy().into_owned()
                } else {
                    value
                }
            });
            file.values.insert(id, values.collect());
        }
        file.check_access(path, flags)?;
        Ok(file)
    }

    /// Writes the profile to `path`, for its owner alone. An existing file is replaced if `replaces`
    /// is true.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] for a file that exists and isn't to be replaced; other
    /// errors of the file and its folder, which is created if it is missing.
    pub(super) fn write(&self, path: &Path, replaces: bool) -> io::Result<()> {
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        create_private(folder)?;
        // A new file of its owner alone takes the name at once, so that no reader sees a part.
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(self.to_text().as_bytes())?;
        file.as_file().sync_all()?;
        let persisted = if replaces {
            file.persist(path)
        } else {
            file.persist_noclobber(path)
        };
        persisted.map(drop).map_err(|error| error.error)
    }

    /// True if the values of this flag may not be shown.
    pub(super) fn is_secret(flag: &RecordedFlag, values: &[String]) -> bool {
        // A URL may have a password in it, and that of WebSocket a token in its query; a user name may
        // have the authorizer's parameters behind a "?".
        let is_user_name = flag.id == "username" || flag.id == "auth_username";
        let has_query =
            |value: &String| (is_user_name || value.contains("://")) && value.contains('?');
        flag.is_secret
            || values
                .iter()
                .any(|value| userinfo(value).is_some() || has_query(value))
    }

    /// TOML of the profile, which [`read`](Self::read) takes.
    fn to_text(&self) -> String {
        let mut text = String::new();
        for (id, values) in &self.values {
            let key = id.replace('_', "-");
            let quoted: Vec<String> = values.iter().map(|value| toml_string(value)).collect();
            match quoted.as_slice() {
                [only] => text.push_str(&format!("{key} = {only}\n")),
                many => text.push_str(&format!("{key} = [{}]\n", many.join(", "))),
            }
        }
        text
    }

    /// Refuses a file that others can write, or that holds a secret and others can read.
    #[cfg(unix)]
    fn check_access(&self, path: &Path, flags: &[RecordedFlag]) -> Result<(), Diagnosis> {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(path)
            .map_err(|error| Diagnosis::unreadable("the profile", path, &error))?
            .permissions()
            .mode();
        let secret = flags.iter().find(|flag| {
            let values = self.values.get(&flag.id);
            values.is_some_and(|values| Self::is_secret(flag, values))
        });
        let fault = match secret {
            _ if mode & 0o022 != 0 => "other users can write it".to_owned(),
            Some(flag) if mode & 0o044 != 0 => {
                format!(
                    "it holds the secret of {}, and other users can read it",
                    flag.id.replace('_', "-")
                )
            }
            _ => return Ok(()),
        };
        Err(Diagnosis {
            try_: vec![Try::command(format!(
                "chmod 600 {}",
                shell(&path.to_string_lossy())
            ))],
            ..Diagnosis::usage(format!(
                "the profile {} isn't used: {fault} (mode {:03o})",
                path.display(),
                mode & 0o777
            ))
        })
    }

    /// Files have no such mode on this system.
    #[cfg(not(unix))]
    fn check_access(&self, _: &Path, _: &[RecordedFlag]) -> Result<(), Diagnosis> {
        Ok(())
    }
}

/// Values of a key as they would be typed; `None` for a type that no flag has.
fn values_of(value: &toml::Value) -> Option<Vec<String>> {
    let one = |value: &toml::Value| match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(choice) => Some(choice.to_string()),
        _ => None,
    };
    match value {
        toml::Value::Array(values) => values.iter().map(one).collect(),
        value => one(value).map(|value| vec![value]),
    }
}

/// `text` as a basic string of TOML: the same as in JSON, but for DEL, which has to be escaped.
fn toml_string(text: &str) -> String {
    serde_json::Value::from(text)
        .to_string()
        .replace('\u{7f}', "\\u007f")
}

fn unknown_key(path: &Path, key: &str, flags: &[RecordedFlag]) -> Diagnosis {
    let id = key.replace('-', "_");
    let nearest = flags
        .iter()
        .map(|flag| (strsim::jaro_winkler(&id, &flag.id), flag))
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|one, two| one.0.total_cmp(&two.0));
    Diagnosis {
        try_: nearest
            .map(|(_, flag)| Try::paste(format!("{} = \"VALUE\"", flag.id.replace('_', "-"))))
            .into_iter()
            .collect(),
        ..Diagnosis::usage(format!(
            "{}: {} is no flag of a connection",
            path.display(),
            quoted(key)
        ))
    }
}

/// Creates the folder with all above it; those that are new are for their owner alone.
fn create_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Absolute form of a path that was typed, for a profile that is used from other folders.
pub(super) fn absolute(path: &str) -> String {
    let path = PathBuf::from(path);
    std::path::absolute(&path)
        .unwrap_or(path)
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn flags() -> Vec<RecordedFlag> {
        let flag = |id: &str, is_path, is_secret| RecordedFlag {
            id: id.into(),
            is_path,
            is_secret,
        };
        vec![
            flag("endpoint", false, false),
            flag("ca", true, false),
            flag("auth_password", false, true),
            flag("connect_user_property", false, false),
            flag("proxy", false, false),
        ]
    }

    fn write(folder: &TempDir, text: &str) -> PathBuf {
        let path = folder.path().join("a.toml");
        fs::write(&path, text).unwrap();
        #[cfg(unix)]
        set_mode(&path, 0o600);
        path
    }

    #[cfg(unix)]
    fn set_mode(path: &Path, mode: u32) {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn written_values_are_read_again() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("new/a.toml");
        let mut file = ProfileFile::default();
        for (id, values) in [
            ("endpoint", vec!["mqtt://localhost"]),
            ("auth_password", vec!["a \"b\" \\ \n \u{7f} \u{1b} ü"]),
            ("connect_user_property", vec!["a=1", "a=2"]),
        ] {
            let values = values.into_iter().map(str::to_owned).collect();
            file.values.insert(id.to_owned(), values);
        }
        file.write(&path, false).unwrap();
        assert_eq!(ProfileFile::read(&path, &flags()).unwrap(), file);
        // Existing files are kept, unless the caller says otherwise.
        let error = file.write(&path, false).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        file.write(&path, true).unwrap();
    }

    #[test]
    fn keys_have_both_spellings_and_values_several_types() {
        let folder = TempDir::new().unwrap();
        let path = write(
            &folder,
            "connect_user_property = [\"a=1\", \"b=2\"]\nca = \"sub/ca.pem\"\nendpoint = 7\n",
        );
        let file = ProfileFile::read(&path, &flags()).unwrap();
        assert_eq!(file.values["connect_user_property"], ["a=1", "b=2"]);
        assert_eq!(file.values["endpoint"], ["7"]);
        // A path is relative to the profile.
        let ca = folder.path().join("sub/ca.pem");
        assert_eq!(file.values["ca"], [ca.to_str().unwrap()]);
    }

    #[test]
    fn a_fault_names_its_line_or_key_and_no_value() {
        let folder = TempDir::new().unwrap();
        for (text, words) in [
            (
                "endpoint = \"h\"\nauth-password = canary",
                "line 2 isn't TOML",
            ),
            ("auth-passwort = \"canary\"", "\"auth-passwort\" is no flag"),
            (
                "auth-password = { a = \"canary\" }",
                "auth-password needs a string",
            ),
            ("[canary]\n", "\"canary\" is no flag"),
        ] {
            let fault = ProfileFile::read(&write(&folder, text), &flags()).unwrap_err();
            assert!(fault.headline.contains(words), "{}", fault.headline);
            assert!(
                text.starts_with('[') || !format!("{fault:?}").contains("canary"),
                "{fault:?}"
            );
        }
        let fault = ProfileFile::read(&write(&folder, "endpiont = \"h\""), &flags()).unwrap_err();
        assert_eq!(fault.try_, [Try::paste("endpoint = \"VALUE\"")]);
    }

    #[cfg(unix)]
    #[test]
    fn a_secret_needs_a_file_of_its_owner_alone() {
        let folder = TempDir::new().unwrap();
        for (text, mode, is_used) in [
            ("endpoint = \"h\"", 0o644, true),
            ("endpoint = \"h\"", 0o664, false),
            ("auth-password = \"p\"", 0o600, true),
            ("auth-password = \"p\"", 0o640, false),
            ("proxy = \"http://u:p@h:1\"", 0o644, false),
            ("proxy = \"http://h:1\"", 0o644, true),
        ] {
            let path = write(&folder, text);
            set_mode(&path, mode);
            let read = ProfileFile::read(&path, &flags());
            assert_eq!(read.is_ok(), is_used, "{text} {mode:o}");
            if let Err(fault) = read {
                assert!(
                    format!("{:?}", fault.try_).contains("chmod 600"),
                    "{fault:?}"
                );
            }
        }
    }
}
