//! `Streams`: the messages of all subscriptions, each once.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll};

use dunlin_client::{Acknowledgement, ReceivedMessage, Subscription, Unmatched};
use dunlin_codec::{TopicFilter, TopicName};

/// Streams of one run.
pub(crate) struct Streams {
    subscriptions: Vec<Subscription>,
    /// Messages of a continued session that match none of the filters.
    unmatched: Option<Unmatched>,
}

/// Message with its acknowledgement.
pub(crate) type Received = (ReceivedMessage, Acknowledgement);

impl Streams {
    pub(crate) fn new(subscriptions: Vec<Subscription>, unmatched: Option<Unmatched>) -> Self {
        Self {
            subscriptions,
            unmatched,
        }
    }

    /// Waits for messages, and returns those that are there, [`BATCH`] at most; an empty list if
    /// the streams have ended.
    ///
    /// Cancel safe.
    pub(crate) async fn next(&mut self) -> Vec<Received> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Vec<Received>> {
        // Each stream is read until it has nothing; its waker is registered then.
        let (mut batch, mut open) = (Vec::new(), 0);
        for index in 0..self.subscriptions.len() {
            let mut is_open = true;
            while batch.len() < BATCH && is_open {
                let Some(stream) = self.subscriptions.get_mut(index) else {
                    break;
                };
                match stream.poll_next_unacknowledged(cx) {
                    Poll::Ready(Some((message, acknowledgement))) => {
                        // A topic that several filters match reaches each of their streams.
                        if self.is_first_match(index, message.topic()) {
                            batch.push((message, acknowledgement));
                        } else {
                            acknowledgement.accept();
                        }
                    }
                    Poll::Ready(None) => is_open = false,
                    Poll::Pending => break,
                }
            }
            open += usize::from(is_open);
        }
        if let Some(unmatched) = &mut self.unmatched {
            open += 1;
            while batch.len() < BATCH {
                match pin!(unmatched.next_unacknowledged()).poll(cx) {
                    Poll::Ready(Some(received)) => batch.push(received),
                    Poll::Ready(None) | Poll::Pending => break,
                }
            }
        }
        // An empty batch means that all streams have ended, so there is nothing to wait for.
        if batch.is_empty() && open > 0 {
            Poll::Pending
        } else {
            Poll::Ready(batch)
        }
    }

    /// True if no filter before that of stream `index` matches the topic.
    fn is_first_match(&self, index: usize, topic: &str) -> bool {
        if index == 0 {
            return true;
        }
        let Ok(topic) = TopicName::new(topic) else {
            return true;
        };
        let mut before = self.subscriptions.iter().take(index);
        !before.any(|stream| {
            TopicFilter::new(stream.filter()).is_ok_and(|filter| filter.matches(&topic))
        })
    }
}

/// Messages that are handled together.
const BATCH: usize = 64;
