//! Port forwards of other programs, and what becomes of dwnl's RETURN rule because of them.

use std::io::{self, Write};

use dwnl::model::ForeignTranslations;
use serde::{Serialize, Serializer};

use super::format::Escaped;
use super::object::TableName;

#[derive(Serialize)]
struct TranslationsReport<'a> {
    #[serde(flatten)]
    table: TableName<'a>,
    /// The chains, targets or expressions that lead to the translations.
    via: Vec<&'a str>,
    has_return_rule: bool,
    message: String,
}

impl<'a> From<&'a ForeignTranslations> for TranslationsReport<'a> {
    fn from(translations: &'a ForeignTranslations) -> TranslationsReport<'a> {
        TranslationsReport {
            table: (&translations.table).into(),
            via: translations.via.iter().map(AsRef::as_ref).collect(),
            has_return_rule: !translations.is_left_out(),
            message: translations.to_string(),
        }
    }
}

/// Serializes a list of objects.
pub fn serialize<S: Serializer>(
    translations: &[ForeignTranslations],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(translations.iter().map(TranslationsReport::from))
}

/// Writes a line for each RETURN rule that is left out. For one that is kept there is a warning.
pub fn write_left_out(out: &mut dyn Write, all: &[ForeignTranslations]) -> io::Result<()> {
    let mut left_out = all.iter().filter(|translations| translations.is_left_out());
    left_out.try_for_each(|translations| writeln!(out, "{}", Escaped(translations)))
}
