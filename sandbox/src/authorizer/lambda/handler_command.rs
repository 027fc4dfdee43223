//! Command of a handler: its interpreter, environment and first input.

use std::ffi::{OsStr, OsString};
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::authorizer::lambda::function::{FunctionFacts, MEMORY, VERSION};
use crate::authorizer::lambda::handler::Handler;
use crate::policy::ArnScope;

impl Handler {
    /// Command of one process of the handler: the interpreter, which runs the runner.
    pub(super) fn command(&self, facts: &FunctionFacts) -> Command {
        let mut command = Command::new(self.runtime.interpreter());
        command
            .args(self.runtime.arguments())
            .current_dir(&self.code)
            .env_clear()
            // A later variable replaces an earlier one of the same name: the configured ones win.
            .envs(self.aws_variables(facts))
            .envs(self.environment.variables())
            .stdin(Stdio::piped());
        command
    }

    /// First line of the runner's input. The runner begins its answers with `marker`.
    pub(super) fn setup(&self, marker: &str) -> Value {
        json!({
            "marker": marker,
            "code": self.code.to_string_lossy(),
            "file": self.code.join(&self.file).to_string_lossy(),
            "module": self.module(),
            "function": self.function,
        })
    }

    /// Name of the module as Python imports it: `package.handler` for `package/handler.py` and
    /// `package/handler/__init__.py`.
    pub(super) fn module(&self) -> String {
        // A package is imported by the name of its folder; its file __init__.py isn't part of the
        // name.
        let path = self.file.with_extension("");
        let names: Vec<_> = path
            .iter()
            .map(OsStr::to_string_lossy)
            .filter(|name| name != "__init__")
            .collect();
        names.join(".")
    }

    fn aws_variables(&self, facts: &FunctionFacts) -> Vec<(OsString, OsString)> {
        // The variables that AWS documents for its runtimes and that handlers read. Credentials are
        // left out: the handler runs with those that are configured.
        let text = |name: &str, value: &str| (OsString::from(name), OsString::from(value));
        vec![
            text("AWS_REGION", &facts.region),
            text("AWS_DEFAULT_REGION", &facts.region),
            text("AWS_EXECUTION_ENV", self.runtime.execution_environment()),
            text("AWS_LAMBDA_FUNCTION_NAME", &facts.name),
            text("AWS_LAMBDA_FUNCTION_VERSION", VERSION),
            text("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", MEMORY),
            text("AWS_LAMBDA_LOG_GROUP_NAME", &facts.log_group()),
            text("AWS_LAMBDA_LOG_STREAM_NAME", &facts.log_stream),
            text("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
            text(
                "_HANDLER",
                &format!(
                    "{}.{}",
                    self.file.with_extension("").display(),
                    self.function
                ),
            ),
            ("LAMBDA_TASK_ROOT".into(), self.code.clone().into()),
        ]
    }

    /// Facts about the function that clients know as the authorizer `name`.
    pub(super) fn facts(&self, name: &str, scope: Option<&ArnScope>) -> FunctionFacts {
        FunctionFacts::new(name, self.environment.value("AWS_REGION"), scope)
    }
}
