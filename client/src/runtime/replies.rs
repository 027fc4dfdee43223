//! Replies on their way to those who wait for them (§4.10): one subscription for all of them, and
//! what tells them apart.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use dunlin_codec::TopicName;

use crate::error::RequestError;
use crate::message::ReceivedMessage;
use crate::runtime::shared::Shared;
use crate::runtime::state::{State, move_wakers, register};

/// Requests that may wait for their replies at a time.
const IN_FLIGHT: usize = 1024;

/// All requests of a client, and their replies.
#[derive(Debug)]
pub(crate) struct Requests {
    /// Tells this client's requests from those of an earlier one with its client identifier.
    nonce: u64,
    made: u64,
    waiting: HashMap<u64, Reply>,
    late: u64,
    /// Bytes of memory that replies take until they are taken.
    held: usize,
    responses: Responses,
    /// Those who wait for the subscription.
    openers: Vec<Waker>,
    /// What response topics are built from, if the server said it.
    response_information: Option<String>,
    /// Whether a server has answered a CONNECT.
    is_told: bool,
    wakers: Vec<Waker>,
}

#[derive(Debug, Default)]
struct Reply {
    message: Option<ReceivedMessage>,
    waker: Option<Waker>,
}

/// The subscription that replies come by.
#[derive(Debug)]
enum Responses {
    Closed,
    Opening,
    Open { topic: String, key: usize },
}

/// What the subscription was found to be, under its topic.
pub(crate) enum Found {
    Open(String),
    /// To be opened by who found it so.
    Closed(String),
}

impl Requests {
    pub(crate) fn new() -> Self {
        Self {
            nonce: fastrand::u64(..),
            made: 0,
            waiting: HashMap::new(),
            late: 0,
            held: 0,
            responses: Responses::Closed,
            openers: Vec::new(),
            response_information: None,
            is_told: false,
            wakers: Vec::new(),
        }
    }

    pub(crate) fn set_response_information(&mut self, information: Option<&str>) {
        self.response_information = information.map(str::to_owned);
        self.is_told = true;
        self.wakers.append(&mut self.openers);
    }

    /// The stream that replies come by.
    pub(crate) const fn key(&self) -> Option<usize> {
        match &self.responses {
            Responses::Open { key, .. } => Some(*key),
            Responses::Closed | Responses::Opening => None,
        }
    }

    /// A message came to the response topic.
    pub(crate) fn answer(&mut self, message: ReceivedMessage) {
        let number = message
            .properties()
            .correlation_data
            .and_then(|data| self.number(data.as_bytes()));
        match number.and_then(|number| self.waiting.get_mut(&number)) {
            Some(reply) if reply.message.is_none() => {
                self.held += message.charge();
                reply.message = Some(message);
                self.wakers.extend(reply.waker.take());
            }
            _ => self.late += 1,
        }
    }

    /// Replies that came too late, or to no request of this client.
    pub(crate) const fn late(&self) -> u64 {
        self.late
    }

    /// Bytes of memory that replies take.
    pub(crate) const fn held(&self) -> usize {
        self.held
    }

    /// Nothing follows: whoever waits is to look why.
    pub(crate) fn end(&mut self) {
        self.wakers.extend(
            self.waiting
                .values_mut()
                .filter_map(|reply| reply.waker.take()),
        );
        self.wakers.append(&mut self.openers);
    }

    pub(crate) fn take_wakers(&mut self, into: &mut Vec<Waker>) {
        move_wakers(&mut self.wakers, into);
    }

    fn number(&self, correlation_data: &[u8]) -> Option<u64> {
        let (nonce, number) = correlation_data.split_first_chunk::<8>()?;
        (u64::from_be_bytes(*nonce) == self.nonce).then_some(())?;
        Some(u64::from_be_bytes(number.try_into().ok()?))
    }
}

impl State {
    /// The subscription that replies come by, as soon as nobody is opening it.
    pub(crate) fn poll_responses(&mut self, cx: &Context<'_>) -> Poll<Result<Found, RequestError>> {
        if let Some(cause) = &self.stopped {
            return Poll::Ready(Err(RequestError::Stopped(cause.clone())));
        }
        let asks = self.engine.options().request_response_information == Some(true);
        if !self.requests.is_told && (asks || self.engine.client_id().is_empty()) {
            // Where replies come to is the server's to say.
            register(&mut self.requests.openers, cx);
            return Poll::Pending;
        }
        let wanted = response_topic(
            self.requests.response_information.as_deref(),
            self.engine.client_id(),
        );
        match &self.requests.responses {
            Responses::Open { topic, key } if *topic == wanted && self.router.is_open(*key) => {
                return Poll::Ready(Ok(Found::Open(wanted)));
            }
            Responses::Opening => {
                register(&mut self.requests.openers, cx);
                return Poll::Pending;
            }
            // The server has other Response Information by now, or refused to go on with the
            // subscription.
            Responses::Open { key, .. } => self.close_stream(*key),
            Responses::Closed => {}
        }
        self.requests.responses = Responses::Opening;
        Poll::Ready(Ok(Found::Closed(wanted)))
    }
}

/// The subscription is being opened; whatever comes of it, the others look again.
pub(crate) struct Opening<'a>(&'a Arc<Shared>);

impl<'a> Opening<'a> {
    pub(crate) const fn new(shared: &'a Arc<Shared>) -> Self {
        Self(shared)
    }

    /// It is the stream `key`, for `topic`.
    pub(crate) fn opened(&self, topic: &str, key: usize) {
        let topic = topic.to_owned();
        self.0
            .with(|state| state.requests.responses = Responses::Open { topic, key });
    }
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.0.with(|state| {
            let requests = &mut state.requests;
            if matches!(requests.responses, Responses::Opening) {
                requests.responses = Responses::Closed;
            }
            requests.wakers.append(&mut requests.openers);
        });
    }
}

/// One request that waits for its reply.
pub(crate) struct Waiting<'a> {
    shared: &'a Arc<Shared>,
    nonce: u64,
    number: u64,
}

impl<'a> Waiting<'a> {
    pub(crate) fn new(shared: &'a Arc<Shared>) -> Result<Self, RequestError> {
        shared.with(|state| {
            let requests = &mut state.requests;
            if requests.waiting.len() >= IN_FLIGHT {
                return Err(RequestError::TooManyRequests { limit: IN_FLIGHT });
            }
            requests.made += 1;
            requests.waiting.insert(requests.made, Reply::default());
            Ok(Self {
                shared,
                nonce: requests.nonce,
                number: requests.made,
            })
        })
    }

    /// What its reply is known by.
    pub(crate) fn correlation_data(&self) -> [u8; 16] {
        ((u128::from(self.nonce) << 64) | u128::from(self.number)).to_be_bytes()
    }

    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<Result<ReceivedMessage, RequestError>> {
        self.shared.with(|state| {
            let reply = state.requests.waiting.entry(self.number).or_default();
            if let Some(message) = reply.message.take() {
                state.requests.held -= message.charge();
                return Poll::Ready(Ok(message));
            }
            if let Some(cause) = &state.stopped {
                return Poll::Ready(Err(RequestError::Stopped(cause.clone())));
            }
            reply.waker = Some(cx.waker().clone());
            Poll::Pending
        })
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.shared.with(|state| {
            let removed = state
                .requests
                .waiting
                .remove(&self.number)
                .and_then(|reply| reply.message);
            state.requests.held -= removed.map_or(0, |message| message.charge());
        });
    }
}

/// Where replies come to: below what the server suggests, or under the client's name.
fn response_topic(information: Option<&str>, client_id: &str) -> String {
    if let Some(information) = information {
        let topic = format!("{}/responses", information.trim_end_matches('/'));
        if TopicName::new(&topic).is_ok() {
            return topic;
        }
    }
    let name: String = client_id
        .chars()
        .map(|each| if "/+#".contains(each) { '-' } else { each })
        .collect();
    format!("dunlin/responses/{name}")
}

#[cfg(test)]
mod tests {
    use std::task::Wake;

    use super::*;
    use crate::engine::Engine;
    use crate::options::ConnectOptions;
    use crate::runtime::router::Router;

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

    struct Task;

    impl Wake for Task {
        fn wake(self: Arc<Self>) {}
    }

    #[test]
    fn a_task_that_looks_often_for_the_subscription_waits_once() {
        let shared = Shared::new(Engine::new(ConnectOptions::new("lamp")), Router::new(1));
        shared.with(|state| {
            let waker = Waker::from(Arc::new(Task));
            let cx = Context::from_waker(&waker);
            assert!(
                state.poll_responses(&cx).is_ready(),
                "the first is to subscribe"
            );
            assert!((0..1000).all(|_| state.poll_responses(&cx).is_pending()));
            assert_eq!(state.requests.openers.len(), 1);
        });
    }

    #[test]
    fn a_correlation_of_another_client_is_none_of_ours() {
        let requests = Requests {
            nonce: 7,
            ..Requests::new()
        };
        let data = |nonce: u64, number: u64| [nonce.to_be_bytes(), number.to_be_bytes()].concat();
        assert_eq!(requests.number(&data(7, 3)), Some(3));
        assert_eq!(requests.number(&data(8, 3)), None);
        assert_eq!(requests.number(&data(7, 3)[..15]), None);
        assert_eq!(requests.number(b""), None);
    }
}
