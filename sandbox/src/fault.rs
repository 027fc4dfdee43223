//! Faults on demand: each makes one error of the command's table, so that every error text can be
//! tried and tested.

mod plan;
mod spelling;

use std::time::Duration;

use dunlin_codec::{PacketType, ReasonCode};

pub(crate) use plan::{FaultPlan, TimedFault};

/// Something that this sandbox does wrong on purpose. Parses from the spelling of the `--fault`
/// option.
///
/// ```
/// use dunlin_sandbox::Fault;
///
/// let fault: Fault = "connack=0x88:closed for lunch".parse()?;
/// assert_eq!(fault.to_string(), "connack=0x88:closed for lunch");
/// assert!("connack=0x8b".parse::<Fault>().is_err()); // 0x8B never stands in a CONNACK
/// # Ok::<(), dunlin_sandbox::FaultError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// The server certificate is wrong.
    Certificate(CertificateFault),
    /// No ALPN protocol is selected, and the connection is closed instead of a CONNACK.
    NoAlpn,
    /// Every CONNECT is refused with this.
    ConnAck {
        /// 0x80 or above.
        reason_code: ReasonCode,
        /// Sent along where it is given.
        reason_string: Option<String>,
    },
    /// The connection is closed instead of a CONNACK.
    DropOnConnect,
    /// Every subscription is refused with this.
    SubAck(ReasonCode),
    /// The connection is closed instead of a SUBACK.
    DropOnSubscribe,
    /// Every PUBLISH with QoS 1 is refused with this.
    PubAck(ReasonCode),
    /// The connection is closed at a PUBLISH.
    DropOnPublish,
    /// PINGREQ is not answered.
    NoPingResp,
    /// DISCONNECT with this code, some time after the CONNACK.
    Disconnect {
        /// The code.
        reason_code: ReasonCode,
        /// Time since the CONNACK.
        after: Duration,
    },
    /// A TCP reset, some time after the CONNACK.
    Reset {
        /// Time since the CONNACK.
        after: Duration,
    },
    /// CONNECT is not answered.
    Silent,
    /// PUBLISH is delivered and not acknowledged.
    NoPubAck,
    /// PUBLISH is acknowledged and delivered to nobody.
    NoDeliver,
    /// A CONNACK that breaks the standard.
    Malformed,
    /// The port is that of an HTTP proxy, which answers every CONNECT of HTTP with this status, 400
    /// to 599.
    Proxy(u16),
    /// All packets of the server are sent this much later.
    Delay(Duration),
}

/// Fault of the server certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CertificateFault {
    /// The CA of the certificate isn't the one in `ca.pem`.
    UnknownCa,
    /// The certificate is for another host.
    WrongHost,
    /// The certificate was valid until yesterday.
    Expired,
    /// The certificate will be valid from tomorrow.
    NotYet,
}

/// Error of a text that is no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultError {
    /// No fault has this name.
    #[error("unknown fault {0:?}; the faults are: {list}", list = Fault::spellings().collect::<Vec<_>>().join(", "))]
    Unknown(String),
    /// A name that is right, with a value that isn't.
    #[error("{fault}: {problem}; write it as {spelling}")]
    Value {
        /// Text that was typed.
        fault: String,
        /// Problem of the value.
        problem: ValueProblem,
        /// Spelling of the fault.
        spelling: &'static str,
    },
}

/// Problem of the value of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ValueProblem {
    /// Not a number, or not a reason code of MQTT 5.
    #[error("that is no reason code")]
    NoReasonCode,
    /// A reason code that may not stand in that packet, or refuses nothing.
    #[error("a server can't refuse with {reason_code} in {}", packet.name())]
    Illegal {
        /// The code.
        reason_code: ReasonCode,
        /// The packet.
        packet: PacketType,
    },
    /// Not a status that an HTTP proxy refuses with.
    #[error("a proxy refuses with 400 to 599")]
    NoStatus,
    /// The time can't be read.
    #[error("that is no time (500ms, 2s, a day at most)")]
    NoTime,
    /// The reason string has more than 65,535 bytes, or a control character or mark that a terminal
    /// would obey.
    #[error("that can't be a reason string: no control characters, 65535 bytes at most")]
    NoReasonString,
}
