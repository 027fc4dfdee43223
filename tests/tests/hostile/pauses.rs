//! A process that doesn't run for a while, stopped by a signal or blocked: answers that came
//! meanwhile are no time-outs.

use std::io;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::Duration;

use dunlin_client::codec::{Ack, AckType, Delivery, Packet, PacketBuf};
use dunlin_client::{ClientOptions, Message, QoS};

use crate::attack::{attack, connect, options};
use crate::packets::publish;
use crate::server::{Peer, serve};

/// Time limit for PINGRESP and PUBACK: enough for a server on a busy machine.
const PATIENCE: Duration = Duration::from_secs(2);
/// Longer than that.
const PAUSE: Duration = Duration::from_millis(2_500);

/// Client options with timeouts of two seconds.
fn options_with_short_timeouts(address: std::net::SocketAddr) -> ClientOptions {
    let mut options = options(address, "paused");
    options.connect.ack_timeout = PATIENCE;
    options.connect.ping_timeout = PATIENCE;
    options.connect.keep_alive = Duration::from_secs(4);
    options
}

fn answer(packet: &PacketBuf) -> Option<Vec<u8>> {
    let answer = match packet.packet() {
        Packet::Publish(publish) => {
            Ack::success(publish.delivery.packet_id().unwrap()).into_packet(AckType::PubAck)
        }
        Packet::PingReq => Packet::PingResp,
        _ => return None,
    };
    Some(PacketBuf::new(&answer).unwrap().into_bytes().into())
}

/// The thread of the runtime sleeps while the answers arrive.
#[test]
fn a_blocked_runtime_turns_no_answer_into_a_time_out() {
    let (tell, told) = mpsc::channel();
    let server = serve(move |_, peer| {
        peer.receive()?;
        peer.send(&crate::packets::connack(false))?;
        loop {
            let Some(answer) = answer(&peer.receive()?) else {
                return Ok(());
            };
            // The runtime may be blocked from now on.
            let _ = tell.send(());
            thread::sleep(Duration::from_millis(200));
            peer.send(&answer)?;
        }
    });
    attack("a blocked runtime", 1 << 20, async {
        let client = connect(options_with_short_timeouts(server.address)).await;
        for _ in 0..2 {
            // First a request, then a ping: each is on the wire, and its answer isn't there yet.
            let message = Message::new("a", "on").qos(QoS::AtLeastOnce);
            let receipt = client.publish(message).await.unwrap();
            expect_packet(&told).await;
            thread::sleep(PAUSE);
            receipt.await.unwrap();
            expect_packet(&told).await;
            thread::sleep(PAUSE);
        }
        let message = Message::new("a", "on").qos(QoS::AtLeastOnce);
        client.publish(message).await.unwrap().await.unwrap();
        assert_eq!(client.statistics().connections, 1);
        client.disconnect().await;
    });
}

async fn expect_packet(told: &Receiver<()>) {
    while told.try_recv() == Err(TryRecvError::Empty) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// The process is stopped by SIGSTOP while the answers arrive, and goes on with SIGCONT.
#[cfg(unix)]
#[test]
fn a_stopped_process_turns_no_answer_into_a_time_out() {
    use std::process::{Command, Stdio};

    let rounds = if std::env::var_os("DUNLIN_FULL").is_some_and(|value| value == "1") {
        15
    } else {
        1
    };
    let (tell_pid, pid) = mpsc::channel();
    let server = serve(move |number, peer| {
        assert_eq!(number, 1, "the client had to connect again");
        pause_client(peer, pid.recv().unwrap(), rounds)
    });
    let mut client = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "pauses::the_client_process_that_the_test_stops",
            "--ignored",
            "--nocapture",
        ])
        .env(SERVER, server.address.to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    tell_pid.send(client.id()).unwrap();
    assert!(client.wait().unwrap().success());
}

/// Stops the process `pid` after each of its requests, and answers while it is stopped.
#[cfg(unix)]
fn pause_client(peer: &mut Peer, pid: u32, rounds: u32) -> io::Result<()> {
    use dunlin_tests::{Signal, send_signal};

    peer.accept_client(false)?;
    for _ in 0..rounds {
        // At least one request and one ping.
        peer.send(&publish("ask", Delivery::AtMostOnce, b"now"))?;
        for _ in 0..2 {
            let mut asked = vec![peer.receive()?];
            send_signal(pid, Signal::STOP);
            // What it wrote before it stopped is answered as well.
            asked.extend(peer.receive_pending());
            for packet in asked {
                peer.send(&answer(&packet).unwrap())?;
            }
            thread::sleep(PAUSE);
            send_signal(pid, Signal::CONT);
        }
    }
    peer.send(&publish("ask", Delivery::AtMostOnce, b"end"))?;
    peer.receive_until_end();
    Ok(())
}

const SERVER: &str = "DUNLIN_TEST_SERVER";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the process that another test starts and stops"]
async fn the_client_process_that_the_test_stops() {
    let Some(server) = std::env::var(SERVER)
        .ok()
        .and_then(|server| server.parse().ok())
    else {
        return;
    };
    let client = connect(options_with_short_timeouts(server)).await;
    let mut asked = client.subscribe("ask", QoS::AtMostOnce).await.unwrap();
    while asked.next().await.unwrap().payload() != b"end" {
        let message = Message::new("a", "on").qos(QoS::AtLeastOnce);
        client.publish(message).await.unwrap().await.unwrap();
    }
    assert_eq!(client.statistics().connections, 1);
    client.disconnect().await;
}
