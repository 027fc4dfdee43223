//! A handler: a function in a folder, written for AWS Lambda's Python or Node runtime, and run
//! unchanged.

use core::fmt;
use std::path::{Path, PathBuf};

use crate::authorizer::lambda::environment::LambdaEnvironment;
use crate::authorizer::lambda::handler_error::HandlerError;
use crate::authorizer::lambda::lookup::{self, LambdaMissing};
use crate::authorizer::lambda::runtime::LambdaRuntime;

/// A handler of AWS Lambda: a function of a module in a folder.
///
/// The function runs in processes that stay for the next call, as AWS keeps execution environments:
/// as many as calls run at the same time. Each process gets the event and the context that AWS's runtimes
/// give, in the folder of the code. If a file in that folder changes, calls from then on run in new
/// processes. Hidden files and the folders `node_modules` and `__pycache__` aren't watched, nor is
/// more than the first 4,096 files.
///
/// Each process has a process group of its own, which is killed with it. A process that the handler
/// starts and that leaves the group, by `setsid` or as a daemon, goes on.
///
/// ```no_run
/// use std::path::Path;
///
/// use dunlin_sandbox::{Handler, LambdaRuntime};
///
/// let handler = Handler::from_file("authorizer/handler.py:lambda_handler", Path::new("."))?;
/// assert_eq!(handler.runtime, LambdaRuntime::Python);
///
/// let same = Handler::named("handler.lambda_handler", Some(LambdaRuntime::Python), Path::new("authorizer"))?;
/// # Ok::<(), dunlin_sandbox::HandlerError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Handler {
    /// The runtime that it is written for.
    pub runtime: LambdaRuntime,
    /// The folder of the code, absolute: the process runs there.
    pub code: PathBuf,
    /// The file that has the function, relative to the folder.
    pub file: PathBuf,
    /// The name of the function. In Node it may lie in an exported object: `auth.handler`.
    pub function: String,
    /// Environment variables besides those of AWS Lambda.
    pub environment: LambdaEnvironment,
}

impl fmt::Display for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runtime = match self.runtime {
            LambdaRuntime::Python => "python",
            LambdaRuntime::Node => "node",
        };
        let (file, code) = (self.file.display(), self.code.display());
        write!(f, "{runtime} {file}:{} in {code}", self.function)
    }
}

impl Handler {
    /// Returns whether a text names the file of a handler, with or without a function: `handler.py`,
    /// `src/index.mjs:auth`.
    #[must_use]
    pub fn is_file_name(text: &str) -> bool {
        split_file(text).is_some()
    }

    /// The handler of a file: `FILE` or `FILE:FUNCTION`, relative to `folder`. The function is by
    /// default `lambda_handler` in Python and `handler` in Node. The folder of the code is that
    /// of the file.
    ///
    /// # Errors
    /// [`HandlerError::NoHandlerFile`] or [`HandlerError::Missing`].
    pub fn from_file(text: &str, folder: &Path) -> Result<Self, HandlerError> {
        let (path, runtime, function) =
            split_file(text).ok_or_else(|| HandlerError::NoHandlerFile(text.into()))?;
        // The file's own folder becomes the folder of the code, as if it had been uploaded with
        // what lies beside it.
        let path = absolute(&folder.join(path));
        let (code, file) = match (path.parent(), path.file_name()) {
            (Some(code), Some(file)) => (code.to_path_buf(), PathBuf::from(file)),
            _ => return Err(HandlerError::NoHandlerFile(text.into())),
        };
        let function = function
            .unwrap_or_else(|| runtime.default_function())
            .to_owned();
        let handler = Self {
            runtime,
            code,
            file,
            function,
            environment: LambdaEnvironment::default(),
        };
        // A missing file is found here, before any client connects.
        handler.find_file()?;
        Ok(handler)
    }

    /// The handler of AWS's name, such as `handler.lambda_handler` or `src/index.handler`, in the
    /// folder `code`. Without a runtime, it is that of the file which is there.
    ///
    /// # Errors
    /// [`HandlerError::Missing`] without the folder, [`HandlerError::NoModule`] without the file,
    /// [`HandlerError::Ambiguous`] if the runtime has to be named.
    pub fn named(
        name: &str,
        runtime: Option<LambdaRuntime>,
        code: &Path,
    ) -> Result<Self, HandlerError> {
        let code = absolute(code);
        if !code.is_dir() {
            return Err(LambdaMissing::Folder(code).into());
        }
        // Without a runtime both are tried: `handler.fn` may mean handler.py or handler.js.
        let runtimes = runtime.map_or_else(
            || vec![LambdaRuntime::Python, LambdaRuntime::Node],
            |it| vec![it],
        );
        let mut found = Vec::new();
        let mut missing = Vec::new();
        for runtime in runtimes {
            // Each runtime splits the name by its own rule and looks for its own file names.
            let (module, function) = runtime.split(name);
            let files = runtime.files(&module);
            match files.iter().find(|file| code.join(file).is_file()) {
                Some(file) => found.push((runtime, file.clone(), function)),
                None => missing.extend(files),
            }
        }
        // Exactly one runtime may have a file; to choose between two would be a guess.
        let mut found = found.into_iter();
        match (found.next(), found.next()) {
            (Some((runtime, file, function)), None) => Ok(Self {
                runtime,
                code,
                file,
                function,
                environment: LambdaEnvironment::default(),
            }),
            (Some((_, file, _)), Some(_)) => {
                let name = file.with_extension("").to_string_lossy().into_owned();
                Err(HandlerError::Ambiguous { name, folder: code })
            }
            (None, _) => Err(HandlerError::NoModule {
                files: missing,
                folder: code,
            }),
        }
    }

    /// Checks that the file and the interpreter exist.
    ///
    /// # Errors
    /// [`LambdaMissing`] with the folder, file or program that is missing.
    pub(super) fn find(&self) -> Result<(), LambdaMissing> {
        self.find_file()?;
        lookup::program(
            Path::new(self.runtime.interpreter()),
            Some(&self.code),
            &self.environment,
        )
    }

    fn find_file(&self) -> Result<(), LambdaMissing> {
        if !self.code.is_dir() {
            return Err(LambdaMissing::Folder(self.code.clone()));
        }
        if !self.code.join(&self.file).is_file() {
            return Err(LambdaMissing::File {
                name: self.file.clone(),
                folder: self.code.clone(),
            });
        }
        Ok(())
    }
}

/// File, runtime and function of `FILE[:FUNCTION]`.
fn split_file(text: &str) -> Option<(&str, LambdaRuntime, Option<&str>)> {
    // The extension alone decides, so that a program such as `./auth` is never taken for a handler.
    let runtime = |path: &str| match Path::new(path).extension()?.to_str()? {
        "py" => Some(LambdaRuntime::Python),
        "js" | "mjs" | "cjs" => Some(LambdaRuntime::Node),
        _ => None,
    };
    if let Some(runtime) = runtime(text) {
        return Some((text, runtime, None));
    }
    // The last colon separates the function: on Windows an earlier one follows the drive.
    let (path, function) = text.rsplit_once(':')?;
    let is_name = !function.is_empty() && !function.contains(['/', '\\', ' ']);
    Some((path, runtime(path)?, Some(function))).filter(|_| is_name)
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        dir
    }

    #[test]
    fn a_python_or_javascript_file_is_a_handler_and_other_words_are_commands() {
        // Files with and without a function; a function may be a path of exported objects.
        for text in [
            "handler.py",
            "a/b.mjs",
            "x.cjs:fn",
            "index.js:auth.handler",
            "./run.py",
        ] {
            assert!(Handler::is_file_name(text), "{text}");
        }
        for text in [
            "python3",
            "run.sh",
            "handler.py:",
            "./auth",
            "a.py:b/c",
            "py",
            "handler.lambda_handler",
        ] {
            assert!(!Handler::is_file_name(text), "{text}");
        }
    }

    #[test]
    fn a_file_names_its_runtime_its_folder_and_its_function() {
        // The folder of the code is that of the file, not the one the name is relative to.
        let dir = folder(&["auth/handler.py", "auth/index.mjs"]);
        let of = |text: &str| Handler::from_file(text, dir.path());
        let python = of("auth/handler.py").unwrap();
        assert_eq!(
            (python.runtime, python.function.as_str()),
            (LambdaRuntime::Python, "lambda_handler")
        );
        assert_eq!(
            (python.code.as_path(), python.file.as_path()),
            (dir.path().join("auth").as_path(), Path::new("handler.py"))
        );
        let node = of("auth/index.mjs:check").unwrap();
        assert_eq!(
            (node.runtime, node.function.as_str()),
            (LambdaRuntime::Node, "check")
        );
        // Without a function, each runtime has AWS's default.
        assert_eq!(of("auth/index.mjs").unwrap().function, "handler");
        let missing = of("auth/other.py").unwrap_err().to_string();
        assert_eq!(
            missing,
            format!(
                "there is no file other.py in {}",
                dir.path().join("auth").display()
            )
        );
    }

    #[test]
    fn a_name_of_aws_is_split_as_its_runtime_does() {
        let dir = folder(&[
            "handler.py",
            "pkg/mod/__init__.py",
            "src/index.cjs",
            "both.py",
            "both.js",
        ]);
        let of = |name: &str, runtime| Handler::named(name, runtime, dir.path());
        // Name, file, function, and the module as Python imports it. Python splits at the last dot,
        // Node at the first one after the last slash.
        let cases = [
            (
                "handler.lambda_handler",
                "handler.py",
                "lambda_handler",
                "handler",
            ),
            ("handler", "handler.py", "lambda_handler", "handler"),
            ("pkg.mod.check", "pkg/mod/__init__.py", "check", "pkg.mod"),
            (
                "src/index.auth.check",
                "src/index.cjs",
                "auth.check",
                "src.index",
            ),
        ];
        for (name, file, function, module) in cases {
            let handler = of(name, None).unwrap();
            assert_eq!(
                (handler.file.as_path(), handler.function.as_str()),
                (Path::new(file), function),
                "{name}"
            );
            assert_eq!(handler.module(), module);
        }
        // both.py and both.js: only a runtime decides.
        assert!(matches!(
            of("both.handler", None),
            Err(HandlerError::Ambiguous { .. })
        ));
        assert_eq!(
            of("both.handler", Some(LambdaRuntime::Node)).unwrap().file,
            Path::new("both.js")
        );
        assert_eq!(
            of("none.fn", Some(LambdaRuntime::Node))
                .unwrap_err()
                .to_string(),
            format!(
                "there is no none.js or none.mjs or none.cjs in {}",
                dir.path().display()
            )
        );
    }
}
