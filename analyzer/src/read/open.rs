//! Finding the inputs and their formats, before anything is read.

use rayon::prelude::*;

use crate::error::Error;
use crate::format::Options;
use crate::format::detect::{self, Detection};
use crate::settings::ReadSettings;
use crate::source::{Input, Located, PassedOver, Waiting, Why, archive, locate};

/// Inputs with their formats.
pub(crate) struct Opened {
    pub(crate) sources: Vec<Source>,
    /// Files that are not read, and why.
    pub(crate) passed_over: Vec<PassedOver>,
}

/// An input whose format is known.
pub(crate) struct Source {
    pub(crate) input: Waiting,
    pub(crate) found: Found,
}

/// What is known of an input before it is read.
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) detection: Detection,
    pub(super) compressed: Option<String>,
    pub(super) envelope: Option<&'static str>,
}

/// Opens the inputs and finds their formats, without reading further.
///
/// # Errors
/// What keeps an input from being read; [`Error::Empty`], [`Error::UnknownFormat`], [`Error::NoLogs`].
/// A file that was found in a directory or by a pattern and is no log is passed over, and so is any empty file
/// beside others.
pub(crate) fn open(settings: &ReadSettings) -> Result<Opened, Error> {
    let (located, mut passed_over) = locate(&settings.inputs, settings.stdin.as_ref())?;
    let looked_at: Vec<(bool, Result<Source, Error>)> =
        located.into_par_iter().map(|input| (input.found, source(input, settings))).collect();
    let mut sources = Vec::new();
    let mut first_error = None;
    for (found, source) in looked_at {
        let error = match source {
            Ok(source) => {
                sources.push(source);
                continue;
            }
            Err(error) => error,
        };
        let (path, why) = match &error {
            Error::Empty { input } => (input, Why::Empty),
            Error::Read { input, source } if found => (input, Why::Unreadable(source.kind().to_string())),
            Error::UnknownFormat { input, .. } | Error::Archive { input, .. } if found => (input, Why::NoLog),
            _ => return Err(error),
        };
        passed_over.push(PassedOver { path: path.clone(), why });
        if !found || matches!(error, Error::Read { .. }) {
            first_error.get_or_insert(error);
        }
    }
    match (sources.is_empty(), first_error, settings.inputs.first()) {
        (true, Some(error), _) => Err(error),
        (true, None, Some(path)) => Err(Error::NoLogs { path: path.clone() }),
        _ => Ok(Opened { sources, passed_over }),
    }
}

fn source(located: Located, settings: &ReadSettings) -> Result<Source, Error> {
    let name = located.place.name();
    let input = Input::open(located.place, settings.limits())
        .map_err(|source| Error::Read { input: name.clone(), source })?;
    let detection = recognise(&input, settings)?;
    let (compressed, envelope) = (input.compressed(), input.envelope());
    Ok(Source { input: input.wait(), found: Found { name, detection, compressed, envelope } })
}

fn recognise(input: &Input, settings: &ReadSettings) -> Result<Detection, Error> {
    if input.head.is_empty() {
        return Err(Error::Empty { input: input.name.clone() });
    }
    if let Some((found, unpack)) = archive(&input.head) {
        return Err(Error::Archive { input: input.name.clone(), found, unpack });
    }
    if let Some(format) = &settings.format {
        let format = format.clone().trusting(&settings.trusted_proxies);
        return Ok(detect::with_wrappers(&format, input.sample()));
    }
    let options = Options {
        identity: settings.identity.clone(),
        producer: settings.producer,
        map: settings.map.clone(),
        trusted: settings.trusted_proxies.clone(),
    };
    let mut detection = detect::detect(input.sample(), &options).into_iter().next().ok_or_else(|| {
        let found = match &input.head {
            head if head.contains(&0) => "binary data",
            head if head.starts_with(b"{") => "JSON",
            _ => "text in another format",
        };
        Error::UnknownFormat { input: input.name.clone(), found }
    })?;
    detection.format = detection.format.trusting(&settings.trusted_proxies);
    detection.format.check_map()?;
    match detection.format.can_hold(&settings.identity) {
        true => Ok(detection),
        false => Err(Error::NoIdentity {
            input: input.name.clone(),
            identity: settings.identity.to_string(),
            format: detection.format.label,
        }),
    }
}
