//! Scenarios, rules and faults by name: where each of them is shown, or why it isn't.
//!
//! `table.tsv` has one line for each: where it comes from (`aws`: the scenarios that AWS tests its
//! client with; `rule`: the statements that clients break most often; `fault`: what the newest
//! releases of other clients do wrong), its name, the tests as `file::name` from this crate's
//! folder, and a reason if there is none. A test names what it shows above itself.
#![expect(clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

struct Row {
    source: &'static str,
    name: &'static str,
    tests: Vec<&'static str>,
    reason: Option<&'static str>,
}

fn table() -> Vec<Row> {
    let lines = include_str!("table.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'));
    let row = |line: &'static str| {
        let columns: Vec<&str> = line.split('\t').collect();
        let [source, name, tests, reason] = columns
            .try_into()
            .unwrap_or_else(|_| panic!("4 columns: {line}"));
        let tests = tests.split(' ').filter(|test| *test != "-").collect();
        Row {
            source,
            name,
            tests,
            reason: (reason != "-").then_some(reason),
        }
    };
    lines.map(row).collect()
}

#[test]
fn each_scenario_has_a_test_or_a_reason_and_is_listed_once() {
    let table = table();
    for Row {
        name,
        tests,
        reason,
        ..
    } in &table
    {
        assert_ne!(
            tests.is_empty(),
            reason.is_none(),
            "{name}: either tests or a reason"
        );
    }
    let names: BTreeSet<_> = table.iter().map(|row| (row.source, row.name)).collect();
    assert_eq!(names.len(), table.len());
}

#[test]
fn each_test_exists_and_names_what_it_shows() {
    for Row { name, tests, .. } in table() {
        for test in tests {
            let (file, function) = test.split_once("::").expect("file::name");
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
            let source =
                fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
            let above =
                lines_above(&source, function).unwrap_or_else(|| panic!("{name}: no test {test}"));
            assert!(
                above
                    .iter()
                    .any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
            );
            let words = above
                .iter()
                .flat_map(|line| line.split([' ', ',', '[', ']', ':']));
            assert!(
                words.collect::<Vec<_>>().contains(&name),
                "{name} isn't named by {test}"
            );
        }
    }
}

#[test]
fn the_table_has_all_fifteen_rules() {
    let rules: BTreeSet<_> = table()
        .iter()
        .filter_map(|row| row.source.strip_prefix("rule ")?.parse::<u32>().ok())
        .collect();
    assert_eq!(rules, (1..=15).collect());
}

/// Lines directly above a function: attributes and comments.
fn lines_above<'a>(source: &'a str, function: &str) -> Option<Vec<&'a str>> {
    let (above, _) = source.split_once(&format!("fn {function}("))?;
    let above = above
        .trim_end()
        .strip_suffix("async")
        .unwrap_or(above)
        .trim_end();
    Some(
        above
            .lines()
            .rev()
            .map(str::trim)
            .take_while(|line| line.starts_with(['#', '/']))
            .collect(),
    )
}
