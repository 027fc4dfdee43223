//! `Display` of packets as one line of text for people, without payload, password and the query of a user name.

use core::fmt::{self, Display, Formatter, Write};

mod values;

use crate::escape::{Excerpt, Quoted};
use crate::packet::{
    Ack, Auth, ConnAck, Connect, Disconnect, Packet, Publish, SubAck, Subscribe, UnsubAck,
    Unsubscribe,
};
use crate::packet_type::PacketType;
use crate::reason_code::ReasonCode;
use crate::repeated::Repeated;
use crate::value::Item;

impl Display for Packet<'_> {
    /// `PUBLISH QoS 1 id 7 "lamp/7" 12 bytes, retain`
    ///
    /// Text is quoted and escaped, so that it can't steer a terminal, and cut where it is long. The
    /// form may change in any version; what programs read is the `serde` feature's.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.packet_type().name())?;
        match self {
            Self::Connect(connect) => connect.read().describe(f),
            Self::ConnAck(connack) => connack.read().describe(f),
            Self::Publish(publish) => publish.describe(f),
            Self::PubAck(ack) | Self::PubRec(ack) | Self::PubRel(ack) | Self::PubComp(ack) => {
                write!(f, " {ack}")
            }
            Self::Subscribe(subscribe) => subscribe.describe(f),
            Self::SubAck(suback) => suback.describe(f),
            Self::Unsubscribe(unsubscribe) => unsubscribe.describe(f),
            Self::UnsubAck(unsuback) => unsuback.describe(f),
            Self::PingReq | Self::PingResp => Ok(()),
            Self::Disconnect(disconnect) => disconnect.describe(f),
            Self::Auth(auth) => auth.describe(f),
        }
    }
}

/// Implements `Display` for packets of one type, as for [`Packet`].
macro_rules! display_packets {
    ($($packet:ident)*) => {$(
        impl Display for $packet<'_> {
            /// One line of text for people, as [`Packet`] has it.
            fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
                f.write_str(PacketType::$packet.name())?;
                self.describe(f)
            }
        }
    )*};
}

display_packets!(Connect ConnAck Publish Subscribe SubAck Unsubscribe UnsubAck Disconnect Auth);

impl Display for Ack<'_> {
    /// `id 7 Success (0x00)`. The type of the packet isn't part of an [`Ack`].
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "id {} {}", self.packet_id, self.reason_code)?;
        write_reason(self.properties.reason_string.as_deref(), f)
    }
}

/// Writes the part after a packet's name.
trait Describe {
    fn describe(&self, f: &mut Formatter<'_>) -> fmt::Result;
}

impl Describe for Connect<'_> {
    fn describe(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            " client {}, keep alive {} s",
            Cut(&self.client_id),
            self.keep_alive
        )?;
        // Flags and optional fields follow only if they are set.
        if self.clean_start {
            f.write_str(", clean start")?;
        }
        if let Some(will) = &self.will {
            write!(f, ", will {will}")?;
        }
        if let Some(username) = &self.username {
            // The query of a User Name can hold a token, so only its presence is shown.
            let (name, query) = username
                .split_once('?')
                .map_or((&**username, ""), |(name, _)| (name, "?.."));
            write!(f, ", user {}{query}", Cut(name))?;
        }
        // Of the password, only the length is shown.
        match &self.password {
            Some(password) => write!(f, ", password of {}", Bytes(password.len())),
            None => Ok(()),
        }
    }
}

impl Describe for ConnAck<'_> {
    fn describe(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, " {}", self.reason_code)?;
        if self.session_present {
            f.write_str(", session present")?;
        }
        write_reason(self.properties.reason_string.as_deref(), f)
    }
}

impl Describe for Publish<'_> {
    fn describe(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // QoS, and the identifier that only QoS 1 and 2 have.
        write!(f, " {}", self.delivery.qos())?;
        if let Some(packet_id) = self.delivery.packet_id() {
            write!(f, " id {packet_id}")?;
        }
        // A PUBLISH has a topic, an alias, or both.
        if let Some(topic) = &self.topic {
            write!(f, " {}", Cut(topic))?;
        }
        if let Some(alias) = self.properties.topic_alias {
            write!(f, " alias {}", alias.get())?;
        }
        // The payload itself is never shown: it may be secret or binary.
        write!(f, " {}", Bytes(self.payload.len()))?;
        if self.retain {
            f.write_str(", retain")?;
        }
        if self.delivery.dup() {
            f.write_str(", dup")
        } else {
            Ok(())
        }
    }
}

impl Describe for Subscribe<'_> {
    fn describe(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, " id {}", self.packet_id)?;
        write_list(&self.subscriptions, f, |each, f| {
            write!(f, "{} {}", Cut(&each.filter), each.options.qos)
        })
    }
}

impl Describe for SubAck<'_> {
    fn describe(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, " id {}", self.packet_id)?;
        write_list(&self.reason_codes, f, |code, f| {
            write_code(code, PacketType::SubAck, f)
        })?;
        write_reason(self.properties.reason_string.as_deref(), f)
    }
}

impl Describe for Unsubscribe<'_> {
    fn describe(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, " id {}", self.packet_id)?;
        write_list(&self.filters, f, |filter, f| Cut(&filter).fmt(f))
    }
}

impl Describe for UnsubAck<'_> {
    fn describe(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, " id {}", self.packet_id)?;
        write_list(&self.reason_codes, f, |code, f| {
            write_code(code, PacketType::UnsubAck, f)
        })?;
        write_reason(self.properties.reason_string.as_deref(), f)
    }
}

impl Describe for Disconnect<'_> {
    fn describe(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char(' ')?;
        write_code(self.reason_code, PacketType::Disconnect, f)?;
        write_reason(self.properties.reason_string.as_deref(), f)
    }
}

impl Describe for Auth<'_> {
    fn describe(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, " {}", self.reason_code)?;
        if let Some(method) = &self.properties.authentication_method {
            write!(f, ", method {}", Cut(method))?;
        }
        write_reason(self.properties.reason_string.as_deref(), f)
    }
}

/// Name of a reason code; that of 0x00 depends on the packet.
fn write_code(code: ReasonCode, packet_type: PacketType, f: &mut Formatter<'_>) -> fmt::Result {
    match (code, packet_type) {
        // 0x00 has another name in these two packets (Table 2-6).
        (ReasonCode::Success, PacketType::SubAck) => f.write_str("Granted QoS 0 (0x00)"),
        (ReasonCode::Success, PacketType::Disconnect) => f.write_str("Normal disconnection (0x00)"),
        _ => code.fmt(f),
    }
}

fn write_reason(reason_string: Option<&str>, f: &mut Formatter<'_>) -> fmt::Result {
    reason_string.map_or(Ok(()), |text| write!(f, ": {}", Cut(text)))
}

/// Writes the first items of a list and the number of the others.
fn write_list<'a, T: Item<'a>>(
    items: &Repeated<'a, T>,
    f: &mut Formatter<'_>,
    write_item: impl Fn(T, &mut Formatter<'_>) -> fmt::Result,
) -> fmt::Result {
    // A SUBSCRIBE can have thousands of filters, and this is one line of a log.
    for (index, item) in items.iter().take(LONGEST_LIST).enumerate() {
        f.write_str(if index == 0 { " " } else { ", " })?;
        write_item(item, f)?;
    }
    match items.len().saturating_sub(LONGEST_LIST) {
        0 => Ok(()),
        more => write!(f, " and {more} more"),
    }
}

const LONGEST_LIST: usize = 4;
const LONGEST_TEXT: usize = 64;

/// Text in quotation marks, escaped and cut.
struct Cut<'t>(&'t str);

impl Display for Cut<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // The dots follow the closing quotation mark, since they are not part of the text.
        let excerpt = Excerpt::new(self.0, LONGEST_TEXT);
        Quoted(excerpt.as_str()).fmt(f)?;
        f.write_str(if excerpt.is_cut() { ".." } else { "" })
    }
}

/// `1 byte`, `2 bytes`.
struct Bytes(usize);

impl Display for Bytes {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} byte{}", self.0, if self.0 == 1 { "" } else { "s" })
    }
}
