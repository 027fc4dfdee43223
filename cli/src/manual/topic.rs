//! `Topic`: pages of `dunlin help` about things that concern many verbs.

use crate::args;

/// Subject of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    Credentials,
    Environment,
    ExitCodes,
}

impl Topic {
    const ALL: [Self; 3] = [Self::Credentials, Self::Environment, Self::ExitCodes];

    /// Topic with this name; `None` if there is none.
    pub(super) fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.name() == word)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Credentials => "credentials",
            Self::Environment => "environment",
            Self::ExitCodes => "exit-codes",
        }
    }

    /// Page of at most 80 columns, which ends with a newline.
    pub(super) fn page(self) -> String {
        match self {
            Self::Credentials => CREDENTIALS.to_owned(),
            Self::Environment => environment(),
            Self::ExitCodes => args::exit_codes(),
        }
    }
}

const CREDENTIALS: &str = "\
Where a secret comes from, the first one that is there:
  1. the flag, such as --auth-password
  2. its *-file flag, such as --auth-password-file; \"-\" is standard input
  3. its environment variable, such as DUNLIN_AUTH_PASSWORD

Other users of this computer can read a secret on the command line, so there
is a warning; DUNLIN_NO_ARGV_WARNING=1 turns it off. A file loses one newline at
its end, and there is a warning if other users can read it.

  dunlin --auth-password-file secret.txt
  pass show mqtt | dunlin --auth-password-file -
  DUNLIN_AUTH_PASSWORD=\"$(pass show mqtt)\" dunlin --auth-username me
";

/// Page of all variables: those of flags from the definitions of the flags, then the others.
fn environment() -> String {
    let mut page = String::from(
        "A flag wins over its environment variable; an empty variable counts as unset.\n\n",
    );
    for (variable, flag) in args::variables() {
        page.push_str(&format!("  {variable:<28}{flag}\n"));
    }
    page.push('\n');
    for (variable, meaning) in OTHER_VARIABLES {
        page.push_str(&format!("  {variable:<28}{meaning}\n"));
    }
    page
}

/// Variables that stand for no flag.
const OTHER_VARIABLES: [(&str, &str); 8] = [
    ("DUNLIN_LOG", "filter of -v, such as dunlin_client=debug"),
    (
        "DUNLIN_NO_ARGV_WARNING",
        "1: no warning about secrets in flags",
    ),
    ("HTTPS_PROXY, ALL_PROXY", "proxy, unless --proxy is given"),
    ("NO_PROXY", "hosts and networks without a proxy"),
    ("SSL_CERT_FILE", "CA certificates, unless --ca is given"),
    ("NO_COLOR", "no colour on standard error"),
    ("CLICOLOR_FORCE", "1: colour in pipes, too"),
    ("XDG_STATE_HOME", "folder above the sandbox's files"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_fits_80_columns_and_no_topic_is_a_verb() {
        let tool = args::command();
        for topic in Topic::ALL {
            assert!(tool.find_subcommand(topic.name()).is_none(), "{topic:?}");
            assert_eq!(Topic::named(topic.name()), Some(topic));
            let page = topic.page();
            assert!(page.ends_with('\n') && !page.ends_with("\n\n"), "{page}");
            for line in page.lines() {
                assert!(line.chars().count() <= 80, "{line}");
            }
        }
    }
}
