//! Checks that the programs and files of a Lambda exist, before a client connects.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use dunlin_codec::Escaped;

use crate::authorizer::lambda::environment::LambdaEnvironment;

/// A program or a file of a Lambda that doesn't exist or can't run, and the folder that it was
/// looked for in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LambdaMissing {
    /// No program has the path that was named.
    #[error("there is no program {} in {}", Escaped(name.display()), Escaped(folder.display()))]
    Program {
        /// File name of the program.
        name: PathBuf,
        /// Folder that it was looked for in.
        folder: PathBuf,
    },
    /// A folder has the path that was named.
    #[error("{} is a folder; name a program, or the file of a handler in it", Escaped(.0.display()))]
    IsFolder(PathBuf),
    /// The file that was named isn't a program: nobody may execute it.
    #[error("{} can't be executed (chmod +x makes it a program)", Escaped(.0.display()))]
    NotExecutable(PathBuf),
    /// No folder of `PATH` has a program of this name.
    #[error("there is no program {} in PATH ({})", Escaped(name.display()), Escaped(folders(path)))]
    InPath {
        /// Name of the program, without a folder.
        name: PathBuf,
        /// The `PATH` of the Lambda's environment.
        path: String,
    },
    /// The file of a handler, or the script of a program, isn't there.
    #[error("there is no file {} in {}", Escaped(name.display()), Escaped(folder.display()))]
    File {
        /// Name of the file.
        name: PathBuf,
        /// Folder that it was looked for in.
        folder: PathBuf,
    },
    /// A folder isn't there.
    #[error("there is no folder {}", Escaped(.0.display()))]
    Folder(PathBuf),
}

/// The folders of a `PATH`, with spaces between them, so that a terminal can fold the text.
fn folders(path: &str) -> String {
    let folders: Vec<_> = env::split_paths(path)
        .map(|folder| folder.to_string_lossy().into_owned())
        .collect();
    folders.join(", ")
}

/// Looks for a program: by its path, or in `PATH`.
pub(super) fn program(
    name: &Path,
    folder: Option<&Path>,
    environment: &LambdaEnvironment,
) -> Result<(), LambdaMissing> {
    // The folder first: a relative path in a folder that is missing would otherwise be reported as
    // a missing program.
    if let Some(folder) = folder
        && !folder.is_dir()
    {
        return Err(LambdaMissing::Folder(folder.into()));
    }
    // A path is checked where it is, not in PATH, as execvp does.
    if name.components().count() > 1 || name.is_absolute() {
        return if is_program(name) {
            Ok(())
        } else {
            Err(missing_path(name))
        };
    }
    // PATH is the one that the process will have; a later entry replaces an earlier one.
    let variables = environment.variables();
    let path = variables
        .iter()
        .rev()
        .find(|(name, _)| name.eq_ignore_ascii_case("PATH"));
    let path = path.map_or_else(|| OsStr::new(""), |(_, path)| path);
    // Windows adds suffixes and folders of its own.
    if cfg!(windows) || env::split_paths(path).any(|folder| is_program(&folder.join(name))) {
        return Ok(());
    }
    Err(LambdaMissing::InPath {
        name: name.into(),
        path: path.to_string_lossy().into_owned(),
    })
}

/// Returns whether a program runs the script that is its first argument: `python3.13`, `/usr/bin/node`.
pub(super) fn is_interpreter(program: &Path) -> bool {
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    INTERPRETERS.contains(
        &name
            .trim_end_matches(".exe")
            .trim_end_matches(|c: char| c.is_ascii_digit() || c == '.'),
    )
}

/// Looks for the file of an argument whose name ends as those of scripts do: `run.py` in `python3
/// run.py`.
pub(super) fn script(argument: &OsStr, folder: Option<&Path>) -> Result<(), LambdaMissing> {
    let name = Path::new(argument);
    // Only names that end as scripts do: other arguments may be anything.
    let is_script = name
        .extension()
        .and_then(OsStr::to_str)
        .is_some_and(|kind| SCRIPTS.contains(&kind));
    let path = folder.map_or_else(|| name.into(), |folder| folder.join(name));
    let path = std::path::absolute(&path).unwrap_or(path);
    // A flag that ends in .mjs, such as --loader=x.mjs, isn't a file.
    if !is_script || argument.to_string_lossy().starts_with('-') || path.exists() {
        return Ok(());
    }
    // The text names the absolute folder: the user may think of another one.
    let folder = path
        .parent()
        .map_or_else(|| path.clone(), Path::to_path_buf);
    Err(LambdaMissing::File {
        name: path.file_name().unwrap_or(argument).into(),
        folder,
    })
}

fn missing_path(name: &Path) -> LambdaMissing {
    let path = std::path::absolute(name).unwrap_or_else(|_| name.into());
    // The most specific reason: a folder, a file without the permission to execute, nothing at all.
    if path.is_dir() {
        return LambdaMissing::IsFolder(path);
    }
    if path.is_file() {
        return LambdaMissing::NotExecutable(path);
    }
    let folder = path
        .parent()
        .map_or_else(|| path.clone(), Path::to_path_buf);
    LambdaMissing::Program {
        name: name.file_name().unwrap_or(name.as_os_str()).into(),
        folder,
    }
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata()
        // Any of the three execute bits; whether this user has it shows at the start.
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file() || path.with_extension("exe").is_file()
}

const INTERPRETERS: [&str; 9] = [
    "python", "pypy", "node", "deno", "bun", "ruby", "php", "sh", "bash",
];
const SCRIPTS: [&str; 8] = ["py", "js", "mjs", "cjs", "ts", "rb", "sh", "php"];

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn missing_text(name: &str, folder: Option<&Path>) -> Option<String> {
        program(Path::new(name), folder, &LambdaEnvironment::default())
            .err()
            .map(|missing| missing.to_string())
    }

    #[test]
    fn a_missing_file_is_reported_with_the_searched_folder() {
        // Found: in PATH, and by an absolute path.
        assert_eq!(missing_text("sh", None), None);
        assert_eq!(missing_text("/bin/sh", Some(Path::new("/"))), None);
        assert_eq!(
            missing_text("/no/such/program", None).unwrap(),
            "there is no program program in /no/such"
        );
        assert_eq!(
            missing_text("/etc/passwd", None).unwrap(),
            "/etc/passwd can't be executed (chmod +x makes it a program)"
        );
        assert_eq!(
            missing_text("/etc", None).unwrap(),
            "/etc is a folder; name a program, or the file of a handler in it"
        );
        let here = env::current_dir().unwrap();
        let relative = format!("there is no program x.sh in {}", here.join("sub").display());
        assert_eq!(missing_text("sub/x.sh", None).unwrap(), relative);
        // The folders that were searched, which end in PATH's own.
        let in_path = missing_text("no-such-program", None).unwrap();
        assert!(
            in_path.starts_with("there is no program no-such-program in PATH (/"),
            "{in_path}"
        );
        assert_eq!(
            missing_text("sh", Some(Path::new("/no/such"))).unwrap(),
            "there is no folder /no/such"
        );
        let mut nowhere = LambdaEnvironment::default();
        // A PATH with a terminal escape in it: the text has it escaped.
        nowhere.add("PATH=/no/such:/nor/this\u{1b}[2J").unwrap();
        let missing = program(Path::new("sh"), None, &nowhere).unwrap_err();
        assert_eq!(
            missing.to_string(),
            "there is no program sh in PATH (/no/such, /nor/this\\u{1b}[2J)"
        );
    }

    #[test]
    fn a_missing_script_is_reported_before_its_interpreter_starts() {
        let script_error = |argument: &str, folder: &str| {
            script(OsStr::new(argument), Some(Path::new(folder)))
                .err()
                .map(|missing| missing.to_string())
        };
        assert_eq!(
            script_error("run.py", "/no/such").unwrap(),
            "there is no file run.py in /no/such"
        );
        assert_eq!(
            script_error("sub/run.mjs", "/no/such").unwrap(),
            "there is no file run.mjs in /no/such/sub"
        );
        for (program, interprets) in [
            ("python3.13", true),
            ("/usr/bin/node", true),
            ("docker", false),
        ] {
            assert_eq!(is_interpreter(Path::new(program)), interprets, "{program}");
        }
        // Flags, modules and data files aren't scripts.
        for other in ["-c", "--loader=x.mjs", "module", "data.json"] {
            assert_eq!(script_error(other, "/no/such"), None, "{other}");
        }
    }
}
