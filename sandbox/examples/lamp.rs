//! An application with its tests: `dunlin-sandbox` is a dev-dependency, and takes the place of AWS IoT Core.
//!
//! `cargo test -p dunlin-sandbox --example lamp` runs the tests, which need neither account nor network.
//! `cargo run -p dunlin-sandbox --example lamp` runs the application once against a sandbox.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use dunlin_client::transport::{Roots, TlsConnector, TlsOptions, TransportOptions};
use dunlin_client::{Client, ClientOptions, ConnectOptions, Message, QoS, RequestError};
use dunlin_sandbox::{Answer, Authorizer, Lambda, Sandbox, SandboxOptions};

/// Reports the state of a lamp; returns when the server has acknowledged it.
async fn report(client: &Client, lamp: &str, state: &str) -> Result<(), RequestError> {
    let topic = format!("lamp/{lamp}/state");
    let message = Message::new(&topic, state).qos(QoS::AtLeastOnce);
    client.publish(message).await?.await?;
    Ok(())
}

/// Connects as this lamp to a server whose certificate the authorities in `ca` have signed.
async fn connect(host: &str, port: u16, ca: &Path, lamp: &str) -> Result<Client, Box<dyn Error>> {
    let tls = TlsOptions {
        roots: Roots::from_pem_file(ca)?,
        alpn: vec![b"mqtt".to_vec()],
        ..TlsOptions::default()
    };
    let transport = TransportOptions {
        tls: Some(Arc::new(TlsConnector::new(&tls)?)),
        ..TransportOptions::new(host, port)
    };
    let options = ClientOptions::new(transport, ConnectOptions::for_aws_iot(lamp));
    Ok(Client::connect(options).await?)
}

/// A sandbox whose custom authorizer lets clients with names of lamps in, each to its own topics.
async fn sandbox(state: &Path) -> Result<Sandbox, Box<dyn Error>> {
    let policy = serde_json::json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "iot:Connect", "Resource": "arn:aws:iot:*:*:client/lamp-*"},
        {"Effect": "Allow", "Action": "iot:Publish",
            "Resource": "arn:aws:iot:*:*:topic/lamp/${iot:ClientId}/*"},
    ]});
    let lamps = Authorizer::new("Lamps", Lambda::Static(Answer::allow("lamp", policy)));
    let options = SandboxOptions {
        // A free port and a folder of its own: tests run side by side.
        port: 0,
        state_dir: Some(state.into()),
        authorizers: vec![lamps],
        default_authorizer: Some("Lamps".into()),
        ..SandboxOptions::default()
    };
    Ok(Sandbox::start(options).await?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let state = tempfile::tempdir()?;
    let sandbox = sandbox(state.path()).await?;
    let (host, port) = (sandbox.endpoint(), sandbox.port());
    let client = connect(host, port, sandbox.ca_path(), "lamp-7").await?;
    report(&client, "lamp-7", "on").await?;
    println!("acknowledged");
    client.disconnect().await;
    sandbox.stop().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    use dunlin_client::StopCause;
    use dunlin_client::codec::ReasonCode;

    #[tokio::test]
    async fn a_lamp_reports_its_own_state_alone() -> Result<(), Box<dyn Error>> {
        let state = tempfile::tempdir()?;
        let sandbox = sandbox(state.path()).await?;
        let (host, port) = (sandbox.endpoint(), sandbox.port());
        let client = connect(host, port, sandbox.ca_path(), "lamp-7").await?;

        report(&client, "lamp-7", "on").await?;
        let denied = report(&client, "lamp-8", "on").await;
        assert!(
            matches!(denied, Err(RequestError::Refused(_))),
            "{denied:?}"
        );

        client.disconnect().await;
        sandbox.stop().await;
        Ok(())
    }

    #[tokio::test]
    async fn only_lamps_connect() -> Result<(), Box<dyn Error>> {
        let state = tempfile::tempdir()?;
        let sandbox = sandbox(state.path()).await?;
        let (host, port) = (sandbox.endpoint(), sandbox.port());

        let refused = connect(host, port, sandbox.ca_path(), "door-1").await;
        let error = refused.err().ok_or("the door was let in")?;
        let Some(StopCause::Final(cause)) = error.downcast_ref() else {
            return Err(error);
        };
        assert_eq!(cause.reason_code(), Some(ReasonCode::NotAuthorized));

        sandbox.stop().await;
        Ok(())
    }
}
