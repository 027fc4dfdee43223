//! The custom authorizer as a provider: every attempt gets the user name that it makes.

use std::future::ready;

use super::authorizer::{AuthorizerError, CustomAuthorizer};
use crate::runtime::provider::{ConnectProvider, NextAttempt, Provided, ProviderError, Target};

/// Sets the user name; the password and the way to the server stay those of the options. For a
/// token that is renewed, let a closure be the provider and call [`Target::authorize`] there.
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
    /// Values that make no user name.
    pub fn authorize(&mut self, authorizer: &CustomAuthorizer) -> Result<(), AuthorizerError> {
        self.username = Some(authorizer.user_name()?);
        Ok(())
    }
}

/// The same values make no user name the next time either.
impl From<AuthorizerError> for ProviderError {
    fn from(error: AuthorizerError) -> Self {
        Self::fatal(error)
    }
}
