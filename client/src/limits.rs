//! Limits of a service and their checks: values that are given to the engine. The presets for AWS IoT
//! Core are in `aws/service.rs`.

use std::fmt;
use std::time::Duration;

use dunlin_codec::{QoS, SubscriptionOptions, TopicFilter};

/// Maximum size of a Client Identifier in bytes.
pub(crate) const MAX_CLIENT_ID: usize = 128;

/// Rate limit of a connection for messages in both directions together. The messages of one second
/// may be sent at once.
///
/// Messages above the limit wait in the queue, whose own limits hold. Received messages count too,
/// but at least one message a second is sent whatever is received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// PUBLISH packets a second; at least 1.
    pub messages: u32,
    /// Bytes of PUBLISH packets a second; at least 1.
    pub bytes: u32,
}

/// Limits of a service, which the client checks before it sends anything. The default is the quota
/// page of AWS IoT Core; some of its limits can be raised for an account.
///
/// The `$aws/rules/<rule>/` of Basic Ingest doesn't count in a topic, nor the `$share/<name>/` of a
/// shared subscription in a filter.
///
/// ```
/// use dunlin_client::ConnectOptions;
/// use dunlin_client::aws::ServiceLimits;
///
/// // The account's quota of subscriptions was raised.
/// let mut options = ConnectOptions::for_aws_iot("lamp-7");
/// options.limits = Some(ServiceLimits {
///     subscriptions: 100,
///     ..ServiceLimits::default()
/// });
/// assert_eq!(ServiceLimits::default().payload, 128 * 1024);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceLimits {
    /// Maximum size of a payload in bytes.
    pub payload: usize,
    /// Maximum size of a topic name or filter in bytes.
    pub topic: usize,
    /// Maximum number of slashes in a topic name or filter.
    pub slashes: usize,
    /// Maximum size of a share name in bytes.
    pub share_name: usize,
    /// Maximum number of filters in one SUBSCRIBE.
    pub filters: usize,
    /// Maximum number of subscriptions of one connection.
    pub subscriptions: usize,
    /// Minimum keep alive in seconds. The service replaces a shorter one.
    pub shortest_keep_alive: u16,
    /// Maximum keep alive in seconds. The service replaces a longer one, or none.
    pub longest_keep_alive: u16,
    /// Minimum time between two CONNECTs of one client identifier.
    /// [`Reconnect::min_delay`](crate::Reconnect) is at least this.
    pub connect_interval: Duration,
    /// Maximum QoS; the service never answers a SUBSCRIBE or PUBLISH above it.
    pub maximum_qos: QoS,
}

/// Limit of a service that is a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// Size of a payload in bytes.
    Payload,
    /// Size of a topic name or filter in bytes.
    Topic,
    /// Number of slashes in a topic name or filter.
    Slashes,
    /// Size of a share name in bytes.
    ShareName,
    /// Number of filters in one SUBSCRIBE.
    Filters,
    /// Number of subscriptions of one connection.
    Subscriptions,
    /// Quality of service.
    QoS,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Payload => "bytes of payload",
            Self::Topic => "bytes of a topic",
            Self::Slashes => "slashes in a topic",
            Self::ShareName => "bytes of a share name",
            Self::Filters => "filters in one SUBSCRIBE",
            Self::Subscriptions => "subscriptions of one connection",
            Self::QoS => "as QoS",
        })
    }
}

/// Value that a client presents to a custom authorizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Field {
    /// Part of the user name before the query.
    UserName,
    /// Password.
    Password,
    /// Client Identifier.
    ClientId,
    /// Name of the custom authorizer.
    AuthorizerName,
    /// Name of the parameter that carries the token.
    TokenKeyName,
    /// Token.
    TokenValue,
    /// Signature of the token.
    Signature,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UserName => "user name",
            Self::Password => "password",
            Self::ClientId => "client id",
            Self::AuthorizerName => "authorizer name",
            Self::TokenKeyName => "token key name",
            Self::TokenValue => "token value",
            Self::Signature => "token signature",
        })
    }
}

/// Error of a value that a service doesn't accept. It doesn't contain the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// The value is empty, or longer than allowed.
    #[error("the {field} has a length of {length}, but AWS IoT Core takes 1 to {max}")]
    Length {
        /// Name of the value.
        field: Field,
        /// Length of the value, in bytes for the client identifier and else in characters.
        length: usize,
        /// Maximum length.
        max: usize,
    },
    /// The value has a character that isn't allowed.
    #[error("the {field} may hold only {allowed}")]
    Characters {
        /// Name of the value.
        field: Field,
        /// Allowed characters, in words.
        allowed: &'static str,
    },
    /// A number is above a limit.
    #[error("{value} {limit}, but AWS IoT Core takes {max}")]
    Exceeded {
        /// Name of the limit.
        limit: Limit,
        /// Number.
        value: usize,
        /// Maximum.
        max: usize,
    },
    /// The service would replace the Keep Alive by another.
    #[error("a keep alive of {seconds} s, but AWS IoT Core takes {min} to {max}")]
    KeepAlive {
        /// Keep Alive in seconds; 0 means none.
        seconds: u16,
        /// Minimum in seconds.
        min: u16,
        /// Maximum in seconds.
        max: u16,
    },
    /// The Client Identifier begins with `$`.
    #[error("a client id that begins with '$' is reserved by AWS IoT Core")]
    ReservedClientId,
}

/// Checks a Client Identifier against the quota of AWS IoT Core: 1 to 128 bytes, and no `$` at the
/// beginning.
///
/// ```
/// use dunlin_client::aws::{LimitError, check_client_id};
///
/// assert_eq!(check_client_id("lamp-7"), Ok(()));
/// assert_eq!(check_client_id("$lamp"), Err(LimitError::ReservedClientId));
/// ```
///
/// # Errors
/// [`LimitError::Length`], [`LimitError::ReservedClientId`].
pub fn check_client_id(client_id: &str) -> Result<(), LimitError> {
    // The limits are those of the quota page; an identifier with `$` is reserved.
    let length = client_id.len();
    if !(1..=MAX_CLIENT_ID).contains(&length) {
        return Err(LimitError::Length {
            field: Field::ClientId,
            length,
            max: MAX_CLIENT_ID,
        });
    }
    if client_id.starts_with('$') {
        return Err(LimitError::ReservedClientId);
    }
    Ok(())
}

impl ServiceLimits {
    /// Checks a CONNECT, without its will.
    pub(crate) fn check_connect(&self, client_id: &str, keep_alive: u16) -> Result<(), LimitError> {
        check_client_id(client_id)?;
        let (seconds, min, max) = (
            keep_alive,
            self.shortest_keep_alive,
            self.longest_keep_alive,
        );
        if !(min..=max).contains(&seconds) {
            return Err(LimitError::KeepAlive { seconds, min, max });
        }
        Ok(())
    }

    /// Checks a message with this topic, size of the payload in bytes, and QoS.
    pub(crate) fn check_message(
        &self,
        topic: &str,
        payload: usize,
        qos: QoS,
    ) -> Result<(), LimitError> {
        self.check_qos(qos)?;
        within(Limit::Payload, payload, self.payload)?;
        // For Basic Ingest, topic and slashes are counted after the name of the rule.
        self.check_topic(behind_rule(topic))
    }

    /// Checks a SUBSCRIBE on a connection that will have this number of `subscriptions` with it.
    pub(crate) fn check_subscribe(
        &self,
        filters: &[(&str, SubscriptionOptions)],
        subscriptions: usize,
    ) -> Result<(), LimitError> {
        within(Limit::Filters, filters.len(), self.filters)?;
        within(Limit::Subscriptions, subscriptions, self.subscriptions)?;
        filters.iter().try_for_each(|(filter, options)| {
            self.check_qos(options.qos)?;
            // The share name has a limit of its own, and isn't part of the filter's length.
            let (share_name, filter) = split_share(filter);
            within(Limit::ShareName, share_name.len(), self.share_name)?;
            self.check_topic(behind_rule(filter))
        })
    }

    fn check_qos(&self, qos: QoS) -> Result<(), LimitError> {
        within(
            Limit::QoS,
            qos.level().into(),
            self.maximum_qos.level().into(),
        )
    }

    fn check_topic(&self, topic: &str) -> Result<(), LimitError> {
        within(Limit::Topic, topic.len(), self.topic)?;
        within(
            Limit::Slashes,
            topic.bytes().filter(|byte| *byte == b'/').count(),
            self.slashes,
        )
    }
}

fn within(limit: Limit, value: usize, max: usize) -> Result<(), LimitError> {
    if value > max {
        Err(LimitError::Exceeded { limit, value, max })
    } else {
        Ok(())
    }
}

/// Topic without the prefix of Basic Ingest, which doesn't count.
fn behind_rule(topic: &str) -> &str {
    let rest = topic
        .strip_prefix("$aws/rules/")
        .and_then(|rest| rest.split_once('/'));
    rest.map_or(topic, |(_, topic)| topic)
}

/// Share name, empty if there is none, and the filter after it.
fn split_share(filter: &str) -> (&str, &str) {
    let Ok(checked) = TopicFilter::new(filter) else {
        return ("", filter);
    };
    match checked.share_name() {
        Some(name) => (name, checked.without_share().as_str()),
        None => ("", filter),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: fn() -> ServiceLimits = ServiceLimits::default;

    fn exceeded(limit: Limit, value: usize, max: usize) -> Result<(), LimitError> {
        Err(LimitError::Exceeded { limit, value, max })
    }

    fn options(qos: QoS) -> SubscriptionOptions {
        SubscriptionOptions {
            qos,
            ..SubscriptionOptions::default()
        }
    }

    #[test]
    fn a_message_may_be_as_large_as_the_service_says_and_no_larger() {
        let publish =
            |topic: &str, payload: usize| LIMITS().check_message(topic, payload, QoS::AtLeastOnce);
        assert_eq!(publish("a", 131_072), Ok(()));
        assert_eq!(
            publish("a", 131_073),
            exceeded(Limit::Payload, 131_073, 131_072)
        );
        assert_eq!(publish(&"a".repeat(256), 0), Ok(()));
        assert_eq!(
            publish(&"a".repeat(257), 0),
            exceeded(Limit::Topic, 257, 256)
        );
        assert_eq!(
            publish(&"é".repeat(129), 0),
            exceeded(Limit::Topic, 258, 256)
        );
        assert_eq!(publish("1/2/3/4/5/6/7/8", 0), Ok(()));
        assert_eq!(
            publish("1/2/3/4/5/6/7/8/9", 0),
            exceeded(Limit::Slashes, 8, 7)
        );
        assert_eq!(
            publish("$aws/rules/my-rule/1/2/3/4/5/6/7/8", 0),
            Ok(()),
            "Basic Ingest is free"
        );
        let exactly_once = LIMITS().check_message("a", 0, QoS::ExactlyOnce);
        assert_eq!(exactly_once, exceeded(Limit::QoS, 2, 1));
    }

    #[test]
    fn a_subscribe_may_be_as_large_as_the_service_says_and_no_larger() {
        let subscribe = |filters: &[&str], subscriptions| {
            let filters: Vec<_> = filters
                .iter()
                .map(|each| (*each, options(QoS::AtLeastOnce)))
                .collect();
            LIMITS().check_subscribe(&filters, subscriptions)
        };
        assert_eq!(subscribe(&["a"; 8], 50), Ok(()));
        assert_eq!(subscribe(&["a"; 9], 9), exceeded(Limit::Filters, 9, 8));
        assert_eq!(
            subscribe(&["a"], 51),
            exceeded(Limit::Subscriptions, 51, 50)
        );
        let shared = |name: usize, filter: usize| {
            format!("$share/{}/{}", "n".repeat(name), "f".repeat(filter))
        };
        assert_eq!(subscribe(&[&shared(128, 256)], 1), Ok(()));
        assert_eq!(
            subscribe(&[&shared(129, 1)], 1),
            exceeded(Limit::ShareName, 129, 128)
        );
        assert_eq!(
            subscribe(&[&shared(1, 257)], 1),
            exceeded(Limit::Topic, 257, 256)
        );
        assert_eq!(subscribe(&["$share/g/1/2/3/4/5/6/7/#"], 1), Ok(()));
        assert_eq!(
            subscribe(&["1/2/3/4/5/6/7/8/#"], 1),
            exceeded(Limit::Slashes, 8, 7)
        );
        let unanswered = LIMITS().check_subscribe(&[("a", options(QoS::ExactlyOnce))], 1);
        assert_eq!(unanswered, exceeded(Limit::QoS, 2, 1));
    }

    #[test]
    fn an_error_names_the_limit_and_its_value() {
        let fault = LimitError::Exceeded {
            limit: Limit::Slashes,
            value: 8,
            max: 7,
        };
        assert_eq!(
            fault.to_string(),
            "8 slashes in a topic, but AWS IoT Core takes 7"
        );
        let fault = LimitError::KeepAlive {
            seconds: 0,
            min: 30,
            max: 1200,
        };
        assert_eq!(
            fault.to_string(),
            "a keep alive of 0 s, but AWS IoT Core takes 30 to 1200"
        );
    }
}
