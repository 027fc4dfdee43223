//! What AWS IoT Core punishes with a disconnect or drops in silence, refused here before it is
//! sent.

use std::time::Duration;

use dunlin_codec::{QoS, SubscriptionOptions};

use super::limits::{LimitError, check_client_id};
use crate::engine::Pace;
use crate::message::Message;
use crate::options::ConnectOptions;
use crate::will::Will;

/// The service's limits, as its quota page has them. Some can be raised for an account: the fields
/// are for that.
///
/// The `$aws/rules/<rule>/` of Basic Ingest counts in no topic, and the `$share/<name>/` of a
/// shared subscription in no filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceLimits {
    /// Bytes of a payload.
    pub payload: usize,
    /// Bytes of a topic name or filter.
    pub topic: usize,
    /// Slashes in it.
    pub slashes: usize,
    /// Bytes of a share name.
    pub share_name: usize,
    /// Filters in one SUBSCRIBE.
    pub filters: usize,
    /// Subscriptions of one connection.
    pub subscriptions: usize,
    /// The shortest keep alive in seconds. A shorter one the service would replace.
    pub shortest_keep_alive: u16,
    /// The longest keep alive in seconds. A longer one, or none, the service would replace.
    pub longest_keep_alive: u16,
    /// Between two CONNECTs of one client identifier: [`Reconnect::min_delay`](crate::Reconnect)
    /// is at least this.
    pub connect_interval: Duration,
    /// The highest QoS; a SUBSCRIBE or PUBLISH above it is never answered.
    pub maximum_qos: QoS,
}

/// A limit of the service that has a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// Bytes of a payload.
    Payload,
    /// Bytes of a topic name or filter.
    Topic,
    /// Slashes in it.
    Slashes,
    /// Bytes of a share name.
    ShareName,
    /// Filters in one SUBSCRIBE.
    Filters,
    /// Subscriptions of one connection.
    Subscriptions,
    /// The QoS.
    QoS,
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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

/// AWS IoT Core closes connections over messages that it doesn't like: not allowed by the policy,
/// too large, malformed. One that was repeated twice and met a closed connection each time would do
/// so for ever.
pub const POISON_GUARD: Option<u32> = Some(3);

/// 100 messages and 512 KiB a second, both ways together: what a connection to AWS IoT Core
/// carries.
pub const PACE: Pace = Pace {
    messages: 100,
    bytes: 512 * 1024,
};

impl Default for ServiceLimits {
    fn default() -> Self {
        Self {
            payload: 128 * 1024,
            topic: 256,
            slashes: 7,
            share_name: 128,
            filters: 8,
            subscriptions: 50,
            shortest_keep_alive: 30,
            longest_keep_alive: 1200,
            connect_interval: Duration::from_secs(1),
            maximum_qos: QoS::AtLeastOnce,
        }
    }
}

impl ConnectOptions {
    /// For AWS IoT Core: the service's limits are refused here, its rates are kept, and a message
    /// that it closes connections over is found out ([`poison_guard`](Self::poison_guard)). The
    /// rest is as in [`ConnectOptions::new`], so the session outlives connections for an hour,
    /// which is what the service allows.
    ///
    /// ```
    /// use dunlin_client::aws::PACE;
    /// use dunlin_client::ConnectOptions;
    ///
    /// let options = ConnectOptions::for_aws_iot("lamp-7");
    /// assert_eq!(options.pace, Some(PACE));
    /// options.check()?;
    /// # Ok::<(), dunlin_client::OptionsError>(())
    /// ```
    #[must_use]
    pub fn for_aws_iot(client_id: impl Into<String>) -> Self {
        Self {
            limits: Some(ServiceLimits::default()),
            pace: Some(PACE),
            poison_guard: POISON_GUARD,
            ..Self::new(client_id)
        }
    }
}

impl ServiceLimits {
    /// Whether the service takes such a CONNECT as it is.
    pub(crate) fn check_connect(
        &self,
        options: &ConnectOptions,
        client_id: &str,
        keep_alive: u16,
    ) -> Result<(), LimitError> {
        check_client_id(client_id)?;
        let (seconds, min, max) = (
            keep_alive,
            self.shortest_keep_alive,
            self.longest_keep_alive,
        );
        if !(min..=max).contains(&seconds) {
            return Err(LimitError::KeepAlive { seconds, min, max });
        }
        match &options.will {
            Some(Will {
                topic,
                payload,
                qos,
                ..
            }) => self.check_message(&Message::new(topic, payload).qos(*qos)),
            None => Ok(()),
        }
    }

    /// Whether the service takes such a message.
    pub(crate) fn check_message(&self, message: &Message<'_>) -> Result<(), LimitError> {
        self.check_qos(message.qos)?;
        within(Limit::Payload, message.payload.len(), self.payload)?;
        self.check_topic(behind_rule(message.topic))
    }

    /// Whether the service takes such a SUBSCRIBE on a connection that will have so many
    /// `subscriptions` with it.
    pub(crate) fn check_subscribe(
        &self,
        filters: &[(&str, SubscriptionOptions)],
        subscriptions: usize,
    ) -> Result<(), LimitError> {
        within(Limit::Filters, filters.len(), self.filters)?;
        within(Limit::Subscriptions, subscriptions, self.subscriptions)?;
        filters.iter().try_for_each(|(filter, options)| {
            self.check_qos(options.qos)?;
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

/// What counts of a topic: what Basic Ingest puts before it doesn't.
fn behind_rule(topic: &str) -> &str {
    let rest = topic
        .strip_prefix("$aws/rules/")
        .and_then(|rest| rest.split_once('/'));
    rest.map_or(topic, |(_, topic)| topic)
}

/// The share name, empty if there is none, and the filter behind it.
fn split_share(filter: &str) -> (&str, &str) {
    filter
        .strip_prefix("$share/")
        .and_then(|rest| rest.split_once('/'))
        .unwrap_or(("", filter))
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
        let publish = |topic: &str, payload: usize| {
            LIMITS().check_message(&Message::new(topic, vec![0; payload]).qos(QoS::AtLeastOnce))
        };
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
        let twice = Message::new("a", "").qos(QoS::ExactlyOnce);
        assert_eq!(LIMITS().check_message(&twice), exceeded(Limit::QoS, 2, 1));
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
    fn a_connect_says_only_what_the_service_takes() {
        let check = |client_id: &str, seconds: u16, will: Option<Will>| {
            let mut options = ConnectOptions::new(client_id);
            options.will = will;
            LIMITS().check_connect(&options, client_id, seconds)
        };
        assert_eq!(check("lamp", 30, None), Ok(()));
        assert_eq!(check("lamp", 1200, None), Ok(()));
        for seconds in [0, 29, 1201] {
            let fault = LimitError::KeepAlive {
                seconds,
                min: 30,
                max: 1200,
            };
            assert_eq!(check("lamp", seconds, None), Err(fault));
        }
        assert_eq!(check("$lamp", 60, None), Err(LimitError::ReservedClientId));
        assert!(matches!(
            check(&"x".repeat(129), 60, None),
            Err(LimitError::Length { max: 128, .. })
        ));
        let will = Will {
            qos: QoS::ExactlyOnce,
            ..Will::new("gone", "")
        };
        assert_eq!(check("lamp", 60, Some(will)), exceeded(Limit::QoS, 2, 1));
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
