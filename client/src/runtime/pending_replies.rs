//! Requests that wait for their replies (§4.10): one subscription brings all replies, and
//! correlation data tells them apart.

use std::collections::BTreeMap;
use std::task::{Context, Poll, Waker};

use dunlin_codec::TopicName;

use crate::engine::Engine;
use crate::error::RequestError;
use crate::message::ReceivedMessage;
use crate::runtime::router::Router;
use crate::runtime::wakers::{move_wakers, register};

/// Maximum number of requests that wait for their replies at a time.
const MAX_PENDING: usize = 1024;

/// All requests of a client that wait for their replies.
#[derive(Debug)]
pub(crate) struct PendingReplies {
    /// First half of the correlation data: tells this client's requests from those of an earlier
    /// one with the same client identifier.
    nonce: u64,
    /// Number of the last request, the second half.
    last_number: u64,
    pending: BTreeMap<u64, Slot>,
    /// Number of replies that nobody waited for.
    late: u64,
    /// Bytes of memory that unread replies take.
    charge: usize,
    subscription: ReplySubscription,
    /// Tasks that wait for the subscription.
    waiting: Vec<Waker>,
    /// Response Information of the server, from which response topics are built.
    response_information: Option<String>,
    /// True if a server has answered a CONNECT.
    has_connected: bool,
    wakers: Vec<Waker>,
}

/// One request that waits for its reply.
#[derive(Debug, Default)]
struct Slot {
    reply: Option<ReceivedMessage>,
    waker: Option<Waker>,
}

/// Identifier of a request, which its correlation data holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CorrelationId {
    nonce: u64,
    number: u64,
}

/// Subscription that brings the replies.
#[derive(Debug)]
enum ReplySubscription {
    Closed,
    Opening,
    Open { topic: String, key: usize },
}

/// Response topic, and the state of its subscription.
#[derive(Debug)]
pub(crate) enum ResponseTopic {
    /// Messages of this topic reach the client.
    Subscribed(String),
    /// The caller has to subscribe to this topic, and to close the stream of an earlier topic.
    Unsubscribed {
        topic: String,
        obsolete_stream: Option<usize>,
    },
}

impl PendingReplies {
    pub(crate) fn new() -> Self {
        Self {
            nonce: fastrand::u64(..),
            last_number: 0,
            pending: BTreeMap::new(),
            late: 0,
            charge: 0,
            subscription: ReplySubscription::Closed,
            waiting: Vec::new(),
            response_information: None,
            has_connected: false,
            wakers: Vec::new(),
        }
    }

    /// Records the Response Information of a CONNACK (§3.2.2.3.15); `None` if it has none.
    pub(crate) fn set_response_information(&mut self, information: Option<&str>) {
        self.response_information = information.map(str::to_owned);
        self.has_connected = true;
        self.wakers.append(&mut self.waiting);
    }

    /// Key of the stream that brings the replies.
    pub(crate) const fn stream(&self) -> Option<usize> {
        match &self.subscription {
            ReplySubscription::Open { key, .. } => Some(*key),
            ReplySubscription::Closed | ReplySubscription::Opening => None,
        }
    }

    /// Adds a request.
    ///
    /// # Errors
    /// [`RequestError::TooManyRequests`] while 1,024 wait.
    pub(crate) fn add(&mut self) -> Result<CorrelationId, RequestError> {
        // Bounded, because each request keeps its reply until it is taken.
        if self.pending.len() >= MAX_PENDING {
            return Err(RequestError::TooManyRequests { limit: MAX_PENDING });
        }
        self.last_number += 1;
        self.pending.insert(self.last_number, Slot::default());
        Ok(CorrelationId {
            nonce: self.nonce,
            number: self.last_number,
        })
    }

    /// Removes a request; its reply counts as late from now on.
    pub(crate) fn remove(&mut self, id: CorrelationId) {
        let slot = self.pending.remove(&id.number);
        let reply = slot.and_then(|slot| slot.reply);
        self.charge -= reply.map_or(0, |reply| reply.charge());
    }

    /// Polls for the reply of a request.
    pub(crate) fn poll(&mut self, id: CorrelationId, cx: &Context<'_>) -> Poll<ReceivedMessage> {
        let slot = self.pending.entry(id.number).or_default();
        if let Some(reply) = slot.reply.take() {
            self.charge -= reply.charge();
            return Poll::Ready(reply);
        }
        slot.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Handles a message of the response topic.
    pub(crate) fn handle_reply(&mut self, message: ReceivedMessage) {
        // The Correlation Data says which request a reply is for; the topic is the same for all.
        let number = message
            .properties()
            .correlation_data
            .and_then(|data| self.number(data.as_bytes()));
        match number.and_then(|number| self.pending.get_mut(&number)) {
            Some(slot) if slot.reply.is_none() => {
                self.charge += message.charge();
                slot.reply = Some(message);
                self.wakers.extend(slot.waker.take());
            }
            _ => self.late += 1,
        }
    }

    /// Number of replies that came too late, or to no request of this client.
    pub(crate) const fn late(&self) -> u64 {
        self.late
    }

    /// Bytes of memory that unread replies take.
    pub(crate) const fn charge(&self) -> usize {
        self.charge
    }

    /// Wakes all tasks that wait: the client has stopped.
    pub(crate) fn wake_all(&mut self) {
        let slots = self.pending.values_mut();
        self.wakers
            .extend(slots.filter_map(|slot| slot.waker.take()));
        self.wakers.append(&mut self.waiting);
    }

    /// Moves the wakers of tasks that have something to do into `wakers`.
    #[inline]
    pub(crate) fn take_wakers(&mut self, wakers: &mut Vec<Waker>) {
        move_wakers(&mut self.wakers, wakers);
    }

    /// Polls for the response topic: ready once it is known and no other task is subscribing to it.
    /// After [`ResponseTopic::Unsubscribed`] the caller must call [`opened`](Self::opened), and
    /// [`stop_opening`](Self::stop_opening) in any case.
    pub(crate) fn poll_topic(
        &mut self,
        engine: &Engine,
        router: &Router,
        cx: &Context<'_>,
    ) -> Poll<ResponseTopic> {
        // Before the first CONNACK, the server may still have to choose the topic.
        let requests_information = engine.options().request_response_information == Some(true);
        if !self.has_connected && (requests_information || engine.client_id().is_empty()) {
            register(&mut self.waiting, cx);
            return Poll::Pending;
        }
        // The topic may be another one after a new CONNACK, so it is compared each time. Only one
        // task subscribes; the others wait for it.
        let wanted = response_topic(self.response_information.as_deref(), engine.client_id());
        let obsolete_stream = match &self.subscription {
            ReplySubscription::Open { topic, key } if *topic == wanted && router.is_open(*key) => {
                return Poll::Ready(ResponseTopic::Subscribed(wanted));
            }
            ReplySubscription::Opening => {
                register(&mut self.waiting, cx);
                return Poll::Pending;
            }
            // The server has other Response Information by now, or refused to renew the
            // subscription.
            ReplySubscription::Open { key, .. } => Some(*key),
            ReplySubscription::Closed => None,
        };
        self.subscription = ReplySubscription::Opening;
        Poll::Ready(ResponseTopic::Unsubscribed {
            topic: wanted,
            obsolete_stream,
        })
    }

    /// Records that the stream `key` brings the replies to `topic`.
    pub(crate) fn opened(&mut self, topic: String, key: usize) {
        self.subscription = ReplySubscription::Open { topic, key };
    }

    /// Ends the attempt to subscribe, successful or not: the tasks that wait look again.
    pub(crate) fn stop_opening(&mut self) {
        if matches!(self.subscription, ReplySubscription::Opening) {
            self.subscription = ReplySubscription::Closed;
        }
        self.wakers.append(&mut self.waiting);
    }

    /// Number of the request of this client that correlation data belongs to.
    fn number(&self, correlation_data: &[u8]) -> Option<u64> {
        // A wrong nonce is a reply to an earlier process with the same client identifier.
        let (nonce, number) = correlation_data.split_first_chunk::<8>()?;
        (u64::from_be_bytes(*nonce) == self.nonce).then_some(())?;
        Some(u64::from_be_bytes(number.try_into().ok()?))
    }
}

impl CorrelationId {
    /// Correlation Data of the request.
    pub(crate) fn to_bytes(self) -> [u8; 16] {
        ((u128::from(self.nonce) << 64) | u128::from(self.number)).to_be_bytes()
    }
}

/// Topic that replies come to: below the server's Response Information, or under the client
/// identifier.
fn response_topic(information: Option<&str>, client_id: &str) -> String {
    // Response Information is the server's hint for the topic (§3.2.2.3.15). Its form is free, so
    // it may not make a valid topic.
    if let Some(information) = information {
        let topic = format!("{}/responses", information.trim_end_matches('/'));
        if TopicName::new(&topic).is_ok() {
            return topic;
        }
    }
    // Without it, the client identifier makes the topic unique at this server. Wildcards and levels
    // in it would change which messages the filter matches.
    let name: String = client_id
        .chars()
        .map(|each| if "/+#".contains(each) { '-' } else { each })
        .collect();
    format!("dunlin/responses/{name}")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Wake;

    use super::*;
    use crate::options::ConnectOptions;

    #[test]
    fn response_topics_are_built_from_what_the_server_says_or_from_the_client_identifier() {
        assert_eq!(
            response_topic(Some("replies/7"), "lamp"),
            "replies/7/responses"
        );
        assert_eq!(
            response_topic(Some("replies/7/"), "lamp"),
            "replies/7/responses"
        );
        assert_eq!(
            response_topic(Some("replies/#"), "lamp"),
            "dunlin/responses/lamp",
            "no topic"
        );
        assert_eq!(response_topic(None, "a/b+c#d"), "dunlin/responses/a-b-c-d");
    }

    struct Requester;

    impl Wake for Requester {
        fn wake(self: Arc<Self>) {}
    }

    #[test]
    fn a_task_that_looks_often_for_the_subscription_waits_once() {
        let (engine, router) = (Engine::new(ConnectOptions::new("lamp")), Router::new(1));
        let mut replies = PendingReplies::new();
        let waker = Waker::from(Arc::new(Requester));
        let cx = Context::from_waker(&waker);
        assert!(
            replies.poll_topic(&engine, &router, &cx).is_ready(),
            "the first is to subscribe"
        );
        assert!((0..1000).all(|_| replies.poll_topic(&engine, &router, &cx).is_pending()));
        assert_eq!(replies.waiting.len(), 1);
    }

    #[test]
    fn a_reply_with_correlation_data_of_another_client_is_ignored() {
        let requests = PendingReplies {
            nonce: 7,
            ..PendingReplies::new()
        };
        let data = |nonce: u64, number: u64| [nonce.to_be_bytes(), number.to_be_bytes()].concat();
        assert_eq!(requests.number(&data(7, 3)), Some(3));
        assert_eq!(requests.number(&data(8, 3)), None);
        assert_eq!(requests.number(&data(7, 3)[..15]), None);
        assert_eq!(requests.number(b""), None);
    }
}
