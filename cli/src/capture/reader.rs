//! Frames of a capture file: pcap and pcapng, in either byte order.

use std::fmt;
use std::io::{self, Read};
use std::time::Duration;

use pcap_parser::traits::PcapNGPacketBlock as _;
use pcap_parser::{Block, Linktype, PcapBlockOwned, PcapError, create_reader};

/// Frame of a capture file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    /// Time since 1970-01-01 in UTC; zero if the file has none.
    pub(super) at: Duration,
    /// Type of the header that the frame begins with.
    pub(super) linktype: Linktype,
    pub(super) bytes: &'a [u8],
}

/// Fault that ends the reading of a capture file.
#[derive(Debug)]
pub(crate) enum CaptureFault {
    /// The file can't be read.
    Io,
    /// The file ends inside a block.
    CutOff,
    /// A block has more bytes than [`LARGEST_BLOCK`].
    TooLarge,
    /// Bytes that are no block.
    Malformed,
}

impl fmt::Display for CaptureFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Io => "the file can't be read",
            Self::CutOff => "the file ends inside a packet",
            Self::TooLarge => "a block of the file is larger than 16 MiB",
            Self::Malformed => "the file is damaged: what follows is no block of a capture",
        })
    }
}

/// Reads all frames of a file, up to its end or to its first fault. Memory: 64 KiB, or the largest
/// block.
///
/// # Errors
/// The fault; the frames before it were passed to `each`.
pub(super) fn read<'r>(
    input: impl Read + Send + 'r,
    mut each: impl FnMut(Frame<'_>) -> io::Result<()>,
) -> Result<io::Result<()>, CaptureFault> {
    let mut reader = create_reader(BUFFER, FullReads(input)).map_err(|error| fault_of(&error))?;
    let mut capacity = BUFFER;
    let mut interfaces = Interfaces::default();
    loop {
        // Each turn handles one block, or makes the buffer hold more.
        let buffered = reader.data().len();
        let wants_more = match reader.next() {
            Ok((len, block)) => {
                if let Some(frame) = interfaces.frame(&block)
                    && let Err(error) = each(frame)
                {
                    return Ok(Err(error));
                }
                reader.consume(len);
                continue;
            }
            Err(PcapError::Eof) => return Ok(Ok(())),
            Err(PcapError::Incomplete(_)) => false,
            Err(PcapError::BufferTooSmall) => true,
            Err(error) => return Err(fault_of(&error)),
        };
        if wants_more {
            if capacity >= LARGEST_BLOCK {
                return Err(CaptureFault::TooLarge);
            }
            capacity *= 2;
            reader.grow(capacity);
        }
        reader.refill().map_err(|_| CaptureFault::Io)?;
        // Nothing came, and the reader still doesn't say that the file is over.
        if !wants_more && reader.data().len() == buffered && !reader.reader_exhausted() {
            return Err(CaptureFault::Malformed);
        }
    }
}

fn fault_of<I>(error: &PcapError<I>) -> CaptureFault {
    match error {
        PcapError::ReadError => CaptureFault::Io,
        PcapError::Eof | PcapError::UnexpectedEof | PcapError::Incomplete(_) => {
            CaptureFault::CutOff
        }
        _ => CaptureFault::Malformed,
    }
}

/// Interfaces of the current section, which say how frames and times are to be read.
#[derive(Default)]
struct Interfaces(Vec<Interface>);

#[derive(Clone, Copy)]
struct Interface {
    linktype: Linktype,
    /// Units of time in a second.
    resolution: u64,
    /// Seconds to add to each time.
    offset: u64,
}

impl Interfaces {
    /// Frame of a block; `None` for blocks without one.
    fn frame<'a>(&mut self, block: &'a PcapBlockOwned<'_>) -> Option<Frame<'a>> {
        match block {
            PcapBlockOwned::LegacyHeader(header) => {
                let is_nano = header.is_nanosecond_precision();
                self.0 = vec![Interface {
                    linktype: header.network,
                    resolution: if is_nano { 1_000_000_000 } else { 1_000_000 },
                    offset: 0,
                }];
                None
            }
            PcapBlockOwned::Legacy(frame) => {
                let interface = self.0.first()?;
                let captured = usize::try_from(frame.caplen).ok()?;
                Some(Frame {
                    at: Duration::from_secs(u64::from(frame.ts_sec))
                        .saturating_add(units(u64::from(frame.ts_usec), interface.resolution)),
                    linktype: interface.linktype,
                    bytes: frame.data.get(..captured).unwrap_or(frame.data),
                })
            }
            // A section has interfaces of its own.
            PcapBlockOwned::NG(Block::SectionHeader(_)) => {
                self.0.clear();
                None
            }
            PcapBlockOwned::NG(Block::InterfaceDescription(described)) => {
                if self.0.len() < MOST_INTERFACES {
                    self.0.push(Interface {
                        linktype: described.linktype,
                        resolution: resolution(described.if_tsresol),
                        offset: u64::try_from(described.if_tsoffset).unwrap_or(0),
                    });
                }
                None
            }
            PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                let interface = self.0.get(usize::try_from(packet.if_id).ok()?)?;
                let time = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                Some(Frame {
                    at: Duration::from_secs(interface.offset)
                        .saturating_add(units(time, interface.resolution)),
                    linktype: interface.linktype,
                    bytes: packet.packet_data(),
                })
            }
            PcapBlockOwned::NG(Block::SimplePacket(packet)) => Some(Frame {
                at: Duration::ZERO,
                linktype: self.0.first()?.linktype,
                bytes: packet.packet_data(),
            }),
            PcapBlockOwned::NG(_) => None,
        }
    }
}

/// Units of time in a second: a power of 10, or of 2 if the upper bit is set. Microseconds stand for
/// what no number of 64 bits holds.
fn resolution(option: u8) -> u64 {
    let exponent = u32::from(option & 0x7f);
    let base: u64 = if option & 0x80 == 0 { 10 } else { 2 };
    base.checked_pow(exponent).unwrap_or(1_000_000)
}

/// Time of this many units.
fn units(count: u64, resolution: u64) -> Duration {
    // A power is never 0.
    let resolution = resolution.max(1);
    let rest = u128::from(count % resolution) * 1_000_000_000 / u128::from(resolution);
    let nanoseconds = u64::try_from(rest).unwrap_or(0);
    Duration::from_secs(count / resolution).saturating_add(Duration::from_nanos(nanoseconds))
}

/// Reader that fills the buffer unless the input ends: the parser judges a file by its first read, and
/// a pipe may bring less at a time.
struct FullReads<R>(R);

impl<R: Read> Read for FullReads<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut len = 0;
        while let Some(rest) = buffer.get_mut(len..).filter(|rest| !rest.is_empty()) {
            match self.0.read(rest) {
                Ok(0) => break,
                Ok(read) => len += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(len)
    }
}

const BUFFER: usize = 64 * 1024;
/// Largest block that is read.
const LARGEST_BLOCK: usize = 16 << 20;
/// Number of interfaces of a section that are kept; frames of others are left out.
const MOST_INTERFACES: usize = 1024;
