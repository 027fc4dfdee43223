//! Messages that survive the process, the server and the network: an outbox in a file.
//!
//! `cargo run -p dunlin-client --features store --example durable_session URL STORE TEXT...` stores each TEXT,
//! sends what the store has for up to three seconds, and says how much is left. Run it without a
//! server, end it with kill -9, run it again: the next run with a server sends what is left.

use std::error::Error;
use std::time::Duration;

use dunlin_client::store::FileStore;
use dunlin_client::{Client, ClientOptions, ConnectOptions, Message, QoS};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(path)) = (arguments.next(), arguments.next()) else {
        println!("usage: durable_session URL STORE [TEXT...]");
        return Ok(());
    };

    // Both sides know the session by its client identifier. The server keeps it for a day.
    let connect = ConnectOptions {
        session_expiry_interval: Some(24 * 60 * 60),
        ..ConnectOptions::new("dunlin-outbox")
    };
    let options = ClientOptions::new(url.parse()?, connect);
    let client = Client::start_with_store(options, FileStore::open(path)?)?;
    println!("{} of earlier runs", client.statistics().unfinished);

    // Accepted without a connection, and sent once there is one. A receipt would end with this process.
    for text in arguments {
        let _receipt = client
            .publish(Message::new("dunlin/outbox", &text).qos(QoS::AtLeastOnce))
            .await?;
    }
    // From here on neither a crash of this process nor one of the computer loses them.
    client.until_persisted().await?;
    println!("{} stored", client.statistics().unfinished);

    // What isn't acknowledged by then stays in the store, and the server keeps the session.
    client.disconnect_within(Duration::from_secs(3)).await;
    println!("{} acknowledged", client.statistics().acknowledged);
    Ok(())
}
