//! Pages of the book about errors: one for each error id, and an index by symptom.
//!
//! They are generated from the explanations of the tool, so that the two can't differ. After a
//! change, `DUNLIN_WRITE_BOOK=1 cargo test -p dunlin book` writes them again.

mod commands;
mod symptom;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use self::commands::{SANDBOX, provoked_by};
use self::symptom::{GROUPS, symptom};
use super::{About, about};
use crate::diagnosis::Id;
use crate::exit::Exit;

/// Pages are compared with those in the book, or written if `DUNLIN_WRITE_BOOK` is set.
#[test]
fn the_book_has_the_page_of_every_error_as_the_tool_explains_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/errors");
    // The published crate has no book beside it.
    if !folder.is_dir() {
        return;
    }
    let expected = pages();
    if std::env::var_os("DUNLIN_WRITE_BOOK").is_some() {
        for (name, page) in &expected {
            fs::write(folder.join(name), page).unwrap();
        }
    }
    let found: BTreeMap<String, String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read_to_string(entry.path()).unwrap())
        })
        .collect();
    for (name, page) in &expected {
        assert_eq!(
            found.get(name),
            Some(page),
            "docs/src/errors/{name} is stale: DUNLIN_WRITE_BOOK=1 cargo test -p dunlin book"
        );
    }
    // A page of an error that is no more would still be found by search engines.
    assert_eq!(found.len(), expected.len(), "{:?}", found.keys());
}

#[test]
fn the_contents_of_the_book_list_the_page_of_every_error() {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/SUMMARY.md");
    let Ok(contents) = fs::read_to_string(path) else {
        // The published crate has no book beside it.
        return;
    };
    for id in Id::ALL {
        let entry = format!("[{}](errors/{})", id.name(), file_name(*id));
        assert!(contents.contains(&entry), "docs/src/SUMMARY.md: {entry}");
    }
}

/// File names and contents of all pages.
fn pages() -> BTreeMap<String, String> {
    let mut pages: BTreeMap<String, String> = Id::ALL
        .iter()
        .map(|id| (file_name(*id), page(*id)))
        .collect();
    pages.insert("index.md".to_owned(), index());
    pages
}

fn file_name(id: Id) -> String {
    format!("{}.md", id.name().to_lowercase())
}

/// Page of one error: symptom, causes, remedies, and commands that provoke it.
fn page(id: Id) -> String {
    let About {
        meaning,
        causes,
        remedies,
    } = about(id);
    let name = id.name();
    let exit = id.exit().code();
    // The heading is the id alone: people search for it.
    let mut page = format!(
        "# {name}\n\n**{}.** Exit code {exit}; stage: {}.\n",
        sentence(meaning),
        id.stage()
    );
    page.push_str(&format!("\n## What you see\n\n{}\n", symptom(id).text));
    page.push_str("\n## Usual causes\n\n");
    for cause in causes {
        page.push_str(&format!("* {}\n", escaped(cause)));
    }
    page.push_str("\n## What to try\n\n");
    for remedy in remedies {
        page.push_str(&format!("* {}\n", command_or_text(remedy)));
    }
    // Commands to provoke the error, unless it takes a network that not every machine has.
    let commands = provoked_by(id);
    if !commands.is_empty() {
        page.push_str("\n## See it on your own machine\n\n");
        if commands.iter().any(|text| text.starts_with(SANDBOX)) {
            page.push_str(
                "The sandbox runs in one terminal, the other command in another one.\n\n",
            );
        }
        page.push_str("```console\n");
        for command in commands {
            page.push_str(&format!("$ {command}\n"));
        }
        page.push_str("```\n");
    }
    page.push_str(&format!(
        "\n`dunlin explain {name}` prints causes and remedies without a network. \
         [All errors by symptom](index.md).\n"
    ));
    page
}

/// Index of all errors by symptom, in groups.
fn index() -> String {
    let mut page = String::from(
        "# Debugging by symptom\n\n\
         Find what you see, here or in the words of another client, and follow the link. `dunlin` prints the error\n\
         id with every failure, together with what it saw in this run; `dunlin explain` explains ids, reason codes\n\
         (`dunlin explain 0x87`), exit codes and statements of the standard without a network. `dunlin doctor` tries\n\
         each stage of a connection, and names the first one that fails.\n",
    );
    // One table for each group, in the order of the catalogue.
    for (group, title) in GROUPS {
        page.push_str(&format!(
            "\n## {title}\n\n| what you see | error |\n|---|---|\n"
        ));
        for id in Id::ALL.iter().filter(|id| symptom(**id).group == group) {
            let link = format!("[{}]({})", id.name(), file_name(*id));
            page.push_str(&format!("| {} | {link} |\n", symptom(*id).text));
        }
    }
    // Scripts see the exit code only.
    page.push_str("\n## By exit code\n\n| exit code | meaning | errors |\n|--:|---|---|\n");
    for (exit, meaning) in Exit::TABLE {
        let links: Vec<String> = Id::ALL
            .iter()
            .filter(|id| id.exit() == exit)
            .map(|id| format!("[{}]({})", id.name(), file_name(*id)))
            .collect();
        page.push_str(&format!(
            "| {} | {meaning} | {} |\n",
            exit.code(),
            links.join(", ")
        ));
    }
    page
}

/// Text with a capital letter at its beginning.
fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    characters
        .next()
        .map(|first| first.to_uppercase().collect::<String>() + characters.as_str())
        .unwrap_or_default()
}

/// Text whose special characters Markdown shows as they are.
fn escaped(text: &str) -> String {
    text.replace('<', "&lt;")
        .replace('*', "\\*")
        .replace('|', "\\|")
}

/// A remedy: one that is a command is set as code.
fn command_or_text(remedy: &str) -> String {
    let is_command = remedy.starts_with("aws ")
        || (remedy.starts_with("dunlin ")
            && !remedy.contains(" shows ")
            && !remedy.contains(" explains "));
    if is_command {
        format!("`{remedy}`")
    } else {
        escaped(remedy)
    }
}
