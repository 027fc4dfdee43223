//! Payload of a captured frame, after the headers of Ethernet, IP and TCP.

/// TCP payload of a frame or an IP packet; bytes without an IP header are returned as they are.
///
/// MQTT packets and IP headers can't be confused: a packet's first byte is never 0x45 to 0x4F, nor
/// 0x61 to 0x6F but for PUBREL (0x62), whose second byte is too small for an IPv6 header.
pub(super) fn payload(frame: &[u8]) -> &[u8] {
    ip_packet(frame)
        .and_then(tcp_segment)
        .map_or(frame, tcp_data)
}

/// IP packet in a frame of Ethernet (with or without VLAN tag), of Linux "any" captures or of BSD
/// loopback.
fn ip_packet(frame: &[u8]) -> Option<&[u8]> {
    const IPV4: [u8; 2] = [0x08, 0x00];
    const IPV6: [u8; 2] = [0x86, 0xdd];
    // Length of the link header, and position of the protocol in it.
    for (len, at) in [(14, 12), (18, 16), (16, 14), (20, 0)] {
        let protocol = frame.get(at..at + 2);
        if protocol == Some(&IPV4) || protocol == Some(&IPV6) {
            return frame.get(len..);
        }
    }
    match frame {
        [2, 0, 0, 0, ip @ ..] | [24 | 28 | 30, 0, 0, 0, ip @ ..] => Some(ip),
        _ => Some(frame),
    }
}

/// TCP segment of an IPv4 or IPv6 packet, without the padding of short Ethernet frames.
fn tcp_segment(ip: &[u8]) -> Option<&[u8]> {
    const TCP: u8 = 6;
    match ip {
        [first @ 0x45..=0x4f, _, high, low, _, _, _, _, _, TCP, ..] => {
            let header_len = usize::from(first & 0x0f) * 4;
            let len = usize::from(u16::from_be_bytes([*high, *low]));
            ip.get(header_len..len.min(ip.len()))
        }
        [0x60..=0x6f, _, _, _, high, low, TCP, ..] if ip.len() >= 60 => {
            let len = usize::from(u16::from_be_bytes([*high, *low]));
            ip.get(40..(40 + len).min(ip.len()))
        }
        _ => None,
    }
}

/// Data after the header of a TCP segment.
fn tcp_data(tcp: &[u8]) -> &[u8] {
    let header_len = tcp.get(12).map_or(0, |offset| usize::from(offset >> 4) * 4);
    tcp.get(header_len..).unwrap_or_default()
}
