//! User name and password inside a URL, which are never printed.

/// Bytes of `word` from the user name to the `@` of a URL such as `mqtt://user:password@host`, or
/// of `user:password@host`; `None` if there is no user name.
///
/// Everything up to the last `@` counts, because a password may hold a `/` or an `@` that should
/// have been encoded.
pub(crate) fn userinfo(word: &str) -> Option<&str> {
    // A value may be attached to its flag: --endpoint=mqtt://..
    let value = match word.split_once('=') {
        Some((flag, value)) if flag.starts_with("--") => value,
        _ => word,
    };
    let (is_url, rest) = match value.split_once("://") {
        Some((_, rest)) => (true, rest),
        None => (false, value),
    };
    // The last `@`: one in a password would end the search too early.
    let end = rest.rfind('@')?;
    let userinfo = rest.get(..=end)?;
    // Without a scheme, `me@example.com` may be a client id or a topic, and holds no password.
    (is_url || userinfo.contains(':')).then_some(userinfo)
}

/// `word` with `...` in place of user name and password.
pub(crate) fn without_userinfo(word: &str) -> String {
    match userinfo(word) {
        Some(userinfo) => word.replace(userinfo, "...@"),
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_name_and_password_of_a_url_are_found_and_left_out() {
        for (word, shown) in [
            ("mqtt://user:pw@host:1883", "mqtt://...@host:1883"),
            ("mqtts://user@host", "mqtts://...@host"),
            ("mqtt://user:p/w@x@host/a", "mqtt://...@host/a"),
            ("user:pw@host", "...@host"),
            ("--endpoint=mqtt://u:p@host", "--endpoint=mqtt://...@host"),
            ("-Hmqtt://u:p@host", "-Hmqtt://...@host"),
            ("mqtt://host", "mqtt://host"),
            ("me@example.com", "me@example.com"),
        ] {
            assert_eq!(without_userinfo(word), shown);
        }
    }
}
