//! Limits of a profile that a CONNECT is held to.

use dunlin_codec::{Connect, Will};

use crate::profile::Rules;
use crate::server::close_reason::CloseReason;
use crate::server::hub::Hub;
use crate::server::limit::{Limit, at_most};
use crate::server::topics;

/// Checks the client id, the authentication method and the will of a CONNECT.
///
/// # Errors
/// The end of the connection for the first limit that the CONNECT breaks.
pub(crate) fn check_connect(
    connect: &Connect<'_>,
    rules: &Rules,
    hub: &Hub,
) -> Result<(), CloseReason> {
    let id = connect.client_id;
    at_most(id.len(), rules.max_client_id, |has, most| Limit::ClientId {
        has,
        most,
    })?;
    if rules.reserves_dollar_ids && id.starts_with('$') {
        return Err(Limit::DollarId.into());
    }
    if connect.properties.authentication_method.is_some() {
        return Err(CloseReason::AuthenticationMethod);
    }
    match &connect.will {
        Some(will) => Ok(check_will(will, rules, hub)?),
        None => Ok(()),
    }
}

fn check_will(will: &Will<'_>, rules: &Rules, hub: &Hub) -> Result<(), Limit> {
    if will.qos > rules.maximum_qos {
        return Err(Limit::WillQoS(will.qos, rules.maximum_qos));
    }
    at_most(will.payload.len(), rules.max_payload, |has, most| {
        Limit::Payload { has, most }
    })?;
    topics::check_name(will.topic, rules)?;
    if will.payload.len() > SMALL_WILL && hub.is_short_of_memory() {
        return Err(Limit::WillMemory);
    }
    Ok(())
}

/// Bytes of a will that is taken even if the messages of all clients use up the memory.
const SMALL_WILL: usize = 4 * 1024;
