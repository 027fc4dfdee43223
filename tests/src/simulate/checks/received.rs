//! What the server has for the application: handed over in order, as often as its QoS says, and
//! acknowledged when taken.

use dunlin_client::ReceivedMessage;
use dunlin_client::codec::QoS;

use super::promises::Promises;
use super::{Breach, Checked, ensure};
use crate::simulate::server::serial_of;

/// A message that the server took on.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) qos: QoS,
    pub(super) topic: String,
    pub(super) session: usize,
    pub(super) receptions: usize,
    /// The process that got it last.
    pub(super) process: usize,
    pub(super) is_taken: bool,
    /// Whether the application gave it up: the server sends it again.
    pub(super) comes_again: bool,
    pub(super) was_dropped: bool,
    /// Whether the client has to refuse it.
    pub(super) is_faulty: bool,
}

impl Promises {
    /// The serial of the next message that the server takes on.
    pub(in crate::simulate) fn next_incoming(&self) -> usize {
        self.incoming.len()
    }

    /// The server took on the next message.
    pub(in crate::simulate) fn taken_on(
        &mut self,
        qos: QoS,
        topic: String,
        session: usize,
        is_faulty: bool,
    ) {
        self.incoming.push(Incoming {
            qos,
            topic,
            session,
            receptions: 0,
            process: 0,
            is_taken: false,
            comes_again: false,
            was_dropped: false,
            is_faulty,
        });
    }

    /// The application got a message; its serial.
    pub(in crate::simulate) fn received(&mut self, message: &ReceivedMessage) -> Checked<usize> {
        let told = |incoming: Option<&Incoming>| format!("{message:?}: {incoming:?}");
        let is_mistaken = self.goes_on_mistaken();
        let serial = serial_of(message.payload()).filter(|serial| *serial < self.incoming.len());
        let Some(serial) = serial else {
            return Err(Breach::new("what is received was sent", told(None)));
        };
        let Some(incoming) = self.incoming.get_mut(serial) else {
            return Ok(serial);
        };
        let is_same = message.qos() == incoming.qos && message.topic() == incoming.topic;
        ensure(is_same, "a message keeps its QoS and topic", || {
            told(Some(incoming))
        })?;
        ensure(
            !incoming.is_faulty,
            "[U-4.13.1-1] a faulty message reaches no application",
            || told(Some(incoming)),
        )?;
        let again = incoming.receptions > 0;
        let same_process = incoming.process == self.process;
        if again && same_process {
            let in_doubt = self.connections.iter().any(|each| each.in_doubt);
            let may_repeat = incoming.comes_again
                || incoming.qos == QoS::AtLeastOnce
                    && message.dup()
                    && (incoming.is_taken || in_doubt);
            ensure(
                may_repeat,
                "a message is handed over once, or repeated at QoS 1",
                || told(Some(incoming)),
            )?;
        }
        let last = &mut self.last_received[usize::from(incoming.qos.level())];
        if !again {
            let in_order =
                last.is_none_or(|(session, last)| session < incoming.session || last < serial);
            // One that was taken for a message of the session before comes late, if the server has
            // to repeat it.
            let comes_late = is_mistaken && incoming.qos == QoS::ExactlyOnce;
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
        incoming.comes_again = false;
        incoming.process = self.process;
        incoming.is_taken = message.qos() == QoS::AtMostOnce;
        Ok(serial)
    }

    /// The application is done with a message.
    pub(in crate::simulate) fn taken(&mut self, serial: usize) {
        if let Some(incoming) = self.incoming.get_mut(serial) {
            incoming.is_taken = true;
        }
    }

    /// The application won't answer a message that it has.
    pub(in crate::simulate) fn abandoned(&mut self, serial: usize) {
        if let Some(incoming) = self.incoming.get_mut(serial) {
            incoming.comes_again = true;
        }
    }
}
