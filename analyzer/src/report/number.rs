//! Numbers as people read them.

/// `4512044` as `4,512,044`.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share as a percentage with as many digits as tell something: `62 %`, `0.31 %`.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        p if p <= 0.0 => "0 %".to_owned(),
        p if p < 0.01 => "<0.01 %".to_owned(),
        p if p < 1.0 => format!("{p:.2} %"),
        p if p < 10.0 => format!("{p:.1} %"),
        p => format!("{p:.0} %"),
    }
}

/// Seconds with the unit that suits their size: `41 ms`, `2.0 s`, `5.2 min`.
pub(crate) fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 0.0095 => format!("{:.1} ms", s * 1e3),
        s if s < 0.9995 => format!("{:.0} ms", s * 1e3),
        s if s < 99.95 => format!("{s:.1} s"),
        s => format!("{:.1} min", s / 60.0),
    }
}

/// How fine stamps are, in whole units: `1 s`, `10 ms`, `1 µs`.
pub(crate) fn resolution(seconds: f64) -> String {
    let (size, unit) = match seconds {
        s if s >= 1.0 => (1.0, "s"),
        s if s >= 1e-3 => (1e-3, "ms"),
        s if s >= 1e-6 => (1e-6, "µs"),
        _ => (1e-9, "ns"),
    };
    format!("{:.0} {unit}", seconds / size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(grouped(4_512_044), "4,512,044");
        assert_eq!(grouped(12), "12");
        assert_eq!((percent(0.621).as_str(), percent(0.0031).as_str()), ("62 %", "0.31 %"));
        assert_eq!((seconds(0.041).as_str(), seconds(312.0).as_str()), ("41 ms", "5.2 min"));
        let fine = [1.0, 0.01, 1e-3, 1e-6, 1e-7, 1e-9].map(resolution);
        assert_eq!(fine, ["1 s", "10 ms", "1 ms", "1 µs", "100 ns", "1 ns"]);
    }
}
