//! Golden vectors, both ways: packets and their bytes, and breaches with the error that each must
//! be.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]
#![expect(clippy::cast_possible_truncation, reason = "a hex digit is small")]

mod vectors;

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

use dunlin_codec::{
    DecodeError, DecodeErrorKind, DecodeOptions, ErrorScope, FixedHeader, Packet, PacketType,
    ReasonCode,
};
use vectors::{Form, Rejected, accepted, forms, rejected};

#[test]
fn every_packet_is_written_as_its_bytes() {
    for vector in accepted() {
        let mut bytes = Vec::new();
        vector.packet.encode(&mut bytes).expect("a legal packet");
        assert_eq!(bytes, vector.bytes, "{}", vector.name);
    }
}

#[test]
fn every_packet_is_read_from_its_bytes() {
    for vector in accepted() {
        let expected = Ok(Some((vector.packet, vector.bytes.len())));
        assert_eq!(Packet::decode(&vector.bytes), expected, "{}", vector.name);
    }
}

#[test]
fn every_packet_has_a_vector() {
    let types: BTreeSet<PacketType> = accepted()
        .iter()
        .map(|vector| vector.packet.packet_type())
        .collect();
    assert_eq!(types, BTreeSet::from(PacketType::ALL));
}

#[test]
fn other_forms_of_a_packet_are_read_alike_and_never_written() {
    for Form {
        shows,
        bytes,
        canonical,
    } in forms()
    {
        let (packet, len) = Packet::decode(&bytes)
            .expect(shows)
            .expect("a whole packet");
        assert_eq!(len, bytes.len(), "{shows}");
        assert_eq!(
            Packet::decode(&canonical),
            Ok(Some((packet, canonical.len()))),
            "{shows}"
        );
        let mut written = Vec::new();
        packet.encode(&mut written).expect("a legal packet");
        assert_eq!(written, canonical, "{shows}");
    }
}

/// The error includes its class: malformed packet or protocol error. [U-1.2-1]
#[test]
fn every_invalid_vector_is_its_expected_error() {
    for rejected in rejected() {
        let Rejected {
            shows,
            sender,
            bytes,
            kind,
            reason_code,
            offset,
            field,
            statement,
            is_message,
        } = rejected;
        let options = DecodeOptions::any_size().with_sender(sender);
        let error = Packet::decode_with(&bytes, &options).expect_err(shows);
        let mut expected = DecodeError::new(kind, reason_code, offset, field);
        expected.statement = statement;
        expected.scope = error.scope;
        assert_eq!(error, expected, "{shows}: {bytes:02X?} from {sender:?}");
        assert_eq!(
            matches!(error.scope, ErrorScope::Message(_)),
            is_message,
            "{shows}: {bytes:02X?}"
        );
    }
}

#[test]
fn the_default_limit_is_1_mib_and_256_mib_can_be_asked_for() {
    // 4 bytes of fixed header and 1,048,572 more are 1 MiB.
    assert_eq!(Packet::decode(&[0x30, 0xfc, 0xff, 0x3f]), Ok(None));
    let error = Packet::decode(&[0x30, 0xfd, 0xff, 0x3f]).unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::TooLarge);
    assert_eq!(DecodeOptions::default().max_packet_size, 1_048_576);

    let largest = &[0x30, 0xff, 0xff, 0xff, 0x7f];
    let any_size = DecodeOptions::any_size();
    assert_eq!(any_size.max_packet_size, 268_435_460);
    assert_eq!(Packet::decode_with(largest, &any_size), Ok(None));
}

#[test]
fn a_packet_above_the_limit_is_refused_by_its_header_alone() {
    // 20 bytes are taken, 21 aren't, and nobody waits for them. [MQTT-3.1.2-24]
    let limit = DecodeOptions::new().with_max_packet_size(20);
    assert_eq!(Packet::decode_with(&[0x30, 18], &limit), Ok(None));
    let (kind, code) = (DecodeErrorKind::TooLarge, ReasonCode::PacketTooLarge);
    let too_large =
        DecodeError::new(kind, code, 1, "remaining_length").with_statement("MQTT-3.1.2-24");
    assert_eq!(Packet::decode_with(&[0x30, 19], &limit), Err(too_large));
    // A client that exceeds the server's limit breaks another rule. [MQTT-3.2.2-15]
    let of_client = limit.with_sender(dunlin_codec::Sender::Client);
    let too_large_for_server = too_large.with_statement("MQTT-3.2.2-15");
    assert_eq!(
        Packet::decode_with(&[0x30, 19], &of_client),
        Err(too_large_for_server)
    );
    // So does one whose packet only clients send, whoever reads it.
    assert_eq!(
        Packet::decode_with(&[0x82, 19], &limit),
        Err(too_large_for_server)
    );
    assert_eq!(Packet::decode_with(&[0x20, 19], &limit), Err(too_large));
    // The direction comes before the size.
    let of_server = limit.with_sender(dunlin_codec::Sender::Server);
    let kind = Packet::decode_with(&[0x10, 19], &of_server).map_err(|error| error.kind);
    assert_eq!(kind, Err(DecodeErrorKind::WrongDirection));
    // A CONNECT comes before any limit is known.
    for options in [limit, of_client] {
        let statement = Packet::decode_with(&[0x10, 19], &options).map_err(|error| error.statement);
        assert_eq!(statement, Err(None));
    }
    assert_eq!(
        FixedHeader::peek(&[0x30, 0xff, 0xff, 0xff, 0x7f], 268_435_459),
        Err(too_large)
    );
    let largest =
        FixedHeader::peek(&[0x30, 0xff, 0xff, 0xff, 0x7f], 268_435_460).expect("a header");
    assert_eq!(largest.expect("a whole header").packet_len(), 268_435_460);
}

#[test]
fn an_error_reads_as_one_line() {
    let error = Packet::decode(&[0x36, 0x00]).expect_err("QoS 3");
    assert_eq!(
        error.to_string(),
        "malformed packet: qos at byte 0 [MQTT-3.3.1-4]"
    );
}

#[test]
fn a_password_doesnt_print() {
    for vector in accepted() {
        assert!(
            !format!("{:?}", vector.packet).contains("s3cret"),
            "{}",
            vector.name
        );
    }
}

#[test]
#[ignore = "writes the corpus that fuzzing starts from"]
fn seeds_for_the_fuzzer() -> io::Result<()> {
    let accepted = accepted().into_iter().map(|vector| vector.bytes);
    let other_forms = forms().into_iter().map(|form| form.bytes);
    let rejected = rejected().into_iter().map(|vector| vector.bytes);
    let seeds: Vec<Vec<u8>> = accepted.chain(other_forms).chain(rejected).collect();
    // The targets that take any bytes as they are.
    for target in ["decode", "peek"] {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../fuzz/corpus")
            .join(target);
        fs::create_dir_all(&corpus)?;
        for (number, bytes) in seeds.iter().enumerate() {
            fs::write(corpus.join(format!("golden-{number:03}")), bytes)?;
        }
    }
    Ok(())
}
