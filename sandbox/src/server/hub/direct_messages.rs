//! Queueing of direct messages.

use std::sync::Arc;

use dunlin_codec::{Publish, TopicName};
use tokio::sync::watch;

use crate::server::direct_message::{DirectError, DirectProgress, DirectReport};
use crate::server::hub::Hub;
use crate::server::limit::{Limit, at_most};
use crate::server::message::Message;
use crate::server::outgoing::Queued;
use crate::server::request_refusal::RequestRefusal;
use crate::server::timestamp::Timestamp;
use crate::server::topics;

impl Hub {
    /// Queues a message for a connected client, whose connection evaluates `iot:Receive`; returns the
    /// progress. If the sender of it is gone, the session of the client has ended.
    ///
    /// # Errors
    /// `NotConnected`; `Refused` for a limit of the profile, or if the client's queue is full.
    pub(crate) fn send_direct(
        &mut self,
        client_id: &str,
        publish: &Publish<'_>,
        topic: TopicName<'_>,
        now: Timestamp,
    ) -> Result<watch::Receiver<DirectProgress>, DirectError> {
        // The limits of one message, as for any PUBLISH.
        let settings = Arc::clone(&self.settings);
        let rules = settings.rules();
        let payload = at_most(publish.payload.len(), rules.max_payload, |has, most| {
            Limit::Payload { has, most }
        });
        payload
            .and_then(|()| topics::check_name(topic, rules))
            .map_err(|limit| DirectError::Refused(limit.into()))?;

        // The queue of the client's session; a session without a connection takes no direct message.
        let memory = self.memory_counter();
        let sender = Arc::from("");
        let message = Message::of_publish(publish, topic, &sender, &settings, &memory, now.instant)
            .map_err(|_| DirectError::Refused(RequestRefusal::NoTopic))?;
        let max_bytes = self.memory.queue_limit();
        let session = self.sessions.get_mut(client_id);
        let has_session = session.is_some();
        let session = session.filter(|session| !session.is_away());
        let session = session.ok_or(DirectError::NotConnected { has_session })?;
        let (report, progress) = DirectReport::new();
        let qos = message.qos;
        let mut queued = Queued::new(&Arc::new(message), qos, false, Box::default());
        queued.direct = Some(report);
        if !session.outgoing.push(queued, max_bytes) {
            return Err(DirectError::Refused(RequestRefusal::SubscriberFull));
        }
        session.wake();
        Ok(progress)
    }
}
