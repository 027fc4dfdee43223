//! Commands of the pages that provoke the errors. A test of the workspace runs them.

use crate::diagnosis::Id;

/// Command without a fault, with which the commands of a sandbox begin.
pub(super) const SANDBOX: &str = "dunlin sandbox";

/// The sample that the sandbox accepts if it has no fault.
macro_rules! sample {
    ($($flags:literal)?) => {
        concat!(
            "dunlin --endpoint sandbox --authorizer_name DemoUnsigned --auth_username demo --auth_password demo",
            $($flags)?
        )
    };
}

/// Commands that provoke an error; empty if it takes a network that this machine may not have.
pub(super) fn provoked_by(id: Id) -> &'static [&'static str] {
    match id {
        Id::Io => &["dunlin explain > /dev/full"],
        Id::Usage => &["dunlin pub -H mqtt://localhost -t lamp/7 -m on -q 3"],
        Id::Endpoint => &[
            "dunlin --endpoint c1abc.credentials.iot.eu-west-1.amazonaws.com --authorizer_name MyAuth",
        ],
        Id::Signature => &[
            "dunlin --endpoint x-ats.iot.eu-west-1.amazonaws.com --authorizer_name MyAuth --auth_token_key_name token --auth_token_key_value hello --auth_signature aGVsbG8=",
        ],
        Id::AuthCommand => &["dunlin connect -H mqtt://localhost --auth-cmd false"],
        Id::Dns => &["dunlin connect -H mqtt://no-such-host.invalid --reconnect 0"],
        Id::Refused => &["dunlin connect -H mqtt://127.0.0.1:1 --reconnect 0"],
        Id::ConnectTimeout => &[],
        Id::Proxy => &[
            "dunlin sandbox --fault proxy=407",
            "dunlin connect -H mqtts://no-such-host.invalid --proxy http://localhost:8883 --reconnect 0",
        ],
        Id::TlsCa => &["dunlin sandbox --fault cert=unknown-ca", sample!()],
        Id::TlsName => &["dunlin sandbox --fault cert=wrong-host", sample!()],
        Id::TlsExpired => &["dunlin sandbox --fault cert=expired", sample!()],
        Id::TlsTime => &["dunlin sandbox --fault cert=notyet", sample!()],
        Id::TlsHandshake => &[
            "dunlin sandbox --plain 1883 --anonymous",
            "dunlin connect -H mqtts://localhost:1883 --reconnect 0",
        ],
        Id::TlsIntercepted => &[
            SANDBOX,
            "dunlin --endpoint x-ats.iot.eu-west-1.amazonaws.com --connect-to 127.0.0.1:8883 --authorizer_name MyAuth",
        ],
        Id::Alpn => &["dunlin sandbox --fault no-alpn", sample!(" --reconnect 0")],
        Id::AuthDenied => &["dunlin sandbox --fault connack=0x87", sample!()],
        Id::Hangup => &[
            "dunlin sandbox --fault drop-on-connect",
            sample!(" --reconnect 0"),
        ],
        Id::Upgrade => &[
            "dunlin sandbox --plain 1883 --anonymous",
            "dunlin connect -H ws://localhost:1883 --reconnect 0",
        ],
        Id::ConnRefused => &[
            "dunlin sandbox --fault connack=0x89",
            sample!(" --reconnect 0"),
        ],
        Id::HttpDenied => &[
            "dunlin sandbox --https 0",
            "dunlin pub -H sandbox --transport http -t test/topic -m on --authorizer-name DemoUnsigned",
        ],
        Id::HttpUnavailable => &[
            "dunlin sandbox --https 0 --anonymous --fault puback=0x87",
            "dunlin pub -H sandbox --transport http -t test/topic -m on -q 1",
        ],
        Id::HttpRefused => &[
            "dunlin sandbox --https 0 --anonymous",
            "dunlin pub -H sandbox --transport http -t test/topic --size 200000",
        ],
        Id::SubDenied => &["dunlin sandbox --fault suback=0x87", sample!()],
        Id::SubDropped => &["dunlin sandbox --fault drop-on-subscribe", sample!()],
        Id::PubDenied => &["dunlin sandbox --fault puback=0x87", sample!()],
        Id::PubDropped => &["dunlin sandbox --fault drop-on-publish", sample!()],
        Id::KeepAlive => &[
            "dunlin sandbox --plain 1883 --anonymous --profile mqtt5 --fault no-pingresp",
            "dunlin connect -H mqtt://localhost:1883 --keep-alive 4s --reconnect 0",
        ],
        Id::Disconnected => &[
            "dunlin sandbox --fault disconnect=0x8b@1s",
            sample!(" --reconnect 0"),
        ],
        Id::TakenOver => &["dunlin sandbox --fault disconnect=0x8e@1s", sample!()],
        Id::Lost => &["dunlin sandbox --fault reset@1s", sample!(" --reconnect 0")],
        Id::ConnackTimeout => &[
            "dunlin sandbox --fault silent",
            sample!(" --timeout 3s --reconnect 0"),
        ],
        Id::AckTimeout => &["dunlin sandbox --fault no-puback", sample!(" --timeout 3s")],
        Id::NotReceived => &[
            "dunlin sandbox --fault no-deliver",
            sample!(" --count 1 --timeout 3s"),
        ],
        Id::Protocol => &["dunlin sandbox --fault malformed", sample!()],
    }
}
