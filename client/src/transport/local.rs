//! `LocalEnd`: IP version and local address that connections are made with.

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::net::TcpSocket;

use crate::error::{IoFault, IpVersion, ResolveFault, TransportError};

/// IP version and local address of connections; each is `None` for any.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LocalEnd {
    pub(super) ip_version: Option<IpVersion>,
    pub(super) address: Option<IpAddr>,
}

impl LocalEnd {
    /// Selects the addresses of `host` that can be connected to; at least one.
    ///
    /// # Errors
    /// [`ResolveFault::NoAddressOf`] if there is none.
    pub(super) fn select(
        self,
        host: &str,
        addresses: Vec<SocketAddr>,
    ) -> Result<Vec<SocketAddr>, TransportError> {
        // A socket that is bound to an address of one version can't connect to the other.
        let versions = [self.ip_version, self.address.map(IpVersion::of)];
        let mut selected = addresses;
        for version in versions.into_iter().flatten() {
            selected.retain(|address| IpVersion::of(address.ip()) == version);
            if selected.is_empty() {
                return Err(TransportError::Resolve {
                    host: host.to_owned(),
                    fault: ResolveFault::NoAddressOf(version),
                });
            }
        }
        Ok(selected)
    }

    /// Checks that this computer has the local address.
    ///
    /// # Errors
    /// [`TransportError::LocalAddress`].
    pub(super) fn check(self) -> Result<(), TransportError> {
        let Some(address) = self.address else {
            return Ok(());
        };
        match socket(address) {
            Ok(_closed) => Ok(()),
            Err(error) => Err(TransportError::LocalAddress {
                address,
                fault: IoFault::from(&error),
            }),
        }
    }
}

/// New socket that is bound to a local address and a port that the system chooses.
pub(super) fn socket(from: IpAddr) -> io::Result<TcpSocket> {
    let socket = match from {
        IpAddr::V4(_) => TcpSocket::new_v4()?,
        IpAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.bind(SocketAddr::new(from, 0))?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_selected_by_ip_version() {
        let both: Vec<SocketAddr> = vec![
            "192.0.2.1:1".parse().unwrap(),
            "[2001:db8::1]:1".parse().unwrap(),
        ];
        let select = |ip_version, address: Option<&str>| {
            let address = address.map(|text| text.parse().unwrap());
            LocalEnd {
                ip_version,
                address,
            }
            .select("iot.example", both.clone())
        };
        assert_eq!(select(None, None).unwrap(), both);
        assert_eq!(select(Some(IpVersion::V4), None).unwrap(), both[..1]);
        assert_eq!(select(Some(IpVersion::V6), None).unwrap(), both[1..]);
        assert_eq!(select(None, Some("::1")).unwrap(), both[1..]);
        // Two options that contradict each other leave nothing.
        let error = select(Some(IpVersion::V4), Some("::1")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot resolve iot.example: no IPv6 address"
        );
    }
}
