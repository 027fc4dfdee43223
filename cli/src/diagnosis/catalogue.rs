//! Every error the tool can end with, and the exit code it stands for: one row each.

use crate::exit::Exit;

macro_rules! catalogue {
    ($($id:ident $name:literal => $exit:ident,)*) => {
        /// An error id: stable, printed in brackets after `error`, and the same in every later version.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum Id {
            $($id,)*
        }

        impl Id {
            pub(crate) const ALL: &'static [Self] = &[$(Self::$id,)*];

            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$id => $name,)*
                }
            }

            pub(crate) fn exit(self) -> Exit {
                match self {
                    $(Self::$id => Exit::$exit,)*
                }
            }
        }
    };
}

catalogue! {
    Io              "E-IO"              => Internal,
    Usage           "E-USAGE"           => Usage,
    Endpoint        "E-ENDPOINT"        => Usage,
    Signature       "E-SIGNATURE"       => Usage,
    AuthCommand     "E-AUTH-CMD"        => Usage,
    Dns             "E-DNS"             => Unreachable,
    Refused         "E-REFUSED"         => Unreachable,
    ConnectTimeout  "E-CONNECT-TIMEOUT" => Unreachable,
    Proxy           "E-PROXY"           => Unreachable,
    TlsCa           "E-TLS-CA"          => Tls,
    TlsName         "E-TLS-NAME"        => Tls,
    TlsExpired      "E-TLS-EXPIRED"     => Tls,
    TlsTime         "E-TLS-TIME"        => Tls,
    TlsHandshake    "E-TLS-HANDSHAKE"   => Tls,
    TlsIntercepted  "E-TLS-INTERCEPTED" => Tls,
    Alpn            "E-ALPN"            => Tls,
    AuthDenied      "E-AUTH-DENIED"     => NotAuthorized,
    Hangup          "E-HANGUP"          => NotAuthorized,
    Upgrade         "E-UPGRADE"         => Refused,
    ConnRefused     "E-CONN-REFUSED"    => Refused,
    HttpDenied      "E-HTTP-DENIED"     => NotAuthorized,
    HttpUnavailable "E-HTTP-UNAVAILABLE" => Refused,
    HttpRefused     "E-HTTP-REFUSED"    => Denied,
    SubDenied       "E-SUB-DENIED"      => Denied,
    SubDropped      "E-SUB-DROPPED"     => Denied,
    PubDenied       "E-PUB-DENIED"      => Denied,
    PubDropped      "E-PUB-DROPPED"     => Denied,
    KeepAlive       "E-KEEPALIVE"       => Lost,
    Disconnected    "E-DISCONNECTED"    => Lost,
    TakenOver       "E-TAKEN-OVER"      => Lost,
    Lost            "E-LOST"            => Lost,
    ConnackTimeout  "E-CONNACK-TIMEOUT" => TimedOut,
    AckTimeout      "E-ACK-TIMEOUT"     => TimedOut,
    NotReceived     "E-NOT-RECEIVED"    => TimedOut,
    Protocol        "E-PROTOCOL"        => Protocol,
}

impl Id {
    /// Stage of a run at which the error happens.
    pub(crate) fn stage(self) -> &'static str {
        match self {
            Self::Io => "local",
            Self::Usage | Self::Endpoint | Self::Signature | Self::AuthCommand => "flags",
            Self::Dns => "dns",
            Self::Refused | Self::ConnectTimeout => "tcp",
            Self::Proxy => "proxy",
            Self::TlsCa
            | Self::TlsName
            | Self::TlsExpired
            | Self::TlsTime
            | Self::TlsHandshake
            | Self::TlsIntercepted
            | Self::Alpn => "tls",
            Self::Upgrade => "websocket",
            Self::AuthDenied | Self::Hangup | Self::ConnRefused | Self::ConnackTimeout => "connect",
            Self::SubDenied | Self::SubDropped => "subscribe",
            Self::PubDenied
            | Self::PubDropped
            | Self::HttpDenied
            | Self::HttpUnavailable
            | Self::HttpRefused => "publish",
            Self::AckTimeout => "acknowledgement",
            Self::NotReceived => "receive",
            Self::KeepAlive | Self::Disconnected | Self::TakenOver | Self::Lost => "connection",
            Self::Protocol => "protocol",
        }
    }
}
