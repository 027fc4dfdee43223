//! PINGREQ, PINGRESP, DISCONNECT and AUTH.

use dunlin_codec::{Auth, AuthProperties, Disconnect, DisconnectProperties, Packet, ReasonCode};

use super::values::{data, text, user_properties};

pub(super) fn table() -> Vec<(&'static str, &'static str, Packet<'static>)> {
    let with_method = AuthProperties {
        authentication_method: Some(text("SCRAM")),
        ..AuthProperties::default()
    };
    vec![
        ("PINGREQ", "C0 00", Packet::PingReq),
        ("PINGRESP", "D0 00", Packet::PingResp),
        (
            "a DISCONNECT with nothing",
            "E0 00",
            Disconnect::default().into(),
        ),
        (
            "a DISCONNECT with the will",
            "E0 01 04",
            Disconnect {
                reason_code: ReasonCode::DisconnectWithWill,
                ..Disconnect::default()
            }
            .into(),
        ),
        (
            "a client's DISCONNECT with everything",
            "E0 16 00 14 11 0000000A 1F 0005 6C61746572 26 0001 6B 0001 76",
            Disconnect {
                reason_code: ReasonCode::NORMAL_DISCONNECTION,
                properties: DisconnectProperties {
                    session_expiry_interval: Some(10),
                    reason_string: Some(text("later")),
                    server_reference: None,
                    user_properties: user_properties(&[("k", "v")]),
                },
            }
            .into(),
        ),
        (
            "a server's DISCONNECT with everything",
            "E0 2B 9C 29 1F 0004 66756C6C 1C 0018 622E6578616D706C6520632E6578616D706C653A38383833 26 0001 6B 0001 76",
            Disconnect {
                reason_code: ReasonCode::UseAnotherServer,
                properties: DisconnectProperties {
                    session_expiry_interval: None,
                    reason_string: Some(text("full")),
                    server_reference: Some(text("b.example c.example:8883")),
                    user_properties: user_properties(&[("k", "v")]),
                },
            }
            .into(),
        ),
        ("an AUTH with nothing", "F0 00", Auth::default().into()),
        (
            "an AUTH that goes on",
            "F0 0A 18 08 15 0005 534352414D",
            Auth {
                reason_code: ReasonCode::ContinueAuthentication,
                properties: with_method,
            }
            .into(),
        ),
        (
            "an AUTH with everything",
            "F0 1D 19 1B 15 0005 534352414D 16 0001 01 1F 0005 616761696E 26 0001 6B 0001 76",
            Auth {
                reason_code: ReasonCode::ReAuthenticate,
                properties: AuthProperties {
                    authentication_data: Some(data(&[1])),
                    reason_string: Some(text("again")),
                    user_properties: user_properties(&[("k", "v")]),
                    ..with_method
                },
            }
            .into(),
        ),
    ]
}
