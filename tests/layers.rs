//! The library's modules import each other downwards only, in the order of the table in
//! `src/lib.rs`, and the files of a folder do not import each other in a circle. Tests may.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{ItemMod, ItemUse, UseTree, Visibility};

/// The imports of each module by its path below the crate: `netlink::rule`.
type Modules = BTreeMap<String, Imports>;

/// What a module imports, and whether it exports it: `crate::model::Rule`, `super::Counter`.
#[derive(Default)]
struct Imports(Vec<(String, bool)>);

impl Imports {
    fn of(text: &str) -> Imports {
        let mut imports = Imports::default();
        imports.visit_file(&syn::parse_file(text).expect("Rust"));
        imports
    }

    fn add(&mut self, prefix: &str, tree: &UseTree, exports: bool) {
        match tree {
            UseTree::Path(path) => {
                self.add(&format!("{prefix}{}::", path.ident), &path.tree, exports);
            }
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.add(prefix, tree, exports));
            }
            UseTree::Name(name) => self.0.push((format!("{prefix}{}", name.ident), exports)),
            UseTree::Rename(name) => self.0.push((format!("{prefix}{}", name.ident), exports)),
            UseTree::Glob(_) => self.0.push((format!("{prefix}*"), exports)),
        }
    }
}

impl<'a> Visit<'a> for Imports {
    fn visit_item_use(&mut self, item: &'a ItemUse) {
        self.add("", &item.tree, !matches!(item.vis, Visibility::Inherited));
    }

    fn visit_item_mod(&mut self, item: &'a ItemMod) {
        if item.ident != "tests" {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|it| it.ident.to_string()).collect();
        self.0.push((names.join("::"), false));
        visit::visit_path(self, path);
    }
}

/// Reads all files of a folder but for tests and the binary.
fn read(folder: &Path, module: &str, modules: &mut Modules) {
    for entry in fs::read_dir(folder).expect("to read a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name");
        let inner = if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") };
        let text = || fs::read_to_string(&path).expect("to read a file");
        match name {
            "bin" | "tests" | "fuzzing" | "lib" => {}
            _ if path.is_dir() => read(&path, &inner, modules),
            "mod" => drop(modules.insert(module.to_owned(), Imports::of(&text()))),
            _ => drop(modules.insert(inner, Imports::of(&text()))),
        }
    }
}

/// The module that defines what `module` calls by this path, whichever module exports it; `None`
/// if it is not of the crate.
fn defining(module: &str, path: &str, modules: &Modules) -> Option<String> {
    let (first, rest) = path.split_once("::").unwrap_or((path, ""));
    let parent = module.rsplit_once("::").map_or("", |(parent, _)| parent);
    match first {
        "crate" => find(rest, modules),
        "super" if rest.starts_with("super::") => defining(parent, rest, modules),
        "super" => find(&format!("{parent}::{rest}"), modules),
        child => modules
            .contains_key(&format!("{module}::{child}"))
            .then(|| find(&format!("{module}::{path}"), modules))?,
    }
}

fn find(path: &str, modules: &Modules) -> Option<String> {
    let prefixes = path.match_indices("::").map(|(at, _)| &path[..at]).chain([path]);
    let module = prefixes.filter(|it| modules.contains_key(*it)).last()?;
    let name = path[module.len()..].trim_start_matches("::").split("::").next()?;
    let mut exports = modules[module].0.iter().filter(|(_, is_export)| *is_export);
    let export = exports.find(|(it, _)| it.rsplit("::").next() == Some(name));
    let defined = export.and_then(|(export, _)| defining(module, export, modules));
    Some(defined.unwrap_or_else(|| module.to_owned()))
}

/// Which module imports from which.
fn edges(modules: &Modules) -> BTreeSet<(String, String)> {
    let of_module = |(module, imports): (&String, &Imports)| {
        let defining = |(path, _): &(String, bool)| defining(module, path, modules);
        let found: Vec<String> = imports.0.iter().filter_map(defining).collect();
        found.into_iter().map(|it| (module.clone(), it)).collect::<Vec<_>>()
    };
    modules.iter().flat_map(of_module).filter(|(from, to)| from != to).collect()
}

/// The imports that lead from one of a folder's files, or folders in it, to another and back.
fn circle(folder: &str, edges: &BTreeSet<(String, String)>) -> BTreeSet<(String, String)> {
    let child = |module: &str| {
        let inner = module.strip_prefix(folder)?.trim_start_matches("::");
        Some(inner.split("::").next()?.to_owned()).filter(|it| !it.is_empty())
    };
    let inner = edges.iter().filter_map(|(from, to)| Some((child(from)?, child(to)?)));
    let mut inner: BTreeSet<(String, String)> = inner.filter(|(from, to)| from != to).collect();
    loop {
        let continues = |(start, end): &(String, String)| {
            inner.iter().any(|(from, _)| from == end) && inner.iter().any(|(_, to)| to == start)
        };
        let kept: BTreeSet<_> = inner.iter().filter(|it| continues(it)).cloned().collect();
        if kept.len() == inner.len() {
            return kept;
        }
        inner = kept;
    }
}

fn library() -> Modules {
    let mut modules = Modules::new();
    read(Path::new("src"), "", &mut modules);
    modules
}

#[test]
fn the_layers_import_downwards_only() {
    let text = fs::read_to_string("src/lib.rs").expect("to read a file");
    let rows = text.lines().filter_map(|line| line.strip_prefix("//! | "));
    let layers: Vec<&str> =
        rows.filter_map(|row| Some(row.split('`').nth(1)?.trim_end_matches("()"))).collect();
    let layer = |module: &str| layers.iter().position(|it| module.split("::").next() == Some(it));
    for (from, to) in edges(&library()) {
        let (above, below) = (layer(&from), layer(&to));
        let is_listed = above.is_some() && below.is_some();
        assert!(is_listed, "{from} or {to} is missing in the table of src/lib.rs");
        assert!(above <= below, "{from} imports {to}, which is above it");
    }
}

#[test]
fn the_files_of_a_folder_do_not_import_each_other_in_a_circle() {
    let modules = library();
    let edges = edges(&modules);
    for folder in modules.keys() {
        assert_eq!(circle(&format!("{folder}::"), &edges), BTreeSet::new(), "in {folder}");
    }
}

#[test]
fn a_circle_is_found_through_the_exports_of_its_folder() {
    let module = |(path, text): (&str, &str)| (path.to_owned(), Imports::of(text));
    let texts = [
        ("a", "mod b; mod c; mod d; pub use b::{B, E as F}; pub use c::C;"),
        ("a::b", "use super::C; use std::fmt;"),
        ("a::c", "fn f() { crate::a::B::new(); }"),
        ("a::d", "use crate::a::{B, C};"),
    ];
    let edges = edges(&texts.map(module).into());
    let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    assert!(edges.contains(&pair("a::d", "a::b")), "{edges:?}");
    assert_eq!(circle("a::", &edges), [pair("b", "c"), pair("c", "b")].into());
}
