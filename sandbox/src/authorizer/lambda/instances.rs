//! The processes of one handler: kept between calls, replaced when the code changes.

use core::fmt;
use core::num::NonZeroUsize;
use core::pin::pin;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;

use serde_json::Value;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, timeout};

use crate::authorizer::calls::{CallPermit, LambdaLimits, MAX_WAIT, QueueError};
use crate::authorizer::lambda::LambdaError;
use crate::authorizer::lambda::code::CodeState;
use crate::authorizer::lambda::handler::Handler;
use crate::authorizer::lambda::instance::{Instance, Reply};
use crate::authorizer::lambda::output::{LambdaLog, OutputLog};
use crate::authorizer::lambda::watchdog::Watchdog;
use crate::policy::ArnScope;

/// The processes of one handler, and the calls that run in them.
#[derive(Default)]
pub(in crate::authorizer) struct Instances {
    pool: Arc<InstancePool>,
    /// Calls that run. They end with this value, and so do their processes: a call has the pool and
    /// never this value.
    calls: Mutex<JoinSet<()>>,
}

/// The processes of one handler that wait for a call. There are never more than calls that run at
/// the same time.
struct InstancePool {
    state: Mutex<PoolState>,
    /// One permit for each process that may load its handler at the same time: more than there are
    /// processors would slow each other down until all of them are too late.
    loading: Arc<Semaphore>,
    /// Notified when a process waits for a call.
    returned: Notify,
    /// Start of the last check of the code. Locked during a check: checks that overlap could find
    /// an old state after a new one.
    checked: tokio::sync::Mutex<Option<Instant>>,
}

#[derive(Default)]
struct PoolState {
    idle: Vec<Instance>,
    /// `None` before the first call.
    code: Option<CodeState>,
    /// Number of changes of the code.
    generation: u64,
}

/// A process for one call.
struct Acquired {
    instance: Instance,
    /// The permit to load the handler, where the process is new.
    loading: Option<OwnedSemaphorePermit>,
    /// Number of changes of the code before the call.
    generation: u64,
}

/// Settings and outputs of one call.
#[derive(Clone)]
pub(in crate::authorizer) struct CallContext {
    pub(in crate::authorizer) authorizer: String,
    pub(in crate::authorizer) limits: LambdaLimits,
    pub(in crate::authorizer) scope: Option<ArnScope>,
    pub(in crate::authorizer) watchdog: Option<Watchdog>,
    pub(in crate::authorizer) log: LambdaLog,
}

impl Instances {
    /// Runs the handler once: in a process that waits, or else in a new one.
    ///
    /// Cancel safe. Until there is a process, the call ends with this future. From then on it runs
    /// in a task of its own, as AWS lets an invocation finish after the client has hung up: it ends
    /// within the time-out, frees its permit, and its process serves the next call.
    ///
    /// # Errors
    /// [`LambdaError::NotCalled`] without a process within 60 seconds, and the other variants if the
    /// handler gave no answer.
    pub(super) async fn call(
        &self,
        handler: &Handler,
        event: Value,
        context: CallContext,
        permit: CallPermit,
    ) -> Result<Value, LambdaError> {
        // Until there is a process the call belongs to this future, and ends with it.
        let acquired = timeout(MAX_WAIT, self.pool.acquire(handler, &context)).await;
        let acquired = acquired.map_err(|_| QueueError::NoProcess)??;

        // From here on it is a task, which owns the permit: a client that hangs up stops waiting,
        // and the concurrency stays bounded all the same.
        let (answered, answer) = oneshot::channel();
        let pool = Arc::clone(&self.pool);
        let run = async move {
            let outcome = pool.run(acquired, &event, &context).await;
            drop(permit);
            // It fails if the client has hung up.
            let _ = answered.send(outcome);
        };
        {
            let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
            // Calls that have ended are removed: the set is as large as the calls that run.
            while calls.try_join_next().is_some() {}
            calls.spawn(run);
        }
        // The sender is dropped only if the task was aborted, which happens when the sandbox stops.
        answer.await.unwrap_or(Err(LambdaError::Stopped))
    }
}

impl InstancePool {
    /// Runs one call, and keeps its process for the next one unless it failed.
    #[expect(
        clippy::disallowed_methods,
        reason = "measures how long an authorizer runs"
    )]
    async fn run(
        &self,
        acquired: Acquired,
        event: &Value,
        context: &CallContext,
    ) -> Result<Value, LambdaError> {
        let Acquired {
            mut instance,
            loading,
            generation,
        } = acquired;
        let limit = context.limits.timeout;
        let mut log = OutputLog::new(&*context.log);

        // The time of the call includes loading, as a cold start does at AWS.
        let began = Instant::now();
        let run = async {
            // A new process loads its module first. The permit is returned then, and not after the
            // call.
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

        // An error of the handler leaves the process usable. After a time-out or a broken process
        // its state is unknown, and AWS discards it as well.
        match outcome {
            Ok(Ok(reply)) => {
                self.give_back(instance, generation);
                match reply {
                    Reply::Answer(answer) => Ok(answer),
                    Reply::Failed(error) => Err(LambdaError::reported_type(&error)),
                }
            }
            Ok(Err(fault)) => {
                instance.kill().await;
                Err(fault)
            }
            Err(_) => {
                instance.kill().await;
                Err(LambdaError::TimedOut(limit))
            }
        }
    }

    /// Returns a process that waits for a call, or else a new one, with its permit to load:
    /// whichever can be had first.
    ///
    /// Cancel safe: a process that was taken is returned without another await, and one that was
    /// just started is killed.
    ///
    /// # Errors
    /// [`LambdaError::NotStarted`].
    async fn acquire(
        &self,
        handler: &Handler,
        context: &CallContext,
    ) -> Result<Acquired, LambdaError> {
        let generation = self.check_code(&handler.code, &context.log).await;
        loop {
            // Registered before looking: a process that comes back in between isn't missed.
            let mut returned = pin!(self.returned.notified());
            returned.as_mut().enable();
            if let Some(instance) = self.take_idle() {
                return Ok(Acquired {
                    instance,
                    loading: None,
                    generation,
                });
            }
            tokio::select! {
                // Start one as soon as there is a processor for it, unless another call returns its
                // process before that.
                permit = Arc::clone(&self.loading).acquire_owned() => {
                    let facts = handler.facts(&context.authorizer, context.scope.as_ref());
                    let instance = Instance::start(handler, facts, context.watchdog.as_ref()).await?;
                    return Ok(Acquired { instance, loading: permit.ok(), generation });
                }
                () = returned => {}
            }
        }
    }

    /// Ends the processes that wait if a file has changed since the last call. Returns the number
    /// of changes so far.
    #[expect(
        clippy::disallowed_methods,
        reason = "measures how long an authorizer runs"
    )]
    async fn check_code(&self, folder: &Path, log: &LambdaLog) -> u64 {
        let arrived = Instant::now();
        let mut checked = self.checked.lock().await;
        // A check that began after this call did is as good as one of its own.
        if checked.is_some_and(|began| began >= arrived) {
            return self.lock().generation;
        }
        let began = Instant::now();
        // Reading the folder blocks, so it gets a thread of the runtime's pool.
        let path = folder.to_path_buf();
        let Ok(now) = spawn_blocking(move || CodeState::of(&path)).await else {
            return self.lock().generation;
        };
        *checked = Some(began);
        let (generation, changed, ended) = {
            let mut state = self.lock();
            let before = state.code.take();
            let changed =
                before.and_then(|before| now.changed_since(&before).map(Path::to_path_buf));
            state.code = Some(now);
            // Running calls keep their processes until they end; the generation tells `give_back`
            // that these are out of date.
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
        // The process that was used last comes first; one that has ended meanwhile is dropped.
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

    fn lock(&self) -> MutexGuard<'_, PoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for InstancePool {
    fn default() -> Self {
        let processors = available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            state: Mutex::default(),
            loading: Arc::new(Semaphore::new(processors)),
            returned: Notify::new(),
            checked: tokio::sync::Mutex::default(),
        }
    }
}

impl fmt::Debug for Instances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instances")
            .field("idle", &self.pool.lock().idle.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorizer::calls::CallQueue;
    use crate::authorizer::lambda::LambdaRuntime;

    #[expect(clippy::disallowed_methods, reason = "virtual time")]
    #[tokio::test(start_paused = true)]
    async fn a_call_waits_for_a_process_for_a_bounded_time() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("handler.py"), "").unwrap();
        let runtime = Some(LambdaRuntime::Python);
        let handler = Handler::named("handler.fn", runtime, folder.path()).unwrap();
        let limits = LambdaLimits::default();
        let context = CallContext {
            authorizer: "A".into(),
            limits,
            scope: None,
            watchdog: None,
            log: Arc::new(|_| ()),
        };

        // Every permit to load is taken, as by processes that load for long.
        let instances = Instances::default();
        let loading = Arc::clone(&instances.pool.loading);
        let all = u32::try_from(loading.available_permits()).unwrap();
        let _loading = loading.acquire_many(all).await.unwrap();

        let permit = CallQueue::new(limits).enter().await.unwrap();
        let began = Instant::now();
        let call = instances.call(&handler, Value::Null, context, permit);
        let refused = Err(LambdaError::NotCalled(QueueError::NoProcess));
        assert_eq!(call.await, refused);
        assert_eq!(began.elapsed(), MAX_WAIT);
    }
}
