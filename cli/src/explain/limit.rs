//! Explanations of the limits of AWS IoT Core, from the table that the sandbox enforces and the
//! values that the client checks.

use dunlin_client::aws::ServiceLimits;
use dunlin_sandbox::ServiceLimit;

use super::page::ExplanationPage;

/// Limit with this name, in any case, with hyphens, underscores or spaces.
pub(super) fn named(words: &str) -> Option<ServiceLimit> {
    let name = words.to_lowercase().replace(['_', ' '], "-");
    ServiceLimit::all()
        .into_iter()
        .find(|limit| limit.name == name)
}

/// Page with all limits.
pub(super) fn list() -> ExplanationPage {
    let mut page = ExplanationPage::new("limits", "limits", "Limits of AWS IoT Core:");
    for limit in ServiceLimit::all() {
        page.row(limit.name, value(&limit));
    }
    page
}

/// Page about a limit.
pub(super) fn explain(limit: &ServiceLimit) -> ExplanationPage {
    let mut page = ExplanationPage::new(
        "limit",
        limit.name,
        format!("{}  {}", limit.name, value(limit)),
    );
    // The answer is that of the sandbox, which can be tried; AWS documents few of its own.
    page.section("limits:", limit.about);
    page.section("beyond:", format!("the sandbox answers: {}", limit.beyond));
    if of_client(limit.name).is_some() {
        page.section(
            "client:",
            "ConnectOptions::for_aws_iot checks it before anything is sent",
        );
    }
    page.section(
        "source:",
        "the page of AWS about quotas of IoT Core; some can be raised for an account",
    );
    page
}

/// Value with its unit, such as `30 to 1200 seconds`.
fn value(limit: &ServiceLimit) -> String {
    let numbers = match limit.minimum {
        Some(minimum) => format!("{minimum} to {}", limit.maximum),
        None => limit.maximum.to_string(),
    };
    format!("{numbers} {}", limit.unit).trim_end().to_owned()
}

/// Value that the client checks; `None` for a limit that it leaves to the service.
fn of_client(name: &str) -> Option<u64> {
    // All fields are named, so that a new one of the client is compared, too.
    let ServiceLimits {
        payload,
        topic,
        slashes,
        share_name,
        filters,
        subscriptions,
        shortest_keep_alive: _,
        longest_keep_alive,
        connect_interval,
        maximum_qos,
    } = ServiceLimits::default();
    let value = match name {
        "payload" => payload as u64,
        "topic" => topic as u64,
        "slashes" => slashes as u64,
        "share-name" => share_name as u64,
        "filters" => filters as u64,
        "subscriptions" => subscriptions as u64,
        "keep-alive" => longest_keep_alive.into(),
        "connect-interval" => connect_interval.as_secs(),
        "qos" => maximum_qos.level().into(),
        _ => return None,
    };
    Some(value)
}

#[cfg(test)]
mod tests {
    use dunlin_client::aws::PACE;

    use super::*;

    #[test]
    fn client_and_sandbox_have_the_same_limits() {
        let of_sandbox = |name: &str| named(name).unwrap();
        let mut compared = 0;
        for limit in ServiceLimit::all() {
            if let Some(value) = of_client(limit.name) {
                assert_eq!(value, limit.maximum, "{}", limit.name);
                compared += 1;
            }
        }
        assert_eq!(compared, 9, "a limit of the client has no row");
        let shortest = u64::from(ServiceLimits::default().shortest_keep_alive);
        assert_eq!(of_sandbox("keep-alive").minimum, Some(shortest));
        assert_eq!(of_sandbox("messages").maximum, u64::from(PACE.messages));
        assert_eq!(of_sandbox("throughput").maximum, u64::from(PACE.bytes));
    }

    #[test]
    fn a_limit_is_found_in_every_spelling() {
        for words in ["receive-maximum", "Receive Maximum", "RECEIVE_MAXIMUM"] {
            assert_eq!(named(words).unwrap().name, "receive-maximum");
        }
        assert_eq!(named("nonsense"), None);
        assert!(
            explain(&named("keep-alive").unwrap())
                .text()
                .starts_with("keep-alive  30 to 1200 seconds\n")
        );
    }
}
