//! Text of a diagnosis: at most twelve lines, wrapped to the terminal, with aligned labels.

use anstyle::{AnsiColor, Style};
use dunlin_codec::Escaped;
use textwrap::core::display_width;

use crate::diagnosis::{Diagnosis, Id, Try};
use crate::wrap::wrap;

/// Renders `diagnosis` with style codes, which the writer strips where no colour is wanted. The
/// text ends without a newline.
///
/// `columns` is the width of the terminal; `None` means that a file or a pipe is written to. Lines
/// of prose are then up to 100 columns wide, and commands stay in one piece. When the text is too
/// long for the screen, the least likely guesses are left out first; the evidence always stays.
pub(crate) fn render(diagnosis: &Diagnosis, columns: Option<usize>) -> String {
    let mut shown = escaped(diagnosis);
    // A mistake in the flags explains itself; of every other error there is more to say.
    let explain = || Try::command(format!("dunlin explain {}", diagnosis.id.name()));
    let mut help = (diagnosis.id != Id::Usage).then(explain);
    loop {
        let lines = lines(&shown, help.as_ref(), columns);
        // Texts are removed one at a time until the rest fits.
        if lines.len() <= MAX_LINES || !(drop_least(&mut shown) || help.take().is_some()) {
            return lines.join("\n");
        }
    }
}

/// Escapes what a terminal would obey: servers, Lambdas and users have a say in these texts.
fn escaped(diagnosis: &Diagnosis) -> Diagnosis {
    let text = |text: &String| Escaped(text).to_string();
    Diagnosis {
        headline: Escaped(&diagnosis.headline).to_string().into(),
        at: diagnosis.at.as_ref().map(text),
        saw: diagnosis.saw.as_ref().map(text),
        likely: diagnosis.likely.iter().map(text).collect(),
        try_: diagnosis
            .try_
            .iter()
            .map(|each| match each {
                Try::Command(command) => Try::Command(text(command)),
                Try::Paste(paste) => Try::Paste(text(paste)),
                Try::Advice(advice) => Try::Advice(text(advice)),
            })
            .collect(),
        ..diagnosis.clone()
    }
}

fn lines(diagnosis: &Diagnosis, help: Option<&Try>, columns: Option<usize>) -> Vec<String> {
    let width = columns.unwrap_or(WIDTH_WITHOUT_TERMINAL).clamp(40, 120);
    // The headline, then each section whose texts are not empty.
    let mut lines = headline(diagnosis, width);
    let mut section = |label: &str, texts: &[Try]| {
        for (index, text) in texts.iter().enumerate() {
            // Only the first text of a section has the label; all begin in the same column.
            let head = if index == 0 {
                format!("  {LABEL}{label:<8}{LABEL:#}")
            } else {
                " ".repeat(INDENT)
            };
            let available = width.saturating_sub(INDENT);
            // Prose is always wrapped; commands only where the terminal would break them anyway.
            let wrapped = match (text, columns) {
                (Try::Advice(advice), _) => wrap(advice, available, ""),
                (Try::Command(text), Some(_)) => fold_command(text, available),
                (Try::Paste(text), Some(_)) => fold_json(text, available),
                (Try::Command(text) | Try::Paste(text), None) => vec![text.clone()],
            };
            lines.extend(wrapped.into_iter().enumerate().map(|(row, text)| {
                if row == 0 {
                    format!("{head}{text}")
                } else {
                    format!("{}{text}", " ".repeat(INDENT))
                }
            }));
        }
    };
    let advice = |text: &Option<String>| text.iter().map(Try::advice).collect::<Vec<_>>();
    section("at:", &advice(&diagnosis.at));
    section("saw:", &advice(&diagnosis.saw));
    section("likely:", &numbered(&diagnosis.likely));
    section("try:", &diagnosis.try_);
    section("help:", help.map_or(&[], std::slice::from_ref));
    lines
}

fn headline(diagnosis: &Diagnosis, width: usize) -> Vec<String> {
    let plain = format!("error[{}]: {}", diagnosis.id.name(), diagnosis.headline);
    let mut lines = wrap(&plain, width, "  ");
    if let Some(first) = lines.first_mut()
        && let Some((id, rest)) = first.split_once(": ")
    {
        *first = format!("{ERROR}{id}{ERROR:#}: {rest}");
    }
    lines
}

/// Numbers the guesses, unless there is only one.
fn numbered(guesses: &[String]) -> Vec<Try> {
    match guesses {
        [only] => vec![Try::advice(only)],
        many => many
            .iter()
            .zip(1..)
            .map(|(guess, n)| Try::advice(format!("{n}. {guess}")))
            .collect(),
    }
}

/// Removes the least important text; false when only evidence is left.
fn drop_least(diagnosis: &mut Diagnosis) -> bool {
    // The first guess stays longer than any proposal: it explains the error.
    if diagnosis.likely.len() > 1 {
        diagnosis.likely.pop().is_some()
    } else {
        diagnosis.try_.pop().is_some()
    }
}

/// Breaks a shell command at spaces outside of quotes. All lines but the last one end in a
/// backslash, so that a shell runs the lines as one command when they are pasted.
///
/// A word that is wider than a line stays whole.
pub(super) fn fold_command(command: &str, width: usize) -> Vec<String> {
    if display_width(command) <= width {
        return vec![command.to_owned()];
    }
    // A backslash at the end of a line takes two columns.
    let available = width.saturating_sub(2);
    let mut lines: Vec<String> = Vec::new();
    for word in shell_words(command) {
        match lines.last_mut() {
            // The word fits on the current line, with a space before it.
            Some(line) if display_width(line) + 1 + display_width(word) <= available => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    let last = lines.len().saturating_sub(1);
    for line in lines.iter_mut().take(last) {
        line.push_str(" \\");
    }
    lines
}

/// Splits a command at the spaces that separate its words, and leaves quotes as they are.
fn shell_words(command: &str) -> Vec<&str> {
    let (mut quote, mut escapes) = (None, false);
    let is_separator = |c: char| {
        let was_escaped = std::mem::take(&mut escapes);
        match (quote, c) {
            // The character after a backslash has no meaning of its own.
            _ if was_escaped => {}
            (None | Some('"'), '\\') => escapes = true,
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            (None, ' ') => return true,
            _ => {}
        }
        false
    };
    command
        .split(is_separator)
        .filter(|word| !word.is_empty())
        .collect()
}

/// Breaks a JSON object between its members, where white space changes nothing.
fn fold_json(text: &str, width: usize) -> Vec<String> {
    if display_width(text) <= width {
        return vec![text.to_owned()];
    }
    // A quote inside of a string is escaped, so that `","` only stands between members.
    text.split_inclusive("\",").map(str::to_owned).collect()
}

const MAX_LINES: usize = 12;
const INDENT: usize = 10;
/// Columns that read well in a log.
const WIDTH_WITHOUT_TERMINAL: usize = 100;
const ERROR: Style = AnsiColor::Red.on_default().bold();
const LABEL: Style = Style::new().dimmed();

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::Id;

    fn plain(diagnosis: &Diagnosis, width: usize) -> String {
        anstream::adapter::strip_str(&render(diagnosis, Some(width))).to_string()
    }

    fn denied() -> Diagnosis {
        Diagnosis {
            saw: Some("connected and authenticated; nothing was published".into()),
            likely: vec![
                "the policy lacks iot:Subscribe on topicfilter/test/topic".into(),
                "another".into(),
            ],
            try_: vec![Try::command("dunlin demo"), Try::advice("ask the owner")],
            ..Diagnosis::new(
                Id::SubDenied,
                "not allowed to subscribe to \"test/topic\" (SUBACK 0x87 Not authorized)",
            )
        }
    }

    #[test]
    fn labels_align_and_evidence_precedes_guesses() {
        assert_eq!(
            plain(&denied(), 100),
            "\
error[E-SUB-DENIED]: not allowed to subscribe to \"test/topic\" (SUBACK 0x87 Not authorized)
  saw:    connected and authenticated; nothing was published
  likely: 1. the policy lacks iot:Subscribe on topicfilter/test/topic
          2. another
  try:    dunlin demo
          ask the owner
  help:   dunlin explain E-SUB-DENIED"
        );
    }

    #[test]
    fn a_long_command_is_continued_by_backslashes_on_a_terminal_only() {
        let long = Diagnosis {
            try_: vec![Try::command(
                "printf 'a b\\c' \"$TOKEN it's\" | openssl dgst -sha256 -sign private.pem | base64 -w0",
            )],
            ..denied()
        };
        let text = plain(&long, 50);
        assert!(
            text.lines().all(|line| line.chars().count() <= 50),
            "{text}"
        );
        let (_, command) = text.split_once("try:").unwrap();
        let (command, _) = command.split_once("\n  help:").unwrap();
        assert_eq!(
            command,
            "    printf 'a b\\c' \"$TOKEN it's\" | openssl \\
          dgst -sha256 -sign private.pem | \\
          base64 -w0"
        );
        let piped = anstream::adapter::strip_str(&render(&long, None)).to_string();
        assert!(piped.contains("-sign private.pem | base64 -w0"), "{piped}");
    }

    #[test]
    fn a_long_statement_is_broken_between_its_members() {
        let statement =
            r#"{"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:*:*:topic/a,\"b"}"#;
        let folded = fold_json(statement, 50);
        assert_eq!(folded.len(), 3, "{folded:?}");
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(read(&folded.join("\n")), read(statement));
    }

    #[test]
    fn wide_characters_count_as_two_columns() {
        let wide = Diagnosis {
            saw: Some("日本語 ".repeat(20)),
            try_: Vec::new(),
            ..denied()
        };
        let text = plain(&wide, 80);
        assert!(text.lines().all(|line| display_width(line) <= 80), "{text}");
    }

    #[test]
    fn no_line_of_prose_is_wider_than_the_screen() {
        let prose = Diagnosis {
            try_: Vec::new(),
            ..denied()
        };
        for width in 40..=120 {
            let text = plain(&prose, width);
            assert!(
                text.lines().all(|line| line.chars().count() <= width),
                "{width}\n{text}"
            );
        }
    }

    #[test]
    fn twelve_lines_are_enough_whatever_the_server_says() {
        let chatty = Diagnosis {
            saw: Some("word ".repeat(60)),
            likely: (0..9)
                .map(|n| format!("guess {n} {}", "because ".repeat(12)))
                .collect(),
            ..denied()
        };
        let text = plain(&chatty, 80);
        assert!(text.lines().count() <= MAX_LINES, "{text}");
        for words in ["saw:", "guess 0", "help:   dunlin explain E-SUB-DENIED"] {
            assert!(text.contains(words), "{text}");
        }
    }

    #[test]
    fn without_colour_no_escape_code_is_left_and_with_it_the_id_is_marked() {
        assert!(!plain(&denied(), 80).contains('\x1b'));
        assert!(
            render(&denied(), Some(80)).starts_with("\x1b[1m\x1b[31merror[E-SUB-DENIED]\x1b[0m: ")
        );
    }
}
