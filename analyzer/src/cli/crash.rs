//! What is left behind when the program crashes: where it was, and nothing of what it read.

use std::panic::Location;

use super::say;

/// Keeps the memory of the process, which holds lines of logs and the key of the run, out of core dumps, and text out
/// of the messages of panics.
///
/// A limit of zero bytes does not hold back a dump that is piped to a program (core(5)), so on Linux the process says
/// of itself that it is not to be dumped at all. Where the system grants neither, the run goes on without.
pub(super) fn leave_nothing_behind() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
    std::panic::set_hook(Box::new(|panic| say(&message(panic.location()))));
}

/// What is said of a panic. Its own words may quote the text at which it happened, and are left out.
fn message(location: Option<&Location<'_>>) -> String {
    let place = location.map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
    format!(
        "error: the analyzer failed{place}\n  hint: this is a fault of the program; report it with this place"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_says_where_and_no_more() {
        let here = Location::caller();
        let said = message(Some(here));
        assert!(said.contains(&format!("crash.rs:{}", here.line())), "{said}");
        assert!(message(None).starts_with("error: the analyzer failed\n"));
    }
}
