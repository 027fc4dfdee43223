//! Whether the programs and files of a Lambda are there, asked before anybody connects.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::authorizer::lambda::environment::LambdaEnvironment;

/// A program or a file of a Lambda that doesn't exist, and the folder that it was looked for in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LambdaMissing {
    /// A program that is named by its path.
    #[error("there is no program {} in {}", name.display(), folder.display())]
    Program {
        /// As it was named.
        name: PathBuf,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// A program that is named without a folder.
    #[error("there is no program {} in PATH ({path})", name.display())]
    InPath {
        /// As it was named.
        name: PathBuf,
        /// The `PATH` of the Lambda's environment.
        path: String,
    },
    /// The file of a handler.
    #[error("there is no file {} in {}", name.display(), folder.display())]
    File {
        /// As it was named.
        name: PathBuf,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// A folder.
    #[error("there is no folder {}", .0.display())]
    Folder(PathBuf),
}

/// Looks for a program: by its path, or in `PATH`.
pub(super) fn program(
    name: &Path,
    folder: Option<&Path>,
    environment: &LambdaEnvironment,
) -> Result<(), LambdaMissing> {
    if let Some(folder) = folder
        && !folder.is_dir()
    {
        return Err(LambdaMissing::Folder(folder.into()));
    }
    if name.components().count() > 1 || name.is_absolute() {
        return if is_program(name) { Ok(()) } else { Err(missing_path(name)) };
    }
    let variables = environment.variables();
    let path = variables.iter().rev().find(|(name, _)| name.eq_ignore_ascii_case("PATH"));
    let path = path.map_or_else(|| OsStr::new(""), |(_, path)| path);
    // Windows adds suffixes and folders of its own.
    if cfg!(windows) || env::split_paths(path).any(|folder| is_program(&folder.join(name))) {
        return Ok(());
    }
    Err(LambdaMissing::InPath { name: name.into(), path: path.to_string_lossy().into_owned() })
}

fn missing_path(name: &Path) -> LambdaMissing {
    let path = std::path::absolute(name).unwrap_or_else(|_| name.into());
    let folder = path.parent().map_or_else(|| path.clone(), Path::to_path_buf);
    LambdaMissing::Program { name: name.file_name().unwrap_or(name.as_os_str()).into(), folder }
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file() || path.with_extension("exe").is_file()
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn told(name: &str, folder: Option<&Path>) -> Option<String> {
        program(Path::new(name), folder, &LambdaEnvironment::default())
            .err()
            .map(|missing| missing.to_string())
    }

    #[test]
    fn what_is_missing_is_told_with_the_place_where_it_was_looked_for() {
        assert_eq!(told("sh", None), None);
        assert_eq!(told("/bin/sh", Some(Path::new("/"))), None);
        assert_eq!(told("/no/such/program", None).unwrap(), "there is no program program in /no/such");
        // A file that can't be executed is no program.
        assert_eq!(told("/etc/passwd", None).unwrap(), "there is no program passwd in /etc");
        let here = env::current_dir().unwrap();
        let relative = format!("there is no program x.sh in {}", here.join("sub").display());
        assert_eq!(told("sub/x.sh", None).unwrap(), relative);
        let in_path = told("no-such-program", None).unwrap();
        assert!(in_path.starts_with("there is no program no-such-program in PATH (/"), "{in_path}");
        assert_eq!(told("sh", Some(Path::new("/no/such"))).unwrap(), "there is no folder /no/such");
        let mut nowhere = LambdaEnvironment::default();
        nowhere.add("PATH=/no/such").unwrap();
        let missing = program(Path::new("sh"), None, &nowhere).unwrap_err();
        assert_eq!(missing.to_string(), "there is no program sh in PATH (/no/such)");
    }
}
