//! Every field of Dunlin's packets.

use dunlin_codec::{
    Ack, ConnAck, Connect, Packet, Publish, Repeated, Subscribe, UserProperty, Will,
};

use crate::codec::fields::Fields;

/// Passes every field of the packet to `fields`.
#[inline(always)]
pub fn read<F: Fields>(packet: &Packet<'_>, fields: &mut F) {
    match packet {
        Packet::Connect(connect) if F::READS.connect => read_connect(&connect.read(), fields),
        Packet::ConnAck(connack) if F::READS.connack => read_connack(&connack.read(), fields),
        Packet::Publish(publish) if F::READS.publish => read_publish(publish, fields),
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack)
            if F::READS.puback =>
        {
            read_ack(ack, fields);
        }
        Packet::Subscribe(subscribe) if F::READS.subscribe => read_subscribe(subscribe, fields),
        Packet::PingReq | Packet::PingResp => {}
        _ => unreachable!("no case has one"),
    }
}

/// Passes every field of a PUBLISH to `fields`.
#[inline(always)]
pub fn read_publish(publish: &Publish<'_>, fields: &mut impl Fields) {
    fields.number(publish.delivery.qos().level());
    fields.number(publish.retain);
    fields.number_if(publish.delivery.packet_id().map(|id| id.get()));
    fields.text_if(publish.topic.as_deref());
    let properties = &publish.properties;
    fields.number_if(
        properties
            .payload_format_indicator
            .map(|format| format as u8),
    );
    fields.number_if(properties.message_expiry_interval);
    fields.number_if(properties.topic_alias.map(|alias| alias.get()));
    fields.text_if(properties.response_topic.as_deref());
    fields.bytes_if(properties.correlation_data.as_deref());
    fields.text_if(properties.content_type.as_deref());
    for identifier in &properties.subscription_identifiers {
        fields.number(identifier.get());
    }
    read_user_properties(&properties.user_properties, fields);
    fields.bytes(publish.payload);
}

/// Passes every field of an acknowledgement to `fields`.
#[inline(always)]
pub fn read_ack(ack: &Ack<'_>, fields: &mut impl Fields) {
    fields.number(ack.packet_id.get());
    fields.number(ack.reason_code.code());
    fields.text_if(ack.properties.reason_string.as_deref());
    read_user_properties(&ack.properties.user_properties, fields);
}

#[inline(always)]
fn read_connect(connect: &Connect<'_>, fields: &mut impl Fields) {
    fields.number(connect.clean_start);
    fields.number(connect.keep_alive);
    let properties = &connect.properties;
    fields.number_if(properties.session_expiry_interval);
    fields.number_if(properties.receive_maximum.map(|number| number.get()));
    fields.number_if(properties.maximum_packet_size.map(|number| number.get()));
    fields.number_if(properties.topic_alias_maximum);
    fields.number_if(properties.request_response_information);
    fields.number_if(properties.request_problem_information);
    fields.text_if(properties.authentication_method.as_deref());
    fields.bytes_if(properties.authentication_data.as_deref());
    read_user_properties(&properties.user_properties, fields);
    fields.text(&connect.client_id);
    if let Some(will) = &connect.will {
        read_will(will, fields);
    }
    fields.text_if(connect.username.as_deref());
    fields.bytes_if(connect.password.as_deref());
}

#[inline(always)]
fn read_will(will: &Will<'_>, fields: &mut impl Fields) {
    fields.number(will.qos.level());
    fields.number(will.retain);
    let properties = &will.properties;
    fields.number_if(properties.will_delay_interval);
    fields.number_if(
        properties
            .payload_format_indicator
            .map(|format| format as u8),
    );
    fields.number_if(properties.message_expiry_interval);
    fields.text_if(properties.content_type.as_deref());
    fields.text_if(properties.response_topic.as_deref());
    fields.bytes_if(properties.correlation_data.as_deref());
    read_user_properties(&properties.user_properties, fields);
    fields.text(&will.topic);
    fields.bytes(&will.payload);
}

#[inline(always)]
fn read_connack(connack: &ConnAck<'_>, fields: &mut impl Fields) {
    fields.number(connack.session_present);
    fields.number(connack.reason_code.code());
    let properties = &connack.properties;
    fields.number_if(properties.session_expiry_interval);
    fields.number_if(properties.receive_maximum.map(|number| number.get()));
    fields.number_if(properties.maximum_qos.map(|qos| qos.level()));
    fields.number_if(properties.retain_available);
    fields.number_if(properties.maximum_packet_size.map(|number| number.get()));
    fields.text_if(properties.assigned_client_identifier.as_deref());
    fields.number_if(properties.topic_alias_maximum);
    fields.text_if(properties.reason_string.as_deref());
    fields.number_if(properties.wildcard_subscription_available);
    fields.number_if(properties.subscription_identifier_available);
    fields.number_if(properties.shared_subscription_available);
    fields.number_if(properties.server_keep_alive);
    fields.text_if(properties.response_information.as_deref());
    fields.text_if(properties.server_reference.as_deref());
    fields.text_if(properties.authentication_method.as_deref());
    fields.bytes_if(properties.authentication_data.as_deref());
    read_user_properties(&properties.user_properties, fields);
}

#[inline(always)]
fn read_subscribe(subscribe: &Subscribe<'_>, fields: &mut impl Fields) {
    fields.number(subscribe.packet_id.get());
    fields.number_if(
        subscribe
            .properties
            .subscription_identifier
            .map(|identifier| identifier.get()),
    );
    read_user_properties(&subscribe.properties.user_properties, fields);
    for subscription in &subscribe.subscriptions {
        fields.text(&subscription.filter);
        fields.number(subscription.options.qos.level());
        fields.number(subscription.options.no_local);
        fields.number(subscription.options.retain_as_published);
        fields.number(subscription.options.retain_handling as u8);
    }
}

#[inline(always)]
fn read_user_properties(
    user_properties: &Repeated<'_, UserProperty<'_>>,
    fields: &mut impl Fields,
) {
    for property in user_properties {
        fields.text(&property.name);
        fields.text(&property.value);
    }
}
