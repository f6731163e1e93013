//! `--from FILE[:NAME]`: the format out of the configuration of the server that wrote the log.

use std::path::{Path, PathBuf};

use super::builtin::Producer;
use super::include::Includes;
use super::{
    Format, Options, apache_format, envoy_format, envoy_yaml, haproxy_cfg, haproxy_format, httpd_conf,
    nginx_conf, nginx_format, squid_conf, squid_format,
};
use crate::error::Error;

/// A kind of configuration.
struct Kind {
    /// The text is of this kind, and of none that stands before it in the list.
    recognise: fn(&str) -> bool,
    /// The format in use, or the one of the name that was asked for.
    ///
    /// # Errors
    /// [`Error::LogFormat`], [`Error::Configuration`].
    format: fn(&Configuration<'_>) -> Result<Format, Error>,
}

/// All kinds, those with the more striking marks first.
const KINDS: &[Kind] = &[
    Kind { recognise: haproxy_cfg::recognise, format: haproxy },
    Kind { recognise: squid_conf::recognise, format: squid },
    Kind { recognise: envoy_yaml::recognise, format: envoy },
    Kind { recognise: nginx_conf::recognise, format: nginx },
    Kind { recognise: httpd_conf::recognise, format: apache },
];

/// What `--from` names.
struct Configuration<'a> {
    path: &'a Path,
    /// Where what it includes is looked for; `None` for a text without a place, which includes nothing.
    directory: Option<PathBuf>,
    text: String,
    /// Name of the format wanted.
    name: Option<&'a str>,
    options: &'a Options,
}

/// The format that the configuration `from` (a path, or a path, a colon and a name) uses.
///
/// # Errors
/// [`Error::LogFormat`], [`Error::Configuration`], [`Error::Read`].
pub fn format(from: &str, options: &Options) -> Result<Format, Error> {
    let (path, name) = match from.rsplit_once(':') {
        Some((path, name)) if !Path::new(from).exists() => (path, Some(name)),
        _ => (from, None),
    };
    let path = Path::new(path);
    let bytes =
        fs_err::read(path).map_err(|source| Error::Read { input: path.display().to_string(), source })?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let directory = Some(path.parent().map_or_else(PathBuf::new, Path::to_owned));
    Configuration { path, directory, text, name, options }.format()
}

/// The format that the configuration `text` uses, without what it includes.
///
/// # Errors
/// [`Error::LogFormat`], [`Error::Configuration`].
pub fn format_of_text(text: &str, name: Option<&str>, options: &Options) -> Result<Format, Error> {
    let (path, text) = (Path::new("configuration"), text.to_owned());
    Configuration { path, directory: None, text, name, options }.format()
}

impl Configuration<'_> {
    fn format(&self) -> Result<Format, Error> {
        match KINDS.iter().find(|kind| (kind.recognise)(&self.text)) {
            Some(kind) => (kind.format)(self),
            None => Err(self.refused("found no configuration of a server that is known here".to_owned())),
        }
    }

    /// `missing`: what is included and cannot be read.
    fn wrong(&self, problem: String, missing: &[String]) -> Error {
        let problem = match missing {
            [] => problem,
            [first, ..] => format!("{problem}; it includes `{first}`, which cannot be read"),
        };
        Error::Configuration { path: self.path.to_owned(), problem }
    }

    fn refused(&self, problem: String) -> Error {
        Error::Configuration { path: self.path.to_owned(), problem }
    }
}

fn haproxy(configuration: &Configuration<'_>) -> Result<Format, Error> {
    let found = haproxy_cfg::find(&configuration.text, configuration.name)
        .map_err(|problem| configuration.refused(problem))?;
    let label = format!("haproxy:{}", found.name);
    haproxy_format::compile_named(&label, &found.format, &found.captured, configuration.options)
}

fn squid(configuration: &Configuration<'_>) -> Result<Format, Error> {
    let found = squid_conf::find(&configuration.text, configuration.name)
        .map_err(|problem| configuration.refused(problem))?;
    let label = format!("squid:{}", found.name);
    squid_format::compile_named(&label, &found.format, found.tail, configuration.options)
}

fn envoy(configuration: &Configuration<'_>) -> Result<Format, Error> {
    let (name, format) = envoy_yaml::find(&configuration.text, configuration.name)
        .map_err(|problem| configuration.refused(problem))?;
    envoy_format::compile_named(&format!("envoy:{name}"), &format, configuration.options)
}

fn nginx(configuration: &Configuration<'_>) -> Result<Format, Error> {
    // Relative to the directory of the main file, wherever the directive stands.
    let mut includes = Includes::new(configuration.path, configuration.directory.iter().cloned().collect());
    let text = nginx_conf::included(&configuration.text, &mut |pattern| includes.read(pattern));
    let directive = nginx_conf::find(&text, configuration.name)
        .map_err(|problem| configuration.wrong(problem, &includes.missing))?;
    nginx_format::compile_directive(&directive, configuration.options)
}

fn apache(configuration: &Configuration<'_>) -> Result<Format, Error> {
    // A copy of a configuration may lie anywhere: then what it includes lies beside it, or beside its directory.
    let roots = configuration.directory.iter().flat_map(|directory| {
        let root = httpd_conf::server_root(&configuration.text).map(|root| directory.join(root));
        root.into_iter().chain([directory.clone(), directory.join("..")])
    });
    let mut includes = Includes::new(configuration.path, roots.collect());
    let text = httpd_conf::included(&configuration.text, &mut |pattern| includes.read(pattern));
    let (name, format) = httpd_conf::find(&text, configuration.name)
        .map_err(|problem| configuration.wrong(problem, &includes.missing))?;
    // LiteSpeed reads Apache's configuration, so the file does not say whose it is.
    let producer = match configuration.options.producer {
        Some(Producer::LiteSpeed) => Producer::LiteSpeed,
        _ => Producer::Apache,
    };
    let label = format!("{}:{name}", producer.name());
    apache_format::compile_named(&label, &format, producer, configuration.options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(files: &[(&str, &str)], from: &str, expected: Result<&str, &str>) {
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = directory.path().join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        let from = directory.path().join(from);
        let found = format(from.to_str().unwrap(), &Options::default());
        match (found.map(|format| format.label).map_err(|error| error.to_string()), expected) {
            (Ok(label), Ok(expected)) => assert_eq!(label, expected),
            (Err(message), Err(expected)) => assert!(message.contains(expected), "{message}"),
            (found, expected) => panic!("{found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn formats_are_found_through_included_files() {
        let nginx = [
            ("nginx/nginx.conf", "http { include formats/*.conf; include nginx.conf; include sites/a; }"),
            ("nginx/formats/1.conf", r#"log_format main '$remote_addr [$time_iso8601] "$request" $status';"#),
            ("nginx/formats/2.conf", r#"log_format other '$remote_addr [$time_local] "$request" $status';"#),
            ("nginx/sites/a", "server { access_log /var/log/a.log main; }"),
        ];
        check(&nginx, "nginx/nginx.conf", Ok("nginx:main"));
        check(&nginx, "nginx/nginx.conf:other", Ok("nginx:other"));
        check(&nginx, "nginx/nginx.conf:third", Err("main, other"));
        let apache = [
            ("etc/conf/httpd.conf", "Include conf.d/*.conf\nIncludeOptional missing/*.conf\nInclude sites"),
            (
                "etc/conf.d/log.conf",
                "LogFormat \"%h %l %u %t \\\"%r\\\" %>s %b\" mine\nInclude conf/httpd.conf",
            ),
            ("etc/sites/one", "<VirtualHost *:80>\nCustomLog logs/one.log mine\n</VirtualHost>"),
        ];
        check(&apache, "etc/conf/httpd.conf", Ok("apache:mine"));
        let format = "log-format \"%ci [%tr] %ST %{+Q}r\"";
        check(&[("a.cfg", &format!("frontend web\n  {format}\n"))], "a.cfg", Ok("haproxy:web"));
        check(&[("a.cfg", "http_port 3128\naccess_log /a combined\n")], "a.cfg", Ok("squid:combined"));
        check(&[("a.yaml", "listeners: [{name: edge, access_log: [{}]}]")], "a.yaml:edge", Ok("envoy:edge"));
        check(
            &[("a.yaml", "accessLogFile: /dev/stdout\naccessLogFormat: ''")],
            "a.yaml",
            Ok("envoy:access_log"),
        );
        check(&[("a.conf", "hello")], "a.conf", Err("no configuration of a server"));
        check(
            &[("a.conf", "Include gone.conf\nCustomLog a.log mine")],
            "a.conf",
            Err("gone.conf`, which cannot be read"),
        );
    }
}
