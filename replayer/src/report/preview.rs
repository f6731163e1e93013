//! A plan, with its first sessions spelt out.

use schemars::JsonSchema;
use serde::Serialize;
use shared::Profile;
use shared::think::GapKind;

use super::picture::{COLUMNS, picture};
use crate::clock::to_s;
use crate::plan::{Digest, Outline, Plan, PlannedSession};

/// A plan, with its first sessions spelt out.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Preview {
    /// The plan in figures.
    pub plan: Outline,
    /// Whether the load behaves as if requests came on their own, or as if each waited for the one before.
    pub regime: Regime,
    /// Fingerprint of our sessions: when they start and where they go. Those of all shards add up to that of the plan.
    pub digest: String,
    /// Sessions drawn: those of our shard.
    pub sessions: u64,
    /// Requests in them, of the methods that are sent.
    pub requests: u64,
    /// How much more counts of starts vary than chance alone makes them, over all shards.
    pub dispersion: Vec<Dispersion>,
    /// Expected starts per second, in equal parts of the run.
    pub curve_per_s: Vec<f64>,
    /// The first sessions.
    pub first: Vec<PreviewSession>,
}

/// How a load behaves (Schroeder, Wierman, Harchol-Balter, NSDI 2006): sessions arrive on their own, and a request in one
/// waits for the answer before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Regime {
    /// At most 5 requests per session: a slow target hardly holds the load back.
    OpenLike,
    /// In between.
    Between,
    /// At least 10: a slow target holds much of its load back.
    ClosedLike,
}

impl Regime {
    fn of(requests_per_session: f64) -> Self {
        match requests_per_session {
            n if n <= 5.0 => Self::OpenLike,
            n if n < 10.0 => Self::Between,
            _ => Self::ClosedLike,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::OpenLike => "open-like, a slow target hardly holds it back",
            Self::Between => "in between, a slow target holds some of it back",
            Self::ClosedLike => "closed-like, a slow target holds much of it back",
        }
    }
}

/// The index of dispersion of counts of starts: squared deviation from the expected count, relative to it, in the mean
/// over windows. 1 is a Poisson process.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Dispersion {
    /// Length of a window.
    pub window_s: u32,
    /// Number of windows.
    pub n: u64,
    /// What the profile's burstiness makes it.
    pub expected: f64,
    /// What it is among the starts drawn.
    pub drawn: f64,
}

impl Dispersion {
    /// Of `counts` of starts per second; `None` when there is no window with any expected.
    fn of(plan: &Plan, counts: &[f64], expected: &[f64], window_s: u32) -> Option<Self> {
        let sums = |values: &[f64]| -> Vec<f64> {
            values.chunks_exact(window_s as usize).map(|window| window.iter().sum()).collect()
        };
        let windows = sums(counts).into_iter().zip(sums(expected)).filter(|(_, expected)| *expected > 0.0);
        let windows: Vec<(f64, f64)> = windows.collect();
        let n = windows.len() as f64;
        let mean = |of: &dyn Fn(&(f64, f64)) -> f64| windows.iter().map(of).sum::<f64>() / n;
        let rate_per_s = mean(&|(_, expected)| *expected) / f64::from(window_s);
        (n > 0.0).then(|| Self {
            window_s,
            n: windows.len() as u64,
            expected: plan.dispersion(window_s, rate_per_s),
            drawn: mean(&|(count, expected)| (count - expected).powi(2) / expected),
        })
    }
}

/// A session of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PreviewSession {
    /// When it starts, in seconds of the run.
    pub starts_at_s: f64,
    /// Its class.
    pub class: String,
    /// The name by which its requests are marked.
    pub name: String,
    /// What it does.
    pub steps: Vec<PreviewStep>,
}

/// A step of a session.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PreviewStep {
    /// Endpoint id, or `other`.
    pub endpoint: String,
    /// Path requested; none when the session passes without a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The pause before it; none before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause_s: Option<f64>,
    /// Whether the pause counts from the request before (`pacing`) instead of its answer.
    pub paced: bool,
}

impl Preview {
    /// Draws our shard of `plan`, which is that of `profile`, and spells out its `first` sessions.
    pub fn of(plan: &Plan, profile: &Profile, first: usize) -> Self {
        let outline = plan.outline().clone();
        let seconds = outline.duration_s.ceil() as u64;
        let expected: Vec<f64> = (0..seconds).map(|second| plan.expected_in(second)).collect();
        let mut counts = vec![0.0; expected.len()];
        for session in plan.sessions().filter(|session| !session.is_under_way()) {
            counts[session.block as usize] += 1.0;
        }
        // What a trace did has no expectation: its picture is of what it did.
        let literal = plan.is_literal();
        let dispersion = [1, 10, 60]
            .map(|window_s| Dispersion::of(plan, &counts, &expected, window_s).filter(|_| !literal));
        let shown = if literal { &counts } else { &expected };
        let mut preview = Self {
            regime: Regime::of(outline.requests_per_session),
            dispersion: dispersion.into_iter().flatten().collect(),
            curve_per_s: in_equal_parts(shown, outline.duration_s),
            plan: outline,
            digest: String::new(),
            sessions: 0,
            requests: 0,
            first: Vec::new(),
        };
        let mut digest = Digest::default();
        for session in plan.our_sessions() {
            let walk = plan.walk(&session);
            digest.add(&session, &walk);
            preview.sessions += 1;
            let requests = walk.places.iter().filter(|place| plan.requested(**place).is_some()).count();
            preview.requests += requests as u64;
            if preview.first.len() < first {
                preview.first.push(PreviewSession::of(plan, profile, &session));
            }
        }
        preview.digest = digest.to_string();
        preview
    }

    /// The preview for people.
    pub fn text(&self) -> String {
        let mut text = super::outline(&self.plan);
        let per_session = shared::units::round_significant(self.plan.requests_per_session, 3);
        text.push_str(&format!("regime     {per_session} requests a session: {}\n", self.regime.text()));
        for Dispersion { window_s, n, expected, drawn } in &self.dispersion {
            text.push_str(&format!(
                "dispersion {drawn:.2} of starts in {n} windows of {window_s} s, {expected:.2} expected\n"
            ));
        }
        text.push_str(&format!(
            "drawn      {} sessions, {} requests\ndigest     {}\n",
            self.sessions, self.requests, self.digest
        ));
        text.push_str("\nsessions/s over the run\n");
        text.push_str(&picture(&self.curve_per_s));
        for session in &self.first {
            text.push_str(&format!(
                "\n{:>10.3} s  {} {}\n",
                session.starts_at_s, session.class, session.name
            ));
            for step in &session.steps {
                let pause = step.pause_s.map_or(String::new(), |pause_s| format!("+{pause_s:.3} s"));
                let from = if step.paced { " from the request before" } else { "" };
                let path = step.path.as_deref().unwrap_or("(no request)");
                text.push_str(&format!("{pause:>12}  {:<24} {path}{from}\n", step.endpoint));
            }
        }
        text
    }
}

/// Sums per second as rates in as many equal parts as a picture has columns; the last second may be a part of one.
fn in_equal_parts(per_second: &[f64], duration_s: f64) -> Vec<f64> {
    let width_s = duration_s / COLUMNS as f64;
    let mut rates = vec![0.0; COLUMNS];
    for (second, sum) in per_second.iter().enumerate() {
        let (from_s, to_s) = (second as f64, (second as f64 + 1.0).min(duration_s));
        let [first, last] = [from_s, to_s].map(|t_s| ((t_s / width_s) as usize).min(COLUMNS - 1));
        for (column, rate) in rates.iter_mut().enumerate().take(last + 1).skip(first) {
            let (left_s, right_s) = (column as f64 * width_s, (column as f64 + 1.0) * width_s);
            let within_s = (right_s.min(to_s) - left_s.max(from_s)).max(0.0);
            *rate += sum * within_s / (to_s - from_s) / width_s;
        }
    }
    rates
}

impl PreviewSession {
    fn of(plan: &Plan, profile: &Profile, session: &PlannedSession) -> Self {
        let mut walk = plan.walk(session);
        let mut paths = plan.paths(session);
        let mut gap = None;
        let mut steps = Vec::new();
        let places = std::rc::Rc::clone(&walk.places);
        for (at, place) in places.iter().enumerate() {
            steps.push(PreviewStep {
                endpoint: plan.name(*place).to_owned(),
                path: plan.requested(*place).map(|endpoint| paths.next(endpoint)),
                pause_s: gap.map(|gap: crate::plan::Gap| to_s(gap.length_ns)),
                paced: gap.is_some_and(|gap| gap.kind == GapKind::Pacing),
            });
            gap = places.get(at + 1).map(|next| plan.gap_between(&mut walk, *place, *next));
        }
        Self {
            starts_at_s: to_s(session.starts_at_ns),
            class: profile.classes[session.class].id.clone(),
            name: plan.session_name(session),
            steps,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Schedule;
    use shared::arrivals::Burstiness;
    use shared::io::from_yaml;
    use shared::profile::EXAMPLE;
    use std::time::Duration;

    #[test]
    fn rates_keep_their_sum() {
        for (seconds, duration_s) in [(3, 2.5), (68, 68.0), (700, 699.2)] {
            let per_second: Vec<f64> = (0..seconds).map(|i| f64::from(i % 7)).collect();
            let rates = in_equal_parts(&per_second, duration_s);
            let sum = rates.iter().sum::<f64>() * duration_s / COLUMNS as f64;
            assert!((sum - per_second.iter().sum::<f64>()).abs() < 1e-9, "{sum}");
        }
    }

    #[test]
    fn a_preview_says_how_bursty_and_how_open_the_plan_is() {
        let mut profile = from_yaml(EXAMPLE).unwrap();
        let schedule = Schedule {
            seed: 5,
            scale: 250.0,
            duration: Some(Duration::from_secs(1200)),
            ..Schedule::default()
        };
        let of = |profile: &Profile| Preview::of(&Plan::new(profile, &schedule, &[]).unwrap(), profile, 2);
        let plain = of(&profile);
        assert_eq!(plain.regime, Regime::OpenLike);
        // Of a Poisson process, the standard deviation of the index over n windows is sqrt(2/n).
        for Dispersion { n, expected, drawn, .. } in &plain.dispersion {
            assert!((expected - 1.0).abs() < 1e-12);
            assert!((drawn - 1.0).abs() < 4.0 * (2.0 / *n as f64).sqrt(), "{:?}", plain.dispersion);
        }
        profile.arrivals.burstiness = Some(Burstiness { time_constants_s: vec![5.0], variances: vec![0.3] });
        let bursty = of(&profile);
        let Dispersion { expected, drawn, .. } = bursty.dispersion[1];
        assert!(expected > 20.0 && (drawn / expected - 1.0).abs() < 0.5, "{:?}", bursty.dispersion);
        let text = bursty.text();
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(
            ["open-like", "windows of 10 s", "sessions/s over the run", "█"].iter().all(|w| text.contains(w))
        );
    }
}
