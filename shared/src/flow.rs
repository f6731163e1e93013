//! Small maps and lists stand on one line of the YAML, so that a profile reads as a table.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use serde_yaml::{FlowMap, FlowSeq};

/// Writes a map or struct as `{a: 1, b: 2}`. JSON output is unaffected.
pub(crate) fn map<T: Serialize, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    FlowMap(value).serialize(serializer)
}

/// Writes a list as `[1, 2]`. JSON output is unaffected.
pub(crate) fn list<T: Serialize, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    FlowSeq(value).serialize(serializer)
}

/// Writes a map with each of its values on one line, behind its key. JSON output is unaffected.
pub(crate) fn rows<K: Serialize, V: Serialize, S: Serializer>(
    map: &BTreeMap<K, V>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(map.iter().map(|(key, value)| (key, FlowMap(value))))
}
