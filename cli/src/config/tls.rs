//! TLS options of the flags and of the environment.

use std::path::{Path, PathBuf};

use dunlin_client::aws;
use dunlin_client::transport::{
    CaBundle, ClientCertificate, KeyLog, NameVerifier, Roots, ServerVerification, TlsConnector,
    TlsOptions, TlsOptionsError, TlsVersion,
};

use crate::args::{Alpn, Sources, TlsArgs, TlsMinimum};
use crate::config::{Asking, SecretArgs, Secrets};
use crate::diagnosis::{Diagnosis, Try, shell};
use crate::terminal::Console;

/// Makes the TLS configuration for a server at `host`.
///
/// # Errors
/// [`Id::Usage`](crate::diagnosis::Id::Usage) for certificates, keys and files that can't be used,
/// and for `--insecure` with a server of AWS IoT.
pub(super) fn connector(
    typed: TlsArgs,
    alpn: Alpn,
    host: &str,
    sources: &Sources,
    console: Console,
) -> Result<TlsConnector, Diagnosis> {
    let options = TlsOptions {
        verification: verification(&typed, host, sources, console)?,
        roots: if typed.platform_roots {
            platform_roots(sources)?
        } else {
            roots(typed.ca, typed.public_ca, console)?
        },
        client_certificate: client_certificate(
            typed.cert,
            typed.key,
            typed.key_password_file,
            sources,
            console,
        )?,
        alpn: match alpn {
            Alpn::Name(name) => vec![name.into_bytes()],
            Alpn::None => Vec::new(),
        },
        min_version: match typed.tls_min {
            Some(TlsMinimum::V1_3) => TlsVersion::V1_3,
            Some(TlsMinimum::V1_2) | None => TlsVersion::V1_2,
        },
        server_name: typed.sni,
        key_log: key_log(typed.keylog, sources, console)?,
        ..TlsOptions::default()
    };
    TlsConnector::new(&options).map_err(|error| match error {
        TlsOptionsError::InvalidServerName { .. } => Diagnosis::usage(format!("--sni: {error}")),
        error => Diagnosis::usage(format!("TLS: {error}")),
    })
}

/// Makes the TLS configuration for an `https://` proxy: the authorities of the web, those of
/// `SSL_CERT_FILE` where the variable names a file that can be read, and those of `--ca`.
///
/// # Errors
/// [`Id::Usage`](crate::diagnosis::Id::Usage) for a CA file that can't be used.
pub(super) fn for_proxy(ca: Option<&Path>) -> Result<TlsConnector, Diagnosis> {
    let shared = std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty());
    let roots = match (ca, shared) {
        (Some(ca), _) => CaBundle::from_pem_file(ca)
            .map(Roots::WebPkiAnd)
            .map_err(|error| unusable_ca(ca, &error))?,
        // A fault in the variable is told where the server's certificates are read.
        (None, Some(shared)) => CaBundle::from_pem_file(shared)
            .map(Roots::WebPkiAnd)
            .unwrap_or_default(),
        (None, None) => Roots::default(),
    };
    let options = TlsOptions {
        roots,
        ..TlsOptions::default()
    };
    TlsConnector::new(&options).map_err(|error| Diagnosis::usage(format!("TLS: {error}")))
}

/// Verification of the server's certificate: in full, with `--allow-common-name` and a warning by an
/// older rule for names, or with `--insecure` and a warning not at all.
fn verification(
    typed: &TlsArgs,
    host: &str,
    sources: &Sources,
    console: Console,
) -> Result<ServerVerification, Diagnosis> {
    if !typed.insecure && typed.allow_common_name {
        console.warning(
            "--allow-common-name: a certificate that names the host as its Common Name only is accepted; \
             whoever gets one from a trusted authority can pose as the server",
        );
        return Ok(ServerVerification::OrName(NameVerifier::common_name()));
    }
    if !typed.insecure {
        return Ok(ServerVerification::Full);
    }
    // The certificates of AWS IoT are always good: where one is rejected, somebody is in between.
    // Only the command line counts, so that no profile confirms it for every run.
    let is_aws = aws::is_aws_host(host) || typed.sni.as_deref().is_some_and(aws::is_aws_host);
    if is_aws && !sources.on_command_line("yes_really") {
        return Err(Diagnosis {
            likely: vec![
                "a proxy or virus scanner opens TLS connections on this network, if the \
                 certificate was rejected"
                    .into(),
            ],
            try_: vec![
                Try::advice("the same without --insecure"),
                Try::advice("--insecure --yes-really, if the credentials may become known"),
            ],
            ..Diagnosis::usage(
                "--insecure is refused for AWS IoT: whoever is in between would get the credentials",
            )
        });
    }
    console.warning(
        "--insecure: THE SERVER'S CERTIFICATE IS NOT VERIFIED; whoever redirects this connection can \
         read and change all of it, passwords included",
    );
    Ok(ServerVerification::Disabled)
}

/// Authorities that this computer trusts.
///
/// # Errors
/// [`Id::Usage`](crate::diagnosis::Id::Usage) beside `--ca`, or if there are none.
fn platform_roots(sources: &Sources) -> Result<Roots, Diagnosis> {
    // A CA of the environment or of a profile is for all servers; a typed one contradicts the flag.
    if sources.on_command_line("ca") {
        return Err(Diagnosis::usage(
            "--ca and --platform-roots contradict each other: the authorities are those of the file, or \
             those of this computer",
        ));
    }
    let bundle = CaBundle::from_platform();
    bundle
        .map(Roots::Only)
        .map_err(|error| Diagnosis::usage(format!("--platform-roots: {error}")))
}

/// Authorities of `--ca` and its variable, with `public` also those of the web; else those of
/// `SSL_CERT_FILE`, else those of the web.
fn roots(ca: Option<PathBuf>, public: bool, console: Console) -> Result<Roots, Diagnosis> {
    if let Some(ca) = ca {
        return match CaBundle::from_pem_file(&ca) {
            Ok(bundle) if public => Ok(Roots::WebPkiAnd(bundle)),
            Ok(bundle) => Ok(Roots::Only(bundle)),
            Err(error) => Err(unusable_ca(&ca, &error)),
        };
    }
    let shared = std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty());
    let Some(ca) = shared.map(PathBuf::from) else {
        return Ok(Roots::default());
    };
    // The variable is for all programs, so a fault in it does not end this one.
    Ok(bundle(&ca).unwrap_or_else(|error| {
        console.warning(format_args!("SSL_CERT_FILE is ignored: {error}"));
        Roots::default()
    }))
}

/// Certificate and key of the client, which belong together. The password of an encrypted key comes
/// from its file, or with `--ask` from the terminal.
fn client_certificate(
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    password_file: Option<PathBuf>,
    sources: &Sources,
    console: Console,
) -> Result<Option<ClientCertificate>, Diagnosis> {
    let (cert, key) = match (cert, key) {
        (None, None) => return Ok(None),
        (Some(cert), Some(key)) => (cert, key),
        (Some(_), None) => return Err(Diagnosis::usage("--cert also needs --key")),
        (None, Some(_)) => return Err(Diagnosis::usage("--key also needs --cert")),
    };
    // Read only if the key is encrypted. A mistake with its file is told in place of the key's.
    let mut mistake = None;
    let password = || {
        let args = SecretArgs {
            id: "key_password",
            value: None,
            file: password_file,
            asks: Asking::new(sources.is_chosen("ask"), sources.is_chosen("no_input")),
        };
        let read = Secrets::new(sources, console).resolve(args);
        read.unwrap_or_else(|diagnosis| {
            mistake = Some(diagnosis);
            None
        })
    };
    let loaded = ClientCertificate::from_pem_files_with_password(cert, key, password);
    match (loaded, mistake) {
        (_, Some(diagnosis)) => Err(diagnosis),
        (Ok(certificate), None) => Ok(Some(certificate)),
        (Err(error @ TlsOptionsError::EncryptedPrivateKey { .. }), None) => Err(Diagnosis {
            try_: vec![
                Try::advice("--key-password-file FILE, or --ask"),
                Try::advice(
                    "openssl pkcs8 -topk8 -in OLD -out NEW, if it begins with \"Proc-Type\"",
                ),
            ],
            ..Diagnosis::usage(format!("--key: {error}"))
        }),
        (Err(error), None) => Err(Diagnosis::usage(format!("--cert, --key: {error}"))),
    }
}

/// File for the secrets of TLS; `None` if none is named, or the one of the environment can't be
/// opened.
fn key_log(
    path: Option<PathBuf>,
    sources: &Sources,
    console: Console,
) -> Result<Option<KeyLog>, Diagnosis> {
    let Some(path) = path else {
        return Ok(None);
    };
    let flag = if sources.is_chosen("keylog") {
        "--keylog"
    } else {
        "SSLKEYLOGFILE"
    };
    let shown = path.display().to_string();
    let opened = KeyLog::to_file_or_else(path, move |fault| {
        console.warning(format_args!("{flag}: cannot write to {shown}: {fault}"));
    });
    match opened {
        Ok(key_log) => Ok(Some(key_log)),
        // The variable is for all programs, so a fault in it does not end this one.
        Err(error) if flag == "SSLKEYLOGFILE" => {
            console.warning(format_args!("SSLKEYLOGFILE is ignored: {error}"));
            Ok(None)
        }
        Err(error) => Err(Diagnosis::usage(format!("--keylog: {error}"))),
    }
}

/// Error for a CA file: a certificate in DER, which begins with a SEQUENCE, gets the command that
/// converts it.
fn unusable_ca(path: &Path, error: &TlsOptionsError) -> Diagnosis {
    // A certificate is longer than 127 bytes, so its length has the long form: 0x80 and above.
    let is_der = std::fs::File::open(path).is_ok_and(|mut file| {
        let mut start = [0; 2];
        std::io::Read::read_exact(&mut file, &mut start).is_ok()
            && start[0] == 0x30
            && start[1] >= 0x80
    });
    if !is_der {
        return Diagnosis::usage(format!("--ca: {error}"));
    }
    let name = shell(&path.display().to_string());
    Diagnosis {
        try_: vec![Try::command(format!(
            "openssl x509 -inform der -in {name} -out ca.pem"
        ))],
        ..Diagnosis::usage(format!(
            "--ca: {} is a certificate in DER; PEM is needed",
            path.display()
        ))
    }
}

/// Certificates of a CA file, which replace the system's.
fn bundle(path: &Path) -> Result<Roots, TlsOptionsError> {
    CaBundle::from_pem_file(path).map(Roots::from)
}
