//! A client whose certificate is replaced on disk while it runs, as short-lived certificates are.
//!
//! The provider is asked before every attempt to connect. It reads the files again, and brings a
//! new `TlsConnector` only if they have changed: attempts with the same connector resume TLS
//! sessions.
//!
//! ```text
//! cargo run -p dunlin-client --example client_certificate -- mqtt.example 8883 client.crt client.key
//! ```

mod provider;

use std::error::Error;
use std::time::Duration;

use dunlin_client::transport::TransportOptions;
use dunlin_client::{Client, ClientOptions, ConnectOptions, Provider, QoS};

use crate::provider::CertificateFiles;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = |name: &str| arguments.next().ok_or_else(|| format!("missing: {name}"));
    let host = argument("host")?;
    let port = argument("port")?.parse()?;
    let files = CertificateFiles::new(argument("certificate")?, argument("key")?);

    // `tls` stays empty here: the provider fills it in for every attempt.
    let timeout = Duration::from_secs(30);
    let transport = TransportOptions {
        timeout,
        ..TransportOptions::new(host, port)
    };
    let mut options = ClientOptions::new(transport, ConnectOptions::new("certificate-example"));
    options.provider = Provider::new(files);

    let client = Client::connect(options).await?;
    let mut messages = client.subscribe("hello/+", QoS::AtLeastOnce).await?;
    while let Some(message) = messages.next().await {
        println!("{} bytes", message.payload().len());
    }
    Ok(())
}
