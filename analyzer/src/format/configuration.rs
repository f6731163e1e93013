//! `--from FILE[:NAME]`: the format out of the configuration of the server that wrote the log.

use std::path::{Path, PathBuf};

use super::{
    Format, Options, envoy_format, envoy_yaml, haproxy_cfg, haproxy_format, nginx_conf, nginx_format,
    squid_conf, squid_format,
};
use crate::error::Error;

/// The format that the configuration `from` (a path, or a path, a colon and a name) uses.
///
/// # Errors
/// [`Error::LogFormat`], [`Error::Configuration`], [`Error::Read`].
pub fn format(from: &str, options: &Options) -> Result<Format, Error> {
    let (path, name) = match from.rsplit_once(':') {
        Some((path, name)) if !Path::new(from).exists() => (path, Some(name)),
        _ => (from, None),
    };
    let path = PathBuf::from(path);
    let text = fs_err::read_to_string(&path)
        .map_err(|source| Error::Read { input: path.display().to_string(), source })?;
    let wrong = |problem| Error::Configuration { path: path.clone(), problem };
    let identity = &options.identity;
    match server(&path, &text) {
        Server::HaProxy => {
            let found = haproxy_cfg::find(&text, name).map_err(wrong)?;
            let label = format!("haproxy:{}", found.name);
            haproxy_format::compile_named(&label, &found.format, &found.captured, identity)
        }
        Server::Squid => {
            let found = squid_conf::find(&text, name).map_err(wrong)?;
            let label = format!("squid:{}", found.name);
            squid_format::compile_named(&label, &found.format, found.tail, identity)
        }
        Server::Envoy => {
            let (name, format) = envoy_yaml::find(&text, name).map_err(wrong)?;
            envoy_format::compile_named(&format!("envoy:{name}"), &format, identity)
        }
        Server::Nginx => {
            let (name, format) = nginx_conf::find(&text, name).map_err(wrong)?;
            nginx_format::compile_named(&format!("nginx:{name}"), &format, identity)
        }
    }
}

/// Whose configuration a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Server {
    Nginx,
    HaProxy,
    Squid,
    Envoy,
}

/// By the name of the file, else by directives that no other server has.
fn server(path: &Path, text: &str) -> Server {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let ends = |endings: [&str; 3]| endings.iter().any(|ending| name.ends_with(ending));
    let has = |directive: &str| text.lines().any(|line| line.trim_start().starts_with(directive));
    match name.as_str() {
        _ if ends([".yaml", ".yml", ".json"]) => Server::Envoy,
        _ if name.starts_with("haproxy") || has("log-format ") || has("option httplog") => Server::HaProxy,
        _ if name.starts_with("squid") || has("logformat ") || has("http_port ") => Server::Squid,
        _ => Server::Nginx,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations_are_told_apart() {
        for (name, text, expected) in [
            ("haproxy.cfg", "", Server::HaProxy),
            ("lb.cfg", "frontend a\n  option httplog\n", Server::HaProxy),
            ("squid.conf", "", Server::Squid),
            ("proxy.conf", "logformat x %>a", Server::Squid),
            ("envoy.yaml", "static_resources:", Server::Envoy),
            ("nginx.conf", "log_format x '$status';", Server::Nginx),
        ] {
            assert_eq!(server(Path::new(name), text), expected, "{name}");
        }
    }
}
