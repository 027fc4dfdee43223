//! The faults of one sandbox, looked up by kind.

use std::time::Duration;

use dunlin_codec::{Escaped, ReasonCode};

use crate::fault::{CertificateFault, Fault};

/// All faults that were asked for. Where one excludes another, the first one given counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct FaultPlan {
    faults: Vec<Fault>,
}

/// Fault that happens some time after the CONNACK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimedFault {
    Disconnect(ReasonCode),
    Reset,
}

impl FaultPlan {
    pub(crate) fn new(mut faults: Vec<Fault>) -> Self {
        // A program may construct what no flag and no file can: a reason with control characters.
        // Escaped here once, so that no sender of a CONNACK has to.
        for fault in &mut faults {
            if let Fault::ConnAck {
                reason_string: Some(reason),
                ..
            } = fault
            {
                *reason = Escaped(&*reason).to_string();
            }
        }
        Self { faults }
    }

    pub(crate) fn has(&self, fault: &Fault) -> bool {
        self.faults.contains(fault)
    }

    pub(crate) fn certificate(&self) -> Option<CertificateFault> {
        self.first(|fault| {
            if let Fault::Certificate(certificate) = fault {
                Some(*certificate)
            } else {
                None
            }
        })
    }

    pub(crate) fn connack(&self) -> Option<(ReasonCode, Option<&str>)> {
        self.first(|fault| match fault {
            Fault::ConnAck {
                reason_code,
                reason_string,
            } => Some((*reason_code, reason_string.as_deref())),
            _ => None,
        })
    }

    pub(crate) fn suback(&self) -> Option<ReasonCode> {
        self.first(|fault| {
            if let Fault::SubAck(code) = fault {
                Some(*code)
            } else {
                None
            }
        })
    }

    pub(crate) fn puback(&self) -> Option<ReasonCode> {
        self.first(|fault| {
            if let Fault::PubAck(code) = fault {
                Some(*code)
            } else {
                None
            }
        })
    }

    /// The timed fault that comes first, counted from the CONNACK.
    pub(crate) fn timed(&self) -> Option<(Duration, TimedFault)> {
        // Only the earliest can happen: it ends the connection.
        let timed = self.faults.iter().filter_map(|fault| match fault {
            Fault::Disconnect { reason_code, after } => {
                Some((*after, TimedFault::Disconnect(*reason_code)))
            }
            Fault::Reset { after } => Some((*after, TimedFault::Reset)),
            _ => None,
        });
        timed.min_by_key(|(after, _)| *after)
    }

    /// The status of the proxy that the sandbox is instead of a server.
    pub(crate) fn proxy(&self) -> Option<u16> {
        self.first(|fault| {
            if let Fault::Proxy(status) = fault {
                Some(*status)
            } else {
                None
            }
        })
    }

    pub(crate) fn delay(&self) -> Option<Duration> {
        self.first(|fault| {
            if let Fault::Delay(delay) = fault {
                Some(*delay)
            } else {
                None
            }
        })
    }

    fn first<'a, T>(&'a self, pick: impl FnMut(&'a Fault) -> Option<T>) -> Option<T> {
        self.faults.iter().find_map(pick)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_timed_fault_happens() {
        let plan = FaultPlan::new(vec![
            "reset@2s".parse().unwrap(),
            "disconnect=0x8b@1s".parse().unwrap(),
        ]);
        let expected = (
            Duration::from_secs(1),
            TimedFault::Disconnect(ReasonCode::ServerShuttingDown),
        );
        assert_eq!(plan.timed(), Some(expected));
    }
}
