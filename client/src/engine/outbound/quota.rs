//! How many messages of QoS 1 and 2 may be on their way to the server at a time (§4.9).

/// The send quota of one connection: a number, apart from packet identifiers. [MQTT-4.9.0-1]
#[derive(Debug)]
pub(in crate::engine) struct Quota {
    /// Messages that the server has and hasn't finished with.
    outstanding: usize,
    receive_maximum: usize,
    window: Option<Window>,
}

/// What a connection that begins slowly allows itself, below the Receive Maximum.
#[derive(Debug)]
struct Window {
    size: usize,
    /// Of the messages in it, those that are acknowledged.
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

    /// Begins with `first` messages at a time, and twice as many whenever that many are
    /// acknowledged.
    pub(in crate::engine) fn begin_slowly(&mut self, first: u16) {
        let size = usize::from(first).max(1);
        self.window = (size < self.receive_maximum).then_some(Window {
            size,
            acknowledged: 0,
        });
    }

    /// Whether another one may leave. [MQTT-4.9.0-2]
    pub(in crate::engine) fn has_room(&self) -> bool {
        self.outstanding
            < self
                .window
                .as_ref()
                .map_or(self.receive_maximum, |window| window.size)
    }

    /// The server has one more of them, or had it before this connection.
    pub(in crate::engine) const fn take(&mut self) {
        self.outstanding += 1;
    }

    /// The server has finished with one that was counted.
    pub(in crate::engine) fn give_back(&mut self) {
        self.outstanding = self.outstanding.saturating_sub(1);
        let Some(window) = &mut self.window else {
            return;
        };
        window.acknowledged += 1;
        if window.acknowledged >= window.size {
            *window = Window {
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
            .take_while(|_| quota.has_room().then(|| quota.take()).is_some())
            .count()
    }

    #[test]
    fn a_slow_beginning_doubles_with_every_acknowledged_window_up_to_the_receive_maximum() {
        let mut quota = Quota::new(100);
        quota.begin_slowly(16);
        for expected in [16, 32, 64, 100, 100] {
            assert_eq!(fill(&mut quota), expected);
            (0..expected).for_each(|_| quota.give_back());
        }
    }

    #[test]
    fn a_server_that_takes_less_has_the_last_word() {
        for receive_maximum in [1, 15, 16] {
            let mut quota = Quota::new(receive_maximum);
            quota.begin_slowly(16);
            assert_eq!(fill(&mut quota), receive_maximum.into());
        }
    }
}
