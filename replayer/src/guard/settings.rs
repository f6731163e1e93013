//! How careful a run is.

use std::time::Duration;

use super::budget::Budget;
use crate::error::Error;

/// How careful a run is, beyond the choice of its target.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Safety {
    /// How long only a hundredth of the load is sent at first. By default 30 s, or a tenth of the run where that is
    /// less, against other machines, and not at all against this one, where nobody else is hurt.
    pub canary: Option<Duration>,
    /// Multiple of the profile's own peak that the load may reach. By default 2 against other machines, and any against
    /// this one.
    pub ceiling: Option<f64>,
    /// How much the run may cost.
    pub budget: Budget,
    /// Conditions that end the run, such as `error_rate > 5% for 30s` or `query(node_load1) > 4 for 1m`.
    pub stop: Vec<String>,
    /// A URL of the target that answers with 2xx as long as it is well.
    pub health: Option<String>,
    /// The Prometheus server that `query(…)` in stop rules asks, such as `http://prometheus:9090`.
    pub prometheus: Option<String>,
}

impl Safety {
    /// Checks each value by itself.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first that makes no sense.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |name, found: String, expected| Err(Error::Setting { name, found, expected });
        if let Some(factor) = self.ceiling.filter(|factor| !(factor.is_finite() && *factor > 0.0)) {
            return wrong("--raise-ceiling", factor.to_string(), "a number above 0");
        }
        let Budget { requests, bytes, time } = self.budget;
        for (name, is_zero) in [
            ("--budget-requests", requests == Some(0)),
            ("--budget-bytes", bytes == Some(0)),
            ("--budget-time", time.is_some_and(|time| time.is_zero())),
        ] {
            if is_zero {
                return wrong(name, "0".to_owned(), "more than nothing");
            }
        }
        Ok(())
    }
}
