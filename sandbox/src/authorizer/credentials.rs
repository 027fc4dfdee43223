//! Credentials of a client, as its CONNECT has them.

use core::fmt;

/// Credentials of a CONNECT. `Debug` shows no secret of them.
#[derive(Clone)]
pub struct Credentials {
    /// The client id; `None` where the server assigns it, which the Lambda isn't told.
    pub client_id: Option<String>,
    /// The MQTT user name, query and all.
    pub username: Option<String>,
    /// The MQTT password.
    pub password: Option<Vec<u8>>,
    /// The server name of the TLS handshake.
    pub server_name: Option<String>,
    /// Id of the connection for the Lambda: a UUID.
    pub connection_id: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("client_id", &self.client_id)
            .field("username", &"..")
            .field("password", &"..")
            .field("server_name", &self.server_name)
            .field("connection_id", &self.connection_id)
            .finish()
    }
}
