//! `CommandCredentials`: credentials of `--auth-cmd`, fresh for every connection.

use dunlin_client::secret::Secret;
use dunlin_client::{ConnectProvider, NextAttempt, Provided, Provider, ProviderError};

use crate::args::{AccountArgs, AuthorizerArgs, Sources};
use crate::config::Credentials;
use crate::config::auth_command::{AuthCommand, FreshCredentials};
use crate::config::websocket;
use crate::diagnosis::Diagnosis;
use crate::terminal::Console;

/// Provider that runs a command before every attempt, and adds its output to the flags.
pub(super) struct CommandCredentials {
    command: AuthCommand,
    authorizer: AuthorizerArgs,
    account: Option<AccountArgs>,
    sources: Sources,
}

impl CommandCredentials {
    /// Provider for the command `text`.
    ///
    /// # Errors
    /// [`Id::Usage`](crate::diagnosis::Id::Usage) for a text that is no command.
    pub(super) fn provider(
        text: &str,
        authorizer: AuthorizerArgs,
        account: Option<AccountArgs>,
        sources: &Sources,
    ) -> Result<Provider, Diagnosis> {
        Ok(Provider::new(Self {
            command: AuthCommand::new(text)?,
            authorizer,
            account,
            sources: sources.clone(),
        }))
    }

    /// Credentials of the flags and of the command.
    ///
    /// # Errors
    /// Errors of [`Credentials::of_flags`].
    fn credentials(&self, fresh: FreshCredentials) -> Result<Credentials, Diagnosis> {
        let (mut authorizer, mut account) = (self.authorizer.clone(), self.account.clone());
        let is_account = !authorizer.is_given() && fresh.token.is_none();
        match &mut account {
            Some(account) if is_account => {
                self.replace(&mut account.username, fresh.username, &["username"]);
                let of_password = ["password", "password_file"];
                if self.replace(&mut account.password, fresh.password, &of_password) {
                    account.password_file = None;
                }
            }
            _ => {
                let name = &mut authorizer.auth_username;
                self.replace(name, fresh.username, &["auth_username"]);
                for (value, file, fresh, ids) in [
                    (
                        &mut authorizer.auth_password,
                        &mut authorizer.auth_password_file,
                        fresh.password,
                        ["auth_password", "auth_password_file"],
                    ),
                    (
                        &mut authorizer.auth_token_key_value,
                        &mut authorizer.auth_token_key_value_file,
                        fresh.token,
                        ["auth_token_key_value", "auth_token_key_value_file"],
                    ),
                    (
                        &mut authorizer.auth_signature,
                        &mut authorizer.auth_signature_file,
                        fresh.signature,
                        ["auth_signature", "auth_signature_file"],
                    ),
                ] {
                    if self.replace(value, fresh, &ids) {
                        *file = None;
                    }
                }
            }
        }
        // Warnings about flags were printed when the run began.
        let console = Console { quiet: true };
        Credentials::of_flags(authorizer, account, &self.sources, console, false)
    }

    /// Puts a value of the command in place of a flag's; false if there is none, or if one of the
    /// flags `ids` goes before the command.
    fn replace(
        &self,
        value: &mut Option<String>,
        fresh: Option<Secret<String>>,
        ids: &[&str],
    ) -> bool {
        let command = self.sources.origin("auth_cmd");
        let goes_before = |id: &&str| {
            let origin = self.sources.origin(id);
            origin.is_some_and(|origin| Some(origin) <= command)
        };
        match fresh {
            Some(fresh) if !ids.iter().any(goes_before) => {
                *value = Some(fresh.expose().clone());
                true
            }
            _ => false,
        }
    }
}

impl ConnectProvider for CommandCredentials {
    fn provide(&self, attempt: NextAttempt) -> Provided<'_> {
        Box::pin(async move {
            // A command that has worked may fail for want of a network, and work again later.
            let has_worked = attempt.last.is_some();
            let fresh = self.command.run().await.map_err(|error| ProviderError {
                is_retryable: has_worked,
                detail: error,
            })?;
            let credentials = self
                .credentials(fresh)
                .map_err(|diagnosis| ProviderError::fatal(diagnosis.headline))?;
            let mut target = attempt.target;
            if let Some(options) = &mut target.transport.websocket {
                let sent_in = self.authorizer.authorizer_as;
                websocket::add_parameters(options, &credentials, sent_in)
                    .map_err(|diagnosis| ProviderError::fatal(diagnosis.headline))?;
            }
            target.username = credentials.user_name;
            target.password = credentials.password;
            Ok(target)
        })
    }
}
