//! The replayer keeps its plan: 1,000 requests per second, sent within a millisecond.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::support::{TargetProcess, directory, hurried, run};

/// Measures how late this machine wakes a thread that does nothing but sleep, as long as it is left to.
///
/// The machine of a test may be busy with something else, and then no program keeps a millisecond: what it takes
/// from a sleeping thread, it takes from the generator as well.
struct Probe {
    done: Arc<AtomicBool>,
    lateness: JoinHandle<Vec<Duration>>,
}

impl Probe {
    fn start() -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&done);
        let lateness = thread::spawn(move || {
            let mut lateness = Vec::new();
            while !until.load(Ordering::Relaxed) {
                lateness.push(oversleep(Duration::from_millis(1)));
            }
            lateness
        });
        Self { done, lateness }
    }

    /// The 99th percentile, in seconds.
    fn p99_s(self) -> f64 {
        self.done.store(true, Ordering::Relaxed);
        let mut lateness = self.lateness.join().unwrap();
        lateness.sort();
        lateness[lateness.len() * 99 / 100].as_secs_f64()
    }
}

#[expect(clippy::disallowed_methods, reason = "it measures the machine, not the replayer")]
fn oversleep(nap: Duration) -> Duration {
    let before = Instant::now();
    thread::sleep(nap);
    before.elapsed().saturating_sub(nap)
}

/// The best of three runs counts: a run can be disturbed from outside, and cannot be better than the generator is.
#[test]
fn a_thousand_requests_per_second_are_sent_within_a_millisecond() {
    const WITHIN_S: f64 = 0.001;
    let (_directory, profile) = directory(&hurried());
    let target = TargetProcess::start(&profile, &[]);
    let mut seen = Vec::new();
    for seed in ["1", "2", "3"] {
        let probe = Probe::start();
        let more = ["--duration", "3s", "--scale", "6250", "--seed", seed];
        let (_, report) = run(&profile, &target.url, &more);
        let machine_s = probe.p99_s();
        let number = |pointer: &str| report.pointer(pointer).and_then(serde_json::Value::as_f64).unwrap();
        // 500 sessions per second of two requests each.
        assert!((number("/requests/sent") / 3000.0 - 1.0).abs() < 0.1, "{report:#}");
        assert!(number("/requests/dropped") < 1.0 && number("/requests/failed") < 1.0, "{report:#}");
        let late_s = number("/send_delay_s/p99_s");
        if late_s < WITHIN_S + machine_s {
            return;
        }
        seen.push((late_s, machine_s));
    }
    panic!("p99 of the send delay and of sleeping on this machine, in seconds: {seen:?}");
}
