//! `Will`: message that a server publishes for a client that it has lost (§3.1.2.5).

use dunlin_codec::{
    BinaryData, PayloadFormat, TextError, TopicName, UserProperty, Utf8String, WillProperties,
};

use crate::QoS;
use crate::error::{OptionsError, text};

/// Message that the server publishes when it loses the client without a DISCONNECT, once the delay is
/// over or the session ends (§3.1.2.5).
///
/// ```
/// use dunlin_client::{ConnectOptions, QoS, Will};
///
/// let mut will = Will::new("lamp/7/state", "gone");
/// will.qos = QoS::AtLeastOnce;
/// will.delay_interval = Some(30);
/// let mut options = ConnectOptions::new("lamp-7");
/// options.will = Some(will);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Will {
    /// Topic Name; wildcards are not allowed.
    pub topic: String,
    /// Payload of at most 65,535 bytes.
    pub payload: Vec<u8>,
    /// Quality of service; the default is QoS 0.
    pub qos: QoS,
    /// Retain flag: the server stores the message and sends it to later subscribers.
    pub retain: bool,
    /// Will Delay Interval: seconds between the loss and the publication; the end of the session ends
    /// it. `None` leaves it out, which means 0.
    pub delay_interval: Option<u32>,
    /// Payload Format Indicator: whether the payload is UTF-8 text. The payload isn't checked
    /// against it.
    pub payload_format_indicator: Option<PayloadFormat>,
    /// Message Expiry Interval in seconds from when the will is published; `None` means the
    /// message never expires.
    pub message_expiry_interval: Option<u32>,
    /// Content Type: at most 65,535 bytes, no NUL.
    pub content_type: Option<String>,
    /// Response Topic: the topic a response should be published to; wildcards are not allowed.
    pub response_topic: Option<String>,
    /// Correlation Data that a response should carry: at most 65,535 bytes.
    pub correlation_data: Option<Vec<u8>>,
    /// User Properties in order: pairs of a name and a value.
    pub user_properties: Vec<(String, String)>,
}

impl Will {
    /// Will of QoS 0 without properties.
    #[must_use]
    pub fn new(topic: impl Into<String>, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            topic: topic.into(),
            payload: payload.into(),
            ..Self::default()
        }
    }

    /// Will as the codec encodes it, with its user properties.
    ///
    /// # Errors
    /// [`OptionsError::Text`], [`OptionsError::WillTopic`], [`OptionsError::WillResponseTopic`].
    pub(crate) fn to_packet<'a>(
        &'a self,
        user_properties: &'a [UserProperty<'a>],
    ) -> Result<dunlin_codec::Will<'a>, OptionsError> {
        let content_type = self
            .content_type
            .as_deref()
            .map(Utf8String::new)
            .transpose();
        let response_topic = self
            .response_topic
            .as_deref()
            .map(TopicName::new)
            .transpose();
        let correlation_data = self
            .correlation_data
            .as_deref()
            .map(BinaryData::new)
            .transpose();
        Ok(dunlin_codec::Will {
            qos: self.qos,
            retain: self.retain,
            properties: WillProperties {
                will_delay_interval: self.delay_interval,
                payload_format_indicator: self.payload_format_indicator,
                message_expiry_interval: self.message_expiry_interval,
                content_type: content_type.map_err(text("will content type"))?,
                response_topic: response_topic.map_err(OptionsError::WillResponseTopic)?,
                correlation_data: correlation_data.map_err(text("will correlation data"))?,
                user_properties: user_properties.into(),
            },
            topic: TopicName::new(&self.topic).map_err(OptionsError::WillTopic)?,
            payload: BinaryData::new(&self.payload).map_err(text("will payload"))?,
        })
    }
}

/// User properties as the codec encodes them; `field` names them in an error.
pub(crate) fn user_properties<'a>(
    field: &'static str,
    pairs: &'a [(String, String)],
) -> Result<Vec<UserProperty<'a>>, OptionsError> {
    let property = |(name, value): &'a (String, String)| UserProperty::new(name, value);
    pairs
        .iter()
        .map(property)
        .collect::<Result<_, TextError>>()
        .map_err(text(field))
}
