use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use corridor_core::Stop;
use tokio::sync::oneshot;

/// The bridge from async code to the CPU: a bounded pool of named threads.
#[derive(Debug, Clone)]
pub struct Compute {
    pool: Arc<rayon::ThreadPool>,
}

/// Niceness of threads in the background: a tenth of what a thread that answers calls gets, when both want the same core.
const BEHIND_CALLS: i32 = 10;

/// Work that gave no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ComputeError {
    /// The pool could not be made.
    #[error("the pool of {threads} threads could not be made")]
    Pool {
        /// Threads asked for.
        threads: usize,
    },
    /// The work panicked. A defect of this program.
    #[error("a computation ended in the middle, which is a defect of this program")]
    Panicked,
}

impl Compute {
    /// A pool of `threads` threads; 0 means one per core.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn new(threads: usize) -> Result<Self, ComputeError> {
        Self::build(threads, rayon::ThreadPoolBuilder::new())
    }

    /// The same with threads that leave the cores to those that answer calls, whenever there is one to answer.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn in_background(threads: usize) -> Result<Self, ComputeError> {
        let behind = |_| {
            // Of the thread alone, on Linux. One that gives way more than that already stays as it is.
            let is_ahead = rustix::process::getpriority_process(None).is_ok_and(|own| own < BEHIND_CALLS);
            if is_ahead && rustix::process::setpriority_process(None, BEHIND_CALLS).is_err() {
                tracing::debug!("a thread for runs has the priority of those that answer calls");
            }
        };
        Self::build(threads, rayon::ThreadPoolBuilder::new().start_handler(behind))
    }

    fn build(threads: usize, builder: rayon::ThreadPoolBuilder) -> Result<Self, ComputeError> {
        builder
            .num_threads(threads)
            .thread_name(|index| format!("compute-{index}"))
            .build()
            .map(|pool| Self { pool: Arc::new(pool) })
            .map_err(|_| ComputeError::Pool { threads })
    }

    /// Threads of the pool.
    pub fn thread_count(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Runs `work` on the pool and waits without blocking. Work whose caller has left is not begun; where it was, its [`Stop`] is set.
    /// A panic comes back as an error.
    ///
    /// # Errors
    /// When the work panicked.
    pub async fn run<T, F>(&self, work: F) -> Result<T, ComputeError>
    where
        T: Send + 'static,
        F: FnOnce(&Stop) -> T + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let caller = Caller(Stop::default());
        let stop = caller.0.clone();
        self.pool.spawn(move || {
            if sender.is_closed() {
                return;
            }
            let outcome = catch_unwind(AssertUnwindSafe(|| work(&stop)));
            // A caller that left in the meantime does not want the value.
            drop(sender.send(outcome));
        });
        let outcome = receiver.await;
        drop(caller);
        match outcome {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(_)) | Err(_) => Err(ComputeError::Panicked),
        }
    }

    /// Runs `work` on the pool and waits for it, for callers that are not async.
    pub fn run_blocking<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.pool.install(work)
    }
}

/// Whoever waits for work. Once he is gone, it is no longer wanted.
struct Caller(Stop);

impl Drop for Caller {
    fn drop(&mut self) {
        self.0.set();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Niceness of the thread that asks: the 19th field, and the 17th after the name, which may have blanks.
    #[cfg(target_os = "linux")]
    fn niceness() -> i32 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let (_, after_name) = stat.rsplit_once(") ").unwrap();
        after_name.split(' ').nth(16).unwrap().parse().unwrap()
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn threads_in_the_background_give_way_and_no_others_do() {
        let own = niceness();
        let background = Compute::in_background(2).unwrap();
        assert_eq!(background.run_blocking(niceness), own.max(BEHIND_CALLS));
        assert_eq!(Compute::new(1).unwrap().run_blocking(niceness), own);
        assert_eq!(niceness(), own, "nor does whoever made them");
    }

    #[tokio::test]
    async fn a_panic_comes_back_as_an_error() {
        let compute = Compute::new(1).unwrap();
        assert_eq!(compute.run(|_| 1 + 1).await, Ok(2));
        let panicking: Result<(), _> = compute.run(|_| panic!("as intended")).await;
        assert_eq!(panicking, Err(ComputeError::Panicked));
        assert_eq!(compute.run(|_| 3).await, Ok(3), "the pool goes on");
    }

    #[tokio::test]
    async fn work_learns_that_its_caller_has_left() {
        let compute = Compute::new(1).unwrap();
        let (begun, begins) = oneshot::channel();
        let (ended, ends) = oneshot::channel();
        let waiting = compute.run(move |stop| {
            begun.send(()).unwrap();
            while stop.check().is_ok() {
                std::thread::yield_now();
            }
            ended.send(()).unwrap();
        });
        tokio::select! {
            _ = waiting => panic!("it ends only when nobody waits"),
            begun = begins => begun.unwrap(),
        }
        // Hangs here if it does not.
        ends.await.unwrap();
    }
}
