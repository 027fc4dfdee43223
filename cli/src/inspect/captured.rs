//! `inspect decode` of a capture file: the packets of all its connections, in the order of the file.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::time::Duration;

use dunlin_client::Direction;
use serde::Serialize;

use super::conversation::{
    Conversation, ConversationLine, Finding, LineContent, LineForm, Protocol,
};
use crate::capture::{CaptureTotals, StreamEvent, StreamEventKind, read_connections};
use crate::diagnosis::{Diagnosis, shell};
use crate::exit::Exit;
use crate::failure::Failure;

/// Printer of a capture.
struct CapturePrinter<'o, W> {
    out: &'o mut W,
    form: LineForm,
    /// Open connections by their number.
    connections: HashMap<u32, Connection>,
    totals: Totals,
}

/// Connection of a capture.
struct Connection {
    conversation: Conversation,
    client: String,
    server: String,
    server_port: u16,
    /// True once its first line was printed: connections without MQTT have none.
    is_shown: bool,
}

/// Counts for the last lines.
#[derive(Default)]
struct Totals {
    packets: u64,
    breaches: u64,
    /// Connections with MQTT.
    connections: u64,
    /// Connections with TLS, and the server's port of the first one.
    tls: u64,
    tls_port: Option<u16>,
    /// Bytes of MQTT connections that belong to no packet.
    unread: u64,
    missing: u64,
}

/// Prints the packets of a capture. `name` is that of the file, for the advice about TLS.
///
/// # Errors
/// [`Failure::Diagnosed`] for a damaged file, after the packets before the damage;
/// [`Failure::Local`] if standard output can't be written.
pub(super) fn print(
    input: impl Read + Send,
    name: &str,
    form: LineForm,
    out: &mut impl Write,
) -> Result<Exit, Failure> {
    let mut printer = CapturePrinter {
        out,
        form,
        connections: HashMap::new(),
        totals: Totals::default(),
    };
    let read = read_connections(input, |event| printer.event(&event))?;
    let totals = printer.totals;
    tell(&read, &totals, name, form.is_json, out)?;
    out.flush()?;
    match read.fault {
        Some(fault) => Err(Diagnosis::usage(format!("{name}: {fault}")).into()),
        // As for packets that aren't in a capture: a breach is what was looked for.
        None if totals.breaches > 0 => Ok(Exit::Protocol),
        None => Ok(Exit::Done),
    }
}

impl<W: Write> CapturePrinter<'_, W> {
    fn event(&mut self, event: &StreamEvent<'_>) -> io::Result<()> {
        let (number, at) = (event.connection, event.at);
        match event.kind {
            StreamEventKind::Opened {
                client,
                server,
                is_whole,
            } => {
                let conversation = match is_whole {
                    true => Conversation::new(),
                    false => Conversation::in_the_middle(),
                };
                let connection = Connection {
                    conversation,
                    client: client.to_string(),
                    server: server.to_string(),
                    server_port: server.port(),
                    is_shown: false,
                };
                self.connections.insert(number, connection);
                Ok(())
            }
            StreamEventKind::Data(direction, bytes) => self.data(number, direction, bytes, at),
            StreamEventKind::Gap(direction, len) => self.gap(number, direction, len, at),
            StreamEventKind::Closed => match self.connections.remove(&number) {
                Some(connection) if connection.is_shown => self.closed(number, &connection, at),
                _ => Ok(()),
            },
        }
    }

    fn data(
        &mut self,
        number: u32,
        direction: Direction,
        bytes: &[u8],
        at: Duration,
    ) -> io::Result<()> {
        let Self {
            out,
            form,
            connections,
            totals,
        } = self;
        let Some(connection) = connections.get_mut(&number) else {
            return Ok(());
        };
        // Lines are collected first: the connection is borrowed while it finds packets.
        let mut text = String::new();
        let mut unread = 0;
        let mut add = |content: LineContent<'_>| {
            let line = ConversationLine {
                at,
                connection: number,
                content,
            };
            text.push_str(&line.text(*form));
        };
        let mut packets = 0;
        connection
            .conversation
            .push(direction, bytes, at, &mut |finding| match finding {
                Finding::Packet(seen) => {
                    packets += 1;
                    totals.breaches += seen.breaches.len() as u64;
                    add(LineContent::Packet(&seen));
                }
                Finding::Protocol(protocol @ Protocol::Older(_)) => {
                    add(LineContent::Protocol(protocol));
                }
                Finding::Protocol(Protocol::Tls) => {
                    totals.tls += 1;
                    let port = connection.server_port;
                    totals.tls_port.get_or_insert(port);
                }
                Finding::Protocol(_) | Finding::Rest { .. } => {}
                Finding::NoPacket(bytes) => unread += bytes.len() as u64,
            });
        totals.packets += packets;

        // Port 1883 is MQTT's; elsewhere it takes a packet that begins like one.
        let is_mqtt = matches!(
            connection.conversation.protocol(),
            Protocol::Mqtt5 | Protocol::Older(_)
        );
        if !is_mqtt {
            return Ok(());
        }
        totals.unread += unread;
        if packets > 0 && !connection.is_shown {
            connection.is_shown = true;
            totals.connections += 1;
            let opened = ConversationLine {
                at,
                connection: number,
                content: LineContent::Opened {
                    client: &connection.client,
                    server: &connection.server,
                },
            };
            out.write_all(opened.text(*form).as_bytes())?;
        }
        out.write_all(text.as_bytes())
    }

    fn gap(&mut self, number: u32, direction: Direction, len: u32, at: Duration) -> io::Result<()> {
        let Some(connection) = self.connections.get_mut(&number) else {
            return Ok(());
        };
        connection.conversation.skip_gap(direction);
        if !connection.is_shown {
            return Ok(());
        }
        self.totals.missing += u64::from(len);
        let side = match direction {
            Direction::Sent => "client",
            Direction::Received => "server",
        };
        let note = format!("the capture lacks {len} bytes of the {side}");
        self.write(number, at, LineContent::Note(&note))
    }

    fn closed(&mut self, number: u32, connection: &Connection, at: Duration) -> io::Result<()> {
        // A packet that never became whole is told, as it has no line of its own.
        for (direction, side) in [(Direction::Sent, "client"), (Direction::Received, "server")] {
            let waiting = connection.conversation.waiting(direction);
            if waiting > 0 {
                let note =
                    format!("the last packet of the {side} is cut off after {waiting} bytes");
                self.write(number, at, LineContent::Note(&note))?;
            }
        }
        self.write(number, at, LineContent::Closed)
    }

    fn write(&mut self, number: u32, at: Duration, content: LineContent<'_>) -> io::Result<()> {
        let line = ConversationLine {
            at,
            connection: number,
            content,
        };
        self.out.write_all(line.text(self.form).as_bytes())
    }
}

/// Writes the last lines: totals, segments that were repeated, and what can't be read.
fn tell(
    read: &CaptureTotals,
    totals: &Totals,
    name: &str,
    is_json: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    if is_json {
        let line = SummaryJson {
            v: 1,
            event: "summary",
            connections: totals.connections,
            packets: totals.packets,
            breaches: totals.breaches,
            frames: read.frames,
            segments: read.segments,
            repeated: read.repeated,
            reordered: read.reordered,
            missing: totals.missing,
            unread: totals.unread,
            tls_connections: totals.tls,
        };
        return writeln!(out, "{}", serde_json::to_string(&line)?);
    }
    writeln!(
        out,
        "{} packets on {} connections, {} broken rules; {} frames, {} of TCP",
        totals.packets, totals.connections, totals.breaches, read.frames, read.segments
    )?;
    if read.repeated + read.reordered > 0 {
        writeln!(
            out,
            "{} segments were repeated and {} came early; they were put in order",
            read.repeated, read.reordered
        )?;
    }
    if totals.unread > 0 {
        writeln!(
            out,
            "{} bytes of MQTT connections belong to no packet that could be found",
            totals.unread
        )?;
    }
    if let Some(port) = totals.tls_port {
        let file = shell(name);
        writeln!(
            out,
            "{} connections are TLS. With the keys of --keylog or SSLKEYLOGFILE tshark decrypts them:\n\
             $ tshark -r {file} -o tls.keylog_file:keys.txt -d tls.port=={port},mqtt -Y mqtt",
            totals.tls
        )?;
    }
    Ok(())
}

/// Last line with `--json`.
#[derive(Serialize)]
struct SummaryJson {
    v: u8,
    event: &'static str,
    connections: u64,
    packets: u64,
    breaches: u64,
    frames: u64,
    segments: u64,
    repeated: u64,
    reordered: u64,
    missing: u64,
    unread: u64,
    tls_connections: u64,
}
