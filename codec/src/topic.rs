//! Topic Names and Topic Filters (§4.7, §4.8.2): their rules, and matching.

use crate::error::DecodeError;
use crate::reader::Reader;
use crate::record::Record;
use crate::scan::{Scan, has_nul, has_wildcard, wildcards};
use crate::sink::Sink;
use crate::text::{self, Scanned, read_scanned};
use crate::topic_error::TopicError;
use crate::validated::{Validated, str_of};
use crate::value::{Item, Rule, Value};

/// Topic Name (§4.7), to which messages are published: 1 to 65,535 bytes without wildcards and NUL.
///
/// ```
/// use dunlin_codec::{TopicError, TopicName};
///
/// const STATE: TopicName<'static> = match TopicName::new("lamps/7/state") {
///     Ok(topic) => topic,
///     Err(_) => panic!("not a Topic Name"),
/// };
/// assert_eq!(STATE, "lamps/7/state");
/// assert_eq!(TopicName::new("lamps/+"), Err(TopicError::WildcardInName));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicName<'a>(&'a str);

/// Topic Filter (§4.7), which a subscription matches with Topic Names: 1 to 65,535 bytes, with
/// wildcards where they are allowed.
///
/// The part of a shared filter after its Share Name is a Topic Filter under all rules, also where it
/// begins with `$share/` itself: `$share/g/$share/x` is refused, because `$share/x` is no filter
/// [MQTT-4.8.2-2], and `$share/g/$share/h/x` is a filter of the share `g` that matches the one Topic
/// Name `$share/h/x`.
///
/// ```
/// use dunlin_codec::{TopicFilter, TopicName};
///
/// let filter = TopicFilter::new("$share/workers/lamp/+/state")?;
/// assert_eq!(filter.share_name(), Some("workers"));
/// assert!(filter.matches(&TopicName::new("lamp/7/state")?));
/// assert!(TopicFilter::new("lamp+").is_err());
/// # Ok::<(), dunlin_codec::TopicError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicFilter<'a>(&'a str);

const SHARE_PREFIX: &str = "$share/";

impl<'a> TopicName<'a> {
    /// Topic Name with this text.
    ///
    /// # Errors
    /// [`TopicError::Empty`], [`TopicError::TooLong`], [`TopicError::Nul`] or
    /// [`TopicError::WildcardInName`].
    ///
    /// ```
    /// use dunlin_codec::{TopicError, TopicName};
    ///
    /// const STATUS: TopicName<'_> = match TopicName::new("lamp/7/status") {
    ///     Ok(name) => name,
    ///     Err(_) => panic!("no Topic Name"),
    /// };
    /// assert_eq!(STATUS, "lamp/7/status");
    /// assert_eq!(TopicName::new("lamp/+"), Err(TopicError::WildcardInName));
    /// ```
    pub const fn new(name: &'a str) -> Result<Self, TopicError> {
        if let Err(error) = well_formed(name.as_bytes()) {
            return Err(error);
        }
        if has_wildcard(name.as_bytes()) {
            Err(TopicError::WildcardInName)
        } else {
            Ok(Self(name))
        }
    }

    /// Topic Name of ASCII characters; `None` for other bytes, which have to be read in the general
    /// way.
    // A function of its own: inlined, its words would take the registers of those who decode.
    #[inline(never)]
    pub(crate) fn plain(bytes: &'a [u8]) -> Option<Self> {
        if Self::is_plain(bytes) {
            Some(Self(str_of(bytes)))
        } else {
            None
        }
    }

    /// True for a Topic Name of ASCII characters.
    #[inline(always)]
    pub(crate) fn is_plain(bytes: &[u8]) -> bool {
        !bytes.is_empty() && Scan::of(bytes).plain_without_wildcard()
    }

    /// Reads a topic name; a wildcard in it breaks `wildcard_rule`.
    #[inline(always)]
    pub(crate) fn read_ruled<R: Record>(
        r: &mut Reader<'a, R>,
        field: &'static str,
        wildcard_rule: &'static str,
    ) -> Result<Self, DecodeError> {
        let at = r.offset();
        let scanned = read_scanned(r, field)?;
        if let Some(name) = Self::of_scanned(scanned, r, at, field, wildcard_rule)? {
            return Ok(name);
        }
        r.refuse(r.protocol_at(at, field, Some(TopicError::Empty.statement())))?;
        Ok(Self(""))
    }

    /// Reads the topic name of a PUBLISH; `None` if it is empty, as it may be with a Topic Alias.
    #[inline(always)]
    pub(crate) fn read_of_publish<R: Record>(
        r: &mut Reader<'a, R>,
        field: &'static str,
        wildcard_rule: &'static str,
    ) -> Result<Option<Self>, DecodeError> {
        let at = r.offset();
        let scanned = read_scanned(r, field)?;
        Self::of_scanned(scanned, r, at, field, wildcard_rule)
    }

    #[inline(always)]
    fn of_scanned<R: Record>(
        scanned: Scanned<'a>,
        r: &Reader<'a, R>,
        at: u32,
        field: &'static str,
        wildcard_rule: &'static str,
    ) -> Result<Option<Self>, DecodeError> {
        if scanned.has_wildcard {
            r.refuse(r.protocol_at(at, field, Some(wildcard_rule)))?;
        }
        Ok((!scanned.bytes.is_empty()).then_some(Self(scanned.text)))
    }
}

impl<'a> TopicFilter<'a> {
    /// Topic Filter with this text.
    ///
    /// # Errors
    /// [`TopicError::Empty`], [`TopicError::TooLong`], [`TopicError::Nul`],
    /// [`TopicError::MisplacedMultiLevelWildcard`], [`TopicError::MisplacedSingleLevelWildcard`],
    /// [`TopicError::MissingShareName`] or [`TopicError::MalformedShare`].
    pub const fn new(filter: &'a str) -> Result<Self, TopicError> {
        let bytes = filter.as_bytes();
        if let Err(error) = well_formed(bytes) {
            return Err(error);
        }
        match check_filter(bytes, has_wildcard(bytes)) {
            Ok(()) => Ok(Self(filter)),
            Err(error) => Err(error),
        }
    }

    /// True for the filter of a shared subscription, `$share/{name}/{filter}` (§4.8.2).
    #[must_use]
    pub fn is_shared(&self) -> bool {
        is_shared(self.0.as_bytes())
    }

    /// Share Name of a shared subscription's filter; `None` for other filters.
    #[must_use]
    pub fn share_name(&self) -> Option<&'a str> {
        split_share(self.0).map(|(name, _)| name)
    }

    /// Filter that Topic Names are matched with: without `$share/{name}/`.
    #[must_use]
    pub fn without_share(&self) -> Self {
        Self(split_share(self.0).map_or(self.0, |(_, filter)| filter))
    }

    /// True if the filter has a `+` or `#`.
    #[must_use]
    pub fn has_wildcard(&self) -> bool {
        has_wildcard(self.0.as_bytes())
    }

    /// True if messages of this topic match the filter. Shared filters match without their prefix.
    #[must_use]
    pub fn matches(&self, name: &TopicName<'_>) -> bool {
        let (filter, name) = (self.without_share().as_bytes(), name.as_bytes());
        // A leading wildcard doesn't match a topic that begins with `$`. [MQTT-4.7.2-1]
        if name.first() == Some(&b'$') && matches!(filter.first(), Some(b'+' | b'#')) {
            return false;
        }
        // Level by level: `#` takes all that is left, `+` takes one level whatever its name.
        let mut levels = name.split(|&byte| byte == b'/');
        for wanted in filter.split(|&byte| byte == b'/') {
            if wanted == b"#" {
                return true;
            }
            match levels.next() {
                Some(level) if wanted == b"+" || wanted == level => {}
                _ => return false,
            }
        }
        // The name must not have more levels than the filter.
        levels.next().is_none()
    }
}

const fn well_formed(bytes: &[u8]) -> Result<(), TopicError> {
    if bytes.is_empty() {
        return Err(TopicError::Empty);
    }
    if bytes.len() > text::MAX_LEN {
        return Err(TopicError::TooLong);
    }
    if has_nul(bytes) {
        Err(TopicError::Nul)
    } else {
        Ok(())
    }
}

const fn check_filter(filter: &[u8], wildcard: bool) -> Result<(), TopicError> {
    let mut filter = filter;
    // The part after the Share Name is a Topic Filter with the same rules (§4.8.2).
    // Each round takes one `$share/{name}/` off.
    while let Some((b"$share/", share)) = filter.split_first_chunk::<7>() {
        let (name, after) = split_level(share);
        if name.is_empty() {
            return Err(TopicError::MissingShareName);
        }
        if after.is_empty() || has_wildcard(name) {
            return Err(TopicError::MalformedShare);
        }
        filter = after;
    }
    if wildcard {
        check_wildcards(filter)
    } else {
        Ok(())
    }
}

/// First level of `text`, and the part after its slash, which is empty if there is no slash.
const fn split_level(text: &[u8]) -> (&[u8], &[u8]) {
    let (mut len, mut rest) = (0, text);
    while let [byte, after @ ..] = rest {
        if *byte == b'/' {
            return (text.split_at(len).0, after);
        }
        (len, rest) = (len + 1, after);
    }
    (text, &[])
}

/// Checks that each wildcard fills its level, and that `#` is last. Bytes that may be wildcards are
/// searched for eight at a time.
const fn check_wildcards(filter: &[u8]) -> Result<(), TopicError> {
    // A level begins after a slash or at the start.
    let (mut before, mut rest) = (b'/', filter);
    loop {
        // Go to the next byte that may be a wildcard, or past eight bytes without any.
        if let Some((chunk, after)) = rest.split_first_chunk::<8>() {
            let marks = wildcards(u64::from_le_bytes(*chunk));
            let [.., last] = chunk;
            if marks == 0 {
                (before, rest) = (*last, after);
                continue;
            }
            let (skipped, candidate) = rest.split_at(marks.trailing_zeros() as usize / 8);
            if let [.., last] = skipped {
                before = *last;
            }
            rest = candidate;
        }
        // A wildcard has a slash or an end on both sides.
        rest = match rest {
            [] => return Ok(()),
            [b'#', after @ ..] => {
                return if before == b'/' && after.is_empty() {
                    Ok(())
                } else {
                    Err(TopicError::MisplacedMultiLevelWildcard)
                };
            }
            [b'+', after @ ..] => {
                if before != b'/' || !matches!(after, [] | [b'/', ..]) {
                    return Err(TopicError::MisplacedSingleLevelWildcard);
                }
                before = b'+';
                after
            }
            [other, after @ ..] => {
                before = *other;
                after
            }
        };
    }
}

/// True if these bytes of a filter are those of a shared subscription.
pub(crate) fn is_shared(filter: &[u8]) -> bool {
    filter.starts_with(SHARE_PREFIX.as_bytes())
}

/// Share Name and filter of a well-formed shared filter.
fn split_share(filter: &str) -> Option<(&str, &str)> {
    filter.strip_prefix(SHARE_PREFIX)?.split_once('/')
}

impl<'a> Value<'a> for TopicName<'a> {
    #[inline(always)]
    fn read<R: Record>(r: &mut Reader<'a, R>, rule: Rule) -> Result<Self, DecodeError> {
        // As a property: the Response Topic. [MQTT-3.3.2-14]
        Self::read_ruled(r, rule.field, "MQTT-3.3.2-14")
    }

    #[inline(always)]
    fn reread(rest: &mut Validated<'a>) -> Option<Self> {
        rest.text().map(Self)
    }

    #[inline(always)]
    fn write<S: Sink>(&self, sink: &mut S) {
        sink.prefixed(self.0.as_bytes());
    }

    #[inline(always)]
    fn write_row<S: Sink>(&self, id: u8, sink: &mut S) {
        sink.prefixed_row(id, self.0.as_bytes());
    }
}

impl<'a> Value<'a> for TopicFilter<'a> {
    #[inline(always)]
    fn read<R: Record>(r: &mut Reader<'a, R>, rule: Rule) -> Result<Self, DecodeError> {
        let at = r.offset();
        let Scanned {
            bytes,
            text,
            has_wildcard,
        } = read_scanned(r, rule.field)?;
        let checked = match bytes.first() {
            None => Err(TopicError::Empty),
            // Only a filter that begins with `$` can be shared. Of all others only those with a
            // wildcard need another check.
            Some(b'$') => check_filter(bytes, has_wildcard),
            Some(_) if has_wildcard => check_wildcards(bytes),
            Some(_) => Ok(()),
        };
        match checked {
            Ok(()) => Ok(Self(text)),
            Err(error) => {
                r.refuse(r.protocol_at(at, rule.field, Some(error.statement())))?;
                Ok(Self(text))
            }
        }
    }

    #[inline(always)]
    fn reread(rest: &mut Validated<'a>) -> Option<Self> {
        rest.text().map(Self)
    }

    #[inline(always)]
    fn write<S: Sink>(&self, sink: &mut S) {
        sink.prefixed(self.0.as_bytes());
    }

    #[inline(always)]
    fn write_row<S: Sink>(&self, id: u8, sink: &mut S) {
        sink.prefixed_row(id, self.0.as_bytes());
    }
}

impl<'a> Item<'a> for TopicFilter<'a> {
    #[inline(always)]
    fn skip(rest: &mut Validated<'a>) -> Option<()> {
        rest.prefixed().map(drop)
    }
}

text::checked_text!(TopicName TopicFilter);
