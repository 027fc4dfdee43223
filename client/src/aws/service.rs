//! Presets for AWS IoT Core: its limits and its rate, given to the client as values. The service
//! answers what exceeds them with a disconnect, or drops it without an answer.

use std::time::Duration;

use dunlin_codec::QoS;

use crate::limits::{Pace, ServiceLimits};
use crate::options::ConnectOptions;

/// Number of connections in a row that AWS IoT Core closes before a message on the wire counts as
/// the reason ([`ConnectOptions::poison_guard`]): the service closes connections over messages that
/// the policy doesn't allow, that are too large or malformed, and would do so for each repetition.
pub const POISON_GUARD: Option<u32> = Some(3);

/// Rate of a connection to AWS IoT Core: 100 messages and 512 KiB a second, both directions
/// together.
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
    /// Options for AWS IoT Core: the client checks the service's limits, keeps to its rate, and gives
    /// up messages over which the service closes connections
    /// ([`poison_guard`](Self::poison_guard)). The rest is as in [`ConnectOptions::new`], so the
    /// session outlives connections for an hour, which is what the service allows.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::OptionsError;
    use crate::limits::{Limit, LimitError};
    use crate::will::Will;

    fn exceeded(limit: Limit, value: usize, max: usize) -> Result<(), LimitError> {
        Err(LimitError::Exceeded { limit, value, max })
    }

    #[test]
    fn a_connect_says_only_what_the_service_takes() {
        let check = |client_id: &str, seconds: u16, will: Option<Will>| {
            let mut options = ConnectOptions::new(client_id);
            options.will = will;
            options.keep_alive = Duration::from_secs(seconds.into());
            options.limits = Some(ServiceLimits::default());
            match options.check() {
                Ok(()) => Ok(()),
                Err(OptionsError::Limit(error)) => Err(error),
                Err(other) => panic!("{other}"),
            }
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
}
