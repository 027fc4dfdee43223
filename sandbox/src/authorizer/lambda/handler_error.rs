//! Errors of a handler's name, file or folder.

use core::fmt;
use std::path::PathBuf;

use dunlin_codec::Escaped;

use crate::authorizer::lambda::lookup::LambdaMissing;

/// Reason why there is no such handler.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandlerError {
    /// The file or folder of the handler is missing.
    #[error(transparent)]
    Missing(#[from] LambdaMissing),
    /// No runtime is named, and there are files for both.
    #[error("there is a {}.py and a file for Node in {}: name the runtime, python or node", Escaped(name), Escaped(folder.display()))]
    Ambiguous {
        /// The name of the module.
        name: String,
        /// The folder of the code.
        folder: PathBuf,
    },
    /// No module of that name.
    #[error("there is no {} in {}", Files(files), Escaped(folder.display()))]
    NoModule {
        /// The files that were looked for.
        files: Vec<PathBuf>,
        /// The folder of the code.
        folder: PathBuf,
    },
    /// Neither a handler nor a runtime.
    #[error("name the handler, such as \"handler.lambda_handler\", or the runtime, python or node")]
    NoRuntime,
    /// A runtime that isn't known.
    #[error("the runtime {0:?} isn't known: write python or node")]
    Runtime(String),
    /// A file whose name ends in another way than .py, .mjs, .cjs or .js.
    #[error("{0:?} is no handler: its file must end in .py, .mjs, .cjs or .js")]
    NoHandlerFile(String),
}

struct Files<'a>(&'a [PathBuf]);

impl fmt::Display for Files<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, file) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { " or " };
            write!(f, "{separator}{}", Escaped(file.display()))?;
        }
        Ok(())
    }
}
