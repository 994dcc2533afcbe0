//! Where a crash test ends the process; nothing in a real build.

/// Steps of a request and of its record that a test may crash at.
#[cfg(not(test))]
pub(crate) const fn reached(_step: &str) {}

/// Ends this process with SIGKILL if the environment names this step: `written:2` is the second time it is reached.
#[cfg(test)]
pub(crate) fn reached(step: &str) {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static TIMES: AtomicUsize = AtomicUsize::new(0);
    let Ok(at) = std::env::var("JIGSAW_TEST_KILL_AT") else { return };
    let (name, times) = at.split_once(':').unwrap();
    if name == step && TIMES.fetch_add(1, Ordering::SeqCst) + 1 == times.parse::<usize>().unwrap() {
        let me = std::process::id().to_string();
        std::process::Command::new("kill").args(["-KILL", &me]).status().unwrap();
        // The signal is on its way.
        std::thread::park();
    }
}
