//! Text wrapped to the width of a terminal. Wide characters count as two columns.

use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};

/// Breaks `text` at spaces into lines of at most `width` columns; all lines but the first one begin
/// with `indent`, which counts.
///
/// A word that is wider than a line, such as a path, is never broken, because it may be copied.
pub(crate) fn wrap(text: &str, width: usize, indent: &str) -> Vec<String> {
    // Words of commands and paths must survive: nothing is hyphenated or broken.
    let options = Options::new(width)
        .subsequent_indent(indent)
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit);
    textwrap::wrap(text, options)
        .into_iter()
        .map(std::borrow::Cow::into_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_count_as_two_columns() {
        assert_eq!(wrap("日本 日本 日本", 9, ""), ["日本 日本", "日本"]);
        assert_eq!(wrap("ab cd ef", 5, ""), ["ab cd", "ef"]);
    }

    #[test]
    fn a_long_word_is_not_broken_and_the_indent_counts() {
        assert_eq!(
            wrap("see /a/very/long/path here", 8, "  "),
            ["see", "  /a/very/long/path", "  here"]
        );
    }
}
