//! The clients that are compared.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::report::Side;

/// A client that this program contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Who {
    Dunlin,
    #[cfg(feature = "peers")]
    Rumqttc,
    #[cfg(feature = "peers")]
    RumqttcNext,
    #[cfg(feature = "peers")]
    Gneiss,
    #[cfg(feature = "peers")]
    Mqtt5,
    #[cfg(feature = "paho")]
    Paho,
    Raw,
}

/// A client, and the program that runs its turns.
#[derive(Clone, Debug)]
pub struct Entrant {
    pub who: Who,
    /// Earlier build of this benchmark; `None` for this program.
    pub earlier: Option<PathBuf>,
    /// True if its connections use WebSocket.
    pub websocket: bool,
}

impl Entrant {
    /// Returns the clients of this program, with Dunlin as `earlier` builds contain it, and with
    /// `websocket` Dunlin over WebSocket too.
    pub fn all(earlier: &[PathBuf], websocket: bool) -> Vec<Self> {
        let here = |who| Self {
            who,
            earlier: None,
            websocket: false,
        };
        let mut all = vec![here(Who::Dunlin)];
        all.extend(websocket.then(|| Self {
            websocket: true,
            ..here(Who::Dunlin)
        }));
        all.extend(earlier.iter().map(|program| Self {
            who: Who::Dunlin,
            earlier: Some(program.clone()),
            websocket: false,
        }));
        all.extend([
            #[cfg(feature = "peers")]
            here(Who::Rumqttc),
            #[cfg(feature = "peers")]
            here(Who::RumqttcNext),
            #[cfg(feature = "peers")]
            here(Who::Gneiss),
            #[cfg(feature = "peers")]
            here(Who::Mqtt5),
            #[cfg(feature = "paho")]
            here(Who::Paho),
            here(Who::Raw),
        ]);
        all
    }

    /// Name in the tables: the file name of an earlier build, or else the package and its version.
    pub fn name(&self) -> String {
        match &self.earlier {
            Some(program) => program
                .file_name()
                .unwrap_or(program.as_os_str())
                .to_string_lossy()
                .into_owned(),
            None if self.websocket => format!("{}, WSS", self.who.name()),
            None => self.who.name(),
        }
    }

    pub const fn side(&self) -> Side {
        match self.earlier {
            Some(_) => Side::Earlier,
            None if self.websocket => Side::WebSocket,
            None => self.who.side(),
        }
    }
}

impl Who {
    /// Package name with the version that was built.
    fn name(self) -> String {
        let package = match self {
            Self::Dunlin => "dunlin-client",
            #[cfg(feature = "peers")]
            Self::Rumqttc => "rumqttc",
            #[cfg(feature = "peers")]
            Self::RumqttcNext => "rumqttc-v5-next",
            #[cfg(feature = "peers")]
            Self::Gneiss => "gneiss-mqtt",
            #[cfg(feature = "peers")]
            Self::Mqtt5 => "mqtt5",
            #[cfg(feature = "paho")]
            Self::Paho => "paho-mqtt",
            Self::Raw => return "limit: raw tokio".to_owned(),
        };
        let name = format!("name = \"{package}\"\nversion = \"");
        let version = LOCK
            .split_once(&name)
            .and_then(|(_, rest)| rest.split_once('"'));
        format!("{package} {}", version.map_or("", |(version, _)| version))
    }

    const fn side(self) -> Side {
        match self {
            Self::Dunlin => Side::Ours,
            Self::Raw => Side::Limit,
            #[cfg(feature = "peers")]
            _ => Side::Peer,
        }
    }
}

const LOCK: &str = include_str!("../../Cargo.lock");
