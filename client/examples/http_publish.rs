//! Lines of standard input published over HTTPS, each as a message of its own over one connection: for programs that
//! send now and then, and networks that let nothing but HTTPS through.
//!
//! `cargo run -p dunlin-client --features http --example http_publish URL TOPIC AUTHORIZER TOKEN_FILE [CA_FILE]`
//!
//! The file has three lines: the name of the token's parameter, the token and its signature (base64). A token is valid for a
//! short time, so the file is read again when the server refuses the old one.

use std::error::Error;
use std::fs;
use std::io::{self, BufRead};
use std::sync::Arc;
use std::time::Duration;

use dunlin_client::aws::http_publish::{
    HttpPublishError, HttpPublishOptions, HttpPublisher, RefusalKind,
};
use dunlin_client::aws::{AuthorizerToken, CustomAuthorizer};
use dunlin_client::transport::{Roots, TlsConnector, TlsOptions};
use dunlin_client::{Message, QoS};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, topic, authorizer, token_file, rest @ ..] = &arguments[..] else {
        println!("usage: http_publish URL TOPIC AUTHORIZER TOKEN_FILE [CA_FILE]");
        return Ok(());
    };

    let mut options = HttpPublishOptions::from_url(url)?;
    if let Some(ca_file) = rest.first() {
        let tls = TlsOptions {
            roots: Roots::from_pem_file(ca_file)?,
            ..TlsOptions::default()
        };
        options.transport.tls = Some(Arc::new(TlsConnector::new(&tls)?));
    }

    options.set_authorizer_headers(&read_token(authorizer, token_file)?)?;
    let mut publisher = HttpPublisher::new(options.clone());
    for line in io::stdin().lock().lines() {
        let line = line?;
        let mut attempts = 0;
        let published = loop {
            attempts += 1;
            let message = Message::new(topic, line.as_str()).qos(QoS::AtLeastOnce);
            match publisher.publish(message).await {
                Ok(published) => break published,
                Err(error) if attempts == ATTEMPTS => return Err(error.into()),
                // The token has expired: the file has another one.
                Err(HttpPublishError::Refused { refusal, .. })
                    if refusal.kind == RefusalKind::Forbidden =>
                {
                    options.set_authorizer_headers(&read_token(authorizer, token_file)?)?;
                    publisher = HttpPublisher::new(options.clone());
                }
                // A message may arrive twice, as it may with QoS 1 over MQTT.
                Err(error) if error.is_retryable() => {
                    tokio::time::sleep(PAUSE * attempts).await;
                }
                Err(error) => return Err(error.into()),
            }
        };
        let request_id = published.request_id.unwrap_or_default();
        println!("published, request {request_id}");
    }
    Ok(())
}

/// Token of the file as it is now.
fn read_token(authorizer: &str, file: &str) -> io::Result<CustomAuthorizer> {
    let text = fs::read_to_string(file)?;
    let mut lines = text.lines();
    let mut line = || lines.next().unwrap_or_default().to_owned();
    Ok(CustomAuthorizer {
        authorizer_name: Some(authorizer.to_owned()),
        token: Some(AuthorizerToken {
            key_name: line(),
            value: line().into(),
            signature: Some(line().into()),
        }),
        ..CustomAuthorizer::default()
    })
}

/// Number of attempts for each line.
const ATTEMPTS: u32 = 3;
/// Pause before the second attempt; before the third one it is twice as long.
const PAUSE: Duration = Duration::from_secs(1);
