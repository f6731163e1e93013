//! The profile: what the analyzer writes, the replayer executes, and people review.
//!
//! A profile says how a service is used, in aggregates: which endpoints, in which order
//! (Markov chains over sessions), with which think times, arriving at which rate through the week.
//! It names no person: no address, no user agent, no value that somebody typed.
//!
//! Nothing here reads a log, opens a socket, looks at a clock or owns a random generator:
//! random numbers come in as arguments.
//!
//! | module | answers |
//! |---|---|
//! | [`profile`] | what is in the file |
//! | [`endpoint`], [`session`], [`clients`], [`think`], [`arrivals`] | its parts |
//! | [`distribution`] | histograms and laws: quantiles, and sampling by inversion |
//! | [`request`] | what people add: bodies, headers, calls, feeds, the login |
//! | [`status`] | how answers say that they went, in HTTP and in gRPC |
//! | [`hosts`] | fingerprints of the hosts that must not be loaded |
//! | [`validate`], [`shape`] | everything wrong with a profile, at once |
//! | [`io`] | reading and writing YAML |
//! | [`schema`] | the JSON Schema, made from the types |
//!
//! ```
//! let profile = shared::io::from_yaml(shared::profile::EXAMPLE).unwrap();
//! assert_eq!(profile.endpoints[0].id, "get_home");
//! assert!(shared::validate::validate(&profile).is_empty());
//! ```

pub mod arrivals;
pub mod clients;
pub mod distribution;
pub mod endpoint;
pub mod error;
mod flow;
pub mod hosts;
pub mod io;
pub mod profile;
pub mod request;
pub mod schema;
pub mod session;
pub mod shape;
pub mod status;
pub mod think;
pub mod units;
pub mod validate;

pub use error::{Error, Violation};
pub use profile::Profile;
