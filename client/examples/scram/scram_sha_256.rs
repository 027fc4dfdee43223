//! SCRAM-SHA-256 (RFC 5802, RFC 7677): the password never leaves the client, and the server proves
//! that it knows it too.

use aws_lc_rs::{constant_time, digest, hmac, pbkdf2, rand};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use dunlin_client::secret::Secret;
use dunlin_client::{Authentication, AuthenticationError, Authenticator};

/// The client's side of one exchange.
pub(crate) struct Scram {
    user: String,
    password: Secret<String>,
    nonce: String,
    step: Step,
}

enum Step {
    /// The server's salt is due.
    Salt,
    /// The server's signature is due.
    Signature { expected: hmac::Tag },
    /// Nothing more is due.
    Over,
}

/// The method for [`dunlin_client::ConnectOptions::authentication`].
pub(crate) fn scram_sha_256(user: &str, password: Secret<String>) -> Authentication {
    let user = user.to_owned();
    Authentication::new(METHOD, move || {
        Scram::new(&user, password.clone(), random_nonce())
    })
}

/// The name by which servers know it.
pub(crate) const METHOD: &str = "SCRAM-SHA-256";

impl Scram {
    /// `nonce`: printable ASCII without a comma, never the same twice.
    pub(crate) fn new(user: &str, password: Secret<String>, nonce: String) -> Self {
        Self {
            user: user.replace('=', "=3D").replace(',', "=2C"),
            password,
            nonce,
            step: Step::Over,
        }
    }

    fn first_bare(&self) -> String {
        format!("n={},r={}", self.user, self.nonce)
    }
}

impl Authenticator for Scram {
    fn begin(&mut self) -> Result<Option<Secret<Vec<u8>>>, AuthenticationError> {
        // For printable ASCII SASLprep (RFC 4013) changes nothing; other text has to go through it
        // first.
        let printable = |text: &str| text.bytes().all(|byte| matches!(byte, 0x20..=0x7E));
        if self.nonce.is_empty() || !printable(&self.user) || !printable(self.password.expose()) {
            return Err(AuthenticationError::new(
                "not printable ASCII: SASLprep it first",
            ));
        }
        self.step = Step::Salt;
        Ok(Some(
            format!("{NO_CHANNEL_BINDING}{}", self.first_bare())
                .into_bytes()
                .into(),
        ))
    }

    fn respond(
        &mut self,
        data: Option<&[u8]>,
    ) -> Result<Option<Secret<Vec<u8>>>, AuthenticationError> {
        let Step::Salt = std::mem::replace(&mut self.step, Step::Over) else {
            return Err(AuthenticationError::new("the server asked out of turn"));
        };
        let server_first = data
            .and_then(|data| std::str::from_utf8(data).ok())
            .ok_or(NO_SALT)?;
        let Challenge {
            nonce,
            salt,
            iterations,
        } = Challenge::read(server_first, &self.nonce)?;

        let mut salted = vec![0; digest::SHA256_OUTPUT_LEN];
        let password = self.password.expose().as_bytes();
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            iterations,
            &salt,
            password,
            &mut salted,
        );
        let salted = hmac::Key::new(hmac::HMAC_SHA256, Secret::from(salted).expose());

        let without_proof = format!("c={},r={nonce}", BASE64.encode(NO_CHANNEL_BINDING));
        let message = format!("{},{server_first},{without_proof}", self.first_bare());
        let client_key = hmac::sign(&salted, b"Client Key");
        let stored_key = digest::digest(&digest::SHA256, client_key.as_ref());
        let signature = hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, stored_key.as_ref()),
            message.as_bytes(),
        );
        let proof: Vec<u8> = client_key
            .as_ref()
            .iter()
            .zip(signature.as_ref())
            .map(|(key, signature)| key ^ signature)
            .collect();

        let server_key = hmac::sign(&salted, b"Server Key");
        let server_key = hmac::Key::new(hmac::HMAC_SHA256, server_key.as_ref());
        self.step = Step::Signature {
            expected: hmac::sign(&server_key, message.as_bytes()),
        };
        Ok(Some(
            format!("{without_proof},p={}", BASE64.encode(proof))
                .into_bytes()
                .into(),
        ))
    }

    fn finish(&mut self, data: Option<&[u8]>) -> Result<(), AuthenticationError> {
        let Step::Signature { expected } = std::mem::replace(&mut self.step, Step::Over) else {
            return Err(AuthenticationError::new("the server is content too early"));
        };
        let signature = data
            .and_then(|data| data.strip_prefix(b"v="))
            .ok_or(NO_SIGNATURE)?;
        let signature = BASE64.decode(signature).map_err(|_| NO_SIGNATURE)?;
        constant_time::verify_slices_are_equal(expected.as_ref(), &signature).map_err(|_| {
            AuthenticationError::new(
                "the server's signature is wrong: it doesn't know the password",
            )
        })
    }
}

/// `server-first-message`.
struct Challenge<'a> {
    nonce: &'a str,
    salt: Vec<u8>,
    iterations: std::num::NonZeroU32,
}

impl<'a> Challenge<'a> {
    fn read(text: &'a str, own_nonce: &str) -> Result<Self, AuthenticationError> {
        let mut attributes = text.split(',');
        let mut attribute = |name| {
            attributes
                .next()
                .and_then(|text| text.strip_prefix(name))
                .ok_or(NO_SALT)
        };
        let (nonce, salt, iterations) = (attribute("r=")?, attribute("s=")?, attribute("i=")?);
        if nonce.strip_prefix(own_nonce).is_none_or(str::is_empty) {
            return Err(AuthenticationError::new(
                "the server's nonce doesn't continue this client's",
            ));
        }
        let salt = BASE64.decode(salt).map_err(|_| NO_SALT)?;
        let iterations: u32 = iterations.parse().map_err(|_| NO_SALT)?;
        // Fewer are no protection (RFC 7677 section 4), and many more are an attack on this
        // client's time.
        if !(4_096..=600_000).contains(&iterations) {
            return Err(AuthenticationError::new("too few iterations, or too many"));
        }
        Ok(Self {
            nonce,
            salt,
            iterations: iterations.try_into().map_err(|_| NO_SALT)?,
        })
    }
}

fn random_nonce() -> String {
    let mut bytes = [0; 18];
    // An empty nonce is refused where the exchange begins.
    rand::fill(&mut bytes).map_or_else(|_| String::new(), |()| BASE64.encode(bytes))
}

/// TLS is below, and this client doesn't bind to it.
const NO_CHANNEL_BINDING: &str = "n,,";
const NO_SALT: AuthenticationError = AuthenticationError::new("no salt from the server");
const NO_SIGNATURE: AuthenticationError = AuthenticationError::new("no signature from the server");

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677 section 3.
    const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
    const SERVER_FIRST: &[u8] =
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    const CLIENT_FINAL: &[u8] = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
        p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    const SERVER_FINAL: &[u8] = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

    fn begun() -> Scram {
        let mut scram = Scram::new("user", "pencil".into(), NONCE.into());
        scram.begin().unwrap();
        scram
    }

    fn said(data: Option<Secret<Vec<u8>>>) -> Vec<u8> {
        data.unwrap().expose().clone()
    }

    #[test]
    fn the_example_of_rfc_7677_is_reproduced() {
        let mut scram = Scram::new("user", "pencil".into(), NONCE.into());
        assert_eq!(
            said(scram.begin().unwrap()),
            b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
        );
        assert_eq!(
            said(scram.respond(Some(SERVER_FIRST)).unwrap()),
            CLIENT_FINAL
        );
        assert_eq!(scram.finish(Some(SERVER_FINAL)), Ok(()));
    }

    #[test]
    fn a_server_without_the_password_fails_authentication() {
        for end in [
            &b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5="[..],
            b"v=",
            b"e=other-error",
            b"",
        ] {
            let mut scram = begun();
            scram.respond(Some(SERVER_FIRST)).unwrap();
            assert!(scram.finish(Some(end)).is_err());
        }
        assert!(
            begun().finish(Some(SERVER_FINAL)).is_err(),
            "it has proved nothing"
        );
        let mut scram = begun();
        scram.respond(Some(SERVER_FIRST)).unwrap();
        assert!(scram.finish(None).is_err());
    }

    #[test]
    fn a_malformed_challenge_is_not_answered() {
        let challenges: [&[u8]; 8] = [
            b"r=another,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            b"r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            b"r=rOprNGfwEbeRWgbNEkqOx,s=?,i=4096",
            b"r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4095",
            b"r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4294967295",
            b"r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==",
            b"m=ext,r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            b"\xFF",
        ];
        for challenge in challenges {
            assert!(begun().respond(Some(challenge)).is_err(), "{challenge:?}");
        }
        assert!(begun().respond(None).is_err());
        let mut scram = begun();
        scram.respond(Some(SERVER_FIRST)).unwrap();
        assert!(scram.respond(Some(SERVER_FIRST)).is_err(), "asked twice");
    }

    #[test]
    fn names_are_escaped_and_unprepared_text_is_refused() {
        let mut scram = Scram::new("a,b=c", "p".into(), "x".into());
        assert_eq!(said(scram.begin().unwrap()), b"n,,n=a=2Cb=3Dc,r=x");
        for (user, password) in [("M\u{fc}ller", "p"), ("u", "\u{df}"), ("u\n", "p")] {
            assert!(
                Scram::new(user, password.into(), "x".into())
                    .begin()
                    .is_err()
            );
        }
    }

    #[test]
    fn nonces_differ() {
        assert_ne!(random_nonce(), random_nonce());
    }
}
