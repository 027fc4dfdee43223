//! Situations that users meet, provoked one after another: the table of what the tool prints, how
//! soon, and when it ends.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dunlin_tests::{Finished, Tool, dunlin};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::certificates::Mistake;
use super::commands::check_commands;
use super::situation_tables::{EVIDENCE, Expected, FOREIGN, LOAD, LOAD_SILENCE, SILENCE};
use super::{CANARY, Served, at, sample_with_short_timeouts, serve};

/// One row of the table.
struct Situation {
    provoked_by: String,
    /// Error id; `-` for a run that a signal ends, which has no error.
    id: &'static str,
    exit: i32,
    /// Words of standard error.
    words: &'static [&'static str],
    tool: Tool,
    /// Time after which SIGINT is sent; `None` to wait for the end.
    interrupt_after: Option<Duration>,
}

/// A run and the time from its start to the first byte on standard error.
struct Timed {
    first_word: Option<Duration>,
    run: Finished,
}

impl Situation {
    fn new(
        provoked_by: impl Into<String>,
        (id, exit, words): (&'static str, i32, &'static [&'static str]),
        tool: Tool,
    ) -> Self {
        Self {
            provoked_by: provoked_by.into(),
            id,
            exit,
            words,
            tool,
            interrupt_after: None,
        }
    }

    /// Runs the tool to its end.
    #[expect(
        clippy::disallowed_methods,
        reason = "a test measures how long a process takes"
    )]
    async fn run(tool: Tool, interrupt_after: Option<Duration>) -> Timed {
        let began = Instant::now();
        let mut child = tool.spawn();
        // Read by a task of its own, which takes the time of the first byte.
        let mut err = child.stderr.take().unwrap();
        let reading = tokio::spawn(async move {
            let (mut first, mut text, mut buffer) = (None, Vec::new(), [0; 4096]);
            while let Ok(len @ 1..) = err.read(&mut buffer).await {
                first.get_or_insert_with(|| began.elapsed());
                text.extend_from_slice(buffer.get(..len).unwrap_or_default());
            }
            (first, text)
        });
        #[cfg(unix)]
        if let Some(after) = interrupt_after {
            tokio::time::sleep(after).await;
            dunlin_tests::send_signal(child.id().unwrap(), dunlin_tests::Signal::INT);
        }
        let mut run = Finished::wait_for(child).await;
        run.took = began.elapsed();
        let (first_word, text) = reading.await.unwrap();
        run.stderr = String::from_utf8(text).unwrap();
        Timed { first_word, run }
    }
}

impl fmt::Display for Timed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.run.stderr.lines().next().unwrap_or_default();
        match self.first_word {
            Some(word) => write!(f, "{word:>9.1?} {:>9.1?}  {first}", self.run.took),
            None => write!(f, "{:>9} {:>9.1?}", "-", self.run.took),
        }
    }
}

/// A server without TLS that answers whatever comes with these bytes, and closes.
async fn answering(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // The request is read first: a close with unread data would reset the connection.
            let mut read = [0; 1024];
            let _ = stream.read(&mut read).await;
            let _ = stream.write_all(bytes).await;
            let _ = stream.shutdown().await;
        }
    });
    format!("localhost:{port}")
}

/// A load test against any MQTT server without TLS.
fn bench(words: &str, address: &str) -> Tool {
    dunlin(["bench"]).args(words.split(' ')).args([
        "--timeout=2s",
        "--reconnect=0",
        "--endpoint",
        &format!("mqtt://{address}"),
    ])
}

fn plain_address(served: &Served) -> String {
    format!("localhost:{}", served.sandbox.plain_port().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_of_situations() {
    let (mut rows, mut served, mut tls) = (Vec::new(), Vec::new(), Vec::new());
    for (fault, expected, flags) in EVIDENCE.into_iter().chain(SILENCE) {
        let sandbox = serve(fault).await;
        let tool = at(&sandbox)
            .args(["--reconnect=0"])
            .args(flags.split(' ').filter(|word| !word.is_empty()));
        rows.push(Situation::new(fault, expected, tool));
        served.push(sandbox);
    }
    // bench speaks MQTT without TLS, so that it sees these bytes.
    for (name, bytes, words) in FOREIGN {
        let tool = bench("pub --count=1", &answering(bytes).await);
        rows.push(Situation::new(name, ("E-PROTOCOL", 10, words), tool));
    }
    // A server that expects TLS takes CONNECT for a broken record, and may close without an alert.
    rows.push(Situation::new(
        "plain: closed before CONNACK",
        ("E-HANGUP", 5, &["this port speaks TLS: use mqtts://"]),
        bench("pub --count=1", &answering(b"").await),
    ));
    for (name, bytes, words) in [
        (
            "TLS to HTTP",
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            &["a web server answers"][..],
        ),
        ("TLS to plain MQTT", b"", &["MQTT without TLS"]),
    ] {
        let address = answering(bytes).await;
        let tool = sample_with_short_timeouts().args(["--reconnect=0", "--endpoint", &address]);
        rows.push(Situation::new(name, ("E-TLS-HANDSHAKE", 4, words), tool));
    }
    // A server for each mistake; it must live until its row has run.
    for mistake in Mistake::ALL {
        let server = mistake.serve().await;
        let tool = server.sample(mistake);
        rows.push(Situation::new(mistake.name(), mistake.expected(), tool));
        tls.push(server);
    }
    for (words, fault, expected) in LOAD {
        let sandbox = serve(fault).await;
        let tool = bench(words, &plain_address(&sandbox));
        rows.push(Situation::new(
            format!("bench {words}, {fault}"),
            expected,
            tool,
        ));
        served.push(sandbox);
    }
    // A load says what it waits for, and counts its attempts.
    for (words, fault, expected) in LOAD_SILENCE {
        let sandbox = serve(fault).await;
        let tool = bench(words, &plain_address(&sandbox)).args(["--timeout=5s", "--reconnect=1"]);
        let name = format!("bench {words} --timeout=5s, {fault}");
        rows.push(Situation::new(name, expected, tool));
        served.push(sandbox);
    }
    let (more_rows, more_served) = defaults_and_signals().await;
    rows.extend(more_rows);
    served.extend(more_served);

    // A few at a time: a machine that is busy would lengthen the times.
    let permits = Arc::new(Semaphore::new(4));
    let mut runs = JoinSet::new();
    for (index, row) in rows.iter_mut().enumerate() {
        // The row stays for the checks; its tool runs once.
        let tool = std::mem::replace(&mut row.tool, dunlin(["version"]));
        let (permits, interrupt_after) = (Arc::clone(&permits), row.interrupt_after);
        runs.spawn(async move {
            let _permit = permits.acquire().await.unwrap();
            (index, Situation::run(tool, interrupt_after).await)
        });
    }
    let mut timed: Vec<(usize, Timed)> = runs.join_all().await;
    // Runs end in any order; the table has the order of the rows.
    timed.sort_by_key(|(index, _)| *index);

    println!(
        "{:<66} {:<18} {:>4} {:>9} {:>9}  first line",
        "provoked by", "id", "exit", "word", "end"
    );
    for (row, (_, timed)) in rows.iter().zip(&timed) {
        println!(
            "{:<66} {:<18} {:>4} {timed}",
            row.provoked_by, row.id, row.exit
        );
    }
    for (row, (_, timed)) in rows.iter().zip(&timed) {
        row.check(timed);
        check_commands(&timed.run.stderr).await;
    }
}

impl Situation {
    #[track_caller]
    fn check(&self, timed: &Timed) {
        let Timed { first_word, run } = timed;
        let (provoked_by, text) = (&self.provoked_by, run.error_line());
        let both = format!("{text}\n{}", run.stdout);
        run.exits(self.exit);
        // Whatever ends with another code than 0, and not by a signal, has an error with an id.
        if self.id == "-" {
            assert!(!text.contains("error["), "{provoked_by}\n{}", run.stderr);
        } else {
            let id = format!("error[{}]: ", self.id);
            assert!(text.contains(&id), "{provoked_by}\n{}", run.stderr);
        }
        for expected in self.words {
            assert!(
                both.contains(expected),
                "{provoked_by}: {expected:?}\n{}",
                run.stderr
            );
        }
        // The tool contradicts neither the server nor itself.
        let contradicts =
            text.contains("the server's reason: ") && text.contains("isAuthenticated=false");
        assert!(!contradicts, "{}", run.stderr);
        assert!(
            !text.contains("a bug of the server") || provoked_by.contains("malformed"),
            "{}",
            run.stderr
        );
        assert!(!text.contains("OtherError"), "{}", run.stderr);
        // Three seconds of silence, and what a busy machine takes to start a process. A run that a
        // signal ends may have nothing to say.
        assert!(first_word.is_some() || self.id == "-", "{provoked_by}");
        if let Some(word) = first_word {
            let latest = self.interrupt_after.unwrap_or_default() + Duration::from_secs(10);
            assert!(*word < latest, "{provoked_by}: {word:?}");
        }
        assert!(!run.stderr.contains(CANARY) && !run.stdout.contains(CANARY));
    }
}

/// Rows that need more than a fault: the default time-out, signals, and passwords in the clear.
async fn defaults_and_signals() -> (Vec<Situation>, Vec<Served>) {
    let mut rows = Vec::new();
    let missing = serve("no-deliver").await;
    let patient = dunlin(["sample", "--authorizer-name=Canary", "--auth-username=demo"])
        .args(["--count=2", "--interval=100ms"])
        .env("DUNLIN_AUTH_PASSWORD", CANARY)
        .connecting_to(&missing.sandbox);
    let expected: Expected = (
        "E-NOT-RECEIVED",
        9,
        &[
            "waiting: acknowledged 2, received 0",
            "received 0 within 10 s",
        ],
    );
    rows.push(Situation::new(
        "no-deliver, without --timeout",
        expected,
        patient,
    ));

    // Nobody listens: the warning comes before the first attempt.
    let closed = "localhost:1";
    let secret = bench("connect --auth-username=demo", closed).env("DUNLIN_AUTH_PASSWORD", CANARY);
    rows.push(Situation::new(
        "bench connect mqtt:// with a password",
        ("E-REFUSED", 3, &["warning: ", "password"]),
        secret,
    ));

    let slow = serve("delay=2s").await;
    let silent = serve("silent").await;
    let endless = serve("no-deliver").await;
    #[cfg(unix)]
    {
        // CONNACK, SUBACK and PUBACK take 2 s each: the signal finds a subscription.
        let ending = at(&slow).args(["--timeout=20s", "--count=0"]);
        rows.push(Situation {
            interrupt_after: Some(Duration::from_secs(5)),
            ..Situation::new(
                "delay=2s, SIGINT",
                (
                    "-",
                    130,
                    &["ending: UNSUBSCRIBE and DISCONNECT take time; 3 s at most"],
                ),
                ending,
            )
        });
        let connecting = bench("connect --clients=2", &plain_address(&silent));
        rows.push(Situation {
            interrupt_after: Some(Duration::from_secs(1)),
            ..Situation::new(
                "bench connect, silent, SIGINT",
                ("-", 130, &["0 of 2"]),
                connecting.args(["--timeout=20s"]),
            )
        });
        let forever = at(&endless).args(["--count=0", "--interval=1s"]);
        rows.push(Situation {
            interrupt_after: Some(Duration::from_secs(6)),
            ..Situation::new(
                "no-deliver, --count 0, SIGINT",
                (
                    "-",
                    130,
                    &["received 0: the policy may lack iot:Receive; until stopped"],
                ),
                forever,
            )
        });
    }
    (rows, vec![missing, slow, silent, endless])
}
