//! The JSON Schemas of results, made from the types.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::{CapacityReport, RunReport};

/// The schema of a run's result as a JSON value (draft 2020-12).
pub fn schema() -> Value {
    of::<RunReport>("Loadprint run")
}

/// The same as it stands in `schemas/run.schema.json`: indented, with a final newline.
pub fn schema_text() -> String {
    format!("{:#}\n", schema())
}

/// The schema of what a search for the highest load came to.
pub fn capacity_schema() -> Value {
    of::<CapacityReport>("Loadprint capacity")
}

/// The same as it stands in `schemas/capacity.schema.json`.
pub fn capacity_schema_text() -> String {
    format!("{:#}\n", capacity_schema())
}

fn of<T: JsonSchema>(title: &str) -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut value = settings.into_generator().into_root_schema_for::<T>().to_value();
    if let Some(root) = value.as_object_mut() {
        root.insert("title".to_owned(), Value::from(title));
    }
    value
}
