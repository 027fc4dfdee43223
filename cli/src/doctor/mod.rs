//! `dunlin doctor`: checks a connection stage by stage, and explains the first failure.

#![expect(
    clippy::disallowed_methods,
    reason = "the check tells a person how long each stage takes"
)]

mod cause;
mod change;
mod check;
mod evidence;
mod http;
mod log;
mod plan;
mod stage;
mod ways;

use dunlin_client::aws::http_publish::HttpPublishOptions;

use self::cause::{Outcome, Tried};
use self::change::Change;
use self::evidence::Evidence;
use self::log::StageLog;
use self::plan::DoctorPlan;
use self::stage::Stage;
use crate::args::{DoctorArgs, Sources};
use crate::client_run::{ClientRun, ReportForm, RunOutcome, dry_run};
use crate::diagnosis::{Diagnosis, RunContext};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::runtime::block_on;
use crate::signal::StopSignal;
use crate::terminal::Console;

/// Checks the connection of the flags.
///
/// # Errors
/// [`Failure::Diagnosed`] with the failure of the first stage that fails; [`Failure::Local`] if
/// standard output can't be written.
pub(crate) fn run(typed: DoctorArgs, sources: &Sources, console: Console) -> Result<Exit, Failure> {
    // The first stage needs no runtime, and nothing is sent in it.
    let results = typed.connection.results;
    let plan = match DoctorPlan::new(typed, sources, console) {
        Ok(plan) => plan,
        Err(diagnosis) if results.dry_run => return Err(diagnosis.into()),
        Err(diagnosis) => {
            let log = StageLog::new(Stage::of_unknown(), results.json);
            log.failed(&diagnosis);
            log.print_kept()?;
            return Err(diagnosis.into());
        }
    };
    if let Some(options) = &plan.connection.http {
        let message = plan.message()?;
        if results.dry_run {
            return dry_run::print_http(&plan.connection, options, Some(message));
        }
        return block_on(http::check(
            &plan,
            HttpPublishOptions::clone(options),
            message,
        ));
    }
    if results.dry_run {
        return dry_run::print_for(&plan.connection, &plan.packets()?);
    }
    block_on(check(plan, console))
}

/// Runs the stages of the network.
async fn check(mut plan: DoctorPlan, console: Console) -> Result<Exit, Failure> {
    let mut stop = StopSignal::install()?;
    let log = start_log(&mut plan);
    let connection = &plan.connection;
    let mut run = ClientRun::start(connection, ReportForm::Stages, console, stop.clone())?;
    log.attach(run.output.clone());

    let mut outcome = check::run(&plan, &mut run, &log).await;
    let failure = match &outcome {
        Ok(()) => None,
        Err(RunOutcome::Failed(diagnosis)) => Some(Diagnosis::clone(diagnosis)),
        Err(RunOutcome::Stopped(_) | RunOutcome::Output(_)) => return run.finish(outcome).await,
    };
    if let Some(failure) = &failure {
        log.failed(failure);
    }
    if plan.tries_all {
        // The other ways use the same client identifier, so that this connection ends first. An
        // error of its end would hide the outcome of the check.
        let _ = run.disconnect().await;
        let given = Tried {
            change: Change::None,
            outcome: Outcome {
                failure,
                ignores_alpn: log.ignores_alpn(),
            },
        };
        if let Err(stopped) = ways::run(connection, given, &log, console, &mut stop).await {
            outcome = Err(stopped);
        }
    }
    run.finish(outcome).await
}

/// Log with the stages of the connection, which its transport reports to.
fn start_log(plan: &mut DoctorPlan) -> StageLog {
    let connection = &mut plan.connection;
    let context: &RunContext = &connection.context;
    let stages = Stage::of(context, &connection.client.transport);
    let log = StageLog::new(stages, connection.results.json);
    log.passed(Stage::Flags, &Evidence::flags(context), None);
    connection.client.transport.observer = Some(log.observer(context));
    log
}
