//! The scripts of `dunlin completions` in the shells that they are made for, and the pages of
//! `dunlin man` in man's formatter.

#![expect(clippy::unwrap_used, reason = "a test that can't be set up fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use dunlin_tests::{Program, dunlin};
use tempfile::TempDir;

/// The script for a shell, in a file.
async fn script(folder: &Path, shell: &str) -> PathBuf {
    let run = dunlin(["completions", shell]).run().await;
    run.exits(0);
    assert_eq!(run.stderr, "");
    let path = folder.join(shell);
    fs::write(&path, run.stdout).unwrap();
    path
}

/// Words that a shell prints, without its user's settings; nothing may be wrong on the way.
fn printed(shell: &Path, home: &Path, words: &[&str]) -> Vec<String> {
    let output = Command::new(shell)
        .args(words)
        .env("HOME", home)
        .env("XDG_CONFIG_HOME", home)
        .env("XDG_DATA_HOME", home)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.is_empty(), "{stderr}");
    String::from_utf8(output.stdout)
        .unwrap()
        .split_whitespace()
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn bash_loads_its_script_and_completes_verbs_and_flags() {
    let Some(bash) = Program::Bash.find() else {
        return;
    };
    let home = TempDir::new().unwrap();
    let script = script(home.path(), "bash").await;
    let complete = |words: &str| {
        let last = words.rsplit(' ').next().unwrap_or_default();
        let count = words.split(' ').count();
        let code = format!(
            "source '{}'; complete -p dunlin >/dev/null; COMP_WORDS=({words}); \
             COMP_CWORD={}; _dunlin dunlin {last} x; echo \"${{COMPREPLY[@]}}\"",
            script.display(),
            count - 1
        );
        printed(&bash, home.path(), &["--norc", "-c", &code])
    };
    assert_eq!(complete("dunlin bench pubs"), ["pubsub"]);
    assert_eq!(complete("dunlin bench pub --connect-r"), ["--connect-rate"]);
    assert_eq!(complete("dunlin --authorizer-n"), ["--authorizer-name"]);
}

#[tokio::test]
async fn zsh_loads_its_script() {
    let Some(zsh) = Program::Zsh.find() else {
        return;
    };
    let home = TempDir::new().unwrap();
    let script = script(home.path(), "zsh").await;
    let code = format!(
        "autoload -Uz compinit; compinit -u -d '{}/dump'; source '{}'; \
         echo $_comps[dunlin]; whence -w _dunlin _dunlin__subcmd__bench_commands",
        home.path().display(),
        script.display()
    );
    let words = printed(&zsh, home.path(), &["-f", "-c", &code]);
    assert_eq!(
        words,
        [
            "_dunlin",
            "_dunlin:",
            "function",
            "_dunlin__subcmd__bench_commands:",
            "function"
        ]
    );
}

#[tokio::test]
async fn fish_loads_its_script_and_completes_verbs_and_flags() {
    let Some(fish) = Program::Fish.find() else {
        return;
    };
    let home = TempDir::new().unwrap();
    let script = script(home.path(), "fish").await;
    let complete = |words: &str| {
        let code = format!("source '{}'; complete -C '{words}'", script.display());
        // The first word of each line; a description follows.
        printed(&fish, home.path(), &["--no-config", "-c", &code])
    };
    assert_eq!(complete("dunlin bench pubs")[0], "pubsub");
    assert_eq!(
        complete("dunlin bench pub --connect-r")[0],
        "--connect-rate"
    );
}

#[tokio::test]
async fn man_formats_every_page_without_a_warning() {
    let Some(groff) = Program::Groff.find() else {
        return;
    };
    let folder = TempDir::new().unwrap();
    let pages = folder.path().join("new/man1");
    let run = dunlin(["man", "--output-dir"]).args([&pages]).run().await;
    run.exits(0);
    assert_eq!(run.stdout, "");
    let mut count = 0;
    for page in fs::read_dir(&pages).unwrap() {
        let page = page.unwrap().path();
        let name = page.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = printed(
            &groff,
            folder.path(),
            &[
                "-man",
                "-Tutf8",
                "-P-cbou",
                "-ww",
                "-Wbreak",
                page.to_str().unwrap(),
            ],
        );
        assert!(text.iter().any(|word| word.contains("NAME")), "{name}");
        // The same page on its own.
        let words = name.split('-').skip(1);
        let single = dunlin(["man"]).args(words).run().await;
        single.exits(0);
        assert_eq!(single.stdout, fs::read_to_string(&page).unwrap(), "{name}");
        count += 1;
    }
    assert!(count > 20, "{count}");
    let unknown = dunlin(["man", "bench", "nothing"]).run().await;
    unknown.exits(2);
    assert!(unknown.error_line().contains("no verb \"bench nothing\""));
}
