//! A message published over HTTPS by a program with IAM credentials in place of a custom authorizer: the request is signed
//! (AWS Signature Version 4) by the signer of AWS's own SDK for Rust.
//!
//! Credentials come from the usual variables `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.
//!
//! `cargo run -p dunlin-client --features http --example http_publish_sigv4 URL REGION TOPIC MESSAGE [CA_FILE]`

use std::env;
use std::error::Error;
use std::sync::Arc;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use dunlin_client::aws::http_publish::{
    HttpPublishOptions, RequestSigner, SigningError, UnsignedRequest, publish,
};
use dunlin_client::secret::Secret;
use dunlin_client::transport::{Roots, TlsConnector, TlsOptions};
use dunlin_client::{Message, QoS};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [url, region, topic, text, rest @ ..] = &arguments[..] else {
        println!("usage: http_publish_sigv4 URL REGION TOPIC MESSAGE [CA_FILE]");
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

    let credentials = Credentials::new(
        env::var("AWS_ACCESS_KEY_ID")?,
        env::var("AWS_SECRET_ACCESS_KEY")?,
        env::var("AWS_SESSION_TOKEN").ok(),
        None,
        "environment",
    );
    let region = region.clone();
    options.signer = Some(RequestSigner::new(move |request| {
        sign_request(&request, &credentials, &region)
            .map_err(|error| SigningError(error.to_string()))
    }));

    let message = Message::new(topic, text.as_str()).qos(QoS::AtLeastOnce);
    let published = publish(message, options).await?;
    println!(
        "published, request {}",
        published.request_id.unwrap_or_default()
    );
    Ok(())
}

/// Headers with the signature of a request.
///
/// # Errors
/// The signer's error.
#[expect(
    clippy::disallowed_methods,
    reason = "a signature contains the current time"
)]
fn sign_request(
    request: &UnsignedRequest<'_>,
    credentials: &Credentials,
    region: &str,
) -> Result<Headers, Box<dyn Error>> {
    let identity = credentials.clone().into();
    let parameters = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(SERVICE)
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()?
        .into();

    // All headers of the message are signed, beginning with the host.
    let headers = request.headers.iter();
    let headers = headers.map(|(name, value)| (name.as_str(), value.expose().as_str()));
    let host = request.headers.first();
    let host = host.map_or("", |(_, value)| value.expose().as_str());
    let url = format!("https://{host}{}?{}", request.path, request.query);
    let body = SignableBody::Bytes(request.body);
    let signable = SignableRequest::new(request.method, url, headers, body)?;
    let (instructions, _signature) = sign(signable, &parameters)?.into_parts();
    let signed = instructions.headers();
    Ok(signed
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect())
}

/// Names and values.
type Headers = Vec<(String, Secret<String>)>;

/// Service of the signature: that of AWS IoT Core's HTTP, as in the AWS SDKs.
const SERVICE: &str = "iotdata";
