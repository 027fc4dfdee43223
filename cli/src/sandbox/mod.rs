//! `dunlin sandbox`: the stand-in for AWS IoT Core as a server of its own.

mod json;
mod welcome;

use std::io::{self, Write};
use std::path::Path;
use std::thread;

use dunlin_sandbox::{LogLine, Ready, Sandbox, StartError};
use tempfile::NamedTempFile;
use tokio::sync::{mpsc, oneshot};

use self::json::Line;
use crate::args::SandboxArgs;
use crate::diagnosis::{Diagnosis, Try};
use crate::exit::Exit;
use crate::signal::StopSignal;
use crate::verb::Failure;

/// Serves until a signal, or the end of standard input where that was asked for. Stopping is what a server is asked to
/// do in the end, so the exit code is 0.
pub(crate) async fn run(typed: SandboxArgs) -> Result<Exit, Failure> {
    let mut stop = StopSignal::install()?;
    let (lines, printing) = mpsc::channel(LINES_IN_FLIGHT);
    let sandbox = start(&typed, lines).await?;
    announce(&typed, sandbox.ready())?;
    if let Some(file) = &typed.ready_file {
        write_ready_file(file, sandbox.ready())?;
    }
    let printer = tokio::spawn(print(printing, typed.json));
    tokio::select! {
        _ = stop.received() => {}
        () = end_of_input(), if typed.until_eof => {}
    }
    sandbox.stop().await;
    let _ = printer.await;
    if let Some(file) = &typed.ready_file {
        // Its promise no longer holds.
        let _ = std::fs::remove_file(file);
    }
    Ok(Exit::Done)
}

async fn start(typed: &SandboxArgs, lines: mpsc::Sender<LogLine>) -> Result<Sandbox, Diagnosis> {
    let mut builder = Sandbox::builder().port(typed.port).time_scale(typed.time_scale);
    // A terminal that stalls loses lines; it must not stall the connections.
    builder = builder.on_event(move |line| drop(lines.try_send(line.clone())));
    if let Some(dir) = &typed.state_dir {
        builder = builder.state_dir(dir);
    }
    for fault in &typed.fault {
        builder = builder.fault(fault.clone());
    }
    builder.start().await.map_err(|error| not_started(&error))
}

pub(crate) fn not_started(error: &StartError) -> Diagnosis {
    let try_ = match error {
        StartError::Listen { .. } => vec![Try::command("dunlin sandbox --port 0        (any free port)")],
        StartError::State(_) => vec![Try::advice("--state-dir DIR")],
        _ => Vec::new(),
    };
    Diagnosis { try_, ..Diagnosis::usage(format!("the sandbox can't start: {error}")) }
}

fn announce(typed: &SandboxArgs, ready: &Ready) -> io::Result<()> {
    if typed.json {
        writeln!(io::stdout(), "{}", Line::ready(ready).to_text())
    } else {
        write!(io::stdout(), "{}", welcome::text(ready, typed.state_dir.as_deref()))
    }
}

/// Whole or not at all: whoever waits for the file reads it as soon as it is there.
fn write_ready_file(path: &Path, ready: &Ready) -> Result<(), Diagnosis> {
    let directory =
        path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let write = || {
        let mut file = NamedTempFile::new_in(directory)?;
        serde_json::to_writer(&mut file, ready)?;
        file.write_all(b"\n")?;
        file.persist(path).map_err(|error| error.error)
    };
    write().map(drop).map_err(|error| Diagnosis::usage(format!("--ready-file {}: {error}", path.display())))
}

/// A reader that has gone is no reason to stop serving.
async fn print(mut lines: mpsc::Receiver<LogLine>, as_json: bool) {
    while let Some(line) = lines.recv().await {
        let text = if as_json { Line::of(&line).to_text() } else { line.to_string() };
        let _ = writeln!(io::stdout(), "{text}");
    }
}

/// Reads in a thread of its own: tokio's standard input would keep the process alive until somebody types.
async fn end_of_input() {
    let (ended, end) = oneshot::channel();
    thread::spawn(move || {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        let _ = ended.send(());
    });
    let _ = end.await;
}

const LINES_IN_FLIGHT: usize = 1024;
