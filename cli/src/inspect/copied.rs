//! Hex as people copy it: with colons, commas, `0x` and `\x`, as a C array, and as the dumps of
//! xxd, hexdump, tcpdump and Wireshark.

use super::hex;

/// The bytes of copied text.
///
/// # Errors
/// A sentence about the first character that can't be understood, with its place.
pub(super) fn decode(text: &[u8]) -> Result<Vec<u8>, String> {
    let text = str::from_utf8(text)
        .ok()
        .filter(|text| !text.contains('\0'))
        .ok_or_else(|| binary(text))?;
    let mut blocks: Vec<Vec<u8>> = vec![Vec::new()];
    let mut is_dump = false;
    // Of a C array only what is in the braces counts.
    let text = match (text.find('{'), text.rfind('}')) {
        (Some(from), Some(to)) if from < to => text.get(from + 1..to).unwrap_or(text),
        _ => text,
    };
    for (number, line) in (1..).zip(text.lines()) {
        let so_far = blocks.last().map_or(0, Vec::len);
        let (offset, digits) = match dump_line(line, so_far) {
            Some((offset, digits)) => (Some(offset), digits),
            None if is_about_packets(line) => continue,
            None => (None, line),
        };
        is_dump |= offset.is_some();
        // An offset of 0 begins the next packet of a dump.
        if offset == Some(0) && so_far > 0 {
            blocks.push(Vec::new());
        }
        let bytes = tokens(digits, number)?;
        if let Some(block) = blocks.last_mut() {
            block.extend(bytes);
        }
    }
    if is_dump {
        return Ok(blocks
            .iter()
            .flat_map(|block| tcp_payload(block))
            .copied()
            .collect());
    }
    Ok(blocks.concat())
}

/// Offset and digits of a line of a dump; `None` if it is none. `so_far` is the number of bytes
/// before it.
fn dump_line(line: &str, so_far: usize) -> Option<(usize, &str)> {
    let line = line.trim();
    let end = line.find([' ', ':', '\t']).unwrap_or(line.len());
    let (head, rest) = line.split_at_checked(end)?;
    let head = head.strip_prefix("0x").unwrap_or(head);
    if !(4..=8).contains(&head.len()) {
        return None;
    }
    let offset = usize::from_str_radix(head, 16).ok()?;
    // xxd and tcpdump: "00000000: 3004 0001  0..."
    if let Some(rest) = rest
        .strip_prefix(':')
        .filter(|rest| rest.starts_with([' ', '\t']))
    {
        let rest = rest.trim_start();
        return Some((offset, rest.split("  ").next().unwrap_or(rest)));
    }
    // hexdump and Wireshark: "0000   30 04 00 01   0..."; data may look like it, except for the
    // number.
    let is_offset = offset == so_far || offset == 0;
    if !is_offset || !(rest.starts_with("  ") || (rest.is_empty() && offset > 0)) {
        return None;
    }
    let rest = rest.trim_start();
    let digits = match rest.find('|') {
        Some(at) => rest.get(..at).unwrap_or(rest),
        None => rest.split("   ").next().unwrap_or(rest),
    };
    Some((offset, digits))
}

/// Headings that tcpdump prints between its dumps.
fn is_about_packets(line: &str) -> bool {
    (line.contains(" IP ") || line.contains(" IP6 ")) && line.contains(" > ")
}

/// The bytes of one line, without what people and programs put between them.
fn tokens(line: &str, number: usize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(line.len() / 2);
    let spaced = line.replace("\\x", " 0x");
    let is_between = |c: char| c.is_whitespace() || ",;:-{}[]()\"'`".contains(c);
    for token in spaced.split(is_between).filter(|token| !token.is_empty()) {
        let digits = token
            .strip_prefix("0x")
            .or_else(|| token.strip_prefix("0X"));
        let (digits, is_number) = (digits.unwrap_or(token), digits.is_some());
        if let Some(wrong) = digits.chars().find(|c| !c.is_ascii_hexdigit()) {
            let at = line.chars().position(|c| c == wrong).map_or(0, |at| at + 1);
            return Err(format!(
                "the input is not hexadecimal: {wrong:?} at position {at} of line {number} (accepted: hex digits with spaces, \
                 \":\", \",\", \"0x\" or \"\\x\", and dumps of xxd, hexdump -C, tcpdump -x and Wireshark)"
            ));
        }
        match digits.len() {
            1 if is_number => {
                bytes.extend(hex::decode(format!("0{digits}").as_bytes()).unwrap_or_default());
            }
            len if len % 2 == 1 => {
                return Err(format!(
                    "the input has {len} hex digits in a row at line {number} ({}); a byte has two",
                    digits.get(..20).unwrap_or(digits)
                ));
            }
            _ => bytes.extend(hex::decode(digits.as_bytes()).unwrap_or_default()),
        }
    }
    Ok(bytes)
}

/// What is behind the headers of Ethernet, IPv4 or IPv6, and TCP. Anything else is taken as it is:
/// no MQTT packet begins with the bytes that an IP header begins with.
fn tcp_payload(dump: &[u8]) -> &[u8] {
    let ip = match dump {
        [_, _, _, _, _, _, _, _, _, _, _, _, 0x08, 0x00, ip @ ..] if ip.first() == Some(&0x45) => {
            ip
        }
        [_, _, _, _, _, _, _, _, _, _, _, _, 0x86, 0xdd, ip @ ..] => ip,
        ip => ip,
    };
    let tcp = match ip {
        [0x45, _, high, low, _, _, _, _, _, 6, ..] => {
            let len = usize::from(u16::from_be_bytes([*high, *low]));
            ip.get(20..len.min(ip.len()))
        }
        [first, _, _, _, _, _, 6, ..] if first >> 4 == 6 && ip.len() >= 60 => ip.get(40..),
        _ => None,
    };
    let Some(tcp) = tcp else { return dump };
    let header = tcp.get(12).map_or(0, |offset| usize::from(offset >> 4) * 4);
    tcp.get(header..).unwrap_or_default()
}

/// What bytes that are no text may be.
fn binary(bytes: &[u8]) -> String {
    if CAPTURES.iter().any(|magic| bytes.starts_with(magic)) {
        return "this is a capture file (pcap); get the bytes out of it with: tshark -r FILE -Y mqtt -T fields -e tcp.payload"
            .to_owned();
    }
    "this is no text: if it is the packets' bytes themselves, use --raw".to_owned()
}

/// First bytes of pcap, in both orders and resolutions, and of pcapng.
const CAPTURES: [[u8; 4]; 5] = [
    [0xd4, 0xc3, 0xb2, 0xa1],
    [0xa1, 0xb2, 0xc3, 0xd4],
    [0x4d, 0x3c, 0xb2, 0xa1],
    [0xa1, 0xb2, 0x3c, 0x4d],
    [0x0a, 0x0d, 0x0d, 0x0a],
];

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: [u8; 6] = [0x30, 0x04, 0x00, 0x01, 0x61, 0x00];

    #[test]
    fn hex_is_read_as_people_copy_it() {
        for text in [
            "300400016100",
            "30 04 00 01 61 00",
            "30:04:00:01:61:00",
            "30-04-00-01-61-00",
            "3004:0001:6100",
            "30, 04, 00, 01, 61, 00",
            "0x30 0x04 0x00 0x01 0x61 0x00",
            "0x300400016100",
            "0x30, 0x4, 0x0, 0x1, 0x61, 0x0",
            r"\x30\x04\x00\x01\x61\x00",
            r#""\x30\x04\x00\x01" "\x61\x00""#,
            "const unsigned char packet[6] = {\n  0x30, 0x04, 0x00,\n  0x01, 0x61, 0x00\n};\n",
            "[0x30, 0x04, 0x00, 0x01, 0x61, 0x00]",
            // xxd
            "00000000: 3004 0001 6100                           0...a.\n",
            // hexdump -C
            "00000000  30 04 00 01 61 00                                 |0...a.|\n00000006\n",
            // Wireshark
            "0000   30 04 00 01 61 00                                 0...a.\n",
        ] {
            assert_eq!(decode(text.as_bytes()), Ok(PACKET.to_vec()), "{text}");
        }
    }

    #[test]
    fn a_long_dump_is_put_together() {
        let bytes: Vec<u8> = (0..40).collect();
        let mut xxd = String::new();
        let mut hexdump = String::new();
        for (n, row) in bytes.chunks(16).enumerate() {
            let words: Vec<String> = row
                .chunks(2)
                .map(|two| two.iter().map(|b| format!("{b:02x}")).collect())
                .collect();
            xxd += &format!("{:08x}: {:<39}  ........\n", n * 16, words.join(" "));
            let halves: Vec<String> = row
                .chunks(8)
                .map(|half| {
                    half.iter()
                        .map(|b| format!("{b:02x}"))
                        .collect::<Vec<_>>()
                        .join(" ")
                })
                .collect();
            hexdump += &format!("{:08x}  {:<48}  |........|\n", n * 16, halves.join("  "));
        }
        hexdump += "00000028\n";
        assert_eq!(decode(xxd.as_bytes()), Ok(bytes.clone()));
        assert_eq!(decode(hexdump.as_bytes()), Ok(bytes));
    }

    #[test]
    fn the_headers_of_a_tcpdump_are_left_out() {
        let dump = "22:15:34.193 IP 127.0.0.1.40000 > 127.0.0.1.1883: Flags [P.], length 6\n\
            \t0x0000:  4500 003a 0001 4000 4006 0000 7f00 0001  E..:..@.@.......\n\
            \t0x0010:  7f00 0001 9c40 075b 0000 0001 0000 0001  .....@.[........\n\
            \t0x0020:  8018 0200 0000 0000 0101 080a 0000 0000  ................\n\
            \t0x0030:  0000 0000 3004 0001 6100                 ....0...a.\n";
        assert_eq!(decode(dump.as_bytes()), Ok(PACKET.to_vec()));
        assert_eq!(decode(dump.repeat(2).as_bytes()), Ok(PACKET.repeat(2)));
    }

    #[test]
    fn what_is_not_hex_is_named_with_its_place() {
        for (text, words) in [
            ("30 0g", "'g' at position 5 of line 1"),
            ("30\n300", "3 hex digits in a row at line 2"),
            ("\u{661}", "at position 1 of line 1"),
        ] {
            let fault = decode(text.as_bytes()).unwrap_err();
            assert!(fault.contains(words), "{fault}");
        }
        assert!(
            decode(&[0x30, 0x04, 0x00, 0x01, 0x61, 0x00])
                .unwrap_err()
                .contains("--raw")
        );
        assert!(
            decode(&[0x0a, 0x0d, 0x0d, 0x0a, 0xff])
                .unwrap_err()
                .contains("pcap")
        );
    }
}
