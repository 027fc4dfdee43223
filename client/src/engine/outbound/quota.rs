//! Send quota: the number of unacknowledged messages of QoS 1 and 2 (§4.9).

/// Send quota of one connection. It is a number apart from packet identifiers. [MQTT-4.9.0-1]
#[derive(Debug)]
pub(in crate::engine) struct Quota {
    /// Messages that were sent and are not acknowledged.
    outstanding: usize,
    /// Receive Maximum of the server.
    receive_maximum: usize,
    /// Smaller limit while the connection starts slowly; `None` afterwards.
    window: Option<SlowStart>,
}

/// Limit of a connection that starts slowly, below the Receive Maximum.
#[derive(Debug)]
struct SlowStart {
    /// Number of messages at a time.
    size: usize,
    /// Number of acknowledged messages since `size` was doubled last.
    acknowledged: usize,
}

impl Quota {
    pub(in crate::engine) fn new(receive_maximum: u16) -> Self {
        Self {
            outstanding: 0,
            receive_maximum: receive_maximum.into(),
            window: None,
        }
    }

    /// Starts with `first` messages at a time, and doubles that number whenever so many messages
    /// are acknowledged.
    pub(in crate::engine) fn start_slowly(&mut self, first: u16) {
        let size = usize::from(first).max(1);
        self.window = (size < self.receive_maximum).then_some(SlowStart {
            size,
            acknowledged: 0,
        });
    }

    /// Returns `true` if another message may be sent. [MQTT-4.9.0-2]
    pub(in crate::engine) fn has_space(&self) -> bool {
        self.outstanding
            < self
                .window
                .as_ref()
                .map_or(self.receive_maximum, |window| window.size)
    }

    /// Counts a message that is sent, or that the server has had since an earlier connection.
    pub(in crate::engine) const fn take(&mut self) {
        self.outstanding += 1;
    }

    /// Counts the acknowledgement of a message that was counted.
    pub(in crate::engine) fn give_back(&mut self) {
        self.outstanding = self.outstanding.saturating_sub(1);
        let Some(window) = &mut self.window else {
            return;
        };
        window.acknowledged += 1;
        if window.acknowledged >= window.size {
            *window = SlowStart {
                size: window.size * 2,
                acknowledged: 0,
            };
            if window.size >= self.receive_maximum {
                self.window = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(quota: &mut Quota) -> usize {
        (0..)
            .take_while(|_| quota.has_space().then(|| quota.take()).is_some())
            .count()
    }

    #[test]
    fn a_slow_start_doubles_with_every_acknowledged_window_up_to_the_receive_maximum() {
        let mut quota = Quota::new(100);
        quota.start_slowly(16);
        for expected in [16, 32, 64, 100, 100] {
            assert_eq!(fill(&mut quota), expected);
            (0..expected).for_each(|_| quota.give_back());
        }
    }

    #[test]
    fn a_smaller_receive_maximum_of_the_server_applies() {
        for receive_maximum in [1, 15, 16] {
            let mut quota = Quota::new(receive_maximum);
            quota.start_slowly(16);
            assert_eq!(fill(&mut quota), usize::from(receive_maximum));
        }
    }
}
