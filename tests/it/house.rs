//! The house stays livable: no room or file imports in a circle, only the top
//! knows the application's state, and files and functions keep their size.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::{
    Attribute, Item, UseTree,
    spanned::Spanned,
    visit::{self, Visit},
};

/// Longest file, without its unit tests, in lines.
const FILE_LINES: usize = 400;

/// Longest function, in lines.
const FUNCTION_LINES: usize = 80;

/// The longest a function may be for nine in ten of them, in lines.
const MOST_FUNCTIONS_LINES: usize = 40;

/// A source file and what is in it.
struct Source {
    path: PathBuf,
    /// `counting::counts::redis`; empty for the crate's root.
    module: Vec<String>,
    syntax: syn::File,
    lines: usize,
}

/// Every file of `src/` that goes into the binary.
fn sources() -> Vec<Source> {
    let mut sources = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs")
            {
                sources.push(source(path));
            }
        }
    }
    assert!(sources.len() > 50, "the sources were not found");
    sources
}

fn source(path: PathBuf) -> Source {
    let text = fs::read_to_string(&path).unwrap();
    let syntax = syn::parse_file(&text).unwrap();
    let tests = syntax
        .items
        .iter()
        .find(|item| is_for_tests(attributes(item)));
    let lines = match tests {
        Some(tests) => tests.span().start().line,
        None => text.lines().count(),
    };
    let inner = path
        .strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
        .unwrap()
        .with_extension("");
    let module = inner
        .iter()
        .map(|name| name.to_str().unwrap().to_owned())
        .filter(|name| !["mod", "lib", "main"].contains(&name.as_str()))
        .collect();
    Source {
        path,
        module,
        syntax,
        lines,
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Mod(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        _ => &[],
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    let is_test = |attribute: &Attribute| match &attribute.meta {
        syn::Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        _ => false,
    };
    attributes.iter().any(is_test)
}

/// Collects the paths within the crate that a file names.
struct Paths<'a> {
    module: &'a [String],
    found: BTreeSet<Vec<String>>,
}

impl Paths<'_> {
    /// Makes a path absolute; `None` if it leads out of the crate.
    fn note(&mut self, path: &[String]) {
        let mut absolute = match path.first().map(String::as_str) {
            Some("crate") => Vec::new(),
            Some("self" | "super") => self.module.to_vec(),
            _ => return,
        };
        for name in path {
            match name.as_str() {
                "crate" | "self" => {}
                "super" => drop(absolute.pop()),
                name => absolute.push(name.to_owned()),
            }
        }
        self.found.insert(absolute);
    }

    fn note_tree(&mut self, before: &mut Vec<String>, tree: &UseTree) {
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.note_tree(before, &path.tree);
                before.pop();
            }
            UseTree::Name(name) => {
                before.push(name.ident.to_string());
                self.note(before);
                before.pop();
            }
            UseTree::Rename(name) => {
                before.push(name.ident.to_string());
                self.note(before);
                before.pop();
            }
            UseTree::Glob(_) => self.note(before),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.note_tree(before, tree);
                }
            }
        }
    }

    /// What a macro is given is not parsed, but its paths are looked for.
    fn note_tokens(&mut self, tokens: TokenStream) {
        let mut path = Vec::new();
        for token in tokens {
            match token {
                TokenTree::Ident(name) => path.push(name.to_string()),
                TokenTree::Punct(punct) if punct.as_char() == ':' && !path.is_empty() => {}
                TokenTree::Group(group) => {
                    self.note(&std::mem::take(&mut path));
                    self.note_tokens(group.stream());
                }
                _ => self.note(&std::mem::take(&mut path)),
            }
        }
        self.note(&path);
    }
}

impl Visit<'_> for Paths<'_> {
    fn visit_item(&mut self, item: &Item) {
        if !is_for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &syn::ItemUse) {
        self.note_tree(&mut Vec::new(), &item.tree);
    }

    fn visit_path(&mut self, path: &syn::Path) {
        let names = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string());
        self.note(&names.collect::<Vec<_>>());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, made: &syn::Macro) {
        // Macros of the crate are at its root, whichever room they are from.
        self.note_tokens(made.tokens.clone());
    }
}

type Graph = BTreeMap<String, BTreeSet<String>>;

/// Who imports whom, file by file.
fn imports(sources: &[Source]) -> Graph {
    let modules: BTreeSet<_> = sources.iter().map(|source| &source.module).collect();
    let mut graph = Graph::new();
    for source in sources {
        let mut paths = Paths {
            module: &source.module,
            found: BTreeSet::new(),
        };
        paths.visit_file(&source.syntax);
        let own = graph.entry(source.module.join("::")).or_default();
        for mut path in paths.found {
            while !path.is_empty() && !modules.contains(&path) {
                path.pop();
            }
            if path != source.module && !path.is_empty() {
                own.insert(path.join("::"));
            }
        }
    }
    graph
}

/// A way round, if there is one.
fn circle(graph: &Graph) -> Option<Vec<String>> {
    fn walk(graph: &Graph, at: &str, way: &mut Vec<String>, done: &mut BTreeSet<String>) -> bool {
        if let Some(begin) = way.iter().position(|before| before == at) {
            way.drain(..begin);
            way.push(at.to_owned());
            return true;
        }
        if done.contains(at) {
            return false;
        }
        way.push(at.to_owned());
        for next in graph.get(at).into_iter().flatten() {
            if walk(graph, next, way, done) {
                return true;
            }
        }
        way.pop();
        done.insert(at.to_owned());
        false
    }
    let mut done = BTreeSet::new();
    graph.keys().find_map(|start| {
        let mut way = Vec::new();
        walk(graph, start, &mut way, &mut done).then_some(way)
    })
}

fn room(module: &str) -> &str {
    module.split("::").next().unwrap_or_default()
}

#[test]
fn no_room_imports_in_a_circle() {
    let mut rooms = Graph::new();
    for (module, imported) in imports(&sources()) {
        let own = room(&module).to_owned();
        let others = imported.iter().map(|other| room(other).to_owned());
        let others: Vec<_> = others.filter(|other| *other != own).collect();
        rooms.entry(own).or_default().extend(others);
    }
    assert!(rooms["app"].contains("counting"), "imports are not found");
    assert_eq!(circle(&rooms), None);
}

/// A module and the parts below it are one: a part may use what its module declares.
#[test]
fn no_file_imports_in_a_circle() {
    let mut files = imports(&sources());
    for (module, imported) in &mut files {
        imported.retain(|other| !module.starts_with(&format!("{other}::")));
    }
    assert_eq!(circle(&files), None);
}

#[test]
fn a_circle_is_found() {
    let graph = |arrows: &[(&str, &str)]| {
        let mut graph = Graph::new();
        for (from, to) in arrows {
            let from = graph.entry((*from).to_owned()).or_default();
            from.insert((*to).to_owned());
        }
        graph
    };
    assert_eq!(circle(&graph(&[("a", "b"), ("b", "c"), ("a", "c")])), None);
    let found = circle(&graph(&[("a", "b"), ("b", "c"), ("c", "b")]));
    assert_eq!(found.unwrap(), ["b", "c", "b"]);
}

#[test]
fn only_the_top_knows_the_application() {
    for (module, imported) in imports(&sources()) {
        let knows = imported.iter().any(|other| room(other) == "app");
        let is_top = ["app", "process", "cli"].contains(&room(&module));
        assert!(is_top || !knows, "{module} names the application");
    }
}

#[test]
fn files_keep_their_size() {
    let long: Vec<_> = sources()
        .into_iter()
        .filter(|source| source.lines > FILE_LINES)
        .map(|source| (source.path, source.lines))
        .collect();
    assert!(long.is_empty(), "over {FILE_LINES} lines: {long:#?}");
}

/// Each file of ours that the documentation names by its path is there.
#[test]
fn the_documents_name_files_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut named = 0;
    for entry in fs::read_dir(root.join("docs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "md") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for name in text.split(|end: char| end.is_whitespace() || "`()[]|,:".contains(end)) {
            let name = name.trim_start_matches("../");
            if name.ends_with(".rs") && name.contains('/') {
                let is_there = ["", "src", "tests/it"]
                    .iter()
                    .any(|folder| root.join(folder).join(name).exists());
                assert!(is_there, "{}: there is no {name}", path.display());
                named += 1;
            }
        }
    }
    assert!(named > 10, "no file is named: {named}");
}

/// Lengths of all functions, with their names.
#[derive(Default)]
struct Functions(Vec<(usize, String)>);

impl Functions {
    fn note(&mut self, name: &syn::Ident, span: Span) {
        let lines = span.end().line - span.start().line + 1;
        self.0.push((lines, name.to_string()));
    }
}

impl Visit<'_> for Functions {
    fn visit_item(&mut self, item: &Item) {
        if !is_for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_fn(&mut self, function: &syn::ItemFn) {
        self.note(&function.sig.ident, function.block.span());
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &syn::ImplItemFn) {
        self.note(&function.sig.ident, function.block.span());
        visit::visit_impl_item_fn(self, function);
    }
}

#[test]
fn functions_keep_their_size() {
    let mut lengths = Vec::new();
    for source in sources() {
        let mut functions = Functions::default();
        functions.visit_file(&source.syntax);
        for (lines, name) in functions.0 {
            let path = source.path.display();
            assert!(lines <= FUNCTION_LINES, "{path}: {name} has {lines} lines");
            lengths.push(lines);
        }
    }
    lengths.sort_unstable();
    assert!(lengths.len() > 300, "functions are not found");
    let ninth = lengths[lengths.len() * 9 / 10];
    assert!(
        ninth < MOST_FUNCTIONS_LINES,
        "one in ten has {ninth} lines or more"
    );
}
