//! Everything that can be known to be wrong before anything is sent: exit code 2, and a text that
//! says what to do.

#![expect(clippy::unwrap_used, reason = "a test that can't be set up fails")]

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

const CANARY: &str = "canary-7f3a";

/// A run that can't get to any server.
struct Run {
    command: Command,
    stdin: Vec<u8>,
}

fn run(words: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dunlin"));
    let inherited = std::env::vars_os().map(|(name, _)| name);
    for name in inherited.filter(|name| name.to_string_lossy().starts_with("DUNLIN_")) {
        command.env_remove(name);
    }
    command
        .env_remove("SSL_CERT_FILE")
        .env_remove("CLICOLOR_FORCE")
        .args(words);
    Run {
        command,
        stdin: Vec::new(),
    }
}

impl Run {
    fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    fn stdin(mut self, bytes: &[u8]) -> Self {
        self.stdin = bytes.to_vec();
        self
    }

    fn output(mut self) -> Output {
        let piped = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        // It may have ended before it read anything.
        let _ = child.stdin.take().unwrap().write_all(&self.stdin);
        child.wait_with_output().unwrap()
    }

    /// The error text of a run that ends with exit code 2 and prints nothing on stdout.
    #[track_caller]
    fn refused(self) -> String {
        let output = self.output();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "", "{stderr}");
        assert!(!stderr.contains(CANARY), "{stderr}");
        stderr
    }
}

#[track_caller]
fn assert_contains(text: &str, words: &[&str]) {
    // Wrapping may have broken the sentence anywhere.
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for word in words {
        assert!(line.contains(word), "{word:?} is missing in\n{text}");
    }
}

#[test]
fn each_script_requires_the_flags_of_its_python_original() {
    let at = ["--endpoint", "localhost"];
    let missing = |words: &[&str]| run(&[words, &at].concat()).refused();
    assert_contains(
        &missing(&["unsigned"]),
        &["error[E-USAGE]: missing: --authorizer-name, --auth-username, --auth-password"],
    );
    assert_contains(
        &missing(&["signed"]),
        &[
            "missing: --authorizer-name, --auth-token-key-name, --auth-token-key-value, --auth-signature",
        ],
    );
    assert_contains(&missing(&["sample"]), &["missing: --authorizer-name"]);
    assert_contains(&run(&["signed"]).refused(), &["missing: --endpoint"]);
}

#[test]
fn a_signature_needs_key_and_value_and_a_key_needs_a_value() {
    let with = |words: &[&str]| {
        run(&[
            &["--endpoint", "localhost", "--authorizer-name", "A"],
            words,
        ]
        .concat())
        .refused()
    };
    assert_contains(
        &with(&["--auth_signature", CANARY]),
        &["--auth-signature also needs --auth-token-key-name and --auth-token-key-value"],
    );
    assert_contains(
        &with(&["--auth_token_key_name", "tok"]),
        &["--auth-token-key-name also needs --auth-token-key-value"],
    );
    assert_contains(
        &with(&["--auth-token-key-value", CANARY]),
        &["--auth-token-key-value also needs --auth-token-key-name"],
    );
}

#[test]
fn the_unsigned_script_has_no_flags_for_signing() {
    let line = [
        "unsigned",
        "--endpoint",
        "localhost",
        "--auth_signature",
        CANARY,
    ];
    assert_contains(
        &run(&line).refused(),
        &[
            "`dunlin unsigned` has no --auth-signature",
            "dunlin signed takes it",
        ],
    );
}

#[test]
fn wrong_endpoints_are_named_with_the_right_one() {
    for (endpoint, words) in [
        (
            "c1abc.credentials.iot.eu-west-1.amazonaws.com",
            "is the credentials endpoint, not the data endpoint",
        ),
        (
            "iot.eu-west-1.amazonaws.com",
            "is the control plane endpoint",
        ),
        ("https://localhost", "--endpoint localhost"),
        ("localhost/mqtt", "ends in \"/mqtt\""),
        ("local host", "neither a host name nor an IP address"),
        ("", "is empty"),
        ("unix:/run/a.sock", "unix:PATH is without TLS"),
    ] {
        let text = run(&["--endpoint", endpoint, "--authorizer-name", "A"]).refused();
        assert_contains(&text, &["error[E-ENDPOINT]:", words]);
    }
}

#[test]
fn all_mistakes_are_reported_together() {
    for endpoint in ["", "https://localhost", "local host"] {
        let line = [
            "signed",
            "--endpoint",
            endpoint,
            "--topic",
            "a/+",
            "--client-id",
            "$x",
        ];
        assert_contains(
            &run(&line).refused(),
            &[
                "error[E-ENDPOINT]:",
                "missing: --authorizer-name",
                "--auth-signature",
                "--topic \"a/+\"",
                "--client-id \"$x\"",
            ],
        );
    }
}

#[test]
fn a_password_in_a_url_is_never_repeated() {
    let url = format!("mqtt://user:{CANARY}@localhost");
    for line in [
        &["--endpoint", &*url, "--authorizer-name", "A"][..],
        &["--endpoint", &*url],
        &["-vvv", "--endpoint", &*url],
        &["sample", &*url],
        &[&*url],
        &[
            "--connect-to",
            &*url,
            "--endpoint=localhost",
            "--authorizer-name=A",
        ],
        &["--port", &*url],
        &[
            "--proxy",
            &*url,
            "--endpoint=host.invalid",
            "--authorizer-name=A",
        ],
        &["bench", &*url],
        &["bench", "pub", &*url],
        &["bench", "pub", "--endpoint", &*url],
        &["bench", "connect", "-H", &*url, "--json"],
    ] {
        // `refused` looks for the password.
        let text = run(line).refused();
        assert!(!text.contains("user:"), "{line:?}\n{text}");
    }
    let text = run(&["--authorizer-name", "A"])
        .env("DUNLIN_ENDPOINT", &url)
        .refused();
    assert_contains(&text, &["--endpoint has a user name or password"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_second_payload_is_refused_where_it_would_replace_the_first() {
    let closed = ["-H", "mqtt://127.0.0.1:1", "--reconnect", "0", "-t", "x"];
    for verb in ["pub", "request"] {
        for payloads in [
            &["-m", "a", "-m", "b"][..],
            &["-ma", "--message=b"],
            &["-m", "-m", "-m", "b"],
        ] {
            let words = [&[verb], &closed[..], payloads].concat();
            let output = run(&words).output();
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(2), "{words:?}\n{text}");
            assert_contains(&text, &["-m stands once"]);
        }
    }
    // Every request gets one answer; the closed port would be exit code 3.
    let words = [&["respond"], &closed[..], &["-m", "a", "-m", "b"]].concat();
    assert_contains(&run(&words).refused(), &["-m stands once"]);
    // Short flags may be written in one word.
    let words = [&["pub"], &closed[..], &["-rm", "a", "-rm", "b"]].concat();
    assert_eq!(run(&words).output().status.code(), Some(2));
    // One payload that is spelt like a flag is fine: the run gets as far as the closed port.
    let words = [&["pub"], &closed[..], &["-m", "-m"]].concat();
    assert_eq!(run(&words).output().status.code(), Some(3));
}

#[test]
fn a_hint_has_the_usage_of_the_verb_it_is_for() {
    for (words, usage) in [
        (&["pub", "-H", "h", "--retained-only"][..], "dunlin pub"),
        (&["subscribe", "-h", "localhost"], "dunlin sub"),
        (&["bench", "pub", "-P", "-x"], "dunlin bench pub"),
        (&["auth", "sign", "-canary"], "dunlin auth sign"),
        (&["--retain"], "dunlin [OPTIONS]"),
    ] {
        let text = run(words).refused();
        assert_contains(&text, &[&format!("Usage: {usage}")]);
    }
}

#[test]
fn nobody_is_asked_with_no_input() {
    for words in [
        &["pub", "-H", "localhost", "-t", "a", "-m", "x", "-u", "me"][..],
        &[
            "sample",
            "--endpoint",
            "localhost",
            "--authorizer-name",
            "A",
        ],
    ] {
        let words = [words, &["--ask", "--no-input"]].concat();
        let text = run(&words).refused();
        assert_contains(&text, &["which --no-input forbids", "-file FILE"]);
    }
    // A secret that was given otherwise isn't asked for.
    let words = ["pub", "-H", "localhost", "-t", "a", "-m", "x", "--dry-run"];
    let words = [&words[..], &["-u", "me", "--password-file", "-"]].concat();
    let words = [&words[..], &["--ask", "--no-input"]].concat();
    let output = run(&words).stdin(b"secret\n").output();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn a_dry_run_shows_every_packet_and_secrets_only_on_demand() {
    let dry_run = |words: &[&str]| {
        let common = ["-H", "mqtt://localhost", "-u", "me", "--dry-run"];
        let run = run(&[words, &common[..]].concat()).env("DUNLIN_PASSWORD", CANARY);
        let output = run.output();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    for (words, packets) in [
        (&["connect"][..], &["CONNECT"][..]),
        (&["pub", "-t", "a", "-m", "x"], &["CONNECT", "PUBLISH"]),
        (&["sub", "-t", "a"], &["CONNECT", "SUBSCRIBE"]),
        (
            &["request", "-t", "a", "-m", "x"],
            &["CONNECT", "SUBSCRIBE", "PUBLISH"],
        ),
        (&["respond", "-t", "a"], &["CONNECT", "SUBSCRIBE"]),
    ] {
        let printed = dry_run(words);
        let names = printed
            .lines()
            .skip(1)
            .filter_map(|line| line.split(' ').next());
        assert_eq!(names.collect::<Vec<_>>(), packets, "{printed}");
        assert!(!printed.contains(CANARY), "{printed}");
        for form in ["summary", "full", "hex"] {
            let form = format!("--packets={form}");
            assert!(!dry_run(&[words, &[&form]].concat()).contains(CANARY));
            let shown = dry_run(&[words, &[&form, "--show-secrets"]].concat());
            let hex: Vec<String> = CANARY.bytes().map(|byte| format!("{byte:02x}")).collect();
            assert!(
                shown.contains(CANARY) || shown.contains(&hex.join(" ")),
                "{shown}"
            );
        }
    }
    // The identifier of the user is part of SUBSCRIBE.
    let printed = dry_run(&["sub", "-t", "a", "--sub-id", "77", "--packets=full"]);
    assert!(printed.contains("subscription_identifier"), "{printed}");
}

#[test]
fn an_output_that_is_full_is_an_error_with_an_id() {
    for line in [&["demo", "--quiet"][..], &["--help"], &["auth", "policy"]] {
        let full = fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let output = run(line)
            .command
            .stdin(Stdio::null())
            .stdout(full)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{line:?} {stderr}");
        assert_contains(
            &stderr,
            &["error[E-IO]: local input or output failed: ", "try:"],
        );
    }
}

#[test]
fn impossible_signatures_are_refused_with_the_likely_cause() {
    let digest = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";
    for (signature, words) in [
        (
            digest,
            "the hash was base64-encoded instead of the RS256 signature",
        ),
        ("AAAA\nAAAA", "base64 -w0"),
        ("AA-_", "JWT"),
        ("AB%252BCD", "once too often"),
    ] {
        let line = [
            "--endpoint=localhost",
            "--authorizer-name=A",
            "--auth-token-key-name=k",
            "--auth-token-key-value=v",
        ];
        let text = run(&[&line[..], &["--auth-signature", signature]].concat()).refused();
        assert_contains(&text, &["error[E-SIGNATURE]:", words, "dunlin auth sign"]);
        assert!(!text.contains(signature), "{text}");
    }
}

#[test]
fn a_signature_is_checked_with_the_public_key_before_it_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let (private, public, other) = key_files(dir.path());
    let signature = run(&["auth", "sign", "--key", &private, "--token", "hello"]).output();
    let signature = String::from_utf8(signature.stdout).unwrap();
    let line = |token: &str, key: &str| {
        let fixed = [
            "--endpoint=localhost",
            "--port=1",
            "--authorizer-name=A",
            "--auth-token-key-name=k",
        ];
        let given = [
            "--auth-token-key-value",
            token,
            "--auth-signature",
            signature.trim(),
            "--auth-public-key",
            key,
        ];
        run(&[&fixed[..], &given].concat())
    };
    assert_contains(
        &line("hello\n", &public).refused(),
        &[
            "error[E-SIGNATURE]:",
            "does not match the token",
            "(yours does)",
        ],
    );
    assert_contains(
        &line("hello", &other).refused(),
        &["error[E-SIGNATURE]:", "signed with another key"],
    );
    assert_contains(
        &line("hello", &private).refused(),
        &["--auth-public-key needs an RSA public key in PEM"],
    );
    assert_eq!(line("hello", &public).output().status.code(), Some(3));
}

#[test]
fn a_second_question_mark_is_refused() {
    let text = run(&[
        "--endpoint=localhost",
        "--authorizer-name=A",
        "--auth-username",
        "u?x=1?y=2",
    ])
    .refused();
    assert_contains(
        &text,
        &[
            "only one \"?\" is allowed",
            "--auth-username brings a second",
        ],
    );
}

#[test]
fn values_out_of_range_are_refused() {
    for (words, text) in [
        (&["--topic", "a/+"][..], "--topic \"a/+\""),
        (&["--topic", ""], "--topic \"\""),
        (&["--client-id", "$x"], "--client-id \"$x\""),
        (&["--count", "-1"], "a whole number is needed"),
        (&["--count", "many"], "a whole number is needed"),
        (&["--keep-alive", "90000"], "65535 at most"),
        (&["--interval", "soon"], "not a duration"),
        (
            &["--connect-to", "localhost"],
            "--connect-to needs an IP address",
        ),
        (&["--timeout", "1e19"], "a year at most"),
        (&["--timeout", "0"], "over before it began"),
        (&["--port", "0"], "0 is not in 1..=65535"),
        (&["--cert", "c.pem"], "--cert also needs --key"),
        (
            &["--endpoint", "localhost:1", "--port", "2"],
            "says port 1 and --port says 2",
        ),
    ] {
        let line = [
            &["--endpoint", "localhost", "--authorizer-name", "A"],
            words,
        ]
        .concat();
        assert_contains(&run(&line).refused(), &["error[E-USAGE]:", text]);
    }
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let empty = |run: Run| {
        [
            "DUNLIN_ENDPOINT",
            "DUNLIN_CA",
            "DUNLIN_STATE_DIR",
            "DUNLIN_AUTH_SIGNATURE",
            "DUNLIN_AUTH_PASSWORD",
        ]
        .iter()
        .fold(run, |run, name| run.env(name, ""))
    };
    assert_contains(
        &empty(run(&["unsigned", "-v"])).refused(),
        &["missing: --endpoint", "--auth-password"],
    );
    let line = [
        "--endpoint=localhost",
        "--port=1",
        "--authorizer-name=A",
        "--auth-username=u",
    ];
    assert_eq!(empty(run(&line)).output().status.code(), Some(3));
}

#[test]
fn a_secret_that_no_packet_can_carry_is_refused_before_anything_is_sent() {
    let long = CANARY.repeat(6000);
    let line = [
        "unsigned",
        "--endpoint=localhost",
        "--authorizer-name=A",
        "--auth-username=u",
    ];
    assert_contains(
        &run(&line).env("DUNLIN_AUTH_PASSWORD", &long).refused(),
        &["--auth-password is longer than MQTT can carry"],
    );
}

#[test]
fn a_token_part_from_the_environment_is_named() {
    let line = [
        "--endpoint=localhost",
        "--authorizer-name=A",
        "--auth-username=u",
    ];
    assert_contains(
        &run(&line).env("DUNLIN_AUTH_TOKEN", CANARY).refused(),
        &[
            "--auth-token-key-value also needs --auth-token-key-name",
            "from the environment: --auth-token-key-value",
        ],
    );
}

#[test]
fn files_that_cannot_be_read_are_named() {
    for flag in ["--auth-password-file", "--ca", "--auth-signature-file"] {
        let text = run(&[
            "--endpoint=localhost",
            "--authorizer-name=A",
            flag,
            "/no/such/file",
        ])
        .refused();
        assert_contains(
            &text,
            &["error[E-USAGE]:", flag, "/no/such/file", "No such file"],
        );
    }
    let pair = [
        "--endpoint=localhost",
        "--cert",
        "/no/cert",
        "--key",
        "/no/key",
    ];
    assert_contains(&run(&pair).refused(), &["--cert, --key:", "/no/cert"]);
}

#[test]
fn only_one_secret_can_come_from_standard_input() {
    let line = [
        "--endpoint=localhost",
        "--authorizer-name=A",
        "--auth-password-file=-",
        "--auth-token-key-value-file=-",
    ];
    assert_contains(
        &run(&line).stdin(b"s3cret\n").refused(),
        &["can't both read standard input"],
    );
}

#[test]
fn two_flags_of_any_kind_cannot_both_read_standard_input() {
    // Server, verb and topic, then the flag that reads first and the one that would read nothing.
    let publish = |flags: &[&str]| {
        let line = ["pub", "-H", "wss://localhost:1", "-t", "a", "--reconnect=0"];
        run(&[&line, flags].concat()).stdin(b"s3cret\nmessage\n")
    };
    for second in [
        &["-s"][..],
        &["-l"],
        &["-f", "-"],
        &["--json-lines"],
        &["-n", "--ws-header-file=-"],
        &["-n", "--key-password-file=-", "--cert=a", "--key=b"],
    ] {
        for first in ["--password-file=-", "--auth-password-file=-"] {
            let text = publish(&[&[first], second].concat()).refused();
            let flag = first.trim_end_matches("=-");
            assert_contains(&text, &["E-USAGE", flag, "can't both read standard input"]);
        }
    }

    // One reader is fine: this run ends where nothing listens.
    let output = publish(&["--password-file=-", "-n"]).output();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
}

#[test]
fn a_verb_without_its_flags_shows_an_example_of_the_same_verb() {
    for verb in ["pub", "sub", "respond", "connect"] {
        let text = run(&[verb]).refused();
        let examples = text.matches("dunlin ").count() - text.matches("dunlin sandbox").count();
        assert_contains(&text, &["missing: ", &format!("dunlin {verb} -H")]);
        assert_eq!(examples, 1, "{text}");
    }
}

#[test]
fn a_secret_on_the_command_line_causes_one_warning_without_it() {
    let line = [
        "unsigned",
        "--endpoint=localhost",
        "--port=1",
        "--authorizer-name=A",
        "--auth-username=u",
    ];
    let exposed = [&line[..], &["--auth-password", CANARY]].concat();
    let warning = |run: Run| {
        let stderr = String::from_utf8(run.output().stderr).unwrap();
        assert!(!stderr.contains(CANARY), "{stderr}");
        stderr.matches("in the process list (ps)").count()
    };
    assert_eq!(warning(run(&exposed)), 1);
    assert_eq!(warning(run(&exposed).env("DUNLIN_NO_ARGV_WARNING", "1")), 0);
    assert_eq!(warning(run(&line).env("DUNLIN_AUTH_PASSWORD", CANARY)), 0);
    let from_stdin = [&line[..], &["--auth-password-file", "-"]].concat();
    assert_eq!(warning(run(&from_stdin).stdin(CANARY.as_bytes())), 0);
}

#[test]
fn a_password_file_wins_over_the_environment_and_a_flag_over_both() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    fs::write(&file, "12345\n").unwrap();
    let file = file.to_str().unwrap();
    let line = [
        "unsigned",
        "--endpoint=localhost",
        "--port=1",
        "--authorizer-name=A",
        "--auth-username=u",
        "-vvv",
    ];
    // Both given: no conflict, though clap counts the variable as present.
    let both = run(&[&line[..], &["--auth-password-file", file]].concat())
        .env("DUNLIN_AUTH_PASSWORD", CANARY)
        .output();
    assert_eq!(both.status.code(), Some(3));
    // A flag leaves the file unread.
    let flag = run(&[
        &line[..],
        &["--auth-password=x", "--auth-password-file=/no/such/file"],
    ]
    .concat())
    .output();
    assert_eq!(flag.status.code(), Some(3));
}

#[test]
fn an_unknown_fault_is_refused_with_the_list_of_all() {
    assert_contains(
        &run(&["sandbox", "--fault", "no-such"]).refused(),
        &["error[E-USAGE]:", "no-such", "drop-on-subscribe"],
    );
}

#[test]
fn an_unwritable_ready_file_is_reported_before_the_sandbox_is_ready() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().to_str().unwrap();
    let line = [
        "sandbox",
        "--port",
        "0",
        "--state-dir",
        state,
        "--ready-file",
        "/no/such/folder/ready.json",
    ];
    assert_contains(
        &run(&line).refused(),
        &[
            "--ready-file can't be written: /no/such/folder/ready.json: its folder doesn't exist",
            "try:",
        ],
    );
}

/// A path below a file can't be created, not even by root.
#[test]
fn an_unwritable_folder_is_named_with_the_variable_that_replaces_it() {
    let dir = tempfile::Builder::new()
        .prefix("unwritable")
        .tempdir()
        .unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    let folder = dir.path().join("file/folder");
    let folder = folder.to_str().unwrap();
    for (line, variable) in [
        (&["demo"][..], "TMPDIR"),
        (&["bench", "fleet", "--clients", "1"], "TMPDIR"),
        (&["sandbox", "--port", "0"], "DUNLIN_STATE_DIR"),
        (&["auth", "sign", "--sandbox", "hello"], "DUNLIN_STATE_DIR"),
        (
            &["--endpoint", "sandbox", "--authorizer-name", "A"],
            "DUNLIN_STATE_DIR",
        ),
    ] {
        let stderr = run(line).env(variable, folder).refused();
        assert_contains(&stderr, &["error[E-USAGE]:", folder, "try:", variable]);
        assert!(
            !stderr.contains(".tmp"),
            "a name that nobody has chosen: {stderr}"
        );
    }
    assert_contains(
        &run(&["auth", "keygen", "--out", folder]).refused(),
        &["--out can't be written:", folder, "try:"],
    );
}

#[test]
fn without_a_running_sandbox_the_endpoint_sandbox_says_how_to_start_one() {
    let dir = tempfile::tempdir().unwrap();
    let line = [
        "--endpoint",
        "sandbox",
        "--authorizer-name",
        "A",
        "--state-dir",
        dir.path().to_str().unwrap(),
    ];
    let output = run(&line).output();
    assert_eq!(output.status.code(), Some(3));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_contains(
        &stderr,
        &[
            "error[E-REFUSED]: no sandbox is running on this computer",
            "dunlin sandbox",
        ],
    );
    let at_a_port = [&line[..], &["--endpoint", "sandbox:1"]].concat();
    assert_eq!(run(&at_a_port).output().status.code(), Some(3));
    assert_contains(
        &run(&[&at_a_port[..], &["--port", "2"]].concat()).refused(),
        &["--port says 2"],
    );
}

#[test]
fn a_missing_home_is_an_error_that_names_the_variable_to_set() {
    let run = run(&["auth", "sign", "--sandbox", "hello"]);
    let mut run = run;
    run.command.env_remove("HOME").env_remove("XDG_STATE_HOME");
    assert_contains(&run.refused(), &["DUNLIN_STATE_DIR"]);
}

#[test]
fn a_signature_is_printed_for_a_key_and_for_the_sandbox() {
    let dir = tempfile::tempdir().unwrap();
    let (private, _, _) = key_files(dir.path());
    let state = dir.path().to_str().unwrap();
    for signer in [
        &["--key", private.as_str()][..],
        &["--sandbox", "--state-dir", state],
    ] {
        let sign = |token: &[&str]| {
            let output = run(&[&["auth", "sign"], signer, token].concat())
                .stdin(b"hello\n")
                .output();
            assert_eq!(output.status.code(), Some(0));
            String::from_utf8(output.stdout).unwrap()
        };
        let signature = sign(&["hello"]);
        assert_eq!(signature.trim_end().len(), 344, "{signature}");
        assert_eq!(sign(&["--token", "hello"]), signature);
        assert_eq!(sign(&["--token-file", "-"]), signature);
        assert_ne!(sign(&["other"]), signature);
    }
    assert_contains(
        &run(&["auth", "sign", "--sandbox"])
            .env("DUNLIN_STATE_DIR", state)
            .refused(),
        &["missing: the token to sign"],
    );
}

/// Paths of a private key, of its public key, and of somebody else's public key.
fn key_files(dir: &std::path::Path) -> (String, String, String) {
    let key = || {
        rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap()
    };
    let (own, other) = (key(), key());
    let write = |name: &str, pem: String| {
        let path = dir.join(name);
        fs::write(&path, pem).unwrap();
        path.to_str().unwrap().to_owned()
    };
    (
        write("private.pem", own.serialize_pem()),
        write("public.pem", own.public_key_pem()),
        write("other.pem", other.public_key_pem()),
    )
}
