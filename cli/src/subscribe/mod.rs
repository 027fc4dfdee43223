//! `dunlin sub`: subscribes, and prints messages.

#![expect(
    clippy::disallowed_methods,
    reason = "times of messages, rates and time limits are those of the real clock"
)]

mod clock;
mod folder;
mod format;
mod plan;
mod printer;
mod stats;
mod streams;
mod subscriber;

pub(crate) use self::plan::filters;
pub(crate) use self::streams::Streams;

use self::plan::SubscribePlan;
use self::subscriber::Subscriber;
use crate::args::{Sources, SubscribeArgs};
use crate::client_run::{ClientRun, ReportForm, dry_run};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::runtime::block_on;
use crate::signal::StopSignal;
use crate::terminal::Console;

/// Subscribes, and prints messages until the count or the time is reached, or the verb is stopped.
///
/// # Errors
/// [`Failure::Diagnosed`] for flags that can't be used and for what went wrong with the server;
/// [`Failure::Local`] if a message can't be written.
pub(crate) fn run(
    typed: SubscribeArgs,
    sources: &Sources,
    console: Console,
) -> Result<Exit, Failure> {
    // Checked before a runtime starts: mistakes need no threads.
    let plan = SubscribePlan::new(typed, sources, console)?;
    if plan.connection.results.dry_run {
        return dry_run::print_for(&plan.connection, &plan.packets()?);
    }
    block_on(subscribe(plan, console))
}

async fn subscribe(plan: SubscribePlan, console: Console) -> Result<Exit, Failure> {
    let stop = StopSignal::install()?;
    let mut run = ClientRun::start(&plan.connection, ReportForm::Messages, console, stop)?;
    // The streams live until DISCONNECT: dropped before, they would end the subscriptions.
    let mut subscriber = Subscriber::new(&plan)?;
    let outcome = subscriber.run(&mut run).await;
    subscriber.unsubscribe(&run).await;
    run.finish(outcome).await
}
