//! A curve as text: columns of blocks, for 80 columns without colour.

/// Columns of the picture; with the scale on its left it is 80 wide.
pub(super) const COLUMNS: usize = 68;
const ROWS: usize = 8;
/// From nothing to a full character, by eighths.
const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Draws `heights`, one column each and none below 0, with the largest named on the left.
pub(super) fn picture(heights: &[f64]) -> String {
    let largest = heights.iter().copied().fold(0.0, f64::max);
    let unit = if largest > 0.0 { (ROWS * (BLOCKS.len() - 1)) as f64 / largest } else { 0.0 };
    let eighths: Vec<usize> = heights.iter().map(|height| (height * unit).round() as usize).collect();
    let mut text = String::new();
    for row in (0..ROWS).rev() {
        let label = match row {
            _ if row + 1 == ROWS => super::text::amount(largest),
            0 => "0".to_owned(),
            _ => String::new(),
        };
        let below = row * (BLOCKS.len() - 1);
        let columns = eighths.iter().map(|n| BLOCKS[n.saturating_sub(below).min(BLOCKS.len() - 1)]);
        text.push_str(format!("{label:>9} |{}", columns.collect::<String>()).trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_climbs_and_fits() {
        let heights: Vec<f64> = (0..COLUMNS).map(|i| i as f64).collect();
        let text = picture(&heights);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), ROWS);
        assert!(lines.iter().all(|line| line.chars().count() <= 80), "{text}");
        assert!(lines[0].starts_with("       67 |") && lines[0].ends_with('█'), "{text}");
        let filled = |line: &str| line.chars().filter(|c| *c == '█').count();
        assert!(lines.windows(2).all(|pair| filled(pair[0]) < filled(pair[1])), "{text}");
        assert!(picture(&[0.0; 5]).lines().all(|line| !line.contains('█')));
    }
}
