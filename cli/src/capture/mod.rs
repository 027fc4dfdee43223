//! Capture files: pcapng with the packets of MQTT in IP and TCP headers that are made up, and the
//! connections in captures of any program.
//!
//! Wireshark and tshark decode what is written without settings, because the port of the server is
//! always 1883. Secrets are replaced by filler of the same length.

mod client;
mod connections;
mod file;
mod pcapng;
mod reader;
mod segment;
mod streams;
mod tcp;

pub(crate) use client::ClientCapture;
pub(crate) use connections::{CaptureTotals, read_connections};
pub(crate) use file::{CaptureFile, CapturedConnection};
pub(crate) use streams::{StreamEvent, StreamEventKind};
