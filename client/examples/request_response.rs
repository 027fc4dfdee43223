//! Request and response of MQTT 5: one client asks for a temperature, another one answers.
//!
//! `cargo run -p dunlin-client --example request_response mqtt://localhost`

use std::error::Error;
use std::time::Duration;

use dunlin_client::transport::TransportOptions;
use dunlin_client::{Client, ClientOptions, ConnectOptions, QoS, Subscription};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let Some(url) = std::env::args().nth(1) else {
        println!("usage: request_response URL");
        return Ok(());
    };
    let transport: TransportOptions = url.parse()?;

    // The side that answers: usually another program.
    let thermometer = connect(&transport).await?;
    let requests = thermometer
        .subscribe("dunlin/example/temperature", QoS::AtLeastOnce)
        .await?;
    tokio::spawn(answer(thermometer, requests));

    // The side that asks. Response Topic and Correlation Data are set and checked by the client.
    let client = connect(&transport).await?;
    let reply = client
        .request(
            "dunlin/example/temperature",
            b"celsius",
            Duration::from_secs(5),
        )
        .await?;
    println!("{} degrees", String::from_utf8_lossy(reply.payload()));

    client.disconnect().await;
    Ok(())
}

async fn connect(transport: &TransportOptions) -> Result<Client, Box<dyn Error>> {
    // Without a Client Identifier the server assigns one.
    let options = ClientOptions::new(transport.clone(), ConnectOptions::default());
    Ok(Client::connect(options).await?)
}

async fn answer(client: Client, mut requests: Subscription) {
    while let Some(request) = requests.next().await {
        // `None`: the message has no Response Topic, so nobody waits for an answer.
        let Some(reply) = request.reply("21.5") else {
            continue;
        };
        if let Err(error) = client.publish(reply).await {
            eprintln!("no answer: {error}");
        }
    }
}
