//! Values of flags as text, one line each, with the source of each and without secrets.

use dunlin_codec::Escaped;

use super::file::ProfileFile;
use crate::args::{Origin, RecordedFlag, Sources, recorded_flags};

/// Lines of all values that a verb would use.
pub(super) fn lines(sources: &Sources) -> String {
    let mut text = String::new();
    for flag in recorded_flags() {
        let Some(origin) = sources.origin(&flag.id) else {
            continue;
        };
        let origin = match origin {
            Origin::CommandLine => "command line".to_owned(),
            Origin::Environment(variable) => format!("environment, {variable}"),
            Origin::Profile(name) => format!("profile {name}"),
            Origin::Default => "default".to_owned(),
        };
        let values = shown(&flag, &sources.values(&flag.id));
        text.push_str(&format!("{:<26} {values:<30} {origin}\n", name(&flag.id)));
    }
    text
}

/// Lines of the values of one profile.
pub(super) fn lines_of(file: &ProfileFile) -> String {
    let mut text = String::new();
    for flag in recorded_flags() {
        if let Some(values) = file.values.get(&flag.id) {
            let values = shown(&flag, values);
            text.push_str(&format!("{:<26} {values}\n", name(&flag.id)));
        }
    }
    text
}

/// Values as they may be shown.
pub(super) fn shown(flag: &RecordedFlag, values: &[String]) -> String {
    let shown = values.iter().map(|value| {
        if ProfileFile::is_secret(flag, std::slice::from_ref(value)) {
            format!("<redacted {} bytes>", value.len())
        } else {
            Escaped(value).to_string()
        }
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// Name of the flag with this id.
fn name(id: &str) -> String {
    format!("--{}", id.replace('_', "-"))
}
