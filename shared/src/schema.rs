//! The JSON Schema of the profile, made from the types.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::profile::Profile;

/// The schema as a JSON value (draft 2020-12).
pub fn value() -> Value {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Profile>();
    let mut value = schema.to_value();
    if let Some(root) = value.as_object_mut() {
        root.insert("title".to_owned(), Value::from("Loadprint profile"));
    }
    value
}

/// The schema as it stands in `schemas/profile.schema.json`: indented, with a final newline.
pub fn text() -> String {
    format!("{:#}\n", value())
}
