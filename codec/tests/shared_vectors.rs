//! The vectors of other projects, judged against the standard: a second source.
//!
//! They aren't part of the repository, so these tests run only on request: `.ci/run` requests them
//! where the vectors are.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::Path;

use dunlin_codec::{DecodeOptions, Packet, Sender};
use serde_json::Value;

/// The lines of a file in the folder of vectors beside the repository.
fn lines(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/vectors")
        .join(file);
    let text = fs::read_to_string(&path).expect("../shared/vectors beside the repository");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("one JSON object a line"))
        .collect()
}

fn text<'v>(vector: &'v Value, field: &str) -> &'v str {
    vector[field].as_str().expect("a string")
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex
        .chars()
        .map(|digit| digit.to_digit(16).expect("a hex digit"))
        .collect();
    digits
        .chunks_exact(2)
        .map(|pair| u8::try_from(pair[0] << 4 | pair[1]).expect("a byte"))
        .collect()
}

#[test]
#[ignore = "needs ../shared/vectors, which only this project's builders have"]
fn every_expected_result_is_confirmed() {
    for vector in lines("mqtt5.jsonl") {
        let input = bytes(text(&vector, "hex"));
        for (sender, field) in [
            (Sender::Any, "expect"),
            (Sender::Client, "from_client"),
            (Sender::Server, "from_server"),
        ] {
            let options = DecodeOptions {
                sender,
                ..DecodeOptions::default()
            };
            let verdict = match Packet::decode_with(&input, &options) {
                Ok(Some((_, len))) if len == input.len() => "ok",
                Ok(Some(_)) => "error",
                Ok(None) => "incomplete",
                Err(_) => "error",
            };
            let expected = text(&vector, field);
            let name = text(&vector, "name");
            assert!(
                expected == "either" || expected == verdict,
                "{name} from {sender:?}: {verdict}, not {expected}"
            );
        }
    }
}

#[test]
#[ignore = "needs ../shared/vectors, which only this project's builders have"]
fn another_encoder_writes_the_same_packets() {
    for vector in lines("encode.jsonl") {
        // What it refuses to write, our types can't hold.
        let Some(hex) = vector["hex"].as_str() else {
            continue;
        };
        let name = text(&vector, "name");
        let theirs = bytes(hex);
        let packet = match Packet::decode(&theirs) {
            Ok(Some((packet, len))) if len == theirs.len() => packet,
            // It writes a Maximum QoS of 2, which the standard forbids.
            other => {
                assert_eq!(text(&vector, "referee"), "error", "{name}: {other:?}");
                continue;
            }
        };
        let mut ours = Vec::new();
        packet.encode(&mut ours).expect("what decodes encodes");
        if ours != theirs {
            // Ours may differ in two ways only: shorter, where properties may be left out, and the
            // order of properties.
            assert_eq!(
                Packet::decode(&ours),
                Ok(Some((packet, ours.len()))),
                "{name}"
            );
            let sorted = |bytes: &[u8]| {
                let mut bytes = bytes.to_vec();
                bytes.sort_unstable();
                bytes
            };
            assert!(
                ours.len() < theirs.len() || sorted(&ours) == sorted(&theirs),
                "{name}"
            );
        }
    }
}
