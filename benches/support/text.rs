//! Numbers formatted for readers.

use super::Spread;

/// `1.23 ms`
pub fn duration(seconds: f64) -> String {
    match seconds {
        1.0.. => format!("{seconds:.2} s"),
        1e-3.. => format!("{:.2} ms", seconds * 1e3),
        _ => format!("{:.1} µs", seconds * 1e6),
    }
}

/// `1.23 ms (1.20 ms to 1.31 ms)`
pub fn durations(Spread { low, median, high }: Spread) -> String {
    format!("{} ({} to {})", duration(median), duration(low), duration(high))
}

/// `100,000`
pub fn grouped(number: usize) -> String {
    match number {
        ..1000 => number.to_string(),
        _ => format!("{},{:03}", grouped(number / 1000), number % 1000),
    }
}
