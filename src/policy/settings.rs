//! The `[guard]` and `[revoke]` tables.

use toml::de::DeTable;

use super::document::{Document, Value};
use super::fault::{Fault, Quoted};
use super::nearest::nearest;
use super::{Established, Guard, Revoke};

/// Reads the `[guard]` table.
pub(super) fn guard(document: &mut Document, table: &DeTable) -> Guard {
    document.check_keys(table, " in `[guard]`", &["enabled", "mark"]);
    let default = Guard::default();
    let enabled = table.get("enabled").and_then(|value| enabled(document, value));
    let mark = table.get("mark").and_then(|value| mark(document, value));
    Guard { enabled: enabled.unwrap_or(default.enabled), mark: mark.unwrap_or(default.mark) }
}

fn enabled(document: &mut Document, value: &Value) -> Option<bool> {
    let enabled = value.get_ref().as_bool();
    if enabled.is_none() {
        let help = "write `enabled = true` or `enabled = false`".to_owned();
        document.wrong_type(value, "a boolean", help);
    }
    enabled
}

fn mark(document: &mut Document, value: &Value) -> Option<u32> {
    let Some(integer) = value.get_ref().as_integer() else {
        let help = format!("write `mark = {:#x}`", Guard::DEFAULT_MARK);
        document.wrong_type(value, "an integer", help);
        return None;
    };
    let number = i128::from_str_radix(integer.as_str(), integer.radix()).unwrap_or(i128::MAX);
    match u32::try_from(number) {
        Ok(mark) if mark.is_power_of_two() => Some(mark),
        Ok(mark) => {
            document.error(value.span(), not_one_bit(mark));
            None
        }
        Err(_) => {
            let fault = Fault::new("the mark does not fit in 32 bits");
            let help = "it is one bit from 0x1 to 0x80000000";
            document.error(value.span(), fault.help(help));
            None
        }
    }
}

fn not_one_bit(mark: u32) -> Fault {
    let Some(highest) = mark.checked_ilog2().map(|bit| 1u32 << bit) else {
        return Fault::new("the mark 0 has no bit set")
            .help(format!("write one bit, as in {:#x}", Guard::DEFAULT_MARK));
    };
    let fault = Fault::new(format!("the mark {mark:#x} has {} bits set", mark.count_ones()));
    match 1u32.checked_shl(mark) {
        Some(bit) => fault.help(format!("write one bit; bit number {mark} is {bit:#x}")),
        None => fault.help(format!("write one bit, as in {highest:#x}")),
    }
}

/// Reads the `[revoke]` table.
pub(super) fn revoke(document: &mut Document, table: &DeTable) -> Revoke {
    document.check_keys(table, " in `[revoke]`", &["established"]);
    let established = table.get("established").and_then(|value| established(document, value));
    Revoke { established: established.unwrap_or_default() }
}

fn established(document: &mut Document, value: &Value) -> Option<Established> {
    let word = document.string(value, "established", "keep")?;
    match word {
        "keep" => Some(Established::Keep),
        "cut" => Some(Established::Cut),
        _ => {
            let fault = Fault::new(format!("{} is neither `keep` nor `cut`", Quoted(word)));
            let fault = match nearest(word, ["keep", "cut"]) {
                Some(near) => fault.help(format!("did you mean `{near}`?")),
                None => fault.help("open flows are kept or cut"),
            };
            document.error(value.span(), fault);
            None
        }
    }
}
