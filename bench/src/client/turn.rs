//! One client's turn at one scenario: a process of its own, so that time, memory and system calls
//! are its own.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, fs, process, thread};

use serde::{Deserialize, Serialize};
use tokio::runtime::Builder;

use super::contestant::{Contestant, Result, Target};
use super::dunlin::Dunlin;
use super::machine;
use super::raw::Raw;
use super::scenario::{Sample, Scenario, Span};
use super::who::{Entrant, Who};

/// Argument that makes this program a client, followed by the turn in JSON.
///
/// Earlier builds are started in the same way, so neither this nor the form of `Turn` and `Sample`
/// may change.
pub const ROLE: &str = "contestant";

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Turn {
    pub who: Who,
    pub scenario: Scenario,
    pub target: Target,
    pub span: Span,
}

impl Turn {
    /// Takes the turn in another process, which runs the entrant's program.
    ///
    /// # Errors
    /// A text for the user if the process fails or isn't done in time.
    pub fn take(&self, entrant: &Entrant) -> Result<Sample> {
        self.run(&mut Command::new(program(entrant)?))
    }

    /// Takes the turn under `strace`, and returns the number of system calls per message.
    ///
    /// # Errors
    /// A text for the user if there is no `strace` or the process fails.
    pub fn count_system_calls(&self, entrant: &Entrant) -> Result<f64> {
        let written = tempfile::NamedTempFile::new().map_err(text)?;
        let mut strace = Command::new("strace");
        strace
            .args(["-f", "-qq", "-o"])
            .arg(written.path())
            .arg(program(entrant)?);
        let done = self.run(&mut strace)?.done;
        let text = fs::read(written.path()).map_err(text)?;
        Ok(calls_between_marks(&String::from_utf8_lossy(&text)) as f64 / done as f64)
    }

    fn run(&self, command: &mut Command) -> Result<Sample> {
        let turn = serde_json::to_string(self).map_err(text)?;
        let child = command
            .args(["client", ROLE, &turn])
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let output = child.output().map_err(text)?;
        serde_json::from_slice::<Result<Sample>>(&output.stdout)
            .unwrap_or_else(|_| Err(format!("the process ended with {}", output.status)))
    }

    /// Takes the turn in this process, and ends the process.
    pub fn take_here(turn: &str) -> ! {
        machine::pin_client();
        machine::allow_descriptors();
        thread::spawn(|| {
            thread::sleep(LONGEST);
            report(&Err(format!("not done after {} s", LONGEST.as_secs())));
        });
        let sample = serde_json::from_str::<Self>(turn)
            .map_err(text)
            .and_then(|turn| turn.go());
        report(&sample)
    }

    fn go(self) -> Result<Sample> {
        match self.who {
            Who::Dunlin => self.go_as::<Dunlin>(),
            Who::Raw => self.go_as::<Raw>(),
            #[cfg(feature = "peers")]
            Who::Rumqttc => self.go_as::<super::peers::Rumqttc>(),
            #[cfg(feature = "peers")]
            Who::RumqttcNext => self.go_as::<super::peers::RumqttcNext>(),
            #[cfg(feature = "peers")]
            Who::Gneiss => self.go_as::<super::peers::Gneiss>(),
            #[cfg(feature = "peers")]
            Who::Mqtt5 => self.go_as::<super::peers::Mqtt5>(),
            #[cfg(feature = "paho")]
            Who::Paho => self.go_as::<super::peers::Paho>(),
        }
    }

    fn go_as<C: Contestant>(&self) -> Result<Sample> {
        // Where several providers are compiled in, rustls wants to be told which to take: the same
        // for everybody.
        let _ = tokio_rustls::rustls::crypto::aws_lc_rs::default_provider().install_default();
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(text)?;
        runtime.block_on(self.scenario.run::<C>(&self.target, self.span))
    }
}

/// Prints the sample for the process that waits for it, and exits without closing anything.
fn report(sample: &Result<Sample>) -> ! {
    println!("{}", serde_json::to_string(sample).unwrap_or_default());
    process::exit(0)
}

/// Counts the system calls between the marks; `strace` writes an interrupted call in two lines.
fn calls_between_marks(strace: &str) -> usize {
    strace
        .lines()
        .skip_while(|line| !line.contains(machine::MARK))
        .skip(1)
        .take_while(|line| !line.contains(machine::MARK))
        .filter(|line| line.contains('(') && !line.contains(" resumed>") && !line.contains(" --- "))
        .count()
}

fn program(entrant: &Entrant) -> Result<PathBuf> {
    match &entrant.earlier {
        Some(program) => Ok(program.clone()),
        None => env::current_exe().map_err(text),
    }
}

fn text(error: impl ToString) -> String {
    error.to_string()
}

const LONGEST: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_between_the_marks_and_once_each() {
        let strace = "1 brk(0) = 0\n1 getppid() = 2\n1 write(3, \"(\", 1) = 1\n2 futex(0x1 <unfinished ...>\n\
                      1 read(3, ..) = 4\n2 <... futex resumed>) = 0\n1 --- SIGALRM {} ---\n1 getppid() = 2\n1 exit(0)\n";
        assert_eq!(calls_between_marks(strace), 3);
    }
}
