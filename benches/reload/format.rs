//! Sizes and ratios in words.

/// `12.3 MB`
pub fn memory(bytes: f64) -> String {
    format!("{:.1} MB", bytes / 1e6)
}

/// With three figures.
pub fn ratio(ratio: f64) -> String {
    match ratio {
        100.0.. => format!("{ratio:.0}"),
        10.0.. => format!("{ratio:.1}"),
        0.1.. => format!("{ratio:.2}"),
        _ => format!("{ratio:.4}"),
    }
}
