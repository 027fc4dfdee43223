//! Tests of `--endpoint` and the flags about it.

use super::*;
use crate::diagnosis::{Id, Try};

fn server(
    endpoint: &str,
    port: Option<u16>,
    connect_to: Option<&str>,
) -> Result<Server, Diagnosis> {
    new(endpoint, port, connect_to, EndpointForm::Host)
}

fn new(
    endpoint: &str,
    port: Option<u16>,
    connect_to: Option<&str>,
    form: EndpointForm,
) -> Result<Server, Diagnosis> {
    let typed = EndpointArgs {
        endpoint: Some(endpoint.into()),
        port,
        connect_to: connect_to.map(Into::into),
        address: crate::args::AddressArgs::default(),
        websocket: WebSocketArgs::default(),
        proxy: None,
        state_dir: None,
    };
    Server::new(typed, form)
}

#[test]
fn a_port_stands_in_the_endpoint_or_behind_port_and_is_443_without_either() {
    assert_eq!(server("localhost", None, None).unwrap().port, 443);
    assert_eq!(server("localhost:8883", None, None).unwrap().port, 8883);
    assert_eq!(server("localhost", Some(8883), None).unwrap().port, 8883);
    assert_eq!(
        server("localhost:1", Some(2), None).unwrap_err().id,
        Id::Usage
    );
}

#[test]
fn a_scheme_says_whether_there_is_tls_and_where() {
    let of = |endpoint: &str, port| {
        new(endpoint, port, None, EndpointForm::HostOrUrl)
            .map(|server| (server.host, server.port, server.is_tls))
    };
    let here = |port, is_tls| ("localhost".to_owned(), port, is_tls);
    assert_eq!(of("mqtt://localhost", None).unwrap(), here(1883, false));
    assert_eq!(
        of("mqtt://localhost:1884/", None).unwrap(),
        here(1884, false)
    );
    assert_eq!(of("mqtts://localhost", Some(1)).unwrap(), here(1, true));
    assert_eq!(of("localhost", None).unwrap(), here(443, true));
    assert!(of("https://localhost", None).is_err());
}

#[test]
fn flags_and_port_choose_tls_and_alpn_for_any_server() {
    let of = |endpoint: &str, asked_for| {
        let server = new(endpoint, None, None, EndpointForm::AnyServer(asked_for)).unwrap();
        (server.port, server.is_tls, server.default_alpn)
    };
    let none = AskedFor::default();
    let ca = AskedFor { ca: true, ..none };
    let certificate = AskedFor {
        certificate: true,
        ..none
    };
    let authorizer = AskedFor {
        authorizer: true,
        ..none
    };
    let aws = "x-ats.iot.eu-west-1.amazonaws.com";
    for (endpoint, asked_for, expected) in [
        // As mosquitto's tools: TCP, unless a CA, a certificate or the port asks for TLS.
        ("localhost", none, (1883, false, None)),
        ("localhost:8883", none, (8883, true, None)),
        ("localhost", ca, (8883, true, None)),
        ("localhost:1884", certificate, (1884, true, None)),
        ("mqtt://localhost", none, (1883, false, None)),
        ("mqtts://localhost", none, (8883, true, None)),
        // Custom authorizers, and AWS IoT.
        ("localhost", authorizer, (443, true, Some("mqtt"))),
        (aws, none, (443, true, Some("mqtt"))),
        (aws, certificate, (8883, true, None)),
        (
            &format!("{aws}:443"),
            certificate,
            (443, true, Some("x-amzn-mqtt-ca")),
        ),
        (&format!("mqtts://{aws}"), none, (8883, true, None)),
    ] {
        assert_eq!(of(endpoint, asked_for), expected, "{endpoint}");
    }
}

#[test]
fn a_unix_domain_socket_needs_a_path_and_has_no_host() {
    for endpoint in ["unix://localhost", "unix:", "unix://"] {
        let form = EndpointForm::AnyServer(AskedFor::default());
        let diagnosis = new(endpoint, None, None, form).unwrap_err();
        assert_eq!(diagnosis.id, Id::Endpoint);
        let headline = diagnosis.headline;
        assert!(headline.contains("Unix domain socket"), "{headline}");
    }
}

/// A server of `--endpoint` and `--transport`.
fn over(
    endpoint: &str,
    flag: Option<TransportArg>,
    form: EndpointForm,
) -> Result<Server, Diagnosis> {
    let websocket = WebSocketArgs {
        transport: flag,
        ..WebSocketArgs::default()
    };
    let typed = EndpointArgs {
        endpoint: Some(endpoint.into()),
        port: None,
        connect_to: None,
        address: crate::args::AddressArgs::default(),
        websocket,
        proxy: None,
        state_dir: None,
    };
    Server::new(typed, form)
}

#[test]
fn a_url_or_a_flag_asks_for_websocket_in_every_verb() {
    let any = EndpointForm::AnyServer(AskedFor {
        authorizer: true,
        ..AskedFor::default()
    });
    let aws = "x-ats.iot.eu-west-1.amazonaws.com";
    for form in [EndpointForm::Host, EndpointForm::HostOrUrl, any] {
        for (endpoint, flag, port, path, query) in [
            ("wss://localhost", None, 443, "/mqtt", None),
            (
                "wss://localhost/",
                Some(TransportArg::Wss),
                443,
                "/mqtt",
                None,
            ),
            ("wss://[::1]:8443/a/b?t=1", None, 8443, "/a/b", Some("t=1")),
            (aws, Some(TransportArg::Wss), 443, "/mqtt", None),
            (
                "localhost:8443",
                Some(TransportArg::Wss),
                8443,
                "/mqtt",
                None,
            ),
        ] {
            let server = over(endpoint, flag, form).unwrap();
            let websocket = server.websocket.as_ref().unwrap();
            assert_eq!((server.port, websocket.path.as_str()), (port, path));
            assert_eq!(websocket.query, query.map(Into::into), "{endpoint}");
            // AWS IoT takes ALPN "mqtt" for MQTT without WebSocket.
            assert_eq!((server.scheme(), server.default_alpn), ("wss", None));
        }
    }
    for (endpoint, flag, port) in [
        ("ws://localhost", None, 80),
        ("ws://localhost:8080/x", None, 8080),
        ("localhost", Some(TransportArg::Ws), 80),
    ] {
        let server = over(endpoint, flag, any).unwrap();
        assert_eq!((server.scheme(), server.port), ("ws", port), "{endpoint}");
    }
}

#[test]
fn a_transport_by_flag_goes_with_the_default_port_of_the_verb() {
    let any = EndpointForm::AnyServer(AskedFor::default());
    for (form, flag, scheme, port) in [
        (any, TransportArg::Tcp, "mqtt", 1883),
        (any, TransportArg::Tls, "mqtts", 8883),
        (EndpointForm::HostOrUrl, TransportArg::Tcp, "mqtt", 1883),
        (EndpointForm::HostOrUrl, TransportArg::Tls, "mqtts", 443),
        (EndpointForm::Host, TransportArg::Tls, "mqtts", 443),
    ] {
        let server = over("localhost", Some(flag), form).unwrap();
        assert_eq!((server.scheme(), server.port), (scheme, port), "{form:?}");
    }
}

#[test]
fn transports_that_contradict_each_other_or_lack_tls_are_refused() {
    let any = EndpointForm::AnyServer(AskedFor::default());
    for (endpoint, flag, form, id, words) in [
        (
            "wss://h",
            Some(TransportArg::Tls),
            any,
            Id::Usage,
            "--transport says tls",
        ),
        (
            "ws://h",
            None,
            EndpointForm::Host,
            Id::Endpoint,
            "without TLS",
        ),
        (
            "h",
            Some(TransportArg::Tcp),
            EndpointForm::Host,
            Id::Endpoint,
            "without TLS",
        ),
        (
            "ws://h/a b",
            None,
            any,
            Id::Endpoint,
            "can't stand in a request",
        ),
        (
            "wss://h/x#y?canary",
            None,
            any,
            Id::Endpoint,
            "can't stand in a request",
        ),
        (
            "wss:///mqtt?canary",
            None,
            any,
            Id::Endpoint,
            "--endpoint is empty",
        ),
    ] {
        let diagnosis = over(endpoint, flag, form).unwrap_err();
        assert_eq!(diagnosis.id, id, "{endpoint}");
        let text = format!("{diagnosis:?}");
        assert!(text.contains(words), "{text}");
        assert!(!text.contains("canary"), "{text}");
    }
}

#[test]
fn the_query_of_an_endpoint_that_cannot_be_used_is_not_repeated() {
    let any = EndpointForm::AnyServer(AskedFor::default());
    for endpoint in [
        "https://h/p?canary",
        "https://h?canary",
        "mqtt://h/p?canary",
        "h/mqtt?canary",
        "h?canary",
        "h#canary",
        "wss://u:pw@h/p?canary",
        "wss://u@h?canary",
        "unix://h/p?canary",
        "c1abc.credentials.iot.eu-west-1.amazonaws.com/p?canary",
    ] {
        for form in [EndpointForm::Host, EndpointForm::HostOrUrl, any] {
            let diagnosis = new(endpoint, None, None, form).unwrap_err();
            assert_eq!(diagnosis.id, Id::Endpoint, "{endpoint}");
            let text = format!("{diagnosis:?}");
            assert!(!text.contains("canary"), "{endpoint}: {text}");
        }
    }
}

#[test]
fn a_scheme_is_explained_where_only_a_host_name_is_taken() {
    for (endpoint, words) in [
        ("mqtt://localhost", "all verbs but the sample take it"),
        ("mqtts://localhost", "TLS is always used"),
    ] {
        let diagnosis = server(endpoint, None, None).unwrap_err();
        assert!(diagnosis.headline.contains(words), "{}", diagnosis.headline);
        assert_eq!(diagnosis.try_, [Try::paste("--endpoint localhost")]);
    }
}

#[test]
fn a_password_in_a_url_is_refused_and_not_repeated() {
    for form in [EndpointForm::Host, EndpointForm::HostOrUrl] {
        for (endpoint, connect_to) in [
            ("mqtt://user:canary@localhost", None),
            ("mqtts://canary@localhost:1", None),
            ("user:canary@localhost", None),
            ("localhost", Some("mqtt://user:canary@localhost")),
        ] {
            let diagnosis = new(endpoint, None, connect_to, form).unwrap_err();
            assert!(
                !format!("{diagnosis:?}").contains("canary"),
                "{diagnosis:?}"
            );
            assert!(!diagnosis.headline.contains("user:"), "{diagnosis:?}");
        }
    }
}

#[test]
fn another_address_keeps_the_name_and_may_keep_the_port() {
    let to = |text| server("localhost:8883", None, Some(text)).map(|server| server.connect_to);
    assert_eq!(
        to("127.0.0.1").unwrap(),
        Some("127.0.0.1:8883".parse().unwrap())
    );
    assert_eq!(
        to("127.0.0.1:1").unwrap(),
        Some("127.0.0.1:1".parse().unwrap())
    );
    assert_eq!(to("[::1]").unwrap(), Some("[::1]:8883".parse().unwrap()));
    assert_eq!(to("localhost").unwrap_err().id, Id::Usage);
}

#[test]
fn local_endpoints_are_recognised_by_name_and_address() {
    for (endpoint, connect_to, is_local) in [
        ("localhost", None, true),
        ("a.LOCALHOST.", None, true),
        ("127.0.0.9:1", None, true),
        ("[::1]", None, true),
        ("[::ffff:127.0.0.1]", None, true),
        ("iot.example.com", Some("127.0.0.1"), true),
        ("localhost", Some("10.0.0.1"), false),
        ("iot.example.com", None, false),
        ("localhost.example.com", None, false),
    ] {
        assert_eq!(
            server(endpoint, None, connect_to).unwrap().is_local(),
            is_local,
            "{endpoint}"
        );
    }
}

#[test]
fn a_path_is_refused_with_the_url_without_it() {
    let any = EndpointForm::AnyServer(AskedFor::default());
    for (endpoint, words, instead) in [
        (
            "https://h:8/topics/x",
            "ends in \"/topics/x\"",
            "https://h:8",
        ),
        (
            "https://h?tok=canary",
            "is followed by a query",
            "https://h",
        ),
        ("mqtts://h/mqtt", "ends in \"/mqtt\"", "mqtts://h"),
    ] {
        let diagnosis = new(endpoint, None, None, any).unwrap_err();
        assert!(diagnosis.headline.contains(words), "{diagnosis:?}");
        assert_eq!(
            diagnosis.try_,
            [Try::paste(format!("--endpoint {instead}"))],
            "{endpoint}"
        );
        assert!(!format!("{diagnosis:?}").contains("canary"));
    }
}

#[test]
fn schemes_are_the_same_in_either_case() {
    let any = EndpointForm::AnyServer(AskedFor::default());
    let scheme = |endpoint| new(endpoint, None, None, any).unwrap().scheme();
    assert_eq!(scheme("HTTPS://h"), "https");
    assert_eq!(scheme("Mqtts://h"), "mqtts");
    assert_eq!(scheme("WSS://h/mqtt"), "wss");
}

#[test]
fn another_endpoint_of_aws_is_named_with_the_one_to_use() {
    for (endpoint, words) in [
        (
            "c1abc.credentials.iot.eu-west-1.amazonaws.com",
            "is the credentials endpoint, not the data endpoint",
        ),
        ("https://localhost", "begins with \"https://\""),
        ("localhost/mqtt", "ends in \"/mqtt\""),
        ("", "is empty"),
    ] {
        let diagnosis = server(endpoint, None, None).unwrap_err();
        assert_eq!(diagnosis.id, Id::Endpoint);
        assert!(diagnosis.headline.contains(words), "{}", diagnosis.headline);
        assert!(!diagnosis.try_.is_empty());
    }
}
