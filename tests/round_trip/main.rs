//! The whole circle on loopback: log → profile → replay → the target's own log → profile, and how far apart they are.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::time::Duration;

use analyzer::drift::{self, Fidelity};
use analyzer::format::Options;
use analyzer::kind::Kind;
use analyzer::session::identity::Identity;
use analyzer::settings::{ModelSettings, ReadSettings, given_format};
use analyzer::{Analysis, Settings, analyze};
use replayer::report::RunReport;
use replayer::target::{LOG_FORMAT, Target, TargetSettings};
use shared::Profile;
use shared::distribution::Law;

fn sample_profile() -> Profile {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let configuration = root.join("samples/nginx.conf");
    let settings = Settings {
        read: ReadSettings {
            inputs: vec![root.join("samples/shop.access.log.gz")],
            format: given_format(None, configuration.to_str(), &Options::default()).unwrap(),
            ..ReadSettings::default()
        },
        model: ModelSettings { routes: vec!["/c/{category}".parse().unwrap()], ..ModelSettings::default() },
    };
    analyze(&settings, &|_| {}).unwrap().profile
}

/// Replays `profile` against a target that serves it, for ten seconds and as long as its sessions take.
fn replay(profile: &Profile, directory: &tempfile::TempDir) -> (RunReport, PathBuf) {
    let log = directory.path().join("target.access.log");
    let target_settings = TargetSettings { access_log: Some(log.clone()), ..TargetSettings::default() };
    let target = Target::start(profile, &target_settings).unwrap();
    let mut settings = replayer::Settings {
        target: format!("http://{}", target.address()),
        allow_methods: vec!["POST".to_owned()],
        // Long enough for every session to end: one that is cut would look like another flow.
        drain: Duration::from_secs(120),
        ..replayer::Settings::default()
    };
    settings.schedule.duration = Some(Duration::from_secs(10));
    settings.schedule.speedup = Some(8640.0);
    settings.schedule.allow_flattening = true;
    // The log is read back with every request as a step.
    settings.schedule.steps_only = true;
    settings.schedule.scale = 100.0 / (profile.arrivals.peak.rate_per_s * 0.5);
    let report = replayer::run(profile, &settings, &mut ()).unwrap();
    target.stop().unwrap();
    (report, log)
}

/// Reads the target's log back, told apart by the header that marks sessions, under the profile's own routes.
fn read_back(log: PathBuf, profile: &Profile) -> Analysis {
    let identity = Identity::Field("http_x_loadprint_session".to_owned());
    let options = Options { identity: identity.clone(), ..Options::default() };
    let settings = Settings {
        read: ReadSettings {
            inputs: vec![log],
            format: given_format(Some(LOG_FORMAT), None, &options).unwrap(),
            identity,
            ..ReadSettings::default()
        },
        model: ModelSettings {
            k: 1,
            keep: Kind::ALL.to_vec(),
            routes: profile.endpoints.iter().filter_map(|endpoint| endpoint.route.parse().ok()).collect(),
            ..ModelSettings::default()
        },
    };
    analyze(&settings, &|_| {}).unwrap()
}

/// Twice what chance makes of a sample of that size, and half a percent for what the target adds.
#[track_caller]
fn check_close(fidelity: &Fidelity) {
    for distance in [fidelity.endpoint_mix, fidelity.flows, fidelity.think_time] {
        assert!(distance.share <= 2.0 * distance.by_chance + 0.005, "{fidelity:#?}");
    }
    assert!((fidelity.think_time_ratio - 1.0).abs() < 0.08, "{fidelity:#?}");
}

#[test]
fn a_replay_reads_back_as_the_profile_it_was_made_from_and_as_no_other() {
    let profile = sample_profile();
    let directory = tempfile::tempdir().unwrap();
    let (report, log) = replay(&profile, &directory);
    let replayed = read_back(log, &profile);

    // What was sent stands in the log, request by request and session by session.
    assert_eq!(
        (report.requests.dropped, report.requests.cut, report.requests.failed),
        (0, 0, 0),
        "{report:#?}"
    );
    assert_eq!(replayed.reading.counts.requests, report.requests.completed);
    assert_eq!(replayed.reading.inputs[0].rejects.total(), 0);
    // A session of rare endpoints alone sends nothing, and so leaves no trace.
    assert!(replayed.profile.source.sessions <= report.sessions.planned);
    assert!(replayed.profile.source.sessions as f64 >= 0.97 * report.sessions.planned as f64);

    check_close(&drift::fidelity(&profile, &replayed.profile).unwrap());

    // The same log is told apart from a profile whose people think a third longer …
    let mut slower = profile.clone();
    for think_time in slower.think_times.values_mut() {
        think_time.law = think_time.law.take().map(|law| match law {
            Law::Lognormal { mu, sigma } => Law::Lognormal { mu: mu + 0.3, sigma },
            Law::LognormalMixture { mut components } => {
                components.iter_mut().for_each(|component| component.mu += 0.3);
                Law::LognormalMixture { components }
            }
            other => other,
        });
    }
    let fidelity = drift::fidelity(&slower, &replayed.profile).unwrap();
    assert!(fidelity.think_time.beyond_chance() > 0.05, "{fidelity:#?}");

    // … and from one whose two heaviest endpoints have changed places in the mix.
    let mut other_mix = profile.clone();
    let weights = (other_mix.endpoints[0].weight, other_mix.endpoints[1].weight);
    (other_mix.endpoints[1].weight, other_mix.endpoints[0].weight) = weights;
    let fidelity = drift::fidelity(&other_mix, &replayed.profile).unwrap();
    assert!(fidelity.endpoint_mix.beyond_chance() > 0.05, "{fidelity:#?}");
}
