//! One `[[authorizer]]` of a config file.

use std::fs;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;
use toml::Spanned;

use crate::authorizer::{Answer, Authorizer, Lambda, LambdaLimits, Program, PublicKey, Signing};
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
enum RawLambda {
    /// The answer itself, or the file that holds it.
    Static(Value),
    /// The program and its arguments.
    Exec(Vec<String>),
    Url(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LambdaKeys {
    r#static: Option<Value>,
    exec: Option<Vec<String>>,
    url: Option<String>,
}

impl TryFrom<LambdaKeys> for RawLambda {
    type Error = &'static str;

    fn try_from(keys: LambdaKeys) -> Result<Self, Self::Error> {
        match (keys.r#static, keys.exec, keys.url) {
            (Some(answer), None, None) => Ok(Self::Static(answer)),
            (None, Some(words), None) => Ok(Self::Exec(words)),
            (None, None, Some(url)) => Ok(Self::Url(url)),
            _ => Err("a Lambda is exactly one of static, exec and url"),
        }
    }
}

impl RawAuthorizer {
    pub(super) fn checked(self, source: &Source<'_>) -> Result<Authorizer, ConfigError> {
        let of_name = |c: char| c.is_ascii_alphanumeric() || "_=,@-".contains(c);
        check_name("name", &self.name, of_name, "the characters A-Z a-z 0-9 _ = , @ -", source)?;
        Ok(Authorizer {
            active: self.status == Status::Active,
            signing: self.signing(source)?,
            lambda: lambda(&self.lambda, source)?,
            limits: LambdaLimits::default(),
            name: self.name.into_inner(),
        })
    }

    fn signing(&self, source: &Source<'_>) -> Result<Signing, ConfigError> {
        if let Some(name) = &self.token_key_name {
            let of_name = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
            check_name("token_key_name", name, of_name, "the characters A-Z a-z 0-9 _ -", source)?;
        }
        let token_key_name = self.token_key_name.as_ref().map(|name| name.get_ref().clone());
        let mut keys = self.public_key.iter().chain(&self.public_keys).peekable();
        match (self.signing, keys.peek()) {
            (Some(false), Some(key)) => {
                Err(source.error("public_key", key, ConfigProblem::KeyWithoutSigning))
            }
            (Some(false) | None, None) => Ok(Signing::Disabled { token_key_name }),
            (Some(true), None) if token_key_name.is_some() => {
                Err(source.error("public_key", &self.name, ConfigProblem::NoPublicKey))
            }
            (Some(true) | None, _) => {
                let token_key_name = token_key_name.ok_or_else(|| {
                    source.error("token_key_name", &self.name, ConfigProblem::NoTokenKeyName)
                })?;
                let public_keys = keys.map(|key| public_key(key, source)).collect::<Result<_, _>>()?;
                Ok(Signing::Required { token_key_name, public_keys })
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
    if is_valid { Ok(()) } else { Err(source.error(key, name, ConfigProblem::Name(allowed))) }
}

/// The PEM itself, or the file that holds it.
fn public_key(key: &Spanned<String>, source: &Source<'_>) -> Result<PublicKey, ConfigError> {
    let text = key.get_ref();
    let error = |problem| source.error("public_key", key, problem);
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
    match raw.get_ref() {
        RawLambda::Static(answer) => static_answer(answer, source).map(Lambda::Static).map_err(error),
        RawLambda::Exec(words) => match words.split_first() {
            Some((program, arguments)) => Ok(Lambda::Exec(Program {
                program: executable(program, source),
                arguments: arguments.iter().map(Into::into).collect(),
                folder: Some(source.folder()),
            })),
            None => Err(error(ConfigProblem::NoProgram)),
        },
        RawLambda::Url(url) => url.parse().map(Lambda::Url).map_err(|fault| error(ConfigProblem::Url(fault))),
    }
}

/// A path is one from the file's folder; a bare name is looked for in `PATH`.
fn executable(program: &str, source: &Source<'_>) -> PathBuf {
    if program.contains(std::path::is_separator) { source.resolve(program) } else { program.into() }
}

/// It is judged now: an answer that AWS IoT would refuse would refuse every connection.
fn static_answer(answer: &Value, source: &Source<'_>) -> Result<Answer, ConfigProblem> {
    let value = match answer {
        Value::String(file) => {
            let path = source.resolve(file);
            match fs::read(&path) {
                Ok(json) => {
                    serde_json::from_slice(&json).map_err(|error| ConfigProblem::NotJson { path, error })?
                }
                Err(source) => return Err(ConfigProblem::File { path, source }),
            }
        }
        inline => inline.clone(),
    };
    let answer = Answer::from_value(value).map_err(ConfigProblem::Answer)?;
    answer.check().map_err(ConfigProblem::Answer)?;
    Ok(answer)
}
