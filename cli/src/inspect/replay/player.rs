//! `Player`: sends the steps of a script to a server, and collects the answers.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use bytes::BytesMut;
use dunlin_client::transport::Transport;
use dunlin_codec::{Ack, DecodeOptions, Delivery, Packet, PacketBuf, ReasonCode, Sender};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf, split};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::comparison::ServerAnswer;
use super::script::{Action, ReplayScript, Step};
use crate::diagnosis::Diagnosis;
use crate::failure::Failure;
use crate::inspect::upstream::Upstream;

/// Run of a script.
pub(super) struct Player<'a> {
    script: &'a ReplayScript,
    upstream: &'a Upstream,
    is_fast: bool,
    /// Longest wait for an answer.
    patience: Duration,
    /// Write halves of open connections by their number in the capture.
    writers: HashMap<u32, WriteHalf<Transport>>,
    /// Number of connections whose end wasn't read yet.
    open: usize,
    /// Tasks that read; dropping the set ends them.
    readers: JoinSet<()>,
    received: mpsc::Receiver<(u32, ServerInput)>,
    /// Handle for the readers.
    sender: mpsc::Sender<(u32, ServerInput)>,
    played: Played,
    /// Answers of the capture that are no longer waited for.
    given_up: usize,
}

/// Outcome of a run.
#[derive(Debug, Default)]
pub(super) struct Played {
    /// Packets that were sent, without acknowledgements.
    pub(super) sent: u64,
    pub(super) answers: Vec<ServerAnswer>,
}

/// Item that a connection has received.
enum ServerInput {
    Packet(PacketBuf),
    /// The end of the connection, or bytes that are no packet.
    End,
}

impl<'a> Player<'a> {
    pub(super) fn new(
        script: &'a ReplayScript,
        upstream: &'a Upstream,
        is_fast: bool,
        patience: Duration,
    ) -> Self {
        // A server that sends faster than answers are handled waits.
        let (sender, received) = mpsc::channel(QUEUE);
        Self {
            script,
            upstream,
            is_fast,
            patience,
            writers: HashMap::new(),
            open: 0,
            readers: JoinSet::new(),
            received,
            sender,
            played: Played::default(),
            given_up: 0,
        }
    }

    /// Sends all steps, and waits for the answers.
    ///
    /// # Errors
    /// [`Failure::Diagnosed`] for a server that can't be reached.
    #[expect(
        clippy::disallowed_methods,
        reason = "the steps have the times of the capture"
    )]
    pub(super) async fn play(mut self) -> Result<Played, Failure> {
        let started = Instant::now();
        for step in &self.script.steps {
            // A step follows the answers that it followed in the capture.
            self.wait_for(step.after_answers).await;
            if !self.is_fast {
                // A time that no clock has, in a damaged file, is waited for like no time at all.
                self.wait_until(started.checked_add(step.at).unwrap_or(started))
                    .await;
            }
            self.perform(step).await?;
        }
        self.wait_for(self.script.answers.len()).await;
        Ok(self.played)
    }

    /// Performs one step. A connection that has ended takes no more packets: the missing answers tell
    /// that.
    async fn perform(&mut self, step: &Step) -> Result<(), Failure> {
        let bytes = match &step.action {
            Action::Connect(connect) => {
                self.connect(step.connection).await?;
                self.with_credentials(connect)?
            }
            Action::Send(bytes) => bytes.clone(),
            Action::Close => {
                if let Some(mut writer) = self.writers.remove(&step.connection) {
                    let _ = timeout(self.patience, writer.shutdown()).await;
                }
                return Ok(());
            }
        };
        if self.write(step.connection, &bytes).await {
            self.played.sent += 1;
        }
        Ok(())
    }

    async fn connect(&mut self, connection: u32) -> Result<(), Failure> {
        let transport = self.upstream.open().await;
        let transport = transport.map_err(|error| self.upstream.explain(&error))?;
        let (reader, writer) = split(transport);
        self.writers.insert(connection, writer);
        self.open += 1;
        self.readers
            .spawn(read(connection, reader, self.sender.clone()));
        Ok(())
    }

    fn with_credentials(&self, connect: &[u8]) -> Result<Vec<u8>, Diagnosis> {
        let changed = match Packet::decode(connect) {
            Ok(Some((Packet::Connect(connect), _))) => {
                self.upstream.with_own_credentials(connect.read())
            }
            _ => None,
        };
        changed.ok_or_else(|| Diagnosis::usage("user name or password is too long for CONNECT"))
    }

    /// Waits until as many answers are there as in the capture, or none has come for a while: then
    /// those that are missing aren't waited for any more.
    #[expect(clippy::disallowed_methods, reason = "the wait for an answer is timed")]
    async fn wait_for(&mut self, answers: usize) {
        let mut deadline = Instant::now() + self.patience;
        while self.played.answers.len() + self.given_up < answers {
            // Without a connection nothing can come.
            if self.open == 0 {
                return;
            }
            let before = self.played.answers.len();
            match timeout_at(deadline, self.received.recv()).await {
                Ok(Some((connection, received))) => {
                    self.handle(connection, received).await;
                    // Only answers prolong the wait: a server may send other packets without end.
                    if self.played.answers.len() > before {
                        deadline = Instant::now() + self.patience;
                    }
                }
                Ok(None) => return,
                Err(_) => {
                    self.given_up = answers.saturating_sub(self.played.answers.len());
                }
            }
        }
    }

    /// Handles what comes until this time.
    async fn wait_until(&mut self, at: Instant) {
        loop {
            tokio::select! {
                () = sleep_until(at) => return,
                Some((connection, received)) = self.received.recv() => {
                    self.handle(connection, received).await;
                }
            }
        }
    }

    /// Records a packet of the server, and acknowledges it.
    async fn handle(&mut self, connection: u32, received: ServerInput) {
        let ServerInput::Packet(packet) = received else {
            self.writers.remove(&connection);
            self.open = self.open.saturating_sub(1);
            return;
        };
        let packet = packet.packet();
        // A server that floods the client doesn't fill memory.
        if self.played.answers.len() < self.script.answers.len().saturating_add(MOST_NEW) {
            self.played
                .answers
                .extend(ServerAnswer::new(connection, &packet));
        }
        let answer = match packet {
            Packet::Publish(publish) => match publish.delivery {
                Delivery::AtMostOnce => None,
                Delivery::AtLeastOnce { packet_id, .. } => {
                    Some(Packet::PubAck(Ack::success(packet_id)))
                }
                Delivery::ExactlyOnce { packet_id, .. } => {
                    Some(Packet::PubRec(Ack::success(packet_id)))
                }
            },
            Packet::PubRel(ack) => Some(Packet::PubComp(Ack::success(ack.packet_id))),
            // A refused message is over.
            Packet::PubRec(ack) if ack.reason_code.code() < ReasonCode::UnspecifiedError.code() => {
                Some(Packet::PubRel(Ack::success(ack.packet_id)))
            }
            _ => None,
        };
        let mut bytes = Vec::new();
        if let Some(answer) = answer
            && answer.encode(&mut bytes).is_ok()
        {
            self.write(connection, &bytes).await;
        }
    }

    /// Writes to a connection; false if it has ended.
    async fn write(&mut self, connection: u32, bytes: &[u8]) -> bool {
        let Some(writer) = self.writers.get_mut(&connection) else {
            return false;
        };
        let written = timeout(self.patience, async {
            writer.write_all(bytes).await?;
            writer.flush().await
        });
        let is_written = matches!(written.await, Ok(Ok(())));
        if !is_written {
            self.writers.remove(&connection);
        }
        is_written
    }
}

/// Reads the packets of one connection to its end.
async fn read(
    connection: u32,
    mut reader: ReadHalf<Transport>,
    sender: mpsc::Sender<(u32, ServerInput)>,
) {
    let options = DecodeOptions::any_size().with_sender(Sender::Server);
    let mut input = BytesMut::new();
    loop {
        let received = match next(&mut reader, &mut input, &options).await {
            Ok(Some(packet)) => ServerInput::Packet(packet),
            Ok(None) | Err(_) => ServerInput::End,
        };
        let is_end = matches!(received, ServerInput::End);
        // A run that is over takes no more.
        if sender.send((connection, received)).await.is_err() || is_end {
            return;
        }
    }
}

/// Next packet; `None` at the end of the connection.
async fn next(
    reader: &mut ReadHalf<Transport>,
    input: &mut BytesMut,
    options: &DecodeOptions,
) -> io::Result<Option<PacketBuf>> {
    loop {
        if let Some(packet) = PacketBuf::take(input, options)? {
            return Ok(Some(packet));
        }
        if reader.read_buf(input).await? == 0 {
            return Ok(None);
        }
    }
}

/// Number of answers that are kept beyond the number in the capture.
const MOST_NEW: usize = 10_000;
/// Packets of all connections that wait to be handled.
const QUEUE: usize = 64;
