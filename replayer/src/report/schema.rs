//! The JSON Schema of a run's result, made from the types.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::RunReport;

/// The schema as a JSON value (draft 2020-12).
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut value = settings.into_generator().into_root_schema_for::<RunReport>().to_value();
    if let Some(root) = value.as_object_mut() {
        root.insert("title".to_owned(), Value::from("Loadprint run"));
    }
    value
}

/// The schema as it stands in `schemas/run.schema.json`: indented, with a final newline.
pub fn schema_text() -> String {
    format!("{:#}\n", schema())
}
