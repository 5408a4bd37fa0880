//! What the pages for those who work on the code say of it is so.

use super::{assert_none, files, root};

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What stands between backticks.
fn quoted(page: &str) -> impl Iterator<Item = &str> {
    page.split('`').skip(1).step_by(2)
}

/// Whether a file named `module`, or one in a folder of that name, has the function.
fn has_function(module: &str, function: &str) -> bool {
    let (file, folder) = (format!("/{module}.rs"), format!("/{module}/"));
    let found = files("src").into_iter().filter(|path| path.ends_with(&file) || path.contains(&folder));
    found.into_iter().any(|path| {
        let text = read(&path);
        [format!("fn {function}("), format!("fn {function}<")].iter().any(|head| text.contains(head))
    })
}

#[test]
fn functions_that_the_architecture_names_exist() {
    let page = read("docs/ARCHITECTURE.md");
    let named: Vec<_> = quoted(&page).filter_map(|name| name.split_once("::")).collect();
    let functions: Vec<_> = named.into_iter().filter(|(module, _)| module.starts_with(char::is_lowercase)).collect();
    assert!(functions.len() > 20, "{functions:?}");
    let missing = functions.into_iter().filter(|(module, function)| !has_function(module, function));
    assert_none("functions that are not there", missing.map(|(module, name)| format!("{module}::{name}")).collect());
}

#[test]
fn the_code_map_has_every_folder() {
    let page = read("docs/ARCHITECTURE.md");
    let folders =
        files("src").into_iter().filter_map(|path| Some(path.strip_prefix("src/")?.split_once('/')?.0.to_owned()));
    let missing = folders.filter(|folder| !page.contains(&format!("| `src/{folder}/` |")));
    assert_none("folders that the code map lacks", missing.collect());
}

#[test]
fn files_that_the_pages_name_exist() {
    let starts = ["src/", "tests/", "docs/", "deploy/", "migrations/", ".ci/", "benches/"];
    let mut missing = Vec::new();
    let pages = files("docs").into_iter().filter(|path| path.ends_with(".md") && !path.contains("/decisions/"));
    for path in pages.chain(["README.md", "CONTRIBUTING.md"].map(String::from)) {
        let page = read(&path);
        let named = quoted(&page).filter(|name| starts.iter().any(|start| name.starts_with(start)));
        let plain = named.filter_map(|name| name.split_whitespace().next()).filter(|name| !name.contains("AREA"));
        missing.extend(plain.filter(|name| !root().join(name).exists()).map(|name| format!("{path}: {name}")));
    }
    assert_none("files that are not there", missing);
}

#[test]
fn links_between_pages_lead_somewhere() {
    let pages = files("docs").into_iter().filter(|path| path.ends_with(".md"));
    let mut missing = Vec::new();
    for path in pages.chain(["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(String::from)) {
        let folder = root().join(&path).parent().expect("a folder").to_owned();
        let page = read(&path);
        let targets = page.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let local =
            targets.filter(|target| !target.contains("://")).map(|target| target.split('#').next().unwrap_or(""));
        missing.extend(local.filter(|target| !folder.join(target).exists()).map(|target| format!("{path}: {target}")));
    }
    assert_none("links that lead nowhere", missing);
}

#[test]
fn the_index_has_every_page() {
    let index = read("docs/README.md");
    let pages = files("docs").into_iter().filter_map(|path| path.strip_prefix("docs/").map(str::to_owned));
    let pages = pages.filter(|path| path.ends_with(".md") && !path.contains('/') && path != "README.md");
    assert_none(
        "pages that docs/README.md lacks",
        pages.filter(|path| !index.contains(&format!("]({path})"))).collect(),
    );
}
