//! Resources of the data plane, by path and method.

use hyper::Method;

/// Resource of a request. The texts are topics and client ids as they were sent, percent-encoded.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Resource {
    /// `POST /topics/{topic}`
    Topic(String),
    /// `GET /retainedMessage/{topic}`
    RetainedMessage(String),
    /// `GET /retainedMessage`
    RetainedMessages,
    /// `GET` or `DELETE /connections/{clientId}`
    Connection(String),
    /// `GET /connections/{clientId}/subscriptions`
    Subscriptions(String),
    /// `POST /connections/{clientId}/messages`
    DirectMessages(String),
}

impl Resource {
    /// Resource of a path; `None` if there is none.
    pub(super) fn of(path: &str) -> Option<Self> {
        let path = path.strip_prefix('/')?;
        if path.trim_end_matches('/') == "retainedMessage" {
            return Some(Self::RetainedMessages);
        }
        match path.split_once('/')? {
            ("topics", topic) => Some(Self::Topic(topic.into())),
            ("retainedMessage", topic) => Some(Self::RetainedMessage(topic.into())),
            // Slashes of a client id are percent-encoded.
            ("connections", rest) => match rest.split_once('/') {
                None => Some(Self::Connection(rest.into())),
                Some((client_id, "subscriptions")) => Some(Self::Subscriptions(client_id.into())),
                Some((client_id, "messages")) => Some(Self::DirectMessages(client_id.into())),
                Some(_) => None,
            },
            _ => None,
        }
    }

    /// Methods of the resource, as the header `Allow` lists them.
    pub(super) const fn methods(&self) -> &'static str {
        match self {
            Self::Topic(_) | Self::DirectMessages(_) => "POST",
            Self::Connection(_) => "GET, DELETE",
            Self::RetainedMessage(_) | Self::RetainedMessages | Self::Subscriptions(_) => "GET",
        }
    }

    /// `true` if the resource has the method.
    pub(super) fn has(&self, method: &Method) -> bool {
        self.methods()
            .split(", ")
            .any(|name| name == method.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_resources() {
        use Resource::{
            Connection, DirectMessages, RetainedMessage, RetainedMessages, Subscriptions, Topic,
        };
        for (path, expected) in [
            ("/topics/a/b", Some(Topic("a/b".into()))),
            ("/topics/a%2Fb", Some(Topic("a%2Fb".into()))),
            ("/retainedMessage/a", Some(RetainedMessage("a".into()))),
            ("/retainedMessage", Some(RetainedMessages)),
            ("/retainedMessage/", Some(RetainedMessages)),
            ("/connections/a%2Fb", Some(Connection("a%2Fb".into()))),
            (
                "/connections/a/subscriptions",
                Some(Subscriptions("a".into())),
            ),
            ("/connections/a/messages", Some(DirectMessages("a".into()))),
            ("/connections/a/other", None),
            ("/connections", None),
            ("/things/a", None),
            ("/", None),
        ] {
            assert_eq!(Resource::of(path), expected, "{path}");
        }
    }
}
