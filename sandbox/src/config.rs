//! The config file of a sandbox: TOML, checked line by line and turned into [`SandboxOptions`].
//!
//! Relative paths in it are taken from the folder that it lies in.

mod authorizer;
mod certificate;
mod error;
mod thing;

use std::fs;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

pub use error::{ConfigError, ConfigProblem};

use crate::access_key::AccessKey;
use crate::authorizer::Authorizer;
use crate::config::authorizer::RawAuthorizer;
use crate::config::certificate::{RawCertificate, certificates};
use crate::config::error::Source;
use crate::config::thing::RawThing;
use crate::denial::Denials;
use crate::fault::Fault;
use crate::options::SandboxOptions;
use crate::overflow::WhenQueueFull;
use crate::policy::ArnScope;
use crate::profile::Profile;
use crate::qos2::SubscribeQoS2;
use crate::websocket_refusal::WebSocketRefusal;

impl SandboxOptions {
    /// Reads a config file. Keys that it leaves out have their defaults.
    ///
    /// # Errors
    /// [`ConfigError::Read`] if the file can't be read, [`ConfigError::Invalid`] with line and key
    /// if something in it isn't right.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let text = fs::read_to_string(path);
        let text = text.map_err(|source| ConfigError::Read {
            path: path.into(),
            source,
        })?;
        Self::from_toml(&text, path)
    }

    /// Reads the text of a config file that lies (or would lie) at `path`.
    ///
    /// ```
    /// use std::path::Path;
    ///
    /// use dunlin_sandbox::SandboxOptions;
    ///
    /// let text = r#"
    ///     [[authorizer]]
    ///     name = "Lamps"
    ///     default = true
    ///     lambda = { exec = ["python3", "lamps.py"] }
    /// "#;
    /// let options = SandboxOptions::from_toml(text, Path::new("sandbox.toml"))?;
    /// assert_eq!(options.authorizers[0].name, "Lamps");
    /// assert_eq!(options.port, 8883);
    ///
    /// let typo = SandboxOptions::from_toml("prot = 8883", Path::new("sandbox.toml")).unwrap_err();
    /// assert!(typo.to_string().starts_with("sandbox.toml:1: unknown field `prot`"));
    /// # Ok::<(), dunlin_sandbox::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with line and key if something in it isn't right.
    pub fn from_toml(text: &str, path: &Path) -> Result<Self, ConfigError> {
        // First the grammar and the types, which the TOML library judges, then the values. Both
        // report the first error only.
        let source = Source::new(text, path);
        let raw: RawConfig = toml::from_str(text).map_err(|error| source.syntax(&error))?;
        raw.checked(&source)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    port: Option<u16>,
    plain: Option<u16>,
    ws: Option<u16>,
    #[serde(default)]
    wss: RawWss,
    http: Option<u16>,
    https: Option<u16>,
    #[serde(default)]
    all: bool,
    #[serde(default)]
    key: Vec<RawKey>,
    #[serde(default)]
    client_certificates: bool,
    #[serde(default)]
    custom_auth_x509: bool,
    #[serde(default)]
    certificate: Vec<RawCertificate>,
    #[serde(default)]
    thing: Vec<RawThing>,
    #[serde(default)]
    anonymous: bool,
    #[serde(default)]
    profile: Profile,
    time_scale: Option<Spanned<u32>>,
    max_connections: Option<Spanned<u32>>,
    when_queue_full: Option<WhenQueueFull>,
    #[serde(default)]
    strict_sni: bool,
    #[serde(default)]
    subscribe_qos2: SubscribeQoS2,
    demo: Option<bool>,
    strict_arns: Option<Spanned<String>>,
    #[serde(default)]
    deny: Denials,
    #[serde(default)]
    faults: Vec<Spanned<String>>,
    #[serde(default)]
    authorizer: Vec<RawAuthorizer>,
}

/// Keys of MQTT over WebSocket and TLS.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWss {
    port: Option<u16>,
    /// Also for WebSocket without TLS.
    #[serde(default)]
    refusal: WebSocketRefusal,
}

/// Access key of SigV4.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKey {
    id: String,
    secret: String,
}

fn access_keys(raw: Vec<RawKey>) -> Vec<AccessKey> {
    let keys = raw.into_iter();
    keys.map(|RawKey { id, secret }| AccessKey { id, secret })
        .collect()
}

impl RawConfig {
    /// Checks the values that have a form of their own, and takes the defaults of the others.
    fn checked(self, source: &Source<'_>) -> Result<SandboxOptions, ConfigError> {
        let default = SandboxOptions::default();
        // Values with a grammar of their own are plain text in TOML and parsed here: so the error
        // has the key even if the value is on a line of its own, as in a list.
        let strict_arns = self.strict_arns.as_ref().map(|scope| {
            let parsed: Result<ArnScope, _> = scope.get_ref().parse();
            parsed.map_err(|error| source.error("strict_arns", scope, ConfigProblem::Scope(error)))
        });
        let faults = self.faults.iter().map(|fault| {
            let parsed: Result<Fault, _> = fault.get_ref().parse();
            parsed.map_err(|error| source.error("faults", fault, ConfigProblem::Fault(error)))
        });
        let time_scale = self.time_scale.map(|scale| match *scale.get_ref() {
            // The factor divides times. At 1,000 the shortest time of MQTT, one second, is one
            // millisecond, the resolution of the timers.
            factor @ 1..=1000 => Ok(factor),
            _ => Err(source.error("time_scale", &scale, ConfigProblem::TimeScale)),
        });
        let max_connections = self.max_connections.map(|count| match *count.get_ref() {
            // Each connection needs a file descriptor: few systems allow a million of them.
            fit @ 1..=1_000_000 => Ok(fit as usize),
            _ => Err(source.error("max_connections", &count, ConfigProblem::MaxConnections)),
        });
        // Before `authorizers`, which consumes the list.
        let default_authorizer = the_default(&self.authorizer, source)?;
        Ok(SandboxOptions {
            // A key that is missing has the default of the library, so the two can't differ.
            port: self.port.unwrap_or(default.port),
            plain_port: self.plain,
            ws_port: self.ws,
            http_port: self.http,
            https_port: self.https,
            access_keys: access_keys(self.key),
            all_on_one_port: self.all,
            client_certificates: certificates(
                self.client_certificates || self.all,
                self.custom_auth_x509,
                self.certificate,
                self.thing,
                source,
            )?,
            wss_port: self.wss.port,
            websocket_refusal: self.wss.refusal,
            anonymous: self.anonymous,
            profile: self.profile,
            faults: faults.collect::<Result<_, _>>()?,
            time_scale: time_scale.transpose()?.unwrap_or(default.time_scale),
            max_connections: max_connections
                .transpose()?
                .unwrap_or(default.max_connections),
            when_queue_full: self.when_queue_full,
            strict_sni: self.strict_sni,
            subscribe_qos2: self.subscribe_qos2,
            demo: self.demo.unwrap_or(default.demo),
            strict_arns: strict_arns.transpose()?,
            denials: self.deny,
            authorizers: authorizers(self.authorizer, source)?,
            default_authorizer,
            ..default
        })
    }
}

fn the_default(
    authorizers: &[RawAuthorizer],
    source: &Source<'_>,
) -> Result<Option<String>, ConfigError> {
    // The second default is reported where it stands, with the name of the first.
    let mut defaults = authorizers.iter().filter(|authorizer| authorizer.default);
    let first = defaults
        .next()
        .map(|authorizer| authorizer.name.get_ref().clone());
    match (first, defaults.next()) {
        (Some(first), Some(second)) => {
            Err(source.error("default", &second.name, ConfigProblem::SecondDefault(first)))
        }
        (first, _) => Ok(first),
    }
}

fn authorizers(
    raw: Vec<RawAuthorizer>,
    source: &Source<'_>,
) -> Result<Vec<Authorizer>, ConfigError> {
    let mut authorizers: Vec<Authorizer> = Vec::with_capacity(raw.len());
    for authorizer in raw {
        // AWS identifies authorizers by name: a duplicate could never be called.
        if authorizers
            .iter()
            .any(|earlier| earlier.name == *authorizer.name.get_ref())
        {
            return Err(source.error("name", &authorizer.name, ConfigProblem::DuplicateName));
        }
        authorizers.push(authorizer.checked(source)?);
    }
    Ok(authorizers)
}

#[cfg(test)]
mod tests;
