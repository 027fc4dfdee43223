//! Help and version texts of the tool, and the secrets that they must not show.

#![expect(clippy::unwrap_used, reason = "a test that can't be set up fails")]

use std::process::{Command, Output};

const CANARY: &str = "canary-7f3a";

fn dunlin(words: &[&str]) -> Output {
    command(words).output().unwrap()
}

/// Command without the environment variables of the test's process.
fn command(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dunlin"));
    let inherited = std::env::vars_os().map(|(name, _)| name);
    for name in inherited.filter(|name| name.to_string_lossy().starts_with("DUNLIN_")) {
        command.env_remove(name);
    }
    command
        .env("COLUMNS", "80")
        .env_remove("SSL_CERT_FILE")
        .env_remove("CLICOLOR_FORCE")
        .args(words);
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn the_short_help_fits_on_a_screen_and_shows_how_to_begin() {
    let help = dunlin(&["-h"]);
    let page = text(&help.stdout);
    assert_eq!(help.status.code(), Some(0));
    assert!(page.lines().count() <= 40, "{page}");
    assert!(
        page.lines().all(|line| line.chars().count() <= 80),
        "{page}"
    );
    for example in [
        "  dunlin demo\n",
        "  dunlin --endpoint HOST",
        "  dunlin signed --endpoint HOST",
    ] {
        assert!(page.contains(example), "{page}");
    }
}

#[test]
fn the_long_help_has_headings_variables_and_exit_codes() {
    let page = text(&dunlin(&["--help"]).stdout);
    for words in [
        "Endpoint:\n",
        "Custom authorizer:\n",
        "TLS:\n",
        "[env: DUNLIN_AUTH_PASSWORD]",
        "DUNLIN_NO_ARGV_WARNING=1",
        "Exit codes:\n",
        "E-AUTH-DENIED E-HANGUP",
        "  143  SIGTERM",
    ] {
        assert!(page.contains(words), "{words}\n{page}");
    }
}

#[test]
fn no_help_page_shows_values_of_the_environment() {
    let variables = [
        "DUNLIN_ENDPOINT",
        "DUNLIN_AUTHORIZER_NAME",
        "DUNLIN_AUTH_USERNAME",
        "DUNLIN_AUTH_PASSWORD",
        "DUNLIN_AUTH_SIGNATURE",
        "DUNLIN_AUTH_TOKEN",
        "DUNLIN_AUTH_TOKEN_KEY_NAME",
        "DUNLIN_CA",
        "DUNLIN_STATE_DIR",
    ];
    for page in [
        &["-h"][..],
        &["--help"],
        &["signed", "--help"],
        &["sandbox", "--help"],
        &["auth", "sign", "--help"],
        &["auth", "verify", "--help"],
        &["auth", "username", "--help"],
    ] {
        let output = command(page)
            .envs(variables.map(|name| (name, CANARY)))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert!(!text(&output.stdout).contains(CANARY), "{page:?}");
    }
}

#[test]
fn unsigned_shows_no_flag_that_it_refuses_and_the_sandbox_all_of_its_faults() {
    let unsigned = text(&dunlin(&["unsigned", "--help"]).stdout);
    assert!(
        !unsigned.contains("--auth-signature") && unsigned.contains("--auth-token-key-name"),
        "{unsigned}"
    );
    assert!(text(&dunlin(&["signed", "--help"]).stdout).contains("--auth-token-key-value-file"));
    let sandbox = text(&dunlin(&["sandbox", "--help"]).stdout);
    for fault in dunlin_sandbox::Fault::spellings() {
        assert!(sandbox.contains(fault), "{fault}\n{sandbox}");
    }
}

#[test]
fn without_arguments_the_short_help_goes_to_stderr_with_exit_code_2() {
    let output = dunlin(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(text(&output.stdout), "");
    assert_eq!(text(&output.stderr), text(&dunlin(&["-h"]).stdout));
}

#[test]
fn help_and_version_go_to_stdout() {
    assert!(text(&dunlin(&["--version"]).stdout).starts_with("dunlin "));
    assert!(text(&dunlin(&["sandbox", "-h"]).stdout).contains("--ready-file"));
}
