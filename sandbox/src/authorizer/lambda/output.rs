//! Output of a Lambda as lines of the log: complete, up to a bound.

use std::sync::Arc;

/// Callback for one line of output of a Lambda.
pub(in crate::authorizer) type LambdaLog = Arc<dyn Fn(String) + Send + Sync>;

/// Splits the output of one call into lines.
///
/// A line is cut after 64 KiB. A call shows at most 256 KiB and 4,096 lines; a last line says if
/// there was more.
pub(super) struct OutputLog<'a> {
    log: &'a (dyn Fn(String) + Sync),
    /// The beginning of a line that hasn't ended.
    line: Vec<u8>,
    is_cut: bool,
    lines: usize,
    bytes: usize,
    is_full: bool,
}

impl<'a> OutputLog<'a> {
    pub(super) fn new(log: &'a (dyn Fn(String) + Sync)) -> Self {
        Self {
            log,
            line: Vec::new(),
            is_cut: false,
            lines: 0,
            bytes: 0,
            is_full: false,
        }
    }

    /// Logs the lines that end in `chunk`, and keeps the rest.
    pub(super) fn write(&mut self, chunk: &[u8]) {
        let mut lines = chunk.split(|byte| *byte == b'\n');
        // What stands before the first line feed goes on with the line that was begun.
        if let Some(first) = lines.next() {
            self.extend(first);
        }
        for next in lines {
            self.end_line();
            self.extend(next);
        }
    }

    /// Logs a last line that has no line feed.
    pub(super) fn finish(&mut self) {
        if !self.line.is_empty() {
            self.end_line();
        }
    }

    fn extend(&mut self, bytes: &[u8]) {
        // The rest of a line that is too long is dropped; the line goes on until its line feed.
        let space = MAX_LINE.saturating_sub(self.line.len());
        let fits = bytes.get(..space).unwrap_or(bytes);
        self.is_cut |= fits.len() < bytes.len();
        self.line.extend_from_slice(fits);
    }

    fn end_line(&mut self) {
        // Lines count even if they aren't shown, so the bound covers the whole call.
        self.lines += 1;
        self.bytes += self.line.len();
        if self.lines <= MAX_LINES && self.bytes <= MAX_BYTES {
            let mut text = String::from_utf8_lossy(&self.line).trim_end().to_owned();
            if self.is_cut {
                text.push_str("..");
            }
            (self.log)(text);
        // Said once, in place of the first line that doesn't fit.
        } else if !self.is_full {
            self.is_full = true;
            (self.log)(format!(
                "(more than {MAX_LINES} lines or {} KiB; the rest is left out)",
                MAX_BYTES / 1024
            ));
        }
        self.line.clear();
        self.is_cut = false;
    }
}

const MAX_LINE: usize = 64 * 1024;
const MAX_BYTES: usize = 256 * 1024;
const MAX_LINES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    fn logged(chunks: &[&[u8]]) -> Vec<String> {
        let lines = Mutex::new(Vec::new());
        let log = |line| lines.lock().unwrap().push(line);
        let mut output = OutputLog::new(&log);
        for chunk in chunks {
            output.write(chunk);
        }
        output.finish();
        lines.into_inner().unwrap()
    }

    #[test]
    fn lines_are_split_at_line_feeds_however_the_bytes_arrive() {
        assert_eq!(
            // Chunks end in the middle of lines, and one is empty.
            logged(&[b"on", b"e\ntw", b"", b"o\n\nthree"]),
            ["one", "two", "", "three"]
        );
        assert_eq!(logged(&[b"\xFFa\r\n"]), ["\u{FFFD}a"]);
    }

    #[test]
    fn a_line_of_64_kib_is_whole_and_a_longer_one_says_that_it_is_cut() {
        let whole = "x".repeat(MAX_LINE);
        assert_eq!(logged(&[whole.as_bytes()]), [whole.as_str()]);
        let longer = "x".repeat(MAX_LINE + 1);
        assert_eq!(
            logged(&[longer.as_bytes(), b"\nb\n"]),
            [format!("{whole}..").as_str(), "b"]
        );
    }

    #[test]
    fn output_above_the_limit_of_a_call_is_reported_once() {
        let many = logged(&["a\n".repeat(5000).as_bytes()]);
        assert_eq!(many.len(), MAX_LINES + 1);
        let large = logged(&["x".repeat(1000).as_bytes(), b"\n"].repeat(300));
        assert_eq!(large.len(), 262 + 1);
        for log in [many, large] {
            assert_eq!(
                log.last().unwrap(),
                "(more than 4096 lines or 256 KiB; the rest is left out)"
            );
        }
    }
}
