//! Options of a connection: the transport, TLS and the keep alive.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dunlin_client::transport::{
    CaBundle, ClientCertificate, Roots, TlsConnector, TlsOptions, TlsOptionsError, TransportOptions,
};

use crate::args::{Alpn, ReliabilityArgs, TlsArgs};
use crate::config::{ProxyChoice, Server};
use crate::diagnosis::{Diagnosis, Try, shell};
use crate::terminal::Console;

/// Checks `--keep-alive`, and warns of values that AWS IoT replaces.
///
/// # Errors
/// [`Id::Usage`](crate::diagnosis::Id::Usage) unless it is 0 to 65,535 whole seconds.
pub(super) fn keep_alive(
    typed: Duration,
    is_aws: bool,
    console: Console,
) -> Result<Duration, Diagnosis> {
    // §3.1.2.10: the Keep Alive is a Two Byte Integer in seconds.
    let seconds = u16::try_from(typed.as_secs())
        .ok()
        .filter(|_| typed.subsec_nanos() == 0);
    let seconds = seconds
        .ok_or_else(|| Diagnosis::usage("--keep-alive takes whole seconds, 65535 at most"))?;
    if is_aws && !(30..=1200).contains(&seconds) {
        let instead = if (1..30).contains(&seconds) { 30 } else { 1200 };
        console.warning(format_args!(
            "AWS IoT takes a keep alive of 30 to 1200 s; it will use {instead} s"
        ));
    }
    Ok(typed)
}

/// Options of TCP, proxy and TLS for `server`.
///
/// # Errors
/// [`Id::Usage`](crate::diagnosis::Id::Usage) for certificates and keys that can't be used.
pub(super) fn transport(
    server: Server,
    proxy: Option<ProxyChoice>,
    typed: TlsArgs,
    alpn: Alpn,
    reliability: &ReliabilityArgs,
    console: Console,
) -> Result<TransportOptions, Diagnosis> {
    let options = tls(typed, alpn, console)?;
    let connector =
        TlsConnector::new(&options).map_err(|error| Diagnosis::usage(format!("TLS: {error}")))?;
    Ok(TransportOptions {
        connect_to: server.connect_to,
        proxy: proxy.map(|choice| choice.proxy),
        tls: server.is_tls.then(|| Arc::new(connector)),
        timeout: reliability.connect_timeout.min(reliability.timeout),
        ..TransportOptions::new(server.host, server.port)
    })
}

/// TLS options of the flags and of `SSL_CERT_FILE`.
fn tls(typed: TlsArgs, alpn: Alpn, console: Console) -> Result<TlsOptions, Diagnosis> {
    let mut options = TlsOptions::default();
    if let Some(ca) = typed.ca {
        options.roots = bundle(&ca).map_err(|error| unusable_ca(&ca, &error))?;
    } else if let Some(ca) = std::env::var_os("SSL_CERT_FILE")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
    {
        // The variable is for all programs, so a fault in it does not end this one.
        match bundle(&ca) {
            Ok(roots) => options.roots = roots,
            Err(error) => console.warning(format_args!("SSL_CERT_FILE is ignored: {error}")),
        }
    }
    // A certificate and its key belong together.
    options.client_certificate = match (typed.cert, typed.key) {
        (None, None) => None,
        (Some(cert), Some(key)) => Some(
            ClientCertificate::from_pem_files(cert, key)
                .map_err(|error| Diagnosis::usage(format!("--cert, --key: {error}")))?,
        ),
        (Some(_), None) => return Err(Diagnosis::usage("--cert also needs --key")),
        (None, Some(_)) => return Err(Diagnosis::usage("--key also needs --cert")),
    };
    if let Alpn::Name(name) = alpn {
        options.alpn = vec![name.into_bytes()];
    }
    Ok(options)
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
