//! Enhanced authentication by SCRAM-SHA-256: connecting, and authenticating again, against a server
//! that this example plays itself on a local socket, with the numbers of RFC 7677. `cargo run -p
//! dunlin-client --example scram`
//!
//! An application needs [`scram_sha_256`] and two lines: see `connect`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "an example ends where it fails"
)]

mod scram_sha_256;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use dunlin_client::codec::{
    Auth, AuthProperties, BinaryData, ConnAck, ConnAckProperties, DecodeOptions, Packet, PacketBuf,
    PacketType, ReasonCode, Sender, Utf8String,
};
use dunlin_client::transport::TransportOptions;
use dunlin_client::{Authentication, Client, ClientOptions, ConnectOptions};
use scram_sha_256::{METHOD, Scram, scram_sha_256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The example of RFC 7677 section 3, from the client's nonce to the server's signature.
const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
const CLIENT_FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
const SERVER_FIRST: &str =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
const CLIENT_FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                            p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
const SERVER_FINAL: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let both = async { tokio::join!(serve(listener), connect(address)) };
    tokio::time::timeout(Duration::from_secs(20), both)
        .await
        .unwrap();
}

async fn connect(address: SocketAddr) {
    let mut options = ConnectOptions::new("lamp-7");
    options.authentication = Some(scram_sha_256("user", "pencil".into()));
    // The server below knows one nonce by heart; for any other server the line above is all.
    options.authentication = Some(Authentication::new(METHOD, || {
        Scram::new("user", "pencil".into(), NONCE.into())
    }));

    let transport = TransportOptions {
        connect_to: Some(address),
        timeout: Duration::from_secs(5),
        ..TransportOptions::new(address.ip().to_string(), address.port())
    };
    let client = Client::connect(ClientOptions::new(transport, options))
        .await
        .unwrap();
    println!("connected: the server has proved that it knows the password");
    client.reauthenticate().await.unwrap();
    println!("authenticated again on the same connection");
    client.disconnect().await;
}

/// Asks as the RFC does, once in answer to CONNECT and once in answer to AUTH.
async fn serve(listener: TcpListener) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let connect = receives(&mut stream).await;
    let Packet::Connect(connect) = connect.packet() else {
        panic!("{connect:?}")
    };
    let connect = connect.read();
    assert_eq!(
        connect.properties.authentication_method.unwrap().as_str(),
        METHOD
    );
    assert_eq!(
        connect.properties.authentication_data.unwrap().as_bytes(),
        CLIENT_FIRST.as_bytes()
    );
    asks(&mut stream).await;
    let properties = ConnAckProperties {
        authentication_method: Utf8String::new(METHOD).ok(),
        authentication_data: BinaryData::new(SERVER_FINAL.as_bytes()).ok(),
        ..ConnAckProperties::default()
    };
    sends(
        &mut stream,
        Packet::from(&ConnAck {
            properties,
            ..ConnAck::default()
        }),
    )
    .await;

    let again = auth(ReasonCode::ReAuthenticate, CLIENT_FIRST);
    assert_eq!(receives(&mut stream).await.packet(), again);
    asks(&mut stream).await;
    sends(&mut stream, auth(ReasonCode::Success, SERVER_FINAL)).await;
    assert_eq!(
        receives(&mut stream).await.packet().packet_type(),
        PacketType::Disconnect
    );
}

async fn asks(stream: &mut TcpStream) {
    sends(
        stream,
        auth(ReasonCode::ContinueAuthentication, SERVER_FIRST),
    )
    .await;
    let answer = auth(ReasonCode::ContinueAuthentication, CLIENT_FINAL);
    assert_eq!(receives(stream).await.packet(), answer);
}

fn auth(reason_code: ReasonCode, data: &str) -> Packet<'_> {
    let properties = AuthProperties {
        authentication_method: Utf8String::new(METHOD).ok(),
        authentication_data: BinaryData::new(data.as_bytes()).ok(),
        ..AuthProperties::default()
    };
    Packet::Auth(Auth {
        reason_code,
        properties,
    })
}

async fn sends(stream: &mut TcpStream, packet: Packet<'_>) {
    println!("server: {packet}");
    stream
        .write_all(PacketBuf::new(&packet).unwrap().as_bytes())
        .await
        .unwrap();
}

async fn receives(stream: &mut TcpStream) -> PacketBuf {
    let options = DecodeOptions::new().with_sender(Sender::Client);
    let mut input = BytesMut::new();
    loop {
        if let Some(packet) = PacketBuf::take(&mut input, &options).unwrap() {
            println!("client: {}", packet.packet());
            return packet;
        }
        assert_ne!(
            stream.read_buf(&mut input).await.unwrap(),
            0,
            "the client closed"
        );
    }
}
