//! Prints the public API of a library, one item per line, from rustdoc's JSON. `scripts/public-api`
//! runs it.
//!
//! `cargo run --example public-api -- FILE`

use std::env;

use anyhow::{Context, bail};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [file] = &arguments[..] else {
        bail!("usage: public-api FILE");
    };
    // Without implementations that every type has or derives, which would double the length.
    let api = public_api::Builder::from_rustdoc_json(file)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()
        .with_context(|| format!("{file}: not the format that this version of public-api reads"))?;
    print!("{api}");
    Ok(())
}
