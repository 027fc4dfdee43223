//! The pages of the book about errors: their commands provoke the error that the page is about.

use std::fs;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::reader::{Reader, commands, inline_commands, repository};

/// Pages without commands: what provokes these errors isn't on every machine.
const WITHOUT_COMMANDS: [&str; 1] = ["e-connect-timeout"];
/// Pages that are tried at the same time.
const AT_A_TIME: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_each_error_page_provoke_its_error() {
    let permits = Arc::new(Semaphore::new(AT_A_TIME));
    let mut pages = JoinSet::new();
    for entry in fs::read_dir(repository().join("docs/src/errors")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if name == "index" {
            continue;
        }
        let permits = Arc::clone(&permits);
        pages.spawn(async move {
            let _permit = permits.acquire().await.unwrap();
            provoke(&name, &fs::read_to_string(&path).unwrap()).await;
        });
    }
    assert!(pages.len() >= 31, "{}", pages.len());
    while let Some(page) = pages.join_next().await {
        page.unwrap();
    }
}

async fn provoke(name: &str, page: &str) {
    let commands = commands(page, "$ ");
    assert_eq!(
        commands.is_empty(),
        WITHOUT_COMMANDS.contains(&name),
        "{name}"
    );
    // /dev/full is Linux's.
    if name == "e-io" && !cfg!(target_os = "linux") {
        return;
    }
    let mut reader = Reader::new();
    for text in commands {
        if text.starts_with("dunlin sandbox") {
            reader.start_sandbox(&text).await;
            continue;
        }
        let output = reader.run(&reader.shortened(&text)).await;
        let err = String::from_utf8_lossy(&output.stderr);
        let expected = format!("error[{}]: ", name.to_uppercase());
        assert!(err.contains(&expected), "{text}\n{err}");
        let code = output.status.code().unwrap();
        assert!(
            page.contains(&format!("Exit code {code};")),
            "{name}: exit code {code}"
        );
    }
    reader.end_sandbox().await;
    for text in inline_commands(page) {
        reader.parse(&text).await;
    }
}
