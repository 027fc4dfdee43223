//! MQTT over WebSocket for programs with IAM credentials in place of a custom authorizer: AWS IoT Core
//! takes a request whose query has a signature (AWS Signature Version 4).
//!
//! A signature is valid for a few minutes, so the provider makes a new one before each attempt to connect.
//! The signer is that of AWS's own SDK for Rust. Credentials come from the usual variables
//! `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.
//!
//! ```text
//! cargo run -p dunlin-client --features websocket --example websocket_sigv4 -- \
//!     wss://EXAMPLE-ats.iot.eu-west-1.amazonaws.com/mqtt eu-west-1 [CA.pem]
//! ```

use std::env;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    SessionTokenMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use dunlin_client::transport::{CaBundle, TlsConnector, TlsOptions, TransportOptions};
use dunlin_client::{
    Client, ClientOptions, ConnectOptions, ConnectProvider, NextAttempt, Provided, Provider,
    ProviderError,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let url = arguments.next().ok_or("missing: URL")?;
    let region = arguments.next().ok_or("missing: region")?;
    let mut transport = TransportOptions::from_url(&url)?;
    if let Some(ca) = arguments.next() {
        let options = TlsOptions {
            roots: CaBundle::from_pem_file(ca)?.into(),
            ..TlsOptions::default()
        };
        transport.tls = Some(Arc::new(TlsConnector::new(&options)?));
    }

    let credentials = Credentials::new(
        env::var("AWS_ACCESS_KEY_ID")?,
        env::var("AWS_SECRET_ACCESS_KEY")?,
        env::var("AWS_SESSION_TOKEN").ok(),
        None,
        "environment",
    );
    let signer = Signer {
        credentials,
        region,
    };
    let options = ClientOptions {
        provider: Provider::new(signer),
        ..ClientOptions::new(transport, ConnectOptions::for_aws_iot("sigv4-example"))
    };
    let client = Client::connect(options).await?;
    println!("connected");
    client.disconnect().await;
    Ok(())
}

/// Provider that signs the request of each attempt.
struct Signer {
    credentials: Credentials,
    region: String,
}

impl ConnectProvider for Signer {
    #[expect(
        clippy::disallowed_methods,
        reason = "a signature contains the current time"
    )]
    fn provide(&self, attempt: NextAttempt) -> Provided<'_> {
        Box::pin(async move {
            let mut target = attempt.target;
            let transport = &mut target.transport;
            let path = transport.websocket.get_or_insert_default().path.clone();
            let query = self
                .query(&transport.host, transport.port, &path, SystemTime::now())
                .map_err(ProviderError::fatal)?;
            let websocket = transport.websocket.get_or_insert_default();
            websocket.query = Some(query.into());
            Ok(target)
        })
    }
}

impl Signer {
    /// Query with the signature of a request to this host, port and path.
    ///
    /// # Errors
    /// The signer's error for an address that makes no URL.
    fn query(
        &self,
        host: &str,
        port: u16,
        path: &str,
        now: SystemTime,
    ) -> Result<String, Box<dyn Error + Send + Sync>> {
        // The signature is in the query. AWS IoT Core wants the session token after it, unsigned,
        // where most services want it signed.
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.session_token_mode = SessionTokenMode::Exclude;
        settings.expires_in = Some(VALID_FOR);
        let identity = self.credentials.clone().into();
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(SERVICE)
            .time(now)
            .settings(settings)
            .build()?
            .into();

        // The client's header Host has no port if that is the default.
        let authority = match port {
            443 => host.to_owned(),
            port => format!("{host}:{port}"),
        };
        let url = format!("https://{authority}{path}");
        let headers = [("host", authority.as_str())];
        let request =
            SignableRequest::new("GET", &url, headers.into_iter(), SignableBody::Bytes(b""))?;
        let (instructions, _) = sign(request, &parameters)?.into_parts();
        let mut signed = http::Request::get(&url).body(())?;
        instructions.apply_to_request_http1x(&mut signed);
        Ok(signed.uri().query().unwrap_or_default().to_owned())
    }
}

/// Service of the signature: that of connections over WebSocket.
const SERVICE: &str = "iotdevicegateway";
/// Time for which a signature is valid.
const VALID_FOR: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::*;

    /// Query for the time 2026-11-30 12:00:00 UTC.
    fn query(token: Option<&str>, port: u16) -> String {
        let signer = Signer {
            credentials: Credentials::new("AKID", "s3cret", token.map(Into::into), None, "test"),
            region: "eu-west-1".into(),
        };
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_796_040_000);
        signer.query("iot.example", port, "/mqtt", now).unwrap()
    }

    /// The signatures were computed by hand, by the steps of AWS's document "Create a signed AWS API
    /// request".
    #[test]
    fn the_query_has_a_signature_and_after_it_the_session_token() {
        let expected = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20261130%2Feu-west-1\
                        %2Fiotdevicegateway%2Faws4_request&X-Amz-Date=20261130T120000Z&X-Amz-Expires=300\
                        &X-Amz-SignedHeaders=host&X-Amz-Signature=4f2fa107dfd5086faa9244495b4fe9680a023f7cbcbfcab903051dc6f40a9440";
        assert_eq!(query(None, 443), expected);
        let with_token = query(Some("to/ken="), 443);
        assert_eq!(
            with_token,
            format!("{expected}&X-Amz-Security-Token=to%2Fken%3D")
        );
        // The port is part of what is signed.
        assert!(
            query(None, 8443)
                .ends_with("4bb3197597ade911b59dbfb434399373fb81de41fc47a0bf8ab51a8d678e6f6d")
        );
    }
}
