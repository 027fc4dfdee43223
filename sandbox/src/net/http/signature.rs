//! AWS Signature Version 4 in the header `Authorization` or in the query, checked as the service does it.
//!
//! The names are those of AWS's document "Create a signed AWS API request".

mod canonical;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use aws_lc_rs::{digest, hmac};

use crate::access_key::AccessKey;
use crate::authorizer::RequestHead;
use crate::net::http::query::Query;
use crate::net::http::signature::canonical::{
    canonical_query, encoded, single_spaced, without_dot_segments,
};

/// Request whose signature is checked.
pub(super) struct SignedRequest<'a> {
    pub(super) method: &'a str,
    /// Path as it was sent, percent-encoding and all.
    pub(super) path: &'a str,
    pub(super) head: &'a RequestHead,
    pub(super) body: &'a [u8],
}

/// Reason to refuse a signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum SignatureError {
    #[error("the header Authorization isn't in the form of AWS4-HMAC-SHA256")]
    Form,
    #[error(
        "the query isn't signed in the form of AWS4-HMAC-SHA256: X-Amz-Algorithm, X-Amz-Credential, X-Amz-Date, \
         X-Amz-SignedHeaders and X-Amz-Signature are needed"
    )]
    QueryForm,
    #[error(
        "the credential scope is for the service {0:?}; iotdata and iotdevicegateway are taken"
    )]
    Service(String),
    #[error("the request has no X-Amz-Date in the form 20261130T101500Z")]
    NoDate,
    #[error(
        "X-Amz-Date is more than 15 minutes away from the time here, or from the credential scope"
    )]
    WrongDate,
    #[error("X-Amz-Date and X-Amz-Expires say that the signature has expired")]
    Expired,
    #[error("X-Amz-Content-Sha256 isn't the hash of the body")]
    Body,
    #[error("the header {0:?} is signed, and the request doesn't have it")]
    MissingHeader(String),
    #[error("the header Host must be signed, and X-Amz-Date if it is a header")]
    UnsignedHeader,
    #[error("there is no access key {0:?} in the configuration ([[key]])")]
    UnknownKey(String),
    #[error("the signature isn't that of this request and the secret of the access key")]
    Mismatch,
}

/// Signature of a request, and its parameters.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Authorization {
    pub(super) key_id: String,
    date: String,
    region: String,
    service: String,
    signed_headers: String,
    signature: String,
    place: Place,
}

/// Place of the signature in the request.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// Header `Authorization`; the time of the signature is in the header `X-Amz-Date`.
    Header,
    /// Query, with the time and the seconds for which the signature holds (`None` for 15 minutes).
    Query { date: String, expires: Option<u64> },
}

impl Authorization {
    /// Reads the signature of a request; `None` if it isn't signed.
    ///
    /// # Errors
    /// [`SignatureError::Form`] or [`SignatureError::QueryForm`] if a part is missing,
    /// [`SignatureError::Service`] for another service.
    pub(super) fn of(head: &RequestHead) -> Option<Result<Self, SignatureError>> {
        let header = head.header("authorization");
        if let Some(header) = header.filter(|header| header.starts_with("AWS4-")) {
            return Some(Self::parse(header));
        }
        let query = Query::of(head);
        if !query.has("X-Amz-Algorithm") {
            return None;
        }
        let parsed = Self::query_parts(query).ok_or(SignatureError::QueryForm);
        Some(parsed.and_then(Self::for_this_service))
    }

    /// Reads the header `Authorization`.
    ///
    /// # Errors
    /// [`SignatureError::Form`] if a part is missing, [`SignatureError::Service`] for another service.
    fn parse(header: &str) -> Result<Self, SignatureError> {
        let parsed = Self::parts(header).ok_or(SignatureError::Form)?;
        parsed.for_this_service()
    }

    fn for_this_service(self) -> Result<Self, SignatureError> {
        match &*self.service {
            "iotdata" | "iotdevicegateway" => Ok(self),
            _ => Err(SignatureError::Service(self.service)),
        }
    }

    fn parts(header: &str) -> Option<Self> {
        let fields = header.strip_prefix(ALGORITHM)?.strip_prefix(' ')?;
        let field = |name: &str| {
            let mut fields = fields.split(',').map(str::trim);
            fields.find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
        };
        Self::scoped(
            field("Credential")?,
            field("SignedHeaders")?.into(),
            field("Signature")?.into(),
            Place::Header,
        )
    }

    fn query_parts(query: Query<'_>) -> Option<Self> {
        let text = |name| query.text(name).ok().flatten().map(Cow::into_owned);
        if text("X-Amz-Algorithm")? != ALGORITHM {
            return None;
        }
        let expires = text("X-Amz-Expires").map(|seconds| seconds.parse().ok());
        let place = Place::Query {
            date: text("X-Amz-Date")?,
            expires: match expires {
                Some(seconds) => Some(seconds?),
                None => None,
            },
        };
        Self::scoped(
            &text("X-Amz-Credential")?,
            text("X-Amz-SignedHeaders")?,
            text("X-Amz-Signature")?,
            place,
        )
    }

    fn scoped(
        credential: &str,
        signed_headers: String,
        signature: String,
        place: Place,
    ) -> Option<Self> {
        // Access key ids have no slash, so that the scope is what follows the first one.
        let mut scope = credential.split('/').map(str::to_owned);
        let parsed = Self {
            key_id: scope.next()?,
            date: scope.next()?,
            region: scope.next()?,
            service: scope.next()?,
            signed_headers,
            signature,
            place,
        };
        (scope.next().as_deref() == Some("aws4_request") && scope.next().is_none())
            .then_some(parsed)
    }

    /// Checks the signature with the keys of the configuration.
    ///
    /// # Errors
    /// The first [`SignatureError`] of dates, headers, body, key and signature.
    pub(super) fn verify(
        &self,
        request: &SignedRequest<'_>,
        keys: &[AccessKey],
        now: SystemTime,
    ) -> Result<(), SignatureError> {
        let date = match &self.place {
            Place::Header => request.head.header("x-amz-date"),
            Place::Query { date, .. } => Some(date.as_str()),
        };
        let date = date.ok_or(SignatureError::NoDate)?;
        self.check_date(date, now)?;
        let hash = payload_hash(request)?;
        let headers = self.canonical_headers(request.head)?;
        let key = keys.iter().find(|key| key.id == self.key_id);
        let key = key.ok_or_else(|| SignatureError::UnknownKey(self.key_id.clone()))?;

        let (scope, signing_key) = (self.scope(), self.signing_key(&key.secret));
        let signature = decoded_hex(&self.signature).ok_or(SignatureError::Mismatch)?;
        // The path is encoded twice for every service but S3, after its dot segments and empty ones
        // were removed; some clients encode it once, or remove nothing.
        let paths = [
            encoded(request.path, true).into(),
            Cow::Borrowed(request.path),
            encoded(&without_dot_segments(request.path), true).into(),
        ];
        let is_right = |path: &str, query: &str| {
            let canonical = [
                request.method,
                path,
                query,
                &headers,
                &self.signed_headers,
                &hash,
            ]
            .join("\n");
            let to_sign = [ALGORITHM, date, &scope, &sha256(canonical.as_bytes())];
            hmac::verify(&signing_key, to_sign.join("\n").as_bytes(), &signature).is_ok()
        };
        let queries = self.canonical_queries(request.head);
        if paths
            .iter()
            .any(|path| queries.iter().any(|query| is_right(path, query)))
        {
            Ok(())
        } else {
            Err(SignatureError::Mismatch)
        }
    }

    fn check_date(&self, date: &str, now: SystemTime) -> Result<(), SignatureError> {
        let time = parsed_date(date).ok_or(SignatureError::NoDate)?;
        let expires = match self.place {
            Place::Header => None,
            Place::Query { expires, .. } => expires.map(Duration::from_secs),
        };
        // A signature in the query holds for as long as it says, from its date on; any other for as
        // long as clocks may differ.
        let (age, is_early) = match now.duration_since(time) {
            Ok(age) => (age, false),
            Err(error) => (error.duration(), true),
        };
        match expires.filter(|_| !is_early) {
            Some(expires) if age > expires.min(MAX_EXPIRES) => return Err(SignatureError::Expired),
            None if age > MAX_SKEW => return Err(SignatureError::WrongDate),
            Some(_) | None => {}
        }
        if date.get(..8) == Some(&*self.date) {
            Ok(())
        } else {
            Err(SignatureError::WrongDate)
        }
    }

    /// Signed headers as lines `name:value`, each with a line feed.
    fn canonical_headers(&self, head: &RequestHead) -> Result<String, SignatureError> {
        let names: Vec<&str> = self.signed_headers.split(';').collect();
        let needed: &[&str] = match self.place {
            Place::Header => &["host", "x-amz-date"],
            Place::Query { .. } => &["host"],
        };
        if !needed.iter().all(|name| names.contains(name)) {
            return Err(SignatureError::UnsignedHeader);
        }
        let mut lines = String::new();
        for name in names {
            // The values of a header that was sent several times are signed as one, with commas.
            let values = head.headers.iter().filter(|(header, _)| header == name);
            let values: Vec<String> = values.map(|(_, value)| single_spaced(value)).collect();
            if values.is_empty() {
                return Err(SignatureError::MissingHeader(name.into()));
            }
            lines.push_str(&format!("{name}:{}\n", values.join(",")));
        }
        Ok(lines)
    }

    /// Canonical queries that the signature may be of: a signature in the query is no part of it, and
    /// the session token is one only for some clients, as AWS IoT Core has it appended after signing.
    fn canonical_queries(&self, head: &RequestHead) -> Vec<String> {
        let query = head.query.as_deref().unwrap_or_default();
        match self.place {
            Place::Header => vec![canonical_query(query, &[])],
            Place::Query { .. } => vec![
                canonical_query(query, &[SIGNATURE, SECURITY_TOKEN]),
                canonical_query(query, &[SIGNATURE]),
            ],
        }
    }

    fn scope(&self) -> String {
        let Self {
            date,
            region,
            service,
            ..
        } = self;
        format!("{date}/{region}/{service}/aws4_request")
    }

    fn signing_key(&self, secret: &str) -> hmac::Key {
        let steps = [&*self.date, &self.region, &self.service, "aws4_request"];
        let first = hmac::Key::new(hmac::HMAC_SHA256, format!("AWS4{secret}").as_bytes());
        steps.iter().fold(first, |key, step| {
            let tag = hmac::sign(&key, step.as_bytes());
            hmac::Key::new(hmac::HMAC_SHA256, tag.as_ref())
        })
    }
}

/// Hash of the body for the canonical request: that of the header, where it has one.
fn payload_hash(request: &SignedRequest<'_>) -> Result<String, SignatureError> {
    let hash = sha256(request.body);
    match request.head.header("x-amz-content-sha256") {
        Some("UNSIGNED-PAYLOAD") => Ok("UNSIGNED-PAYLOAD".into()),
        Some(sent) if !sent.eq_ignore_ascii_case(&hash) => Err(SignatureError::Body),
        _ => Ok(hash),
    }
}

/// Time of `20261130T101500Z`; `None` for another form.
fn parsed_date(date: &str) -> Option<SystemTime> {
    let part = |from: usize, to: usize| date.get(from..to);
    let rfc3339 = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0, 4)?,
        part(4, 6)?,
        part(6, 8)?,
        part(9, 11)?,
        part(11, 13)?,
        part(13, 15)?
    );
    let is_form = date.len() == 16 && part(8, 9) == Some("T") && part(15, 16) == Some("Z");
    humantime::parse_rfc3339(&rfc3339).ok().filter(|_| is_form)
}

fn sha256(bytes: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA256, bytes);
    hash.as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn decoded_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| u8::try_from(digit.to_digit(16)?).ok())
        .collect();
    let (pairs, rest) = digits.as_deref()?.as_chunks::<2>();
    rest.is_empty()
        .then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const SIGNATURE: &str = "X-Amz-Signature";
const SECURITY_TOKEN: &str = "X-Amz-Security-Token";
/// Longest time for which a signature in the query holds, whatever it says: seven days, as at AWS.
const MAX_EXPIRES: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Difference of the clocks that AWS accepts.
const MAX_SKEW: Duration = Duration::from_secs(15 * 60);
