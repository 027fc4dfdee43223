//! `dunlin pub`: publishes messages from flags, files, lines or JSON lines.

#![expect(
    clippy::disallowed_methods,
    reason = "intervals and round trips are measured in real time"
)]

mod http;
mod input;
mod json_line;
mod plan;
mod publisher;
mod store;
mod template;

use self::plan::PublishPlan;
use self::publisher::Publisher;
use crate::args::{PublishArgs, Sources};
use crate::client_run::{ClientRun, ReportForm, dry_run};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::runtime::block_on;
use crate::signal::StopSignal;
use crate::terminal::Console;

/// Publishes all messages and waits until the server has acknowledged them.
///
/// # Errors
/// [`Failure::Diagnosed`] for flags or input that can't be used and for what went wrong with the
/// server; [`Failure::Local`] if input or output fails.
pub(crate) fn run(
    typed: PublishArgs,
    sources: &Sources,
    console: Console,
) -> Result<Exit, Failure> {
    // Checked before a runtime starts: mistakes need no threads.
    let plan = PublishPlan::new(typed, sources, console)?;
    if let Some(options) = &plan.connection.http {
        if plan.connection.results.dry_run {
            return dry_run::print_http(&plan.connection, options, plan.first_message()?);
        }
        return block_on(http::publish(&plan, options));
    }
    if plan.connection.results.dry_run {
        return dry_run::print_for(&plan.connection, &plan.packets()?);
    }
    block_on(publish(plan, console))
}

async fn publish(plan: PublishPlan, console: Console) -> Result<Exit, Failure> {
    let stop = StopSignal::install()?;
    let form = ReportForm::Messages;
    let store = plan.store.as_deref().map(store::open).transpose()?;
    let mut run = ClientRun::start_with_store(&plan.connection, form, store, console, stop)?;
    let mut publisher = Publisher::new(&plan);
    let outcome = publisher.publish_all(&mut run).await;
    // What a store still has is told, because the next run sends it.
    let outcome = match (&plan.store, outcome) {
        (Some(path), Err(outcome)) => Err(store::explain(path, &run.client, outcome, console)),
        (_, outcome) => outcome,
    };
    run.finish(outcome).await
}
