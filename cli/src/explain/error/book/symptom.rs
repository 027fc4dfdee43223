//! Symptoms of errors: the text of a page's first section, and the rows of the index.

use crate::diagnosis::Id;

/// Part of the index by symptom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Local,
    Reaching,
    Tls,
    Connecting,
    Requests,
    Later,
}

pub(super) const GROUPS: [(Group, &str); 6] = [
    (Group::Local, "Nothing is sent"),
    (Group::Reaching, "The server can't be reached"),
    (Group::Tls, "TLS fails"),
    (Group::Connecting, "TLS works, and MQTT doesn't connect"),
    (
        Group::Requests,
        "Connected, and a request fails or a message is missing",
    ),
    (Group::Later, "The connection ends"),
];

/// Description of an error by somebody who doesn't know its cause yet.
pub(super) struct Symptom {
    pub(super) group: Group,
    pub(super) text: &'static str,
}

pub(super) fn symptom(id: Id) -> Symptom {
    use Group::{Connecting, Later, Local, Reaching, Requests, Tls};
    let (group, text) = match id {
        Id::Io => (
            Local,
            "A file, a pipe or the disk fails while the tool reads or writes.",
        ),
        Id::Usage => (
            Local,
            "The tool refuses a flag, a file or a combination of them.",
        ),
        Id::Endpoint => (
            Local,
            "The endpoint is a URL, or belongs to another service of AWS. Other clients try it and report a DNS or TLS error.",
        ),
        Id::Signature => (
            Local,
            "The signature is too short or too long, is no base64, or doesn't match the token. Other clients send it, and AWS IoT Core refuses the connection without calling the Lambda.",
        ),
        Id::AuthCommand => (
            Local,
            "The command that should print the password or the token fails.",
        ),
        Id::Dns => (
            Reaching,
            "The host name isn't found; `AWS_IO_DNS_INVALID_NAME` with the SDKs of AWS.",
        ),
        Id::Refused => (
            Reaching,
            "\"Connection refused\"; `AWS_IO_SOCKET_CONNECTION_REFUSED` with the SDKs of AWS.",
        ),
        Id::ConnectTimeout => (
            Reaching,
            "Connecting takes many seconds and then fails: no answer at all.",
        ),
        Id::Proxy => (
            Reaching,
            "The proxy answers with a status such as 407 or 403, or can't be reached itself.",
        ),
        Id::TlsCa => (
            Tls,
            "\"Unknown issuer\", \"unable to get local issuer certificate\" or \"self-signed certificate\".",
        ),
        Id::TlsName => (
            Tls,
            "\"Certificate not valid for name\", \"hostname mismatch\".",
        ),
        Id::TlsExpired => (Tls, "\"Certificate has expired\"."),
        Id::TlsTime => (
            Tls,
            "\"Certificate is not yet valid\", often right after a device has started.",
        ),
        Id::TlsHandshake => (
            Tls,
            "\"Wrong version number\", \"handshake failure\", or the connection closes during the handshake.",
        ),
        Id::TlsIntercepted => (
            Tls,
            "The certificate of an AWS endpoint was issued by your company or by a security product.",
        ),
        Id::Alpn => (
            Tls,
            "\"No application protocol\", or TLS works on port 443 and the server closes as soon as CONNECT is sent.",
        ),
        Id::AuthDenied => (
            Connecting,
            "CONNACK 0x86 or 0x87, \"Bad User Name or Password\", \"Not authorized\".",
        ),
        Id::Hangup => (
            Connecting,
            "The server closes the connection instead of answering CONNECT; `AWS_ERROR_MQTT_UNEXPECTED_HANGUP` or `AWS_IO_SOCKET_CLOSED` with the SDKs of AWS.",
        ),
        Id::Upgrade => (
            Connecting,
            "\"WebSocket upgrade failed\", \"Unexpected server response: 404\"; `AWS_ERROR_HTTP_WEBSOCKET_UPGRADE_FAILURE` with the SDKs of AWS.",
        ),
        Id::ConnRefused => (
            Connecting,
            "CONNACK with another reason code of 0x80 or above, such as 0x85, 0x89, 0x97 or 0x9F.",
        ),
        Id::ConnackTimeout => (
            Connecting,
            "CONNECT is sent, and nothing comes back; `AWS_ERROR_MQTT5_CONNACK_TIMEOUT` with the SDKs of AWS.",
        ),
        Id::HttpDenied => (
            Requests,
            "An HTTP request is answered with 401 or 403, `ForbiddenException` or `UnauthorizedException`.",
        ),
        Id::HttpUnavailable => (
            Requests,
            "An HTTP request is answered with 429, `ThrottlingException`, or with 500 to 504.",
        ),
        Id::HttpRefused => (
            Requests,
            "An HTTP request is answered with 400, 404, 405 or 413, `InvalidRequestException` or `RequestEntityTooLargeException`.",
        ),
        Id::SubDenied => (
            Requests,
            "SUBACK 0x87 or another code of 0x80 or above. Samples that don't check it go on and receive nothing.",
        ),
        Id::SubDropped => (
            Requests,
            "The server closes the connection on SUBSCRIBE. Clients that resubscribe by themselves connect in an endless loop.",
        ),
        Id::PubDenied => (
            Requests,
            "PUBACK 0x87 or another code of 0x80 or above. Many clients call the publish a success all the same.",
        ),
        Id::PubDropped => (
            Requests,
            "The server closes the connection on PUBLISH, and again each time that the client repeats the message.",
        ),
        Id::AckTimeout => (
            Requests,
            "A SUBSCRIBE or PUBLISH is never answered, while the connection stays.",
        ),
        Id::NotReceived => (
            Requests,
            "Every PUBLISH is acknowledged, and the messages don't reach the subscriber.",
        ),
        Id::KeepAlive => (
            Later,
            "The connection looks open and nothing arrives; no PINGRESP, often after some idle minutes.",
        ),
        Id::Disconnected => (Later, "The server sends DISCONNECT with a reason code."),
        Id::TakenOver => (
            Later,
            "DISCONNECT 0x8E, \"Session taken over\"; two programs that throw each other out again and again.",
        ),
        Id::Lost => (
            Later,
            "The connection is closed or reset without a DISCONNECT.",
        ),
        Id::Protocol => (
            Later,
            "The server sends what MQTT 5 doesn't allow, or answers in another protocol.",
        ),
    };
    Symptom { group, text }
}
