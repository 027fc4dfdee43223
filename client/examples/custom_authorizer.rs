//! AWS IoT Core with a custom authorizer whose token is read again before each connection, because it is valid for a short time.
//!
//! `cargo run -p dunlin-client --example custom_authorizer ENDPOINT[:PORT] AUTHORIZER TOKEN_FILE [CA_FILE]`
//!
//! The file has three lines: the name of the token's parameter, the token and its signature (base64). Whoever renews
//! tokens replaces the file; a connection that ends, also because its token has expired, is followed by one with the new token.

use std::error::Error;
use std::sync::Arc;

use dunlin_client::aws::{AuthorizerToken, CustomAuthorizer, check_endpoint};
use dunlin_client::transport::{Roots, TlsConnector, TlsOptions, TransportOptions};
use dunlin_client::{
    Client, ClientOptions, ConnectOptions, Message, NextAttempt, Provider, ProviderError, QoS,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [endpoint, authorizer_name, token_file, rest @ ..] = &arguments[..] else {
        println!("usage: custom_authorizer ENDPOINT[:PORT] AUTHORIZER TOKEN_FILE [CA_FILE]");
        return Ok(());
    };

    // Custom authorizers need port 443 and the ALPN protocol "mqtt".
    let mut tls = TlsOptions {
        alpn: vec![b"mqtt".to_vec()],
        ..Default::default()
    };
    if let Some(ca_file) = rest.first() {
        tls.roots = Roots::from_pem_file(ca_file)?;
    }
    let endpoint = check_endpoint(endpoint)?;
    let transport = TransportOptions {
        tls: Some(Arc::new(TlsConnector::new(&tls)?)),
        ..TransportOptions::new(endpoint.host, endpoint.port.unwrap_or(443))
    };

    // The limits of the service are checked before anything is sent.
    let connect = ConnectOptions::for_aws_iot("mqtt5-sample-rust");
    let mut options = ClientOptions::new(transport, connect);
    options.provider = Provider::new({
        let (name, file) = (authorizer_name.clone(), token_file.clone());
        move |attempt| with_token(attempt, name.clone(), file.clone())
    });

    let client = Client::connect(options).await?;
    let mut messages = client.subscribe("test/topic", QoS::AtLeastOnce).await?;
    let message = Message::new("test/topic", "Hello from Rust").qos(QoS::AtLeastOnce);
    client.publish(message).await?.await?;
    if let Some(message) = messages.next().await {
        println!("{}", String::from_utf8_lossy(message.payload()));
    }
    client.disconnect().await;
    Ok(())
}

/// Target of an attempt with the token that is in the file now.
async fn with_token(
    attempt: NextAttempt,
    authorizer_name: String,
    file: String,
) -> Result<dunlin_client::Target, ProviderError> {
    // A file that is being replaced may be missing for a moment: another attempt may succeed.
    let text = tokio::task::spawn_blocking(move || std::fs::read_to_string(file))
        .await
        .map_err(ProviderError::retryable)?
        .map_err(ProviderError::retryable)?;
    let mut lines = text.lines();
    let mut line = || lines.next().unwrap_or_default().to_owned();
    let authorizer = CustomAuthorizer {
        authorizer_name: Some(authorizer_name),
        token: Some(AuthorizerToken {
            key_name: line(),
            value: line().into(),
            signature: Some(line().into()),
        }),
        ..Default::default()
    };

    let mut target = attempt.target;
    target.authorize(&authorizer)?;
    Ok(target)
}
