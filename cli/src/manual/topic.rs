//! `Topic`: pages of `dunlin help` about things that concern many verbs.

use crate::args;

/// Subject of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    Credentials,
    Environment,
    ExitCodes,
    Profiles,
}

impl Topic {
    const ALL: [Self; 4] = [
        Self::Credentials,
        Self::Environment,
        Self::ExitCodes,
        Self::Profiles,
    ];

    /// Topic with this name; `None` if there is none.
    pub(super) fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.name() == word)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Credentials => "credentials",
            Self::Environment => "environment",
            Self::ExitCodes => "exit-codes",
            Self::Profiles => "profiles",
        }
    }

    /// Page of at most 80 columns, which ends with a newline.
    pub(super) fn page(self) -> String {
        match self {
            Self::Credentials => CREDENTIALS.to_owned(),
            Self::Environment => environment(),
            Self::ExitCodes => args::exit_codes(),
            Self::Profiles => PROFILES.to_owned(),
        }
    }
}

const CREDENTIALS: &str = "\
Where a secret comes from, the first one that is there:
  1. the flag, such as --auth-password
  2. its *-file flag, such as --auth-password-file; \"-\" is standard input
  3. the command of --auth-cmd, which runs before every connection
  4. the terminal, with --ask
  5. its environment variable, such as DUNLIN_AUTH_PASSWORD
  6. the profile of --profile, in the same order

Other users of this computer can read a secret on the command line, so there
is a warning; DUNLIN_NO_ARGV_WARNING=1 turns it off. A file loses one newline at
its end, and there is a warning if other users can read it.

The command prints the password, or a JSON object with any of username,
password, token and signature. No shell reads it. It has 30 s, and nothing that
it prints is shown, but for the last line of its standard error if it fails.

  dunlin --auth-password-file secret.txt
  dunlin --auth-cmd 'pass show mqtt' --auth-username me
  pass show mqtt | dunlin --auth-password-file -
  DUNLIN_AUTH_PASSWORD=\"$(pass show mqtt)\" dunlin --auth-username me
";

const PROFILES: &str = "\
A profile holds flags of a connection. They count where neither the command
line nor the environment has a value.

  dunlin profile save local --endpoint localhost:8883 --ca ca.pem
  dunlin --profile local
  dunlin profile show local --effective
  dunlin profile check local

A profile is a file in TOML, NAME.toml in the folder that this prints:

  dunlin profile path

Each key is a flag without its dashes; a flag that may be given more than once
takes a list. Relative paths are taken from the folder of the profile.

  endpoint = \"localhost:8883\"
  ca = \"ca.pem\"
  auth-username = \"me\"
  auth-password-file = \"secret.txt\"

A secret should be in a file of its own, as here. A profile with a secret in it
is only used if other users can't read it (chmod 600), and no profile is used
that other users can write.
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
const OTHER_VARIABLES: [(&str, &str); 10] = [
    ("DUNLIN_CONFIG_DIR", "folder of profiles/"),
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
    ("XDG_CONFIG_HOME", "folder above dunlin/profiles/"),
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
