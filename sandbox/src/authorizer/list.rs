//! All authorizers of a sandbox: which one a client asks, and what it answers.

use std::sync::Arc;

use crate::authorizer::answer::Answer;
use crate::authorizer::calls::CallQueue;
use crate::authorizer::credentials::Credentials;
use crate::authorizer::definition::Authorizer;
use crate::authorizer::grant::Grant;
use crate::authorizer::lambda::{
    CallContext, Instances, LambdaError, LambdaEvent, LambdaLog, LambdaMissing, Watchdog,
};
use crate::authorizer::parameter_source::ParameterSource;
use crate::authorizer::parameters::{self, Parameters, name_authorizer};
use crate::authorizer::refusal::Refusal;
use crate::certificates::ClientCertificates;
use crate::event::Event;
use crate::event_log::EventLog;
use crate::policy::{ALLOW_ALL, ArnScope};
use crate::ready::ReadyAuthorizer;

/// All authorizers of one sandbox, and the default one for clients that name none.
#[derive(Debug, Clone)]
pub struct Authorizers {
    /// Each has a name of its own.
    list: Vec<Entry>,
    /// The name of the one that answers where none is named.
    default: Option<String>,
    /// Region and account that the policies' ARNs are compared with.
    scope: Option<ArnScope>,
    /// Ends the processes of Lambdas if the sandbox can't.
    watchdog: Option<Watchdog>,
    /// Grant for a client that names no authorizer; `None` means the default authorizer is asked.
    anonymous: Option<Grant>,
    /// Policies of clients with certificates; `None` if clients aren't asked for one.
    certificates: Option<ClientCertificates>,
}

/// An authorizer, and the calls of its Lambda: those of one authorizer never wait for those of
/// another.
#[derive(Debug, Clone)]
struct Entry {
    authorizer: Authorizer,
    queue: Arc<CallQueue>,
    instances: Arc<Instances>,
}

impl Authorizers {
    /// All of them, and the name of the one that answers where a client names none.
    #[must_use]
    pub fn new(list: Vec<Authorizer>, default: Option<String>) -> Self {
        let list = list.into_iter().map(|authorizer| {
            let queue = Arc::new(CallQueue::new(authorizer.limits));
            Entry {
                authorizer,
                queue,
                instances: Arc::default(),
            }
        });
        Self {
            list: list.collect(),
            default,
            scope: None,
            watchdog: None,
            anonymous: None,
            certificates: None,
        }
    }

    /// Lets every client that names no authorizer in, whatever its user name and password, and lets
    /// it do everything.
    pub(crate) fn with_anonymous(mut self, anonymous: bool) -> Self {
        // The grant is made once, from an answer as a Lambda would give it: it passes the same
        // checks.
        self.anonymous = Answer::allow("anonymous", ALLOW_ALL.into())
            .grant("anonymous")
            .ok()
            .filter(|_| anonymous);
        self
    }

    /// Policies of clients with certificates.
    pub(crate) fn with_certificates(mut self, certificates: Option<ClientCertificates>) -> Self {
        self.certificates = certificates;
        self
    }

    /// Region and account that the ARNs of every policy are compared with; without them any
    /// matches.
    #[must_use]
    pub fn within(mut self, scope: Option<ArnScope>) -> Self {
        self.scope = scope;
        self
    }

    /// Reports every process of a Lambda to a watchdog.
    pub(crate) fn watched_by(mut self, watchdog: Option<Watchdog>) -> Self {
        self.watchdog = watchdog;
        self
    }

    /// Returns whether a Lambda of an active authorizer has processes of its own.
    pub(crate) fn have_processes(&self) -> bool {
        self.active()
            .any(|authorizer| authorizer.lambda.has_processes())
    }

    /// Checks that the programs and files of active authorizers exist.
    ///
    /// # Errors
    /// The name of the authorizer, and what is missing.
    pub(crate) fn find(&self) -> Result<(), (String, LambdaMissing)> {
        self.active().try_for_each(|authorizer| {
            authorizer
                .lambda
                .find()
                .map_err(|missing| (authorizer.name.clone(), missing))
        })
    }

    fn active(&self) -> impl Iterator<Item = &Authorizer> {
        self.list
            .iter()
            .map(|entry| &entry.authorizer)
            .filter(|authorizer| authorizer.active)
    }

    /// Facts about each that clients need.
    pub(crate) fn ready(&self) -> impl Iterator<Item = ReadyAuthorizer> {
        self.list
            .iter()
            .map(|Entry { authorizer, .. }| ReadyAuthorizer {
                name: authorizer.name.clone(),
                active: authorizer.active,
                signing: authorizer.signing.is_required(),
                token_key_name: authorizer.signing.token_key_name().map(Into::into),
                default: self.default.as_ref() == Some(&authorizer.name),
                lambda: authorizer.lambda.to_string(),
            })
    }

    /// Decides about one client. The Lambda is called last: everything that can be refused without
    /// it is.
    ///
    /// `log` gets the output of a Lambda, one event a line. Cancel safe, see
    /// [`LambdaLimits`](crate::LambdaLimits).
    ///
    /// # Errors
    /// The [`Refusal`], with the reason code for the client.
    pub async fn authorize(
        &self,
        credentials: &Credentials,
        log: &EventLog,
    ) -> Result<Grant, Refusal> {
        // A signature or a certificate in place of an authorizer: nobody is asked.
        if let Some(key_id) = &credentials.signed_by {
            return Ok(Grant::of_access_key(key_id));
        }
        let tls = credentials.tls.as_ref();
        let certificate = tls.and_then(|tls| tls.certificate.as_ref());
        let certificate = certificate.zip(self.certificates.as_ref());
        if let Some((certificate, settings)) = certificate
            && tls.is_some_and(|tls| tls.is_authenticated)
        {
            return Ok(settings.grant(certificate, self.scope.clone()));
        }

        // Anonymous access is for clients without an authorizer. One that is named is asked, so
        // that authorizers can be tested beside it.
        if let Some(grant) = &self.anonymous
            && !name_authorizer(credentials)
        {
            return Ok(grant.clone());
        }
        // The parameters, the authorizer and the signature are checked before the Lambda is called,
        // as at AWS: a client with a wrong signature costs no call.
        let parameters = Parameters::of(credentials)?;
        let Entry {
            authorizer,
            queue,
            instances,
        } = self.named(&parameters, credentials.http.is_some())?;
        let token = authorizer.signing.token(&authorizer.name, &parameters)?;
        // The call: it waits in the queue of this authorizer alone, and ends when this future is
        // dropped.
        let event = LambdaEvent::new(credentials, token);
        let context = CallContext {
            authorizer: authorizer.name.clone(),
            limits: authorizer.limits,
            scope: self.scope.clone(),
            watchdog: self.watchdog.clone(),
            log: lambda_log(&authorizer.name, log),
        };
        let answer = authorizer
            .lambda
            .invoke(&event, queue, instances, context)
            .await;
        // The answer becomes a grant, or the reason why it can't.
        let grant =
            answer.and_then(|answer| answer.grant(&authorizer.name).map_err(LambdaError::Answer));
        let grant = grant.map_err(|error| refusal(authorizer.name.clone(), error))?;
        // With a certificate beside the authorizer both must agree, and both policies add up.
        let mut policy = grant.policy;
        if let Some((certificate, settings)) = certificate {
            if grant.principal_id != certificate.id {
                return Err(Refusal::PrincipalId {
                    authorizer: authorizer.name.clone(),
                    certificate: certificate.id.clone(),
                });
            }
            policy = policy.with_documents(settings.documents(certificate));
        }
        Ok(Grant {
            // The scope belongs to the sandbox, not to the answer.
            policy: policy.within(self.scope.clone()),
            ..grant
        })
    }

    /// Decides about a request for an upgrade to WebSocket by what it has: the authorizer that it
    /// names, and its token with the signature, about which the Lambda is asked. Everything else may
    /// come with the CONNECT.
    ///
    /// Cancel safe, as [`authorize`](Self::authorize).
    ///
    /// # Errors
    /// The [`Refusal`] of the request.
    pub(crate) async fn authorize_upgrade(
        &self,
        credentials: &Credentials,
        log: &EventLog,
    ) -> Result<(), Refusal> {
        let parameters = Parameters::of(credentials)?;
        let names_one = parameters.find(parameters::AUTHORIZER_NAME)?.is_some();
        if !names_one && (self.anonymous.is_some() || self.default.is_none()) {
            return Ok(());
        }
        let signing = &self.named(&parameters, true)?.authorizer.signing;
        let token = signing.token_key_name();
        let token = token.map(|name| parameters.value(name)).transpose()?;
        match token.flatten() {
            Some(_) => self.authorize(credentials, log).await.map(drop),
            None => Ok(()),
        }
    }

    /// Place in which a client names its authorizer; `None` if it names none, or in a form that is
    /// refused.
    pub(crate) fn named_in(credentials: &Credentials) -> Option<ParameterSource> {
        let parameters = Parameters::of(credentials).ok()?;
        let named = parameters.find(parameters::AUTHORIZER_NAME).ok()?;
        named.map(|(_, source)| source)
    }

    fn named(&self, parameters: &Parameters<'_>, is_http: bool) -> Result<&Entry, Refusal> {
        // The client's name counts more than the default. (AWS: allowAuthorizerOverride)
        let wanted = parameters
            .value(parameters::AUTHORIZER_NAME)?
            .or(self.default.as_deref())
            .ok_or(if is_http {
                Refusal::NoAuthorizerNamedOverHttp
            } else {
                Refusal::NoAuthorizerNamed
            })?;
        let found = self
            .list
            .iter()
            .find(|entry| entry.authorizer.name == wanted);
        let entry = found.ok_or_else(|| Refusal::UnknownAuthorizer(wanted.into()))?;
        // AWS never calls an inactive authorizer, not even as the default.
        if !entry.authorizer.active {
            return Err(Refusal::Inactive(entry.authorizer.name.clone()));
        }
        Ok(entry)
    }
}

/// The callback that makes an event of each line of a Lambda's output.
fn lambda_log(authorizer: &str, log: &EventLog) -> LambdaLog {
    // Owned copies: a handler may print after the client has hung up.
    let (authorizer, log) = (authorizer.to_owned(), log.clone());
    Arc::new(move |text| {
        let authorizer = authorizer.clone();
        log.emit(Event::Lambda { authorizer, text });
    })
}

fn refusal(authorizer: String, error: LambdaError) -> Refusal {
    match error {
        // A denial is the decision of the Lambda; every other error is a failure of its code.
        LambdaError::Answer(answer) if answer.is_denial() => Refusal::NotAuthenticated(authorizer),
        error => Refusal::Lambda { authorizer, error },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorizer::{ConnectFields, Lambda, LambdaLimits, QueueError, demo_unsigned};

    fn credentials(authorizer: &str) -> Credentials {
        Credentials {
            mqtt: Some(ConnectFields {
                client_id: None,
                username: Some(format!("demo?x-amz-customauthorizer-name={authorizer}")),
                password: Some(b"demo".to_vec()),
            }),
            connection_id: "1".into(),
            ..Credentials::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn calls_of_one_authorizer_delay_neither_another_nor_a_fixed_answer() {
        let url = |name: &str| {
            let lambda = Lambda::Url("http://127.0.0.1:1".parse().unwrap());
            let limits = LambdaLimits {
                concurrency: 1,
                ..LambdaLimits::default()
            };
            Authorizer {
                limits,
                ..Authorizer::new(name, lambda)
            }
        };
        let authorizers = Authorizers::new(vec![demo_unsigned(), url("Busy"), url("Free")], None);
        let log = EventLog::default();
        // The only permit of "Busy" is taken, so a call of it waits until its timeout in virtual
        // time.
        let _running = authorizers.list[1].queue.enter().await.unwrap();
        let (fixed, free, busy) = (
            credentials("DemoUnsigned"),
            credentials("Free"),
            credentials("Busy"),
        );
        // The others are answered at once: by a fixed answer, and by a URL that nobody listens on.
        assert!(authorizers.authorize(&fixed, &log).await.is_ok());
        let free = authorizers.authorize(&free, &log).await;
        assert!(
            matches!(
                free,
                Err(Refusal::Lambda {
                    error: LambdaError::Unreachable(_),
                    ..
                })
            ),
            "{free:?}"
        );
        let busy = authorizers.authorize(&busy, &log).await.unwrap_err();
        let refusal = Refusal::Lambda {
            authorizer: "Busy".into(),
            error: QueueError::TimedOut.into(),
        };
        assert_eq!(
            (busy.reason_code(), busy),
            (dunlin_codec::ReasonCode::QuotaExceeded, refusal)
        );
    }
}
