//! `SubscribePlan`: filters, limits and output of `dunlin sub`, checked before anything is sent.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::Duration;

use dunlin_client::QoS;
use dunlin_codec::{RetainHandling, SubscriptionIdentifier, SubscriptionOptions, TopicFilter};

use super::format::Format;
use crate::args::{RetainHandlingArg, Sources, SubscribeArgs, SubscriptionArgs};
use crate::config::{ConnectionConfig, Faults, smallest_example};
use crate::diagnosis::{Diagnosis, Try, quoted};
use crate::message::encode_subscribe;
use crate::terminal::Console;

/// Filters, output and end of one run.
pub(super) struct SubscribePlan {
    pub(super) connection: ConnectionConfig,
    pub(super) filters: Vec<(String, SubscriptionOptions)>,
    /// Subscription Identifier of the user; `None` leaves the choice to the client.
    pub(super) sub_id: Option<SubscriptionIdentifier>,
    /// True if the run continues a session, whose messages may match none of the filters.
    pub(super) continues_session: bool,
    /// Number of messages after which the run ends; `None` for no limit.
    pub(super) count: Option<u64>,
    /// Time after which the run ends; `None` for no limit.
    pub(super) time: Option<Duration>,
    pub(super) exit_after_suback: bool,
    pub(super) until_retained: bool,
    pub(super) no_retained: bool,
    /// Topics whose messages are left out.
    pub(super) filter_out: Vec<String>,
    pub(super) form: MessageForm,
    pub(super) stats: Option<Duration>,
    pub(super) folder: Option<PathBuf>,
    /// True if standard output is a terminal, for which control characters are escaped.
    pub(super) is_terminal: bool,
}

/// Form in which a message is printed.
#[derive(Debug)]
pub(super) enum MessageForm {
    Text {
        format: Format,
        /// True for a line break after each message.
        has_line_break: bool,
        /// True if nothing is printed for an empty payload, as mosquitto_sub does without a format.
        omits_empty: bool,
    },
    Json,
}

impl SubscribePlan {
    /// Checks the flags and reads the files that they name.
    ///
    /// # Errors
    /// Ids of exit code 2, or [`Id::Refused`](crate::diagnosis::Id::Refused) if no sandbox is
    /// running; nothing was sent.
    pub(super) fn new(
        mut typed: SubscribeArgs,
        sources: &Sources,
        console: Console,
    ) -> Result<Self, Diagnosis> {
        // All mistakes that can be found without reading a file are told together.
        let mut faults = Faults::default();
        let filters = faults.collect(filters("sub", &typed.subscription));
        for filter in &typed.filter_out {
            faults.collect(check_filter("--filter-out", filter));
        }
        let is_format_given = typed.format.is_some();
        let format = typed.format.as_deref().unwrap_or("%p");
        let format = faults.collect(Format::parse(format));

        // --timeout limits the run, and an answer to 100 s as well.
        let time = sources
            .on_command_line("timeout")
            .then_some(typed.connection.reliability.timeout);
        let reliability = &mut typed.connection.reliability;
        reliability.timeout = reliability.timeout.min(LONGEST_ANSWER);
        let continues_session = !typed.connection.session.clean_start;
        // In mosquitto_sub the flag prints topics, which a script may rely on.
        if sources.on_command_line("verbose")
            && !sources.on_command_line("format")
            && !sources.on_command_line("json")
        {
            console.note(
                "-v logs the connection; what mosquitto_sub prints for -v is -F '%t %p' here",
            );
        }
        let mut connection =
            ConnectionConfig::new(typed.connection, "sub", faults, sources, console)?;
        // All filters are in the first SUBSCRIBE of the client.
        connection.client.first_subscription_identifier = typed.sub_id;
        let (Some(filters), Some(format)) = (filters, format) else {
            return Err(no_topic("sub"));
        };
        let form = if connection.results.json {
            MessageForm::Json
        } else {
            MessageForm::Text {
                format,
                has_line_break: !typed.no_newline,
                omits_empty: !is_format_given,
            }
        };
        Ok(Self {
            connection,
            filters,
            sub_id: typed.sub_id,
            continues_session,
            count: typed.count,
            time,
            exit_after_suback: typed.exit_after_suback,
            until_retained: typed.until_retained,
            no_retained: typed.no_retained,
            filter_out: typed.filter_out,
            form,
            stats: typed.stats,
            folder: typed.output_dir,
            is_terminal: std::io::stdout().is_terminal(),
        })
    }

    /// SUBSCRIBE of the filters.
    ///
    /// # Errors
    /// [`Id::Usage`](crate::diagnosis::Id::Usage) for filters that can't be sent.
    pub(super) fn packets(&self) -> Result<Vec<Vec<u8>>, Diagnosis> {
        Ok(vec![encode_subscribe(&self.filters, self.sub_id)?])
    }
}

/// Filters with their options: one QoS for all, or one for each.
///
/// # Errors
/// [`Id::Usage`](crate::diagnosis::Id::Usage) for no filter, one that isn't valid, or another number of
/// QoS.
pub(crate) fn filters(
    verb: &str,
    typed: &SubscriptionArgs,
) -> Result<Vec<(String, SubscriptionOptions)>, Diagnosis> {
    if typed.topic.is_empty() {
        return Err(no_topic(verb));
    }
    for filter in &typed.topic {
        check_filter("--topic", filter)?;
    }
    let qos = |index: usize| match typed.qos.as_slice() {
        [] => Some(QoS::AtMostOnce),
        [one] => Some(*one),
        many if many.len() == typed.topic.len() => many.get(index).copied(),
        _ => None,
    };
    let handling = match typed.retain_handling {
        RetainHandlingArg::Always => RetainHandling::Send,
        RetainHandlingArg::New => RetainHandling::SendIfNew,
        RetainHandlingArg::Never => RetainHandling::DontSend,
    };
    let filters = typed.topic.iter().enumerate().map(|(index, filter)| {
        let qos = qos(index).ok_or_else(|| {
            Diagnosis::usage(format!(
                "--qos is given once for all filters, or once for each: {} filters, {} QoS",
                typed.topic.len(),
                typed.qos.len()
            ))
        })?;
        let options = SubscriptionOptions {
            qos,
            no_local: typed.no_local,
            retain_as_published: typed.retain_as_published,
            retain_handling: handling,
        };
        Ok((filter.clone(), options))
    });
    filters.collect()
}

fn check_filter(flag: &str, filter: &str) -> Result<(), Diagnosis> {
    match TopicFilter::new(filter) {
        Ok(_) => Ok(()),
        Err(error) => Err(Diagnosis::usage(format!(
            "{flag} {}: {error}",
            quoted(filter)
        ))),
    }
}

fn no_topic(verb: &str) -> Diagnosis {
    Diagnosis {
        try_: vec![Try::command(smallest_example(verb))],
        ..Diagnosis::usage("missing: --topic")
    }
}

/// Longest wait for an answer.
const LONGEST_ANSWER: Duration = Duration::from_secs(100);
