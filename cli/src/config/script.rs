//! `Script`: the Python script that a verb stands for, and the flags that it requires.

use crate::args::{AuthorizerArgs, OF_SIGNING, OF_TOKEN, SampleArgs, Sources};
use crate::diagnosis::{Diagnosis, Try};

/// Script whose requirements a verb has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Script {
    /// `dunlin sample`, or no verb: the flags decide.
    Either,
    Unsigned,
    Signed,
}

impl Script {
    /// Looks for missing flags, and for flags that the script doesn't have.
    ///
    /// # Errors
    /// [`Id::Usage`](crate::diagnosis::Id::Usage), which names all missing flags.
    pub(crate) fn check(self, typed: &mut SampleArgs, sources: &Sources) -> Result<(), Diagnosis> {
        if self == Self::Unsigned {
            refuse_signing(&mut typed.authorizer, sources)?;
        }
        let missing = self.missing(typed);
        if missing.is_empty() {
            return Ok(());
        }
        let mut try_ = Vec::new();
        if typed.endpoint.endpoint.is_none() {
            try_.push(Try::command(
                "aws iot describe-endpoint --endpoint-type iot:Data-ATS",
            ));
            try_.push(Try::command("dunlin demo        # needs no AWS account"));
        }
        if self == Self::Either {
            try_.push(Try::advice(
                "for a client certificate instead of an authorizer: --cert PEM --key PEM",
            ));
        }
        Err(Diagnosis {
            try_,
            ..Diagnosis::usage(format!("missing: {}", missing.join(", ")))
        })
    }

    /// Names of the missing flags.
    fn missing(self, typed: &SampleArgs) -> Vec<&'static str> {
        let AuthorizerArgs {
            authorizer_name,
            auth_username,
            auth_token_key_name,
            ..
        } = &typed.authorizer;
        // A command may print each of them.
        let has_command = typed.authorizer.auth_cmd.is_some();
        let has_password = has_command
            || typed.authorizer.ask
            || typed.authorizer.auth_password.is_some()
            || typed.authorizer.auth_password_file.is_some();
        let has_token = has_command
            || typed.authorizer.auth_token_key_value.is_some()
            || typed.authorizer.auth_token_key_value_file.is_some();
        let has_signature = has_command
            || typed.authorizer.auth_signature.is_some()
            || typed.authorizer.auth_signature_file.is_some()
            || typed.authorizer.auth_signing_key.is_some();
        // With a user name AWS IoT invokes the default authorizer; with a certificate, none.
        let has_no_identity = auth_username.is_none() && typed.tls.cert.is_none();
        // Each flag with whether it was given, and whether this script requires it.
        let rows = [
            (typed.endpoint.endpoint.is_some(), "--endpoint", true),
            (
                authorizer_name.is_some(),
                "--authorizer-name",
                self != Self::Either || has_no_identity,
            ),
            (
                auth_username.is_some(),
                "--auth-username",
                self == Self::Unsigned,
            ),
            (has_password, "--auth-password", self == Self::Unsigned),
            (
                auth_token_key_name.is_some(),
                "--auth-token-key-name",
                self == Self::Signed,
            ),
            (has_token, "--auth-token-key-value", self == Self::Signed),
            (has_signature, "--auth-signature", self == Self::Signed),
        ];
        let missing = rows
            .into_iter()
            .filter(|(given, _, required)| *required && !given);
        missing.map(|(_, flag, _)| flag).collect()
    }
}

/// Refuses flags for signing, which `unsigned` doesn't have. Variables for it are ignored, because
/// they may be meant for other runs.
fn refuse_signing(typed: &mut AuthorizerArgs, sources: &Sources) -> Result<(), Diagnosis> {
    if let Some(id) = OF_SIGNING.iter().find(|id| sources.on_command_line(id)) {
        return Err(Diagnosis {
            try_: vec![Try::advice(
                "dunlin signed takes it; dunlin sample takes either",
            )],
            ..Diagnosis::usage(format!(
                "`dunlin unsigned` has no --{}",
                id.replace('_', "-")
            ))
        });
    }
    typed.auth_signature = None;
    // A token without a flag comes from variables that are meant for other runs.
    if !OF_TOKEN.iter().any(|id| sources.on_command_line(id)) {
        (typed.auth_token_key_name, typed.auth_token_key_value) = (None, None);
    }
    Ok(())
}
