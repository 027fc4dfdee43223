//! Tables of situations: what provokes an error, and what the tool prints about it.

/// Error id, exit code and words of a row.
pub(crate) type Expected = (&'static str, i32, &'static [&'static str]);

/// Section 1, evidence first: fault of the sandbox, what is expected, and further flags.
pub(crate) const EVIDENCE: [(&str, Expected, &str); 10] = [
    (
        "connack=0x87:the Lambda gave no answer within 5 s",
        ("E-AUTH-DENIED", 5, &["the Lambda is at fault"]),
        "",
    ),
    (
        "connack=0x87:no statement allows iot:Connect on client/x",
        (
            "E-AUTH-DENIED",
            5,
            &["does not allow iot:Connect", "add to the policy:"],
        ),
        "",
    ),
    (
        "connack=0x87:there is no authorizer of that name",
        ("E-AUTH-DENIED", 5, &["the authorizer name is mistyped"]),
        "",
    ),
    (
        "connack=0x87:the token signature does not match",
        ("E-AUTH-DENIED", 5, &["no signature was sent"]),
        "",
    ),
    (
        "connack=0x86",
        (
            "E-AUTH-DENIED",
            5,
            &["server gave no reason string", "iot:Connect on client/"],
        ),
        "",
    ),
    (
        "drop-on-connect",
        ("E-HANGUP", 5, &["without a packet"]),
        "",
    ),
    ("malformed", ("E-PROTOCOL", 10, &["received: "]), ""),
    (
        "disconnect=0x95@300ms",
        ("E-DISCONNECTED", 8, &["larger than the server's limit"]),
        "--interval=20s",
    ),
    (
        "disconnect=0xa1@300ms",
        ("E-DISCONNECTED", 8, &["no subscription identifiers"]),
        "--interval=20s",
    ),
    (
        "disconnect=0x82@300ms",
        ("E-DISCONNECTED", 8, &["broke the rules of MQTT"]),
        "--interval=20s",
    ),
];

/// Section 2, a word within seconds.
pub(crate) const SILENCE: [(&str, Expected, &str); 4] = [
    (
        "silent",
        (
            "E-CONNACK-TIMEOUT",
            9,
            &["waiting: CONNECT was sent, no CONNACK yet"],
        ),
        "--timeout=5s",
    ),
    (
        "no-puback",
        ("E-ACK-TIMEOUT", 9, &["waiting: no PUBACK yet"]),
        "--timeout=5s",
    ),
    (
        "no-deliver",
        (
            "E-NOT-RECEIVED",
            9,
            &["waiting: acknowledged 2, received 0"],
        ),
        "--timeout=5s",
    ),
    (
        "connack=0x89",
        ("E-CONN-REFUSED", 6, &["attempt 1: ", "next attempt in"]),
        "--reconnect=1",
    ),
];

/// First bytes of a server of another protocol.
pub(crate) const FOREIGN: [(&str, &[u8], &[&str]); 6] = [
    (
        "plain: 20 02 00 01",
        &[0x20, 0x02, 0x00, 0x01],
        &["MQTT 3.1.1 only", "received: 20 02 00 01"],
    ),
    (
        "plain: 20 02 00 05",
        &[0x20, 0x02, 0x00, 0x05],
        &["MQTT 3.1.1 only"],
    ),
    (
        "plain: 20 02 00 00",
        &[0x20, 0x02, 0x00, 0x00],
        &["MQTT 3.1.1 only"],
    ),
    (
        "plain: HTTP/1.1",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        &["a web server answers"],
    ),
    (
        "plain: 15 03 03",
        &[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x46],
        &["this port speaks TLS", "mqtts://"],
    ),
    (
        "plain: SSH-2.0",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        &["an SSH server answers"],
    ),
];

/// Section 3, load: words of `dunlin bench`, fault of the sandbox, and what is expected.
pub(crate) const LOAD: [(&str, &str, Expected); 14] = [
    (
        "connect --clients=2 --duration=2s",
        "disconnect=0x8b@300ms",
        ("E-DISCONNECTED", 8, &["(DISCONNECT 0x8B)"]),
    ),
    (
        "pub --clients=2 --duration=2s --rate=20",
        "reset@300ms",
        ("E-LOST", 8, &[]),
    ),
    (
        "sub --clients=2 --duration=2s",
        "disconnect=0x8b@300ms",
        ("E-DISCONNECTED", 8, &["(DISCONNECT 0x8B)"]),
    ),
    (
        "pubsub --clients=2 --duration=2s --rate=20",
        "disconnect=0x8b@300ms",
        ("E-DISCONNECTED", 8, &["(DISCONNECT 0x8B)"]),
    ),
    (
        "pub --count=4 --qos=1",
        "puback=0x97",
        ("E-PUB-DENIED", 7, &["Quota exceeded", "--rate"]),
    ),
    (
        "pub --count=4 --qos=1",
        "puback=0x87",
        ("E-PUB-DENIED", 7, &["Not authorized", "--client-id"]),
    ),
    (
        "sub --count=4",
        "suback=0x87",
        ("E-SUB-DENIED", 7, &["Not authorized", "--client-id"]),
    ),
    (
        "pub --count=4 --qos=1 --size=200000",
        "delay=0ms",
        (
            "E-PUB-DENIED",
            7,
            &["larger than the server's Maximum Packet Size", "--size"],
        ),
    ),
    (
        "pub --count=4 --qos=1",
        "no-puback",
        ("E-ACK-TIMEOUT", 9, &["no acknowledgement of PUBLISH"]),
    ),
    (
        "pubsub --count=4 --qos=1",
        "no-deliver",
        ("E-NOT-RECEIVED", 9, &["4 of 4 messages"]),
    ),
    (
        "pub --count=4 --qos=1",
        "connack=0x86",
        ("E-AUTH-DENIED", 5, &["wrong user name or password"]),
    ),
    (
        "connect --clients=2",
        "connack=0x87",
        ("E-AUTH-DENIED", 5, &["wrong user name or password"]),
    ),
    (
        "connect --clients=2",
        "silent",
        ("E-CONNACK-TIMEOUT", 9, &["did not answer CONNECT within"]),
    ),
    (
        "connect --clients=2",
        "malformed",
        ("E-PROTOCOL", 10, &["received: "]),
    ),
];

/// Section 2, load: silence and refusals that pass by themselves.
pub(crate) const LOAD_SILENCE: [(&str, &str, Expected); 3] = [
    (
        "connect --clients=2",
        "silent",
        (
            "E-CONNACK-TIMEOUT",
            9,
            &["waiting: CONNECT was sent to", "no CONNACK yet"],
        ),
    ),
    (
        "connect --clients=2",
        "connack=0x89",
        ("E-CONN-REFUSED", 6, &["attempt 1: ", "next attempt in"]),
    ),
    (
        "pub --count=2 --qos=1",
        "no-puback",
        ("E-ACK-TIMEOUT", 9, &["waiting: sent 2, acknowledged 0"]),
    ),
];
