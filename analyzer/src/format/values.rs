//! What the text of a line was split into, before anything is made of it.

/// What a field of a line means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Slot {
    /// Address or host name of the client, with its port where [`super::meaning::Meaning::client_port`] says so.
    Client,
    /// `X-Forwarded-For`: counts where there is no `Client`.
    ForwardedFor,
    User,
    /// A session or user key that the log itself holds.
    Session,
    /// The field that `--identity` names.
    Identity,
    /// The stamp that counts.
    Time,
    /// A coarser stamp of the same moment, for its offset from UTC.
    CoarseTime,
    /// The stamp of the other end of the request.
    OtherTime,
    /// The date, where `Time` is only a time of day.
    Date,
    RequestLine,
    Method,
    /// Path and query, or an absolute URL.
    Target,
    /// Path alone; `Query` is joined to it.
    Path,
    Query,
    Host,
    Scheme,
    Protocol,
    Status,
    BytesOut,
    BytesIn,
    /// Time taken; the sum of all three where a log splits it.
    Duration,
    Duration2,
    Duration3,
    /// Time to the first byte of the response.
    FirstByte,
    Referer,
    UserAgent,
    Cookies,
    /// What other logs call the same request.
    RequestId,
    /// The route template, where the producer knows it.
    Route,
    /// The cluster that Envoy sent the request to.
    Cluster,
    /// How many requests this one stands for.
    Weight,
    /// The share of requests that were logged.
    SampleRate,
}

pub(crate) const SLOTS: usize = Slot::SampleRate as usize + 1;

/// The fields of one line, as they stand in it. Bit n of each set is slot n: most slots are empty, and to find that out
/// takes no look at the text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Values<'a> {
    values: [&'a [u8]; SLOTS],
    /// The line has the field, and something is in it.
    present: u64,
    /// The line had the field with nothing in it; there may have been something later.
    empty: u64,
    /// The value holds escapes of the format.
    pub(crate) escaped: u64,
    /// The line ended early, after all that a request needs.
    pub(crate) truncated: bool,
}

impl<'a> Values<'a> {
    pub(crate) const NONE: Self =
        Self { values: [b""; SLOTS], present: 0, empty: 0, escaped: 0, truncated: false };

    #[inline]
    pub(crate) fn set(&mut self, slot: Slot, value: &'a [u8]) {
        self.values[slot as usize] = value;
        let bit = 1 << slot as u32;
        if matches!(value, [] | [b'-']) {
            self.present &= !bit;
            self.empty |= bit;
        } else {
            self.present |= bit;
        }
    }

    /// As [`Values::set`], of a value that is neither empty nor `-`, and whether it holds escapes.
    #[inline]
    pub(crate) fn set_present(&mut self, slot: Slot, value: &'a [u8], escaped: bool) {
        self.values[slot as usize] = value;
        self.present |= 1 << slot as u32;
        if self.is_escaped(slot) != escaped {
            self.escaped ^= 1 << slot as u32;
        }
    }

    /// Says that the value of `slot` holds escapes.
    #[inline]
    pub(crate) fn set_escaped(&mut self, slot: Slot) {
        self.escaped |= 1 << slot as u32;
    }

    #[inline]
    pub(crate) fn is_escaped(&self, slot: Slot) -> bool {
        self.escaped >> slot as u32 & 1 == 1
    }

    #[inline]
    pub(crate) fn has(&self, slot: Slot) -> bool {
        (self.present | self.empty) >> slot as u32 & 1 == 1
    }

    /// The text as it stands in the line.
    #[inline]
    pub(crate) fn printed(&self, slot: Slot) -> Option<&'a [u8]> {
        self.has(slot).then(|| self.values[slot as usize])
    }

    /// The text; `None` when it is absent, empty or printed as `-`, which is how servers print what is missing.
    #[inline]
    pub(crate) fn get(&self, slot: Slot) -> Option<&'a [u8]> {
        (self.present >> slot as u32 & 1 == 1).then(|| self.values[slot as usize])
    }
}
