//! Places in which a client may put the parameters of its custom authorizer.

use core::fmt;

/// Place of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParameterSource {
    /// User name of the CONNECT.
    UserName,
    /// Query of the HTTP request.
    Query,
    /// Header of the HTTP request.
    Header,
}

impl fmt::Display for ParameterSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UserName => "user name",
            Self::Query => "query",
            Self::Header => "headers",
        })
    }
}
