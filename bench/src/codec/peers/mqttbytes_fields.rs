//! Fields of the packets of mqttbytes and of its two descendants, rumqttc and rumqttc-v5-next.

/// Defines readers of the packets that have the same field names in the module `$packets`.
///
/// CONNECT, its user name and password, and the topic of PUBLISH differ; each codec reads them
/// itself.
macro_rules! mqttbytes_fields {
    ($($packets:ident)::+) => {
        #[inline(always)]
        fn read_publish_properties(
            properties: Option<&$($packets)::+::PublishProperties>,
            fields: &mut impl Fields,
        ) {
            let Some(properties) = properties else {
                return;
            };
            fields.number_if(properties.payload_format_indicator);
            fields.number_if(properties.message_expiry_interval);
            fields.number_if(properties.topic_alias);
            fields.text_if(properties.response_topic.as_deref());
            fields.bytes_if(properties.correlation_data.as_deref());
            fields.text_if(properties.content_type.as_deref());
            for &identifier in &properties.subscription_identifiers {
                fields.number(identifier as u64);
            }
            read_user_properties(&properties.user_properties, fields);
        }

        #[inline(always)]
        fn read_puback(puback: &$($packets)::+::PubAck, fields: &mut impl Fields) {
            fields.number(puback.pkid);
            fields.number(puback.reason as u8);
            if let Some(properties) = &puback.properties {
                fields.text_if(properties.reason_string.as_deref());
                read_user_properties(&properties.user_properties, fields);
            }
        }

        #[inline(always)]
        fn read_connect_properties(
            properties: Option<&$($packets)::+::ConnectProperties>,
            fields: &mut impl Fields,
        ) {
            let Some(properties) = properties else {
                return;
            };
            fields.number_if(properties.session_expiry_interval);
            fields.number_if(properties.receive_maximum);
            fields.number_if(properties.max_packet_size);
            fields.number_if(properties.topic_alias_max);
            fields.number_if(properties.request_response_info);
            fields.number_if(properties.request_problem_info);
            fields.text_if(properties.authentication_method.as_deref());
            fields.bytes_if(properties.authentication_data.as_deref());
            read_user_properties(&properties.user_properties, fields);
        }

        #[inline(always)]
        fn read_will(will: &$($packets)::+::LastWill, fields: &mut impl Fields) {
            fields.number(will.qos as u8);
            fields.number(will.retain);
            if let Some(properties) = &will.properties {
                fields.number_if(properties.delay_interval);
                fields.number_if(properties.payload_format_indicator);
                fields.number_if(properties.message_expiry_interval);
                fields.text_if(properties.content_type.as_deref());
                fields.text_if(properties.response_topic.as_deref());
                fields.bytes_if(properties.correlation_data.as_deref());
                read_user_properties(&properties.user_properties, fields);
            }
            fields.bytes(will.topic.as_ref());
            fields.bytes(&will.message);
        }

        #[inline(always)]
        fn read_connack(connack: &$($packets)::+::ConnAck, fields: &mut impl Fields) {
            fields.number(connack.session_present);
            fields.number(connack.code as u8);
            let Some(properties) = &connack.properties else {
                return;
            };
            fields.number_if(properties.session_expiry_interval);
            fields.number_if(properties.receive_max);
            fields.number_if(properties.max_qos);
            fields.number_if(properties.retain_available);
            fields.number_if(properties.max_packet_size);
            fields.text_if(properties.assigned_client_identifier.as_deref());
            fields.number_if(properties.topic_alias_max);
            fields.text_if(properties.reason_string.as_deref());
            fields.number_if(properties.wildcard_subscription_available);
            fields.number_if(properties.subscription_identifiers_available);
            fields.number_if(properties.shared_subscription_available);
            fields.number_if(properties.server_keep_alive);
            fields.text_if(properties.response_information.as_deref());
            fields.text_if(properties.server_reference.as_deref());
            fields.text_if(properties.authentication_method.as_deref());
            fields.bytes_if(properties.authentication_data.as_deref());
            read_user_properties(&properties.user_properties, fields);
        }

        #[inline(always)]
        fn read_subscribe(subscribe: &$($packets)::+::Subscribe, fields: &mut impl Fields) {
            fields.number(subscribe.pkid);
            if let Some(properties) = &subscribe.properties {
                fields.number_if(properties.id.map(|id| id as u64));
                read_user_properties(&properties.user_properties, fields);
            }
            for filter in &subscribe.filters {
                fields.text(&filter.path);
                fields.number(filter.qos as u8);
                fields.number(filter.nolocal);
                fields.number(filter.preserve_retain);
                fields.number(filter.retain_forward_rule.clone() as u8);
            }
        }

        #[inline(always)]
        fn read_user_properties(user_properties: &[(String, String)], fields: &mut impl Fields) {
            for (name, value) in user_properties {
                fields.text(name);
                fields.text(value);
            }
        }
    };
}

pub(super) use mqttbytes_fields;
