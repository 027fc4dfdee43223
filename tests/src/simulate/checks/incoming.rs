//! Messages from the server to the application: delivered in order, as often as their QoS says, and
//! acknowledged only after the application is done with them.

use dunlin_client::ReceivedMessage;
use dunlin_client::codec::{QoS, ReasonCode};

use crate::simulate::server::serial_of;
use crate::simulate::violation::{Checked, Violation, ensure};

/// All messages of the server in one run; a message's serial is its index.
#[derive(Debug, Default)]
pub(in crate::simulate) struct IncomingMessages {
    messages: Vec<Incoming>,
    /// Session and serial of the last message that was delivered for the first time, by QoS.
    last_delivered: [Option<(usize, usize)>; 3],
}

/// A message that the server accepted for the client.
#[derive(Debug)]
struct Incoming {
    qos: QoS,
    topic: String,
    session: usize,
    /// Number of times that the application received it.
    receptions: usize,
    /// The client process that received it last.
    process: usize,
    /// The application is done with it.
    is_taken: bool,
    /// The application abandoned it, so the server sends it again.
    is_awaited_again: bool,
    /// The server or the client dropped it, so it needn't arrive.
    was_dropped: bool,
    /// The message is invalid in itself, so the client has to refuse it.
    is_faulty: bool,
}

/// State of the client when a message is delivered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recipient {
    /// Number of the client process.
    pub(super) process: usize,
    /// The client believes that it has another session than the server has.
    pub(super) is_mistaken: bool,
    /// A CONNECT of this run was never answered, so the client can't know its session.
    pub(super) in_doubt: bool,
}

impl IncomingMessages {
    /// The serial of the next message that the server accepts.
    pub(in crate::simulate) const fn next_serial(&self) -> usize {
        self.messages.len()
    }

    /// The server accepted the next message.
    pub(in crate::simulate) fn queued(
        &mut self,
        qos: QoS,
        topic: String,
        session: usize,
        is_faulty: bool,
    ) {
        self.messages.push(Incoming {
            qos,
            topic,
            session,
            receptions: 0,
            process: 0,
            is_taken: false,
            is_awaited_again: false,
            was_dropped: false,
            is_faulty,
        });
    }

    /// Checks a message that the application receives, and returns its serial.
    pub(super) fn received(
        &mut self,
        message: &ReceivedMessage,
        recipient: Recipient,
    ) -> Checked<usize> {
        let detail = |incoming: Option<&Incoming>| format!("{message:?}: {incoming:?}");
        let serial = serial_of(message.payload());
        let Some((serial, incoming)) =
            serial.and_then(|serial| Some((serial, self.messages.get_mut(serial)?)))
        else {
            return Err(Violation::new("what is received was sent", detail(None)));
        };

        // The message is what the server sent.
        let is_same = message.qos() == incoming.qos && message.topic() == incoming.topic;
        ensure(is_same, "a message keeps its QoS and topic", || {
            detail(Some(incoming))
        })?;
        ensure(
            !incoming.is_faulty,
            "[U-4.13.1-1] a faulty message reaches no application",
            || detail(Some(incoming)),
        )?;

        // A repetition has a reason. Another process doesn't know what the one before received.
        let is_repeated = incoming.receptions > 0;
        if is_repeated && incoming.process == recipient.process {
            let may_repeat = incoming.is_awaited_again
                || incoming.qos == QoS::AtLeastOnce
                    && message.dup()
                    && (incoming.is_taken || recipient.in_doubt);
            ensure(
                may_repeat,
                "a message is delivered once, or repeated at QoS 1",
                || detail(Some(incoming)),
            )?;
        }

        // First deliveries are in order.
        if !is_repeated {
            let last = &mut self.last_delivered[usize::from(incoming.qos.level())];
            let in_order =
                last.is_none_or(|(session, last)| session < incoming.session || last < serial);
            // A message that the client took for one of the session before comes late, if the
            // server has to repeat it.
            let comes_late = recipient.is_mistaken && incoming.qos == QoS::ExactlyOnce;
            ensure(
                in_order || comes_late,
                "messages of a QoS come in order",
                || format!("{serial} after {last:?}"),
            )?;
            if in_order {
                *last = Some((incoming.session, serial));
            }
        }

        incoming.receptions += 1;
        incoming.is_awaited_again = false;
        incoming.process = recipient.process;
        incoming.is_taken = message.qos() == QoS::AtMostOnce;
        Ok(serial)
    }

    /// The application is done with a message.
    pub(in crate::simulate) fn taken(&mut self, serial: usize) {
        if let Some(incoming) = self.messages.get_mut(serial) {
            incoming.is_taken = true;
        }
    }

    /// The application won't answer a message that it has received.
    pub(in crate::simulate) fn abandoned(&mut self, serial: usize) {
        if let Some(incoming) = self.messages.get_mut(serial) {
            incoming.is_awaited_again = true;
        }
    }

    /// A message is larger than the client accepts, and the server dropped it.
    pub(super) fn dropped(&mut self, serial: usize) {
        if let Some(incoming) = self.messages.get_mut(serial) {
            incoming.was_dropped = true;
        }
    }

    /// Checks an acknowledgement that the server received. The client `is_mistaken` if it believes
    /// that it has another session than the server has.
    pub(super) fn acknowledged(
        &mut self,
        serial: usize,
        reason_code: ReasonCode,
        is_mistaken: bool,
    ) -> Checked {
        let Some(incoming) = self.messages.get_mut(serial) else {
            return ensure(
                reason_code.is_error(),
                "what is acknowledged was sent",
                || serial.to_string(),
            );
        };
        // The client knows another message under this identifier, from a session that it takes for
        // this one. Neither side can tell the two apart, and the message is lost, whether the
        // application accepted the other one or refused it.
        if is_mistaken && incoming.qos == QoS::ExactlyOnce && !incoming.is_taken {
            incoming.was_dropped = true;
            return Ok(());
        }
        if incoming.is_faulty {
            incoming.was_dropped = true;
            return ensure(
                reason_code == ReasonCode::UnspecifiedError,
                "[U-4.13.1-1] a faulty message is refused",
                || format!("{serial}: {reason_code}"),
            );
        }
        ensure(
            incoming.is_taken || reason_code.is_error(),
            "what is acknowledged was taken",
            || format!("{serial}: {incoming:?}"),
        )
    }

    /// Checks at the end of a run that all messages of QoS 1 and 2 have arrived which the server
    /// accepted in its last `session`; `None` if it has no session.
    pub(super) fn check_end(&self, session: Option<usize>) -> Checked {
        for (serial, incoming) in self.messages.iter().enumerate() {
            let arrives = incoming.qos != QoS::AtMostOnce
                && Some(incoming.session) == session
                && !incoming.was_dropped;
            ensure(
                incoming.receptions > 0 || !arrives,
                "what the server accepted arrives",
                || format!("{serial}: {incoming:?}"),
            )?;
        }
        Ok(())
    }
}
