//! A plan, with its first sessions spelt out.

use schemars::JsonSchema;
use serde::Serialize;
use shared::Profile;
use shared::think::GapKind;

use crate::clock::to_s;
use crate::plan::{Digest, Outline, Plan, PlannedSession};

/// A plan, with its first sessions spelt out.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Preview {
    /// The plan in figures.
    pub plan: Outline,
    /// Fingerprint of all sessions: when they start and where they go.
    pub digest: String,
    /// Sessions drawn.
    pub sessions: u64,
    /// Requests in them, of the methods that are sent.
    pub requests: u64,
    /// The first sessions.
    pub first: Vec<PreviewSession>,
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
    /// Draws all of `plan`, which is that of `profile`, and spells out the `first` sessions.
    pub fn of(plan: &Plan, profile: &Profile, first: usize) -> Self {
        let mut preview = Self {
            plan: plan.outline().clone(),
            digest: String::new(),
            sessions: 0,
            requests: 0,
            first: Vec::new(),
        };
        let mut digest = Digest::default();
        for session in plan.sessions() {
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
        text.push_str(&format!(
            "drawn      {} sessions, {} requests\ndigest     {}\n",
            self.sessions, self.requests, self.digest
        ));
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
