//! Lines of standard input, read by a thread of their own.

use std::io::{self, BufRead, BufReader, Read};

use tokio::sync::mpsc::{self, Receiver};

use crate::diagnosis::Diagnosis;
use crate::payload::LONGEST_PAYLOAD;

/// Lines that were read together, or the fault that ended the reading.
pub(super) type Batch = io::Result<Vec<Vec<u8>>>;

/// Starts a thread that reads lines of bytes from standard input, and returns them as they come.
///
/// The thread reads one batch ahead, of 64 KiB or one line, so that an endless input takes no more
/// memory. It ends with the process.
pub(super) fn lines() -> Receiver<Batch> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut reader = BufReader::with_capacity(BATCH, io::stdin().lock());
        loop {
            let batch = next_batch(&mut reader);
            let is_last = !matches!(&batch, Ok(lines) if !lines.is_empty());
            // At the end of the input the channel is closed; a fault is passed on first.
            if matches!(&batch, Ok(lines) if lines.is_empty())
                || sender.blocking_send(batch).is_err()
                || is_last
            {
                return;
            }
        }
    });
    receiver
}

/// Reads one line, and those after it that are there already; empty at the end of the input.
fn next_batch<R: Read>(reader: &mut BufReader<R>) -> Batch {
    let (mut lines, mut bytes) = (Vec::new(), 0);
    while let Some(line) = next_line(reader)? {
        bytes += line.len();
        lines.push(line);
        if bytes >= BATCH || !reader.buffer().contains(&b'\n') {
            break;
        }
    }
    Ok(lines)
}

/// Reads one line without its line break; `None` at the end of the input.
///
/// The line break is `\n`, on Windows `\r\n` as well: elsewhere a `\r` belongs to the payload, as
/// with mosquitto_pub.
fn next_line(reader: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let read = reader
        .by_ref()
        .take(LONGEST_PAYLOAD + 2)
        .read_until(b'\n', &mut line)?;
    if read == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        if cfg!(windows) && line.last() == Some(&b'\r') {
            line.pop();
        }
    }
    if line.len() as u64 > LONGEST_PAYLOAD {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "a line of standard input is longer than MQTT can carry",
        ));
    }
    Ok(Some(line))
}

/// Error for a line of standard input that is no message.
pub(super) fn wrong_line(number: u64, fault: &str, sent: u64) -> Diagnosis {
    Diagnosis {
        saw: Some(format!("{sent} message(s) were sent before it")),
        ..Diagnosis::usage(format!("line {number} of standard input: {fault}"))
    }
}

/// Size of a batch in bytes, unless one line is longer.
const BATCH: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_break_ends_a_line_and_the_last_one_may_be_missing() {
        let mut reader = BufReader::new(&b"one\r\n\ntwo\rthree\n\xff"[..]);
        let lines = next_batch(&mut reader).unwrap();
        // Bytes are sent as they are given; on Windows a line break is two bytes.
        let one: &[u8] = if cfg!(windows) { b"one" } else { b"one\r" };
        assert_eq!(lines, [one, b"", b"two\rthree"]);
        assert_eq!(next_batch(&mut reader).unwrap(), [b"\xff"]);
        assert_eq!(next_batch(&mut reader).unwrap(), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn a_batch_ends_with_what_was_read_so_that_a_slow_input_is_not_waited_for() {
        let mut reader = BufReader::with_capacity(8, &b"a\nb\nlonger than eight\n"[..]);
        assert_eq!(next_batch(&mut reader).unwrap(), [b"a", b"b"]);
    }
}
