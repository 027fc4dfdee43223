//! Answer to a SUBSCRIBE at QoS 2 in the profile `aws`: AWS's documents name two, so it is a
//! setting.

use crate::setting::setting;

/// Answer to a SUBSCRIBE with a filter at QoS 2 in the profile `aws`, which has QoS 0 and 1.
///
/// Parses from `no-answer`, `disconnect` and `grant`. The profile `mqtt5` has QoS 2 and ignores it.
///
/// ```
/// use dunlin_sandbox::{SandboxOptions, SubscribeQoS2};
///
/// let options = SandboxOptions {
///     subscribe_qos2: SubscribeQoS2::Disconnect,
///     ..SandboxOptions::default()
/// };
/// assert_eq!("grant".parse(), Ok(SubscribeQoS2::Grant));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SubscribeQoS2 {
    /// No SUBACK is sent and no subscription made, as the developer guide says: "the message broker
    /// doesn't send a PUBACK or SUBACK". The log tells.
    #[default]
    NoAnswer,
    /// DISCONNECT 0x9B (QoS not supported), which the guide also lists.
    Disconnect,
    /// The subscription is granted with QoS 1, as MQTT 5 would have it. AWS IoT Core doesn't do
    /// this.
    Grant,
}

setting!(SubscribeQoS2 {
    NoAnswer => "no-answer",
    Disconnect => "disconnect",
    Grant => "grant",
});
