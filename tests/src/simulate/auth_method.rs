//! The method of enhanced authentication that clients and server share: the answer to a challenge
//! is the challenge backwards.

use std::task::{Context, Poll, Waker};
use std::time::Instant;

use dunlin_client::engine::{Engine, OperationId, Outcome};
use dunlin_client::secret::Secret;
use dunlin_client::{
    Authentication, AuthenticationError, Authenticator, ReauthenticationError, RequestError,
};

use super::transcript::Transcript;
use super::violation::{Checked, Violation, ensure};

/// Name of the method.
pub(super) const METHOD: &str = "PROOF";
/// Authentication Data of CONNECT.
pub(super) const HELLO: &[u8] = b"hello";
/// Authentication Data of the server that no client accepts.
pub(super) const BAD: &[u8] = b"foul";

/// The client's side of the method.
pub(super) fn authentication() -> Authentication {
    Authentication::new(METHOD, || Reversal)
}

/// A re-authentication that the application has asked for, if there is one.
#[derive(Debug, Default)]
pub(super) struct Reauthentication(Option<OperationId>);

/// The answer to a challenge.
pub(super) fn answer(challenge: &[u8]) -> Vec<u8> {
    challenge.iter().rev().copied().collect()
}

struct Reversal;

impl Authenticator for Reversal {
    fn begin(&mut self) -> Result<Option<Secret<Vec<u8>>>, AuthenticationError> {
        Ok(Some(HELLO.to_vec().into()))
    }

    fn respond(
        &mut self,
        data: Option<&[u8]>,
    ) -> Result<Option<Secret<Vec<u8>>>, AuthenticationError> {
        match data {
            Some(challenge) if challenge != BAD => Ok(Some(answer(challenge).into())),
            _ => Err(AuthenticationError::new("no challenge")),
        }
    }

    fn finish(&mut self, data: Option<&[u8]>) -> Result<(), AuthenticationError> {
        if data == Some(BAD) {
            Err(AuthenticationError::new("another server"))
        } else {
            Ok(())
        }
    }
}

impl Reauthentication {
    pub(super) const fn is_under_way(&self) -> bool {
        self.0.is_some()
    }

    /// Asks for one; how the last one ended is known.
    pub(super) fn request_some(
        &mut self,
        engine: &mut Engine,
        has_method: bool,
        now: Instant,
        transcript: &mut Transcript,
    ) -> Checked {
        use ReauthenticationError::{NotConnected, OtherMethod, UnderWay};

        let accepted = engine.reauthenticate(now);
        transcript.say(format_args!(
            "application authenticates again, {:?}",
            accepted.as_ref().err()
        ));
        let fine = match &accepted {
            Ok(_) => has_method && engine.is_connected() && !self.is_under_way(),
            Err(RequestError::Reauthentication(NotConnected)) => !engine.is_connected(),
            Err(RequestError::Reauthentication(OtherMethod)) => !has_method,
            Err(RequestError::Reauthentication(UnderWay)) => self.is_under_way(),
            Err(_) => false,
        };
        ensure(
            fine,
            "one re-authentication, on a connection with a method",
            || format!("{accepted:?}"),
        )?;
        self.0 = accepted.ok().or(self.0);
        Ok(())
    }

    /// Looks whether there is an outcome; whether it is a success.
    pub(super) fn poll_outcomes(
        &mut self,
        engine: &mut Engine,
        transcript: &mut Transcript,
    ) -> Checked<bool> {
        let Some(id) = self.0 else { return Ok(false) };
        let Poll::Ready(outcome) = engine.poll_outcome(id, &mut Context::from_waker(Waker::noop()))
        else {
            return Ok(false);
        };
        transcript.say(format_args!(
            "application learns of its re-authentication: {outcome:?}"
        ));
        self.0 = None;
        match outcome {
            Some(Ok(Outcome::Reauthenticated)) => Ok(true),
            Some(Err(RequestError::Reauthentication(_) | RequestError::Stopped(_))) => Ok(false),
            other => Err(Violation::new(
                "an outcome is of its request's kind",
                format!("{other:?}"),
            )),
        }
    }
}
