//! `dunlin sandbox`: the stand-in for AWS IoT Core as a server of its own.

mod cert;
mod described;
mod json;
mod printer;
mod ready_file;
mod welcome;

use std::io::{self, Write};
use std::net::IpAddr;
use std::thread;

use dunlin_sandbox::{EventLog, Ready, Sandbox, StartError};
use tokio::sync::oneshot;

use self::json::Line;
use self::printer::{EventPrinter, Lines};
use self::ready_file::ReadyFile;
use crate::args::{SandboxArgs, SandboxCommand};
use crate::diagnosis::{Diagnosis, Try, folder};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::signal::StopSignal;
use crate::terminal::Console;

/// Serves until a signal, or the end of standard input where that was asked for. Stopping is what a
/// server is asked to do in the end, so the exit code is 0.
pub(crate) async fn run(typed: SandboxArgs, console: Console) -> Result<Exit, Failure> {
    if let Some(SandboxCommand::Cert(typed)) = &typed.command {
        return cert::make(typed);
    }
    // Handlers first: a signal while the sandbox starts must end it cleanly, too.
    let mut stop = StopSignal::install()?;
    let (lines, printer) = EventPrinter::new(typed.json, typed.explain_decisions);
    let sandbox = start(&typed, lines, console).await?;
    // Written once the ports are open, because a script connects as soon as it exists.
    let ready_file = typed
        .ready_file
        .as_deref()
        .map(|path| ReadyFile::write(path, sandbox.ready()));
    let _ready_file = ready_file.transpose()?;
    announce(&typed, sandbox.ready())?;
    // The banner comes first; lines of early connections wait in the queue.
    let printed = printer.start();
    tokio::select! {
        _ = stop.received() => {}
        () = end_of_input(), if typed.until_eof => {}
    }
    // Close the connections, then print the lines about that.
    sandbox.stop().await;
    printed.wait().await;
    Ok(Exit::Done)
}

async fn start(typed: &SandboxArgs, lines: Lines, console: Console) -> Result<Sandbox, Diagnosis> {
    let mut options = described::options(typed)?;
    // Before anything listens.
    if let Some(address) = typed.listen {
        confirm_exposure(address, options.anonymous, typed.yes, console)?;
    }
    options.log = EventLog::new(move |line| lines.write(line));
    let started = Sandbox::start(options).await;
    started.map_err(|error| not_started(&error))
}

/// Warns of an address that others can reach, and refuses it without `--yes`.
///
/// # Errors
/// A usage error without `--yes`.
fn confirm_exposure(
    address: IpAddr,
    anonymous: bool,
    yes: bool,
    console: Console,
) -> Result<(), Diagnosis> {
    if address.is_loopback() {
        return Ok(());
    }
    if !yes {
        let headline = format!(
            "--listen {address} lets others connect to the sandbox; add --yes if that is meant"
        );
        return Err(Diagnosis::usage(headline));
    }
    let risk = if anonymous {
        "needs no password here and may publish and read everything"
    } else {
        "can try passwords here"
    };
    console.warning(format_args!(
        "listening on {address}: whoever reaches this computer {risk}; a sandbox is for development"
    ));
    Ok(())
}

pub(crate) fn not_started(error: &StartError) -> Diagnosis {
    let try_ = match error {
        StartError::Listen { source, .. } => listen_advice(source.kind()),
        error if folder::is_about_files(error) => folder::state_dir_advice(),
        _ => Vec::new(),
    };
    Diagnosis {
        try_,
        ..Diagnosis::usage(format!("the sandbox can't start: {error}"))
    }
}

/// Advice for an address that can't be listened on: another port helps where this one is taken or
/// needs rights, and not where the address is wrong.
fn listen_advice(kind: io::ErrorKind) -> Vec<Try> {
    match kind {
        io::ErrorKind::AddrNotAvailable => vec![Try::advice(
            "--listen takes an address of this computer, or 0.0.0.0 for all of them",
        )],
        io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied => vec![Try::command(
            "dunlin sandbox --port 0        # any free port",
        )],
        _ => Vec::new(),
    }
}

/// The name of the authorizer of `--lambda`.
const LAMBDA: &str = "Lambda";

fn announce(typed: &SandboxArgs, ready: &Ready) -> io::Result<()> {
    let text = if typed.json {
        format!("{}\n", Line::ready(ready).to_text())
    } else {
        welcome::text(ready, typed.state_dir.as_deref())
    };
    match io::stdout().write_all(text.as_bytes()) {
        // A reader that has gone is no reason not to serve.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Reads in a thread of its own: tokio's standard input would keep the process alive until somebody
/// types.
async fn end_of_input() {
    let (ended, end) = oneshot::channel();
    thread::spawn(move || {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        let _ = ended.send(());
    });
    let _ = end.await;
}
