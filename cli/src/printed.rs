//! Checks of every command and flag that the tool prints: in errors, hints, help and banners.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use clap::Command;
use textwrap::core::display_width;

use crate::args::command;

/// Programs whose commands are printed.
const PROGRAMS: [&str; 13] = [
    "dunlin",
    "aws",
    "openssl",
    "printf",
    "nc",
    "ping",
    "export",
    "unset",
    "curl",
    "ulimit",
    "cargo",
    "mosquitto_pub",
    "mosquitto_sub",
];

/// Words that look like flags of the tool: prefixes that the help names, flags of the AWS CLI, and
/// a flag of a Lambda in an example.
const NO_FLAGS: [&str; 5] = [
    "auth_user",
    "auth_p",
    "token-signing-public-keys",
    "token-signature",
    "dev",
];

/// Files that name flags of other programs.
const OTHER_PROGRAMS: [&str; 1] = ["args/hints.rs"];

/// Fails unless a shell parses the command as it stands, and the tool has its verbs and flags.
#[track_caller]
pub(crate) fn check_command(text: &str) {
    assert!(!text.contains(".."), "a gap to be filled: {text}");
    assert!(
        !text.contains('<') || text.contains("</dev/null"),
        "a placeholder: {text}"
    );
    #[cfg(unix)]
    assert_shell_parses(text);
    // Each command of a pipeline, of a list or of a substitution.
    for part in text.split(['|', ';', '&', '(']) {
        let part = part.split(" #").next().unwrap_or_default().trim();
        if let Some(line) = part.strip_prefix("dunlin") {
            check_words(line);
        }
    }
}

#[cfg(unix)]
#[track_caller]
fn assert_shell_parses(text: &str) {
    let parsed = std::process::Command::new("sh")
        .args(["-n", "-c", text])
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&parsed.stderr);
    assert!(parsed.status.success(), "{text}\n{error}");
}

/// Fails unless the words after `dunlin` are verbs of the tool, and flags of the last verb.
#[track_caller]
fn check_words(line: &str) {
    let mut verb = command();
    let mut is_verb = true;
    for word in line.split_whitespace() {
        // Verbs come first; after the first other word a word is a value, whatever its name.
        match verb.find_subcommand(word).filter(|_| is_verb) {
            Some(found) => verb = found.clone(),
            None => is_verb = false,
        }
        // "-" alone is standard input.
        if word.starts_with('-') && word != "-" {
            assert!(has_flag(&verb, word), "{word} in: dunlin{line}");
        }
    }
}

/// True if the verb has this flag; `--flag=VALUE` and clap's own flags count.
fn has_flag(verb: &Command, word: &str) -> bool {
    let name = word.split('=').next().unwrap_or(word);
    let Some(long) = name.strip_prefix("--") else {
        let short = name.trim_start_matches('-').chars().next();
        return matches!(short, Some('h' | 'V'))
            || verb
                .get_arguments()
                .any(|flag| flag.get_short().is_some() && flag.get_short() == short);
    };
    matches!(long, "help" | "version")
        || verb.get_arguments().any(|flag| {
            flag.get_long() == Some(long)
                || flag
                    .get_all_aliases()
                    .is_some_and(|aliases| aliases.contains(&long))
        })
}

/// Every flag of every verb, in both spellings.
pub(crate) fn every_flag() -> BTreeSet<String> {
    fn collect(verb: &Command, flags: &mut BTreeSet<String>) {
        for flag in verb.get_arguments() {
            flags.extend(flag.get_long().map(str::to_owned));
            let aliases = flag.get_all_aliases().unwrap_or_default();
            flags.extend(aliases.into_iter().map(str::to_owned));
        }
        for inner in verb.get_subcommands() {
            collect(inner, flags);
        }
    }
    let mut flags = BTreeSet::from(["help".to_owned(), "version".to_owned()]);
    collect(&command(), &mut flags);
    flags
}

/// Flags in a text: `--` and letters, at the beginning of a word.
pub(crate) fn flags_in(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || "\"'`(),;:/[]".contains(c))
        .filter_map(|word| word.strip_prefix("--"))
        .map(|word| {
            let end = word.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
            word.get(..end.unwrap_or(word.len())).unwrap_or_default()
        })
        .filter(|flag| !flag.is_empty())
}

/// String literals of a source file up to its tests, with the line on which each begins.
fn literals(source: &str) -> Vec<(usize, String)> {
    let source = source.split("#[cfg(test)]\nmod ").next().unwrap_or(source);
    let mut literals = Vec::new();
    let (mut rest, mut line) = (source, 1);
    while let Some(c) = rest.chars().next() {
        let (taken, literal) = match c {
            '/' if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), None),
            // A character in quotes, as opposed to a lifetime.
            '\'' if rest.starts_with("'\\") => (4, None),
            '\'' if rest.chars().nth(2) == Some('\'') => (rest.len().min(2 + char_len(rest)), None),
            'r' if rest.starts_with("r\"") => quoted_until(rest, 2, "\""),
            'r' if rest.starts_with("r#\"") => quoted_until(rest, 3, "\"#"),
            '"' => escaped_literal(rest),
            c => (c.len_utf8(), None),
        };
        literals.extend(literal.map(|text| (line, text)));
        let (before, after) = rest.split_at(taken);
        line += before.matches('\n').count();
        rest = after;
    }
    literals
}

fn char_len(rest: &str) -> usize {
    rest.chars().nth(1).map_or(1, char::len_utf8)
}

/// A raw literal whose text begins at `start`.
fn quoted_until(rest: &str, start: usize, end: &str) -> (usize, Option<String>) {
    let text = rest.get(start..).unwrap_or_default();
    let len = text.find(end).unwrap();
    (start + len + end.len(), text.get(..len).map(str::to_owned))
}

/// A literal with escapes; a backslash at the end of a line skips the white space after it.
fn escaped_literal(rest: &str) -> (usize, Option<String>) {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (at + 1, Some(text)),
            '\\' => match chars.next().unwrap().1 {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                '\n' => while chars.next_if(|(_, c)| c.is_whitespace()).is_some() {},
                c => text.push(c),
            },
            c => text.push(c),
        }
    }
    (rest.len(), None)
}

/// The literal as it is printed, with `value` in place of each placeholder of `format!`.
fn filled(literal: &str, value: &str) -> String {
    let mut text = String::new();
    // Escaped braces would look like placeholders, so they are replaced first.
    let mut rest = literal.replace("{{", "\u{1}").replace("}}", "\u{2}");
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        text.push_str(value);
        rest = after
            .split_once('}')
            .map_or("", |(_, rest)| rest)
            .to_owned();
    }
    text.push_str(&rest);
    text.replace('\u{1}', "{").replace('\u{2}', "}")
}

/// Lines that begin with one of the programs, after a prompt or an indent; lines that end in a
/// backslash are joined.
fn commands_in(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let mut commands = Vec::new();
    for line in joined.lines() {
        let line = line.trim_start().trim_start_matches("$ ");
        let mut words = line.split(' ');
        let is_program = words.next().is_some_and(|word| PROGRAMS.contains(&word));
        // "dunlin is .." begins a sentence, and so does one with a comma; a command has a verb or a
        // flag next.
        let is_sentence = line.split(' ').any(|word| word.ends_with(','));
        let is_command = is_program
            && !is_sentence
            && words.next().is_some_and(|next| {
                !line.starts_with("dunlin")
                    || next.starts_with('-')
                    || command().find_subcommand(next).is_some()
            });
        if is_command {
            // Two blanks begin an explanation in the next column.
            let end = line.find("   ").filter(|_| !line.contains(" # "));
            commands.push(
                line.get(..end.unwrap_or(line.len()))
                    .unwrap_or(line)
                    .to_owned(),
            );
        }
    }
    commands
}

/// Mark in place of a placeholder of `format!`.
const MARK: &str = "\u{3}";

/// Commands of this tool and of the AWS CLI in the middle of a line: from the program to the end of
/// the clause.
///
/// Other programs have names that are English words as well (`ping`, `export`).
fn commands_within(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let mut commands = Vec::new();
    for line in joined.lines() {
        for (at, program) in ["dunlin ", "aws "]
            .iter()
            .flat_map(|program| line.match_indices(program))
        {
            let before = line.get(..at).unwrap_or_default();
            let after = line.get(at + program.len()..).unwrap_or_default();
            // A word of its own, after a blank, a quotation mark or a bracket. The begin of a line
            // is looked at by `commands_in`.
            let is_word = before.ends_with([' ', '(', '"', '`']);
            let next = after.split([' ', ',', ';', ')', '"', '`']).next();
            let is_command = next.is_some_and(|next| match program {
                "aws " => matches!(next, "iot" | "lambda" | "logs"),
                _ => command().find_subcommand(next).is_some() || next.starts_with("--"),
            });
            if is_word && is_command {
                let words = after.get(..clause_end(after)).unwrap_or(after);
                commands.push(format!("{program}{}", words.trim_end()));
            }
        }
    }
    commands
}

/// End of a command that stands in a sentence: punctuation, two blanks, or the closing bracket or
/// quotation mark of what it stands in.
fn clause_end(text: &str) -> usize {
    let (mut depth, mut is_quoted, mut before) = (0, false, 'x');
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 0 => return at,
            ')' => depth -= 1,
            '"' if is_quoted => is_quoted = false,
            '"' if matches!(before, ' ' | '=') => is_quoted = true,
            '"' => return at,
            ',' | ';' | '`' if depth == 0 && !is_quoted => return at,
            ' ' if before == ' ' => return at,
            _ => {}
        }
        before = c;
    }
    text.len()
}

/// Fails if something is left out of a command within a sentence, or if the tool lacks its verb or
/// flag. A shell is not asked: the sentence may go on after the command.
#[track_caller]
fn check_command_within(text: &str) {
    assert!(
        !text.contains("..") && !text.contains('<'),
        "a gap to be filled: {text}"
    );
    // The program after a pipe is found by itself.
    let first = text.split(" | ").next().unwrap_or_default();
    if let Some(line) = first.strip_prefix("dunlin") {
        check_words(line);
    }
}

fn sources(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|kind| kind == "rs")
            && !path.ends_with("tests.rs")
            && !path.ends_with("printed.rs")
        {
            files.push(path);
        }
    }
    files
}

#[test]
fn every_command_and_flag_in_the_sources_exists() {
    let flags = every_flag();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut checked, mut unknown) = (0, Vec::new());
    for file in sources(&root) {
        let source = fs::read_to_string(&file).unwrap();
        for (line, literal) in literals(&source) {
            let text = filled(&literal, "x");
            for command in commands_in(&text) {
                println!("{}:{line}: {command}", file.display());
                check_command(&command);
                checked += 1;
            }
            // A value right after a flag begins with a blank, if it isn't empty.
            let apart = filled(&literal, MARK)
                .replace(&format!(" {MARK}"), " x")
                .replace(MARK, " x");
            for command in commands_within(&apart) {
                println!("{}:{line}, within: {command}", file.display());
                check_command_within(&command);
            }
            // A flag of another program is named in its command, not in a sentence.
            if commands_in(&text).is_empty()
                && !OTHER_PROGRAMS.iter().any(|end| file.ends_with(end))
            {
                unknown.extend(
                    flags_in(&filled(&literal, " "))
                        .filter(|flag| !flags.contains(*flag) && !NO_FLAGS.contains(flag))
                        .map(|flag| format!("{}:{line}: --{flag}", file.display())),
                );
            }
        }
    }
    assert!(checked > 20, "{checked}");
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
}

#[test]
fn every_command_on_a_page_of_help_exists() {
    fn check(verb: &mut Command) {
        let page = verb.render_long_help().to_string();
        for command in commands_in(&page) {
            check_command(&command);
        }
        for command in commands_within(&page) {
            check_command_within(&command);
        }
        for inner in verb.get_subcommands_mut() {
            check(inner);
        }
    }
    check(&mut command());
}

#[test]
fn no_page_of_help_is_wider_than_80_columns() {
    fn check(verb: Command, wide: &mut Vec<String>) {
        let mut verb = verb.term_width(80);
        let pages = [verb.render_help(), verb.render_long_help()];
        for page in pages.map(|page| page.to_string()) {
            wide.extend(
                page.lines()
                    .filter(|line| display_width(line) > 80)
                    .map(|line| format!("{}: {line}", verb.get_name())),
            );
        }
        for inner in verb.get_subcommands() {
            check(inner.clone(), wide);
        }
    }
    let mut wide = Vec::new();
    check(command(), &mut wide);
    assert!(wide.is_empty(), "{}", wide.join("\n"));
}

#[test]
fn a_command_in_the_middle_of_a_line_is_found() {
    let found = |text: &str| commands_within(text);
    assert_eq!(
        found("public key (aws iot create-authorizer --x KEY=\"$(cat k)\" ..,"),
        ["aws iot create-authorizer --x KEY=\"$(cat k)\" .."]
    );
    assert_eq!(
        found("sign it with: dunlin auth sign --key k .., then go on"),
        ["dunlin auth sign --key k .."]
    );
    assert_eq!(
        found("-u \"$(dunlin auth username ..)\" in dunlin is right"),
        ["dunlin auth username .."]
    );
    assert_eq!(found("dunlin demo"), [""; 0], "the begin of a line");
}

#[test]
fn literals_of_a_source_are_found() {
    let source = "// \"not this\"\nlet c = '\"'; let a = \"x \\\"y\\\" \\\n   z\"; let b = r#\"a \"b\"\"#; f::<'a>(\"end\")";
    let found: Vec<(usize, String)> = literals(source);
    assert_eq!(
        found,
        [
            (2, "x \"y\" z".to_owned()),
            (3, "a \"b\"".to_owned()),
            (3, "end".to_owned())
        ]
    );
    assert_eq!(filled("a {b} {{c}} {}", "x"), "a x {c} x");
}
