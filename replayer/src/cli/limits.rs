//! How many files, and so connections, may be open.

/// Allows as many open files as the system lets this user have, and returns that number if there is one.
///
/// Every open session holds a connection while it pauses, and the usual limit of 1,024 is soon reached.
#[cfg(unix)]
pub(super) fn raise_open_files() -> Option<f64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let before = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: before.maximum, maximum: before.maximum };
    // Where the system does not let it be raised that far, what there was is what there is.
    let now = if setrlimit(Resource::Nofile, raised).is_ok() { before.maximum } else { before.current };
    now.map(|files| files as f64)
}

/// There is no such limit.
#[cfg(not(unix))]
pub(super) fn raise_open_files() -> Option<f64> {
    None
}
