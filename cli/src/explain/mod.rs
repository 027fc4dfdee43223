//! `dunlin explain`: reason codes, errors, exit codes and statements of the standard, offline.

mod code;
mod error;
mod exit_code;
mod statement;

use std::io::{self, Write};

use crate::args::ExplainArgs;
use crate::diagnosis::{Diagnosis, Id, Try, quoted};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::wrap::wrap;

/// Prints the explanation of what the words name.
///
/// # Errors
/// [`Id::Usage`] for words that name nothing; [`Failure::Local`] if standard output can't be
/// written.
pub(crate) fn print(typed: &ExplainArgs) -> Result<Exit, Failure> {
    let text = explain(&typed.words)?;
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(Exit::Done)
}

/// Text about `words`, which ends with a newline.
fn explain(words: &[String]) -> Result<String, Diagnosis> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let found = match words.as_slice() {
        [] => Some(list()),
        ["schema"] => Some(SCHEMA.to_owned()),
        ["exit", number] => exit_code::explain(number),
        // A packet may come first, because a code means different things in different packets.
        [packet, rest @ ..] if code::packet(packet).is_some() => {
            code::named(&rest.join(" ")).map(|found| code::explain(found, code::packet(packet)))
        }
        all => {
            let all = all.join(" ");
            error::named(&all)
                .map(error::explain)
                .or_else(|| statement::explain(&all))
                .or_else(|| code::named(&all).map(|found| code::explain(found, None)))
        }
    };
    found.ok_or_else(|| unknown(&words.join(" ")))
}

/// All errors with their meanings, and what else can be explained.
fn list() -> String {
    let mut text = String::from("Errors, by exit code:\n");
    for (exit, _) in Exit::TABLE {
        for id in Id::ALL.iter().filter(|id| id.exit() == exit) {
            let about = error::meaning(*id);
            text.push_str(&format!(
                "  {:>3}  {:<18} {about}\n",
                exit.code(),
                id.name()
            ));
        }
    }
    text.push_str(
        "\nAlso: reason codes (0x87, suback 135, \"not authorized\"), exit codes (exit 7),\n\
         statements of the standard (MQTT-3.3.1-4), JSON lines of all verbs (schema).\n",
    );
    text
}

/// Section of an explanation: a label, and text that is wrapped beside it.
fn section(label: &str, text: &str) -> String {
    let lines = wrap(text, WIDTH - INDENT, "");
    let mut section = String::new();
    for (row, line) in lines.iter().enumerate() {
        let head = if row == 0 { label } else { "" };
        section.push_str(&format!("  {head:<9}{line}\n"));
    }
    section
}

fn unknown(words: &str) -> Diagnosis {
    // The nearest error id, if one is near.
    let upper = words.to_uppercase();
    let nearest = Id::ALL
        .iter()
        .map(|id| (strsim::jaro_winkler(&upper, id.name()), id))
        .filter(|(similarity, _)| *similarity > 0.85)
        .max_by(|one, two| one.0.total_cmp(&two.0));
    let mut try_: Vec<Try> = nearest
        .map(|(_, id)| Try::command(format!("dunlin explain {}", id.name())))
        .into_iter()
        .collect();
    // A code is often written without 0x.
    if let Some(code) = u8::from_str_radix(words, 16)
        .ok()
        .and_then(dunlin_codec::ReasonCode::from_code)
        .filter(|code| code.is_error())
    {
        try_.push(Try::command(format!(
            "dunlin explain 0x{:02X}",
            code.code()
        )));
    }
    try_.push(Try::command("dunlin explain        # lists all errors"));
    Diagnosis {
        try_,
        ..Diagnosis::usage(format!(
            "{} is no error, reason code, exit code or statement of the standard",
            quoted(words)
        ))
    }
}

/// JSON Schema of all lines that verbs print with `--json`.
const SCHEMA: &str = include_str!("schema.json");

/// Columns of a page.
const WIDTH: usize = 80;
/// Columns of the label and what is before it.
const INDENT: usize = 11;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &str) -> Result<String, Diagnosis> {
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        explain(&words)
    }

    #[test]
    fn every_error_exit_code_and_reason_code_is_explained_in_80_columns() {
        let ids = Id::ALL.iter().map(|id| id.name().to_owned());
        let exits = Exit::TABLE
            .iter()
            .map(|(exit, _)| format!("exit {}", exit.code()));
        let codes = dunlin_codec::ReasonCode::ALL
            .iter()
            .flat_map(|code| [format!("0x{:02x}", code.code()), code.code().to_string()]);
        for words in ids.chain(exits).chain(codes) {
            let page = of(&words).unwrap();
            assert!(page.ends_with('\n'), "{page}");
            for line in page.lines() {
                assert!(line.chars().count() <= WIDTH, "{line}");
            }
        }
        for line in list().lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }

    #[test]
    fn a_code_is_found_in_every_spelling() {
        let page = of("0x87").unwrap();
        for words in ["135", "0X87", "not authorized", "Not_Authorized"] {
            assert_eq!(of(words).unwrap(), page, "{words}");
        }
        assert!(page.starts_with("0x87 (135)  Not authorized\n"), "{page}");
        let of_suback = of("suback 135").unwrap();
        assert!(of_suback.contains("E-SUB-DENIED"), "{of_suback}");
    }

    #[test]
    fn an_unknown_key_gets_the_nearest_explanation() {
        let tries = |words: &str| of(words).unwrap_err().try_;
        assert_eq!(
            tries("E-AUTH-DENID")[0],
            Try::command("dunlin explain E-AUTH-DENIED")
        );
        assert_eq!(tries("8c")[0], Try::command("dunlin explain 0x8C"));
        assert_eq!(of("suback nonsense").unwrap_err().id, Id::Usage);
        assert_eq!(of("exit 77").unwrap_err().id, Id::Usage);
        assert_eq!(of("0x77").unwrap_err().id, Id::Usage);
    }

    #[test]
    fn a_statement_names_its_section_and_packet() {
        for words in ["MQTT-3.3.1-4", "[MQTT-3.3.1-4]", "mqtt-3.3.1-4"] {
            let page = of(words).unwrap();
            assert!(
                page.contains("section 3.3.1") && page.contains("PUBLISH"),
                "{page}"
            );
        }
        assert!(of("MQTT-9.1-1").is_err());
        assert!(of("MQTT-3.3.1").is_err());
    }
}
