//! Settings whose value is one of a few words, in flags and in the config file.

/// A text that is none of the words of a setting.
///
/// ```
/// use dunlin_sandbox::Denial;
///
/// let error = "shrug".parse::<Denial>().unwrap_err();
/// assert_eq!(error.to_string(), r#""shrug" isn't known; there are: reason-code, disconnect, close"#);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} isn't known; there are: {}", words.join(", "))]
pub struct SettingError {
    pub(crate) text: String,
    pub(crate) words: &'static [&'static str],
}

/// Implements reading and writing for the enum of a setting: one row for each of its values.
macro_rules! setting {
    ($setting:ident { $($value:ident => $word:literal,)+ }) => {
        impl $setting {
            /// All values.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$value),+];

            const WORDS: &'static [&'static str] = &[$($word),+];
        }

        impl core::str::FromStr for $setting {
            type Err = $crate::setting::SettingError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$value),)+
                    _ => Err($crate::setting::SettingError {
                        text: text.into(),
                        words: Self::WORDS,
                    }),
                }
            }
        }

        impl core::fmt::Display for $setting {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(match self {
                    $(Self::$value => $word,)+
                })
            }
        }

        impl serde::Serialize for $setting {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $setting {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use setting;

#[cfg(test)]
mod tests {
    use core::fmt::{Debug, Display};
    use core::str::FromStr;

    use serde::Serialize;
    use serde::de::DeserializeOwned;

    use super::*;
    use crate::{Denial, Profile, SubscribeQoS2, WhenQueueFull};

    fn reads_what_it_writes<T>(all: &[T])
    where
        T: Display + Debug + PartialEq + FromStr<Err = SettingError> + Serialize + DeserializeOwned,
    {
        // Each value reads what it writes, in flags and in JSON.
        for value in all {
            let word = value.to_string();
            assert_eq!(word.parse().as_ref(), Ok(value));
            let json = serde_json::to_value(value).unwrap();
            assert_eq!(json, word);
            assert_eq!(&serde_json::from_value::<T>(json).unwrap(), value);
        }
        let error = "no-such-word".parse::<T>().unwrap_err();
        assert!(
            all.iter()
                .all(|value| error.words.contains(&value.to_string().as_str()))
        );
        let json = serde_json::from_str::<T>(r#""no-such-word""#).unwrap_err();
        assert_eq!(json.to_string(), error.to_string());
    }

    #[test]
    fn a_setting_is_spelled_alike_in_flags_and_files() {
        reads_what_it_writes(&Denial::ALL);
        reads_what_it_writes(&Profile::ALL);
        reads_what_it_writes(&SubscribeQoS2::ALL);
        reads_what_it_writes(&WhenQueueFull::ALL);
    }
}
