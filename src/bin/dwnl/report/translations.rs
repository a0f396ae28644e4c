//! Translations of other programs, because of which the second jump is left out or that it cuts off.

use std::io::{self, Write};

use dwnl::model::{Family, ForeignTranslations};
use serde::{Serialize, Serializer};

use super::format::{self, Escaped};

#[derive(Serialize)]
struct TranslationsReport<'a> {
    #[serde(serialize_with = "format::family")]
    family: Family,
    table: &'a str,
    /// The chains, targets or expressions that lead to them.
    via: Vec<&'a str>,
    /// `left-out` or `kept`.
    second_jump: &'static str,
    message: String,
}

impl<'a> From<&'a ForeignTranslations> for TranslationsReport<'a> {
    fn from(translations: &'a ForeignTranslations) -> TranslationsReport<'a> {
        let ForeignTranslations { table, via, .. } = translations;
        TranslationsReport {
            family: table.family,
            table: &table.table,
            via: via.iter().map(AsRef::as_ref).collect(),
            second_jump: if translations.is_left_out() { "left-out" } else { "kept" },
            message: translations.to_string(),
        }
    }
}

/// As a list of objects.
pub fn serialize<S: Serializer>(
    translations: &[ForeignTranslations],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(translations.iter().map(TranslationsReport::from))
}

/// Writes a line for each second jump that is left out. One that is kept is worth a warning.
pub fn write_left_out(out: &mut dyn Write, all: &[ForeignTranslations]) -> io::Result<()> {
    let mut left_out = all.iter().filter(|translations| translations.is_left_out());
    left_out.try_for_each(|translations| writeln!(out, "{}", Escaped(translations)))
}
