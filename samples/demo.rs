//! The whole circle in under a minute: log → profile → replay → the target's own log → how close it came.
//!
//! Run it with `cargo demo`. It needs no server and no network. It reads as the shortest documentation of both
//! libraries: `analyzer` makes the profile and reads the target's log back, `replayer` serves and sends.
#![expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]

use std::io::IsTerminal as _;
use std::path::Path;
use std::time::Duration;

use analyzer::drift::{self, Distance, Fidelity};
use analyzer::format::Options;
use analyzer::kind::Kind;
use analyzer::session::{self, identity::Identity};
use analyzer::settings::{ModelSettings, ReadSettings, given_format};
use analyzer::{Analysis, Settings, analyze};
use anyhow::{Context as _, Result};
use indicatif::{ProgressBar, ProgressStyle};
use replayer::report::RunReport;
use replayer::target::{LOG_FORMAT, Target, TargetSettings};
use replayer::{Observer, Progress, Wish};
use shared::Profile;
use shared::arrivals::DAY_S;

/// How long sessions start.
const DURATION: Duration = Duration::from_secs(30);
/// How long the last sessions may go on: most take some ten seconds.
const DRAIN: Duration = Duration::from_secs(25);
/// Sessions in that time: enough for shares to mean something, far from what a laptop notices.
const SESSIONS: f64 = 1000.0;
/// Slices that planned and replayed arrivals are compared in.
const SLICES: usize = 10;

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let files = root.join("target/demo");
    fs_err::create_dir_all(&files)?;

    heading("1. What the log says");
    let log = root.join("samples/shop.access.log.gz");
    let analysis = read_log(&log, &root.join("samples/nginx.conf"))?;
    let profile = analysis.profile;
    shared::io::write_atomically(&files.join("profile.yaml"), &shared::io::to_yaml(&profile))?;
    println!("{}", analyzer::report::summary::text(&profile));

    heading("2. A day of it in half a minute, against the embedded target");
    let target_log = files.join("target.access.log");
    let _ = fs_err::remove_file(&target_log);
    let target = Target::start(
        &profile,
        &TargetSettings { access_log: Some(target_log.clone()), ..TargetSettings::default() },
    )?;
    let settings = replay_settings(&profile, &target)?;
    let report = replayer::run(&profile, &settings, &mut Bar::new())?;
    target.stop()?;
    fs_err::write(files.join("results.json"), replayer::report::json(&report))?;
    println!("{}", replayer::report::text(&report));

    heading("3. What the target's own log says about it");
    let replayed = read_target_log(&target_log, &profile)?;
    let fidelity =
        drift::fidelity(&profile, &replayed.profile).context("the replay left nothing to compare")?;
    let (planned, counted) = arrivals(&profile, &replayed, &settings, &report)?;
    print_fidelity(&fidelity, drift::of_counts(&planned, &counted));
    print_curve(&planned, &counted);

    println!("\nfiles in target/demo: profile.yaml, target.access.log, results.json");
    Ok(())
}

/// Step 1: an access log becomes a profile.
fn read_log(log: &Path, configuration: &Path) -> Result<Analysis> {
    let identity = Identity::IpAndUserAgent;
    let settings = Settings {
        read: ReadSettings {
            inputs: vec![log.to_owned()],
            format: given_format(None, configuration.to_str(), &Options::default())?,
            identity,
            ..ReadSettings::default()
        },
        // The shop's twelve categories are twelve paths; one line says that they are one endpoint.
        model: ModelSettings {
            routes: vec!["/c/{category}".parse().map_err(anyhow::Error::msg)?],
            ..ModelSettings::default()
        },
    };
    let bar = bar("reading {spinner} {bytes}", None);
    let analysis = analyze(&settings, &|bytes| bar.inc(bytes))?;
    bar.finish_and_clear();
    Ok(analysis)
}

/// Step 2: the busiest day, at a load that gives about [`SESSIONS`] sessions in [`DURATION`].
fn replay_settings(profile: &Profile, target: &Target) -> Result<replayer::Settings> {
    let curve = profile.arrivals.curve().context("the profile has no week")?;
    let day_s = f64::from(DAY_S);
    let start_s = (curve.peak().1 / day_s).floor() * day_s;
    let per_day = curve.cumulative(start_s + day_s) - curve.cumulative(start_s);
    let speedup = day_s / DURATION.as_secs_f64();
    let mut settings = replayer::Settings {
        target: format!("http://{}", target.address()),
        // Nobody's basket is filled: the target is our own.
        allow_methods: vec!["POST".to_owned()],
        drain: DRAIN,
        ..replayer::Settings::default()
    };
    settings.schedule.duration = Some(DURATION);
    settings.schedule.speedup = Some(speedup);
    settings.schedule.allow_flattening = true;
    // The log is read back with every request as a step.
    settings.schedule.steps_only = true;
    settings.schedule.scale = SESSIONS / (per_day / speedup);
    Ok(settings)
}

/// Step 3: the target's log, sessions told apart by the header that marks them.
fn read_target_log(log: &Path, profile: &Profile) -> Result<Analysis> {
    let identity = Identity::Field("http_x_loadprint_session".to_owned());
    let options = Options { identity: identity.clone(), ..Options::default() };
    // Files are what pages bring along, and nobody's steps.
    let steps = profile.endpoints.iter().filter(|endpoint| endpoint.weight > 0.0);
    let routes = steps.map(|endpoint| endpoint.route.parse().map_err(anyhow::Error::msg));
    let settings = Settings {
        read: ReadSettings {
            inputs: vec![log.to_owned()],
            format: given_format(Some(LOG_FORMAT), None, &options)?,
            identity,
            ..ReadSettings::default()
        },
        // There are no people behind this log whom a threshold would protect.
        model: ModelSettings {
            k: 1,
            keep: Kind::ALL.to_vec(),
            routes: routes.collect::<Result<_>>()?,
            ..ModelSettings::default()
        },
    };
    Ok(analyze(&settings, &|_| {})?)
}

/// Sessions per slice of the run: expected from the profile's curve, and counted in the target's log.
fn arrivals(
    profile: &Profile,
    replayed: &Analysis,
    settings: &replayer::Settings,
    report: &RunReport,
) -> Result<(Vec<f64>, Vec<f64>)> {
    let curve = profile.arrivals.curve().context("the profile has no week")?;
    let day_s = f64::from(DAY_S);
    let from_s = (curve.peak().1 / day_s).floor() * day_s;
    let at = |slice: usize| curve.cumulative(from_s + day_s * slice as f64 / SLICES as f64);
    let to_sessions = settings.schedule.scale * report.plan.duration_s / day_s;
    let planned = (0..SLICES).map(|slice| (at(slice + 1) - at(slice)) * to_sessions).collect();
    let mut counted = vec![0.0; SLICES];
    for session in session::list(&replayed.reading, &Kind::ALL, i64::MAX)? {
        let into_s = session.start_ms as f64 / 1000.0 - report.began_at_s;
        let slice = (into_s / report.plan.duration_s * SLICES as f64).clamp(0.0, SLICES as f64 - 1.0);
        counted[slice as usize] += 1.0;
    }
    Ok((planned, counted))
}

fn print_fidelity(fidelity: &Fidelity, arrivals: Distance) {
    println!("How much of the traffic would have to be different to be the profile's:\n");
    println!("  {:<28} {:>8} {:>12} {:>10}", "", "found", "by chance", "n");
    for (name, distance) in [
        ("other endpoints (mix)", fidelity.endpoint_mix),
        ("other next steps (flows)", fidelity.flows),
        ("other pauses (think time)", fidelity.think_time),
        ("other moments (arrivals)", arrivals),
    ] {
        let (found, by_chance) = (distance.share * 100.0, distance.by_chance * 100.0);
        println!("  {name:<28} {found:>6.1} % {by_chance:>10.1} % {:>10}", distance.n);
    }
    println!("\n  median think time: {:.3} × the profile's", fidelity.think_time_ratio);
    println!("\nA perfect replay is as far away as chance makes a sample of that size.");
}

fn print_curve(planned: &[f64], counted: &[f64]) {
    const WIDTH: f64 = 40.0;
    let most = planned.iter().chain(counted).fold(1.0_f64, |most, n| most.max(*n));
    println!("\nSessions started, by time of the compressed day (| is the plan):\n");
    for (slice, (planned, counted)) in planned.iter().zip(counted).enumerate() {
        let hour = slice as f64 * 24.0 / SLICES as f64;
        let column = |n: f64| (n / most * WIDTH).round() as usize;
        let mut bar: Vec<char> = "█".repeat(column(*counted)).chars().collect();
        bar.resize(WIDTH as usize + 1, ' ');
        bar[column(*planned)] = '|';
        let bar: String = bar.into_iter().collect();
        println!(
            "  {:02}:{:02} {bar} {counted:>4.0} of {planned:>6.1}",
            hour as u32,
            (hour.fract() * 60.0) as u32
        );
    }
}

fn heading(text: &str) {
    println!("{text}\n{}\n", "─".repeat(text.chars().count()));
}

/// A bar on standard error; hidden when that is no terminal.
fn bar(template: &str, length: Option<u64>) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = length.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Shows the replay as it goes.
struct Bar(ProgressBar);

impl Bar {
    fn new() -> Self {
        Self(bar("replaying {bar:30} {msg}", Some(DURATION.as_secs())))
    }
}

impl Observer for Bar {
    fn progress(&mut self, progress: &Progress) -> Wish {
        self.0.set_position(progress.elapsed_s as u64);
        self.0
            .set_message(format!("{} sessions started, {} requests sent", progress.sessions, progress.sent));
        Wish::GoOn
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
