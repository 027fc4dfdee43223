//! AWS Signature Version 4 in the header `Authorization`, checked as the service does it.
//!
//! The names are those of AWS's document "Create a signed AWS API request".

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use aws_lc_rs::{digest, hmac};

use crate::access_key::AccessKey;
use crate::authorizer::{RequestHead, percent_decoded};

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
        "the credential scope is for the service {0:?}; iotdata and iotdevicegateway are taken"
    )]
    Service(String),
    #[error("the request has no header X-Amz-Date in the form 20261130T101500Z")]
    NoDate,
    #[error(
        "X-Amz-Date is more than 15 minutes away from the time here, or from the credential scope"
    )]
    WrongDate,
    #[error("X-Amz-Content-Sha256 isn't the hash of the body")]
    Body,
    #[error("the header {0:?} is signed, and the request doesn't have it")]
    MissingHeader(String),
    #[error("the headers Host and X-Amz-Date must be signed")]
    UnsignedHeader,
    #[error("there is no access key {0:?} in the configuration ([[key]])")]
    UnknownKey(String),
    #[error("the signature isn't that of this request and the secret of the access key")]
    Mismatch,
}

/// Parts of the header `Authorization`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Authorization<'a> {
    pub(super) key_id: &'a str,
    date: &'a str,
    region: &'a str,
    service: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    /// Reads the header.
    ///
    /// # Errors
    /// [`SignatureError::Form`] if a part is missing, [`SignatureError::Service`] for another service.
    pub(super) fn parse(header: &'a str) -> Result<Self, SignatureError> {
        let parsed = Self::parts(header).ok_or(SignatureError::Form)?;
        match parsed.service {
            "iotdata" | "iotdevicegateway" => Ok(parsed),
            other => Err(SignatureError::Service(other.into())),
        }
    }

    fn parts(header: &'a str) -> Option<Self> {
        let fields = header.strip_prefix(ALGORITHM)?;
        let field = |name: &str| {
            let mut fields = fields.split(',').map(str::trim);
            fields.find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
        };
        // Access key ids have no slash, so that the scope is what follows the first one.
        let mut scope = field("Credential")?.split('/');
        let parsed = Self {
            key_id: scope.next()?,
            date: scope.next()?,
            region: scope.next()?,
            service: scope.next()?,
            signed_headers: field("SignedHeaders")?,
            signature: field("Signature")?,
        };
        (scope.next() == Some("aws4_request") && scope.next().is_none()).then_some(parsed)
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
        let date = request
            .head
            .header("x-amz-date")
            .ok_or(SignatureError::NoDate)?;
        self.check_date(date, now)?;
        let hash = payload_hash(request)?;
        let headers = self.canonical_headers(request.head)?;
        let key = keys.iter().find(|key| key.id == self.key_id);
        let key = key.ok_or_else(|| SignatureError::UnknownKey(self.key_id.into()))?;

        let (scope, signing_key) = (self.scope(), self.signing_key(&key.secret));
        let query = canonical_query(request.head.query.as_deref().unwrap_or_default());
        let signature = decoded_hex(self.signature).ok_or(SignatureError::Mismatch)?;
        // The path is encoded twice for every service but S3; some clients encode it once.
        let paths = [
            encoded(request.path, true).into(),
            Cow::Borrowed(request.path),
        ];
        let is_right = paths.iter().any(|path| {
            let canonical = [
                request.method,
                path,
                &query,
                &headers,
                self.signed_headers,
                &hash,
            ]
            .join("\n");
            let to_sign = [
                ALGORITHM.trim_end(),
                date,
                &scope,
                &sha256(canonical.as_bytes()),
            ];
            hmac::verify(&signing_key, to_sign.join("\n").as_bytes(), &signature).is_ok()
        });
        if is_right {
            Ok(())
        } else {
            Err(SignatureError::Mismatch)
        }
    }

    fn check_date(&self, date: &str, now: SystemTime) -> Result<(), SignatureError> {
        let time = parsed_date(date).ok_or(SignatureError::NoDate)?;
        let distance = now
            .duration_since(time)
            .unwrap_or_else(|error| error.duration());
        if distance > MAX_SKEW || !date.starts_with(self.date) {
            return Err(SignatureError::WrongDate);
        }
        Ok(())
    }

    /// Signed headers as lines `name:value`, each with a line feed.
    fn canonical_headers(&self, head: &RequestHead) -> Result<String, SignatureError> {
        let names: Vec<&str> = self.signed_headers.split(';').collect();
        if !["host", "x-amz-date"]
            .iter()
            .all(|name| names.contains(name))
        {
            return Err(SignatureError::UnsignedHeader);
        }
        let mut lines = String::new();
        for name in names {
            let value = head.header(name);
            let value = value.ok_or_else(|| SignatureError::MissingHeader(name.into()))?;
            // Inner spaces count as one.
            let words: Vec<&str> = value.split(' ').filter(|word| !word.is_empty()).collect();
            lines.push_str(&format!("{name}:{}\n", words.join(" ")));
        }
        Ok(lines)
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
        let steps = [self.date, self.region, self.service, "aws4_request"];
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

/// Parameters of a query, encoded in AWS's way and sorted by name and value.
fn canonical_query(query: &str) -> String {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut pairs: Vec<(String, String)> = pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            // What can't be decoded is signed as it is.
            let again = |text| {
                let decoded = percent_decoded(text).unwrap_or(Cow::Borrowed(text));
                encoded(&decoded, false)
            };
            (again(name), again(value))
        })
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

/// Percent-encodes all but the unreserved characters (RFC 3986, 2.3), and slashes if they are kept.
fn encoded(text: &str, keeps_slashes: bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(byte.into());
            }
            b'/' if keeps_slashes => encoded.push('/'),
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
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

const ALGORITHM: &str = "AWS4-HMAC-SHA256 ";
/// Difference of the clocks that AWS accepts.
const MAX_SKEW: Duration = Duration::from_secs(15 * 60);

#[cfg(test)]
mod tests;
