//! The files of a handler's folder: which of them has changed since the last look.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The files of a folder as they were at one time.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct CodeState {
    /// Sorted by path, relative to the folder.
    files: Vec<File>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct File {
    path: PathBuf,
    modified: Option<SystemTime>,
    length: u64,
}

impl CodeState {
    /// Looks at the folder. What can't be read is left out.
    pub(super) fn of(folder: &Path) -> Self {
        let mut files = Vec::new();
        // An explicit stack of folders in place of recursion: the depth isn't ours to bound.
        let mut folders = vec![PathBuf::new()];
        while let Some(relative) = folders.pop() {
            let Ok(entries) = fs::read_dir(folder.join(&relative)) else {
                continue;
            };
            for entry in entries.flatten() {
                let name = entry.file_name();
                if is_ignored(&name.to_string_lossy()) {
                    continue;
                }
                let path = relative.join(name);
                // A link to a folder isn't followed: it may lead back here.
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    folders.push(path);
                } else if let Ok(metadata) = fs::metadata(folder.join(&path)) {
                    files.push(File {
                        path,
                        modified: metadata.modified().ok(),
                        length: metadata.len(),
                    });
                }
                // A folder with more files, such as a home folder, isn't read to its end before
                // each call.
                if files.len() >= MAX_FILES || folders.len() >= MAX_FILES {
                    break;
                }
            }
            if files.len() >= MAX_FILES {
                break;
            }
        }
        // Sorted, so that the comparison is a binary search.
        files.sort_unstable();
        Self { files }
    }

    /// The first file that was changed, added or removed since `before`.
    pub(super) fn changed_since<'a>(&'a self, before: &'a Self) -> Option<&'a Path> {
        // Path, time and length together: a changed file is a new entry, and counts as gone only if
        // its path is.
        let is_new = |file: &&File| before.files.binary_search(file).is_err();
        let is_gone = |file: &&File| {
            self.files
                .binary_search_by(|other| other.path.cmp(&file.path))
                .is_err()
        };
        let changed = self.files.iter().find(is_new);
        changed
            .or_else(|| before.files.iter().find(is_gone))
            .map(|file| file.path.as_path())
    }
}

/// Hidden files and those that editors, Python and npm keep beside the code.
fn is_ignored(name: &str) -> bool {
    name.starts_with('.') || name.ends_with('~') || matches!(name, "__pycache__" | "node_modules")
}

const MAX_FILES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_changed_added_or_removed_is_named_and_hidden_ones_do_not_count() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("handler.py", "a");
        write("lib/util.py", "a");
        let mut before = CodeState::of(dir.path());
        // Caches, packages and editor backups change without the code.
        for name in [
            "node_modules/x.js",
            "__pycache__/handler.pyc",
            ".git/index",
            "handler.py~",
        ] {
            write(name, "a");
        }
        assert_eq!(CodeState::of(dir.path()).changed_since(&before), None);
        let mut changes = |name: &str| {
            let after = CodeState::of(dir.path());
            assert_eq!(after.changed_since(&before), Some(Path::new(name)));
            before = after;
        };
        write("lib/util.py", "longer");
        changes("lib/util.py");
        write("lib/new.py", "");
        changes("lib/new.py");
        fs::remove_file(dir.path().join("handler.py")).unwrap();
        changes("handler.py");
    }
}
