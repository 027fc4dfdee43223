//! Parser of a format.

use super::shape::Shape;
use super::{Format, FormatField, Piece};
use crate::diagnosis::{Diagnosis, Try, quoted};

impl Format {
    /// Parses the value of `-F`.
    ///
    /// # Errors
    /// [`Id::Usage`](crate::diagnosis::Id::Usage) for a sequence that is unknown or incomplete.
    pub(in crate::subscribe) fn parse(format: &str) -> Result<Self, Diagnosis> {
        let mut parser = Parser {
            rest: format.chars(),
            pieces: Vec::new(),
        };
        match parser.run() {
            Ok(()) => Ok(Self(parser.pieces)),
            Err(fault) => Err(Diagnosis {
                try_: vec![Try::advice(
                    "a percent sign is %%, an at sign @@, a backslash \\\\; `dunlin sub --help` has the \
                     list",
                )],
                ..Diagnosis::usage(format!("--format {}: {fault}", quoted(format)))
            }),
        }
    }
}

struct Parser<'a> {
    rest: std::str::Chars<'a>,
    pieces: Vec<Piece>,
}

impl Parser<'_> {
    fn run(&mut self) -> Result<(), String> {
        while let Some(c) = self.rest.next() {
            match c {
                '%' => self.field()?,
                '@' => match self
                    .rest
                    .next()
                    .ok_or("the \"@\" at the end is incomplete")?
                {
                    '@' => self.text('@'),
                    'N' => self.pieces.push(Piece::Nanoseconds),
                    conversion => self.pieces.push(Piece::Time(conversion)),
                },
                '\\' => {
                    let c = self
                        .rest
                        .next()
                        .ok_or("the \"\\\" at the end is incomplete")?;
                    let c = escaped(c).ok_or_else(|| format!("\"\\{c}\" is no escape"))?;
                    self.text(c);
                }
                c => self.text(c),
            }
        }
        Ok(())
    }

    /// Reads flags, width, precision and letter of a field: `%-010.3t`.
    fn field(&mut self) -> Result<(), String> {
        // Flags in the order of mosquitto_sub: "-" before "0".
        let mut shape = Shape {
            is_left: self.takes('-'),
            ..Shape::default()
        };
        shape.is_zero = self.takes('0');
        shape.width = self.number()?;
        if self.takes('.') {
            shape.precision = Some(self.number()?);
        }
        // The letter decides which field it is.
        let letter = self
            .rest
            .next()
            .ok_or("the \"%\" at the end is incomplete")?;
        let field = match letter {
            '%' => {
                self.text('%');
                return Ok(());
            }
            'A' => FormatField::TopicAlias,
            'C' => FormatField::ContentType,
            'D' => FormatField::CorrelationData,
            'E' => FormatField::Expiry,
            'F' => FormatField::PayloadFormat,
            'I' => FormatField::LocalTime,
            'j' => FormatField::Json,
            'J' => FormatField::JsonPayload,
            'l' => FormatField::PayloadLength,
            'm' => FormatField::PacketId,
            'P' => FormatField::UserProperties,
            'p' => FormatField::Payload,
            'q' => FormatField::QoS,
            'R' => FormatField::ResponseTopic,
            'r' => FormatField::Retain,
            'S' => FormatField::SubscriptionIdentifier,
            't' => FormatField::Topic,
            'U' => FormatField::UnixTime,
            'x' => FormatField::HexLower,
            'X' => FormatField::HexUpper,
            other => return Err(format!("\"%{other}\" is no field")),
        };
        self.pieces.push(Piece::FormatField(field, shape));
        Ok(())
    }

    /// Reads digits; 0 without any.
    fn number(&mut self) -> Result<usize, String> {
        let mut number = 0_usize;
        while let Some(digit) = self.rest.clone().next().and_then(|c| c.to_digit(10)) {
            self.rest.next();
            number = number * 10 + digit as usize;
            // A wide field would take that much memory for each message.
            if number > WIDEST {
                return Err(format!("a width of more than {WIDEST}"));
            }
        }
        Ok(number)
    }

    /// Reads `c` if it is next.
    fn takes(&mut self, c: char) -> bool {
        let is_next = self.rest.clone().next() == Some(c);
        if is_next {
            self.rest.next();
        }
        is_next
    }

    /// Adds a character to the text at the end.
    fn text(&mut self, c: char) {
        let mut buffer = [0; 4];
        let bytes = c.encode_utf8(&mut buffer).as_bytes();
        match self.pieces.last_mut() {
            Some(Piece::Text(text)) => text.extend_from_slice(bytes),
            _ => self.pieces.push(Piece::Text(bytes.to_vec())),
        }
    }
}

/// Character that a backslash and `c` stand for; `None` if they are no escape.
fn escaped(c: char) -> Option<char> {
    match c {
        '\\' => Some('\\'),
        '0' => Some('\0'),
        'a' => Some('\x07'),
        'e' => Some('\x1b'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'v' => Some('\x0b'),
        _ => None,
    }
}

/// Maximum width of a field in bytes.
const WIDEST: usize = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_fields_times_and_escapes_are_told_apart() {
        let format = Format::parse("a%%b %-010.3t@Y@@@N\\n\\0").unwrap();
        let shape = Shape {
            is_left: true,
            is_zero: true,
            width: 10,
            precision: Some(3),
        };
        assert_eq!(
            format.0,
            [
                Piece::Text(b"a%b ".to_vec()),
                Piece::FormatField(FormatField::Topic, shape),
                Piece::Time('Y'),
                Piece::Text(b"@".to_vec()),
                Piece::Nanoseconds,
                Piece::Text(b"\n\0".to_vec()),
            ]
        );
    }

    #[test]
    fn formats_that_mosquitto_sub_refuses_are_refused() {
        for format in ["%Y", "%", "%5", "%-", "%.", "@", "a\\", "\\q", "%9999999t"] {
            assert!(Format::parse(format).is_err(), "{format}");
        }
    }
}
