//! The processes of one handler: kept between calls, replaced when the code changes.

use core::fmt;
use core::num::NonZeroUsize;
use core::pin::pin;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;

use serde_json::Value;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};

use crate::authorizer::calls::LambdaLimits;
use crate::authorizer::lambda::LambdaFault;
use crate::authorizer::lambda::code::CodeState;
use crate::authorizer::lambda::handler::Handler;
use crate::authorizer::lambda::instance::{Instance, Reply};
use crate::authorizer::lambda::output::OutputLog;
use crate::authorizer::lambda::watchdog::Watchdog;
use crate::policy::ArnScope;

/// The processes of one handler that wait for a call. There are never more than calls that run at
/// the same time.
pub(in crate::authorizer) struct Instances {
    state: Mutex<State>,
    /// One permit for each process that may load its handler at the same time: more than there are
    /// processors would slow each other down until all of them are too late.
    loading: Semaphore,
    /// Notified when a process waits for a call.
    returned: Notify,
    /// When the last look at the code began. Held during a look: looks that overlap could find an
    /// old state after a new one.
    looked: tokio::sync::Mutex<Option<Instant>>,
}

#[derive(Default)]
struct State {
    idle: Vec<Instance>,
    /// `None` before the first call.
    code: Option<CodeState>,
    /// Counts the changes of the code.
    generation: u64,
}

/// What one call needs besides the handler and the event.
#[derive(Clone, Copy)]
pub(in crate::authorizer) struct CallContext<'a> {
    pub(in crate::authorizer) authorizer: &'a str,
    pub(in crate::authorizer) limits: LambdaLimits,
    pub(in crate::authorizer) scope: Option<&'a ArnScope>,
    pub(in crate::authorizer) watchdog: Option<&'a Watchdog>,
    pub(in crate::authorizer) log: &'a (dyn Fn(String) + Sync),
}

impl Instances {
    /// Runs the handler once: in a process that waits, or else in a new one.
    #[expect(
        clippy::disallowed_methods,
        reason = "measures how long an authorizer runs"
    )]
    pub(super) async fn call(
        &self,
        handler: &Handler,
        event: &Value,
        context: CallContext<'_>,
    ) -> Result<Value, LambdaFault> {
        let limit = context.limits.timeout;
        let mut log = OutputLog::new(context.log);
        let generation = self.check_code(&handler.code, context.log).await;
        let (mut instance, loading) = self.instance(handler, context).await?;

        // The time of the call includes loading, as a cold start does at AWS.
        let began = Instant::now();
        let run = async {
            if let Some(permit) = loading {
                instance.wait_until_loaded(&mut log).await?;
                drop(permit);
            }
            instance
                .call(event, limit.saturating_sub(began.elapsed()), &mut log)
                .await
        };
        let outcome = timeout(limit, run).await;
        log.finish();
        match outcome {
            Ok(Ok(reply)) => {
                self.give_back(instance, generation);
                match reply {
                    Reply::Answer(answer) => Ok(answer),
                    Reply::Failed(error) => Err(LambdaFault::reported_type(&error)),
                }
            }
            Ok(Err(fault)) => {
                instance.kill().await;
                Err(fault)
            }
            Err(_) => {
                instance.kill().await;
                Err(LambdaFault::TimedOut(limit))
            }
        }
    }

    /// A process that waits for a call, or else a new one, with its permit to load: whichever can
    /// be had first.
    async fn instance(
        &self,
        handler: &Handler,
        context: CallContext<'_>,
    ) -> Result<(Instance, Option<SemaphorePermit<'_>>), LambdaFault> {
        loop {
            // Registered before looking: a process that comes back in between isn't missed.
            let mut returned = pin!(self.returned.notified());
            returned.as_mut().enable();
            if let Some(instance) = self.take_idle() {
                return Ok((instance, None));
            }
            tokio::select! {
                permit = self.loading.acquire() => {
                    let facts = handler.facts(context.authorizer, context.scope);
                    let instance = Instance::start(handler, facts, context.watchdog).await?;
                    return Ok((instance, permit.ok()));
                }
                () = returned => {}
            }
        }
    }

    /// Looks whether a file has changed since the last call; if so, the processes that wait are
    /// ended. Returns the number of changes so far.
    #[expect(
        clippy::disallowed_methods,
        reason = "measures how long an authorizer runs"
    )]
    async fn check_code(&self, folder: &Path, log: &(dyn Fn(String) + Sync)) -> u64 {
        let arrived = Instant::now();
        let mut looked = self.looked.lock().await;
        // A look that began after this call did is as good as one of its own.
        if looked.is_some_and(|began| began >= arrived) {
            return self.lock().generation;
        }
        let began = Instant::now();
        let path = folder.to_path_buf();
        let Ok(now) = spawn_blocking(move || CodeState::of(&path)).await else {
            return self.lock().generation;
        };
        *looked = Some(began);
        let (generation, changed, ended) = {
            let mut state = self.lock();
            let before = state.code.take();
            let changed =
                before.and_then(|before| now.changed_since(&before).map(Path::to_path_buf));
            state.code = Some(now);
            let mut ended = Vec::new();
            if changed.is_some() {
                state.generation += 1;
                ended = core::mem::take(&mut state.idle);
            }
            (state.generation, changed, ended)
        };
        // Killing takes a while: not under the lock.
        drop(ended);
        if let Some(file) = changed {
            log(format!(
                "(sandbox) {} has changed: new processes from here on",
                file.display()
            ));
        }
        generation
    }

    fn take_idle(&self) -> Option<Instance> {
        let mut state = self.lock();
        while let Some(mut instance) = state.idle.pop() {
            if instance.is_alive() {
                return Some(instance);
            }
        }
        None
    }

    /// Keeps a process for the next call, unless the code has changed since its own began.
    fn give_back(&self, instance: Instance, generation: u64) {
        let mut state = self.lock();
        if state.generation == generation {
            state.idle.push(instance);
            self.returned.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Instances {
    fn default() -> Self {
        let processors = available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            state: Mutex::default(),
            loading: Semaphore::new(processors),
            returned: Notify::new(),
            looked: tokio::sync::Mutex::default(),
        }
    }
}

impl fmt::Debug for Instances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instances")
            .field("idle", &self.lock().idle.len())
            .finish_non_exhaustive()
    }
}
