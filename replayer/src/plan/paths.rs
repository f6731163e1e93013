//! The paths that one client asks for, one after the other.

use std::collections::BTreeMap;

use super::PlannedEndpoint;
use crate::random::Resting;

/// The paths of one session, or of one periodic caller.
#[derive(Debug, Clone)]
pub(crate) struct Paths<'a> {
    endpoints: &'a [PlannedEndpoint],
    /// Sessions think for most of their time, and there are many.
    stream: Resting,
}

impl<'a> Paths<'a> {
    /// Paths of `endpoints` that `stream` draws.
    pub(super) fn new(endpoints: &'a [PlannedEndpoint], stream: Resting) -> Self {
        Self { endpoints, stream }
    }

    /// The next path, which is one of `endpoint`.
    pub(crate) fn next(&mut self, endpoint: usize) -> String {
        let paths = &self.endpoints[endpoint].paths;
        self.stream.wake(|stream| paths.make(stream, &mut |_, _| ()))
    }

    /// The next path, and what stands in its placeholders.
    pub(crate) fn next_with_parameters(&mut self, endpoint: usize) -> (String, BTreeMap<String, String>) {
        let mut parameters = BTreeMap::new();
        let mut note = |name: &str, value: &str| drop(parameters.insert(name.to_owned(), value.to_owned()));
        let paths = &self.endpoints[endpoint].paths;
        let path = self.stream.wake(|stream| paths.make(stream, &mut note));
        (path, parameters)
    }
}
