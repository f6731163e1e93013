//! Plays a profile back: sessions start as they did in production, think as long, go the same ways.
//!
//! ```text
//! Profile → Plan → dispatch → session → exchange → Sample → Recorder → Snapshot → report
//! ```
//!
//! The model is partly open (Schroeder, Wierman, Harchol-Balter, NSDI 2006): sessions arrive on their own, whatever the
//! target does; inside a session, a request follows the answer before it. Times are measured from the moment a request
//! was due, so that a target that stalls cannot hide it by holding back those who would have noticed.
//!
//! ```
//! use std::time::Duration;
//!
//! use replayer::Settings;
//! use replayer::target::{Target, TargetSettings};
//!
//! let profile = shared::io::from_yaml(shared::profile::EXAMPLE)?;
//! let target = Target::start(&profile, &TargetSettings::default())?;
//! let mut settings = Settings { target: format!("http://{}", target.address()), ..Settings::default() };
//! settings.schedule.scale = 500.0;
//! settings.schedule.duration = Some(Duration::from_millis(300));
//! settings.drain = Duration::ZERO;
//! let report = replayer::run(&profile, &settings, &mut ())?;
//! assert_eq!(report.requests.sent, report.requests.completed);
//! println!("{}", replayer::report::text(&report));
//! target.stop()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | what lives there |
//! |---|---|
//! | [`config`] | settings, resolved once and checked |
//! | [`condition`] | the grammar of thresholds and stop rules |
//! | [`plan`] | what will be sent when: pure, no clock, no network |
//! | `feed` | values that people give: files, secrets, templates, what a login gives back |
//! | `grpc` | calls of gRPC: JSON to protobuf and back, what their answers say |
//! | `guard` | which targets and methods are allowed, how much, and when to stop |
//! | `clock`, `alarm`, `timer` | the only reader of the clock; wake-ups finer than a millisecond |
//! | `pace`, `cores` | how early to wake, how fast to catch up; which core to stay on |
//! | `dispatch`, `session`, `exchange`, `connect` | begins sessions when due; a walk in progress; one request; its connection |
//! | [`capacity`] | runs at one load after the other, for the highest at which conditions hold |
//! | `companions`, `background` | requests beside the walk: those that a page brings along, those of callers |
//! | `http` | HTTP/1.1 as bytes, cookies, redirects: pure |
//! | `record` | samples, histograms, counts, the interval log |
//! | [`intervals`] | reads the interval log, also of a run that was killed |
//! | [`verdict`] | whether the load was the one that was planned |
//! | [`report`] | the result as data and as text |
//! | [`target`] | the embedded target: serves a profile's endpoints as slowly as they were |

mod alarm;
mod background;
pub mod capacity;
mod clock;
mod companions;
pub mod condition;
pub mod config;
mod connect;
mod cores;
mod dispatch;
pub mod error;
mod event_loop;
mod exchange;
mod feed;
mod grpc;
mod guard;
mod http;
pub mod intervals;
mod pace;
pub mod plan;
mod random;
mod record;
pub mod report;
mod run;
mod session;
pub mod target;
mod timer;
pub mod verdict;

pub use config::Settings;
pub use dispatch::Wish;
pub use error::{Error, EventsPlace, Refusal};
pub use exchange::{RUN_HEADER, SESSION_HEADER};
pub use feed::Feeds;
pub use guard::{Budget, Safety, Stopped, StoppedBy};
pub use pace::Pace;
pub use record::{Failure, Progress};
pub use run::{Observer, Run, run};
