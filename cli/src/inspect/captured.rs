//! `inspect decode` of a capture file: the packets of all its connections, in the order of the file.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::time::Duration;

use dunlin_client::Direction;

use super::conversation::{
    Conversation, ConversationLine, Finding, LineContent, LineForm, Protocol,
};
use crate::capture::{CaptureTotals, StreamEvent, StreamEventKind, read_connections};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::Console;

/// Printer of a capture.
struct Printer<'o, W> {
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
/// [`Failure::Local`] if standard output can't be written.
pub(super) fn print(
    input: impl Read + Send,
    name: &str,
    form: LineForm,
    console: Console,
    out: &mut impl Write,
) -> Result<Exit, Failure> {
    let mut printer = Printer {
        out,
        form,
        connections: HashMap::new(),
        totals: Totals::default(),
    };
    let read = read_connections(input, |event| printer.event(&event))?;
    let totals = printer.totals;
    out.flush()?;
    tell(console, &read, &totals, name);
    // As for packets that aren't in a capture: a breach is what was looked for.
    let is_clean = totals.breaches == 0 && read.fault.is_none();
    Ok(if is_clean { Exit::Done } else { Exit::Protocol })
}

impl<W: Write> Printer<'_, W> {
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
                Finding::Protocol(_) | Finding::Rest(..) => {}
                Finding::NoPacket(_, bytes) => unread += bytes.len() as u64,
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

/// Tells on standard error what the lines don't: totals, segments that were repeated, TLS, and a fault
/// of the file.
fn tell(console: Console, read: &CaptureTotals, totals: &Totals, name: &str) {
    console.note(format_args!(
        "{} packets on {} connections; {} frames, {} of TCP",
        totals.packets, totals.connections, read.frames, read.segments
    ));
    if read.repeated + read.reordered > 0 {
        console.note(format_args!(
            "{} segments were repeated and {} came early; they were put in order",
            read.repeated, read.reordered
        ));
    }
    if totals.unread > 0 {
        console.note(format_args!(
            "{} bytes of MQTT connections belong to no packet that could be found",
            totals.unread
        ));
    }
    if let Some(port) = totals.tls_port {
        let file = crate::diagnosis::shell(name);
        console.note(format_args!(
            "{} connections are TLS. With the keys of --keylog or SSLKEYLOGFILE tshark decrypts them:\n\
             $ tshark -r {file} -o tls.keylog_file:keys.txt -d tls.port=={port},mqtt -Y mqtt",
            totals.tls
        ));
    }
    if let Some(fault) = &read.fault {
        console.warning(format_args!("{name}: {fault}"));
    }
}
