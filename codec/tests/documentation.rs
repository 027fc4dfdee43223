//! Each public type has an example, which `cargo test --doc` runs.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

/// Types whose use is shown with the type that has them as a field, or with the function that returns them.
const SHOWN_ELSEWHERE: [&str; 13] = [
    "DataType",
    "DecodeErrorKind",
    "FramingError",
    "InvalidNumber",
    "Leniency",
    "MatcherIter",
    "Matches",
    "RepeatedIter",
    "RetainHandling",
    "Subscription",
    "TextError",
    "TopicError",
    "Will",
];

#[test]
fn each_public_type_has_an_example() {
    let mut types = Vec::new();
    for_each_source(&mut |text| types.extend(types_without_example(text)));
    types.sort_unstable();
    assert_eq!(types, SHOWN_ELSEWHERE.map(str::to_owned));
}

fn for_each_source(each: &mut dyn FnMut(&str)) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![source];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                each(&fs::read_to_string(path).expect("a source file"));
            }
        }
    }
}

/// Names of the public types of a file whose documentation has no code block. Types that a macro
/// declares by a variable name (`$name`) are properties and owned forms, which are documented together.
fn types_without_example(text: &str) -> Vec<String> {
    let (mut types, mut has_example) = (Vec::new(), false);
    for line in text.lines().map(str::trim) {
        if let Some(doc) = line.strip_prefix("///") {
            has_example |= doc.trim_start().starts_with("```");
            continue;
        }
        // Attributes stand between the documentation and the type.
        if line.starts_with("#[") {
            continue;
        }
        let declared = ["pub struct ", "pub enum "]
            .iter()
            .find_map(|keyword| line.strip_prefix(keyword));
        if let Some(rest) = declared
            && !has_example
        {
            let name = rest.split(|c: char| !c.is_alphanumeric()).next();
            types.extend(name.filter(|name| !name.is_empty()).map(str::to_owned));
        }
        has_example = false;
    }
    types
}
