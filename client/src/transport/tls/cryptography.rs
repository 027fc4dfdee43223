//! `Cryptography`: library that does the cryptography of TLS.

use std::sync::Arc;

use tokio_rustls::rustls::crypto::{self, CryptoProvider};

#[cfg(not(any(feature = "aws-lc", feature = "ring")))]
compile_error!(
    "feature `tokio` of dunlin-client needs feature `aws-lc` or feature `ring`, for TLS"
);

/// Library that does the cryptography of TLS, whatever another part of the program has installed as the
/// default of rustls. Both need a C compiler to be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cryptography {
    /// aws-lc (feature `aws-lc`), which also has post-quantum key exchange. The default, unless only
    /// `ring` is compiled in.
    #[cfg(feature = "aws-lc")]
    AwsLc,
    /// ring (feature `ring`), which compiles in less time.
    #[cfg(feature = "ring")]
    Ring,
}

impl Default for Cryptography {
    #[cfg(feature = "aws-lc")]
    fn default() -> Self {
        Self::AwsLc
    }

    #[cfg(all(feature = "ring", not(feature = "aws-lc")))]
    fn default() -> Self {
        Self::Ring
    }
}

impl Cryptography {
    /// Provider for rustls. It is named everywhere and never installed as the default of the process,
    /// which is the application's to choose.
    pub(super) fn provider(self) -> Arc<CryptoProvider> {
        Arc::new(match self {
            #[cfg(feature = "aws-lc")]
            Self::AwsLc => crypto::aws_lc_rs::default_provider(),
            #[cfg(feature = "ring")]
            Self::Ring => crypto::ring::default_provider(),
        })
    }
}
