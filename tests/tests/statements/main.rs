//! Every statement of the standard: whom it binds, and the tests that would fail without it or the
//! reason for none.
//!
//! `table.tsv` has one line for each: the statement's id (`U-`: stated, not numbered), whom it
//! binds, the tests as `file::name` from the root of the repository, and a reason or a note. What
//! binds the codec or the client must have one of the two; what binds others alone has the tests
//! that cite it.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

struct Statement {
    id: &'static str,
    binds: &'static str,
    tests: Vec<&'static str>,
    reason: Option<&'static str>,
}

impl Statement {
    fn binds(&self, whom: &str) -> bool {
        self.binds.split(',').any(|bound| bound == whom)
    }

    /// Returns true if the row gives a reason beyond the side that the statement binds.
    fn has_a_reason(&self) -> bool {
        self.reason
            .is_some_and(|reason| !reason.starts_with("binds the "))
    }
}

fn table() -> Vec<Statement> {
    let lines = include_str!("table.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'));
    let statement = |line: &'static str| {
        let columns: Vec<&str> = line.split('\t').collect();
        let [id, binds, tests, reason] = columns
            .try_into()
            .unwrap_or_else(|_| panic!("4 columns: {line}"));
        let tests = tests.split(' ').filter(|test| *test != "-").collect();
        Statement {
            id,
            binds,
            tests,
            reason: (reason != "-").then_some(reason),
        }
    };
    lines.map(statement).collect()
}

#[test]
fn every_statement_that_binds_codec_or_client_has_a_test_or_a_reason() {
    for statement in table()
        .iter()
        .filter(|statement| statement.binds("codec") || statement.binds("client"))
    {
        assert!(
            !statement.tests.is_empty() || statement.has_a_reason(),
            "{}",
            statement.id
        );
    }
}

/// `dunlin explain` has a table of its own: a sentence for each numbered statement, and for each
/// other one that an error can name.
#[test]
fn the_tool_explains_every_numbered_statement_and_every_other_that_an_error_names() {
    let explained: BTreeSet<String> = read(&root().join("cli/src/explain/statements.tsv"))
        .lines()
        .filter_map(|line| Some(line.split_once('\t')?.0.to_owned()))
        .collect();
    // Errors have the id as a string; comments don't.
    let code: String = ["codec/src", "client/src"]
        .iter()
        .flat_map(|folder| files(&root().join(folder)))
        .map(|file| read(&file))
        .collect();
    let expected: BTreeSet<String> = table()
        .iter()
        .map(|statement| statement.id)
        .filter(|id| id.starts_with("MQTT-") || code.contains(&format!("\"{id}\"")))
        .map(str::to_owned)
        .collect();
    assert_eq!(explained, expected);
}

#[test]
fn every_test_exists_and_its_file_names_the_statement() {
    for Statement { id, tests, .. } in &table() {
        for test in tests {
            let (file, name) = test.split_once("::").expect("file::name");
            let source = read(&root().join(file));
            assert!(is_test(&source, name), "{id}: no test {test}");
            assert!(
                cited(&evidence(file, name)).contains(id),
                "{id} isn't named by {test}"
            );
        }
    }
}

#[test]
fn every_statement_that_the_code_refers_to_is_in_the_table() {
    let table = table();
    for folder in ["codec/src", "codec/tests", "client/src", "client/tests"] {
        for file in files(&root().join(folder)) {
            for id in cited(&read(&file)) {
                assert!(
                    table.iter().any(|statement| statement.id == id),
                    "{id} in {}",
                    file.display()
                );
            }
        }
    }
}

#[test]
fn every_statement_is_in_the_table_once() {
    let table = table();
    let ids: BTreeSet<&str> = table.iter().map(|statement| statement.id).collect();
    assert_eq!(ids.len(), table.len(), "an id stands twice");
}

#[test]
#[ignore = "needs ../shared/spec, which only this project's builders have"]
fn every_statement_of_the_standard_is_in_the_table() {
    let table = table();
    let ours: BTreeMap<&str, &str> = table
        .iter()
        .map(|statement| (statement.id, statement.binds))
        .collect();
    let spec = root().join("../shared/spec");
    let lists = ["normative.tsv", "unnumbered.tsv"].map(|list| read(&spec.join(list)));
    let theirs: BTreeMap<&str, &str> = lists
        .iter()
        .flat_map(|list| list.lines().skip(1))
        .map(row)
        .collect();
    assert_eq!(ours, theirs);
}

/// The id, and whom it binds.
fn row(line: &str) -> (&str, &str) {
    let mut columns = line.split('\t');
    let (id, _section, binds) = (columns.next(), columns.next(), columns.next());
    id.zip(binds).unwrap_or_else(|| panic!("3 columns: {line}"))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Lists the files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

/// Returns the source in which `test` of `file` names its statements: the file itself, or that of
/// the vectors that the test uses.
fn evidence(file: &str, test: &str) -> String {
    let vectors = match test {
        "every_invalid_vector_is_its_expected_error" => &["rejected.tsv"][..],
        "other_forms_of_a_packet_are_read_alike_and_never_written" => &["forms.tsv"],
        "every_packet_is_read_from_its_bytes" | "every_packet_is_written_as_its_bytes" => &[
            "connecting.rs",
            "publishing.rs",
            "subscribing.rs",
            "ending.rs",
        ],
        _ => &[],
    };
    let folder = root().join("codec/tests/golden/vectors");
    let vectors: String = vectors
        .iter()
        .map(|vectors| read(&folder.join(vectors)))
        .collect();
    // The simulator's rules are in its checks.
    let checks = match test {
        "two_thousand_runs_break_no_rule" => {
            read(&root().join("tests/src/simulate/checks/outbound.rs"))
        }
        _ => String::new(),
    };
    read(&root().join(file)) + &vectors + &checks
}

/// Returns true if `source` has a test function `name`.
fn is_test(source: &str, name: &str) -> bool {
    let Some((above, _)) = source.split_once(&format!("fn {name}(")) else {
        return false;
    };
    let above = above.strip_suffix("async ").unwrap_or(above).trim_end();
    let mut directly = above
        .lines()
        .rev()
        .map(str::trim)
        .take_while(|line| line.starts_with(['#', '/']));
    directly.any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
}

/// The ids in `text`: `MQTT-3.3.1-4`, `U-3.4-1`.
fn cited(text: &str) -> Vec<&str> {
    let words =
        text.split(|each: char| !(each.is_ascii_alphanumeric() || each == '-' || each == '.'));
    let ids = words.filter(|word| {
        let number = word
            .strip_prefix("MQTT-")
            .or_else(|| word.strip_prefix("U-"));
        number
            .and_then(|number| number.split_once('-'))
            .is_some_and(|(section, count)| {
                section.starts_with(|each: char| each.is_ascii_digit())
                    && section
                        .chars()
                        .all(|each| each.is_ascii_digit() || each == '.')
                    && !count.is_empty()
                    && count.chars().all(|each| each.is_ascii_digit())
            })
    });
    ids.collect()
}
