//! `dunlin man`: man pages in roff, one for the tool and one for each verb.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use clap::Command;
use clap_mangen::Man;

use crate::args::{self, ManArgs};
use crate::diagnosis::{Diagnosis, Try, quoted};
use crate::exit::Exit;
use crate::failure::Failure;

/// Prints one page, or writes all of them to a folder.
///
/// # Errors
/// [`Id::Usage`](crate::diagnosis::Id::Usage) for a verb that doesn't exist or a folder that can't
/// be written; [`Failure::Local`] if standard output can't be written.
pub(crate) fn print(typed: &ManArgs) -> Result<Exit, Failure> {
    // Building gives each verb its full name: dunlin-bench-pub.
    let mut tool = args::command();
    tool.build();
    if let Some(folder) = &typed.output_dir {
        return write_all(&tool, folder)
            .map(|()| Exit::Done)
            .map_err(|error| not_written(folder, &error).into());
    }

    // Each word leads one verb deeper.
    let mut verb = &tool;
    for word in &typed.verb {
        verb = visible(verb)
            .find(|inner| inner.get_name() == word)
            .ok_or_else(|| no_verb(&typed.verb))?;
    }
    let mut out = io::stdout().lock();
    out.write_all(&page(verb)?)?;
    out.flush()?;
    Ok(Exit::Done)
}

/// Writes the page of `verb`, and of all verbs below it.
fn write_all(verb: &Command, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let name = verb.get_display_name().unwrap_or_else(|| verb.get_name());
    fs::write(folder.join(format!("{name}.1")), page(verb)?)?;
    visible(verb).try_for_each(|inner| write_all(inner, folder))
}

fn page(verb: &Command) -> io::Result<Vec<u8>> {
    // Flags that are too many for the short help have their place here.
    let verb = verb.clone().mut_args(|flag| flag.hide_short_help(false));
    let mut page = Vec::new();
    // Without a date, so that two builds of one version print the same page.
    Man::new(verb)
        .source(concat!("dunlin ", env!("CARGO_PKG_VERSION")))
        .manual("Dunlin")
        .render(&mut page)?;
    Ok(page)
}

fn visible(verb: &Command) -> impl Iterator<Item = &Command> {
    verb.get_subcommands().filter(|inner| !inner.is_hide_set())
}

fn no_verb(words: &[String]) -> Diagnosis {
    Diagnosis {
        try_: vec![Try::command("dunlin --help        # lists the verbs")],
        ..Diagnosis::usage(format!(
            "there is no verb {}, so there is no page about it",
            quoted(&words.join(" "))
        ))
    }
}

fn not_written(folder: &Path, error: &io::Error) -> Diagnosis {
    Diagnosis::usage(format!(
        "--output-dir can't be written: {}: {error}",
        folder.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails unless the page of `verb`, and of each verb below it, describes all of its flags.
    fn check(verb: &Command) {
        // roff writes a dash of a flag with a backslash.
        let page = String::from_utf8(page(verb).unwrap())
            .unwrap()
            .replace("\\-", "-");
        for flag in verb.get_arguments().filter(|flag| !flag.is_hide_set()) {
            // clap describes its own flags.
            let Some(long) = flag
                .get_long()
                .filter(|long| !["help", "version"].contains(long))
            else {
                continue;
            };
            assert!(
                page.contains(&format!("\\fB--{long}\\fR")),
                "--{long}\n{page}"
            );
            let help = flag.get_long_help().or_else(|| flag.get_help());
            let help = help.map(ToString::to_string).unwrap_or_default();
            let first = help
                .split(['"', '\'', '.', '\\'])
                .next()
                .unwrap_or_default();
            assert!(page.contains(first), "--{long}: {first}\n{page}");
        }
        for inner in visible(verb) {
            assert!(page.contains(inner.get_name()), "{}", inner.get_name());
            check(inner);
        }
    }

    #[test]
    fn every_page_describes_every_flag_and_names_every_verb_below_it() {
        let mut tool = args::command();
        tool.build();
        check(&tool);
    }
}
