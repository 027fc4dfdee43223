//! `ProfileFolder`: the folder of saved connections, one file each.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::diagnosis::{Diagnosis, Try, quoted};

/// Folder of profiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProfileFolder(PathBuf);

impl ProfileFolder {
    /// `profiles` in `DUNLIN_CONFIG_DIR`, or else in `dunlin` below `XDG_CONFIG_HOME`, `~/.config`
    /// or, on Windows, `APPDATA`.
    ///
    /// # Errors
    /// [`Id::Usage`](crate::diagnosis::Id::Usage) if none of them is set.
    pub(super) fn find() -> Result<Self, Diagnosis> {
        Self::find_with(|name| std::env::var_os(name))
    }

    fn find_with(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, Diagnosis> {
        let set = |name| {
            variable(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        // The XDG base directory specification says to ignore a relative path.
        let xdg = || set("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
        set("DUNLIN_CONFIG_DIR")
            .or_else(|| xdg().map(|config| config.join("dunlin")))
            .or_else(|| set("APPDATA").map(|config| config.join("dunlin")))
            .or_else(|| set("HOME").map(|home| home.join(".config/dunlin")))
            .map(|config| Self(config.join("profiles")))
            .ok_or_else(|| Diagnosis {
                try_: vec![Try::advice("set DUNLIN_CONFIG_DIR to a folder of your own")],
                ..Diagnosis::usage("there is no folder for profiles: HOME isn't set")
            })
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// File of the profile `name`, which may be missing.
    ///
    /// # Errors
    /// [`Id::Usage`](crate::diagnosis::Id::Usage) for a name with other characters than letters,
    /// digits, `-`, `_` and `.`, or with a dot at its beginning: such a name could lead out of the
    /// folder.
    pub(super) fn file(&self, name: &str) -> Result<PathBuf, Diagnosis> {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let is_name = (1..=LONGEST_NAME).contains(&name.len())
            && name.chars().all(is_allowed)
            && !name.starts_with(['.', '-']);
        if !is_name {
            return Err(Diagnosis::usage(format!(
                "{} is no name of a profile: 1 to {LONGEST_NAME} letters, digits, \"-\", \"_\" and \
                 \".\", of which a letter or a digit is the first",
                quoted(name)
            )));
        }
        Ok(self.0.join(format!("{name}{ENDING}")))
    }

    /// Names of all profiles in alphabetical order; none if the folder is missing.
    ///
    /// # Errors
    /// The folder can't be read.
    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            // Files of other programs, and half-written ones, have another ending.
            if let Ok(file) = entry?.file_name().into_string()
                && let Some(name) = file.strip_suffix(ENDING)
                && self.file(name).is_ok()
            {
                names.push(name.to_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }
}

const ENDING: &str = ".toml";
const LONGEST_NAME: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn find(variables: &[(&str, &str)]) -> Option<PathBuf> {
        let variable = |name: &str| {
            variables
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| OsString::from(value))
        };
        ProfileFolder::find_with(variable)
            .ok()
            .map(|folder| folder.0)
    }

    #[test]
    fn the_folder_follows_its_variable_and_then_the_systems_conventions() {
        let home = ("HOME", "/home/a");
        for (variables, folder) in [
            (&[home, ("DUNLIN_CONFIG_DIR", "/d")][..], "/d/profiles"),
            (&[home, ("XDG_CONFIG_HOME", "/x")], "/x/dunlin/profiles"),
            (
                &[home, ("XDG_CONFIG_HOME", "relative")],
                "/home/a/.config/dunlin/profiles",
            ),
            (
                &[home, ("DUNLIN_CONFIG_DIR", "")],
                "/home/a/.config/dunlin/profiles",
            ),
        ] {
            assert_eq!(find(variables), Some(PathBuf::from(folder)));
        }
        assert_eq!(find(&[]), None);
    }

    #[test]
    fn no_name_leads_out_of_the_folder() {
        let folder = ProfileFolder("/p".into());
        assert_eq!(
            folder.file("a-1.b_c").unwrap(),
            Path::new("/p/a-1.b_c.toml")
        );
        for name in ["", "..", "../a", "a/b", "a\\b", ".a", "-a", "a b", "ä"] {
            assert!(folder.file(name).is_err(), "{name}");
        }
        assert!(folder.file(&"a".repeat(65)).is_err());
    }
}
