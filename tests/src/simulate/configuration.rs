//! Options of the client and behaviour of the server in one run.

use std::time::Duration;

use dunlin_client::engine::Pace;
use dunlin_client::{
    CleanStart, ConnectOptions, LostMessage, LostRequest, Offline, OnSessionLost, OutboundAliases,
    QueueLimits, RequestTimeouts,
};

use super::auth_method;
use super::choices::Choices;
use super::server::ServerBehavior;

/// Options of the client.
pub(super) fn options(choices: &mut Choices) -> ConnectOptions {
    let client_id = if choices.one_in(6) { "" } else { "lamp-7" };
    let mut options = ConnectOptions::new(client_id);
    options.keep_alive = Duration::from_secs(choices.pick(&[0, 10, 60]).unwrap_or_default());
    options.clean_start = choices
        .pick(&[
            CleanStart::First,
            CleanStart::First,
            CleanStart::Never,
            CleanStart::Always,
        ])
        .unwrap_or_default();
    options.session_expiry_interval = choices
        .pick(&[Some(3600), Some(3600), Some(60), None])
        .flatten();
    options.receive_maximum = choices.pick(&[None, Some(1), Some(2), Some(5)]).flatten();
    options.maximum_packet_size = choices.pick(&[None, None, Some(70), Some(200)]).flatten();
    options.request_problem_information = choices.pick(&[None, Some(false), Some(true)]).flatten();
    options.ack_timeout = Duration::from_secs(choices.pick(&[60, 20]).unwrap_or(60));
    options.unmatched_wait = Duration::from_secs(choices.pick(&[30, 5, 0]).unwrap_or(30));
    options.topic_alias_maximum = choices.pick(&[0, 1, 3]).unwrap_or_default();
    options.outbound_aliases = choices
        .pick(&[
            OutboundAliases::None,
            OutboundAliases::Manual,
            OutboundAliases::Lru { maximum: 2 },
        ])
        .unwrap_or_default();
    options.offline = choices
        .pick(&[
            Offline::KeepAll,
            Offline::KeepAll,
            Offline::DropOldest,
            Offline::DropQoS0,
            Offline::Reject,
        ])
        .unwrap_or_default();
    if choices.one_in(3) {
        options.on_session_lost = on_session_lost(choices);
    }
    options.queue = choices
        .pick(&[
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
    options.slow_start = choices.pick(&[None, None, None, Some(1)]).flatten();
    options.pace = choices
        .pick(&[None, None, None, Some(pace(1, 60)), Some(pace(3, 1000))])
        .flatten();
    options.authentication = choices.one_in(3).then(auth_method::authentication);
    let seconds = |seconds: u64| Some(Duration::from_secs(seconds));
    options.request_timeout = RequestTimeouts {
        publish: choices
            .pick(&[None, None, None, seconds(30), seconds(100)])
            .flatten(),
        subscribe: choices.pick(&[seconds(60), seconds(10), None]).flatten(),
        unsubscribe: choices.pick(&[seconds(60), seconds(10), None]).flatten(),
    };
    options.poison_guard = choices
        .pick(&[None, None, None, Some(1), Some(2)])
        .flatten();
    options
}

const fn pace(messages: u32, bytes: u32) -> Pace {
    Pace { messages, bytes }
}

fn on_session_lost(choices: &mut Choices) -> OnSessionLost {
    let messages = [LostMessage::Republish, LostMessage::Fail];
    let requests = [LostRequest::Reissue, LostRequest::Fail];
    OnSessionLost {
        qos1: choices.pick(&messages).unwrap_or(LostMessage::Fail),
        qos2: choices.pick(&messages).unwrap_or(LostMessage::Fail),
        subscribe: choices.pick(&requests).unwrap_or(LostRequest::Fail),
        unsubscribe: choices.pick(&requests).unwrap_or(LostRequest::Fail),
    }
}

/// One in how many messages of QoS 1 and 2 the application has no memory for.
pub(super) fn declines_one_in(choices: &mut Choices) -> Option<usize> {
    choices.pick(&[None, None, Some(12), Some(3)]).flatten()
}

/// Behaviour of the server.
pub(super) fn behavior(choices: &mut Choices) -> ServerBehavior {
    ServerBehavior {
        refuses_one_in: choices.pick(&[1000, 10, 4]).unwrap_or(4),
        first_id: choices.pick(&[1, 65_530]).unwrap_or(1),
        reuses_at_once: choices.one_in(2),
        relays_faulty_one_in: choices.pick(&[1_000_000, 20, 3]).unwrap_or(20),
        overshoots_by: choices.pick(&[0, 0, 3, 20]).unwrap_or_default(),
    }
}
