//! `Addresses`: IP version and local address of connections, from `-4`, `-6` and `--bind`.

use std::net::{IpAddr, TcpListener};

use dunlin_client::transport::IpVersion;

use crate::args::AddressArgs;
use crate::config::Server;
use crate::diagnosis::Diagnosis;

/// IP version and local address of connections; each is `None` for any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Addresses {
    pub(super) ip_version: Option<IpVersion>,
    pub(super) local: Option<IpAddr>,
}

impl Addresses {
    /// Checks the flags against each other, and against the server's address where it is known.
    /// `has_proxy` is true if a proxy is connected to in place of the server.
    ///
    /// # Errors
    /// [`Id::Usage`](crate::diagnosis::Id::Usage) for flags that contradict each other or the
    /// server's address, and for a local address that this computer doesn't have.
    pub(super) fn new(
        typed: AddressArgs,
        server: &Server,
        has_proxy: bool,
    ) -> Result<Self, Diagnosis> {
        // clap refuses both flags at once.
        let by_flag = match (typed.ipv4, typed.ipv6) {
            (true, _) => Some((IpVersion::V4, "-4")),
            (_, true) => Some((IpVersion::V6, "-6")),
            (false, false) => None,
        };
        let by_local = typed.bind.map(|local| (IpVersion::of(local), "--bind"));

        // Addresses of another version than the flags ask for.
        let server = server
            .connect_to
            .map(|address| (address.ip(), "--connect-to"))
            .or_else(|| Some((server.host.parse().ok()?, "--endpoint")))
            .filter(|_| !has_proxy);
        let named = [typed.bind.map(|local| (local, "--bind")), server];
        for (address, named_by) in named.into_iter().flatten() {
            let version = IpVersion::of(address);
            for (asked, flag) in [by_flag, by_local].into_iter().flatten() {
                if asked != version {
                    return Err(Diagnosis::usage(format!(
                        "{named_by} {address} is an address of {version}, and {flag} asks for {asked}"
                    )));
                }
            }
        }

        if let Some(local) = typed.bind {
            check_local(local)?;
        }
        Ok(Self {
            ip_version: by_flag.map(|(version, _)| version),
            local: typed.bind,
        })
    }
}

/// Checks that this computer has the address of `--bind`.
fn check_local(local: IpAddr) -> Result<(), Diagnosis> {
    match TcpListener::bind((local, 0)) {
        Ok(_closed) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AddrNotAvailable => Err(
            Diagnosis::usage(format!("--bind: this computer has no address {local}")),
        ),
        Err(error) => Err(Diagnosis::usage(format!("--bind {local}: {error}"))),
    }
}
