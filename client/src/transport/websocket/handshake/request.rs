//! Request for a WebSocket connection (RFC 6455, section 4.1).

use zeroize::Zeroizing;

use super::SUBPROTOCOL;
use crate::transport::authority;
use crate::transport::websocket::{Server, WebSocketOptions};

/// Text of the request with `key` as its `Sec-WebSocket-Key`; zeroed after use.
pub(super) fn request(
    options: &WebSocketOptions,
    server: Server<'_>,
    key: &str,
) -> Zeroizing<String> {
    // The default port isn't named (RFC 9110, section 4.2.1), as the signatures of some gateways
    // include this header.
    let default_port = if server.is_tls { 443 } else { 80 };
    let mut host = authority(server.host, server.port);
    if server.port == default_port
        && let Some((name, _)) = host.rsplit_once(':')
    {
        host.truncate(name.len());
    }
    let query = options.query.as_ref().map_or("", |query| query.expose());
    let headers = &options.headers;
    let is_host = |name: &str| name.eq_ignore_ascii_case("host");

    // Query and headers may hold tokens: the memory is reserved whole and zeroed after use.
    let headers_len: usize = headers
        .iter()
        .map(|header| header.name.len() + header.value.expose().len() + 4)
        .sum();
    let len = options.path.len() + query.len() + host.len() + headers_len + FIXED_LEN;
    let mut request = Zeroizing::new(String::with_capacity(len));
    for part in ["GET ", &options.path] {
        request.push_str(part);
    }
    if !query.is_empty() {
        request.push('?');
        request.push_str(query);
    }
    request.push_str(" HTTP/1.1\r\n");
    let mut push = |name: &str, value: &str| {
        for part in [name, ": ", value, "\r\n"] {
            request.push_str(part);
        }
    };
    if !headers.iter().any(|header| is_host(&header.name)) {
        push("Host", &host);
    }
    push("Upgrade", "websocket");
    push("Connection", "Upgrade");
    push("Sec-WebSocket-Version", "13");
    push("Sec-WebSocket-Key", key);
    // [MQTT-6.0.0-3]
    push("Sec-WebSocket-Protocol", SUBPROTOCOL);
    for header in headers {
        push(&header.name, header.value.expose());
    }
    request.push_str("\r\n");
    request
}

/// Bytes of a request besides path, query, host and additional headers; a little more than there are.
const FIXED_LEN: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::PeerAddress;

    fn server(host: &str, port: u16) -> Server<'_> {
        Server {
            host,
            port,
            is_tls: true,
            peer: &PeerAddress::Own,
        }
    }

    #[test]
    fn a_request_has_path_query_headers_and_the_subprotocol() {
        let mut options = WebSocketOptions::default();
        options.push_query(&"t=1".into());
        options.set_header("X-Token", "s3cret");

        let request = request(&options, server("iot.example", 443), "a2V5");

        assert_eq!(
            *request,
            "GET /mqtt?t=1 HTTP/1.1\r\nHost: iot.example\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: a2V5\r\n\
             Sec-WebSocket-Protocol: mqtt\r\nX-Token: s3cret\r\n\r\n"
        );
    }

    #[test]
    fn a_request_names_another_port_and_brackets_ipv6() {
        let host = |options: &WebSocketOptions, server| {
            let request = request(options, server, "k");
            let line = request.lines().find(|line| line.starts_with("Host"));
            line.map(str::to_owned).unwrap()
        };
        let mut options = WebSocketOptions::default();
        assert_eq!(host(&options, server("::1", 8080)), "Host: [::1]:8080");
        assert_eq!(host(&options, server("::1", 443)), "Host: [::1]");
        options.set_header("Host", "gateway");
        assert_eq!(host(&options, server("::1", 443)), "Host: gateway");
    }
}
