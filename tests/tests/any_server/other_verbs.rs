//! Rows of the table of verbs, exit codes and error ids for all verbs but those for any server; and
//! the check that no verb is missing.

use std::collections::BTreeSet;
use std::fs;

use dunlin_tests::{Finished, dunlin};
use tempfile::TempDir;

/// Command line, exit code and error id; "-" for a run without an error, and for help that is
/// printed in place of a run.
const ROWS: [(&str, i32, &str); 68] = [
    ("--help", 0, "-"),
    ("--version", 0, "-"),
    ("no-such-verb", 2, "E-USAGE"),
    ("sample", 2, "E-USAGE"),
    (
        "sample --endpoint https://x --authorizer-name A",
        2,
        "E-ENDPOINT",
    ),
    ("sample {CLOSED} --auth-signing-key {POLICY}", 2, "E-USAGE"),
    ("sample {CLOSED} {SIGNATURE}", 2, "E-SIGNATURE"),
    ("sample {CLOSED}", 3, "E-REFUSED"),
    ("unsigned", 2, "E-USAGE"),
    ("unsigned {CLOSED}", 2, "E-USAGE"),
    ("signed", 2, "E-USAGE"),
    ("signed {CLOSED} {SIGNATURE}", 2, "E-SIGNATURE"),
    ("demo --no-such-flag", 2, "E-USAGE"),
    ("sandbox --fault no-such-fault", 2, "E-USAGE"),
    ("sandbox --config /no/such/file", 2, "E-USAGE"),
    ("sandbox cert --no-such-flag", 2, "E-USAGE"),
    ("doctor", 2, "E-USAGE"),
    ("doctor -H https://localhost:1", 2, "E-USAGE"),
    ("doctor -H https://localhost:1 -t t", 3, "E-REFUSED"),
    ("pub -H https://localhost:1 -t t -m on", 3, "E-REFUSED"),
    ("pub -H https://localhost:1 -t t -m on -q 2", 2, "E-USAGE"),
    ("pub -H https://localhost:1 -t t -m on -i x", 2, "E-USAGE"),
    ("sub -H https://localhost:1 -t t", 2, "E-ENDPOINT"),
    ("bench", 2, "-"),
    ("bench connect", 2, "E-USAGE"),
    ("bench connect {CLOSED_URL}", 3, "E-REFUSED"),
    ("bench pub", 2, "E-USAGE"),
    ("bench pub {CLOSED_BENCH}", 3, "E-REFUSED"),
    ("bench sub", 2, "E-USAGE"),
    ("bench sub {CLOSED_BENCH}", 3, "E-REFUSED"),
    ("bench pubsub", 2, "E-USAGE"),
    ("bench pubsub {CLOSED_BENCH}", 3, "E-REFUSED"),
    ("bench request", 2, "E-USAGE"),
    ("bench request {CLOSED_BENCH}", 3, "E-REFUSED"),
    ("bench fleet --no-such-flag", 2, "E-USAGE"),
    ("bench merge /no/such/file", 2, "E-USAGE"),
    ("auth", 2, "-"),
    ("auth username", 2, "E-USAGE"),
    ("auth username --auth-username u", 0, "-"),
    ("auth sign", 2, "E-USAGE"),
    ("auth verify", 2, "E-USAGE"),
    ("auth keygen", 2, "E-USAGE"),
    ("auth policy", 0, "-"),
    ("auth eval", 2, "E-USAGE"),
    (
        "auth eval --policy {POLICY} --action subscribe --topic t",
        7,
        "-",
    ),
    ("auth lint", 2, "E-USAGE"),
    ("auth lint --policy {POLICY}", 0, "-"),
    ("auth lint --policy {FAULTY}", 7, "-"),
    ("inspect", 2, "-"),
    ("inspect decode zz", 2, "E-USAGE"),
    ("inspect decode c000", 0, "-"),
    ("inspect decode c100", 10, "-"),
    ("inspect proxy --no-such-flag", 2, "E-USAGE"),
    ("inspect replay /no/such/file", 2, "E-USAGE"),
    ("profile", 2, "-"),
    ("profile save", 2, "E-USAGE"),
    ("profile list", 0, "-"),
    ("profile show no-such-profile", 2, "E-USAGE"),
    ("profile check no-such-profile", 2, "E-USAGE"),
    ("profile path", 0, "-"),
    ("explain E-DNS", 0, "-"),
    ("explain nothing", 2, "E-USAGE"),
    ("completions", 2, "E-USAGE"),
    ("completions bash", 0, "-"),
    ("man bench pub", 0, "-"),
    ("man no-such-verb", 2, "E-USAGE"),
    ("help pub", 0, "-"),
    ("version", 0, "-"),
];

/// Verbs whose results go to standard output: if it is full, that is an error of its own.
const PRINTS: [&str; 9] = [
    "auth policy",
    "auth lint --policy {POLICY}",
    "inspect decode c000",
    "profile path",
    "explain E-DNS",
    "completions bash",
    "man bench pub",
    "help pub",
    "version",
];

/// Runs each row, prints it, and checks exit code, error id and standard output.
pub(super) async fn check_rows(closed_port: u16) {
    let folder = TempDir::new().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let statement = r#"{"Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:eu-west-1:123456789012:client/a"}"#;
    let policy = format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
    let policy = file("policy.json", &policy);
    let faulty = file("faulty.json", "{");
    let fill = |words: &str| {
        words
            .replace(
                "{CLOSED}",
                &format!("--endpoint localhost:{closed_port} --authorizer-name A --reconnect 0"),
            )
            .replace(
                "{CLOSED_BENCH}",
                &format!("--endpoint mqtt://localhost:{closed_port} --count 1 --reconnect 0"),
            )
            .replace(
                "{CLOSED_URL}",
                &format!("--endpoint mqtt://localhost:{closed_port} --reconnect 0"),
            )
            .replace(
                "{SIGNATURE}",
                "--auth-signature c2hvcnQ= --auth-token-key-name k --auth-token-key-value v",
            )
            .replace("{POLICY}", &policy)
            .replace("{FAULTY}", &faulty)
    };
    let verbs = verbs(&folder).await;
    for (words, code, id) in ROWS {
        let run = tool(&fill(words), &folder).run().await;
        println!("{words:<58}{code:>4}  {id}");
        check(words, &run, code, id);
    }
    // Every verb has a row here, or is one of those for any server.
    let is_covered = |verb: &String| {
        let is_row = |(words, ..): &(&str, i32, &str)| {
            words.starts_with(verb.as_str())
                && words[verb.len()..]
                    .chars()
                    .next()
                    .is_none_or(|next| next == ' ')
        };
        ROWS.iter().any(is_row) || super::errors::VERBS.iter().any(|(known, _)| known == verb)
    };
    let missing: Vec<&String> = verbs.iter().filter(|verb| !is_covered(verb)).collect();
    assert!(missing.is_empty(), "verbs without a row: {missing:?}");

    #[cfg(target_os = "linux")]
    for words in PRINTS {
        let run = tool(&fill(words), &folder)
            .stdout_to("/dev/full")
            .run()
            .await;
        println!("{:<58}{:>4}  E-IO", format!("{words} > /dev/full"), 1);
        run.exits(1);
        assert!(
            run.stderr.contains("error[E-IO]: "),
            "{words}\n{}",
            run.stderr
        );
    }
}

fn tool(words: &str, folder: &TempDir) -> dunlin_tests::Tool {
    dunlin(words.split_whitespace())
        .env("DUNLIN_STATE_DIR", folder.path())
        .env("XDG_CONFIG_HOME", folder.path())
}

#[track_caller]
fn check(words: &str, run: &Finished, code: i32, id: &str) {
    assert_eq!(run.code, Some(code), "{words}\n{}", run.stderr);
    let has_error = run.stderr.contains("error[");
    if id == "-" {
        assert!(!has_error, "{words}\n{}", run.stderr);
    } else {
        let error = format!("error[{id}]: ");
        assert!(run.stderr.contains(&error), "{words}\n{}", run.stderr);
    }
    // A run that failed before it sent anything has no result, except for the report of doctor.
    assert!(
        code != 2 || run.stdout.is_empty() || words == "doctor",
        "{words}\n{}",
        run.stdout
    );
}

/// Names of all verbs, by the man pages.
async fn verbs(folder: &TempDir) -> BTreeSet<String> {
    let pages = folder.path().join("man");
    let tool = dunlin(["man", "--output-dir"]).args([&pages]);
    tool.run().await.exits(0);
    fs::read_dir(&pages)
        .unwrap()
        .map(|page| {
            let name = page.unwrap().file_name().into_string().unwrap();
            let name = name.strip_prefix("dunlin").unwrap();
            let name = name.strip_suffix(".1").unwrap();
            name.trim_start_matches('-').replace('-', " ")
        })
        // The page of the whole tool.
        .filter(|name| !name.is_empty())
        .collect()
}
