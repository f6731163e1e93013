//! Asking others how the target is: its health URL, and Prometheus about it.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use reqwest::Client;
use tokio_rustls::rustls::{self, ClientConfig};
use url::Url;

use super::query::{Query, Verdict};
use super::stop::Reached;
use crate::clock::Clock;
use crate::config::WireSettings;
use crate::connect::tls;
use crate::error::Error;

/// How often a health URL is asked.
const HEALTH_EVERY: Duration = Duration::from_secs(1);
/// How long an answer may take; one that does not come is a bad one.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Bad answers in a row that end a run: one may be chance.
const BAD_IN_A_ROW: u32 = 3;

/// What is asked during a run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Probes {
    health: Option<Url>,
    prometheus: Option<(Url, Vec<Query>)>,
    /// Whom to trust and what to show, the same as for the load; none where nothing is asked.
    tls: Option<Arc<ClientConfig>>,
}

/// The answers so far: why to stop, if there is a reason.
#[derive(Debug, Clone, Default)]
pub(crate) struct Findings(Arc<Mutex<Option<Reached>>>);

impl Findings {
    /// Why to stop, once there is a reason.
    pub(crate) fn reached(&self) -> Option<Reached> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn report(&self, reached: Reached) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(reached);
    }
}

impl Probes {
    /// To ask `health`, and of `prometheus` all of `queries`; over TLS as `wire` says.
    ///
    /// # Errors
    /// [`Error::Setting`] for what is no URL, or for queries without a server to ask; [`Error::Certificate`].
    pub(crate) fn new(
        health: Option<&str>,
        prometheus: Option<&str>,
        queries: Vec<Query>,
        wire: &WireSettings,
    ) -> Result<Self, Error> {
        let health = health.map(|text| base(text, "--health")).transpose()?;
        let prometheus = match prometheus.map(|text| base(text, "--prometheus")).transpose()? {
            Some(url) => Some((url, queries)),
            None if queries.is_empty() => None,
            None => {
                let (found, expected) = ("nothing".to_owned(), "the server that `--stop 'query(…)'` asks");
                return Err(Error::Setting { name: "--prometheus", found, expected });
            }
        };
        let asks = health.is_some() || prometheus.is_some();
        // Questions go over HTTP/1.1, whatever the load does.
        let wire = || WireSettings { http2: false, ..wire.clone() };
        let tls = asks.then(|| tls::config(&wire())).transpose()?;
        Ok(Self { health, prometheus, tls })
    }

    /// Is something asked over TLS?
    pub(crate) fn are_secure(&self) -> bool {
        let mut urls = self.health.iter().chain(self.prometheus.iter().map(|(url, _)| url));
        urls.any(|url| url.scheme() == "https")
    }

    /// Asks everything once, and from then on again and again until what is given back is dropped.
    ///
    /// # Errors
    /// [`Error::Probe`] when the first answers are not what they should be: a guard that sees nothing is none.
    pub(crate) fn start(&self) -> Result<Option<Probing>, Error> {
        let Some(tls) = &self.tls else { return Ok(None) };
        let failed = |source: std::io::Error| Error::EventLoop { source };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        // Redirects of a health check lead to a login page as a rule, which always looks healthy.
        let client = Client::builder()
            .no_proxy()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .tls_backend_preconfigured(ClientConfig::clone(tls))
            .build();
        let client = client.map_err(|error| failed(std::io::Error::other(error)))?;
        runtime.block_on(self.ask_once(&client))?;
        let findings = Findings::default();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let (probes, to) = (self.clone(), findings.clone());
        let ask = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = probes.ask(&client, Clock::start(), &to) => {}
                    // Also when the other end is dropped, which is how it is stopped.
                    _ = stopped => {}
                }
            });
        };
        thread::Builder::new().name("probes".to_owned()).spawn(ask).map_err(failed)?;
        Ok(Some(Probing { findings, _stop: stop }))
    }

    async fn ask_once(&self, client: &Client) -> Result<(), Error> {
        if let Some(url) = &self.health {
            is_healthy(client, url).await.map_err(|found| Error::Probe {
                name: "--health",
                found,
                expected: "a status of 2xx",
            })?;
        }
        for (url, query) in
            self.prometheus.iter().flat_map(|(url, queries)| queries.iter().map(move |query| (url, query)))
        {
            value(client, url, query).await.map_err(|found| Error::Probe {
                name: "--prometheus",
                found: format!("{found} to `{}`", query.text()),
                expected: "a number",
            })?;
        }
        Ok(())
    }

    async fn ask(&self, client: &Client, clock: Clock, findings: &Findings) {
        let health = async {
            let Some(url) = &self.health else { return };
            let mut bad = 0;
            loop {
                tokio::time::sleep(HEALTH_EVERY).await;
                match is_healthy(client, url).await {
                    Ok(()) => bad = 0,
                    Err(found) => {
                        bad += 1;
                        if bad >= BAD_IN_A_ROW {
                            let found = format!("{found}, the last of {bad} bad answers in a row");
                            findings.report(Reached { rule: "--health".to_owned(), found });
                        }
                    }
                }
            }
        };
        let prometheus = async {
            let Some((url, queries)) = &self.prometheus else { return };
            let mut queries = queries.clone();
            loop {
                let every = queries.iter().map(Query::every).min().unwrap_or(TIMEOUT);
                tokio::time::sleep(every).await;
                for query in &mut queries {
                    let values = value(client, url, query).await;
                    if let Verdict::Stop(found) = query.judge(clock.now_ns(), values.as_deref().ok()) {
                        findings.report(Reached { rule: query.text().to_owned(), found });
                    }
                }
            }
        };
        tokio::join!(health, prometheus);
    }
}

/// Somebody who asks; dropping it ends that.
#[derive(Debug)]
pub(crate) struct Probing {
    pub(crate) findings: Findings,
    _stop: tokio::sync::oneshot::Sender<()>,
}

/// A URL to ask.
fn base(text: &str, name: &'static str) -> Result<Url, Error> {
    let is_askable = |url: &Url| matches!(url.scheme(), "http" | "https") && url.username().is_empty();
    let url = Url::parse(text).ok().filter(is_askable);
    // It may hold a password.
    let found = if text.contains('@') { "a URL with a user name".to_owned() } else { format!("`{text}`") };
    url.ok_or(Error::Setting {
        name,
        found,
        expected: "a URL that starts with `http://` or `https://`, without a user name",
    })
}

/// Whether `url` answers with 2xx; otherwise what it did instead.
async fn is_healthy(client: &Client, url: &Url) -> Result<(), String> {
    match client.get(url.clone()).send().await {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(format!("status {}", answer.status().as_u16())),
        Err(error) => Err(reason(&error).to_owned()),
    }
}

/// The values that Prometheus at `base` gives for `query` now; otherwise what it did instead.
async fn value(client: &Client, base: &Url, query: &Query) -> Result<Vec<f64>, String> {
    let mut url = base.clone();
    url.set_path(&format!("{}/api/v1/query", base.path().trim_end_matches('/')));
    url.query_pairs_mut().clear().append_pair("query", query.expression());
    let answer = client.get(url).send().await.map_err(|error| reason(&error).to_owned())?;
    let status = answer.status();
    let body = answer.bytes().await.map_err(|error| reason(&error).to_owned())?;
    if !status.is_success() {
        return Err(format!("status {}", status.as_u16()));
    }
    super::query::values(&body).ok_or_else(|| "an answer that Prometheus does not give".to_owned())
}

fn reason(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "no answer in 2 s"
    } else if is_about_tls(error) {
        "no agreement on TLS, or a certificate that is not trusted"
    } else if error.is_connect() {
        "no connection"
    } else {
        "a broken answer"
    }
}

/// Is `error` a failure of TLS, or is one among its causes? Errors of the system hide what they wrap from those who ask for
/// the cause.
fn is_about_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    error.is::<rustls::Error>()
        || wrapped.is_some_and(|error| is_about_tls(error))
        || error.source().is_some_and(is_about_tls)
}
