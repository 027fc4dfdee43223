//! Receipt of a published message.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::request_handle::RequestHandle;
use crate::engine::{Accepted, Published};
use crate::error::RequestError;
use crate::runtime::shared::Shared;

/// Future of the outcome of a published message: at QoS 0 it resolves when the message is in the
/// output of a connection, at QoS 1 and 2 when the server has acknowledged it.
///
/// Dropping a receipt doesn't take the message back. A receipt that is polled again after it has
/// resolved stays pending.
///
/// # Errors
/// The future resolves with
/// * [`RequestError::Refused`]: the server refused the message with a reason code of 0x80 or above.
/// * [`RequestError::Timeout`], [`RequestError::RequestTimeout`], [`RequestError::Expired`]: time
///   was over.
/// * [`RequestError::SessionLost`], [`RequestError::Poisoned`], [`RequestError::Dropped`]: the
///   client gave the message up.
/// * [`RequestError::Stopped`]: the client stopped first.
/// * [`RequestError::TooLarge`], [`RequestError::QoSNotSupported`],
///   [`RequestError::RetainNotSupported`], [`RequestError::TopicAlias`], [`RequestError::Limit`]:
///   the message was accepted without a connection, and the server doesn't accept it.
///
/// # Example
/// Many messages are on their way at once; the receipts are awaited afterwards.
///
/// ```
/// use dunlin_client::{Client, Message, QoS, Receipt, RequestError};
///
/// # async fn example(client: Client) -> Result<(), RequestError> {
/// let mut receipts: Vec<Receipt> = Vec::new();
/// for value in ["21.5", "21.6", "21.4"] {
///     let message = Message::new("room/temperature", value).qos(QoS::AtLeastOnce);
///     receipts.push(client.publish(message).await?);
/// }
/// for receipt in receipts {
///     let published = receipt.await?;
///     println!("{}", published.reason_code);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a receipt tells whether the message arrived; drop it explicitly if that doesn't matter"]
pub struct Receipt(Progress);

#[derive(Debug)]
enum Progress {
    /// The message of QoS 0 was in the output from the beginning.
    Sent,
    /// The message of QoS 1 or 2 was accepted; the request knows whether it has resolved.
    Pending(RequestHandle<Published>),
    /// The outcome of QoS 0 was returned.
    Resolved,
}

impl Receipt {
    /// Receipt of a message that the engine has accepted.
    pub(super) fn new(shared: &Arc<Shared>, accepted: Accepted) -> Self {
        Self(match accepted {
            Accepted::Sent => Progress::Sent,
            Accepted::Pending(id) => Progress::Pending(RequestHandle::new(shared, id)),
        })
    }
}

impl Future for Receipt {
    type Output = Result<Published, RequestError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            // Pending again once it has resolved.
            Progress::Pending(request) => request.poll(cx),
            // QoS 0 has its outcome at once: it was sent, and nothing more is known.
            Progress::Sent => {
                self.0 = Progress::Resolved;
                Poll::Ready(Ok(Published::unacknowledged()))
            }
            Progress::Resolved => Poll::Pending,
        }
    }
}
