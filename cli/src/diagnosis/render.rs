//! A diagnosis on the screen: at most twelve lines, wrapped to the terminal, labels aligned.

use anstyle::{AnsiColor, Style};
use dunlin_codec::Escaped;

use crate::diagnosis::{Diagnosis, Try};

/// `diagnosis` with style codes, which the writer strips where no colour is wanted. Ends without a
/// newline.
///
/// When it is too long for the screen the least likely guesses go first: the evidence always stays.
pub(crate) fn render(diagnosis: &Diagnosis, width: usize) -> String {
    let mut shown = escaped(diagnosis);
    loop {
        let lines = lines(&shown, width);
        if lines.len() <= MOST_LINES || !drop_least(&mut shown) {
            return lines.join("\n");
        }
    }
}

/// Servers, Lambdas and users have a say in these texts.
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

fn lines(diagnosis: &Diagnosis, width: usize) -> Vec<String> {
    let mut lines = headline(diagnosis, width);
    let mut section = |label: &str, texts: &[Try]| {
        for (index, text) in texts.iter().enumerate() {
            let head = if index == 0 {
                format!("  {LABEL}{label:<8}{LABEL:#}")
            } else {
                " ".repeat(INDENT)
            };
            let wrapped = match text {
                Try::Command(text) | Try::Paste(text) => vec![text.clone()],
                Try::Advice(advice) => wrap(advice, width.saturating_sub(INDENT)),
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
    lines
}

fn headline(diagnosis: &Diagnosis, width: usize) -> Vec<String> {
    let plain = format!("error[{}]: {}", diagnosis.id.name(), diagnosis.headline);
    let mut lines = wrap(&plain, width.saturating_sub(2));
    for line in lines.iter_mut().skip(1) {
        line.insert_str(0, "  ");
    }
    if let Some(first) = lines.first_mut()
        && let Some((id, rest)) = first.split_once(": ")
    {
        *first = format!("{ERROR}{id}{ERROR:#}: {rest}");
    }
    lines
}

/// A single guess needs no number.
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

/// Takes away what is least missed; false when only evidence is left.
fn drop_least(diagnosis: &mut Diagnosis) -> bool {
    if diagnosis.likely.len() > 1 {
        diagnosis.likely.pop().is_some()
    } else {
        diagnosis.try_.pop().is_some()
    }
}

/// Breaks at spaces; a word longer than the line keeps a line of its own.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

const MOST_LINES: usize = 12;
const INDENT: usize = 10;
const ERROR: Style = AnsiColor::Red.on_default().bold();
const LABEL: Style = Style::new().dimmed();

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::Id;

    fn plain(diagnosis: &Diagnosis, width: usize) -> String {
        anstream::adapter::strip_str(&render(diagnosis, width)).to_string()
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
    fn labels_align_and_evidence_stands_before_guesses() {
        assert_eq!(
            plain(&denied(), 100),
            "\
error[E-SUB-DENIED]: not allowed to subscribe to \"test/topic\" (SUBACK 0x87 Not authorized)
  saw:    connected and authenticated; nothing was published
  likely: 1. the policy lacks iot:Subscribe on topicfilter/test/topic
          2. another
  try:    dunlin demo
          ask the owner"
        );
    }

    #[test]
    fn prose_wraps_to_the_width_and_commands_do_not() {
        let long = Diagnosis {
            try_: vec![Try::command(
                "aws iot test-invoke-authorizer --authorizer-name MyAuth --mqtt-context username=u",
            )],
            ..denied()
        };
        let text = plain(&long, 50);
        assert!(
            text.lines()
                .filter(|line| !line.contains("aws iot"))
                .all(|line| line.chars().count() <= 50),
            "{text}"
        );
        assert!(text.contains("--mqtt-context username=u"), "{text}");
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
    fn twelve_lines_hold_whatever_the_server_says() {
        let chatty = Diagnosis {
            saw: Some("word ".repeat(60)),
            likely: (0..9)
                .map(|n| format!("guess {n} {}", "because ".repeat(12)))
                .collect(),
            ..denied()
        };
        let text = plain(&chatty, 80);
        assert!(text.lines().count() <= MOST_LINES, "{text}");
        assert!(text.contains("saw:") && text.contains("guess 0"), "{text}");
    }

    #[test]
    fn without_colour_no_escape_code_is_left_and_with_it_the_id_is_marked() {
        assert!(!plain(&denied(), 80).contains('\x1b'));
        assert!(render(&denied(), 80).starts_with("\x1b[1m\x1b[31merror[E-SUB-DENIED]\x1b[0m: "));
    }
}
