//! What client and server are like in one run.

use std::time::Duration;

use dunlin_client::engine::Pace;
use dunlin_client::{
    CleanStart, ConnectOptions, LostMessage, LostRequest, Offline, OnSessionLost, OutboundAliases,
    QueueLimits, RequestTimeouts,
};

use super::chance::Chance;
use super::proof;
use super::server::Habits;

/// What the client is like.
pub(super) fn options(chance: &mut Chance) -> ConnectOptions {
    let client_id = if chance.one_in(6) { "" } else { "lamp-7" };
    let mut options = ConnectOptions::new(client_id);
    options.keep_alive = Duration::from_secs(chance.of(&[0, 10, 60]).unwrap_or_default());
    options.clean_start = chance
        .of(&[
            CleanStart::First,
            CleanStart::First,
            CleanStart::Never,
            CleanStart::Always,
        ])
        .unwrap_or_default();
    options.session_expiry_interval = chance
        .of(&[Some(3600), Some(3600), Some(60), None])
        .flatten();
    options.receive_maximum = chance.of(&[None, Some(1), Some(2), Some(5)]).flatten();
    options.maximum_packet_size = chance.of(&[None, None, Some(70), Some(200)]).flatten();
    options.request_problem_information = chance.of(&[None, Some(false), Some(true)]).flatten();
    options.ack_timeout = Duration::from_secs(chance.of(&[60, 20]).unwrap_or(60));
    options.unmatched_wait = Duration::from_secs(chance.of(&[30, 5, 0]).unwrap_or(30));
    options.topic_alias_maximum = chance.of(&[0, 1, 3]).unwrap_or_default();
    options.outbound_aliases = chance
        .of(&[
            OutboundAliases::None,
            OutboundAliases::Manual,
            OutboundAliases::Lru { maximum: 2 },
        ])
        .unwrap_or_default();
    options.offline = chance
        .of(&[
            Offline::KeepAll,
            Offline::KeepAll,
            Offline::DropOldest,
            Offline::DropQoS0,
            Offline::Reject,
        ])
        .unwrap_or_default();
    if chance.one_in(3) {
        options.on_session_lost = on_session_lost(chance);
    }
    options.queue = chance
        .of(&[
            QueueLimits::default(),
            QueueLimits {
                count: 12,
                bytes: 1 << 20,
            },
            QueueLimits {
                count: 1000,
                bytes: 600,
            },
        ])
        .unwrap_or_default();
    options.slow_start = chance.of(&[None, None, None, Some(1)]).flatten();
    options.pace = chance
        .of(&[None, None, None, Some(pace(1, 60)), Some(pace(3, 1000))])
        .flatten();
    options.authentication = chance.one_in(3).then(proof::authentication);
    let seconds = |seconds: u64| Some(Duration::from_secs(seconds));
    options.request_timeout = RequestTimeouts {
        publish: chance
            .of(&[None, None, None, seconds(30), seconds(100)])
            .flatten(),
        subscribe: chance.of(&[seconds(60), seconds(10), None]).flatten(),
        unsubscribe: chance.of(&[seconds(60), seconds(10), None]).flatten(),
    };
    options.poison_guard = chance.of(&[None, None, None, Some(1), Some(2)]).flatten();
    options
}

const fn pace(messages: u32, bytes: u32) -> Pace {
    Pace { messages, bytes }
}

fn on_session_lost(chance: &mut Chance) -> OnSessionLost {
    let messages = [LostMessage::Republish, LostMessage::Fail];
    let requests = [LostRequest::Reissue, LostRequest::Fail];
    OnSessionLost {
        qos1: chance.of(&messages).unwrap_or(LostMessage::Fail),
        qos2: chance.of(&messages).unwrap_or(LostMessage::Fail),
        subscribe: chance.of(&requests).unwrap_or(LostRequest::Fail),
        unsubscribe: chance.of(&requests).unwrap_or(LostRequest::Fail),
    }
}

/// One in how many messages of QoS 1 and 2 the application has no memory for.
pub(super) fn declines_one_in(chance: &mut Chance) -> Option<usize> {
    chance.of(&[None, None, Some(12), Some(3)]).flatten()
}

/// What the server is like.
pub(super) fn habits(chance: &mut Chance) -> Habits {
    Habits {
        refuses_one_in: chance.of(&[1000, 10, 4]).unwrap_or(4),
        first_id: chance.of(&[1, 65_530]).unwrap_or(1),
        reuses_at_once: chance.one_in(2),
        relays_faulty_one_in: chance.of(&[1_000_000, 20, 3]).unwrap_or(20),
        overshoots_by: chance.of(&[0, 0, 3, 20]).unwrap_or_default(),
    }
}
