//! The peers, each as its own documentation says to use it where many messages are to go through.
//!
//! All of them run on the runtime that suits one core best, tokio's `current_thread`, with their
//! own task spawned where they have one; paho's threads share the same core. Logging is off,
//! automatic reconnection as it comes.

mod gneiss;
mod mqtt5;
#[cfg(feature = "paho")]
mod paho;
mod rumqttc;
mod rumqttc_next;

pub use self::gneiss::Gneiss;
pub use self::mqtt5::Mqtt5;
#[cfg(feature = "paho")]
pub use self::paho::Paho;
pub use self::rumqttc::Rumqttc;
pub use self::rumqttc_next::RumqttcNext;

fn text(error: impl ToString) -> String {
    error.to_string()
}
