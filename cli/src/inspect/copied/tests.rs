use super::*;

const PACKET: [u8; 6] = [0x30, 0x04, 0x00, 0x01, 0x61, 0x00];

/// PUBLISH whose payload has what could be taken for the form of the dump around it.
const CONFUSING: &[u8] =
    b"0=\0\x03a/b\0{\"state\":\"on | 0x12 0000  it is 12 34 cafe  dead  ok!\"}";

#[test]
fn lists_of_bytes_are_read_with_every_separator() {
    for text in [
        "300400016100",
        "30 04 00 01 61 00",
        "30:04:00:01:61:00",
        "30-04-00-01-61-00",
        "30.04.00.01.61.00",
        "|30|04|00|01|61|00|",
        "3004:0001:6100",
        "3004_0001_6100",
        "30, 04, 00, 01, 61, 00",
        "30h 04h 00h 01h 61h 00h",
        "%30%04%00%01%61%00",
        "0x30 0x04 0x00 0x01 0x61 0x00",
        "0x300400016100",
        "0x30, 0x4, 0x0, 0x1, 0x61, 0x0",
        r"\x30\x04\x00\x01\x61\x00",
        r"\x30, \x04, \x00, \x01, \x61, \x00",
        r"\u0030\u0004\u0000\u0001\u0061\u0000",
        "X'300400016100'",
        "<Buffer 30 04 00 01 61 00>",
        "Hex: 30 04 00 01 61 00",
        "bytes.fromhex('300400016100')",
        "\u{feff}30 04 00 01 61 00\r\n",
    ] {
        assert_eq!(decode(text.as_bytes()), Ok(PACKET.to_vec()), "{text}");
    }
}

#[test]
fn arrays_of_programming_languages_are_read_without_what_is_around_them() {
    for text in [
        "const unsigned char packet[6] = {\n  0x30, 0x04, 0x00,\n  0x01, 0x61, 0x00\n};\n",
        "/* Frame (90 bytes) */\nstatic const unsigned char pkt1[6] = {\n\
         0x30, 0x04, 0x00, 0x01, /* 0... */\n0x61, 0x00 // a.\n};\n",
        "static const char peer0_0[] = { /* Packet 4 */\n0x30, 0x04, 0x00, 0x01, 0x61, 0x00 };\n",
        // xxd -i
        "unsigned char packet[] = {\n  0x30, 0x04, 0x00, 0x01, 0x61, 0x00\n};\n\
         unsigned int packet_len = 6;\n",
        "[]byte{0x30, 0x04, 0x00, 0x01, 0x61, 0x00}",
        "new byte[] { (byte) 0x30, (byte)0x04, 0x00, 0x01, 0x61, 0x00 };",
        "let packet: [u8; 6] = [0x30u8, 0x04, 0x00, 0x01, 0x61, 0x00];",
        "vec![0x30, 0x04, 0x00, 0x01, 0x61, 0x00]",
        "[48, 4, 0, 1, 97, 0]",
        "{\"type\":\"Buffer\",\"data\":[48,4,0,1,97,0]}",
        "Uint8Array(6) [\n  48, 4, 0,\n  1, 97, 0\n]",
    ] {
        assert_eq!(decode(text.as_bytes()), Ok(PACKET.to_vec()), "{text}");
    }
    // Java prints bytes with their sign.
    assert_eq!(decode(b"[-64, 0]"), Ok(vec![0xc0, 0x00]));
    // Two digits everywhere may be either; hexadecimal is what this command reads.
    assert_eq!(decode(b"[30, 10]"), Ok(vec![0x30, 0x10]));
}

#[test]
fn string_literals_are_read_with_their_escapes() {
    for text in [
        r#""\x30\x04\x00\x01" "\x61\x00""#,
        "\"\\x30\\x04\\x00\" \\\n\"\\x01\\x61\\x00\"",
        r"b'0\x04\x00\x01a\x00'",
        r"bytearray(b'0\x04\x00\x01a\x00')",
        r"payload = b'0\x04\0\x01a\x00'",
        r"0\x04\x00\x01a\x00",
        r#"char packet[] = "0\004\0\001a\x00";"#,
    ] {
        assert_eq!(decode(text.as_bytes()), Ok(PACKET.to_vec()), "{text}");
    }
    assert_eq!(
        decode(br#"b'\n\r\t\\\'"\xff \x00'"#),
        Ok(b"\n\r\t\\'\"\xff \0".to_vec())
    );
}

#[test]
fn a_dump_of_one_row_is_read_without_offset_and_text() {
    for text in [
        "00000000: 3004 0001 6100                           0...a.\n",
        "00000000  30 04 00 01 61 00                                 |0...a.|\n00000006\n",
        "0000   30 04 00 01 61 00                                 0...a.\n",
        "0000   30 04 00 01 61 00\n",
        "000000 30 04 00 01 61 00  >0...a.<\n000006\n",
        "0000000 30 04 00 01 61 00\n0000006\n",
    ] {
        assert_eq!(decode(text.as_bytes()), Ok(PACKET.to_vec()), "{text}");
    }
}

/// Rows of `width` bytes as each program prints them; the text column follows `gap`.
fn rows(bytes: &[u8], width: usize, row: impl Fn(usize, &[u8], &str) -> String) -> String {
    bytes
        .chunks(width)
        .enumerate()
        .map(|(n, bytes)| {
            let shown = |byte: &u8| {
                if (0x20..0x7f).contains(byte) {
                    char::from(*byte)
                } else {
                    '.'
                }
            };
            let text: String = bytes.iter().map(shown).collect();
            row(n * width, bytes, &text) + "\n"
        })
        .collect()
}

fn spaced(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn the_text_beside_the_bytes_is_never_taken_for_bytes() {
    let pairs = |bytes: &[u8]| {
        bytes
            .chunks(2)
            .map(hex::encode)
            .collect::<Vec<_>>()
            .join(" ")
    };
    let halves = |bytes: &[u8]| bytes.chunks(8).map(spaced).collect::<Vec<_>>().join("  ");
    for width in [8, 16, 32] {
        for dump in [
            rows(CONFUSING, width, |at, bytes, text| {
                format!("{at:08x}: {:<40}  {text}", pairs(bytes))
            }),
            rows(CONFUSING, width, |at, bytes, text| {
                format!("\t0x{at:04x}:  {:<39}  {text}", pairs(bytes))
            }),
            rows(CONFUSING, width, |at, bytes, text| {
                format!(
                    "0x{at:04x}:  {:<39}  {}",
                    pairs(bytes),
                    text.replace(' ', ".")
                )
            }),
            rows(CONFUSING, width, |at, bytes, text| {
                format!("{at:08x}  {:<49} |{text}|", halves(bytes))
            }),
            rows(CONFUSING, width, |at, bytes, text| {
                format!("{at:04x}   {:<47}   {text}", spaced(bytes))
            }),
            rows(CONFUSING, width, |at, bytes, text| {
                format!("{at:04x}   {}   {}", spaced(bytes), text.trim_end())
            }),
            rows(CONFUSING, width, |at, bytes, text| {
                format!("{at:06x} {:<47}  >{text}<", spaced(bytes))
            }),
            rows(CONFUSING, width, |at, bytes, _| {
                format!("{at:07o} {}", spaced(bytes))
            }),
            rows(CONFUSING, width, |at, bytes, _| {
                format!("{at:04x}  {}", spaced(bytes))
            }),
        ] {
            assert_eq!(decode(dump.as_bytes()), Ok(CONFUSING.to_vec()), "{dump}");
        }
    }
}

#[test]
fn rows_that_repeat_are_filled_in() {
    let zeros = "00000000  30 40 00 01 61 00 00 00  00 00 00 00 00 00 00 00  |0@..a...........|\n\
        00000010  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|\n*\n\
        00000040  00 00                                             |..|\n00000042\n";
    let decoded = decode(zeros.as_bytes()).unwrap();
    assert_eq!(
        (decoded.len(), decoded.first_chunk()),
        (0x42, Some(&[0x30, 0x40, 0x00, 0x01]))
    );
    let endless = "00000000  00 00  |..|\n*\nffffffff\n";
    assert!(
        decode(endless.as_bytes())
            .unwrap_err()
            .contains("larger than")
    );
}

#[test]
fn the_headers_of_a_captured_frame_are_left_out() {
    let ip = "22:15:34.193 IP 127.0.0.1.40000 > 127.0.0.1.1883: Flags [P.], length 6\n\
        \t0x0000:  4500 003a 0001 4000 4006 0000 7f00 0001  E..:..@.@.......\n\
        \t0x0010:  7f00 0001 9c40 075b 0000 0001 0000 0001  .....@.[........\n\
        \t0x0020:  8018 0200 0000 0000 0101 080a 0000 0000  ................\n\
        \t0x0030:  0000 0000 3004 0001 6100                 ....0...a.\n";
    assert_eq!(decode(ip.as_bytes()), Ok(PACKET.to_vec()));
    assert_eq!(decode(ip.repeat(2).as_bytes()), Ok(PACKET.repeat(2)));

    let bare = ip
        .lines()
        .skip(1)
        .flat_map(|row| row.get(10..49))
        .collect::<String>();
    let packet = decode(bare.as_bytes()).unwrap();
    // Ethernet, with a VLAN tag, Linux "any" in both versions, BSD loopback.
    for link in [
        "0001020304050607080900010800",
        "000102030405060708090001810000050800",
        "00000001000600112233445500000800",
        "0800000000000001000104060011223344550000",
        "02000000",
    ] {
        let mut frame = hex::decode(link.as_bytes()).unwrap();
        frame.extend(&packet);
        // Ethernet fills short frames up.
        frame.extend([0; 6]);
        let dump = rows(&frame, 16, |at, bytes, _| {
            format!("{at:04x}  {}", spaced(bytes))
        });
        assert_eq!(decode(dump.as_bytes()), Ok(PACKET.to_vec()), "{dump}");
    }

    let acknowledgement = rows(&packet[..52], 16, |at, bytes, _| {
        format!("{at:04x}  {}", spaced(bytes))
    });
    assert!(
        decode(acknowledgement.as_bytes())
            .unwrap_err()
            .contains("no segment carries data")
    );
}

#[test]
fn a_fault_is_named_with_its_position() {
    for (text, words) in [
        ("30 0g", "'g' at position 5 ("),
        ("30\n0g", "line 2: 'g' at position 2 ("),
        (
            "30\n300",
            "line 2: \"300\" has 3 digits, and a byte has two",
        ),
        ("\u{661}", "at position 1 ("),
        ("char p[] = {\n0x30,\n0xzz };", "line 3: 'z' at position 3"),
        ("0000: 30 0g\n", "line 1 of the dump: 'g' at position"),
        ("0000000 0430 0100 0061\n0000006\n", "hexdump -C"),
    ] {
        let fault = decode(text.as_bytes()).unwrap_err();
        assert!(fault.contains(words), "{fault}");
    }
}

#[test]
fn binary_input_and_capture_files_are_recognised() {
    for binary in [&PACKET[..], b"\xc0\0", b"0\x05\0\x03a/b", b"\xff\xfe3\0"] {
        assert!(decode(binary).unwrap_err().contains("--raw"), "{binary:?}");
    }
    assert!(decode(b"MAQAAWEA\n").unwrap_err().contains("--base64"));
    for magic in CAPTURES {
        assert!(
            decode(&magic).unwrap_err().contains("capture file"),
            "{magic:?}"
        );
    }
}
