//! `dunlin profile` and `--profile`: what is saved, which value counts, and no secret that is shown.

#![expect(clippy::unwrap_used, reason = "a test that can't be set up fails")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

const CANARY: &str = "canary-7f3a";

/// Folder of profiles, and runs of the tool that use it.
struct Profiles(TempDir);

impl Profiles {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dunlin"));
        let inherited = std::env::vars_os().map(|(name, _)| name);
        for name in inherited.filter(|name| name.to_string_lossy().starts_with("DUNLIN_")) {
            command.env_remove(name);
        }
        command
            .env("DUNLIN_CONFIG_DIR", self.0.path())
            .env("DUNLIN_NO_ARGV_WARNING", "1")
            .env_remove("CLICOLOR_FORCE")
            .env_remove("SSL_CERT_FILE")
            .args(words);
        command
    }

    /// Exit code, standard output, and standard error in one line.
    fn run(&self, words: &[&str]) -> (Option<i32>, String, String) {
        result_of(&self.command(words).output().unwrap())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(format!("profiles/{name}.toml"))
    }

    /// Writes a profile that its owner alone can read.
    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.0.path().join("profiles")).unwrap();
        fs::write(self.file(name), text).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(self.file(name), fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
}

fn result_of(output: &Output) -> (Option<i32>, String, String) {
    let stderr = String::from_utf8_lossy(&output.stderr)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    let stdout = String::from_utf8(output.stdout.clone()).unwrap();
    (output.status.code(), stdout, stderr)
}

/// Words of the line about a flag, on a page of `profile show`; none if there is no such line.
fn line_of<'a>(page: &'a str, flag: &str) -> Vec<&'a str> {
    let words = |line: &'a str| line.split_whitespace().collect::<Vec<_>>();
    page.lines()
        .map(words)
        .find(|line| line.first() == Some(&flag))
        .unwrap_or_default()
}

#[test]
fn flags_are_saved_listed_and_shown_and_only_those_of_the_command_line() {
    let profiles = Profiles::new();
    let saved = profiles
        .command(&["profile", "save", "local", "--endpoint=localhost:1"])
        .args(["--keep-alive", "60s", "--ca", "ca.pem", "--metrics"])
        .env("DUNLIN_AUTH_PASSWORD", CANARY)
        .output()
        .unwrap();
    assert_eq!(result_of(&saved).0, Some(0), "{saved:?}");
    assert_eq!(result_of(&saved).1, "", "notes go to standard error");

    let text = fs::read_to_string(profiles.file("local")).unwrap();
    let ca = std::path::absolute("ca.pem").unwrap();
    assert_eq!(
        text,
        format!(
            "ca = {:?}\nendpoint = \"localhost:1\"\nkeep-alive = \"60s\"\nmetrics = \"true\"\n",
            ca.to_str().unwrap()
        )
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(profiles.file("local")).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
    }

    let (code, list, _) = profiles.run(&["profile", "list"]);
    assert_eq!(code, Some(0));
    assert_eq!(
        list.split_whitespace().collect::<Vec<_>>(),
        ["local", "localhost:1"]
    );
    let (_, page, _) = profiles.run(&["profile", "show", "local"]);
    assert_eq!(line_of(&page, "--keep-alive"), ["--keep-alive", "60s"]);
    let (_, path, _) = profiles.run(&["profile", "path", "local"]);
    assert_eq!(path.trim_end(), profiles.file("local").to_str().unwrap());

    // A second profile of the name needs a flag.
    let again = ["profile", "save", "local", "--endpoint=other"];
    let (code, _, error) = profiles.run(&again);
    assert_eq!(code, Some(2));
    assert!(
        error.contains("exists already") && error.contains("--force"),
        "{error}"
    );
    let (code, ..) = profiles.run(&[&again[..], &["--force"]].concat());
    assert_eq!(code, Some(0));
    let (_, list, _) = profiles.run(&["profile", "list"]);
    assert!(list.contains("other"), "{list}");
}

#[test]
fn the_command_line_goes_before_the_environment_and_that_before_the_profile() {
    let profiles = Profiles::new();
    profiles.write(
        "a",
        "endpoint = \"profile\"\nauth-username = \"profile\"\nkeep-alive = \"60s\"\nport = 7\n",
    );
    let shown = profiles
        .command(&["profile", "show", "a", "--effective", "--endpoint=typed"])
        .env("DUNLIN_ENDPOINT", "environment")
        .env("DUNLIN_AUTH_USERNAME", "environment")
        .output()
        .unwrap();
    let (code, page, _) = result_of(&shown);
    assert_eq!(code, Some(0));
    for (flag, value, source) in [
        ("--endpoint", "typed", "command line"),
        (
            "--auth-username",
            "environment",
            "environment, DUNLIN_AUTH_USERNAME",
        ),
        ("--keep-alive", "60s", "profile a"),
        ("--port", "7", "profile a"),
        ("--connect-timeout", "10s", "default"),
    ] {
        let line = line_of(&page, flag);
        assert_eq!(line.get(1), Some(&value), "{flag}: {page}");
        assert_eq!(line[2..].join(" "), source, "{page}");
    }
}

#[test]
fn every_verb_that_connects_takes_the_flags_of_a_profile() {
    let profiles = Profiles::new();
    // Nobody listens there, which the error names.
    profiles.write(
        "gone",
        "endpoint = \"localhost\"\nport = 1\nauth-username = \"me\"\nreconnect = 0\ntimeout = \"5s\"\n",
    );
    for words in [
        &["--profile", "gone"][..],
        &["sample", "--profile=gone"],
        &["bench", "connect", "--profile", "gone"],
    ] {
        let (code, _, error) = profiles.run(words);
        assert_eq!(code, Some(3), "{words:?}: {error}");
        assert!(error.contains("localhost:1"), "{words:?}: {error}");
    }
    let by_variable = profiles
        .command(&["bench", "pub", "--count=1"])
        .env("DUNLIN_PROFILE", "gone")
        .output()
        .unwrap();
    assert_eq!(result_of(&by_variable).0, Some(3));
    // A flag of the command line goes before that of the profile.
    let (code, _, error) = profiles.run(&["sample", "--profile=gone", "--port=2"]);
    assert_eq!(code, Some(3));
    assert!(error.contains("localhost:2"), "{error}");
}

#[test]
fn a_check_prints_the_sources_and_ends_as_the_connection_does() {
    let profiles = Profiles::new();
    profiles.write(
        "gone",
        "endpoint = \"mqtt://localhost:1\"\nusername = \"me\"\nreconnect = 0\n",
    );
    let (code, page, error) = profiles.run(&["profile", "check", "gone", "--keep-alive=30s"]);
    assert_eq!(code, Some(3), "{error}");
    assert!(error.contains("error[E-REFUSED]"), "{error}");
    assert_eq!(
        line_of(&page, "--username").join(" "),
        "--username me profile gone"
    );
    assert_eq!(
        line_of(&page, "--keep-alive").join(" "),
        "--keep-alive 30s command line"
    );
}

#[test]
fn no_secret_of_a_profile_is_shown() {
    let profiles = Profiles::new();
    let (code, out, error) = profiles.run(&[
        "profile",
        "save",
        "s",
        "--endpoint=localhost:1",
        &format!("--auth-password={CANARY}"),
        &format!("--auth-token-key-value={CANARY}"),
        &format!("--auth-signature={CANARY}"),
        &format!("--proxy=http://u:{CANARY}@localhost:1"),
    ]);
    assert_eq!(code, Some(0), "{error}");
    assert!(error.contains("holds the secret of"), "{error}");
    let mut printed = out + &error;
    // A token in the query of a URL, and after the "?" of a user name.
    let (code, out, error) = profiles.run(&[
        "profile",
        "save",
        "q",
        &format!("--endpoint=wss://localhost:1/mqtt?token={CANARY}"),
        &format!("--username=me?token={CANARY}"),
        &format!("--auth-username=me?token={CANARY}"),
    ]);
    assert_eq!(code, Some(0), "{error}");
    printed += &(out + &error);
    for words in [
        &["profile", "show", "q"][..],
        &["profile", "show", "q", "--effective"],
        &["profile", "show", "s"],
        &["profile", "show", "s", "--effective"],
        &["profile", "list"],
        &["--profile", "s", "-vvv"],
        &["--profile", "s", "--help"],
        &["sample", "--profile", "s", "--nonsense"],
        &["bench", "connect", "--profile", "s", "--reconnect=0"],
    ] {
        let (_, out, error) = profiles.run(words);
        printed += &(out + &error);
    }
    assert!(!printed.contains(CANARY), "{printed}");
    assert!(printed.contains("<redacted 11 bytes>"), "{printed}");
}

#[test]
fn a_profile_that_cannot_be_used_is_an_error_that_names_the_remedy() {
    let profiles = Profiles::new();
    profiles.write("good", "endpoint = \"localhost:1\"");
    profiles.write("value", "keep-alive = \"soon\"");
    profiles.write("key", "endpiont = \"h\"");
    profiles.write("toml", "endpoint = ");
    for (name, words) in [
        ("goood", "--profile good"),
        ("value", "--keep-alive"),
        ("key", "endpoint = \"VALUE\""),
        ("toml", "line 1 isn't TOML"),
        ("../key", "is no name of a profile"),
    ] {
        let (code, out, error) = profiles.run(&["sample", "--profile", name]);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{name}");
        assert!(error.starts_with("error[E-USAGE]: "), "{error}");
        assert!(error.contains(words), "{name}: {error}");
    }
    let (code, _, error) = profiles.run(&["profile", "save", "new"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("missing: the flags"), "{error}");
    let (code, _, error) = profiles.run(&["profile", "show"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("missing: the name"), "{error}");
}

#[test]
fn a_secret_of_the_environment_goes_before_a_file_of_the_profile() {
    let profiles = Profiles::new();
    // The file doesn't exist: whoever reads it fails.
    profiles.write(
        "a",
        "auth-username = \"me\"\nauth-password-file = \"missing.txt\"\n",
    );
    let words = [
        "sample",
        "--endpoint=localhost:1",
        "--reconnect=0",
        "--profile=a",
    ];
    let (code, _, error) = profiles.run(&words);
    assert_eq!(code, Some(2), "{error}");
    assert!(error.contains("missing.txt"), "{error}");
    let by_variable = profiles
        .command(&words)
        .env("DUNLIN_AUTH_PASSWORD", "p")
        .output()
        .unwrap();
    assert_eq!(result_of(&by_variable).0, Some(3), "{by_variable:?}");
}
