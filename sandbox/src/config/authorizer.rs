//! One `[[authorizer]]` of a config file.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use toml::Spanned;

use crate::authorizer::{
    Answer, Authorizer, Handler, HandlerError, Lambda, LambdaEnvironment, LambdaLimits,
    LambdaRuntime, Program, PublicKey, Signing,
};
use crate::config::error::{ConfigError, ConfigProblem, Source};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAuthorizer {
    pub(super) name: Spanned<String>,
    #[serde(default)]
    status: Status,
    /// On where public keys are given.
    signing: Option<bool>,
    token_key_name: Option<Spanned<String>>,
    public_key: Option<Spanned<String>>,
    #[serde(default)]
    public_keys: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) default: bool,
    lambda: Spanned<RawLambda>,
}

#[derive(Deserialize, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Status {
    #[default]
    Active,
    Inactive,
}

#[derive(Deserialize)]
#[serde(try_from = "LambdaKeys")]
struct RawLambda {
    kind: LambdaKind,
    environment: LambdaEnvironment,
    limits: LambdaLimits,
}

enum LambdaKind {
    /// The answer itself, or the file that holds it.
    Static(Value),
    /// The program and its arguments.
    Exec(Vec<String>),
    Url(String),
    Handler {
        /// The file or the name of AWS; `None` means the runtime's default.
        name: Option<String>,
        runtime: Option<LambdaRuntime>,
        /// The folder; `None` means that of the config file.
        code: Option<String>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LambdaKeys {
    r#static: Option<Value>,
    exec: Option<Vec<String>>,
    url: Option<String>,
    handler: Option<String>,
    runtime: Option<String>,
    code: Option<String>,
    env: Option<Vec<String>>,
    timeout: Option<RawTimeout>,
    concurrency: Option<usize>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawTimeout {
    Seconds(u64),
    Text(String),
}

impl TryFrom<LambdaKeys> for RawLambda {
    type Error = String;

    fn try_from(keys: LambdaKeys) -> Result<Self, Self::Error> {
        // The kind follows from the keys that are present. `runtime` and `code` belong to a
        // handler, and may stand without `handler`: each runtime has a default name.
        let is_handler = keys.handler.is_some() || keys.runtime.is_some() || keys.code.is_some();
        let kind = match (keys.r#static, keys.exec, keys.url, is_handler) {
            (Some(answer), None, None, false) => LambdaKind::Static(answer),
            (None, Some(words), None, false) => LambdaKind::Exec(words),
            (None, None, Some(url), false) => LambdaKind::Url(url),
            (None, None, None, true) => {
                let runtime = keys.runtime.map(|name| name.parse()).transpose();
                let runtime = runtime.map_err(|error: HandlerError| error.to_string())?;
                LambdaKind::Handler {
                    name: keys.handler,
                    runtime,
                    code: keys.code,
                }
            }
            _ => return Err("a Lambda is exactly one of static, exec, handler and url".into()),
        };
        // Keys that the kind has no use for are refused: ignored, they would look as if they
        // worked.
        let is_call = !matches!(kind, LambdaKind::Static(_));
        if !is_call && (keys.timeout.is_some() || keys.concurrency.is_some()) {
            return Err("timeout and concurrency are for exec, handler and url".into());
        }
        if keys.env.is_some() && !matches!(kind, LambdaKind::Exec(_) | LambdaKind::Handler { .. }) {
            return Err("env is for exec and handler".into());
        }
        // Errors are text from here on, because serde passes a text on together with the position
        // of the table.
        let mut environment = LambdaEnvironment::default();
        for variable in keys.env.into_iter().flatten() {
            environment
                .add(&variable)
                .map_err(|error| format!("env {variable:?}: {error}"))?;
        }
        // A limit that is missing keeps AWS's value.
        let mut limits = LambdaLimits::default();
        if let Some(raw) = keys.timeout {
            limits.timeout = raw.checked()?;
        }
        if let Some(concurrency) = keys.concurrency {
            if !(1..=LambdaLimits::MAX_CONCURRENCY).contains(&concurrency) {
                return Err(format!(
                    "concurrency must be 1 to {}",
                    LambdaLimits::MAX_CONCURRENCY
                ));
            }
            limits.concurrency = concurrency;
        }
        Ok(Self {
            kind,
            environment,
            limits,
        })
    }
}

impl RawTimeout {
    fn checked(self) -> Result<Duration, String> {
        let time = match self {
            // A bare number is seconds, as in the settings of AWS Lambda.
            Self::Seconds(seconds) => Some(Duration::from_secs(seconds)),
            Self::Text(text) => humantime::parse_duration(&text).ok(),
        };
        let time = time.filter(|time| LambdaLimits::TIMEOUTS.contains(time));
        time.ok_or_else(|| "timeout must be 100ms to 1h, such as \"30s\"".into())
    }
}

impl RawAuthorizer {
    pub(super) fn checked(self, source: &Source<'_>) -> Result<Authorizer, ConfigError> {
        // authorizerName of CreateAuthorizer: `[\w=,@-]+`, 1 to 128 characters.
        let of_name = |c: char| c.is_ascii_alphanumeric() || "_=,@-".contains(c);
        check_name(
            "name",
            &self.name,
            of_name,
            "the characters A-Z a-z 0-9 _ = , @ -",
            source,
        )?;
        Ok(Authorizer {
            active: self.status == Status::Active,
            signing: self.signing(source)?,
            lambda: lambda(&self.lambda, source)?,
            limits: self.lambda.get_ref().limits,
            name: self.name.into_inner(),
        })
    }

    fn signing(&self, source: &Source<'_>) -> Result<Signing, ConfigError> {
        if let Some(name) = &self.token_key_name {
            // tokenKeyName of CreateAuthorizer: `[a-zA-Z0-9_-]+`, 1 to 128 characters.
            let of_name = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
            check_name(
                "token_key_name",
                name,
                of_name,
                "the characters A-Z a-z 0-9 _ -",
                source,
            )?;
        }
        let token_key_name = self
            .token_key_name
            .as_ref()
            .map(|name| name.get_ref().clone());
        // `public_key` and `public_keys` may stand together: AWS takes a map of keys, and each
        // verifies.
        let mut keys = self.public_key.iter().chain(&self.public_keys).peekable();
        match (self.signing, keys.peek()) {
            // A key beside `signing = false` is most likely a mistake: nobody would check the
            // signatures.
            (Some(false), Some(key)) => {
                Err(source.error("public_key", key, ConfigProblem::KeyWithoutSigning))
            }
            // Without signing a token may still be passed to the Lambda, unverified.
            (Some(false) | None, None) => Ok(Signing::Disabled { token_key_name }),
            // Only the keys are missing. If the name is missing, too, the next arm asks for it.
            (Some(true), None) if token_key_name.is_some() => {
                Err(source.error("public_key", &self.name, ConfigProblem::NoPublicKey))
            }
            // Keys alone switch signing on. A token without a name couldn't be found in the user
            // name.
            (Some(true) | None, _) => {
                let token_key_name = token_key_name.ok_or_else(|| {
                    source.error("token_key_name", &self.name, ConfigProblem::NoTokenKeyName)
                })?;
                let public_keys = keys
                    .map(|key| public_key(key, source))
                    .collect::<Result<_, _>>()?;
                Ok(Signing::Required {
                    token_key_name,
                    public_keys,
                })
            }
        }
    }
}

fn check_name(
    key: &str,
    name: &Spanned<String>,
    is_allowed: impl Fn(char) -> bool,
    allowed: &'static str,
    source: &Source<'_>,
) -> Result<(), ConfigError> {
    let text = name.get_ref();
    let is_valid = (1..=128).contains(&text.len()) && text.chars().all(is_allowed);
    if is_valid {
        Ok(())
    } else {
        Err(source.error(key, name, ConfigProblem::Name(allowed)))
    }
}

/// The PEM itself, or the file that holds it.
fn public_key(key: &Spanned<String>, source: &Source<'_>) -> Result<PublicKey, ConfigError> {
    let text = key.get_ref();
    let error = |problem| source.error("public_key", key, problem);
    // No path contains this text, so the same key takes a PEM and a file.
    let pem = if text.contains("-----BEGIN") {
        text.clone()
    } else {
        let path = source.resolve(text);
        fs::read_to_string(&path).map_err(|source| error(ConfigProblem::File { path, source }))?
    };
    PublicKey::from_pem(&pem).map_err(|fault| error(ConfigProblem::PublicKey(fault)))
}

fn lambda(raw: &Spanned<RawLambda>, source: &Source<'_>) -> Result<Lambda, ConfigError> {
    let error = |problem| source.error("lambda", raw, problem);
    let RawLambda {
        kind, environment, ..
    } = raw.get_ref();
    match kind {
        // Everything that can be found out now is, so that a mistake fails the start and not every
        // CONNECT.
        LambdaKind::Static(answer) => static_answer(answer, source)
            .map(Lambda::Static)
            .map_err(error),
        LambdaKind::Exec(words) => match words.split_first() {
            // A program runs in the folder of the config file, where its script and data lie.
            Some((program, arguments)) => Ok(Lambda::Exec(Program {
                program: executable(program, source),
                arguments: arguments.iter().map(Into::into).collect(),
                folder: Some(source.folder()),
                environment: environment.clone(),
            })),
            None => Err(error(ConfigProblem::NoProgram)),
        },
        LambdaKind::Handler {
            name,
            runtime,
            code,
        } => {
            // The code is by default beside the config file, too.
            let code = code
                .as_ref()
                .map_or_else(|| source.folder(), |code| source.resolve(code));
            let handler = handler(name.as_deref(), *runtime, &code);
            let handler = handler.map_err(|fault| error(ConfigProblem::Handler(fault)))?;
            Ok(Lambda::Handler(Handler {
                environment: environment.clone(),
                ..handler
            }))
        }
        LambdaKind::Url(url) => url
            .parse()
            .map(Lambda::Url)
            .map_err(|fault| error(ConfigProblem::Url(fault))),
    }
}

/// A file as `--lambda` takes it, or a name as AWS does.
fn handler(
    name: Option<&str>,
    runtime: Option<LambdaRuntime>,
    code: &Path,
) -> Result<Handler, HandlerError> {
    match (name, runtime) {
        (Some(name), None) if Handler::is_file_name(name) => Handler::from_file(name, code),
        (Some(name), runtime) => Handler::named(name, runtime, code),
        (None, Some(runtime)) => Handler::named(runtime.default_handler(), Some(runtime), code),
        (None, None) => Err(HandlerError::NoRuntime),
    }
}

/// A path is one from the file's folder; a bare name is looked for in `PATH`.
fn executable(program: &str, source: &Source<'_>) -> PathBuf {
    if program.contains(std::path::is_separator) {
        source.resolve(program)
    } else {
        program.into()
    }
}

/// Reads a fixed answer and checks it now: an answer that AWS IoT would refuse would refuse every connection.
fn static_answer(answer: &Value, source: &Source<'_>) -> Result<Answer, ConfigProblem> {
    let value = match answer {
        Value::String(file) => {
            let path = source.resolve(file);
            match fs::read(&path) {
                Ok(json) => serde_json::from_slice(&json)
                    .map_err(|error| ConfigProblem::NotJson { path, error })?,
                Err(source) => return Err(ConfigProblem::File { path, source }),
            }
        }
        // An inline table; TOML and JSON have the same types here.
        inline => inline.clone(),
    };
    // Fields and types first, then ranges and policies. An answer that denies is valid.
    let answer = Answer::from_value(value).map_err(ConfigProblem::Answer)?;
    answer.check().map_err(ConfigProblem::Answer)?;
    Ok(answer)
}
