//! Properties of PUBLISH (§3.3.2.3), which decoding and the search for the scope of a fault share.

use super::properties::properties;

properties! {
    /// The properties of PUBLISH (§3.3.2.3).
    PublishProperties owned OwnedPublishProperties rule None;
    once {
        /// Payload Format Indicator; `None` means bytes of no stated format.
        payload_format_indicator,
        /// Message Expiry Interval in seconds; `None` means that the message never expires.
        message_expiry_interval,
        /// Topic Alias, which stands for the topic on this connection.
        topic_alias,
        /// Response Topic: topic that a response should be published to; `None` means that none is
        /// expected.
        response_topic,
        /// Correlation Data: bytes that a response should carry, so that the requester recognises
        /// it.
        correlation_data,
        /// Content Type, whose form the application defines, such as a MIME type.
        content_type,
    }
    many {
        /// Subscription Identifiers of the subscriptions that the message is sent for; only servers
        /// send them.
        subscription_identifiers: subscription_identifier,
        /// User Properties: pairs of texts whose meaning the application defines.
        user_properties: user_property,
    }
}
