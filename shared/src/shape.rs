//! Structure: every unknown key, missing key and wrong type of a profile, at once.
//!
//! A typed reader stops at the first mistake; a person who edited ten lines wants all of them.
//! So the untyped value is walked against the JSON Schema of the types, in the subset that it uses.

use serde_json::{Map, Value};

use crate::error::{Violation, nearest};
use crate::schema;

/// Everything in `value` that is not of a profile's shape; empty when all is.
pub fn check(value: &Value) -> Vec<Violation> {
    let root = schema::value();
    let mut walk =
        Walk { definitions: root.get("$defs").cloned().unwrap_or_default(), violations: Vec::new() };
    walk.visit("", value, &root);
    walk.violations
}

struct Walk {
    definitions: Value,
    violations: Vec<Violation>,
}

impl Walk {
    fn visit(&mut self, place: &str, value: &Value, schema: &Value) {
        let schema = self.resolve(schema);
        if let Some(alternatives) =
            schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array)
        {
            self.visit_alternatives(place, value, alternatives);
            return;
        }
        if let Some(words) = schema.get("enum").and_then(Value::as_array) {
            self.expect(place, value, words.contains(value), || {
                let known: Vec<String> = words.iter().map(|word| format!("`{}`", text(word))).collect();
                format!("one of {}", known.join(", "))
            });
            return;
        }
        if let Some(constant) = schema.get("const") {
            self.expect(place, value, value == constant, || format!("`{}`", text(constant)));
            return;
        }
        if !has_type(value, &schema) {
            self.expect(place, value, false, || type_names(&schema));
            return;
        }
        match value {
            Value::Object(map) => self.visit_object(place, map, &schema),
            Value::Array(items) => {
                if let Some(item_schema) = schema.get("items") {
                    for (i, item) in items.iter().enumerate() {
                        self.visit(&format!("{place}/{i}"), item, item_schema);
                    }
                }
            }
            _ => {}
        }
    }

    /// The alternative with the fewest problems speaks for all: for a tagged type, that is the one of its tag.
    fn visit_alternatives(&mut self, place: &str, value: &Value, alternatives: &[Value]) {
        let before = std::mem::take(&mut self.violations);
        let mut best: Option<Vec<Violation>> = None;
        for alternative in alternatives {
            self.visit(place, value, alternative);
            let found = std::mem::take(&mut self.violations);
            if best.as_ref().is_none_or(|best| found.len() < best.len()) {
                best = Some(found);
            }
        }
        self.violations = before;
        self.violations.extend(best.unwrap_or_default());
    }

    fn visit_object(&mut self, place: &str, map: &Map<String, Value>, schema: &Value) {
        let empty = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
        for key in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
            let key = key.as_str().unwrap_or_default();
            if !map.contains_key(key) {
                self.violations.push(Violation::new(format!("{place}/{key}"), "nothing", "this key"));
            }
        }
        // A map whose keys are words of a vocabulary has no properties of its own.
        let words = schema.pointer("/propertyNames/enum").and_then(Value::as_array);
        let words: Option<Vec<&str>> = words.map(|words| words.iter().filter_map(Value::as_str).collect());
        for (key, value) in map {
            let here = format!("{place}/{key}");
            if let Some(words) = words.as_ref().filter(|words| !words.contains(&key.as_str())) {
                let known: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                let expected = format!("one of {}", known.join(", "));
                let violation = Violation::new(here.clone(), "a key that is not known", expected);
                self.violations.push(match nearest(key, words.iter().copied()) {
                    Some(known) => violation.hint(format!("did you mean `{known}`?")),
                    None => violation,
                });
            }
            match (properties.get(key), schema.get("additionalProperties")) {
                (Some(property), _) => self.visit(&here, value, property),
                (None, Some(Value::Bool(false))) => {
                    let violation =
                        Violation::new(here, "a key that is not known", "a key of the profile format");
                    let violation = match nearest(key, properties.keys().map(String::as_str)) {
                        Some(known) => violation.hint(format!("did you mean `{known}`?")),
                        None => violation,
                    };
                    self.violations.push(violation);
                }
                (None, Some(additional @ Value::Object(_))) => self.visit(&here, value, additional),
                (None, _) => {}
            }
        }
    }

    fn expect(&mut self, place: &str, value: &Value, holds: bool, expected: impl Fn() -> String) {
        if !holds {
            self.violations.push(Violation::new(place, describe(value), expected()));
        }
    }

    /// The schema that a `$ref` points at; keys beside the reference are only descriptions.
    fn resolve(&self, schema: &Value) -> Value {
        let reference = schema.get("$ref").and_then(Value::as_str);
        let name = reference.and_then(|reference| reference.strip_prefix("#/$defs/"));
        name.and_then(|name| self.definitions.get(name)).unwrap_or(schema).clone()
    }
}

fn has_type(value: &Value, schema: &Value) -> bool {
    let matches = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|x| x.fract() == 0.0),
        _ => true,
    };
    match schema.get("type") {
        Some(Value::String(name)) => matches(name),
        Some(Value::Array(names)) => names.iter().any(|name| matches(text(name).as_str())),
        _ => true,
    }
}

fn type_names(schema: &Value) -> String {
    let article = |name: &str| match name {
        "object" => "a map".to_owned(),
        "array" => "a list".to_owned(),
        "integer" => "a whole number".to_owned(),
        "null" => "nothing".to_owned(),
        name => format!("a {name}"),
    };
    match schema.get("type") {
        Some(Value::Array(names)) => {
            names.iter().map(|name| article(&text(name))).collect::<Vec<_>>().join(" or ")
        }
        Some(name) => article(&text(name)),
        None => "something else".to_owned(),
    }
}

fn describe(value: &Value) -> String {
    match value {
        Value::Object(_) => "a map".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Null => "nothing".to_owned(),
        scalar => format!("`{}`", text(scalar)),
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
