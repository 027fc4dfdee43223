//! `CustomAuthorizer` as a provider: sets the user name of every attempt.

use std::future::ready;

use super::authorizer::CustomAuthorizer;
use super::error::AuthorizerError;
#[cfg(feature = "websocket")]
use super::sent_in::SentIn;
use crate::error::ProviderError;
use crate::runtime::provider::{ConnectProvider, NextAttempt, Provided, Target};

/// Sets the user name; password and transport stay those of the options. For a token that is
/// renewed, use a closure as the provider and call [`Target::authorize`] there.
impl ConnectProvider for CustomAuthorizer {
    fn provide(&self, attempt: NextAttempt) -> Provided<'_> {
        let mut target = attempt.target;
        Box::pin(ready(
            target.authorize(self).map(|()| target).map_err(Into::into),
        ))
    }
}

impl Target {
    /// Puts a custom authorizer's parameters into the user name of CONNECT.
    ///
    /// ```
    /// use dunlin_client::aws::{AuthorizerToken, CustomAuthorizer};
    /// use dunlin_client::{NextAttempt, Provider};
    ///
    /// let provider = Provider::new(|attempt: NextAttempt| async move {
    ///     let authorizer = CustomAuthorizer { token: Some(fresh_token().await), ..CustomAuthorizer::default() };
    ///     let mut target = attempt.target;
    ///     target.authorize(&authorizer)?;
    ///     Ok(target)
    /// });
    /// # async fn fresh_token() -> AuthorizerToken {
    /// #     AuthorizerToken { key_name: "t".to_owned(), value: "v".into(), signature: Some("c2ln".into()) }
    /// # }
    /// ```
    ///
    /// # Errors
    /// Like [`CustomAuthorizer::user_name`].
    pub fn authorize(&mut self, authorizer: &CustomAuthorizer) -> Result<(), AuthorizerError> {
        self.username = Some(authorizer.user_name()?);
        Ok(())
    }

    /// Puts a custom authorizer's parameters where `sent_in` says, for MQTT over WebSocket.
    ///
    /// Query and headers are added to those of the options. The user name of CONNECT is
    /// [`CustomAuthorizer::username`]; the password is left as it is.
    ///
    /// ```
    /// use dunlin_client::aws::{CustomAuthorizer, SentIn};
    /// use dunlin_client::{NextAttempt, Provider};
    ///
    /// // The form of most browsers: the name in the query, user name and password in CONNECT.
    /// let provider = Provider::new(|attempt: NextAttempt| async move {
    ///     let authorizer = CustomAuthorizer {
    ///         username: Some("alice".to_owned()),
    ///         authorizer_name: Some("MyAuth".to_owned()),
    ///         ..CustomAuthorizer::default()
    ///     };
    ///     let mut target = attempt.target;
    ///     target.authorize_in(&authorizer, SentIn::Query)?;
    ///     Ok(target)
    /// });
    /// ```
    ///
    /// # Errors
    /// Like [`CustomAuthorizer::user_name`], [`CustomAuthorizer::query`] or
    /// [`CustomAuthorizer::headers`].
    #[cfg(feature = "websocket")]
    pub fn authorize_in(
        &mut self,
        authorizer: &CustomAuthorizer,
        sent_in: SentIn,
    ) -> Result<(), AuthorizerError> {
        if sent_in == SentIn::UserName {
            return self.authorize(authorizer);
        }
        self.username = authorizer.user_name_alone()?;
        let websocket = self.transport.websocket.get_or_insert_default();
        if sent_in == SentIn::Query {
            websocket.push_query(&authorizer.query()?);
        } else {
            for (name, value) in authorizer.headers()? {
                websocket.set_header(name, value);
            }
        }
        Ok(())
    }
}

/// Fatal: the same values are wrong in another attempt, too.
impl From<AuthorizerError> for ProviderError {
    fn from(error: AuthorizerError) -> Self {
        Self::fatal(error)
    }
}
