//! Instructions of each piece of work: this program again, under callgrind, doing everything once.

use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs, process};

use crate::timing::Work;

/// Argument that makes this program the one that is counted.
pub const CHILD: &str = "--run-each-once";

/// The function in which callgrind counts; it writes the count when the function returns.
const COUNTED: &str = "dunlin_bench::instructions::counted";

/// Instructions of each call of [`counted`] in the child of `command`, in order; `None` without
/// valgrind.
pub fn of_child(command: &str) -> Option<Vec<u64>> {
    let folder = env::temp_dir().join(format!("dunlin-bench-{}", process::id()));
    fs::create_dir_all(&folder).ok()?;
    let counts = run_child(command, &folder);
    let _ = fs::remove_dir_all(&folder);
    counts
}

/// Runs `work` once, counted.
#[inline(never)]
pub fn counted(work: &mut dyn Work) {
    work.run();
}

fn run_child(command: &str, folder: &Path) -> Option<Vec<u64>> {
    let status = Command::new("valgrind")
        .args(["--tool=callgrind", "--combine-dumps=no"])
        .arg(format!("--toggle-collect={COUNTED}"))
        .arg(format!("--dump-after={COUNTED}"))
        .arg(format!(
            "--callgrind-out-file={}",
            folder.join("counted").display()
        ))
        .arg(env::current_exe().ok()?)
        .args([command, CHILD])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .ok()?;
    let counts: Vec<u64> = (1..)
        .map_while(|part| total(&folder.join(format!("counted.{part}"))))
        .collect();
    (status.success() && !counts.is_empty()).then_some(counts)
}

fn total(file: &Path) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    text.lines()
        .find_map(|line| line.strip_prefix("summary: "))?
        .trim()
        .parse()
        .ok()
}
