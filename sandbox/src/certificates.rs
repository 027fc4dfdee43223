//! Clients that a certificate authenticates, and the policies that are attached to certificates.

use std::time::Duration;

use crate::authorizer::Grant;
use crate::policy::{ArnScope, ClientCertificate, Policy, PolicyDocument, Thing};

/// Settings of clients with certificates of the sandbox's CA.
///
/// A certificate alone authenticates a client of MQTT that offers the ALPN protocol `x-amzn-mqtt-ca`, or
/// none; with `mqtt` the custom authorizer decides. It authenticates a client of HTTPS that offers
/// `x-amzn-http-ca`, or that shows it at the port of HTTPS.
///
/// ```
/// use dunlin_sandbox::{CertificatePolicy, ClientCertificates, DEMO_THING_POLICY, PolicyDocument, SandboxOptions};
///
/// let certificates = ClientCertificates {
///     policies: vec![CertificatePolicy {
///         thing: "lamp-7".into(),
///         documents: vec![PolicyDocument::parse(DEMO_THING_POLICY)?],
///     }],
///     ..ClientCertificates::default()
/// };
/// let options = SandboxOptions { client_certificates: Some(certificates), ..SandboxOptions::default() };
/// # Ok::<(), dunlin_sandbox::PolicyError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct ClientCertificates {
    /// Policies by thing. A certificate has the documents of all entries for its thing; without any
    /// it may do nothing.
    pub policies: Vec<CertificatePolicy>,
    /// Asks clients of the custom authorizer for a certificate as well, as a domain configuration
    /// with `CUSTOM_AUTH_X509` does: the Lambda is told the certificate, its `principalId` must be the
    /// certificate's id, `policyDocuments` may be missing, and both policies add up. Default: no.
    pub with_authorizer: bool,
    /// Registry: types and attributes of things, for policy variables. Things that aren't in it have
    /// none. The first of a name counts. Default: empty.
    pub things: Vec<Thing>,
}

/// Policy that is attached to the certificate of a thing.
#[derive(Debug, Clone)]
pub struct CertificatePolicy {
    /// Name of the thing; `*` means every one.
    pub thing: String,
    /// Documents of the policy.
    pub documents: Vec<PolicyDocument>,
}

/// Policy of every thing with the settings of the demonstration: it connects as its thing, and uses
/// the topic of the sample and those below `things/<name>/`.
pub const DEMO_THING_POLICY: &str = r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": ["iot:Connect"],
      "Resource": ["arn:aws:iot:*:*:client/${iot:Connection.Thing.ThingName}"]
    },
    {
      "Effect": "Allow",
      "Action": ["iot:Publish", "iot:RetainPublish", "iot:Receive"],
      "Resource": [
        "arn:aws:iot:*:*:topic/test/topic",
        "arn:aws:iot:*:*:topic/things/${iot:Connection.Thing.ThingName}/*"
      ]
    },
    {
      "Effect": "Allow",
      "Action": ["iot:Subscribe"],
      "Resource": [
        "arn:aws:iot:*:*:topicfilter/test/topic",
        "arn:aws:iot:*:*:topicfilter/things/${iot:Connection.Thing.ThingName}/*"
      ]
    }
  ]
}"#;

impl ClientCertificates {
    /// Adds the policy of the demonstration if no other is configured.
    pub(crate) fn with_demo(mut self, is_demo: bool) -> Self {
        if is_demo
            && self.policies.is_empty()
            && let Ok(document) = PolicyDocument::parse(DEMO_THING_POLICY)
        {
            self.policies.push(CertificatePolicy {
                thing: "*".into(),
                documents: vec![document],
            });
        }
        self
    }

    /// Documents of the policies of a certificate.
    pub(crate) fn documents(&self, certificate: &ClientCertificate) -> Vec<PolicyDocument> {
        let attached = self.policies.iter().filter(|policy| {
            policy.thing == "*" || certificate.thing.as_deref() == Some(&*policy.thing)
        });
        attached
            .flat_map(|policy| policy.documents.iter().cloned())
            .collect()
    }

    /// Permissions of a client that its certificate authenticates.
    pub(crate) fn grant(&self, certificate: &ClientCertificate, scope: Option<ArnScope>) -> Grant {
        let thing = certificate.thing.as_deref().unwrap_or("?");
        Grant {
            authorizer: format!("certificate of {thing}"),
            principal_id: certificate.id.clone(),
            policy: Policy::new(self.documents(certificate)).within(scope),
            disconnect_after: NO_END,
            refresh_after: None,
        }
    }
}

/// Time after which a client with a certificate is disconnected: ten years, as AWS has no such limit.
const NO_END: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
