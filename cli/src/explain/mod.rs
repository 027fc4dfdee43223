//! `dunlin explain`: reason codes, errors, exit codes, statements of the standard and limits of AWS
//! IoT Core, offline.

mod code;
mod error;
mod exit_code;
mod limit;
mod page;
mod statement;

use std::io::{self, Write};

use dunlin_codec::{PacketType, ReasonCode};
use dunlin_sandbox::ServiceLimit;

use self::page::ExplanationPage;
use crate::args::ExplainArgs;
use crate::diagnosis::{Diagnosis, Id, Try, quoted};
use crate::exit::Exit;
use crate::failure::Failure;

/// Prints the explanation of what the words name.
///
/// # Errors
/// [`Id::Usage`] for words that name nothing; [`Failure::Local`] if standard output can't be
/// written.
pub(crate) fn print(typed: &ExplainArgs) -> Result<Exit, Failure> {
    let text = match typed.words.as_slice() {
        // The schema is JSON already.
        [word] if word == "schema" => SCHEMA.to_owned(),
        words => {
            let page = explain(words)?;
            if typed.json { page.json() } else { page.text() }
        }
    };
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(Exit::Done)
}

/// Page about `words`.
fn explain(words: &[String]) -> Result<ExplanationPage, Diagnosis> {
    // Words that need a second one come first; a single word is looked for in all tables.
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let found = match words.as_slice() {
        [] => Some(list()),
        ["limits"] => Some(limit::list()),
        ["limit", name] => limit::named(name).map(|found| limit::explain(&found)),
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
                .or_else(|| limit::named(&all).map(|found| limit::explain(&found)))
        }
    };
    found.ok_or_else(|| unknown(&words.join(" ")))
}

/// All errors with their meanings, and what else can be explained.
fn list() -> ExplanationPage {
    let mut page = ExplanationPage::new("list", "list", "Errors, with their exit codes:");
    for (exit, _) in Exit::TABLE {
        for id in Id::ALL.iter().filter(|id| id.exit() == exit) {
            let about = error::meaning(*id);
            page.row(id.name(), format!("{:>3}  {about}", exit.code()));
        }
    }
    page.row(
        "also:",
        "reason codes: 0x87, suback 135, \"not authorized\"",
    );
    page.row("", "exit codes: exit 7");
    page.row("", "statements of the standard: MQTT-3.3.1-4");
    page.row("", "limits of AWS IoT Core: limits, receive-maximum");
    page.row("", "JSON Schema of the output of all verbs: schema");
    page
}

fn unknown(words: &str) -> Diagnosis {
    // The nearest subject of all tables, if one is near.
    let mut try_: Vec<Try> = nearest(words)
        .map(|near| Try::command(format!("dunlin explain {near}")))
        .into_iter()
        .collect();
    // A code is often written without 0x.
    if let Some(code) = u8::from_str_radix(words, 16)
        .ok()
        .and_then(ReasonCode::from_code)
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
            "{} is no error, reason code, exit code, statement of the standard or limit of AWS IoT",
            quoted(words)
        ))
    }
}

/// Nearest identifier of all tables; `None` if none is near.
fn nearest(words: &str) -> Option<String> {
    let ids = Id::ALL.iter().map(|id| id.name().to_owned());
    let statements = statement::ids().map(str::to_owned);
    let limits = ServiceLimit::all()
        .into_iter()
        .map(|limit| limit.name.to_owned());
    let codes = ReasonCode::ALL
        .iter()
        .map(|code| code.name().to_lowercase().replace(' ', "_"));
    let packets = PacketType::ALL
        .into_iter()
        .map(|packet| packet.name().to_lowercase());
    let wanted = words.to_lowercase();
    ids.chain(statements)
        .chain(limits)
        .chain(codes)
        .chain(packets.map(|packet| format!("{packet} 0x87")))
        .map(|id| (strsim::jaro_winkler(&wanted, &id.to_lowercase()), id))
        .filter(|(similarity, _)| *similarity > NEAR)
        .max_by(|one, two| one.0.total_cmp(&two.0))
        .map(|(_, id)| id)
}

/// Similarity (Jaro-Winkler, 0 to 1) from which on an identifier is near.
const NEAR: f64 = 0.85;

/// JSON Schema of all lines that verbs print with `--json`.
const SCHEMA: &str = include_str!("schema.json");

#[cfg(test)]
mod tests {
    use super::page::WIDTH;
    use super::*;

    fn of(words: &str) -> Result<String, Diagnosis> {
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        explain(&words).map(|page| page.text())
    }

    /// Words that name each entry of each table.
    fn every_subject() -> Vec<String> {
        let ids = Id::ALL.iter().map(|id| id.name().to_owned());
        let exits = Exit::TABLE
            .iter()
            .map(|(exit, _)| format!("exit {}", exit.code()));
        let codes = ReasonCode::ALL
            .iter()
            .flat_map(|code| [format!("0x{:02x}", code.code()), code.code().to_string()]);
        // Every code in every packet that may have it.
        let in_packets = PacketType::ALL.into_iter().flat_map(|packet| {
            let legal = ReasonCode::ALL
                .iter()
                .filter(move |code| code.is_legal_in(packet, dunlin_codec::Sender::Any));
            legal.map(move |code| format!("{} {}", packet.name().to_lowercase(), code.code()))
        });
        let limits = ServiceLimit::all()
            .into_iter()
            .map(|limit| limit.name.to_owned());
        ids.chain(exits)
            .chain(codes)
            .chain(in_packets)
            .chain(statement::ids().map(str::to_owned))
            .chain(limits)
            .chain(["limits".to_owned()])
            .collect()
    }

    #[test]
    fn every_entry_of_every_table_is_explained_in_80_columns() {
        let subjects = every_subject();
        println!("{} subjects", subjects.len());
        for words in subjects {
            let page = of(&words).unwrap();
            assert!(page.ends_with('\n'), "{page}");
            for line in page.lines() {
                assert!(line.chars().count() <= WIDTH, "{line}");
            }
        }
        for line in list().text().lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }

    #[test]
    fn json_has_the_sections_of_the_text() {
        let page = explain(&["suback".to_owned(), "135".to_owned()]).unwrap();
        let object: serde_json::Value = serde_json::from_str(&page.json()).unwrap();
        assert_eq!(object["kind"], "reason_code");
        assert_eq!(object["id"], "0x87");
        assert_eq!(object["sections"][0]["label"], "meaning");
        assert_eq!(page.json().lines().count(), 1);
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
        for (words, near) in [
            ("MQTT-3.3.1-44", "MQTT-3.3.1-4"),
            ("recieve-maximum", "receive-maximum"),
            ("not_autorized", "not_authorized"),
        ] {
            assert_eq!(
                tries(words)[0],
                Try::command(format!("dunlin explain {near}"))
            );
        }
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
        assert!(
            of("MQTT-3.3.1-99").is_err(),
            "the standard has no such statement"
        );
        assert!(of("MQTT-3.3.1").is_err());
    }
}
