//! Test vectors of other projects: the codec must agree with them.
//!
//! They aren't part of the repository, so these tests run only on request: `.ci/run` requests them
//! where the vectors are.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use dunlin_codec::{DecodeOptions, Packet, Sender};
use dunlin_tests::{hex_bytes, shared_vectors};
use serde_json::Value;

const BESIDE: &str = "../shared/vectors beside the repository";

fn text<'v>(vector: &'v Value, field: &str) -> &'v str {
    vector[field].as_str().expect("a string")
}

#[test]
#[ignore = "needs ../shared/vectors, which only this project's builders have"]
fn the_codec_decodes_each_vector_as_expected() {
    for vector in shared_vectors("mqtt5.jsonl").expect(BESIDE) {
        let input = hex_bytes(text(&vector, "hex"));
        for (sender, field) in [
            (Sender::Any, "expect"),
            (Sender::Client, "from_client"),
            (Sender::Server, "from_server"),
        ] {
            let options = DecodeOptions::any_size().with_sender(sender);
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
fn the_codec_encodes_the_packets_of_another_encoder_alike() {
    for vector in shared_vectors("encode.jsonl").expect(BESIDE) {
        // The other encoder refuses these packets; the types of the codec can't hold them.
        let Some(hex) = vector["hex"].as_str() else {
            continue;
        };
        let name = text(&vector, "name");
        let theirs = hex_bytes(hex);
        let packet = match Packet::decode(&theirs) {
            Ok(Some((packet, len))) if len == theirs.len() => packet,
            // The other encoder writes a Maximum QoS of 2, which the standard forbids.
            other => {
                assert_eq!(text(&vector, "referee"), "error", "{name}: {other:?}");
                continue;
            }
        };
        let mut ours = Vec::new();
        packet.encode(&mut ours).expect("what decodes encodes");
        if ours != theirs {
            // Two differences are allowed: bytes that may be left out, and the order of properties.
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
