//! The commands of the book in docs/src: those of most pages are run in their order, all are parsed.

use std::fs;
use std::path::{Path, PathBuf};

use dunlin_tests::Program;
use tokio::task::JoinSet;

use crate::reader::{Reader, commands, inline_commands, repository};

/// Pages whose commands are run.
const RUN: [&str; 9] = [
    "first-minute.md",
    "authorizers/index.md",
    "authorizers/lambda.md",
    "authorizers/policy.md",
    "authorizers/signing.md",
    "authorizers/production.md",
    "scale/index.md",
    "scale/quotas.md",
    "coming-from/tools.md",
];

fn book() -> PathBuf {
    repository().join("docs/src")
}

/// Pages of the book, without those of errors, whose commands [`crate::error_pages`] runs.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("errors") {
            found.append(&mut pages(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_book_work_in_their_order() {
    // The chapter about the Lambda runs the handlers of examples/.
    if !(Program::Python.is_installed() && Program::Node.is_installed()) {
        return;
    }
    // At the same time, since the sample pauses between messages: each page has its own reader.
    let mut pages = JoinSet::new();
    for name in RUN {
        pages.spawn(run_page(name));
    }
    let mut run = 0;
    while let Some(commands) = pages.join_next().await {
        run += commands.unwrap();
    }
    assert!(run >= 20, "{run}");
}

/// Runs the commands of a page, and returns their number.
async fn run_page(name: &str) -> usize {
    let mut reader = Reader::new();
    fs::copy(
        book().join("authorizers/signed.toml"),
        reader.folder().join("signed.toml"),
    )
    .unwrap();
    // This page uses the sandbox of the page before.
    if name == "authorizers/production.md" {
        reader.start_sandbox("dunlin sandbox").await;
    }
    let page = fs::read_to_string(book().join(name)).unwrap();
    reader.run_page(&page).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_flags_in_the_book_exist() {
    let reader = Reader::new();
    let mut parsed = 0;
    for path in pages(&book()) {
        let page = fs::read_to_string(&path).unwrap();
        let is_run = RUN.iter().any(|name| path.ends_with(name));
        // Commands without a prompt need an account of AWS.
        let mut found = commands(&page, "dunlin ");
        for text in &mut found {
            text.insert_str(0, "dunlin ");
        }
        if !is_run {
            found.append(&mut commands(&page, "$ "));
        }
        found.append(&mut inline_commands(&page));
        for text in found {
            println!("{}: {text}", path.display());
            reader.parse(&text).await;
            parsed += 1;
        }
    }
    assert!(parsed >= 15, "{parsed}");
}

/// The manifest's arguments are a command of their own, one flag on each line.
#[tokio::test]
async fn the_flags_in_the_manifest_for_kubernetes_exist() {
    let manifest = fs::read_to_string(book().join("scale/bench-job.yaml")).unwrap();
    let (_, arguments) = manifest.split_once("args:\n").unwrap();
    let arguments: Vec<&str> = arguments
        .lines()
        .map_while(|line| line.trim().strip_prefix("- "))
        .collect();
    assert!(arguments.len() > 5, "{arguments:?}");
    let text = format!("dunlin {}", arguments.join(" ")).replace("$(INDEX)", "7");
    Reader::new().parse(&text).await;
}
