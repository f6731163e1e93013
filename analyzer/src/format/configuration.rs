//! `--from FILE[:NAME]`: the format out of the configuration of the server that wrote the log.

use std::path::{Path, PathBuf};

use super::{Format, Options, nginx_conf, nginx_format};
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
    let (name, format) = nginx_conf::find(&text, name)
        .map_err(|problem| Error::Configuration { path: path.clone(), problem })?;
    nginx_format::compile_named(&format!("nginx:{name}"), &format, &options.identity)
}
