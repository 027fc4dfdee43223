//! One `[[certificate]]` of a config file: policies of client certificates.

use std::fs;

use serde::Deserialize;
use toml::Spanned;

use crate::certificates::{CertificatePolicy, ClientCertificates};
use crate::config::error::{ConfigError, ConfigProblem, Source};
use crate::config::thing::{RawThing, things};
use crate::policy::PolicyDocument;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCertificate {
    /// Name of the thing; `*`, the default, means every one.
    thing: Option<String>,
    /// Each is the JSON of a document, or the file that holds it.
    policies: Vec<Spanned<String>>,
}

/// Settings of client certificates; `None` if no key asks for them. `[[certificate]]`, `[[thing]]`
/// and `custom_auth_x509` do.
///
/// # Errors
/// [`ConfigError::Invalid`] for a file that can't be read, or for a policy or a thing that isn't valid.
pub(super) fn certificates(
    is_asked: bool,
    with_authorizer: bool,
    raw: Vec<RawCertificate>,
    raw_things: Vec<RawThing>,
    source: &Source<'_>,
) -> Result<Option<ClientCertificates>, ConfigError> {
    if !is_asked && !with_authorizer && raw.is_empty() && raw_things.is_empty() {
        return Ok(None);
    }
    let policies = raw.into_iter().map(|certificate| {
        let documents = certificate.policies.iter();
        let documents = documents.map(|document| parsed(document, source));
        Ok(CertificatePolicy {
            thing: certificate.thing.unwrap_or_else(|| "*".into()),
            documents: documents.collect::<Result<_, _>>()?,
        })
    });
    Ok(Some(ClientCertificates {
        policies: policies.collect::<Result<_, _>>()?,
        with_authorizer,
        things: things(raw_things, source)?,
    }))
}

fn parsed(document: &Spanned<String>, source: &Source<'_>) -> Result<PolicyDocument, ConfigError> {
    let refused = |problem| source.error("policies", document, problem);
    let text = document.get_ref();
    // JSON begins with a brace, and paths don't.
    let read = if text.trim_start().starts_with('{') {
        text.clone()
    } else {
        let path = source.resolve(text);
        fs::read_to_string(&path).map_err(|error| {
            refused(ConfigProblem::File {
                path,
                source: error,
            })
        })?
    };
    PolicyDocument::parse(&read).map_err(|error| refused(ConfigProblem::Policy(Box::new(error))))
}
