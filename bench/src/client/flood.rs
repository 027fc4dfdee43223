//! A flood: many messages to receive, requested by a message to `flood`.

use super::wire;

/// Topic on which a flood of messages is requested.
pub const TRIGGER: &str = "flood";
/// Maximum number of unacknowledged messages, if the client's Receive Maximum isn't smaller.
const WINDOW: u64 = 1000;

/// Request for a flood: `count` messages of `size` bytes to `topics` topics, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    pub count: u64,
    pub size: usize,
    pub qos: u8,
    pub topics: u16,
}

impl Order {
    pub fn to_payload(self) -> String {
        format!("{} {} {} {}", self.count, self.size, self.qos, self.topics)
    }

    pub fn from_payload(payload: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(payload).ok()?;
        let mut words = text.split(' ');
        let mut next = || words.next()?.parse::<u64>().ok();
        Some(Self {
            count: next()?,
            size: usize::try_from(next()?).ok()?,
            qos: u8::try_from(next()?).ok()?,
            topics: u16::try_from(next()?).ok()?,
        })
    }
}

/// Topic number `number` of a flood to so many `topics`.
pub fn topic(topics: u16, number: u16) -> String {
    if topics == 1 {
        "lamp/7".to_owned()
    } else {
        format!("fleet/{number:04}")
    }
}

/// A flood that is being sent.
pub struct Flood {
    /// Messages to send.
    left: u64,
    /// Maximum number of unacknowledged messages.
    window: u64,
    in_flight: u64,
    next_id: u16,
    /// Index of the next packet in `prepared`.
    next: usize,
    /// One packet for each topic, with the offset of its Packet Identifier; `None` at QoS 0.
    prepared: Vec<(Vec<u8>, Option<usize>)>,
}

impl Flood {
    pub fn new(order: Order, receive_maximum: u16) -> Self {
        let payload = vec![b'x'; order.size];
        let prepared = (0..order.topics).map(|number| {
            let topic = topic(order.topics, number);
            let packet = wire::publish(&topic, order.qos, &payload);
            let id_at = (order.qos > 0).then(|| wire::id_at(&packet, &topic));
            (packet, id_at)
        });
        let window = if order.qos == 0 {
            u64::MAX
        } else {
            WINDOW.min(receive_maximum.into())
        };
        Self {
            left: order.count,
            window,
            in_flight: 0,
            next_id: 1,
            next: 0,
            prepared: prepared.collect(),
        }
    }

    /// Notes a PUBACK or PUBCOMP, which completes one message.
    pub const fn acknowledged(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Appends the messages that may be sent now, up to `limit` bytes; true if more may follow at
    /// once.
    pub fn fill(&mut self, output: &mut Vec<u8>, limit: usize) -> bool {
        while output.len() < limit {
            if self.left == 0 || self.in_flight >= self.window {
                return false;
            }
            // Copy the prepared packet, and write its identifier.
            let (packet, id_at) = &self.prepared[self.next];
            let start = output.len();
            output.extend_from_slice(packet);
            if let Some(id_at) = id_at {
                output[start + id_at..start + id_at + 2]
                    .copy_from_slice(&self.next_id.to_be_bytes());
                self.next_id = if self.next_id == u16::MAX {
                    1
                } else {
                    self.next_id + 1
                };
                self.in_flight += 1;
            }
            // The topics take turns.
            self.left -= 1;
            self.next = if self.next + 1 == self.prepared.len() {
                0
            } else {
                self.next + 1
            };
        }
        true
    }

    /// Returns true once all messages are sent and acknowledged.
    pub const fn is_over(&self) -> bool {
        self.left == 0 && (self.window == u64::MAX || self.in_flight == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_stops_at_the_window_and_goes_on_with_every_acknowledgement() {
        let order = Order {
            count: 5,
            size: 64,
            qos: 1,
            topics: 1,
        };
        assert_eq!(
            Order::from_payload(order.to_payload().as_bytes()),
            Some(order)
        );
        let mut flood = Flood::new(order, 2);
        let mut output = Vec::new();
        assert!(!flood.fill(&mut output, usize::MAX));
        let first = wire::packet(&output).unwrap();
        assert_eq!(
            (first.packet_id(), output.len()),
            (Some([0, 1]), 2 * first.len)
        );
        flood.acknowledged();
        output.clear();
        flood.fill(&mut output, usize::MAX);
        assert_eq!(wire::packet(&output).unwrap().packet_id(), Some([0, 3]));
    }
}
