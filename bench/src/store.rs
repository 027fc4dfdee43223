//! Cost of a store: messages of QoS 1 with and without one, by the number in flight, beside the
//! time of a flush of the disk.
#![expect(clippy::disallowed_methods, reason = "a clock is what this is about")]

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use dunlin_client::store::{Change, FileStore, Store};
use dunlin_client::transport::TransportOptions;
use dunlin_client::{Client, ClientOptions, ConnectOptions, Message, QoS, Receipt};
use tokio::runtime::Builder;

use crate::client::NullServer;

/// Numbers of unacknowledged messages that are measured.
const IN_FLIGHT: [usize; 4] = [1, 10, 100, 1000];
const SPAN: Duration = Duration::from_secs(2);
const PAYLOAD: [u8; 64] = [b'x'; 64];
/// Bytes of each write whose flush is timed, and number of these writes.
const FLUSHED: usize = 4096;
const FLUSHES: u32 = 200;

/// Counts the commits of a store.
struct Counting {
    inner: FileStore,
    commits: Arc<AtomicU64>,
}

impl Store for Counting {
    fn load(&mut self) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        self.inner.load()
    }

    fn apply(&mut self, changes: &[Change]) -> io::Result<()> {
        self.commits.fetch_add(1, Relaxed);
        self.inner.apply(changes)
    }
}

/// Figures of one row.
struct Measured {
    messages: u64,
    commits: u64,
    elapsed: Duration,
    median: Duration,
}

/// Measures a store in `folder` and prints the table.
///
/// # Errors
/// The error of the folder, of the null server or of the client.
pub fn measure(folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir_in(folder)?;
    let server = NullServer::start()?;
    let flush = time_flush(&folder.path().join("flushed"))?;
    println!(
        "a flush of {FLUSHED} appended bytes: {:.2} ms (median of {FLUSHES})\n",
        millis(flush)
    );
    println!(
        "QoS 1, {} bytes | without a store |      with a store |          |",
        PAYLOAD.len()
    );
    println!(
        "      in flight | messages/s      | messages/s | wait ms | flushes/s | messages a flush"
    );
    for in_flight in IN_FLIGHT {
        let without = run(server.address.plain, None, in_flight)?;
        let path = folder.path().join(format!("session-{in_flight}"));
        let with = run(server.address.plain, Some(&path), in_flight)?;
        println!(
            "{in_flight:>15} | {:>15.0} | {:>10.0} | {:>7.2} | {:>9.0} | {:>10.1}",
            rate(without.messages, without.elapsed),
            rate(with.messages, with.elapsed),
            millis(with.median),
            rate(with.commits, with.elapsed),
            with.messages as f64 / with.commits.max(1) as f64,
        );
    }
    Ok(())
}

/// Returns the median time of an append and its flush, with which every commit ends.
fn time_flush(path: &Path) -> io::Result<Duration> {
    let mut file = File::create(path)?;
    let mut times = Vec::new();
    for _ in 0..FLUSHES {
        let began = Instant::now();
        file.write_all(&[b'x'; FLUSHED])?;
        file.sync_data()?;
        times.push(began.elapsed());
    }
    Ok(median(&mut times))
}

/// Publishes for [`SPAN`] with `in_flight` unacknowledged messages, on a runtime with one thread.
fn run(
    port: u16,
    path: Option<&Path>,
    in_flight: usize,
) -> Result<Measured, Box<dyn std::error::Error>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let commits = Arc::new(AtomicU64::new(0));
        let mut connect = ConnectOptions::new("bench");
        connect.keep_alive = Duration::ZERO;
        let options = ClientOptions::new(TransportOptions::new("127.0.0.1", port), connect);
        let client = match path {
            Some(path) => {
                let store = Counting {
                    inner: FileStore::open(path)?,
                    commits: Arc::clone(&commits),
                };
                Client::start_with_store(options, store)?
            }
            None => Client::start(options),
        };
        // The connection and what it stores aren't measured.
        client.until_connected(Duration::from_secs(10)).await?;
        client.until_persisted().await?;

        let before = commits.load(Relaxed);
        let (mut messages, mut times) = (0, Vec::new());
        let mut waiting: VecDeque<(Instant, Receipt)> = VecDeque::new();
        let began = Instant::now();
        while began.elapsed() < SPAN {
            // Wait for the oldest message once so many are in flight.
            if waiting.len() == in_flight
                && let Some((published, oldest)) = waiting.pop_front()
            {
                oldest.await?;
                messages += 1;
                times.push(published.elapsed());
            }
            let message = Message::new("lamp/7", &PAYLOAD[..]).qos(QoS::AtLeastOnce);
            waiting.push_back((Instant::now(), client.publish(message).await?));
        }
        // Messages still in flight aren't counted, and their commits hardly matter.
        let elapsed = began.elapsed();
        let commits = commits.load(Relaxed) - before;
        client.disconnect().await;
        Ok(Measured {
            messages,
            commits,
            elapsed,
            median: median(&mut times),
        })
    })
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn rate(count: u64, elapsed: Duration) -> f64 {
    count as f64 / elapsed.as_secs_f64()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
