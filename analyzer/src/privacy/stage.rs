//! The steps that keep people out of what is published, by name, so that a test can take each of them away and see
//! that somebody would have come through. Outside unit tests all of them are always on.

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// What does not look like a word is a placeholder.
    Words,
    /// What looks like a secret is a placeholder, even where it looks like a word.
    Secrets,
    /// What follows `/reset/` and the like is a placeholder.
    Capabilities,
    /// Percent escapes are undone before anything is recognised.
    Decoding,
    /// Methods and protocols that nobody knows are not named.
    Protocol,
    /// Names of query parameters must look like names.
    QueryNames,
    /// Fewer than k clients are not published.
    Gate,
    /// Records hold pseudonyms.
    Pseudonyms,
}

impl Stage {
    /// Whether the step is taken.
    #[cfg(not(test))]
    #[inline]
    pub(crate) const fn is_on(self) -> bool {
        // The names are for tests.
        let _ = self;
        true
    }

    #[cfg(test)]
    pub(crate) const ALL: [Self; 8] = [
        Self::Words,
        Self::Secrets,
        Self::Capabilities,
        Self::Decoding,
        Self::Protocol,
        Self::QueryNames,
        Self::Gate,
        Self::Pseudonyms,
    ];

    /// Whether the step is taken in this process.
    #[cfg(test)]
    pub(crate) fn is_on(self) -> bool {
        static OFF: std::sync::LazyLock<Option<String>> =
            std::sync::LazyLock::new(|| std::env::var(Stage::OFF).ok());
        OFF.as_deref().is_none_or(|off| off != format!("{self:?}"))
    }

    /// The variable of the environment that names the step which a test process leaves out.
    #[cfg(test)]
    pub(crate) const OFF: &str = "LOADPRINT_TEST_WITHOUT";
}
