//! One request as 24 bytes: what is left of it once nobody can be recognised in it.

use std::sync::LazyLock;

use shared::profile::Stamp;

use crate::kind::{AgentClass, Kind};
use crate::privacy::country::Country;
use crate::privacy::pseudonym::{Origin, Pseudonym};
use crate::request::Request;
use crate::weight::Weight;

/// An event as three plain numbers, as memory and files hold it.
pub(crate) type Words = [u64; 3];

/// One request. Bit fields, because memory is what limits the length of a log:
///
/// ```text
/// client        16 bits   weight | 8 bits country | 40 bits pseudonym, which the partition makes 48: of 1e8 clients,
///                         18 pairs would be taken for one
/// when          44 bits   start in milliseconds since 1970   | 10 bits status | 10 bits size bin
/// what          26 bits   resource                           |  3 bits kind | 1 bit whole seconds | 1 bit paced | 1 bit long
/// agent_took     8 bits   class of the user agent | 24 bits duration in microseconds; when long, in milliseconds up to
///                         two hours, and beyond that in seconds up to 97 days
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Event {
    client: Pseudonym,
    when: u64,
    what: u32,
    agent_took: u32,
}

/// The size of an event, in memory and in files.
pub(crate) const EVENT_BYTES: usize = size_of::<Event>();
/// Relative error of sizes in events, and so of everything made from them.
pub(crate) const SIZE_RELATIVE_ERROR: f64 = 0.02;
/// The bits of a duration.
const DURATION_BITS: u32 = 24;
/// Duration of a request whose log does not say.
const UNKNOWN_DURATION: u32 = (1 << DURATION_BITS) - 1;
/// The first long duration that counts seconds, from zero.
const SECONDS_FROM: u32 = 1 << (DURATION_BITS - 1);
/// The size bin of a response whose log does not say; bin 0 is an empty body.
const UNKNOWN_SIZE: u64 = 1023;
/// The bits of a pseudonym that an event keeps.
pub(crate) const CLIENT_BITS: u32 = 40;
/// Where the weight begins, above the country.
const WEIGHT_AT: u32 = 48;
/// Resources beyond this number share the last one, which then stands for "something else".
pub(crate) const MOST_RESOURCES: u32 = (1 << 26) - 1;

impl Event {
    pub(crate) fn new(request: &Request<'_>, client: Pseudonym, resource: u32, kind: Kind) -> Self {
        let (duration, long) = request.duration_ns.map_or((UNKNOWN_DURATION, 0), duration_bits);
        let start_ns = match request.stamp {
            Stamp::Start => request.stamp_ns,
            Stamp::End | Stamp::Mixed => request.stamp_ns.saturating_sub(request.duration_ns.unwrap_or(0)),
        };
        let start_ms = start_ns.div_euclid(1_000_000).clamp(0, (1 << 44) - 1) as u64;
        let coarse = u32::from(request.resolution_ns >= 1_000_000_000);
        Self {
            client: u64::from(Weight::nearest(request.weight).0) << WEIGHT_AT
                | client & ((1 << CLIENT_BITS) - 1),
            when: start_ms << 20 | u64::from(request.status) << 10 | size_bin(request.bytes_out),
            what: resource.min(MOST_RESOURCES) << 6 | (kind as u32) << 3 | coarse << 2 | long,
            agent_took: duration,
        }
    }

    /// The same event, made by a client of this origin.
    pub(crate) fn of(self, origin: Origin) -> Self {
        let Origin { agent, country } = origin;
        Self {
            client: self.client | u64::from(country.bits()) << CLIENT_BITS,
            agent_took: self.agent_took | u32::from(agent.bits()) << DURATION_BITS,
            ..self
        }
    }

    /// What the client is.
    pub(crate) fn origin(&self) -> Origin {
        Origin {
            agent: AgentClass::from_bits((self.agent_took >> DURATION_BITS) as u8),
            country: Country::from_bits((self.client >> CLIENT_BITS) as u8),
        }
    }

    /// The client, among those of its partition.
    pub(crate) fn client(&self) -> Pseudonym {
        self.client & ((1 << CLIENT_BITS) - 1)
    }

    /// How many requests this one stands for, in thousandths.
    pub(crate) fn mass(&self) -> u64 {
        Weight((self.client >> WEIGHT_AT) as u16).mass()
    }

    /// Start, in milliseconds since 1970.
    pub(crate) fn start_ms(&self) -> i64 {
        (self.when >> 20) as i64
    }

    /// What orders the requests of a client, before the order of their lines.
    ///
    /// Stamps of whole seconds know durations better than moments: two requests of one second would change places
    /// by how long each took, though their lines stand in the order in which they were done. So only the whole
    /// seconds of a duration count against a whole-second stamp.
    pub(crate) fn order_ms(&self) -> i64 {
        let start_ms = self.start_ms();
        if self.is_coarse() { -(-start_ms).div_euclid(1000) * 1000 } else { start_ms }
    }

    /// End of the response; the start where the log has no durations, or none that can be trusted.
    pub(crate) fn end_ms(&self) -> i64 {
        let lasted_us = self.duration_us().filter(|_| !self.is_paced()).unwrap_or(0);
        self.start_ms() + (lasted_us / 1_000) as i64
    }

    /// Start and end are both the stamp: which of them it marks is not known, or how long the request took.
    pub(crate) fn is_paced(&self) -> bool {
        self.what >> 1 & 1 == 1 || self.duration() == UNKNOWN_DURATION
    }

    /// The same event with its stamp for its start, given that it was read as stamped at `stamp`.
    pub(crate) fn paced(self, stamp: Stamp) -> Self {
        let stamped_ms = match stamp {
            Stamp::Start => self.start_ms(),
            Stamp::End | Stamp::Mixed => self.end_ms(),
        };
        Self { what: self.what | 2, ..self.later_ms(stamped_ms - self.start_ms()) }
    }

    /// The same event at a later time.
    pub(crate) fn later_ms(self, shift_ms: i64) -> Self {
        let start_ms = (self.start_ms() + shift_ms).clamp(0, (1 << 44) - 1) as u64;
        Self { when: start_ms << 20 | self.when & ((1 << 20) - 1), ..self }
    }

    pub(crate) fn duration_us(&self) -> Option<u64> {
        let duration = self.duration();
        let (count, unit_us) = match self.what & 1 == 1 {
            false => (duration, 1),
            true if duration < SECONDS_FROM => (duration, 1_000),
            true => (duration - SECONDS_FROM, 1_000_000),
        };
        (duration != UNKNOWN_DURATION).then(|| u64::from(count) * unit_us)
    }

    fn duration(&self) -> u32 {
        self.agent_took & ((1 << DURATION_BITS) - 1)
    }

    pub(crate) fn status(&self) -> u16 {
        (self.when >> 10 & 1023) as u16
    }

    /// Bin of a log-histogram with [`SIZE_RELATIVE_ERROR`]: `None` unknown, `Some(None)` no bytes.
    pub(crate) fn size_bin(&self) -> Option<Option<i32>> {
        match self.when & 1023 {
            UNKNOWN_SIZE => None,
            0 => Some(None),
            bin => Some(Some(bin as i32)),
        }
    }

    pub(crate) fn resource(&self) -> u32 {
        self.what >> 6
    }

    pub(crate) fn kind(&self) -> Kind {
        Kind::ALL[(self.what >> 3 & 7) as usize]
    }

    /// The stamp was printed in whole seconds.
    pub(crate) fn is_coarse(&self) -> bool {
        self.what >> 2 & 1 == 1
    }

    #[inline]
    pub(crate) fn to_words(self) -> Words {
        [self.client, self.when, u64::from(self.what) | u64::from(self.agent_took) << 32]
    }

    #[inline]
    pub(crate) fn from_words([client, when, rest]: Words) -> Self {
        Self { client, when, what: rest as u32, agent_took: (rest >> 32) as u32 }
    }

    pub(crate) fn to_bytes(self) -> [u8; EVENT_BYTES] {
        let mut bytes = [0; EVENT_BYTES];
        for (place, word) in bytes.as_chunks_mut().0.iter_mut().zip(self.to_words()) {
            *place = word.to_le_bytes();
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8; EVENT_BYTES]) -> Self {
        let mut words = Words::default();
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        Self::from_words(words)
    }

    /// The same event with its resource renumbered.
    #[inline]
    pub(crate) fn renumbered(self, numbers: &[u32]) -> Self {
        self.with_resource(numbers[self.resource() as usize])
    }

    /// The same event with another resource.
    #[inline]
    pub(crate) fn with_resource(self, resource: u32) -> Self {
        Self { what: resource << 6 | self.what & 63, ..self }
    }
}

/// A duration and whether it is long. Beyond 17 seconds microseconds do not fit and do not matter; beyond two hours (a
/// socket that stayed open) milliseconds do not.
fn duration_bits(duration_ns: i64) -> (u32, u32) {
    let below = |count: i64, limit: u32| u32::try_from(count).ok().filter(|count| *count < limit);
    if let Some(us) = below(duration_ns / 1_000, UNKNOWN_DURATION) {
        return (us, 0);
    }
    match below(duration_ns / 1_000_000, SECONDS_FROM) {
        Some(ms) => (ms, 1),
        None => {
            let seconds = below(duration_ns / 1_000_000_000, SECONDS_FROM - 1);
            (SECONDS_FROM + seconds.unwrap_or(SECONDS_FROM - 2), 1)
        }
    }
}

/// Bins of at most 2 % error: 2^64 bytes would be bin 1109, and 1022 is 6e17 bytes.
fn size_bin(bytes: Option<u64>) -> u64 {
    match bytes {
        None => UNKNOWN_SIZE,
        Some(0) => 0,
        Some(bytes) => SIZE_BINS[SizeCell::of(bytes).0].bin(bytes),
    }
}

/// The bin of a positive size, by its logarithm.
fn computed_size_bin(bytes: u64) -> u64 {
    let log_width = shared::distribution::log_width(SIZE_RELATIVE_ERROR);
    // One byte would be bin 0, which means none; it shares a bin with the next size up.
    (shared::distribution::bin_index(bytes as f64, log_width).max(1) as u64).min(UNKNOWN_SIZE - 1)
}

/// Sizes with the same length in bits and the same five bits after the first: 3 % apart at most, less than a bin is wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct SizeCell(usize);

impl SizeCell {
    const BITS: u32 = 5;
    const COUNT: usize = 64 << Self::BITS;

    #[inline]
    fn of(bytes: u64) -> Self {
        let length = bytes.ilog2();
        let after_first = (u128::from(bytes) << Self::BITS >> length) as usize & ((1 << Self::BITS) - 1);
        Self((length as usize) << Self::BITS | after_first)
    }

    /// The smallest and the largest size in the cell, the smallest of the next one where it has none of its own.
    fn range(self) -> (u64, u64) {
        let length = self.0 >> Self::BITS;
        let at = |after_first: usize| {
            let scaled = ((1 << Self::BITS) + after_first as u128) << length;
            u64::try_from(scaled.div_ceil(1 << Self::BITS)).unwrap_or(u64::MAX)
        };
        let after_first = self.0 & ((1 << Self::BITS) - 1);
        let first = at(after_first);
        (first, (at(after_first + 1) - 1).max(first))
    }
}

/// The bins in a cell: two at most.
#[derive(Debug, Clone, Copy, Default)]
struct CellBins {
    first: u64,
    /// The largest size in the first bin.
    until: u64,
}

impl CellBins {
    fn of(cell: SizeCell) -> Self {
        let (least, most) = cell.range();
        let first = computed_size_bin(least);
        // Bisection: the bin grows with the size.
        let (mut until, mut beyond) = (least, most.saturating_add(1));
        while beyond - until > 1 {
            let middle = until + (beyond - until) / 2;
            if computed_size_bin(middle) == first { until = middle } else { beyond = middle }
        }
        Self { first, until }
    }

    #[inline]
    fn bin(self, bytes: u64) -> u64 {
        (self.first + u64::from(bytes > self.until)).min(UNKNOWN_SIZE - 1)
    }
}

/// Bins by cell: a logarithm for every request would take longer than counting it.
static SIZE_BINS: LazyLock<Box<[CellBins]>> =
    LazyLock::new(|| (0..SizeCell::COUNT).map(|cell| CellBins::of(SizeCell(cell))).collect());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_of_sizes_are_those_that_the_logarithm_gives() {
        let mut sizes: Vec<u64> = (1..100_000).collect();
        // Around every edge of a bin, and of a cell.
        for bin in 1..1023 {
            let edge = (f64::from(bin) * shared::distribution::log_width(SIZE_RELATIVE_ERROR)).exp() as u64;
            sizes.extend(edge.saturating_sub(2).max(1)..=edge + 2);
        }
        for cell in 0..SizeCell::COUNT {
            let (first, last) = SizeCell(cell).range();
            sizes.extend([first, last, last.saturating_add(1)]);
        }
        for bytes in sizes {
            assert_eq!(size_bin(Some(bytes)), computed_size_bin(bytes), "{bytes}");
        }
    }

    #[test]
    fn an_event_takes_24_bytes_and_keeps_its_fields() {
        assert_eq!(size_of::<Event>(), 24);
        let request = Request {
            stamp_ns: 1_793_574_001_250_000_000,
            stamp: Stamp::End,
            resolution_ns: 1_000_000_000,
            duration_ns: Some(250_000_000),
            method: Some(b"GET"),
            target: b"/",
            status: 404,
            bytes_out: Some(0),
            ..Request::default()
        };
        let event = Event::new(&request, 7, 12, Kind::Bot).with_resource(99);
        assert_eq!((event.client(), event.resource(), event.kind()), (7, 99, Kind::Bot));
        assert_eq!((event.start_ms(), event.end_ms()), (1_793_574_001_000, 1_793_574_001_250));
        assert_eq!(event.order_ms(), 1_793_574_001_000);
        assert_eq!((event.status(), event.size_bin(), event.is_coarse()), (404, Some(None), true));
        assert_eq!(event.origin(), Origin::default());
        let origin = Origin { agent: AgentClass::from_bits(0xa7), country: Country::from_bits(0xc3) };
        let whole =
            Event::new(&Request { weight: Some(10.0), ..request }, u64::MAX, 12, Kind::Bot).of(origin);
        assert_eq!((whole.origin(), whole.mass()), (origin, 10_000));
        assert_eq!((whole.client(), whole.duration_us()), ((1 << CLIENT_BITS) - 1, Some(250_000)));
        for event in [event, whole] {
            assert_eq!(Event::from_bytes(&event.to_bytes()), event);
            assert_eq!(Event::from_words(event.to_words()), event);
        }
    }

    #[test]
    fn durations_are_kept_as_finely_as_they_matter() {
        let kept_us = |us: i64| {
            let request = Request { duration_ns: Some(us * 1_000 + 999), ..Request::default() };
            Event::new(&request, 7, 12, Kind::Page).duration_us().unwrap()
        };
        let (second, day) = (1_000_000, 86_400_000_000);
        for (us, expected) in [
            (0, 0),
            (1, 1),
            (16_777_214, 16_777_214),
            (16_777_215, 16_777_000),
            (17 * second + 1_999, 17 * second + 1_000),
            (7_200 * second + 5_500, 7_200 * second + 5_000),
            (8_388 * second + 607_999, 8_388 * second + 607_000),
            (8_388 * second + 608_000, 8_388 * second),
            (97 * day + 999_999, 97 * day),
            (98 * day, 8_388_606 * second),
        ] {
            assert_eq!(kept_us(us), expected as u64, "{us}");
        }
        let unknown = Event::new(&Request::default(), 7, 12, Kind::Page);
        assert!(unknown.duration_us().is_none() && unknown.is_paced());
    }
}
