//! Session starts that a curve expects through the time of a log: the cumulative rate, over covered time alone.

use shared::arrivals::WeekCurve;

use super::exposure::Coverage;
use crate::tally::ARRIVAL_BIN_S;
use crate::tally::civil::CivilClock;

/// The cumulative expectation. Time that is not covered adds nothing to it.
#[derive(Debug, Clone)]
pub struct Expectation {
    pieces: Vec<Piece>,
    total: f64,
}

/// A piece of covered time within one bin of five minutes, over which the rate is a straight line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Piece {
    /// Seconds since 1970.
    pub from_s: i64,
    /// The second after the last.
    pub to_s: i64,
    /// Starts per second at the beginning.
    pub rate_per_s: f64,
    /// Change of that per second.
    pub slope_per_s2: f64,
    /// Starts expected before the piece.
    pub before: f64,
}

impl Piece {
    /// Starts expected in the piece.
    pub fn expected(&self) -> f64 {
        self.expected_until((self.to_s - self.from_s) as f64)
    }

    /// A whole bin, not cut by an edge.
    pub fn is_whole(&self) -> bool {
        self.to_s - self.from_s == ARRIVAL_BIN_S
    }

    fn expected_until(&self, into_s: f64) -> f64 {
        into_s * (self.rate_per_s + 0.5 * self.slope_per_s2 * into_s)
    }
}

impl Expectation {
    /// `curve` over `coverage`, times the level of each civil day (numbered by [`CivilClock::day`]).
    pub fn new(
        curve: &WeekCurve,
        clock: &CivilClock,
        coverage: &Coverage,
        level: impl Fn(i64) -> f64,
    ) -> Self {
        let mut total = 0.0;
        let piece = |range: std::ops::Range<i64>| {
            let level = level(clock.day(range.start));
            let at_s = clock.second_of_week(range.start) as f64;
            let length_s = (range.end - range.start) as f64;
            let (first, last) = (curve.rate_per_s(at_s) * level, curve.rate_per_s(at_s + length_s) * level);
            let piece = Piece {
                from_s: range.start,
                to_s: range.end,
                rate_per_s: first,
                slope_per_s2: (last - first) / length_s,
                before: total,
            };
            total += piece.expected();
            piece
        };
        let pieces = coverage.pieces().map(piece).collect();
        Self { pieces, total }
    }

    /// Starts expected before `at_s` (seconds since 1970).
    pub fn before(&self, at_s: f64) -> f64 {
        match self.pieces.partition_point(|piece| piece.from_s as f64 <= at_s) {
            0 => 0.0,
            after => {
                let piece = &self.pieces[after - 1];
                let into_s = (at_s - piece.from_s as f64).min((piece.to_s - piece.from_s) as f64);
                piece.before + piece.expected_until(into_s)
            }
        }
    }

    /// Starts expected in all.
    pub fn total(&self) -> f64 {
        self.total
    }

    /// The pieces, in order.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn only_covered_time_counts() {
        let clock = CivilClock::of_log(&BTreeMap::from([(0, 0)]));
        let curve = WeekCurve::new(86_400.0, vec![2.0; 7]).unwrap();
        let coverage = Coverage::new(0, 2000, &[500..800, 800..1000], 0);
        let expectation = Expectation::new(&curve, &clock, &coverage, |_| 0.5);
        for (at_s, expected) in [(-5.0, 0.0), (250.0, 250.0), (700.0, 500.0), (1000.0, 500.0), (9e9, 1500.0)]
        {
            assert!((expectation.before(at_s) - expected).abs() < 1e-9, "{at_s}");
        }
        assert!((expectation.total() - 1500.0).abs() < 1e-9);
    }
}
