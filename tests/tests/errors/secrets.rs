//! Secrets, which no error and no log may show.

use std::fs;

use dunlin_tests::dunlin;
use tempfile::TempDir;

use super::{CANARY, at, serve};

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_logged_at_the_highest_verbosity() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("token");
    fs::write(&file, CANARY).unwrap();
    for fault in [
        "",
        "connack=0x87",
        "drop-on-connect",
        "suback=0x87",
        "malformed",
        "reset@100ms",
    ] {
        let served = serve(fault).await;
        let run = at(&served)
            .args(["-vvv", "--reconnect=0", "--count=1"])
            .run()
            .await;
        assert!(
            !run.stderr.contains(CANARY) && !run.stdout.contains(CANARY),
            "{fault}\n{}",
            run.stderr
        );
    }
    // A signed run: token and signature are secrets, too.
    let served = serve("").await;
    let key = served.sandbox.ready().signing_key.clone();
    let signed = dunlin([
        "signed",
        "-vvv",
        "--authorizer-name=DemoSigned",
        "--auth-token-key-name=tok",
        "--count=1",
    ])
    .connecting_to(&served.sandbox)
    .args(["--auth-token-key-value-file".as_ref(), file.as_os_str()])
    .args(["--auth-signing-key".as_ref(), key.as_os_str()])
    .run()
    .await;
    signed.exits(0);
    let signature = served.sandbox.sign(CANARY).unwrap();
    for secret in [CANARY, &signature] {
        assert!(
            !signed.stderr.contains(secret) && !signed.stdout.contains(secret),
            "{}",
            signed.stderr
        );
    }
}
