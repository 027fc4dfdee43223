//! Pages of the book about errors: one for each error id, and an index by symptom.
//!
//! They are generated from the explanations of the tool, so that the two can't differ. After a
//! change, `DUNLIN_WRITE_BOOK=1 cargo test -p dunlin book` writes them again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{About, about};
use crate::diagnosis::Id;
use crate::exit::Exit;

/// Pages are compared with those in the book, or written if `DUNLIN_WRITE_BOOK` is set.
#[test]
fn the_book_has_the_page_of_every_error_as_the_tool_explains_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/errors");
    // The published crate has no book beside it.
    if !folder.is_dir() {
        return;
    }
    let expected = pages();
    if std::env::var_os("DUNLIN_WRITE_BOOK").is_some() {
        for (name, page) in &expected {
            fs::write(folder.join(name), page).unwrap();
        }
    }
    let found: BTreeMap<String, String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read_to_string(entry.path()).unwrap())
        })
        .collect();
    for (name, page) in &expected {
        assert_eq!(
            found.get(name),
            Some(page),
            "docs/src/errors/{name} is stale: DUNLIN_WRITE_BOOK=1 cargo test -p dunlin book"
        );
    }
    // A page of an error that is no more would still be found by search engines.
    assert_eq!(found.len(), expected.len(), "{:?}", found.keys());
}

#[test]
fn the_contents_of_the_book_list_the_page_of_every_error() {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/SUMMARY.md");
    let Ok(contents) = fs::read_to_string(path) else {
        // The published crate has no book beside it.
        return;
    };
    for id in Id::ALL {
        let entry = format!("[{}](errors/{})", id.name(), file_name(*id));
        assert!(contents.contains(&entry), "docs/src/SUMMARY.md: {entry}");
    }
}

/// File names and contents of all pages.
fn pages() -> BTreeMap<String, String> {
    let mut pages: BTreeMap<String, String> = Id::ALL
        .iter()
        .map(|id| (file_name(*id), page(*id)))
        .collect();
    pages.insert("index.md".to_owned(), index());
    pages
}

fn file_name(id: Id) -> String {
    format!("{}.md", id.name().to_lowercase())
}

/// Page of one error: symptom, causes, remedies, and commands that provoke it.
fn page(id: Id) -> String {
    let About {
        meaning,
        causes,
        remedies,
    } = about(id);
    let name = id.name();
    let exit = id.exit().code();
    let mut page = format!(
        "# {name}\n\n**{}.** Exit code {exit}; stage: {}.\n",
        sentence(meaning),
        id.stage()
    );
    page.push_str(&format!("\n## What you see\n\n{}\n", symptom(id).text));
    page.push_str("\n## Usual causes\n\n");
    for cause in causes {
        page.push_str(&format!("* {}\n", escaped(cause)));
    }
    page.push_str("\n## What to try\n\n");
    for remedy in remedies {
        page.push_str(&format!("* {}\n", command_or_text(remedy)));
    }
    let commands = provoked_by(id);
    if !commands.is_empty() {
        page.push_str("\n## See it on your own machine\n\n");
        if commands.iter().any(|text| text.starts_with(SANDBOX)) {
            page.push_str(
                "The sandbox runs in one terminal, the other command in another one.\n\n",
            );
        }
        page.push_str("```console\n");
        for command in commands {
            page.push_str(&format!("$ {command}\n"));
        }
        page.push_str("```\n");
    }
    page.push_str(&format!(
        "\n`dunlin explain {name}` prints causes and remedies without a network. \
         [All errors by symptom](index.md).\n"
    ));
    page
}

/// Index of all errors by symptom, in groups.
fn index() -> String {
    let mut page = String::from(
        "# Debugging by symptom\n\n\
         Find what you see, here or in the words of another client, and follow the link. `dunlin` prints the error\n\
         id with every failure, together with what it saw in this run; `dunlin explain` explains ids, reason codes\n\
         (`dunlin explain 0x87`), exit codes and statements of the standard without a network.\n",
    );
    for (group, title) in GROUPS {
        page.push_str(&format!(
            "\n## {title}\n\n| what you see | error |\n|---|---|\n"
        ));
        for id in Id::ALL.iter().filter(|id| symptom(**id).group == group) {
            let link = format!("[{}]({})", id.name(), file_name(*id));
            page.push_str(&format!("| {} | {link} |\n", symptom(*id).text));
        }
    }
    page.push_str("\n## By exit code\n\n| exit code | meaning | errors |\n|--:|---|---|\n");
    for (exit, meaning) in Exit::TABLE {
        let links: Vec<String> = Id::ALL
            .iter()
            .filter(|id| id.exit() == exit)
            .map(|id| format!("[{}]({})", id.name(), file_name(*id)))
            .collect();
        page.push_str(&format!(
            "| {} | {meaning} | {} |\n",
            exit.code(),
            links.join(", ")
        ));
    }
    page
}

/// Text with a capital letter at its beginning.
fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    characters
        .next()
        .map(|first| first.to_uppercase().collect::<String>() + characters.as_str())
        .unwrap_or_default()
}

/// Text whose special characters Markdown shows as they are.
fn escaped(text: &str) -> String {
    text.replace('<', "&lt;")
        .replace('*', "\\*")
        .replace('|', "\\|")
}

/// A remedy: one that is a command is set as code.
fn command_or_text(remedy: &str) -> String {
    let is_command = remedy.starts_with("aws ")
        || (remedy.starts_with("dunlin ")
            && !remedy.contains(" shows ")
            && !remedy.contains(" explains "));
    if is_command {
        format!("`{remedy}`")
    } else {
        escaped(remedy)
    }
}

/// Part of the index by symptom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    Local,
    Reaching,
    Tls,
    Connecting,
    Requests,
    Later,
}

const GROUPS: [(Group, &str); 6] = [
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

/// Symptom of an error, as somebody describes it who doesn't know the error yet.
struct Symptom {
    group: Group,
    text: &'static str,
}

fn symptom(id: Id) -> Symptom {
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
        Id::ConnRefused => (
            Connecting,
            "CONNACK with another reason code of 0x80 or above, such as 0x85, 0x89, 0x97 or 0x9F.",
        ),
        Id::ConnackTimeout => (
            Connecting,
            "CONNECT is sent, and nothing comes back; `AWS_ERROR_MQTT5_CONNACK_TIMEOUT` with the SDKs of AWS.",
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

const SANDBOX: &str = "dunlin sandbox";

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
fn provoked_by(id: Id) -> &'static [&'static str] {
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
        Id::ConnRefused => &[
            "dunlin sandbox --fault connack=0x89",
            sample!(" --reconnect 0"),
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
