//! Where a rising function crosses a level, by bisection.

/// The `x > 0` at which `f`, which rises over the positive numbers, reaches `level`.
///
/// Searches from `start > 0` outwards. 0 or infinity when `f` never crosses.
pub(super) fn of_rising(f: impl Fn(f64) -> f64, level: f64, start: f64) -> f64 {
    let (mut low, mut high) = (start, start);
    while f(high) < level {
        low = high;
        high *= 2.0;
        if high.is_infinite() {
            return high;
        }
    }
    while f(low) >= level {
        high = low;
        low *= 0.5;
        if low <= 0.0 {
            return low;
        }
    }
    // Ends when no number lies between the two.
    loop {
        let middle = low + 0.5 * (high - low);
        if middle <= low || middle >= high {
            return high;
        }
        if f(middle) < level { low = middle } else { high = middle }
    }
}
