//! Explanations of error ids: meaning, usual causes and remedies, one row each.

#[cfg(test)]
mod book;

use super::page::ExplanationPage;
use crate::diagnosis::Id;

/// Explanation of an error.
struct About {
    /// Meaning in at most 50 characters.
    meaning: &'static str,
    /// Usual causes, the likeliest first.
    causes: &'static [&'static str],
    /// Remedies, the most useful first.
    remedies: &'static [&'static str],
}

/// Error with this id, in any case.
pub(super) fn named(words: &str) -> Option<Id> {
    let mut ids = Id::ALL.iter().copied();
    ids.find(|id| id.name().eq_ignore_ascii_case(words))
}

/// Meaning of an error in at most 50 characters.
pub(super) fn meaning(id: Id) -> &'static str {
    about(id).meaning
}

/// Page about an error.
pub(super) fn explain(id: Id) -> ExplanationPage {
    let about = about(id);
    let title = format!("{}  exit code {}", id.name(), id.exit().code());
    let mut page = ExplanationPage::new("error", id.name(), title);
    page.section("meaning:", about.meaning);
    page.section("stage:", id.stage());
    for (label, lines) in [("causes:", about.causes), ("try:", about.remedies)] {
        for (row, line) in lines.iter().enumerate() {
            page.section(if row == 0 { label } else { "" }, *line);
        }
    }
    page
}

/// Row of an error.
fn about(id: Id) -> About {
    let (meaning, causes, remedies): (_, &'static [_], &'static [_]) = match id {
        Id::Io => (
            "a local file, pipe or disk failed",
            &["the disk is full", "standard output can't be written"],
            &["free space, or write the output elsewhere"],
        ),
        Id::Usage => (
            "a flag, a file or a combination of them is wrong",
            &["a flag is missing or mistyped", "a file can't be read"],
            &["the help of the verb, such as dunlin help bench pub"],
        ),
        Id::Endpoint => (
            "the endpoint isn't one that can be used",
            &[
                "the endpoint of another service of AWS, such as the credentials endpoint",
                "a URL where a host name is taken",
            ],
            &["aws iot describe-endpoint --endpoint-type iot:Data-ATS"],
        ),
        Id::Signature => (
            "the token's signature can't be valid",
            &[
                "the signature is a hash, or was encoded twice",
                "another key than the authorizer's, or another token",
                "the token ends in a newline that wasn't signed",
            ],
            &["dunlin auth sign --key private.pem --token-file token.txt"],
        ),
        Id::AuthCommand => (
            "the command of --auth-cmd brought no credentials",
            &[
                "the command fails, or needs a terminal",
                "it prints nothing, or JSON without username, password, token and signature",
            ],
            &["the command by itself in a shell"],
        ),
        Id::Dns => (
            "the server's name can't be resolved",
            &["a typing error in the name", "no DNS server can be reached"],
            &["compare the name with that of the server's owner"],
        ),
        Id::Refused => (
            "the port refuses connections",
            &["the server isn't running", "another port", "a firewall"],
            &["--port, or a server: dunlin sandbox"],
        ),
        Id::ConnectTimeout => (
            "the server's address doesn't answer",
            &["a firewall drops the packets", "a wrong address"],
            &["a proxy with --proxy", "a longer --connect-timeout"],
        ),
        Id::Proxy => (
            "the proxy didn't open a connection to the server",
            &[
                "the proxy asks for a password",
                "its rules forbid the host or the port",
            ],
            &["user and password in the URL of --proxy", "--proxy none"],
        ),
        Id::TlsCa => (
            "the server's certificate isn't trusted",
            &[
                "a private CA",
                "an endpoint of AWS IoT without -ats in its name",
            ],
            &["--ca with the file of the CA"],
        ),
        Id::TlsName => (
            "the certificate is for another name",
            &["an IP address or an alias instead of the name in the certificate"],
            &["the certificate's name as endpoint, with --connect-to for the address"],
        ),
        Id::TlsExpired => (
            "the server's certificate has expired",
            &["it wasn't renewed", "this computer's clock is ahead"],
            &["renew the certificate on the server"],
        ),
        Id::TlsTime => (
            "the certificate isn't valid yet by this clock",
            &["this computer's clock is behind, for example after a power failure"],
            &["set the clock"],
        ),
        Id::TlsHandshake => (
            "the TLS handshake failed",
            &[
                "the port has no TLS",
                "the server requires a client certificate",
            ],
            &["mqtt:// for a port without TLS", "--cert and --key"],
        ),
        Id::TlsIntercepted => (
            "a proxy answers TLS in place of the server",
            &["a proxy of the network decrypts connections"],
            &["an exception for the endpoint; a CA alone doesn't bring ALPN back"],
        ),
        Id::Alpn => (
            "the server selected no ALPN protocol for MQTT",
            &[
                "--alpn none on port 443 of AWS IoT",
                "a proxy that removes ALPN",
            ],
            &["--alpn mqtt for a custom authorizer"],
        ),
        Id::AuthDenied => (
            "the server doesn't accept the credentials",
            &[
                "a wrong user name, password or token",
                "the policy doesn't allow iot:Connect for this client id",
                "the authorizer's name is wrong, it is inactive, or its Lambda failed",
            ],
            &[
                "aws iot test-invoke-authorizer",
                "the log of the authorizer's Lambda",
            ],
        ),
        Id::Hangup => (
            "the server closed instead of answering CONNECT",
            &[
                "the same as E-AUTH-DENIED: AWS IoT denies some clients like this",
                "the port speaks another protocol",
            ],
            &["dunlin auth username shows what the user name carries"],
        ),
        Id::Upgrade => (
            "the server opened no WebSocket connection",
            &[
                "MQTT is at another path, or this port has no WebSocket",
                "a proxy or a gateway answers in place of the server",
            ],
            &[
                "the path that the server's documentation names: wss://HOST/PATH",
                "mqtts:// or mqtt:// for MQTT without WebSocket",
            ],
        ),
        Id::ConnRefused => (
            "the server refused the connection",
            &[
                "the client id isn't allowed",
                "the server is busy or out of quota",
            ],
            &["dunlin explain connack 0x89 explains each code"],
        ),
        Id::HttpDenied => (
            "the message wasn't allowed (HTTP 401 or 403)",
            &[
                "the custom authorizer refused the token, or can't be called",
                "its policy doesn't allow iot:Publish on the topic, or iot:RetainPublish",
                "no credentials at all, or a user name and a password, which HTTP doesn't carry",
            ],
            &[
                "the authorizer's log, which has the request if it was called",
                "dunlin auth eval --policy policy.json --action publish --topic lamp/7",
                "a check over MQTT with doctor, whose errors tell the two apart",
            ],
        ),
        Id::HttpUnavailable => (
            "the server can't take the message now",
            &[
                "too many messages in a second (HTTP 429)",
                "the server, or one behind a gateway, is down (HTTP 500 to 504)",
            ],
            &["again in a minute", "--interval between the messages"],
        ),
        Id::HttpRefused => (
            "the server refused the request",
            &[
                "a topic or a property that the service doesn't take (HTTP 400)",
                "a payload above 128 KiB (HTTP 413)",
                "another service is at this port (HTTP 404, 405)",
            ],
            &["the limits: dunlin explain limits", "the port of HTTPS"],
        ),
        Id::SubDenied => (
            "the server denied a subscription",
            &["the policy lacks iot:Subscribe on topicfilter/.. (not topic/..)"],
            &["dunlin auth eval --policy policy.json --action subscribe --topic my/topic"],
        ),
        Id::SubDropped => (
            "the server closed the connection on SUBSCRIBE",
            &["the same as E-SUB-DENIED: AWS IoT denies requests like this"],
            &["dunlin auth lint --policy policy.json"],
        ),
        Id::PubDenied => (
            "the server denied a message",
            &["the policy lacks iot:Publish on topic/.."],
            &["dunlin auth eval --policy policy.json --action publish --topic my/topic"],
        ),
        Id::PubDropped => (
            "the server closed the connection on PUBLISH",
            &["the same as E-PUB-DENIED: AWS IoT denies requests like this"],
            &["dunlin auth lint --policy policy.json"],
        ),
        Id::KeepAlive => (
            "the connection went silent",
            &["a router or a firewall dropped an idle connection"],
            &["a shorter --keep-alive, such as 60s"],
        ),
        Id::Disconnected => (
            "the server ended the connection",
            &["it shuts down, or a limit of the server was exceeded"],
            &["the reason code in the error: dunlin explain disconnect 0x8B"],
        ),
        Id::TakenOver => (
            "another client connected with the same client id",
            &[
                "two programs with one client id",
                "an earlier run that still goes on",
            ],
            &["a client id of its own: --client-id"],
        ),
        Id::Lost => (
            "the connection was lost",
            &["the network failed", "the server or a proxy restarted"],
            &["--reconnect inf, and -v for each step"],
        ),
        Id::ConnackTimeout => (
            "the server didn't answer CONNECT in time",
            &["the server waits for an authorizer that doesn't answer"],
            &["a longer --timeout"],
        ),
        Id::AckTimeout => (
            "the server didn't acknowledge a request in time",
            &[
                "the server is overloaded",
                "AWS IoT doesn't answer a SUBSCRIBE at QoS 2",
            ],
            &["QoS 1", "a longer --timeout"],
        ),
        Id::NotReceived => (
            "messages didn't arrive in time",
            &[
                "the policy lacks iot:Receive on topic/..",
                "another topic was published to",
            ],
            &["dunlin auth eval --policy policy.json --action receive --topic my/topic"],
        ),
        Id::Protocol => (
            "the server broke the rules of MQTT 5",
            &[
                "a bug of the server",
                "a server of another protocol or version",
            ],
            &["dunlin inspect decode explains the packet that the error shows"],
        ),
    };
    About {
        meaning,
        causes,
        remedies,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_a_meaning_a_cause_and_a_remedy() {
        for id in Id::ALL {
            let About {
                meaning,
                causes,
                remedies,
            } = about(*id);
            assert!((10..=50).contains(&meaning.len()), "{meaning}");
            assert!(!causes.is_empty() && !remedies.is_empty(), "{id:?}");
            assert_eq!(named(&id.name().to_lowercase()), Some(*id));
        }
    }
}
