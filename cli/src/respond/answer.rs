//! `Answer`: the payload of an answer to a request.

use std::ffi::OsString;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dunlin_client::ReceivedMessage;
use dunlin_codec::PayloadFormat;

use crate::diagnosis::Diagnosis;
use crate::payload::only_message;
use crate::program::{Program, ProgramError, Run};

/// Source of answers.
#[derive(Debug)]
pub(super) enum Answer {
    /// Payload of the request.
    Echo,
    Text(Vec<u8>),
    /// Standard output of a program, and its longest run.
    Program(Program, Duration),
}

impl Answer {
    /// Answer by the flags.
    ///
    /// # Errors
    /// [`Id::Usage`](crate::diagnosis::Id::Usage) for more than one text, and errors of
    /// [`Program::parse`].
    pub(super) fn new(
        texts: Vec<OsString>,
        program: Option<&str>,
        within: Duration,
    ) -> Result<Self, Diagnosis> {
        if let Some(program) = program {
            return Ok(Self::Program(Program::parse("--exec", program)?, within));
        }
        let text = only_message(texts, "every request gets the same answer")?;
        Ok(text.map_or(Self::Echo, Self::Text))
    }

    /// Payload of the answer to `request`.
    ///
    /// # Errors
    /// Errors of a program.
    pub(super) async fn to(&self, request: &ReceivedMessage) -> Result<Vec<u8>, ProgramError> {
        match self {
            Self::Echo => Ok(request.payload().to_vec()),
            Self::Text(text) => Ok(text.clone()),
            Self::Program(program, within) => {
                let run = Run {
                    input: request.payload(),
                    variables: variables(request),
                    within: *within,
                    largest: LARGEST,
                };
                let printed = program.run(run).await?;
                Ok(printed.expose().clone())
            }
        }
    }
}

/// Variables with the properties of a request. The names are fixed and text of others is only in
/// values, so that no request can set a variable such as PATH.
fn variables(request: &ReceivedMessage) -> Vec<(&'static str, String)> {
    let properties = request.properties();
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let users: Vec<[&str; 2]> = properties
        .user_properties
        .iter()
        .map(|property| [property.name.as_str(), property.value.as_str()])
        .collect();
    let format = properties
        .payload_format_indicator
        .map(|format| match format {
            PayloadFormat::Utf8 => "utf8",
            PayloadFormat::Unspecified => "bytes",
        });
    let correlation = properties.correlation_data;
    vec![
        ("DUNLIN_MSG_TOPIC", request.topic().to_owned()),
        ("DUNLIN_MSG_QOS", u8::from(request.qos()).to_string()),
        ("DUNLIN_MSG_RETAIN", request.retain().to_string()),
        (
            "DUNLIN_MSG_RESPONSE_TOPIC",
            text(properties.response_topic.map(|topic| topic.as_str())),
        ),
        (
            "DUNLIN_MSG_CONTENT_TYPE",
            text(properties.content_type.map(|content| content.as_str())),
        ),
        ("DUNLIN_MSG_PAYLOAD_FORMAT", text(format)),
        (
            "DUNLIN_MSG_EXPIRY",
            properties
                .message_expiry_interval
                .map_or_else(String::new, |seconds| seconds.to_string()),
        ),
        (
            "DUNLIN_MSG_CORRELATION_BASE64",
            correlation.map_or_else(String::new, |data| STANDARD.encode(data.as_bytes())),
        ),
        (
            "DUNLIN_MSG_USER_PROPERTIES",
            serde_json::to_string(&users).unwrap_or_default(),
        ),
    ]
}

/// Bytes of the largest answer of a program.
const LARGEST: usize = 1024 * 1024;
