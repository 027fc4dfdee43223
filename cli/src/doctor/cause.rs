//! `conclusion`: the one sentence that names the cause, from the outcomes of several ways to connect.

use dunlin_client::transport::IpVersion;

use super::change::Change;
use crate::diagnosis::{Diagnosis, Id, RunContext};
use crate::exit::Exit;

/// Way to connect, and its outcome.
#[derive(Clone, Debug)]
pub(super) struct Tried {
    pub(super) change: Change,
    pub(super) outcome: Outcome,
}

/// Outcome of one way to connect.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    /// Failure; `None` if the server has accepted the connection.
    pub(super) failure: Option<Diagnosis>,
    /// True if the server has selected none of the ALPN protocols that were offered.
    pub(super) ignores_alpn: bool,
}

impl Outcome {
    fn is_ok(&self) -> bool {
        self.failure.is_none()
    }

    fn exit(&self) -> Option<Exit> {
        self.failure.as_ref().map(|failure| failure.id.exit())
    }

    /// Id and headline of the failure, without a second sentence.
    fn words(&self) -> String {
        match &self.failure {
            Some(failure) => {
                let headline = failure.headline.split("; ").next().unwrap_or_default();
                format!("{headline} [{}]", failure.id.name())
            }
            None => "it works".to_owned(),
        }
    }
}

/// Names the cause in one sentence, without a full stop. The first of `tried` is the check itself.
pub(super) fn conclusion(context: &RunContext, tried: &[Tried]) -> String {
    let Some((given, others)) = tried.split_first() else {
        return "nothing was tried".to_owned();
    };
    let ways = Ways {
        context,
        given: &given.outcome,
        others,
    };
    match given.outcome.exit() {
        None => ways.working(),
        // The server has accepted the connection, so no other way would change the failure.
        Some(Exit::Denied | Exit::Lost | Exit::TimedOut | Exit::Protocol)
            if ways.others.iter().any(|way| way.outcome.is_ok()) =>
        {
            format!(
                "the connection works, and the cause comes after it: {}",
                given.outcome.words()
            )
        }
        Some(_) => ways.failing(),
    }
}

/// Outcomes of all ways.
struct Ways<'a> {
    context: &'a RunContext,
    given: &'a Outcome,
    others: &'a [Tried],
}

impl Ways<'_> {
    fn of(&self, change: &Change) -> Option<&Outcome> {
        let way = self.others.iter().find(|way| way.change == *change)?;
        Some(&way.outcome)
    }

    fn works(&self, change: &Change) -> bool {
        self.of(change).is_some_and(Outcome::is_ok)
    }

    /// Sentence about a check that has passed: the ways that would have failed.
    fn working(&self) -> String {
        // Few servers are at another port as well, or speak WebSocket.
        let notes: Vec<String> = self
            .others
            .iter()
            .filter(|way| !way.outcome.is_ok() && way.change.port().is_none())
            .map(|way| self.limit(way))
            .collect();
        if notes.is_empty() {
            "nothing is wrong: the connection works as given".to_owned()
        } else {
            format!("the connection works as given; {}", notes.join("; "))
        }
    }

    /// Words about a way that fails while the flags as given work.
    fn limit(&self, way: &Tried) -> String {
        match &way.change {
            Change::Direct => "it needs the proxy".to_owned(),
            Change::Alpn(None) => format!(
                "it needs ALPN {}",
                self.context.alpn_offered.as_deref().unwrap_or("mqtt")
            ),
            Change::Alpn(Some(name)) => format!("the server takes no ALPN {name}"),
            Change::Ip(IpVersion::V6) => "IPv6 is broken or not offered".to_owned(),
            Change::Ip(_) => "IPv4 is broken or not offered".to_owned(),
            Change::Port(_) | Change::WebSocket(_) | Change::None => way.outcome.words(),
        }
    }

    /// Sentence about a check that has failed: the change that would mend it, if there is one.
    fn failing(&self) -> String {
        // One change after another is looked at, from those that explain most.
        let words = self.given.words();
        let id = self.given.failure.as_ref().map(|failure| failure.id);
        // The proxy comes first: what it does to a connection looks like other faults.
        if self.works(&Change::Direct) {
            let strips_alpn = self.given.ignores_alpn || id == Some(Id::Alpn);
            return match id {
                _ if strips_alpn => "the proxy strips ALPN: without it the connection works".into(),
                Some(Id::TlsIntercepted) => {
                    "the proxy decrypts TLS: without it the connection works".into()
                }
                _ => format!("the proxy is the cause ({words}): without it the connection works"),
            };
        }
        let is_websocket = |change: &Change| matches!(change, Change::WebSocket(_));
        let works_as_websocket = self.first_that_works(is_websocket).is_some();
        if self.context.proxy.is_some() && self.given.ignores_alpn && works_as_websocket {
            return "the proxy strips ALPN: over WebSocket the connection works".to_owned();
        }
        // One IP version works alone where both together fail.
        for (version, other) in [(IpVersion::V4, "IPv6"), (IpVersion::V6, "IPv4")] {
            if self.works(&Change::Ip(version)) {
                let flag = if version == IpVersion::V4 { "-4" } else { "-6" };
                return format!("{other} is broken ({words}): with {flag} the connection works");
            }
        }
        if let Some(Change::Port(port)) =
            self.first_that_works(|change| matches!(change, Change::Port(_)))
        {
            let given = self.context.port;
            return match self.given.exit() {
                Some(Exit::Unreachable) => format!("port {given} is blocked, {port} works"),
                _ => format!("port {given} is the cause ({words}): {port} works"),
            };
        }
        // The other choice of ALPN, and then the transport that needs none.
        match self.first_that_works(|change| matches!(change, Change::Alpn(_))) {
            Some(Change::Alpn(Some(name))) => {
                return format!("the server needs ALPN: with --alpn {name} the connection works");
            }
            Some(_) => {
                let name = self.context.alpn_offered.as_deref().unwrap_or_default();
                return format!(
                    "the server takes no ALPN {name}: with --alpn none the connection works"
                );
            }
            None if works_as_websocket => {
                return format!("MQTT over TLS is the cause ({words}): over WebSocket it works");
            }
            None => {}
        }
        self.everywhere(&words)
    }

    fn first_that_works(&self, is_of_kind: impl Fn(&Change) -> bool) -> Option<&Change> {
        let mut working = self.others.iter().filter(|way| way.outcome.is_ok());
        working
            .find(|way| is_of_kind(&way.change))
            .map(|way| &way.change)
    }

    /// Sentence about a failure that no change mends: how far the connection comes.
    fn everywhere(&self, words: &str) -> String {
        let id = self.given.failure.as_ref().map(|failure| failure.id);
        match (self.given.exit(), id) {
            (Some(Exit::Unreachable), Some(Id::Dns)) => {
                format!("the name of the server is the cause: {words}")
            }
            (Some(Exit::Unreachable), Some(Id::Proxy)) => {
                format!("neither the proxy nor a direct connection leads to the server: {words}")
            }
            (Some(Exit::Unreachable), _) => {
                format!("no way leads to the server, which is down or behind a firewall: {words}")
            }
            (Some(Exit::Tls), _) => {
                format!("the server is reached, and TLS is the cause on every way: {words}")
            }
            (Some(Exit::NotAuthorized | Exit::Refused), _) => {
                format!("the network is fine, and the server refuses this client: {words}")
            }
            _ => format!("every way fails: {words}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::test_context;

    fn tried(change: Change, failure: Option<Id>) -> Tried {
        let failure = failure.map(|id| Diagnosis::new(id, "it failed"));
        Tried {
            change,
            outcome: Outcome {
                failure,
                ignores_alpn: false,
            },
        }
    }

    /// Conclusion from the failure of the check and those of other ways.
    fn of(given: Option<Id>, others: &[(Change, Option<Id>)]) -> String {
        let others = others
            .iter()
            .map(|(change, failure)| tried(change.clone(), *failure));
        let all: Vec<Tried> = std::iter::once(tried(Change::None, given))
            .chain(others)
            .collect();
        conclusion(&test_context("iot.example"), &all)
    }

    #[test]
    fn each_pattern_of_outcomes_names_its_cause() {
        let (v4, v6) = (Change::Ip(IpVersion::V4), Change::Ip(IpVersion::V6));
        let (no_alpn, port) = (Change::Alpn(None), Change::Port(8883));
        let alpn = Change::Alpn(Some("mqtt".to_owned()));
        let timeout = Some(Id::ConnectTimeout);
        type Row<'a> = (Option<Id>, &'a [(Change, Option<Id>)], &'static str);
        let table: [Row<'_>; 16] = [
            (
                Some(Id::Alpn),
                &[(Change::Direct, None), (no_alpn.clone(), Some(Id::Alpn))],
                "the proxy strips ALPN: without it the connection works",
            ),
            (
                Some(Id::Proxy),
                &[(Change::Direct, None)],
                "the proxy is the cause (it failed [E-PROXY]): without it the connection works",
            ),
            (
                Some(Id::TlsIntercepted),
                &[(Change::Direct, None)],
                "the proxy decrypts TLS: without it the connection works",
            ),
            (
                timeout,
                &[
                    (v4.clone(), timeout),
                    (v6.clone(), timeout),
                    (port.clone(), None),
                ],
                "port 443 is blocked, 8883 works",
            ),
            (
                timeout,
                &[(v4.clone(), None), (v6.clone(), timeout)],
                "IPv6 is broken (it failed [E-CONNECT-TIMEOUT]): with -4 the connection works",
            ),
            (
                timeout,
                &[(v4.clone(), timeout), (v6.clone(), None)],
                "IPv4 is broken (it failed [E-CONNECT-TIMEOUT]): with -6 the connection works",
            ),
            (
                None,
                &[(v4.clone(), None), (v6.clone(), Some(Id::Refused))],
                "the connection works as given; IPv6 is broken or not offered",
            ),
            (
                None,
                &[(Change::Direct, timeout), (no_alpn.clone(), Some(Id::Alpn))],
                "the connection works as given; it needs the proxy; it needs ALPN mqtt",
            ),
            (
                None,
                &[(v4.clone(), None), (v6.clone(), None)],
                "nothing is wrong: the connection works as given",
            ),
            (
                Some(Id::Hangup),
                &[(alpn, None)],
                "the server needs ALPN: with --alpn mqtt the connection works",
            ),
            (
                Some(Id::Alpn),
                &[(no_alpn.clone(), None)],
                "the server takes no ALPN mqtt: with --alpn none the connection works",
            ),
            (
                timeout,
                &[(port.clone(), timeout), (Change::WebSocket(443), None)],
                "MQTT over TLS is the cause (it failed [E-CONNECT-TIMEOUT]): over WebSocket it works",
            ),
            (
                None,
                &[(port.clone(), timeout), (Change::WebSocket(443), timeout)],
                "nothing is wrong: the connection works as given",
            ),
            (
                Some(Id::SubDenied),
                &[(v4.clone(), None)],
                "the connection works, and the cause comes after it: it failed [E-SUB-DENIED]",
            ),
            (
                Some(Id::AuthDenied),
                &[
                    (v4.clone(), Some(Id::AuthDenied)),
                    (no_alpn, Some(Id::Alpn)),
                ],
                "the network is fine, and the server refuses this client: it failed [E-AUTH-DENIED]",
            ),
            (
                Some(Id::Refused),
                &[
                    (v4, Some(Id::Refused)),
                    (v6, Some(Id::Refused)),
                    (port, timeout),
                ],
                "no way leads to the server, which is down or behind a firewall: it failed [E-REFUSED]",
            ),
        ];
        for (given, others, sentence) in table {
            println!("{sentence}");
            assert_eq!(of(given, others), sentence);
        }
    }
}
