//! Loads that are refused: here, before anything is sent, or by the server.

use dunlin_tests::{Finished, dunlin, system_program};
use serde_json::json;
use tokio::process::Command;

use super::{bench, expect_counts, report, serve};

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_client_is_explained() {
    let served = serve(&[]).await;
    let run = dunlin([
        "bench",
        "connect",
        "--json",
        "--clients=3",
        "--authorizer-name=DemoUnsigned",
    ])
    .args(["--auth-username=demo", "--auth-password=wrong"])
    .connecting_to(&served.sandbox)
    .run()
    .await;
    run.exits(5);
    expect_counts(
        &report(&run),
        &json!({"connected": 0, "errors": {"E-AUTH-DENIED": 3}, "exit_code": 5}),
    );
    assert!(
        run.stderr.starts_with("error[E-AUTH-DENIED]: "),
        "{}",
        run.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_publish_is_reported_with_its_reason_code() {
    let served = serve(&[]).await;
    let run = bench(&served, &["pub", "--count=2", "--topic=forbidden"])
        .run()
        .await;
    run.exits(7);
    let report = report(&run);
    assert_eq!(
        report["errors"],
        json!({"PUBACK 0x87 Not authorized": 2}),
        "{report:#}"
    );
    // Refused messages are not lost.
    expect_counts(&report, &json!({"refused": 2, "unfinished": 0, "lost": 0}));
    let line = run.error_line();
    for words in [
        "error[E-PUB-DENIED]: the server refused: Not authorized (PUBACK 0x87)",
        "client ids that begin with \"dunlin-bench-",
        "allow iot:Publish on arn:aws:iot:*:*:topic/forbidden/*, and iot:Connect on arn:aws:iot:*:*:client/dunlin-bench-",
    ] {
        assert!(line.contains(words), "{words:?} in {line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_by_a_limit_name_the_flag_that_keeps_it() {
    for (fault, advice) in [
        ("puback=0x97", "a lower --rate, or fewer --in-flight"),
        ("puback=0x90", "another --topic"),
    ] {
        let served = serve(&[fault]).await;
        let run = bench(&served, &["pub", "--count=5"]).run().await;
        run.exits(7);
        expect_counts(&report(&run), &json!({"sent": 5, "refused": 5, "lost": 0}));
        let line = run.error_line();
        assert!(line.contains("error[E-PUB-DENIED]: "), "{line}");
        assert!(line.contains(advice), "{advice:?} in {line}");
    }
}

#[tokio::test]
async fn a_load_on_aws_needs_a_flag_that_accepts_the_cost() {
    let run = dunlin([
        "bench",
        "pubsub",
        "--endpoint=x-ats.iot.eu-west-1.amazonaws.com",
        "--count=1000",
    ])
    .run()
    .await;
    run.exits(2);
    let line = run.error_line();
    assert!(
        line.contains("nothing was sent") && line.contains("about 2000 messages"),
        "{line}"
    );
    assert!(line.contains("--i-accept-charges"), "{line}");
}

#[tokio::test]
async fn too_few_file_descriptors_are_reported_with_the_required_number() {
    let tool = dunlin_tests::tool_path();
    let line = format!(
        "ulimit -n 64; exec {} bench connect --endpoint mqtt://localhost:1 -n 100",
        tool.display()
    );
    let run = Command::new(system_program("sh"))
        .args(["-c", &line])
        .output()
        .await
        .unwrap();
    let stderr = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(2), "{stderr}");
    assert!(
        stderr.contains("164 file descriptors") && stderr.contains("ulimit -n 164"),
        "{stderr}"
    );
}

#[tokio::test]
async fn mistakes_in_flags_are_found_before_anything_is_sent() {
    let usage = async |words: &[&str], part: &str| {
        let run: Finished = dunlin(["bench"]).args(words).run().await;
        run.exits(2);
        assert!(
            run.error_line().contains(part),
            "{part:?} in {}",
            run.stderr
        );
    };
    usage(&["pub"], "missing: --endpoint").await;
    usage(
        &["pub", "--size=3", "--topic=a/#", "--endpoint=a b"],
        "also: --size 3: a payload needs 24 bytes at least; also: \"a b\" is neither",
    )
    .await;
    usage(
        &["pub", "--endpoint=mqtt://user:canary@localhost"],
        "has a user name or password",
    )
    .await;
    usage(
        &["pub", "--endpoint=localhost", "--size=3"],
        "24 bytes at least",
    )
    .await;
    usage(&["pub", "--endpoint=localhost", "--topic=a/#"], "wildcard").await;
    usage(&["pub", "--endpoint=localhost", "--qos=3"], "--qos").await;
    usage(&["pub", "--endpoint=localhost", "--rate=0"], "--rate").await;
    usage(
        &["connect", "--endpoint=https://localhost"],
        "begins with \"https://\"",
    )
    .await;
}
