//! Tunnels through a SOCKS5 proxy (RFC 1928), with user name and password (RFC 1929).

use std::io;

use tokio::net::TcpStream;
use tokio_socks::tcp::Socks5Stream;
use tokio_socks::{Error, IntoTargetAddr as _};

use super::credentials::ProxyCredentials;
use crate::error::{IoFault, ProxyError, SocksReply};

/// Opens a tunnel to `host`, which the proxy resolves unless it is an IP address.
///
/// # Errors
/// [`ProxyError::Socks`] for a refusal, [`ProxyError::NoAuthenticationMethod`] and
/// [`ProxyError::CredentialsRefused`] for its authentication, [`ProxyError::CredentialsLength`] and
/// [`ProxyError::HostLength`] before anything is sent, [`ProxyError::NotSocks`],
/// [`ProxyError::Closed`] and [`ProxyError::Io`] for anything else.
pub(super) async fn open_tunnel(
    tcp: &mut TcpStream,
    credentials: Option<&ProxyCredentials>,
    host: &str,
    port: u16,
) -> Result<(), ProxyError> {
    // An IP address is sent as such, everything else as a host name.
    let target = (host, port)
        .into_target_addr()
        .map_err(|_longer_than_255_bytes| ProxyError::HostLength)?;
    // The stream around the socket holds nothing that was read: each answer is read exactly.
    let opened = match credentials {
        None => Socks5Stream::connect_with_socket(tcp, target).await,
        Some(ProxyCredentials { username, password }) => {
            let password = password.expose();
            Socks5Stream::connect_with_password_and_socket(tcp, target, username, password).await
        }
    };
    opened.map(drop).map_err(|error| failure(&error))
}

/// Cause of the failure that an error of tokio-socks stands for.
fn failure(error: &Error) -> ProxyError {
    let reply = match error {
        Error::GeneralSocksServerFailure => SocksReply::GeneralFailure,
        Error::ConnectionNotAllowedByRuleset => SocksReply::NotAllowed,
        Error::NetworkUnreachable => SocksReply::NetworkUnreachable,
        Error::HostUnreachable => SocksReply::HostUnreachable,
        Error::ConnectionRefused => SocksReply::ConnectionRefused,
        Error::TtlExpired => SocksReply::TtlExpired,
        Error::CommandNotSupported => SocksReply::CommandNotSupported,
        Error::AddressTypeNotSupported => SocksReply::AddressTypeNotSupported,
        Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return ProxyError::Closed;
        }
        Error::Io(error) => return ProxyError::Io(IoFault::from(error)),
        Error::NoAcceptableAuthMethods | Error::AuthorizationRequired => {
            return ProxyError::NoAuthenticationMethod;
        }
        Error::PasswordAuthFailure(_) => return ProxyError::CredentialsRefused,
        Error::InvalidAuthValues(_) => return ProxyError::CredentialsLength,
        // The rest are answers that RFC 1928 doesn't know.
        _ => return ProxyError::NotSocks,
    };
    ProxyError::Socks(reply)
}
