//! How a service is asked: beside whatever else goes on, and not for long.

use std::thread;
use std::time::Duration;

/// Asks on a thread of its own, since whoever wants to know may be inside a runtime already. `None` where the
/// time was over; an error where it could not begin, or ended in a way that nobody foresaw.
pub(super) fn beside<T: Send>(
    deadline: Duration,
    ask: impl AsyncFnOnce() -> T + Send,
) -> Result<Option<T>, String> {
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("no runtime: {error}"))?;
        let answer = runtime.block_on(async { tokio::time::timeout(deadline, ask()).await.ok() });
        // A name that is still being looked up is not waited for.
        runtime.shutdown_background();
        Ok(answer)
    };
    thread::scope(|scope| match thread::Builder::new().spawn_scoped(scope, work) {
        Ok(thread) => thread.join().unwrap_or_else(|_| Err("it could not be asked".to_owned())),
        Err(error) => Err(format!("no thread: {error}")),
    })
}
