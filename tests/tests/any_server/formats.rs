//! `sub -F`: every sequence, compared with mosquitto_sub on the same messages.

use dunlin_tests::Mosquitto;
use serde_json::Value;

use super::{at, bytes_of, mosquitto_tool};

/// Every field with every flag, width and precision, and every escape. Times are compared apart.
const FORMATS: [&str; 9] = [
    "A[%A]C[%C]D[%D]E[%E]F[%F]l[%l]m[%m]P[%P]p[%p]q[%q]R[%R]r[%r]S[%S]t[%t]x[%x]X[%X]%%",
    "[%10l][%-10l][%010l][%-010l][%.2l][%5m][%05m][%-5m]",
    "[%5t][%-5t][%05t][%.1t][%5.1t][%-5.1t][%9t][%.0t][%.t]",
    "[%10p][%-10p][%010p][%2p][%.2p][%40p]",
    "[%10x][%-10x][%010x][%3x][%4x][%-4X][%40X][%040x]",
    "[%20C][%-20C][%020C][%.3C][%20R][%-20R][%.2R]",
    "[%8E][%-8E][%08E][%5F][%05F][%-5F][%5A][%05A][%-5A][%5S][%05S][%-5S]",
    "[%5q][%-5q][%5r][%5P][%-P][%05P][%5D][%-05%]",
    "a\\ab\\0c\\ed\\ne\\rf\\tg\\vh\\\\i@@j",
];

#[tokio::test]
async fn every_sequence_prints_what_mosquitto_sub_prints() {
    let Some(broker) = Mosquitto::start().await else {
        return;
    };
    publish(&broker).await;
    for format in FORMATS {
        // The expiry counts down: the two runs may fall into different seconds.
        let mut outputs = (Vec::new(), Vec::new());
        for _ in 0..5 {
            let Some(theirs) = theirs(&broker, format).await else {
                return;
            };
            outputs = (ours(&broker, format).await, theirs);
            if outputs.0 == outputs.1 {
                break;
            }
        }
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        assert_eq!(text(&outputs.0), text(&outputs.1), "{format}");
    }
}

#[tokio::test]
async fn json_of_a_message_has_the_members_that_mosquitto_sub_prints() {
    let Some(broker) = Mosquitto::start().await else {
        return;
    };
    publish(&broker).await;
    for format in ["%j", "%J"] {
        let Some(theirs) = theirs(&broker, format).await else {
            return;
        };
        let objects = |bytes: Vec<u8>| -> Vec<Value> {
            // A payload that isn't UTF-8 makes no JSON: theirs isn't JSON then.
            String::from_utf8_lossy(&bytes)
                .lines()
                .filter(|line| !line.is_empty())
                .map(|line| {
                    let mut value: Value = serde_json::from_str(line).unwrap();
                    // The time of printing, which mosquitto_sub 2.0.11 writes with "Z" and an offset.
                    let time = value["tst"].take();
                    assert!(time.as_str().unwrap().starts_with("20"), "{line}");
                    value["properties"]["message-expiry-interval"].take();
                    value
                })
                .collect()
        };
        assert_eq!(
            objects(ours(&broker, format).await),
            objects(theirs),
            "{format}"
        );
    }
}

/// Times are those of printing, so the forms are compared: digits become 0.
#[tokio::test]
async fn times_have_the_forms_that_mosquitto_sub_prints() {
    let Some(broker) = Mosquitto::start().await else {
        return;
    };
    publish(&broker).await;
    let format = "%I|%30I|%-30I|%.4I|%U|@Y|@m|@d|@H|@M|@S|@N|@F|@T|@D|@R|@j|@z|@y|@e|@C|@G|@g|@V|@u|@w|@s|@E|@q";
    let Some(theirs) = theirs(&broker, format).await else {
        return;
    };
    let forms = |bytes: Vec<u8>| -> String {
        let text = String::from_utf8(bytes).unwrap();
        text.replace(|c: char| c.is_ascii_digit(), "0")
    };
    assert_eq!(forms(ours(&broker, format).await), forms(theirs));
    // Names don't change within a test, unless it runs at midnight.
    let names = "@a @A @b @B @h @p @P @Z @x";
    assert_eq!(
        String::from_utf8(ours(&broker, names).await).unwrap(),
        String::from_utf8(self::theirs(&broker, names).await.unwrap()).unwrap()
    );
}

/// Without a format mosquitto_sub prints nothing for an empty payload; with one, an empty line.
#[tokio::test]
async fn an_empty_payload_is_printed_as_mosquitto_sub_prints_it() {
    let Some(broker) = Mosquitto::start().await else {
        return;
    };
    for (flags, expected) in [
        (&[][..], &b"x\ny\n"[..]),
        (&["-N"], b"xy"),
        (&["-F", "%p"], b"x\n\ny\n"),
        (&["-F", "%t"], b"a\na\na\n"),
    ] {
        // A session keeps the messages for both, so that neither is started too late.
        let of_session = |name: &str| ["-t", "a", "-q", "1", "-i", name].map(str::to_owned);
        let ours = || {
            let tool = at(&broker, "sub").args(of_session("ours"));
            tool.args(["--clean-start", "false", "--session-expiry", "1h"])
        };
        let theirs = || {
            let mut command = mosquitto_tool(&broker, "mosquitto_sub")?;
            command
                .args(of_session("theirs"))
                .args(["-c", "-x", "3600"]);
            Some(command)
        };
        let Some(mut subscribing) = theirs() else {
            return;
        };
        subscribing.arg("-E");
        assert_eq!(bytes_of(subscribing.spawn().unwrap(), b"").await.1, Some(0));
        ours().args(["-E"]).run().await.exits(0);
        for payload in [&["-m", "x"][..], &["-n"], &["-m", "y"]] {
            let tool = at(&broker, "pub").args(["-t", "a", "-q", "1"]);
            tool.args(payload).run().await.exits(0);
        }
        let Some(mut command) = theirs() else {
            return;
        };
        command.args(["-C", "3", "-W", "10"]).args(flags);
        let theirs = bytes_of(command.spawn().unwrap(), b"").await;
        let ours = ours().args(["-C", "3", "-W", "10"]).args(flags);
        let ours = bytes_of(ours.spawn(), b"").await;
        assert_eq!(
            (ours.0.as_slice(), ours.1),
            (expected, Some(0)),
            "{flags:?}"
        );
        assert_eq!(ours, theirs, "{flags:?}");
    }
}

/// Publishes retained messages with all, some and no properties, one of them binary.
async fn publish(broker: &Mosquitto) {
    let all = [
        "--content-type=text/plain",
        "--response-topic=re/sp",
        "--correlation=cd",
        "--expiry=100000",
        "--payload-format=utf8",
        "--user-property=k=v",
        "--user-property=k2=v 2",
    ];
    let messages: [(&str, &[&str], &[&str]); 3] = [
        ("a/b", &["-m", "{\"x\":10}"], &all),
        (
            "a/c",
            &["-m", "h\u{e9}\"llo\tx"],
            &["--user-property=only=one"],
        ),
        ("a", &["--hex", "-m", "610162ff63"], &[]),
    ];
    for (topic, payload, properties) in messages {
        let tool = at(broker, "pub").args(["-r", "-q", "1", "-t", topic]);
        tool.args(payload).args(properties).run().await.exits(0);
    }
}

async fn ours(broker: &Mosquitto, format: &str) -> Vec<u8> {
    // Binary payloads can't be in JSON.
    let (count, topics) = shown(format);
    let tool = at(broker, "sub").args(["-q", "1", "-C", count, "-W", "10", "-F", format]);
    let tool = topics
        .iter()
        .fold(tool, |tool, topic| tool.args(["-t", topic]));
    let (bytes, code) = bytes_of(tool.spawn(), b"").await;
    assert_eq!(code, Some(0), "{format}");
    bytes
}

async fn theirs(broker: &Mosquitto, format: &str) -> Option<Vec<u8>> {
    let (count, topics) = shown(format);
    let mut command = mosquitto_tool(broker, "mosquitto_sub")?;
    command.args(["-q", "1", "-C", count, "-W", "10", "-F", format]);
    for topic in topics {
        command.args(["-t", topic]);
    }
    command.args(["-D", "subscribe", "subscription-identifier", "1"]);
    let (bytes, code) = bytes_of(command.spawn().unwrap(), b"").await;
    assert_eq!(code, Some(0), "{format}");
    Some(bytes)
}

/// Count and filters for a format.
fn shown(format: &str) -> (&'static str, &'static [&'static str]) {
    match format {
        "%j" => ("2", &["a/+"]),
        "%J" => ("1", &["a/b"]),
        _ => ("3", &["a/#"]),
    }
}
