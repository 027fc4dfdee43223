//! Access key that signed a request (SigV4), of HTTP or for an upgrade to WebSocket.

use crate::event::Event;
use crate::net::clock::now;
use crate::net::http::refused::Refused;
use crate::net::http::signature::{Authorization, SignedRequest};
use crate::net::shared::Shared;
use crate::server::Peer;

/// Checks the signature of a request, where keys are configured; returns the id of the access key, or
/// `None` for a request that isn't signed. No IoT policy applies to a signed one.
///
/// # Errors
/// 403 for a signature in another form, of another key or of another request.
pub(super) fn signer(
    shared: &Shared,
    peer: &Peer,
    request: &SignedRequest<'_>,
) -> Result<Option<String>, Refused> {
    let Some(authorization) = Authorization::of(request.head) else {
        return Ok(None);
    };
    let refused = |error: &dyn core::fmt::Display| Refused::forbidden(error.to_string());
    let authorization = authorization.map_err(|error| refused(&error))?;
    let verified = if shared.access_keys.is_empty() {
        "its signature isn't checked, since there is no [[key]] in the configuration"
    } else {
        let checked = authorization.verify(request, &shared.access_keys, now().calendar);
        checked.map_err(|error| refused(&error))?;
        "its signature is right"
    };
    shared.emit(Event::Note {
        peer: peer.address,
        text: format!(
            "signed with the access key {:?} (SigV4): {verified}; no IoT policy applies, so it is allowed",
            authorization.key_id
        ),
    });
    Ok(Some(authorization.key_id))
}
