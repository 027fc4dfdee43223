//! `dunlin auth sign`, `verify` and `keygen` with tokens, signatures and keys as people have them.

#![expect(clippy::unwrap_used, reason = "a test that can't be set up fails")]

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// Runs `dunlin auth` in `dir` with `stdin` and without variables of its own.
fn auth(dir: &TempDir, words: &[&str], stdin: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dunlin"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("DUNLIN_") {
            command.env_remove(name);
        }
    }
    let mut child = command
        .arg("auth")
        .args(words)
        .current_dir(dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A run that needs no input may end before it is written.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    child.wait_with_output().unwrap()
}

/// Standard error as one line, without the places where it was wrapped.
fn errors(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A folder with the key pair `k.pem` and `k.pub.pem`.
fn with_key() -> TempDir {
    let dir = TempDir::new().unwrap();
    let made = auth(&dir, &["keygen", "--out", "k.pem"], b"");
    assert_eq!(made.status.code(), Some(0), "{}", errors(&made));
    dir
}

/// Signature of a token with the key of the folder.
fn signature(dir: &TempDir, token: &str) -> String {
    let signed = auth(dir, &["sign", "--key", "k.pem", "--token", token], b"");
    assert_eq!(signed.status.code(), Some(0), "{}", errors(&signed));
    String::from_utf8(signed.stdout).unwrap().trim().to_owned()
}

fn verify(dir: &TempDir, token: &str, signature: &str) -> Output {
    fs::write(dir.path().join("signature"), signature).unwrap();
    let words = [
        "verify",
        "--token",
        token,
        "--auth-signature-file",
        "signature",
        "--auth-public-key",
        "k.pub.pem",
    ];
    auth(dir, &words, b"")
}

#[test]
fn common_mistakes_of_a_signature_are_found_alone_and_together() {
    const TOKEN: &str = "hello w/o+";

    let dir = with_key();
    let good = signature(&dir, TOKEN);
    assert_eq!(verify(&dir, TOKEN, &good).status.code(), Some(0));

    let url_encoded = |text: &str| {
        let text = text
            .replace('%', "%25")
            .replace('/', "%2F")
            .replace(' ', "%20");
        text.replace('+', "%2B").replace('=', "%3D")
    };
    let base64url = good.replace('+', "-").replace('/', "_");
    let with_newline = signature(&dir, &format!("{TOKEN}\n"));
    for (token, signature, words) in [
        (
            TOKEN,
            with_newline.clone(),
            &["that was signed ends in a newline"][..],
        ),
        (
            TOKEN,
            signature(&dir, &format!("{TOKEN}\r\n")),
            &["Windows line ending"],
        ),
        (
            TOKEN,
            signature(&dir, &url_encoded(TOKEN)),
            &["was URL-encoded before it was signed"],
        ),
        (
            "hello w/o+\n\n",
            good.clone(),
            &["the token given ends in a newline"],
        ),
        (" hello w/o+ ", good.clone(), &["blanks around it"]),
        (
            "\"hello w/o+\"",
            good.clone(),
            &["quotation marks around it"],
        ),
        (
            "hello%20w%2Fo%2B",
            good.clone(),
            &["the token given is URL-encoded"],
        ),
        ("hello+w%2Fo%2B", good.clone(), &["encoded as in a form"]),
        (
            TOKEN,
            url_encoded(&url_encoded(&good)),
            &["URL-encoded twice"],
        ),
        (
            TOKEN,
            base64url.trim_end_matches('=').to_owned(),
            &["base64url alphabet"],
        ),
        (
            TOKEN,
            good.replacen("", "\n", 1) + "\n\n",
            &["line breaks or blanks"],
        ),
        (TOKEN, format!("\"{good}\""), &["quotation marks around it"]),
        (
            "hello w/o+\n",
            url_encoded(&good),
            &["ends in a newline", "URL-encoded"],
        ),
        (
            TOKEN,
            url_encoded(&with_newline),
            &["ends in a newline", "URL-encoded"],
        ),
    ] {
        let run = verify(&dir, token, &signature);
        let errors = errors(&run);
        assert_eq!(run.status.code(), Some(2), "{token:?} {errors}");
        assert!(
            errors.contains("without the damage named here the signature matches"),
            "{errors}"
        );
        for words in words {
            assert!(errors.contains(words), "{token:?} {words}\n{errors}");
        }
    }

    // Another token is no damage.
    let other = errors(&verify(&dir, "another", &good));
    assert!(!other.contains("without the damage"), "{other}");
}

#[test]
fn a_dash_reads_the_token_or_the_signature_from_standard_input() {
    let dir = with_key();
    let signed = signature(&dir, "hello");
    for (words, stdin) in [
        (&["sign", "--key", "k.pem", "-"][..], "hello"),
        (&["sign", "--key", "k.pem", "-"], "hello\n"),
        (&["sign", "--key", "k.pem", "--token-file", "-"], "hello"),
    ] {
        let run = auth(&dir, words, stdin.as_bytes());
        assert_eq!(
            String::from_utf8_lossy(&run.stdout).trim(),
            signed,
            "{words:?}"
        );
    }
    let key = ["--auth-public-key", "k.pub.pem"];
    for (words, stdin) in [
        (&["verify", "-", "--auth-signature", &signed][..], "hello"),
        (
            &["verify", "hello", "--auth-signature-file", "-"],
            signed.as_str(),
        ),
    ] {
        let run = auth(&dir, &[words, &key].concat(), stdin.as_bytes());
        assert_eq!(run.status.code(), Some(0), "{}", errors(&run));
    }
    for (words, stdin) in [
        (&["-"][..], ""),
        (&["-"], "\n"),
        (&[""], ""),
        (&["--token-file", "-"], ""),
    ] {
        let run = auth(
            &dir,
            &[&["sign", "--key", "k.pem"], words].concat(),
            stdin.as_bytes(),
        );
        assert_eq!(run.status.code(), Some(2));
        assert!(
            errors(&run).contains("the token to sign is empty"),
            "{}",
            errors(&run)
        );
    }
}

#[test]
fn no_key_is_written_to_a_file_whose_name_is_a_dash() {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("keys")).unwrap();
    for out in ["-", "./-", "keys/-", "..", "/"] {
        let run = auth(&dir, &["keygen", "--out", out], b"");
        assert_eq!(run.status.code(), Some(2), "{out}");
        assert!(errors(&run).contains("--out"), "{}", errors(&run));
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    assert_eq!(fs::read_dir(dir.path().join("keys")).unwrap().count(), 0);

    // The commands that are printed for a name with a leading dash run as they stand.
    let run = auth(&dir, &["keygen", "--out=-k.pem"], b"");
    let stdout = String::from_utf8_lossy(&run.stdout);
    assert!(
        stdout.contains("--key ./-k.pem") && stdout.contains("cat ./-k.pub.pem"),
        "{stdout}"
    );
    assert!(
        stdout.contains("dunlin auth sign --key ./-k.pem TOKEN\n") && !stdout.contains(" .."),
        "nothing is left out of a command: {stdout}"
    );
    let signed = auth(&dir, &["sign", "--key", "./-k.pem", "hello"], b"");
    assert_eq!(signed.status.code(), Some(0));
}

#[test]
fn a_key_of_another_kind_is_named_with_the_command_that_helps() {
    const SHORT_PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
        MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf\n\
        9Cnzj4p4WGeKLs1Pt8QuKUpRKfFLfRYC9AIKjbJTWit+CqvjWYzvQwECAwEAAQ==\n\
        -----END PUBLIC KEY-----\n";

    let dir = with_key();
    let signed = signature(&dir, "hello");
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    write("short.pem", SHORT_PUBLIC_KEY);
    write("request.pem", "-----BEGIN CERTIFICATE REQUEST-----\n");
    write("certificate.pem", "-----BEGIN CERTIFICATE-----\n");
    write("pkcs1.pem", "-----BEGIN RSA PUBLIC KEY-----\n");
    write("openssh.pub", "ssh-rsa AAAA me@here\n");
    for (file, kind, help) in [
        ("short.pem", "too short", "openssl pkey"),
        (
            "request.pem",
            "a certificate request",
            "openssl req -in request.pem",
        ),
        (
            "certificate.pem",
            "a certificate",
            "openssl x509 -in certificate.pem",
        ),
        ("pkcs1.pem", "PKCS #1", "openssl rsa -RSAPublicKey_in"),
        (
            "openssh.pub",
            "a public key in OpenSSH's own format",
            "ssh-keygen -e -m PKCS8",
        ),
        ("k.pem", "a private key", "openssl pkey -in k.pem -pubout"),
    ] {
        let words = [
            "verify",
            "hello",
            "--auth-signature",
            &signed,
            "--auth-public-key",
            file,
        ];
        let run = auth(&dir, &words, b"");
        let errors = errors(&run);
        assert_eq!(run.status.code(), Some(2), "{file} {errors}");
        assert!(errors.contains(kind) && errors.contains(help), "{errors}");
    }
    for file in ["k.pub.pem", "certificate.pem", "request.pem"] {
        let run = auth(&dir, &["sign", "--key", file, "hello"], b"");
        let errors = errors(&run);
        assert!(
            errors.contains("the private key that belongs to it"),
            "{errors}"
        );
    }
}
