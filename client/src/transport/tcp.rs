//! One TCP connection out of several addresses, as RFC 8305 ("Happy Eyeballs") has it.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::deadline::Deadline;
use super::local::{self, LocalEnd};
use super::open_observer::{OpenObserver, OpenStep};
use crate::error::{FailedAttempt, IoFault, PeerAddress, Stage, TransportError};

/// Connects to the first address that accepts a connection.
///
/// Every address gets its attempt: the next one begins as soon as the last has failed, or after
/// 250 ms. An IPv6 route that drops packets costs that much, and not all of the time-out.
///
/// # Errors
/// [`TransportError::LocalAddress`] if the local address can't be used,
/// [`TransportError::Refused`] if an address refused the connection and none accepted it,
/// [`TransportError::Unreachable`] if all failed in other ways, [`TransportError::TimedOut`] in the
/// stage [`Stage::Tcp`], with the addresses that hadn't failed yet.
pub(super) async fn connect(
    addresses: Vec<SocketAddr>,
    local: LocalEnd,
    deadline: Deadline,
    observer: Option<&OpenObserver>,
) -> Result<(TcpStream, SocketAddr), TransportError> {
    // A local address that this computer doesn't have would fail every attempt with the same error.
    local.check()?;
    // The race stays outside of the future that the deadline drops: its attempts are needed for the
    // error.
    let mut race = Race::new(alternating(addresses), local, observer);
    match deadline.run(race.winner()).await {
        Some(Some((stream, peer))) => {
            let address = PeerAddress::Ip(peer);
            OpenObserver::report(observer, OpenStep::Connected { peer: &address });
            Ok((stream, peer))
        }
        Some(None) => Err(race.failure()),
        None => Err(deadline.passed(Stage::Tcp, race.pending())),
    }
}

/// Attempts to connect to several addresses. A dropped race closes what it has opened.
struct Race<'a> {
    local: LocalEnd,
    waiting: VecDeque<SocketAddr>,
    running: Vec<Attempt>,
    failed: Vec<FailedAttempt>,
    observer: Option<&'a OpenObserver>,
}

struct Attempt {
    address: SocketAddr,
    stream: Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>,
}

impl<'a> Race<'a> {
    fn new(
        waiting: VecDeque<SocketAddr>,
        local: LocalEnd,
        observer: Option<&'a OpenObserver>,
    ) -> Self {
        Self {
            local,
            waiting,
            running: Vec::new(),
            failed: Vec::new(),
            observer,
        }
    }

    /// Runs the attempts until one succeeds; `None` when no address is left.
    async fn winner(&mut self) -> Option<(TcpStream, SocketAddr)> {
        loop {
            // Start one more attempt per round; the earlier ones go on beside it. The race is lost
            // when nothing is left to start and nothing runs.
            match self.waiting.pop_front() {
                Some(address) => self.running.push(Attempt {
                    address,
                    stream: Box::pin(attempt(address, self.local)),
                }),
                None if self.running.is_empty() => return None,
                None => {}
            }
            // Without another address to begin with, only the deadline limits the attempts.
            let delay = if self.waiting.is_empty() {
                Duration::MAX
            } else {
                ATTEMPT_DELAY
            };
            // Wait for the outcome of any attempt. A failure starts the next address at once, the
            // delay starts it while this one is still connecting (RFC 8305, section 5).
            match timeout(delay, self.next_outcome()).await {
                Ok((address, Ok(stream))) => return Some((stream, address)),
                Ok((address, Err(error))) => {
                    let attempt = FailedAttempt {
                        address,
                        fault: IoFault::from(&error),
                    };
                    OpenObserver::report(self.observer, OpenStep::AddressFailed(attempt));
                    self.failed.push(attempt);
                }
                Err(_next_one_joins) => {}
            }
        }
    }

    /// Waits for the end of any attempt that runs, and removes it.
    async fn next_outcome(&mut self) -> (SocketAddr, io::Result<TcpStream>) {
        poll_fn(|context| {
            // Every pending attempt is polled at each wake-up. They are as many as the name has
            // addresses, so few that one waker for all of them is enough.
            for (index, Attempt { address, stream }) in self.running.iter_mut().enumerate() {
                if let Poll::Ready(outcome) = stream.as_mut().poll(context) {
                    let outcome = (*address, outcome);
                    // A completed future must not be polled again. The order of the others has no
                    // meaning.
                    drop(self.running.swap_remove(index));
                    return Poll::Ready(outcome);
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Error of attempts that have all failed. One refusal decides: a host was reached.
    fn failure(self) -> TransportError {
        let attempts = self.failed;
        if attempts
            .iter()
            .any(|attempt| attempt.fault.kind == io::ErrorKind::ConnectionRefused)
        {
            TransportError::Refused { attempts }
        } else {
            TransportError::Unreachable { attempts }
        }
    }

    /// Addresses whose attempts have not failed yet.
    fn pending(&self) -> Vec<SocketAddr> {
        self.running
            .iter()
            .map(|attempt| attempt.address)
            .chain(self.waiting.iter().copied())
            .collect()
    }
}

/// Connects to one address.
async fn attempt(address: SocketAddr, local: LocalEnd) -> io::Result<TcpStream> {
    let stream = match local.address {
        None => TcpStream::connect(address).await?,
        Some(from) => local::socket(from)?.connect(address).await?,
    };
    // Without this an acknowledgement waits up to 40 ms for more bytes (Nagle's algorithm).
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Orders addresses by alternating IP versions, so that a version without a route delays one attempt
/// and not all of its addresses (RFC 8305, section 4).
fn alternating(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    // The resolver's first address decides which version begins; within a version its order is kept.
    let preferred = addresses.first().map(SocketAddr::is_ipv6);
    let (mut first, mut second): (VecDeque<_>, VecDeque<_>) = addresses
        .into_iter()
        .partition(|address| Some(address.is_ipv6()) == preferred);
    let mut turns = VecDeque::with_capacity(first.len() + second.len());
    while !first.is_empty() || !second.is_empty() {
        turns.extend(first.pop_front());
        turns.extend(second.pop_front());
    }
    turns
}

/// Delay between the beginnings of two attempts, as RFC 8305 recommends it (section 5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(5))
    }

    async fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// An address where nobody listens: a port that was ours a moment ago.
    async fn deserted() -> SocketAddr {
        listener().await.1
    }

    /// An address that doesn't answer: Linux drops a SYN that finds the backlog full.
    async fn black_hole() -> (Vec<TcpStream>, TcpListener, SocketAddr) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut fill = Vec::new();
        while let Ok(Ok(stream)) =
            timeout(Duration::from_millis(100), TcpStream::connect(address)).await
        {
            fill.push(stream);
        }
        (fill, listener, address)
    }

    #[tokio::test]
    async fn a_connection_opens_without_delay_on_small_packets() {
        let (_listener, address) = listener().await;

        let (stream, peer) = connect(vec![address], LocalEnd::default(), soon(), None)
            .await
            .unwrap();

        assert_eq!(peer, address);
        assert!(stream.nodelay().unwrap());
    }

    #[tokio::test]
    async fn a_refused_address_is_followed_by_the_next_one() {
        let (_listener, address) = listener().await;

        let addresses = vec![deserted().await, address];
        let (_stream, peer) = connect(addresses, LocalEnd::default(), soon(), None)
            .await
            .unwrap();

        assert_eq!(peer, address);
    }

    #[tokio::test]
    async fn the_error_names_all_addresses_if_all_refuse() {
        let addresses = vec![deserted().await, deserted().await];

        let error = connect(addresses.clone(), LocalEnd::default(), soon(), None)
            .await
            .unwrap_err();

        let TransportError::Refused { attempts } = error else {
            panic!("{error}")
        };
        assert_eq!(
            attempts
                .iter()
                .map(|attempt| attempt.address)
                .collect::<Vec<_>>(),
            addresses
        );
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_silent_address_holds_up_the_next_one_only_shortly() {
        let (_fill, _silent_listener, silent) = black_hole().await;
        let (_listener, address) = listener().await;

        let (_stream, peer) = connect(
            vec![silent, address],
            LocalEnd::default(),
            Deadline::after(Duration::from_millis(900)),
            None,
        )
        .await
        .unwrap();

        assert_eq!(peer, address);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_deadline_ends_the_attempt_if_no_address_answers() {
        let (_fill, _listener, silent) = black_hole().await;
        let after = Duration::from_millis(50);

        let error = connect(
            vec![silent],
            LocalEnd::default(),
            Deadline::after(after),
            None,
        )
        .await
        .unwrap_err();

        assert_eq!(
            error,
            TransportError::TimedOut {
                stage: Stage::Tcp,
                after,
                addresses: vec![silent]
            }
        );
    }

    #[test]
    fn addresses_alternate_between_families_and_begin_with_the_first_of_the_system() {
        let parse = |texts: &[&str]| -> Vec<SocketAddr> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };

        let turns = alternating(parse(&[
            "[::1]:1",
            "[::2]:1",
            "[::3]:1",
            "1.1.1.1:1",
            "2.2.2.2:1",
        ]));

        assert_eq!(
            turns,
            parse(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"])
        );
    }
}
