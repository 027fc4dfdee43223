//! `Secret`: a value that never prints and is wiped when it is dropped.

use std::fmt;

use zeroize::Zeroize;

/// A password, a token, a signature, or a text that contains one.
///
/// `Debug` and `Display` print the length alone, and the memory is zeroed on drop. Whoever fills a
/// growing buffer reserves it whole first: what `String` or `Vec` leaves behind when it moves is
/// out of reach.
///
/// ```
/// use dunlin_client::secret::Secret;
///
/// let password: Secret<String> = "s3cret".into();
/// assert_eq!(format!("{password:?}"), "<redacted 6 bytes>");
/// assert_eq!(password.expose(), "s3cret");
///
/// let mut options = dunlin_client::ConnectOptions::new("lamp-7");
/// options.password = Some("s3cret".into());
/// options.password = Some(String::from("s3cret").into());
/// options.password = Some(b"s3cret".into());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// The value itself: the one way to it, so that every use can be found by this name.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize + AsRef<[u8]>> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_ref().len() {
            1 => f.write_str("<redacted 1 byte>"),
            n => write!(f, "<redacted {n} bytes>"),
        }
    }
}

impl<T: Zeroize + AsRef<[u8]>> fmt::Display for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl From<&str> for Secret<String> {
    fn from(value: &str) -> Self {
        Self(value.to_owned())
    }
}

impl From<&[u8]> for Secret<Vec<u8>> {
    fn from(value: &[u8]) -> Self {
        Self(value.to_vec())
    }
}

impl<const N: usize> From<&[u8; N]> for Secret<Vec<u8>> {
    fn from(value: &[u8; N]) -> Self {
        Self(value.to_vec())
    }
}

impl From<&str> for Secret<Vec<u8>> {
    fn from(value: &str) -> Self {
        Self(value.as_bytes().to_vec())
    }
}

impl From<String> for Secret<Vec<u8>> {
    /// Keeps the memory of the text: nothing is copied.
    fn from(value: String) -> Self {
        Self(value.into_bytes())
    }
}

impl From<Secret<String>> for Secret<Vec<u8>> {
    /// The same memory under another type: nothing is copied.
    fn from(mut text: Secret<String>) -> Self {
        Self(std::mem::take(&mut text.0).into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;

    const CANARY: &str = "canary-7f3a";

    #[test]
    fn a_secret_prints_its_length_alone() {
        let text = Secret::<String>::from(CANARY);
        let bytes = Secret::<Vec<u8>>::from(CANARY.as_bytes());

        for printed in [
            format!("{text:?}"),
            format!("{text:#?}"),
            format!("{text}"),
            format!("{bytes:?}"),
        ] {
            assert_eq!(printed, "<redacted 11 bytes>");
        }
        assert_eq!(Secret::<String>::from("x").to_string(), "<redacted 1 byte>");
    }

    #[test]
    fn types_with_a_secret_do_not_print_it() {
        #[derive(Debug)]
        #[expect(dead_code, reason = "read by Debug alone")]
        struct Credentials {
            password: Option<Secret<String>>,
        }

        let printed = format!(
            "{:?}",
            Credentials {
                password: Some(CANARY.into())
            }
        );

        assert_eq!(
            printed,
            "Credentials { password: Some(<redacted 11 bytes>) }"
        );
    }

    #[test]
    fn a_secret_is_wiped_when_dropped() {
        struct Witness(Rc<Cell<bool>>);
        impl Zeroize for Witness {
            fn zeroize(&mut self) {
                self.0.set(true);
            }
        }
        let wiped = Rc::new(Cell::new(false));

        drop(Secret::from(Witness(wiped.clone())));

        assert!(wiped.get());
    }

    #[test]
    fn text_becomes_bytes_in_place() {
        let text = Secret::<String>::from(CANARY);
        let address = text.expose().as_ptr();

        let bytes: Secret<Vec<u8>> = text.into();

        assert_eq!(bytes.expose().as_slice(), CANARY.as_bytes());
        assert_eq!(bytes.expose().as_ptr(), address);
    }
}
