//! Packets as one line of text for people, without payload, password and the query of a user name.

use core::fmt::{self, Display, Formatter, Write};

use crate::escape::Quoted;
use crate::packet::{
    Ack, Auth, ConnAck, Connect, Disconnect, Packet, Publish, SubAck, Subscribe, UnsubAck,
    Unsubscribe,
};
use crate::packet_type::PacketType;
use crate::reason_code::ReasonCode;
use crate::repeated::{Item, Repeated};

impl Display for Packet<'_> {
    /// `PUBLISH QoS 1 id 7 "lamp/7" 12 bytes, retain`
    ///
    /// Text is quoted and escaped, so that it can't steer a terminal, and cut where it is long. The
    /// form may change in any version; what programs read is the `serde` feature's.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.packet_type().name())?;
        match self {
            Self::Connect(connect) => connect.tell(f),
            Self::ConnAck(connack) => connack.tell(f),
            Self::Publish(publish) => publish.tell(f),
            Self::PubAck(ack) | Self::PubRec(ack) | Self::PubRel(ack) | Self::PubComp(ack) => {
                ack.tell(f)
            }
            Self::Subscribe(subscribe) => subscribe.tell(f),
            Self::SubAck(suback) => suback.tell(f),
            Self::Unsubscribe(unsubscribe) => unsubscribe.tell(f),
            Self::UnsubAck(unsuback) => unsuback.tell(f),
            Self::PingReq | Self::PingResp => Ok(()),
            Self::Disconnect(disconnect) => disconnect.tell(f),
            Self::Auth(auth) => auth.tell(f),
        }
    }
}

/// Writes the part behind a packet's name.
trait Tell {
    fn tell(&self, f: &mut Formatter<'_>) -> fmt::Result;
}

impl Tell for Connect<'_> {
    fn tell(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            " client {}, keep alive {} s",
            Cut(&self.client_id),
            self.keep_alive
        )?;
        if self.clean_start {
            f.write_str(", clean start")?;
        }
        if let Some(will) = &self.will {
            write!(
                f,
                ", will {} {} {}",
                will.qos,
                Cut(&will.topic),
                Bytes(will.payload.len())
            )?;
        }
        if let Some(username) = &self.username {
            let (name, query) = username
                .split_once('?')
                .map_or((&**username, ""), |(name, _)| (name, "?.."));
            write!(f, ", user {}{query}", Cut(name))?;
        }
        match &self.password {
            Some(password) => write!(f, ", password of {}", Bytes(password.len())),
            None => Ok(()),
        }
    }
}

impl Tell for ConnAck<'_> {
    fn tell(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, " {}", self.reason_code)?;
        if self.session_present {
            f.write_str(", session present")?;
        }
        tell_reason(self.properties.reason_string.as_deref(), f)
    }
}

impl Tell for Publish<'_> {
    fn tell(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, " {}", self.delivery.qos())?;
        if let Some(packet_id) = self.delivery.packet_id() {
            write!(f, " id {packet_id}")?;
        }
        if let Some(topic) = &self.topic {
            write!(f, " {}", Cut(topic))?;
        }
        if let Some(alias) = self.properties.topic_alias {
            write!(f, " alias {}", alias.get())?;
        }
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

impl Tell for Ack<'_> {
    fn tell(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, " id {} {}", self.packet_id, self.reason_code)?;
        tell_reason(self.properties.reason_string.as_deref(), f)
    }
}

impl Tell for Subscribe<'_> {
    fn tell(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, " id {}", self.packet_id)?;
        tell_list(&self.subscriptions, f, |each, f| {
            write!(f, "{} {}", Cut(&each.filter), each.options.qos)
        })
    }
}

impl Tell for SubAck<'_> {
    fn tell(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, " id {}", self.packet_id)?;
        tell_list(&self.reason_codes, f, |code, f| {
            tell_code(code, PacketType::SubAck, f)
        })?;
        tell_reason(self.properties.reason_string.as_deref(), f)
    }
}

impl Tell for Unsubscribe<'_> {
    fn tell(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, " id {}", self.packet_id)?;
        tell_list(&self.filters, f, |filter, f| Cut(&filter).fmt(f))
    }
}

impl Tell for UnsubAck<'_> {
    fn tell(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, " id {}", self.packet_id)?;
        tell_list(&self.reason_codes, f, |code, f| {
            tell_code(code, PacketType::UnsubAck, f)
        })?;
        tell_reason(self.properties.reason_string.as_deref(), f)
    }
}

impl Tell for Disconnect<'_> {
    fn tell(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char(' ')?;
        tell_code(self.reason_code, PacketType::Disconnect, f)?;
        tell_reason(self.properties.reason_string.as_deref(), f)
    }
}

impl Tell for Auth<'_> {
    fn tell(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, " {}", self.reason_code)?;
        if let Some(method) = &self.properties.authentication_method {
            write!(f, ", method {}", Cut(method))?;
        }
        tell_reason(self.properties.reason_string.as_deref(), f)
    }
}

/// Name of a reason code; that of 0x00 depends on the packet.
fn tell_code(code: ReasonCode, packet_type: PacketType, f: &mut Formatter<'_>) -> fmt::Result {
    match (code, packet_type) {
        (ReasonCode::Success, PacketType::SubAck) => f.write_str("Granted QoS 0 (0x00)"),
        (ReasonCode::Success, PacketType::Disconnect) => f.write_str("Normal disconnection (0x00)"),
        _ => code.fmt(f),
    }
}

fn tell_reason(reason_string: Option<&str>, f: &mut Formatter<'_>) -> fmt::Result {
    reason_string.map_or(Ok(()), |text| write!(f, ": {}", Cut(text)))
}

/// Writes the first items of a list and the number of the others.
fn tell_list<'a, T: Item<'a>>(
    items: &Repeated<'a, T>,
    f: &mut Formatter<'_>,
    tell: impl Fn(T, &mut Formatter<'_>) -> fmt::Result,
) -> fmt::Result {
    for (index, item) in items.iter().take(LONGEST_LIST).enumerate() {
        f.write_str(if index == 0 { " " } else { ", " })?;
        tell(item, f)?;
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
        match self.0.char_indices().nth(LONGEST_TEXT) {
            Some((end, _)) => write!(f, "{}..", Quoted(self.0.get(..end).unwrap_or_default())),
            None => Quoted(self.0).fmt(f),
        }
    }
}

/// `1 byte`, `2 bytes`.
struct Bytes(usize);

impl Display for Bytes {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} byte{}", self.0, if self.0 == 1 { "" } else { "s" })
    }
}
