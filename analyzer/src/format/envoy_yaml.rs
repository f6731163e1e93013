//! Which access log format a configuration of Envoy or Istio uses.
//!
//! Source: Envoy `envoy.config.core.v3.SubstitutionFormatString` and `envoy.extensions.access_loggers.file.v3`;
//! Istio `MeshConfig` (`accessLogFormat`).

use serde_json::Value;

use super::envoy_format::{DEFAULT, ISTIO};

/// An access log of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
struct AccessLog {
    /// Names of the things around it, the nearest last: listeners, filters, what its statistics are called.
    names: Vec<String>,
    format: LogFormat,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum LogFormat {
    Text(String),
    Json,
}

/// Whether `text` is a configuration of Envoy, or of a mesh.
pub(super) fn recognise(text: &str) -> bool {
    const KEYS: [&str; 5] =
        ["access_log", "accessLog", "accessLogFormat", "static_resources", "accessLogFile"];
    KEYS.iter().any(|key| text.contains(&format!("{key}:")) || text.contains(&format!("\"{key}\"")))
}

/// The format that `configuration`, YAML or JSON, uses: of the access log inside something called `wanted`, else of
/// its first access log. Gives name and format string.
///
/// # Errors
/// A sentence that says what was found and expected.
pub(crate) fn find(configuration: &str, wanted: Option<&str>) -> Result<(String, String), String> {
    let root: Value = serde_yaml::from_str(configuration).map_err(|_| "found no readable YAML".to_owned())?;
    let mut logs = Vec::new();
    collect(&root, &mut Vec::new(), &mut logs);
    let log = match wanted {
        Some(name) => {
            logs.iter().find(|log| log.names.iter().any(|known| known == name)).ok_or_else(|| {
                let mut names: Vec<&str> =
                    logs.iter().filter_map(|log| log.names.last()).map(String::as_str).collect();
                names.dedup();
                format!("found access logs of {}, expected `{name}` among them", names.join(", "))
            })?
        }
        None => logs.first().ok_or("found neither `access_log` nor `accessLogFormat`")?,
    };
    let name = wanted.or(log.names.last().map(String::as_str)).unwrap_or("access_log");
    match &log.format {
        LogFormat::Text(format) => Ok((name.to_owned(), format.clone())),
        // Envoy promises no order of the keys, so such a log is read by its keys.
        LogFormat::Json => Err(format!(
            "found `json_format` in `{name}`, expected a format string; logs in JSON are read without --from"
        )),
    }
}

fn collect(value: &Value, names: &mut Vec<String>, logs: &mut Vec<AccessLog>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, names, logs)),
        Value::Object(fields) => {
            let text = |key: &str| fields.get(key).and_then(Value::as_str);
            let before = names.len();
            names.extend(text("name").into_iter().chain(text("stat_prefix")).map(str::to_owned));
            for (key, value) in fields {
                match key.as_str() {
                    "access_log" | "accessLog" => {
                        let configured = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
                        for log in configured.iter().filter_map(access_log) {
                            logs.push(AccessLog { names: names.clone(), format: log });
                        }
                    }
                    // A mesh: an empty string is the default of Istio.
                    "accessLogFormat" => {
                        let own = value.as_str().filter(|format| !format.trim().is_empty());
                        let format = match text("accessLogEncoding") {
                            Some("JSON") => LogFormat::Json,
                            _ => LogFormat::Text(own.unwrap_or(ISTIO).to_owned()),
                        };
                        logs.push(AccessLog { names: names.clone(), format });
                    }
                    // A mesh inside a ConfigMap is YAML inside YAML.
                    "mesh" if value.is_string() => {
                        if let Ok(mesh) = serde_yaml::from_str(value.as_str().unwrap_or_default()) {
                            collect(&mesh, names, logs);
                        }
                    }
                    _ => collect(value, names, logs),
                }
            }
            names.truncate(before);
        }
        _ => {}
    }
}

/// The format of one logger; `None` where it is no log of text lines, such as one that sends to a server.
fn access_log(logger: &Value) -> Option<LogFormat> {
    let config = ["typed_config", "typedConfig", "config"].iter().find_map(|key| logger.get(key));
    let config = config.unwrap_or(logger);
    let kind = config.get("@type").or(logger.get("name")).and_then(Value::as_str).unwrap_or_default();
    if kind.contains("grpc") || kind.contains("Grpc") || kind.contains("OpenTelemetry") {
        return None;
    }
    let nested = |keys: &[&str]| {
        keys.iter().try_fold(config, |value, key| {
            let camel = camel_case(key);
            value.get(key).or_else(|| value.get(&camel))
        })
    };
    let text = [
        &["log_format", "text_format_source", "inline_string"][..],
        &["log_format", "text_format"],
        &["format"],
    ]
    .iter()
    .find_map(|keys| nested(keys)?.as_str());
    let json = [&["log_format", "json_format"][..], &["json_format"], &["typed_json_format"]];
    match text {
        Some(text) => Some(LogFormat::Text(text.to_owned())),
        None if json.iter().any(|keys| nested(keys).is_some()) => Some(LogFormat::Json),
        None => Some(LogFormat::Text(DEFAULT.to_owned())),
    }
}

/// `text_format` as JSON prints it, `textFormat`.
fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let (first, rest) = word.split_at(word.len().min(1));
        camel.push_str(&first.to_ascii_uppercase());
        camel.push_str(rest);
    }
    camel
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIGURATION: &str = r#"
static_resources:
  listeners:
  - name: edge
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          stat_prefix: ingress_http
          access_log:
          - name: envoy.access_loggers.http_grpc
            typed_config: {"@type": type.googleapis.com/envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig}
          - name: envoy.access_loggers.file
            typed_config:
              path: /dev/stdout
              log_format:
                text_format_source:
                  inline_string: "[%START_TIME%] %RESPONSE_CODE%\n"
  - name: plain
    accessLog:
    - typedConfig: {path: /dev/stdout}
  - name: json
    access_log: [{typed_config: {log_format: {json_format: {code: "%RESPONSE_CODE%"}}}}]
"#;

    #[test]
    fn formats_are_found_where_they_are() {
        for (configuration, wanted, name, format) in [
            (CONFIGURATION, None, "ingress_http", "[%START_TIME%] %RESPONSE_CODE%\n"),
            (CONFIGURATION, Some("edge"), "edge", "[%START_TIME%] %RESPONSE_CODE%\n"),
            (CONFIGURATION, Some("plain"), "plain", DEFAULT),
            ("access_log: {path: /x, format: '%DURATION%'}", None, "access_log", "%DURATION%"),
            ("accessLogFile: /dev/stdout\naccessLogFormat: ''", None, "access_log", ISTIO),
            ("data: {mesh: \"accessLogFormat: '%PROTOCOL%'\"}", None, "access_log", "%PROTOCOL%"),
        ] {
            let found = find(configuration, wanted).unwrap();
            assert_eq!((found.0.as_str(), found.1.as_str()), (name, format));
        }
    }

    #[test]
    fn what_is_not_there_is_said_with_what_is() {
        for (configuration, wanted, expected) in [
            (CONFIGURATION, Some("other"), "found access logs of ingress_http, plain, json"),
            (CONFIGURATION, Some("json"), "found `json_format` in `json`"),
            ("admin: {}", None, "found neither"),
            ("a: [", None, "no readable YAML"),
        ] {
            let problem = find(configuration, wanted).unwrap_err();
            assert!(problem.contains(expected), "{problem}");
        }
    }
}
