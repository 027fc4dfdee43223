//! Checks of the commands that errors print.

use dunlin_tests::dunlin;

/// Each shell line under `try:` is parsed by sh; verbs and flags of `dunlin` exist.
pub(crate) async fn check_commands(stderr: &str) {
    let lines = stderr
        .lines()
        .skip_while(|line| !line.trim_start().starts_with("try:"));
    for line in lines {
        let line = line
            .trim_start()
            .strip_prefix("try:")
            .unwrap_or(line)
            .trim();
        let program = line.split(' ').next().unwrap_or_default();
        if ![
            "dunlin", "aws", "openssl", "printf", "nc", "ping", "export", "curl",
        ]
        .contains(&program)
        {
            continue;
        }
        // A placeholder in angle brackets would be a redirection.
        assert!(!line.contains('<') || line.contains("</dev/null"), "{line}");
        let parsed = tokio::process::Command::new("sh")
            .args(["-n", "-c", line])
            .status()
            .await
            .unwrap();
        assert!(parsed.success(), "{line}");
        if program == "dunlin" {
            let words: Vec<&str> = line
                .split('#')
                .next()
                .unwrap()
                .split_whitespace()
                .skip(1)
                .collect();
            // Words in front of the first flag are verbs.
            let verbs = words
                .iter()
                .take_while(|word| !word.starts_with('-') && !word.contains('"'));
            let help = dunlin(verbs.copied()).args(["--help"]).run().await;
            help.exits(0);
            for flag in words.iter().filter(|word| word.starts_with("--")) {
                assert!(help.stdout.contains(flag), "{line}: {flag}");
            }
        }
    }
}
