//! The commands of the README and of the book: run in their order, or parsed.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that can't be set up fails")]

mod book;
mod error_pages;
mod reader;
mod readme;
