//! Parameters of a query: texts, truth values, numbers, and pages of lists.

use core::str::FromStr;
use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::authorizer::{RequestHead, percent_decoded};
use crate::net::http::refused::Refused;

/// Query of one request.
#[derive(Clone, Copy)]
pub(super) struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    pub(super) fn of(head: &'a RequestHead) -> Self {
        Self(head.query.as_deref().unwrap_or_default())
    }

    /// Value of the first parameter with this name, as it was sent; `None` if there is none.
    pub(super) fn raw(self, name: &str) -> Option<&'a str> {
        let mut pairs = self.0.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// Value of a parameter; `None` if there is none, or its percent-encoding is wrong.
    pub(super) fn text(self, name: &str) -> Option<Cow<'a, str>> {
        percent_decoded(self.raw(name)?)
    }

    /// Value of a parameter that is `true` or `false`, which is the default.
    ///
    /// # Errors
    /// 400 for any other value.
    pub(super) fn flag(self, name: &str) -> Result<bool, Refused> {
        match self.raw(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Refused::invalid(format!("{name} must be true or false"))),
        }
    }

    /// Number within a range; `default` without the parameter.
    ///
    /// # Errors
    /// 400 for any other value.
    pub(super) fn number<T: FromStr + PartialOrd + core::fmt::Display>(
        self,
        name: &str,
        (least, most): (T, T),
        default: T,
    ) -> Result<T, Refused> {
        let Some(text) = self.raw(name) else {
            return Ok(default);
        };
        let number = text.parse::<T>().ok();
        let number = number.filter(|number| *number >= least && *number <= most);
        number.ok_or_else(|| Refused::invalid(format!("{name} must be {least} to {most}")))
    }

    /// Page of a list that `maxResults` (1 to 200) and `nextToken` ask for.
    ///
    /// # Errors
    /// 400 for another size, or a token that isn't one of an earlier answer.
    pub(super) fn page(self, default: usize) -> Result<Page, Refused> {
        let most = self.number("maxResults", (1, MAX_RESULTS), default)?;
        let after = match self.text("nextToken") {
            None => String::new(),
            Some(token) => STANDARD
                .decode(&*token)
                .ok()
                .and_then(|last| String::from_utf8(last).ok())
                .ok_or_else(|| {
                    Refused::invalid("nextToken isn't one of an earlier answer".into())
                })?,
        };
        Ok(Page { most, after })
    }
}

/// Page of a list that is ordered by a text.
pub(super) struct Page {
    /// Maximum number of entries.
    pub(super) most: usize,
    /// Last entry of the page before; empty for the first page.
    pub(super) after: String,
}

/// Token of the page after the one that ends with `last`.
pub(super) fn next_token(last: &str) -> String {
    STANDARD.encode(last)
}

/// Largest page.
pub(super) const MAX_RESULTS: usize = 200;
