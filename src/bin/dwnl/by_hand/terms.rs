//! How long something by hand lasts, and why.

use std::time::Duration;

use dwnl::model::{Grant, Name};

/// A time that the kernel can keep.
///
/// # Errors
/// What is wrong with it.
pub fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if duration.is_zero() || duration > Grant::LONGEST {
        return Err("use a duration of up to 100 years".to_owned());
    }
    Ok(duration)
}

/// A note that nft can print and read.
///
/// # Errors
/// What is wrong with it.
pub fn note(text: &str) -> Result<Name, String> {
    if text.len() > Grant::NOTE_MAX {
        return Err(format!("it is longer than {} bytes", Grant::NOTE_MAX));
    }
    match text.chars().find(|c| c.is_control() || *c == '"') {
        Some(c) => Err(format!("it contains {c:?}")),
        None => Ok(text.into()),
    }
}
