//! `ClientOptions`: server, CONNECT, provider and reconnection of a client.

use std::time::Duration;

use dunlin_codec::SubscriptionIdentifier;

use crate::options::ConnectOptions;
use crate::policy::CleanStart;
use crate::runtime::backoff::{Backoff, Reconnect};
use crate::runtime::driver::DriverOptions;
use crate::runtime::observer::Observer;
use crate::runtime::provider::{Provider, Target};
use crate::runtime::router::LAST_IDENTIFIER;
use crate::transport::TransportOptions;

/// Options of a [`Client`](crate::Client).
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// Address of the server, TLS and proxy.
    pub transport: TransportOptions,
    /// Content of CONNECT, and the limits and policies of the client.
    pub connect: ConnectOptions,
    /// Provider that is asked before every attempt to connect. Default: one that returns address,
    /// user name and password of these options.
    pub provider: Provider,
    /// Timeout of one call to the provider. Default: 30 s.
    pub provide_within: Duration,
    /// Delays between attempts to connect, and the failures that are followed by another attempt.
    pub reconnect: Reconnect,
    /// Timeout of the first connection in [`Client::connect`](crate::Client::connect). Default:
    /// 60 s.
    pub connect_within: Duration,
    /// Callback invoked for every packet sent or received. Default: `None`.
    pub observer: Option<Observer>,
    /// Subscription Identifier of the first SUBSCRIBE (§3.8.2.1.2); later ones count on from it.
    /// Default: `None`, for 1, or for a random number where the client continues a session, whose
    /// subscriptions may have any identifiers.
    ///
    /// A server without Subscription Identifiers
    /// ([`ServerLimits::subscription_identifier_available`](crate::ServerLimits::subscription_identifier_available))
    /// gets none.
    pub first_subscription_identifier: Option<SubscriptionIdentifier>,
}

impl Default for ClientOptions {
    /// [`new`](Self::new) with the defaults of both arguments: plain TCP to `localhost`, port 1883,
    /// and a client identifier that the server assigns.
    fn default() -> Self {
        Self::new(TransportOptions::default(), ConnectOptions::default())
    }
}

impl ClientOptions {
    /// Options with the defaults of all other fields.
    #[must_use]
    pub fn new(transport: TransportOptions, connect: ConnectOptions) -> Self {
        Self {
            transport,
            connect,
            provider: Provider::default(),
            provide_within: Duration::from_secs(30),
            reconnect: Reconnect::default(),
            connect_within: Duration::from_secs(60),
            observer: None,
            first_subscription_identifier: None,
        }
    }

    /// First subscription identifier of the client. The server of a session that was begun elsewhere
    /// may know identifiers from there: those of this client are likely to be others.
    pub(super) fn first_identifier(&self, clean_start: CleanStart) -> u32 {
        match (self.first_subscription_identifier, clean_start) {
            (Some(first), _) => first.get(),
            (None, CleanStart::First | CleanStart::Always) => 1,
            // A resumed session may have subscriptions with identifiers that this process doesn't
            // know. A random beginning makes it unlikely that a new one equals one of them.
            (None, CleanStart::Never) => fastrand::u32(1..=LAST_IDENTIFIER),
        }
    }

    /// Observer, and the options of the driver. No delay is shorter than the service allows.
    pub(super) fn into_driver_options(self) -> (Option<Observer>, DriverOptions) {
        // A service that limits the rate of connecting raises the shortest delays, and the longest
        // ones with them.
        let limits = self.connect.limits;
        let connect_interval = limits.map_or(Duration::ZERO, |limits| limits.connect_interval);
        let mut reconnect = self.reconnect;
        reconnect.min_delay = reconnect.min_delay.max(connect_interval);
        reconnect.slow_min_delay = reconnect.slow_min_delay.max(connect_interval);
        if limits.is_some() {
            reconnect.max_delay = reconnect.max_delay.max(reconnect.min_delay);
            reconnect.slow_max_delay = reconnect.slow_max_delay.max(reconnect.slow_min_delay);
        }
        let options = DriverOptions {
            target: Target::new(self.transport, self.connect.username, self.connect.password),
            provider: self.provider,
            provide_within: self.provide_within,
            backoff: Backoff::new(reconnect),
            connect_interval,
        };
        (self.observer, options)
    }
}
