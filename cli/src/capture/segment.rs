//! `Segment`: the TCP segment in a frame, whatever stands before it.

use std::net::{IpAddr, SocketAddr};

use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, TransportSlice};
use pcap_parser::Linktype;

/// TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment<'a> {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    /// Sequence number of the first byte of `data`, or of SYN.
    pub(super) sequence: u32,
    /// Sequence number up to which the sender has received all; `None` without ACK.
    pub(super) acknowledged: Option<u32>,
    pub(super) is_syn: bool,
    pub(super) is_fin: bool,
    pub(super) is_reset: bool,
    pub(super) data: &'a [u8],
}

impl<'a> Segment<'a> {
    /// Reads a frame: Ethernet (with VLAN tags), Linux cooked, loopback, or IP alone. `None` for
    /// everything but TCP over IP, and for fragments of IP.
    pub(super) fn read(linktype: Linktype, frame: &'a [u8]) -> Option<Self> {
        let packet = match linktype {
            Linktype::ETHERNET => LaxSlicedPacket::from_ethernet(frame).ok()?,
            // Four bytes of the address family, whose numbers differ among systems.
            Linktype::NULL | Linktype::LOOP => LaxSlicedPacket::from_ip(frame.get(4..)?).ok()?,
            Linktype::RAW | Linktype::IPV4 | Linktype::IPV6 | BSD_RAW | OPENBSD_RAW => {
                LaxSlicedPacket::from_ip(frame).ok()?
            }
            // The protocol stands at the end of the first version's header, and at the start of the
            // second one's.
            Linktype::LINUX_SLL => by_ether_type(frame.get(14..16)?, frame.get(16..)?)?,
            Linktype::LINUX_SLL2 => by_ether_type(frame.get(..2)?, frame.get(20..)?)?,
            _ => return None,
        };
        let (source, destination) = match packet.net.as_ref()? {
            LaxNetSlice::Ipv4(ip) => {
                let header = ip.header();
                (
                    IpAddr::V4(header.source_addr()),
                    IpAddr::V4(header.destination_addr()),
                )
            }
            LaxNetSlice::Ipv6(ip) => {
                let header = ip.header();
                (
                    IpAddr::V6(header.source_addr()),
                    IpAddr::V6(header.destination_addr()),
                )
            }
            LaxNetSlice::Arp(_) => return None,
        };
        let Some(TransportSlice::Tcp(tcp)) = packet.transport else {
            return None;
        };
        Some(Self {
            from: SocketAddr::new(source, tcp.source_port()),
            to: SocketAddr::new(destination, tcp.destination_port()),
            sequence: tcp.sequence_number(),
            acknowledged: tcp.ack().then(|| tcp.acknowledgment_number()),
            is_syn: tcp.syn(),
            is_fin: tcp.fin(),
            is_reset: tcp.rst(),
            data: tcp.payload(),
        })
    }
}

/// Packet after a header of Linux cooked captures, with the number of its protocol.
fn by_ether_type<'a>(protocol: &[u8], rest: &'a [u8]) -> Option<LaxSlicedPacket<'a>> {
    let number = u16::from_be_bytes(protocol.try_into().ok()?);
    Some(LaxSlicedPacket::from_ether_type(EtherType(number), rest))
}

/// Numbers of IP without a header before it in files of BSD systems.
const BSD_RAW: Linktype = Linktype(12);
const OPENBSD_RAW: Linktype = Linktype(14);

#[cfg(test)]
mod tests {
    use etherparse::PacketBuilder;

    use super::*;

    const CLIENT: [u8; 4] = [10, 0, 0, 1];
    const SERVER: [u8; 4] = [10, 0, 0, 2];

    /// IPv4 packet with four bytes of TCP data.
    fn ipv4() -> Vec<u8> {
        let builder = PacketBuilder::ipv4(CLIENT, SERVER, 64).tcp(50_000, 1883, 7, 1000);
        let mut packet = Vec::new();
        builder.ack(3).write_to_vec(&mut packet, b"data").unwrap();
        packet
    }

    fn check(linktype: Linktype, frame: &[u8]) {
        let segment = Segment::read(linktype, frame).unwrap();
        assert_eq!(segment.from, "10.0.0.1:50000".parse().unwrap());
        assert_eq!(segment.to, "10.0.0.2:1883".parse().unwrap());
        assert_eq!((segment.sequence, segment.acknowledged), (7, Some(3)));
        assert_eq!(segment.data, b"data", "{linktype}");
    }

    #[test]
    fn a_segment_is_found_behind_each_header() {
        let ip = ipv4();
        let after = |header: &[u8]| [header, &ip].concat();
        check(Linktype::RAW, &ip);
        check(Linktype::IPV4, &ip);
        check(Linktype::NULL, &after(&[2, 0, 0, 0]));
        check(Linktype::LOOP, &after(&[0, 0, 0, 2]));
        // Ethernet fills short frames up.
        let mut ethernet = after(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x08, 0x00]);
        ethernet.extend([0; 6]);
        check(Linktype::ETHERNET, &ethernet);
        let vlan = [
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x81, 0x00, 0, 9, 0x08, 0,
        ];
        check(Linktype::ETHERNET, &after(&vlan));
        let cooked = [0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0x08, 0x00];
        check(Linktype::LINUX_SLL, &after(&cooked));
        let cooked = [
            0x08, 0x00, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0,
        ];
        check(Linktype::LINUX_SLL2, &after(&cooked));
    }

    #[test]
    fn ipv6_is_read_and_other_protocols_are_not() {
        let builder = PacketBuilder::ipv6([1; 16], [2; 16], 64);
        let mut packet = Vec::new();
        let tcp = builder.tcp(1, 1883, 0, 0);
        tcp.write_to_vec(&mut packet, b"six").unwrap();
        let segment = Segment::read(Linktype::RAW, &packet).unwrap();
        assert_eq!((segment.data, segment.acknowledged), (&b"six"[..], None));

        let mut udp = Vec::new();
        let builder = PacketBuilder::ipv4(CLIENT, SERVER, 64).udp(1, 1883);
        builder.write_to_vec(&mut udp, b"data").unwrap();
        assert_eq!(Segment::read(Linktype::RAW, &udp), None);
    }

    #[test]
    fn no_cut_or_changed_frame_makes_it_panic() {
        let ip = ipv4();
        for linktype in [0, 1, 12, 101, 108, 113, 228, 229, 276].map(Linktype) {
            for len in 0..ip.len() {
                let _ = Segment::read(linktype, &ip[..len]);
            }
            for at in 0..ip.len() {
                for byte in [0x00, 0x0f, 0x45, 0x60, 0x7f, 0xff] {
                    let mut changed = ip.clone();
                    changed[at] = byte;
                    let _ = Segment::read(linktype, &changed);
                }
            }
        }
    }
}
