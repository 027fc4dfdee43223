//! `Display` of the parts of packets, each as short text for a log.

use core::fmt::{self, Display, Formatter};

use super::{Bytes, Cut};
use crate::delivery::Delivery;
use crate::header::FixedHeader;
use crate::packet::{AckType, RetainHandling, Subscription, SubscriptionOptions, Will};
use crate::packet_type::Sender;
use crate::property::DataType;
use crate::property_types::PayloadFormat;
use crate::redaction::Redacted;
use crate::scope::ErrorScope;
use crate::text::{BinaryData, UserProperty};

/// Implements `Display` for types whose values have names.
macro_rules! names {
    ($($type:ident { $($value:ident $name:literal,)* })*) => {$(
        impl Display for $type {
            fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
                f.pad(match self { $(Self::$value => $name,)* })
            }
        }
    )*};
}

names! {
    Sender {
        Any "any side",
        Client "client",
        Server "server",
    }
    PayloadFormat {
        Unspecified "unspecified bytes",
        Utf8 "UTF-8",
    }
    RetainHandling {
        Send "send retained messages",
        SendIfNew "send retained messages if the subscription is new",
        DontSend "don't send retained messages",
    }
    DataType {
        Byte "Byte",
        TwoByteInteger "Two Byte Integer",
        FourByteInteger "Four Byte Integer",
        VariableByteInteger "Variable Byte Integer",
        Utf8EncodedString "UTF-8 Encoded String",
        BinaryData "Binary Data",
        Utf8StringPair "UTF-8 String Pair",
    }
}

impl Display for AckType {
    /// Name of the packet: `PUBACK`.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.packet_type().fmt(f)
    }
}

impl Display for ErrorScope {
    /// `connection`, or `message QoS 1 id 7`.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection => f.write_str("connection"),
            Self::Message(message) => write!(f, "message {}", message.delivery),
        }
    }
}

impl Display for FixedHeader {
    /// `PUBLISH of 14 bytes`
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.packet_type, Bytes(self.packet_len()))
    }
}

impl Display for Delivery {
    /// `QoS 1 id 7, dup`
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.qos().fmt(f)?;
        if let Some(packet_id) = self.packet_id() {
            write!(f, " id {packet_id}")?;
        }
        f.write_str(if self.dup() { ", dup" } else { "" })
    }
}

impl Display for BinaryData<'_> {
    /// `12 bytes`: data may be secret, and is no text.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Bytes(self.len()).fmt(f)
    }
}

impl Display for UserProperty<'_> {
    /// `"name": "value"`, quoted, escaped and cut. Of a value of `x-amz-customauthorizer-*`, which is a
    /// credential, only the length is shown.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", Cut(&self.name))?;
        if self.is_secret() {
            Redacted(self.value.len()).fmt(f)
        } else {
            Cut(&self.value).fmt(f)
        }
    }
}

impl Display for Will<'_> {
    /// `QoS 1 "lamp/7/status" 4 bytes, retain`
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.qos, Cut(&self.topic), self.payload)?;
        f.write_str(if self.retain { ", retain" } else { "" })
    }
}

impl Display for Subscription<'_> {
    /// `"lamp/+" QoS 1, no local`
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", Cut(&self.filter), self.options)
    }
}

impl Display for SubscriptionOptions {
    /// `QoS 1, no local, retain as published`
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.qos.fmt(f)?;
        if self.no_local {
            f.write_str(", no local")?;
        }
        if self.retain_as_published {
            f.write_str(", retain as published")?;
        }
        // The default is left out.
        match self.retain_handling {
            RetainHandling::Send => Ok(()),
            handling => write!(f, ", {handling}"),
        }
    }
}
