//! Messages between this tool and mosquitto's.

use dunlin_tests::Mosquitto;
use serde_json::json;

use super::{Subscriber, at, bytes_of, mosquitto_tool};

#[tokio::test]
async fn mosquitto_sub_receives_what_pub_sent_with_all_properties() {
    let Some(broker) = Mosquitto::start().await else {
        return;
    };
    let Some(mut theirs) = mosquitto_tool(&broker, "mosquitto_sub") else {
        return;
    };
    // Retained, so that the subscription may come later.
    let ours = at(&broker, "pub")
        .args(["-t", "lamp/7", "-m", "on", "-q", "2", "-r"])
        .args(["--content-type", "text/plain", "--response-topic", "re/7"])
        .args(["--correlation", "hex:6364", "--payload-format", "utf8"])
        .args(["--user-property", "k=v", "--user-property", "k=v=2"])
        .run()
        .await;
    ours.exits(0);
    assert_eq!(ours.stdout, "");

    theirs.args(["-t", "lamp/#", "-q", "2", "-C", "1", "-W", "10"]);
    theirs.args(["-F", "%t|%p|%q|%r|%C|%R|%D|%F|%P"]);
    let (bytes, code) = bytes_of(theirs.spawn().unwrap(), b"").await;
    assert_eq!(code, Some(0));
    assert_eq!(
        String::from_utf8(bytes).unwrap(),
        "lamp/7|on|2|1|text/plain|re/7|cd|1|k:v k:v=2\n"
    );
}

#[tokio::test]
async fn sub_receives_what_mosquitto_pub_sent_with_all_properties() {
    let Some(broker) = Mosquitto::start().await else {
        return;
    };
    let tool = at(&broker, "sub").args(["-t", "lamp/#", "-q", "1", "-C", "1"]);
    let mut ours = Subscriber::start(tool).await;
    let Some(mut theirs) = mosquitto_tool(&broker, "mosquitto_pub") else {
        return;
    };
    theirs.args(["-t", "lamp/7", "-q", "1", "-s"]);
    for property in [
        ["content-type", "x"],
        ["response-topic", "re/7"],
        ["correlation-data", "cd"],
        ["payload-format-indicator", "0"],
        ["message-expiry-interval", "1000"],
    ] {
        theirs.args(["-D", "publish"]).args(property);
    }
    theirs.args(["-D", "publish", "user-property", "k", "v"]);
    theirs.stdin(std::process::Stdio::piped());
    let (_, code) = bytes_of(theirs.spawn().unwrap(), b"\xff\x00").await;
    assert_eq!(code, Some(0));

    let message = ours.until("message").await;
    assert_eq!(
        (&message["topic"], &message["qos"], &message["payload_b64"]),
        (&json!("lamp/7"), &json!(1), &json!("/wA="))
    );
    assert_eq!(
        message["payload"],
        json!(null),
        "only one of the two is there"
    );
    assert_eq!(
        message["properties"],
        json!({
            "payload_format": "bytes", "message_expiry": 1000, "content_type": "x",
            "response_topic": "re/7", "correlation": "cd", "topic_alias": null,
            "subscription_identifiers": [1], "user": [["k", "v"]],
        })
    );
    assert_eq!(ours.until("summary").await["received"], 1);
    assert_eq!(ours.code().await, Some(0));
}

/// Lines, bytes and files are sent as they are given.
#[tokio::test]
async fn every_source_of_a_payload_is_sent_as_given() {
    let Some(broker) = Mosquitto::start().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("payload");
    std::fs::write(&file, b"\x00file\n").unwrap();
    let file = file.to_str().unwrap();
    let tool = at(&broker, "sub").args(["-t", "s/#", "-q", "1", "-C", "11"]);
    let mut sub = Subscriber::start(tool).await;
    let sources: [Source<'_>; 8] = [
        (&["-m", "-5"], b"", &["-5"]),
        (&["-f", file], b"", &["\0file\n"]),
        (&["-s"], b"a\r\nb\n", &["a\r\nb\n"]),
        (&["-n"], b"", &[""]),
        (&["-l"], b"a\n\xff\r\n\nb", &["a", "/w0=", "", "b"]),
        (&["--hex", "-m", "00 fF"], b"", &["AP8="]),
        (&["--base64", "-l"], b"/wA=\n", &["/wA="]),
        (&["--size", "3"], b"", &["xxx"]),
    ];
    for (number, (flags, stdin, payloads)) in sources.into_iter().enumerate() {
        let topic = format!("s/{number}");
        let tool = at(&broker, "pub").with_stdin();
        let tool = tool.args(["-t", &topic, "-q", "1"]).args(flags);
        let (_, code) = bytes_of(tool.spawn(), stdin).await;
        assert_eq!(code, Some(0), "{flags:?}");
        for payload in payloads {
            let message = sub.until("message").await;
            let text = message.get("payload");
            let received = text.or_else(|| message.get("payload_b64")).unwrap();
            assert_eq!(
                (&message["topic"], received),
                (&json!(topic), &json!(payload))
            );
        }
    }
    assert_eq!(sub.code().await, Some(0));
}

/// Flags, standard input, and the payloads that are sent: as text, or as Base64 where they aren't.
type Source<'a> = (&'a [&'a str], &'a [u8], &'a [&'a str]);
