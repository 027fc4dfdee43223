//! Receive Maximum of this client: smaller for some time after messages did not fit into the memory
//! budget.

use crate::options::ConnectOptions;

/// Receive Maximum of this client.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct ReceiveMaximum {
    /// Value in the CONNECT of this connection.
    pub(in crate::engine) announced: u16,
    /// Value in the options, which may be higher.
    pub(in crate::engine) configured: u16,
}

/// Receive Maximum that this client announces, from one connection to the next.
#[derive(Debug)]
pub(in crate::engine) struct ReceiveWindow {
    /// Value in the last CONNECT: the server has to keep to it on that connection.
    announced: u16,
    /// Value for the next CONNECT, if messages did not fit; `None` for that of the options.
    reduced: Option<u16>,
}

impl ReceiveWindow {
    pub(in crate::engine) const fn new() -> Self {
        Self {
            announced: u16::MAX,
            reduced: None,
        }
    }

    /// Value for the next CONNECT.
    fn next(&self, options: &ConnectOptions) -> u16 {
        let configured = configured(options);
        self.reduced
            .map_or(configured, |reduced| reduced.min(configured))
    }

    /// Returns the value to announce in CONNECT; `None` to announce what the options say.
    pub(in crate::engine) fn announce(&mut self, options: &ConnectOptions) -> Option<u16> {
        self.announced = self.next(options);
        self.reduced.map(|_| self.announced)
    }

    /// Value in the last CONNECT.
    pub(in crate::engine) const fn announced(&self) -> u16 {
        self.announced
    }

    /// Values that a received message counts against.
    #[inline]
    pub(in crate::engine) fn maximum(&self, options: &ConnectOptions) -> ReceiveMaximum {
        ReceiveMaximum {
            announced: self.announced,
            configured: configured(options),
        }
    }

    /// Halves the window, after `outstanding` unacknowledged messages did not fit.
    pub(in crate::engine) fn reduce(&mut self, outstanding: usize, options: &ConnectOptions) {
        let half = u16::try_from(outstanding / 2).unwrap_or(u16::MAX).max(1);
        self.reduced = Some(half.min(self.next(options)));
    }

    /// Doubles the window, after a connection that ended for another reason.
    pub(in crate::engine) fn grow(&mut self, options: &ConnectOptions) {
        let configured = configured(options);
        self.reduced = self
            .reduced
            .map(|reduced| reduced.saturating_mul(2))
            .filter(|reduced| *reduced < configured);
    }
}

fn configured(options: &ConnectOptions) -> u16 {
    options.receive_maximum.unwrap_or(u16::MAX)
}
