//! Several servers of which one is used at a time, for example endpoints in two regions: while one can't be
//! reached, the attempts go to the next one.
//!
//! `cargo run -p dunlin-client --example regions mqtt://localhost:1 mqtt://localhost`

use std::error::Error;
use std::sync::Arc;

use dunlin_client::transport::TransportOptions;
use dunlin_client::{Client, ClientOptions, ConnectOptions, NextAttempt, Provider};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // Parsed once: targets with TLS share the connector, and with it the TLS sessions.
    let servers = std::env::args()
        .skip(1)
        .map(|url| url.parse())
        .collect::<Result<Arc<[TransportOptions]>, _>>()?;
    let Some(first) = servers.first() else {
        println!("usage: regions URL..");
        return Ok(());
    };

    let mut options = ClientOptions::new(first.clone(), ConnectOptions::new("regions"));
    options.provider = Provider::new(move |attempt: NextAttempt| {
        // `number` begins at 1 and counts attempts since the last connection: the first server is always
        // tried first, and each failure leads to the next one.
        let number = usize::try_from(attempt.number).unwrap_or(usize::MAX);
        let mut target = attempt.target;
        if let Some(server) = servers.iter().cycle().nth((number - 1) % servers.len()) {
            target.transport = server.clone();
        }
        async move { Ok(target) }
    });

    // The session, and what waits in it, belongs to one server; the client says when another one has none, and
    // subscribes again there.
    let client = Client::connect(options).await?;
    println!("connected");
    client.disconnect().await;
    Ok(())
}
