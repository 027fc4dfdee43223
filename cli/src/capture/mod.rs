//! Capture files: pcapng with the packets of MQTT in IP and TCP headers that are made up.
//!
//! Wireshark and tshark decode them without settings, because the port of the server is always 1883.
//! Secrets are replaced by filler of the same length.

mod client;
mod file;
mod pcapng;
mod tcp;

pub(crate) use client::ClientCapture;
pub(crate) use file::CaptureFile;
