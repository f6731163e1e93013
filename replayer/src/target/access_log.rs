//! The target's access log, in nginx's way of writing.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::error::Error;

/// The format of the log, as an nginx `log_format` would have it.
pub const LOG_FORMAT: &str = "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \
     \"$http_referer\" \"$http_user_agent\" $request_time $msec \"$http_x_loadprint_session\"";

/// The longest time that a line waits in memory.
const FLUSH_EVERY: Duration = Duration::from_millis(100);

/// A log file and the thread that writes it, so that no event loop ever waits for a disk.
#[derive(Debug)]
pub(super) struct AccessLog {
    path: PathBuf,
    lines: Lines,
    stop: mpsc::Sender<()>,
    writer: JoinHandle<std::io::Result<()>>,
}

/// Lines that are to be written.
#[derive(Debug, Clone, Default)]
pub(super) struct Lines(Arc<Mutex<Vec<u8>>>);

/// What one line says.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) client: std::net::IpAddr,
    pub(super) request: String,
    pub(super) status: u16,
    pub(super) body_bytes: u64,
    pub(super) referer: Option<Vec<u8>>,
    pub(super) agent: Option<Vec<u8>>,
    pub(super) session: Option<Vec<u8>>,
    pub(super) took: Duration,
    /// When the answer ended, since the Unix epoch.
    pub(super) ended: Duration,
}

impl AccessLog {
    /// Creates the file, or empties it.
    pub(super) fn create(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Write { path: path.to_owned(), source };
        let mut file = fs_err::File::create(path).map_err(failed)?;
        let lines = Lines::default();
        let (stop, stopped) = mpsc::channel();
        let pending = lines.clone();
        let write = move || {
            loop {
                let last = stopped.recv_timeout(FLUSH_EVERY) != Err(mpsc::RecvTimeoutError::Timeout);
                file.write_all(&pending.take())?;
                if last {
                    return Ok(());
                }
            }
        };
        let writer = thread::Builder::new().name("access log".to_owned()).spawn(write).map_err(failed)?;
        Ok(Self { path: path.to_owned(), lines, stop, writer })
    }

    /// Where event loops put their lines.
    pub(super) fn lines(&self) -> Lines {
        self.lines.clone()
    }

    /// Writes what is left and closes the file.
    ///
    /// # Errors
    /// [`Error::Write`], also for what could not be written earlier.
    pub(super) fn finish(self) -> Result<(), Error> {
        drop(self.stop);
        let ended = self.writer.join().unwrap_or_else(|_| Err(std::io::Error::other("the writer panicked")));
        ended.map_err(|source| Error::Write { path: self.path, source })
    }
}

impl Lines {
    /// Adds a line.
    pub(super) fn add(&self, entry: &Entry) {
        let line = entry.line();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(line.as_bytes());
    }

    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Entry {
    /// The line in [`LOG_FORMAT`], with its end.
    fn line(&self) -> String {
        let header = |value: &Option<Vec<u8>>| value.as_ref().map_or("-".to_owned(), |value| escape(value));
        format!(
            "{} - - [{}] \"{}\" {} {} \"{}\" \"{}\" {}.{:03} {}.{:03} \"{}\"\n",
            self.client,
            local_time(self.ended.as_secs()),
            escape(self.request.as_bytes()),
            self.status,
            self.body_bytes,
            header(&self.referer),
            header(&self.agent),
            self.took.as_secs(),
            self.took.subsec_millis(),
            self.ended.as_secs(),
            self.ended.subsec_millis(),
            header(&self.session),
        )
    }
}

/// As nginx does by default: quotes, backslashes, and all that is not printable ASCII become `\xHH`.
fn escape(value: &[u8]) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value {
        match byte {
            b'"' | b'\\' | 0..0x20 | 0x7f.. => text.push_str(&format!("\\x{byte:02X}")),
            byte => text.push(char::from(*byte)),
        }
    }
    text
}

/// `21/Nov/2026:07:26:00 +0000`, from Unix seconds.
fn local_time(unix_s: u64) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (days, second) = (unix_s / 86_400, unix_s % 86_400);
    // Civil date from days (H. Hinnant, "chrono-compatible low-level date algorithms"): years begin in March, so that
    // the leap day is the last of one; 719,468 days lie between 0000-03-01 and 1970-01-01.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = (march_month + 2) % 12;
    let year = era * 400 + year_of_era + u64::from(month < 2);
    format!(
        "{day:02}/{}/{year}:{:02}:{:02}:{:02} +0000",
        MONTHS[month as usize],
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_as_nginx_writes_it() {
        let entry = Entry {
            client: [127, 0, 0, 1].into(),
            request: "GET /items/a\"b?q=1 HTTP/1.1".to_owned(),
            status: 200,
            body_bytes: 512,
            referer: None,
            agent: Some(b"agent \\ \xc3\xa9\t".to_vec()),
            session: Some(b"00ff".to_vec()),
            took: Duration::from_micros(1_042_600),
            ended: Duration::from_millis(1_709_210_096_007),
        };
        assert_eq!(
            entry.line(),
            "127.0.0.1 - - [29/Feb/2024:12:34:56 +0000] \"GET /items/a\\x22b?q=1 HTTP/1.1\" 200 512 \"-\" \
             \"agent \\x5C \\xC3\\xA9\\x09\" 1.042 1709210096.007 \"00ff\"\n"
        );
    }

    #[test]
    fn dates_around_the_turns_of_months_and_years() {
        #[track_caller]
        fn check(unix_s: u64, expected: &str) {
            assert_eq!(local_time(unix_s), expected);
        }
        check(0, "01/Jan/1970:00:00:00 +0000");
        check(951_782_399, "28/Feb/2000:23:59:59 +0000");
        check(951_782_400, "29/Feb/2000:00:00:00 +0000");
        check(1_798_761_599, "31/Dec/2026:23:59:59 +0000");
        check(1_798_761_600, "01/Jan/2027:00:00:00 +0000");
        check(4_107_542_400, "01/Mar/2100:00:00:00 +0000");
    }
}
