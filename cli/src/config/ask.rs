//! `ask`: a secret typed on the terminal, which doesn't show it.

use std::io;

use dunlin_client::secret::Secret;

/// Prints `question` on the terminal of the process and reads one line of at most `largest` bytes,
/// without its end.
///
/// # Errors
/// The process has no terminal, or the system lets no program hide what is typed.
#[cfg(unix)]
pub(super) fn ask(question: &str, largest: usize) -> io::Result<Secret<Vec<u8>>> {
    use std::fs::File;
    use std::io::{Read, Write};

    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

    // Not standard input, which may be a pipe with the messages.
    let mut terminal = File::options().read(true).write(true).open("/dev/tty")?;
    let shown = tcgetattr(&terminal)?;
    let mut hidden = shown.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    // The line is hidden before the question is printed, and what was typed before it is dropped.
    tcsetattr(&terminal, OptionalActions::Flush, &hidden)?;

    // Allocated at full size: a buffer that grows would leave copies of the secret in memory.
    let mut line = Vec::with_capacity(largest + 1);
    let read = (|| {
        terminal.write_all(question.as_bytes())?;
        let mut byte = [0];
        while line.len() <= largest && terminal.read(&mut byte)? == 1 && byte != *b"\n" {
            line.push(byte[0]);
        }
        // The line end that was typed isn't shown either.
        terminal.write_all(b"\n")
    })();
    tcsetattr(&terminal, OptionalActions::Now, &shown)?;
    read.map(|()| Secret::from(line))
}

/// See the function for Unix.
#[cfg(not(unix))]
pub(super) fn ask(_: &str, _: usize) -> io::Result<Secret<Vec<u8>>> {
    Err(io::ErrorKind::Unsupported.into())
}
