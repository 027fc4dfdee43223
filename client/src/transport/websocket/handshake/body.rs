//! Body of a refusal, which may explain it.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::answer::BodyLength;

/// Reads the beginning of a body of which `received` is there. An explanation isn't worth a long
/// wait, and an error while it is read is none of its own.
pub(super) async fn read_body<S: AsyncRead + Unpin>(
    stream: &mut S,
    mut received: Vec<u8>,
    length: BodyLength,
) -> String {
    let reading = async {
        loop {
            let is_complete = match length {
                BodyLength::Bytes(len) => received.len() >= len.min(LONGEST_BODY),
                BodyLength::Chunked => received.len() >= 2 * LONGEST_BODY || dechunked(&received).1,
                BodyLength::UntilClose => received.len() >= LONGEST_BODY,
            };
            if is_complete || !matches!(stream.read_buf(&mut received).await, Ok(1..)) {
                return;
            }
        }
    };
    let _: Result<(), _> = tokio::time::timeout(BODY_WITHIN, reading).await;

    if length == BodyLength::Chunked {
        received = dechunked(&received).0;
    }
    if let BodyLength::Bytes(len) = length {
        received.truncate(len);
    }
    received.truncate(LONGEST_BODY);
    String::from_utf8_lossy(&received).into_owned()
}

/// Content of the chunks that are there, and whether they are all (RFC 9112, section 7.1).
fn dechunked(mut bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut content = Vec::new();
    while let Ok(httparse::Status::Complete((head, size))) = httparse::parse_chunk_size(bytes) {
        if size == 0 {
            return (content, true);
        }
        let rest = bytes.get(head..).unwrap_or_default();
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        content.extend_from_slice(rest.get(..size.min(rest.len())).unwrap_or_default());
        // The line end after the chunk.
        bytes = rest.get(size.saturating_add(2)..).unwrap_or_default();
    }
    (content, false)
}

/// Longest beginning of a body that is kept, in bytes.
pub(super) const LONGEST_BODY: usize = 1_024;
/// Longest wait for the body of a refusal.
const BODY_WITHIN: Duration = Duration::from_secs(1);
