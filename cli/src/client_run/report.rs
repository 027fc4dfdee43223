//! `Report`: what standard output has of a run besides its messages.

use std::io::{self, Write as _};
use std::time::Duration;

use dunlin_client::transport::{Opened, PeerAddress};
use dunlin_client::{Connected, ServerReason};
use dunlin_codec::Escaped;

use super::event_json::{ErrorJson, JsonEvent};
use super::output::Output;
use crate::diagnosis::{Diagnosis, address, duration};

/// Form of the events of a run on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReportForm {
    /// None: standard output has the messages alone.
    Messages,
    /// One line a connection event, for people.
    Text,
    /// One JSON object an event.
    Json,
    /// Stages of `doctor`, which the verb writes; of these events none.
    Stages,
    /// Stages of `doctor` as JSON, which the verb writes; of these events warnings, the error and the
    /// summary.
    JsonStages,
}

/// Writer of a run's events.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    form: ReportForm,
    out: Output,
}

impl Report {
    pub(crate) fn new(form: ReportForm, out: Output) -> Self {
        Self { form, out }
    }

    pub(crate) fn is_json(&self) -> bool {
        matches!(self.form, ReportForm::Json | ReportForm::JsonStages)
    }

    /// Writes `event`, if the form is JSON.
    ///
    /// # Errors
    /// Errors of standard output, like all methods here.
    pub(crate) fn json(&mut self, event: &JsonEvent<'_>) -> io::Result<()> {
        match self.form {
            ReportForm::Json | ReportForm::JsonStages => event.write(&mut self.out),
            ReportForm::Messages | ReportForm::Text | ReportForm::Stages => Ok(()),
        }
    }

    pub(crate) fn attempt(
        &mut self,
        (endpoint, port): (&str, u16),
        client_id: &str,
        (attempt, transport): (u32, &'static str),
    ) -> io::Result<()> {
        match self.form {
            ReportForm::Messages | ReportForm::Stages | ReportForm::JsonStages => Ok(()),
            ReportForm::Text => {
                let id = Escaped(client_id);
                let server = address(endpoint, port);
                let server = Escaped(&server);
                self.line(&format!(
                    "attempt       {server}  client id \"{id}\"  attempt {attempt}"
                ))
            }
            ReportForm::Json => self.json(&JsonEvent::Attempt {
                endpoint,
                // A Unix domain socket has none.
                port: (port != 0).then_some(port),
                transport,
                client_id,
                attempt,
            }),
        }
    }

    pub(crate) fn opened(&mut self, opened: &Opened) -> io::Result<()> {
        let ms = super::event_json::millis;
        match self.form {
            ReportForm::Messages | ReportForm::Stages | ReportForm::JsonStages => Ok(()),
            ReportForm::Text => {
                let time = duration(
                    opened.resolve_time + opened.tcp_time + opened.tls_time + opened.websocket_time,
                );
                let is_websocket = !opened.websocket_time.is_zero();
                let transport = match &opened.tls {
                    None if is_websocket => "WebSocket".to_owned(),
                    None if matches!(opened.peer, PeerAddress::Unix(_)) => "Unix socket".to_owned(),
                    None => "TCP".to_owned(),
                    // WebSocket has no ALPN protocol of its own.
                    Some(tls) if is_websocket => format!("{}  WebSocket", tls.version),
                    Some(tls) => {
                        let alpn = tls.alpn_selected.as_deref().unwrap_or("none");
                        format!("{}  ALPN {}", tls.version, Escaped(alpn))
                    }
                };
                self.line(&format!(
                    "opened        {}  {transport}  {time}",
                    opened.peer
                ))
            }
            ReportForm::Json => {
                self.json(&JsonEvent::Tcp {
                    peer: opened.peer.to_string(),
                    ms: ms(opened.resolve_time + opened.tcp_time),
                })?;
                match JsonEvent::tls(opened) {
                    Some(tls) => self.json(&tls),
                    None => Ok(()),
                }
            }
        }
    }

    pub(crate) fn connected(&mut self, connected: &Connected) -> io::Result<()> {
        match self.form {
            ReportForm::Messages | ReportForm::Stages | ReportForm::JsonStages => Ok(()),
            ReportForm::Text => {
                let text = connected_text(connected);
                self.line(&text)
            }
            ReportForm::Json => self.json(&JsonEvent::connack(connected)),
        }
    }

    /// Writes the end of an attempt or of a connection; `retry_in` is `None` if no attempt follows.
    pub(crate) fn ended(
        &mut self,
        diagnosis: &Diagnosis,
        reason: Option<&ServerReason>,
        retry_in: Option<Duration>,
    ) -> io::Result<()> {
        match self.form {
            ReportForm::Messages | ReportForm::Stages | ReportForm::JsonStages => Ok(()),
            ReportForm::Text => {
                let then = match retry_in {
                    Some(time) => format!("next attempt in {}", duration(time)),
                    None => "no further attempt".to_owned(),
                };
                let (id, headline) = (diagnosis.id.name(), Escaped(&diagnosis.headline));
                self.line(&format!("disconnected  {headline} [{id}]; {then}"))
            }
            ReportForm::Json => self.json(&JsonEvent::Disconnected {
                error: ErrorJson::new(diagnosis, reason, retry_in.is_some()),
                retry_in_ms: retry_in
                    .map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
            }),
        }
    }

    pub(super) fn stopped(&mut self) -> io::Result<()> {
        match self.form {
            ReportForm::Text => self.line("stopped       DISCONNECT was sent"),
            _ => Ok(()),
        }
    }

    fn line(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(format!("{text}\n").as_bytes())
    }
}

/// CONNACK and the limits that it sets, one a line.
fn connected_text(connected: &Connected) -> String {
    // The first line has what every CONNACK has.
    let limits = &connected.limits;
    let yes_no = |available| if available { "yes" } else { "no" };
    let mut text = format!(
        "connected     CONNACK 0x00 Success  session present: {}  {}",
        yes_no(connected.session_present),
        duration(connected.elapsed)
    );
    let seconds = |seconds: u32| match seconds {
        u32::MAX => "never".to_owned(),
        seconds => format!("{seconds} s"),
    };
    // Then each limit, with the standard's default where the server set none.
    let rows = [
        ("client id", Escaped(&connected.client_id).to_string()),
        ("receive maximum", limits.receive_maximum.to_string()),
        ("maximum QoS", u8::from(limits.maximum_qos).to_string()),
        (
            "maximum packet size",
            format!("{} bytes", limits.maximum_packet_size),
        ),
        (
            "topic alias maximum",
            limits.topic_alias_maximum.to_string(),
        ),
        ("keep alive", format!("{} s", limits.keep_alive)),
        ("session expiry", seconds(limits.session_expiry_interval)),
        (
            "retained messages",
            yes_no(limits.retain_available).to_owned(),
        ),
        (
            "wildcards",
            yes_no(limits.wildcard_subscription_available).to_owned(),
        ),
        (
            "subscription identifiers",
            yes_no(limits.subscription_identifier_available).to_owned(),
        ),
        (
            "shared subscriptions",
            yes_no(limits.shared_subscription_available).to_owned(),
        ),
    ];
    for (name, value) in rows {
        text.push_str(&format!("\n  {name:<26}{value}"));
    }
    // The server's own words, if it has any.
    if let Some(reason) = &connected.reason_string {
        text.push_str(&format!("\n  {:<26}{}", "reason string", Escaped(reason)));
    }
    if let Some(information) = &connected.response_information {
        text.push_str(&format!(
            "\n  {:<26}{}",
            "response information",
            Escaped(information)
        ));
    }
    for (name, value) in &connected.user_properties {
        text.push_str(&format!(
            "\n  {:<26}{}={}",
            "user property",
            Escaped(name),
            Escaped(value)
        ));
    }
    text
}
