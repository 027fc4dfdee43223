//! The Lambda of an authorizer: a fixed answer, a password check, a program, a handler or a URL.

mod code;
mod environment;
mod error;
mod event;
mod function;
mod handler;
mod handler_command;
mod handler_error;
mod instance;
mod instances;
mod lookup;
mod output;
mod process;
mod program;
mod runtime;
mod url;
mod watchdog;

use core::fmt;
use serde_json::Value;
use tokio::time::timeout;

pub use environment::{LambdaEnvironment, LambdaEnvironmentError};
pub use error::LambdaError;
pub(super) use error::json_problem;
pub use event::LambdaEvent;
pub use handler::Handler;
pub use handler_error::HandlerError;
pub(super) use instances::{CallContext, Instances};
pub use lookup::LambdaMissing;
pub(super) use output::LambdaLog;
pub use program::Program;
pub use runtime::LambdaRuntime;
pub use url::{LambdaUrl, LambdaUrlError};
pub(crate) use watchdog::Watchdog;
pub use watchdog::watch_process_groups;

use crate::authorizer::answer::Answer;
use crate::authorizer::calls::CallQueue;
use crate::authorizer::lambda::output::OutputLog;

/// Stand-in for a Lambda function.
#[derive(Clone)]
#[non_exhaustive]
pub enum Lambda {
    /// The same answer to everybody.
    Static(Answer),
    /// The answer to whoever brings this user name and password; `isAuthenticated: false` to all
    /// others.
    Password {
        /// The user name, without the parameters after the `?`.
        username: String,
        /// The password.
        password: String,
        /// Answer to the right credentials.
        answer: Answer,
    },
    /// A program, started for each event: the event on its standard input, the answer on its
    /// standard output.
    Exec(Program),
    /// A handler for one of AWS Lambda's runtimes, in processes that stay for the next call.
    Handler(Handler),
    /// A Lambda function in the runtime interface emulator, or whatever speaks as it does.
    Url(LambdaUrl),
}

impl Lambda {
    /// Returns whether it has processes of its own.
    pub(super) const fn has_processes(&self) -> bool {
        matches!(self, Self::Exec(_) | Self::Handler(_))
    }

    /// Checks that its programs and files exist.
    ///
    /// # Errors
    /// The program, file or folder that is missing.
    pub(super) fn find(&self) -> Result<(), LambdaMissing> {
        match self {
            Self::Exec(program) => program.find(),
            Self::Handler(handler) => handler.find(),
            Self::Static(_) | Self::Password { .. } | Self::Url(_) => Ok(()),
        }
    }

    /// Asks for the answer to one event.
    ///
    /// Programs, handlers and URLs wait for their turn in `queue`; fixed answers and passwords are
    /// judged at once. Cancel safe: a call that waits leaves the queue, a program is ended, a
    /// request to a URL is aborted, and a call of a handler goes on.
    ///
    /// # Errors
    /// [`LambdaError::NotCalled`] if the queue is full or took too long, [`LambdaError::Answer`] if
    /// AWS IoT would not take the answer, and the other variants if there is none.
    pub(super) async fn invoke(
        &self,
        event: &LambdaEvent,
        queue: &CallQueue,
        instances: &Instances,
        context: CallContext,
    ) -> Result<Answer, LambdaError> {
        let limit = context.limits.timeout;
        // Each arm takes its permit where the call starts. It is held until the answer is there,
        // which makes `concurrency` a bound on running calls.
        let json = match self {
            Self::Static(answer) => return Ok(answer.clone()),
            Self::Password {
                username,
                password,
                answer,
            } => {
                // Nothing runs and nothing waits, so the queue isn't needed.
                let known = event.is_from(username, password);
                return Ok(if known {
                    answer.clone()
                } else {
                    Answer::not_authenticated()
                });
            }
            Self::Handler(handler) => {
                let permit = queue.enter().await?;
                // The permit goes along: the call may outlive this future.
                let call = instances.call(handler, event.to_value(), context, permit);
                let answer = call.await?;
                return Answer::read(answer, event.has_certificate()).map_err(LambdaError::Answer);
            }
            Self::Exec(program) => {
                let _permit = queue.enter().await?;
                // A program is killed and reaped by itself when its time is over.
                program
                    .run(
                        &event.to_json(),
                        limit,
                        context.watchdog.as_ref(),
                        &*context.log,
                    )
                    .await?
            }
            Self::Url(url) => {
                let _permit = queue.enter().await?;
                // Dropping the request at the timeout closes its connection.
                let posted = timeout(limit, url.post(event.to_json())).await;
                posted.unwrap_or(Err(LambdaError::TimedOut(limit)))?
            }
        };
        read_answer(&json, event.has_certificate(), &*context.log)
    }
}

/// The JSON of an answer, or of an error as the runtimes of Lambda report it.
fn read_answer(
    json: &[u8],
    has_certificate: bool,
    log: &(dyn Fn(String) + Sync),
) -> Result<Answer, LambdaError> {
    // A line feed at its end would count as a line.
    let json = json.trim_ascii_end();
    let value: Value =
        serde_json::from_slice(json).map_err(|error| LambdaError::not_json(json, &error))?;
    if let Some(error) = LambdaError::reported(&value) {
        // Details of the error are for the log: a client must not read them.
        log_error(&value, log);
        return Err(error);
    }
    Answer::read(value, has_certificate).map_err(LambdaError::Answer)
}

/// Logs the message of an error and the calls that led to it, as the runtimes of AWS Lambda report
/// them: `stackTrace` in Python and Java, `trace` in Node.
fn log_error(error: &Value, log: &(dyn Fn(String) + Sync)) {
    // A message may have several lines; OutputLog splits and bounds them.
    let mut output = OutputLog::new(log);
    let mut write = |text: &str| {
        output.write(text.trim_end().as_bytes());
        output.write(b"\n");
    };
    if let Some(message) = error.get("errorMessage").and_then(Value::as_str) {
        write(message);
    }
    for trace in ["stackTrace", "trace"] {
        let frames = error.get(trace).and_then(Value::as_array);
        for frame in frames.into_iter().flatten().filter_map(Value::as_str) {
            write(frame);
        }
    }
    output.finish();
}

/// Writes what decides, as people type it: the command, the handler with its folder, or the URL.
/// User name and password are left out.
impl fmt::Display for Lambda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static(_) => f.write_str("a fixed answer"),
            Self::Password { .. } => f.write_str("a user name and a password"),
            Self::Exec(program) => write!(f, "{program}"),
            Self::Handler(handler) => write!(f, "{handler}"),
            Self::Url(url) => write!(f, "{url}"),
        }
    }
}

impl fmt::Debug for Lambda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static(answer) => f.debug_tuple("Static").field(answer).finish(),
            Self::Password { answer, .. } => f
                .debug_struct("Password")
                .field("answer", answer)
                .finish_non_exhaustive(),
            Self::Exec(program) => f.debug_tuple("Exec").field(program).finish(),
            Self::Handler(handler) => f.debug_tuple("Handler").field(handler).finish(),
            Self::Url(url) => f.debug_tuple("Url").field(url).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn a_lambda_is_written_as_people_type_it() {
        let program = Program {
            arguments: vec!["-c".into(), "cat it's".into(), "".into()],
            folder: Some("/srv".into()),
            ..Program::new("sh")
        };
        let written = Lambda::Exec(program).to_string();
        assert_eq!(written, r#"sh -c 'cat it'\''s' '' in /srv"#);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("auth.py"), "").unwrap();
        let handler = Handler::from_file("auth.py:check", folder.path()).unwrap();
        assert_eq!(
            Lambda::Handler(handler).to_string(),
            format!("python auth.py:check in {}", folder.path().display())
        );
        let password = Lambda::Password {
            username: "canary".into(),
            password: "canary".into(),
            answer: Answer::not_authenticated(),
        };
        assert_eq!(password.to_string(), "a user name and a password");
    }

    fn reported(error: &[u8]) -> (LambdaError, Vec<String>) {
        let logged = Mutex::new(Vec::new());
        let fault =
            read_answer(error, false, &|line| logged.lock().unwrap().push(line)).unwrap_err();
        (fault, logged.into_inner().unwrap())
    }

    #[test]
    fn an_error_of_the_runtime_is_told_by_its_type_and_logged_by_its_message() {
        let error = br#"{"errorMessage":"'password'","errorType":"KeyError","stackTrace":[]}"#;
        let (fault, logged) = reported(error);
        assert_eq!(fault, LambdaError::Reported("KeyError".into()));
        assert_eq!(logged, ["'password'"]);
    }

    #[test]
    fn the_calls_that_led_to_an_error_are_logged_line_by_line() {
        // A Python frame ends with a line feed and may span lines; Node repeats the message as its
        // first frame.
        let python = br#"{"errorMessage":"no\nkey","errorType":"KeyError","requestId":"1",
            "stackTrace":["  File \"/var/task/a.py\", line 2, in fn\n    x()\n", "  File \"/var/task/b.py\"\n"]}"#;
        let lines = [
            "no",
            "key",
            "  File \"/var/task/a.py\", line 2, in fn",
            "    x()",
            "  File \"/var/task/b.py\"",
        ];
        assert_eq!(reported(python).1, lines);
        let node = br#"{"errorType":"TypeError","errorMessage":"no","trace":["TypeError: no","    at fn (a.js:1)"]}"#;
        assert_eq!(
            reported(node).1,
            ["no", "TypeError: no", "    at fn (a.js:1)"]
        );
    }

    #[test]
    fn an_answer_that_is_not_json_is_reported_and_not_shown() {
        let Err(fault) = read_answer(b"canary {}", false, &|_| ()) else {
            panic!("a fault")
        };
        let text = fault.to_string();
        assert!(
            text.starts_with("its answer isn't JSON") && !text.contains("canary"),
            "{text}"
        );
        for nothing in [&b""[..], b" \n"] {
            let fault = read_answer(nothing, false, &|_| ()).unwrap_err();
            assert_eq!(fault, LambdaError::NoAnswer);
        }
    }

    #[test]
    fn an_answer_that_was_cut_off_ends_early_and_is_not_empty() {
        // Columns are those of serde_json: the last byte that was read.
        for (cut, place) in [
            (&b"{\"isAuthenticated\": tr"[..], "line 1 column 22"),
            (b"{\n  \"a\":\n", "line 2 column 6"),
        ] {
            let Err(fault) = read_answer(cut, false, &|_| ()) else {
                panic!("a fault")
            };
            assert_eq!(
                fault.to_string(),
                format!("its answer ends early, at {place}")
            );
        }
    }
}
