//! The size of the executable of a release.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::figures::{Figure, Figures};
use crate::workload::Mix;

/// Measures the newest executable of the profile `dist`, if there is one.
pub fn measure(figures: &mut Figures) -> Result<()> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().context("no target directory")?;
    let below = fs::read_dir(target)?.filter_map(|entry| Some(entry.ok()?.path()));
    let found = [target.to_owned()].into_iter().chain(below);
    let found = found.map(|directory| directory.join("dist/dwnl"));
    let executables = found.filter_map(|path| fs::metadata(path).ok());
    if let Some(newest) = executables.max_by_key(|it| it.modified().ok()) {
        figures.set(Figure::BinarySize, Mix::Hosts, 0, newest.len() as f64);
    }
    Ok(())
}
