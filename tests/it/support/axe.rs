//! axe-core (<https://github.com/dequelabs/axe-core>), which looks for what shuts people out of a page.

use std::{path::Path, sync::LazyLock};

use serde_json::Value;

use super::browser::Browser;

/// The program, as `./test.sh` installs it.
static AXE: LazyLock<String> = LazyLock::new(|| {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("target/axe/node_modules/axe-core/axe.min.js");
    std::fs::read_to_string(&file).unwrap_or_else(|error| {
        panic!("{}: {error}. ./test.sh installs it.", file.display());
    })
});

/// The success criteria of WCAG 2.2, levels A and AA, and what is best practice beside. By itself axe-core leaves
/// out the size of targets.
const RUN: &str = "
    const done = arguments[arguments.length - 1];
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
    const all = { runOnly: { type: 'tag', values: tags }, rules: { 'target-size': { enabled: true } }, preload: false };
    const colors = { runOnly: { type: 'rule', values: ['color-contrast', 'link-in-text-block'] }, preload: false };
    const options = arguments[0] ? all : colors;
    const hides = ['bgImage', 'bgGradient', 'pseudoContent', 'fgAlpha', 'colorParse', 'equalRatio'];
    const unknown = ({ any }) => any.some(({ data }) => hides.includes(data?.messageKey));
    const said = (results) => results.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 160)} ${node.failureSummary ?? ''}`));
    axe.run(document, options).then(
        ({ violations, incomplete, passes }) => done({
            violations: said(violations),
            unknown: said(incomplete.map((one) => ({ ...one, nodes: one.nodes.filter(unknown) }))),
            checked: passes.concat(violations).map(({ id }) => id),
        }),
        (error) => done({ violations: [String(error)] }),
    );";

/// Puts it into the page that is shown.
pub async fn inject(browser: &Browser) {
    browser.script(&AXE).await;
}

/// What is wrong with the page as it is shown now; or only with its colors, where nothing else has changed.
pub async fn violations(browser: &Browser, all: bool) -> Vec<String> {
    let all = vec![Value::Bool(all)];
    let found = browser.page.execute_async(RUN, all).await.unwrap();
    let list = |name: &str| -> Vec<String> {
        let list = found[name].as_array().into_iter().flatten();
        list.map(|one| one.as_str().unwrap().to_owned()).collect()
    };
    let mut all = list("violations");
    // Where our style hides what is behind a text, nobody knows its contrast. (What it does not say either: that
    // of labels in charts, and of what is scrolled out of a table.)
    all.extend(list("unknown"));
    let checked = list("checked").contains(&"color-contrast".to_owned());
    assert!(!all.is_empty() || checked, "{found}");
    all
}
