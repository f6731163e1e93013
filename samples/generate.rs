//! Makes the sample logs: traffic whose every parameter is known, from nothing but a seed.
//!
//! `shop` writes one week of a small web shop as nginx would log it, and beside it the truth: what was drawn from,
//! and what was drawn. `corpus` writes a plain log of any size, for the benches, and `decode` is what they compare the
//! reading of compressed logs with. The same flags give the same bytes.
//!
//! ```text
//! cargo run --release -p analyzer --example generate -- shop --out samples
//! cargo run --release -p analyzer --example generate -- corpus --out big.log --bytes 450MB --clients 120000
//! ```

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand, ValueEnum};

#[path = "generate/arrivals.rs"]
mod arrivals;
#[path = "generate/broken.rs"]
mod broken;
#[path = "generate/clients.rs"]
mod clients;
#[path = "generate/corpus.rs"]
mod corpus;
#[path = "generate/files.rs"]
mod files;
#[path = "generate/line.rs"]
mod line;
#[path = "generate/log.rs"]
mod log;
#[path = "generate/mail_links.rs"]
mod mail_links;
#[path = "generate/page.rs"]
mod page;
#[path = "generate/random.rs"]
mod random;
#[path = "generate/robots.rs"]
mod robots;
#[path = "generate/secrets.rs"]
mod secrets;
#[path = "generate/shop.rs"]
mod shop;
#[path = "generate/site.rs"]
mod site;
#[path = "generate/traffic.rs"]
mod traffic;
#[path = "generate/truth.rs"]
mod truth;
#[path = "generate/user_agents.rs"]
mod user_agents;
#[path = "generate/visits.rs"]
mod visits;

/// Make synthetic access logs with known parameters.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// One week of a small web shop, with the truth beside it
    Shop {
        /// Directory for shop.access.log.gz and shop.truth.json
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Everything drawn follows from this number
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Decompress a file and throw the result away: what reading it costs at least
    Decode {
        /// A file compressed with gzip
        file: PathBuf,
    },
    /// A plain log of any size, sorted by time
    Corpus {
        /// File to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Least size: a number of bytes, or with kB, MB or GB
        #[arg(long, default_value = "450MB", value_parser = parse_bytes)]
        bytes: u64,
        /// Least number of distinct clients (address and user agent)
        #[arg(long, default_value_t = 120_000, value_parser = clap::value_parser!(u32).range(1..=16_000_000))]
        clients: u32,
        /// Everything drawn follows from this number
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// How a line is written
        #[arg(long, value_enum, default_value_t = Format::Combined)]
        format: Format,
        /// Sessions of one request each: nearly every line is of a client that is new
        #[arg(long)]
        brief: bool,
        /// Days the sessions are spread over, from a Monday on
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=90))]
        days: u32,
    },
}

/// An nginx `log_format`.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The format nginx has built in
    Combined,
    /// The same with `$request_time` at the end, as in samples/nginx.conf
    Shop,
    /// `shop_json` in samples/nginx.conf
    Json,
    /// `$time_iso8601 $remote_addr $request_method "$request_uri" $server_protocol $status $body_bytes_sent
    /// $request_time "$http_referer" "$http_user_agent"`
    Custom,
}

/// Reads a size such as `450MB`; the units are powers of 1000.
fn parse_bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u64 = match &text[digits.len()..] {
        "" | "B" => 1,
        "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        other => return Err(format!("found unit `{other}`, expected B, kB, MB or GB")),
    };
    let count: u64 = digits.parse().map_err(|_| format!("found `{digits}`, expected a whole number"))?;
    count.checked_mul(unit).ok_or_else(|| format!("`{text}` is too large"))
}

fn decode(file: &Path) -> anyhow::Result<String> {
    let mut decoder = flate2::read::MultiGzDecoder::new(fs_err::File::open(file)?);
    let mut block = vec![0; 2 << 20];
    let mut bytes = 0;
    loop {
        match decoder.read(&mut block)? {
            0 => break Ok(format!("{bytes} bytes")),
            got => bytes += got,
        }
    }
}

#[expect(clippy::print_stderr, reason = "what was written is the one thing to say")]
fn main() -> anyhow::Result<()> {
    let summary = match Arguments::parse().command {
        Command::Shop { out, seed } => shop::write(&out, seed)?,
        Command::Decode { file } => decode(&file)?,
        Command::Corpus { out, bytes, clients, seed, format, brief, days } => {
            corpus::write(&out, &corpus::Settings { bytes, clients, seed, format, brief, days })?
        }
    };
    eprintln!("{summary}");
    Ok(())
}
