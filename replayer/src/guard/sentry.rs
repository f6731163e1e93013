//! Watches a run, and says when it must end.

use std::sync::{Arc, Mutex, PoisonError};

use schemars::JsonSchema;
use serde::Serialize;
use shared::Profile;

use super::budget::Purse;
use super::canary::Canary;
use super::probe::{Probes, Probing};
use super::query::Query;
use super::settings::Safety;
use super::stop::{Expected, Reached, StopRules};
use crate::clock;
use crate::config::Settings;
use crate::dispatch::Wish;
use crate::error::Error;
use crate::plan::Plan;
use crate::record::{Progress, Sample};

/// Why a run ended before its time.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Stopped {
    /// What sort of reason it was.
    pub by: StoppedBy,
    /// The rule, the flag, or the part of the run.
    pub rule: String,
    /// What was found.
    pub found: String,
    /// When sending ended, in seconds of run time.
    pub at_s: f64,
}

/// A sort of reason to end a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StoppedBy {
    /// A stop rule came true, the target's health URL failed, or Prometheus said so.
    Rule,
    /// The small load at the beginning already failed.
    Canary,
    /// A budget was spent: nothing is wrong.
    Budget,
}

/// Where event loops leave requests that have ended, for whoever judges them.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    wanted: bool,
    samples: Mutex<Vec<Sample>>,
}

impl Outbox {
    /// One in which samples are kept only if they are `wanted`.
    pub(crate) fn new(wanted: bool) -> Self {
        Self { wanted, samples: Mutex::default() }
    }

    /// Leaves a request that has ended.
    pub(crate) fn leave(&self, sample: &Sample) {
        if self.wanted {
            self.samples.lock().unwrap_or_else(PoisonError::into_inner).push(*sample);
        }
    }

    fn take(&self) -> Vec<Sample> {
        std::mem::take(&mut *self.samples.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What may end a run.
#[derive(Debug)]
pub(crate) struct Sentry {
    rules: StopRules,
    /// Judges what is seen until the canary is over, and nothing after that.
    canary_rules: StopRules,
    canary: Canary,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) purse: Arc<Purse>,
    probes: Probes,
    probing: Option<Probing>,
    /// How long requests under way are waited for after a stop.
    drain_ns: u64,
    pub(crate) stopped: Option<Stopped>,
}

impl Sentry {
    /// The sentry of a run as `settings` say.
    ///
    /// # Errors
    /// [`Error::StopRule`], [`Error::Setting`].
    pub(crate) fn new(settings: &Settings, profile: &Profile, plan: &Plan) -> Result<Self, Error> {
        let Safety { stop, health, prometheus, budget, .. } = &settings.safety;
        let expected = Expected::of(profile, |endpoint| plan.is_invented(endpoint));
        let (mut rules, mut queries) = (Vec::new(), Vec::new());
        // What a scenario of the profile asks for counts as much as what a flag does.
        for text in stop.iter().chain(&plan.outline().stop) {
            match Query::parse(text)? {
                Some(query) => queries.push(query),
                None => rules.push(text.clone()),
            }
        }
        let canary = Canary::new(settings.schedule.canary);
        let failed = canary.ends_ns().map(|_| format!("error_rate > 50% for {}s", canary.length_s()));
        let canary_rules = StopRules::new(failed.as_slice(), profile, expected.clone())?;
        let rules = StopRules::new(&rules, profile, expected)?;
        Ok(Self {
            outbox: Arc::new(Outbox::new(!rules.is_empty() || !canary_rules.is_empty())),
            rules,
            canary_rules,
            canary,
            purse: Arc::new(Purse::new(*budget)),
            probes: Probes::new(health.as_deref(), prometheus.as_deref(), queries, &settings.wire)?,
            probing: None,
            drain_ns: clock::to_ns(settings.drain),
            stopped: None,
        })
    }

    /// Does it ask something over TLS?
    pub(crate) fn asks_over_tls(&self) -> bool {
        self.probes.are_secure()
    }

    /// Asks health URL and Prometheus for the first time, and goes on asking.
    ///
    /// # Errors
    /// [`Error::Probe`] when they do not answer as they should.
    pub(crate) fn begin_to_ask(&mut self) -> Result<(), Error> {
        self.probing = self.probes.start()?;
        Ok(())
    }

    /// What is wanted of the run at `now_ns`, after all that has happened until then.
    ///
    /// A stop comes once: nothing is sent any more, what is under way is waited for, and cut after a while.
    pub(crate) fn look(&mut self, now_ns: u64, progress: &Progress) -> Wish {
        for sample in self.outbox.take() {
            self.rules.observe(&sample);
            if self.canary.ends_ns().is_some_and(|end_ns| sample.completed_at < end_ns) {
                self.canary_rules.observe(&sample);
            }
        }
        if self.stopped.is_none() {
            self.stopped = self.reason(now_ns, progress).map(|(by, Reached { rule, found })| Stopped {
                by,
                rule,
                found,
                at_s: clock::to_s(now_ns),
            });
        }
        match &self.stopped {
            None => Wish::GoOn,
            Some(stopped) if now_ns >= clock::from_s(stopped.at_s).saturating_add(self.drain_ns) => Wish::Cut,
            Some(_) => Wish::Drain,
        }
    }

    /// A run that is over before its canary is judged by it all the same.
    pub(crate) fn conclude(&mut self, progress: &Progress) {
        let Some(end_ns) = self.canary.ends_ns().filter(|_| self.stopped.is_none()) else { return };
        let samples = self.outbox.take();
        samples.iter().for_each(|sample| self.canary_rules.observe(sample));
        self.stopped = self.canary_failed(end_ns, progress).map(|Reached { rule, found }| Stopped {
            by: StoppedBy::Canary,
            rule,
            found,
            at_s: progress.elapsed_s,
        });
    }

    /// How the canary, which ends at `end_ns`, failed, if it did; from then on there is none.
    fn canary_failed(&mut self, end_ns: u64, progress: &Progress) -> Option<Reached> {
        let silent = progress.sent > 0 && progress.completed == 0;
        let found = match self.canary_rules.reached(end_ns) {
            Some(reached) => Some(reached.found),
            None => silent.then(|| format!("no answer to {} requests", progress.sent)),
        };
        let length_s = self.canary.length_s();
        self.canary = Canary::default();
        found.map(|found| Reached { rule: format!("the first {length_s} s"), found })
    }

    fn reason(&mut self, now_ns: u64, progress: &Progress) -> Option<(StoppedBy, Reached)> {
        if let Some((rule, found)) = self.purse.exhausted(now_ns) {
            return Some((
                StoppedBy::Budget,
                Reached { rule: rule.to_owned(), found: format!("{found} spent") },
            ));
        }
        if let Some(end_ns) = self.canary.ends_ns().filter(|end_ns| now_ns >= *end_ns)
            && let Some(reached) = self.canary_failed(end_ns, progress)
        {
            return Some((StoppedBy::Canary, reached));
        }
        let probed = || self.probing.as_ref().and_then(|probing| probing.findings.reached());
        let reached = self.rules.reached(now_ns).or_else(probed);
        reached.map(|reached| (StoppedBy::Rule, reached))
    }
}
