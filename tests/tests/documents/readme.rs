//! The commands of README.md, run in their order.

use std::fs;

use dunlin_tests::Program;

use crate::reader::{Reader, commands, inline_commands, repository};

fn readme() -> String {
    fs::read_to_string(repository().join("README.md")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_readme_work_in_their_order() {
    // The README runs the handlers of examples/.
    if !(Program::Python.is_installed() && Program::Node.is_installed()) {
        return;
    }
    let run = Reader::new().run_page(&readme()).await;
    assert!(run >= 11, "{run}");
}

#[tokio::test]
async fn the_commands_for_aws_are_complete() {
    let reader = Reader::new();
    let commands = commands(&readme(), "dunlin ");
    assert_eq!(commands.len(), 2, "{commands:?}");
    for text in commands {
        // AWS isn't asked: nobody listens on the port, which is found out after all checks.
        let text = format!("dunlin {text} --connect-to 127.0.0.1:1 --reconnect 0");
        let mut command = reader.shell(&text);
        command
            .env("ENDPOINT", "x-ats.iot.eu-west-1.amazonaws.com")
            .env("TOKEN", "hello")
            .env("SIGNATURE", format!("{}==", "A".repeat(342)));
        let output = command.output().await.unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{text}\n{err}");
    }
}

#[tokio::test]
async fn the_flags_in_the_sentences_exist() {
    let reader = Reader::new();
    let inline = inline_commands(&readme());
    assert!(inline.len() >= 6, "{inline:?}");
    for text in inline {
        reader.parse(&text).await;
    }
}
